# shellcheck shell=sh
# Functions shared by the scripts: messages, installation of system packages, builds. Sourced, not run.

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# HOME is missing if nobody logged in: in a container, under cron.
if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6) || true
    [ -n "$HOME" ] || fail "HOME is not set, and user $(id -u) has no home in the password file"
    export HOME
fi

# Prints the package manager: apt-get (Debian, Ubuntu), dnf (Fedora), pacman (Arch) or nothing.
package_manager() {
    for manager in apt-get dnf pacman; do
        if command -v "$manager" >/dev/null 2>&1; then
            say "$manager"
            return
        fi
    done
}

# Succeeds if the package $2 is installed, according to the manager $1.
has_package() {
    case $1 in
    apt-get) dpkg-query -W -f '${db:Status-Status}' "$2" 2>/dev/null | grep -qx installed ;;
    dnf) rpm -q --whatprovides "$2" >/dev/null 2>&1 ;;
    pacman) pacman -Qq "$2" >/dev/null 2>&1 ;;
    esac
}

# Prints the packages for a purpose: packages_for MANAGER PURPOSE
packages_for() {
    case $2:$1 in
    # Every build, and the ssh client.
    build:apt-get) say gcc libc6-dev pkg-config openssh-client ;;
    build:dnf) say gcc pkgconf-pkg-config openssh-clients ;;
    build:pacman) say gcc pkgconf openssh ;;
    # The default tray: GTK to build with, and the indicator library, which is opened at run time.
    tray:apt-get) say libgtk-3-dev libayatana-appindicator3-1 hicolor-icon-theme ;;
    tray:dnf) say gtk3-devel libayatana-appindicator-gtk3 hicolor-icon-theme ;;
    tray:pacman) say gtk3 libayatana-appindicator hicolor-icon-theme ;;
    # Packages: the tools that find required libraries, and the interpreters of the scripts.
    packing:apt-get) say dpkg-dev rpm python3 git ;;
    packing:dnf) say rpm-build python3 git ;;
    packing:pacman) say rpm-tools python git ;;
    # tests/packages.sh.
    checks:apt-get) say lintian rpmlint appstream desktop-file-utils makepkg pacman-package-manager libarchive-tools zsh fish ;;
    checks:dnf) say rpmlint appstream desktop-file-utils zsh fish ;;
    checks:pacman) say appstream desktop-file-utils zsh fish ;;
    # The tests: a server, a display, a bus, a panel, a notification daemon.
    test:apt-get) say openssh-server iproute2 sshfs bindfs dosfstools python3 util-linux strace libcap2-bin systemd xvfb dbus libglib2.0-bin xfce4-panel openbox dunst adwaita-icon-theme fonts-dejavu-core xdotool xclip xfce4-clipman sway wl-clipboard imagemagick desktop-file-utils shellcheck mandoc groff-base gettext ;;
    test:dnf) say openssh-server iproute fuse-sshfs bindfs dosfstools python3 util-linux strace libcap systemd xorg-x11-server-Xvfb dbus-daemon glib2 xfce4-panel openbox dunst adwaita-icon-theme dejavu-sans-fonts xdotool xclip xfce4-clipman-plugin sway wl-clipboard ImageMagick desktop-file-utils ShellCheck groff-base gettext ;;
    test:pacman) say openssh iproute2 sshfs bindfs dosfstools python util-linux strace libcap systemd xorg-server-xvfb dbus glib2 xfce4-panel openbox dunst adwaita-icon-theme ttf-dejavu xdotool xclip xfce4-clipman-plugin sway wl-clipboard imagemagick desktop-file-utils shellcheck groff gettext ;;
    # A C++ compiler, for libFuzzer.
    fuzz:apt-get) say g++ ;;
    fuzz:dnf) say gcc-c++ ;;
    fuzz:pacman) say gcc ;;
    esac
}

# Prints the packages for these purposes that are not installed: missing_packages MANAGER PURPOSE…
missing_packages() {
    manager=$1
    shift
    missing=
    for purpose in "$@"; do
        for package in $(packages_for "$manager" "$purpose"); do
            has_package "$manager" "$package" || missing="$missing $package"
        done
    done
    printf '%s' "${missing# }"
}

# Prints the command that installs packages, for a person to run as root.
install_command() {
    case $1 in
    apt-get) say "apt-get install -y --no-install-recommends" ;;
    dnf) say "dnf install -y --setopt=install_weak_deps=False" ;;
    pacman) say "pacman -S --needed --noconfirm" ;;
    esac
}

# Prints " (N packages with their dependencies, M MB)" if apt knows these packages.
size_with_dependencies() {
    [ "$1" = apt-get ] || return 0
    shift
    new=$(LC_ALL=C apt-get -s install --no-install-recommends "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p')
    [ -n "$new" ] || return 0
    # The names are separate words.
    # shellcheck disable=SC2086
    LC_ALL=C apt-cache show --no-all-versions $new 2>/dev/null |
        awk '/^Package:/ { n++ } /^Installed-Size:/ { kb += $2 }
            END { printf " (%d packages with their dependencies, %d MB)", n, kb / 1024 }'
}

may_be_root() {
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null 2>&1 && sudo true; }
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Prints and installs the missing packages for these purposes: install_packages PURPOSE…
install_packages() {
    manager=$(package_manager)
    if [ -z "$manager" ]; then
        say "No apt-get, dnf or pacman found. Install these packages yourself; the names are those of Debian:"
        for purpose in "$@"; do packages_for apt-get "$purpose"; done
        return
    fi
    missing=$(missing_packages "$manager" "$@")
    if [ -z "$missing" ]; then
        say "All system packages are installed."
        return
    fi
    # The names are separate words.
    # shellcheck disable=SC2086
    say "Installing system packages$(size_with_dependencies "$manager" $missing): $missing"
    install="$(install_command "$manager")"
    may_be_root || fail "this needs root, and sudo refused or is not installed. Ask an administrator to run this line, then run this script again:
$install $missing"
    # shellcheck disable=SC2086
    if [ "$manager" = apt-get ]; then
        as_root env DEBIAN_FRONTEND=noninteractive $install $missing || {
            say "The package lists may be old; updating them."
            as_root apt-get update
            as_root env DEBIAN_FRONTEND=noninteractive $install $missing
        }
    else
        as_root $install $missing
    fi || fail "$manager could not install these packages: $missing"
}

# Tests wait more than they compute.
use_more_threads() {
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
    export RUST_TEST_THREADS
}

# Finds cargo, also in rustup's directory if that is not in PATH.
find_cargo() {
    command -v cargo >/dev/null 2>&1 || prefer_rustup
    command -v cargo >/dev/null 2>&1 || fail "no Rust toolchain found; $(way_to_rust)"
}

prefer_rustup() {
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    export PATH
}

# Fails unless Rust is new enough, in the root of the source. rustup's is used if that of the distribution is too old.
require_rust() {
    find_cargo
    has_rust || prefer_rustup
    has_rust || fail "Rust $wanted or later is needed, and here is $(rustc --version 2>&1 | head -n 1); $(way_to_rust)"
}

has_rust() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    present=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p')
    [ -n "$present" ] && [ "$(printf '%s\n' "$wanted" "$present" | sort -V | head -n 1)" = "$wanted" ]
}

way_to_rust() {
    if command -v rustup >/dev/null 2>&1; then
        say "run: rustup default stable && rustup update stable"
    else
        say "install it from https://rustup.rs, which needs no root" \
            "(or on Debian 13 and Ubuntu 24.04: sudo apt-get install rustup && rustup default stable)"
    fi
}

# Prints CARGO_ENCODED_RUSTFLAGS for a build in the root of the source: build_flags TARGET_DIRECTORY
# Paths of this machine are remapped, so the same source gives the same programs in every directory.
build_flags() {
    separator=$(printf '\037')
    remap=--remap-path-prefix
    printf '%s' "$remap=$(rustc --print sysroot)=rust$separator$remap=${CARGO_HOME:-$HOME/.cargo}=cargo" \
        "$separator$remap=$PWD=muxtray$separator$remap=$1=target"
}

# Builds the release programs, in the root of the source: build_release TARGET_DIRECTORY [ARGUMENT FOR CARGO…]
build_release() {
    target_directory=$1
    shift
    CARGO_ENCODED_RUSTFLAGS=$(build_flags "$target_directory") \
        cargo build --release --locked --target-dir "$target_directory" "$@"
}
