# shellcheck shell=sh
# Functions shared by the scripts: messages, installation of system packages, builds. Sourced, not run.

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

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

# Runs a command as root, with sudo if necessary.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "needs root for: $*
Run that as root, then this script again; sudo is not installed."
    fi
}

# Prints and installs the missing ones of the packages named for this system's manager:
# install_packages PURPOSE "apt names" "dnf names" "pacman names"
install_packages() {
    purpose=$1
    manager=$(package_manager)
    case $manager in
    apt-get) wanted=$2 ;;
    dnf) wanted=$3 ;;
    pacman) wanted=$4 ;;
    *)
        say "No apt-get, dnf or pacman found. Install $purpose yourself; the names in Debian: $2"
        return
        ;;
    esac
    missing=
    for package in $wanted; do
        has_package "$manager" "$package" || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        say "Already installed: $purpose."
        return
    fi
    say "Installing $purpose with $manager:$missing"
    # The names are separate words.
    # shellcheck disable=SC2086
    case $manager in
    apt-get)
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing ||
            {
                say "The package lists may be old; updating them."
                as_root apt-get update
                as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
            } || fail "apt-get could not install$missing"
        ;;
    dnf) as_root dnf install -y --setopt=install_weak_deps=False $missing || fail "dnf could not install$missing" ;;
    pacman) as_root pacman -S --needed --noconfirm $missing || fail "pacman could not install$missing" ;;
    esac
}

# Needed by every build, and the ssh client.
install_build_packages() {
    install_packages "a C compiler, pkg-config and the OpenSSH client" \
        "gcc libc6-dev pkg-config openssh-client" \
        "gcc pkgconf-pkg-config openssh-clients" \
        "gcc pkgconf openssh"
}

# Needed by the default tray: GTK to build with, and the indicator library, which is opened at run time.
install_tray_packages() {
    install_packages "GTK 3 and the AppIndicator library" \
        "libgtk-3-dev libayatana-appindicator3-1 hicolor-icon-theme" \
        "gtk3-devel libayatana-appindicator-gtk3 hicolor-icon-theme" \
        "gtk3 libayatana-appindicator hicolor-icon-theme"
}

# Needed to build packages: the tools that find required libraries, and the interpreters of the scripts.
install_packing_packages() {
    install_packages "the packaging tools" \
        "dpkg-dev rpm python3 git" \
        "rpm-build python3 git" \
        "rpm-tools python git"
}

# Needed by tests/packages.sh.
install_package_checks() {
    install_packages "the package checkers" \
        "lintian rpmlint appstream desktop-file-utils makepkg pacman-package-manager libarchive-tools" \
        "rpmlint appstream desktop-file-utils" \
        "appstream desktop-file-utils"
}

# Needed by the tests: a server, a display, a bus, a panel, a notification daemon.
install_test_packages() {
    install_packages "the programs that the tests use" \
        "openssh-server iproute2 sshfs bindfs dosfstools python3 util-linux strace libcap2-bin systemd xvfb dbus libglib2.0-bin xfce4-panel openbox dunst adwaita-icon-theme fonts-dejavu-core xdotool xclip xfce4-clipman sway wl-clipboard imagemagick desktop-file-utils shellcheck mandoc groff-base gettext" \
        "openssh-server iproute fuse-sshfs bindfs dosfstools python3 util-linux strace libcap systemd xorg-x11-server-Xvfb dbus-daemon glib2 xfce4-panel openbox dunst adwaita-icon-theme dejavu-sans-fonts xdotool xclip xfce4-clipman-plugin sway wl-clipboard ImageMagick desktop-file-utils ShellCheck groff-base gettext" \
        "openssh iproute2 sshfs bindfs dosfstools python util-linux strace libcap systemd xorg-server-xvfb dbus glib2 xfce4-panel openbox dunst adwaita-icon-theme ttf-dejavu xdotool xclip xfce4-clipman-plugin sway wl-clipboard imagemagick desktop-file-utils shellcheck groff gettext"
}

# Tests wait more than they compute.
use_more_threads() {
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
    export RUST_TEST_THREADS
}

# Finds cargo, also in rustup's directory if that is not in PATH.
find_cargo() {
    if ! command -v cargo >/dev/null 2>&1; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    command -v cargo >/dev/null 2>&1 ||
        fail "no Rust toolchain found; install one from https://rustup.rs"
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
