# shellcheck shell=sh
# What the set-up scripts share: how to speak, and how to install system packages. Sourced, not run.

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Which package manager is there: apt-get (Debian, Ubuntu), dnf (Fedora), pacman (Arch).
package_manager() {
    for manager in apt-get dnf pacman; do
        if command -v "$manager" >/dev/null 2>&1; then
            say "$manager"
            return
        fi
    done
}

# Whether the manager in $1 has the package in $2 installed.
has_package() {
    case $1 in
    apt-get) dpkg-query -W -f '${db:Status-Status}' "$2" 2>/dev/null | grep -qx installed ;;
    dnf) rpm -q --whatprovides "$2" >/dev/null 2>&1 ;;
    pacman) pacman -Qq "$2" >/dev/null 2>&1 ;;
    esac
}

# Runs a command as root: as it is, or through sudo.
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

# Installs what is missing of the packages named for this system's manager, and says so first:
# install_packages PURPOSE "apt names" "dnf names" "pacman names"
install_packages() {
    purpose=$1
    manager=$(package_manager)
    case $manager in
    apt-get) wanted=$2 ;;
    dnf) wanted=$3 ;;
    pacman) wanted=$4 ;;
    *)
        say "No apt-get, dnf or pacman here. Install $purpose yourself; Debian calls them: $2"
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
    # The names are words of their own.
    # shellcheck disable=SC2086
    case $manager in
    apt-get)
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing ||
            {
                say "The package lists may be old: fetching them."
                as_root apt-get update
                as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
            } || fail "apt-get could not install$missing"
        ;;
    dnf) as_root dnf install -y --setopt=install_weak_deps=False $missing || fail "dnf could not install$missing" ;;
    pacman) as_root pacman -S --needed --noconfirm $missing || fail "pacman could not install$missing" ;;
    esac
}

# What any build needs, and the ssh that is watched.
install_build_packages() {
    install_packages "a C compiler, pkg-config and the OpenSSH client" \
        "gcc libc6-dev pkg-config openssh-client" \
        "gcc pkgconf-pkg-config openssh-clients" \
        "gcc pkgconf openssh"
}

# What the tray needs: GTK to build with, and the indicator library, which is opened at run time.
install_tray_packages() {
    install_packages "GTK 3 and the AppIndicator library" \
        "libgtk-3-dev libayatana-appindicator3-1 hicolor-icon-theme" \
        "gtk3-devel libayatana-appindicator-gtk3 hicolor-icon-theme" \
        "gtk3 libayatana-appindicator hicolor-icon-theme"
}

# What finds out which libraries the programs in a package need, and the scripts beside it.
install_packing_packages() {
    install_packages "what packs" \
        "dpkg-dev rpm python3 git" \
        "rpm-build python3 git" \
        "rpm-tools python git"
}

# What looks at the packages, for tests/packages.sh.
install_package_checks() {
    install_packages "what checks packages" \
        "lintian rpmlint appstream desktop-file-utils makepkg pacman-package-manager libarchive-tools" \
        "rpmlint appstream desktop-file-utils" \
        "appstream desktop-file-utils"
}

# What the tests drive: a server, a display, a bus, a panel, a notification daemon.
install_test_packages() {
    install_packages "what the tests drive" \
        "openssh-server sshfs dosfstools python3 util-linux strace libcap2-bin systemd xvfb dbus libglib2.0-bin xfce4-panel openbox dunst adwaita-icon-theme fonts-dejavu-core xdotool xclip xfce4-clipman sway wl-clipboard imagemagick desktop-file-utils shellcheck mandoc groff-base gettext" \
        "openssh-server fuse-sshfs dosfstools python3 util-linux strace libcap systemd xorg-x11-server-Xvfb dbus-daemon glib2 xfce4-panel openbox dunst adwaita-icon-theme dejavu-sans-fonts xdotool xclip xfce4-clipman-plugin sway wl-clipboard ImageMagick desktop-file-utils ShellCheck groff-base gettext" \
        "openssh sshfs dosfstools python util-linux strace libcap systemd xorg-server-xvfb dbus glib2 xfce4-panel openbox dunst adwaita-icon-theme ttf-dejavu xdotool xclip xfce4-clipman-plugin sway wl-clipboard imagemagick desktop-file-utils shellcheck groff gettext"
}

# cargo, found where rustup puts it too.
find_cargo() {
    if ! command -v cargo >/dev/null 2>&1; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    command -v cargo >/dev/null 2>&1 ||
        fail "there is no Rust toolchain; https://rustup.rs installs one"
}

# Builds the programs for release, in the root of the source: build_release TARGET_DIRECTORY [ARGUMENT FOR CARGO…]
# Where the source and the toolchain lie on this machine goes into no program, so that the same source gives the same
# programs everywhere.
build_release() {
    target_directory=$1
    shift
    separator=$(printf '\037')
    remap=--remap-path-prefix
    flags="$remap=$(rustc --print sysroot)=rust$separator$remap=${CARGO_HOME:-$HOME/.cargo}=cargo"
    flags="$flags$separator$remap=$PWD=muxtray$separator$remap=$target_directory=target"
    CARGO_ENCODED_RUSTFLAGS=$flags cargo build --release --locked --target-dir "$target_directory" "$@"
}
