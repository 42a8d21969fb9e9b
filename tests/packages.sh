#!/usr/bin/env bash
# Builds the packages and tests them: their files and dependencies, that linters find no error, that another directory
# gives the same bytes, and that they can be installed, used, upgraded and removed without a trace; and the same for
# packaging/setup.sh. Tests that cannot run here are named as skipped. Everything is installed in temporary roots and
# homes.
#
# The desktop tests run against the installed programs, so this needs the packages that tests/run.sh installs.
# HOME is changed in subshells only.
# shellcheck disable=SC2030,SC2031
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$here"
# setup.sh is tested in other homes than that of the toolchain.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export PATH="$PATH:$CARGO_HOME/bin"
target=${CARGO_TARGET_DIR:-$here/target}
work=$(mktemp -d /tmp/packages.XXXXXX)
processes=()
trap clean_up EXIT
parts=(muxtray muxtray-applet)
tried=0

fail() {
    echo "tests/packages.sh: $*" >&2
    exit 1
}

clean_up() {
    [ "${#processes[@]}" -eq 0 ] || kill "${processes[@]}" 2>/dev/null || true
    rm -rf "$work"
}

# Runs one test: a function with a name that describes it.
try() {
    local started=$SECONDS
    "$1"
    tried=$((tried + 1))
    echo "ok: ${1//_/ } ($((SECONDS - started)) s)"
}

# Waits for up to 20 seconds until a command succeeds: wait_for DESCRIPTION COMMAND…
wait_for() {
    local what=$1 deadline=$((SECONDS + 20))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "timed out: $what"
        sleep 0.1
    done
}

skip() {
    echo "skipped: packages: $*"
}

# same DESCRIPTION FILE FILE: fails unless the two hold the same lines.
same() {
    diff -u "$2" "$3" >&2 || fail "$1"
}

# Prints the files of a package's tree with their modes, as the packages name them.
tree_of() {
    (cd "dist/tree/$1/$2" && find . -type f -printf '%M /%P\n' | LC_ALL=C sort)
}

each_package_holds_what_was_laid_out() {
    local part
    for part in "${parts[@]}"; do
        tree_of deb "$part" >"$work/laid-out"
        dpkg-deb --fsys-tarfile dist/"${part}"_*.deb | tar -tv | grep -v '^d' |
            awk '{ print $1, substr($NF, 2) }' | LC_ALL=C sort >"$work/packed"
        same "$part.deb differs from the laid out files" "$work/laid-out" "$work/packed"
        tree_of rpm "$part" >"$work/laid-out"
        rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' dist/"$part"-[0-9]*.rpm | LC_ALL=C sort >"$work/packed"
        same "$part.rpm differs from the laid out files" "$work/laid-out" "$work/packed"
    done
}

# All libraries found by dpkg-shlibdeps are declared; and a library opened at run time is named in the program.
each_program_declares_its_libraries() {
    local part program package depends wanted
    mkdir -p "$work/debian"
    printf 'Source: muxtray\n\nPackage: muxtray\nArchitecture: any\n' >"$work/debian/control"
    for part in "${parts[@]}"; do
        depends=$(dpkg-deb -f dist/"${part}"_*.deb Depends | sed 's/, /\n/g')
        program=$(find "dist/tree/deb/$part" -type f -perm -100)
        wanted=$(cd "$work" && dpkg-shlibdeps -O "$here/$program" 2>/dev/null | sed 's/^shlibs:Depends=//; s/, /\n/g')
        [ -n "$wanted" ] || fail "dpkg-shlibdeps finds nothing in $program"
        while read -r package; do
            grep -qE "^${package%% *}( |$)" <<<"$depends" || fail "$part links $package and does not depend on it"
        done <<<"$wanted"
        if grep -qaF libayatana-appindicator3.so.1 "$program" && [ "$part" = muxtray-applet ]; then
            grep -qxF 'libayatana-appindicator3-1 | libappindicator3-1' <<<"$depends" ||
                fail "$part opens the indicator library and does not depend on it"
        fi
    done
    if grep -qi gtk < <(dpkg-deb -f dist/muxtray_*.deb Depends Recommends); then
        fail "the command line wants GTK"
    fi
}

linters_find_no_error() {
    # Warnings are for people: none of them is an error of the packages.
    lintian --allow-root --fail-on error dist/*.deb
    rpmlint -c packaging/rpmlint.toml dist/*.rpm
    desktop-file-validate packaging/*.desktop
    appstreamcli validate --no-net packaging/*.metainfo.xml
    if command -v systemd-analyze >/dev/null; then
        sed "s|^ExecStart=[^ ]*muxtray|ExecStart=$target/release/muxtray|" packaging/muxtray.service >"$work/muxtray.service"
        XDG_RUNTIME_DIR=$work systemd-analyze --user --man=no verify "$work/muxtray.service" || fail "the user unit is wrong"
    fi
}

# Another directory: a copy without git, under another name, umask and time zone. The programs are compared in the profile
# of the tests: the release takes four times as long, and paths and times get into a program before it is optimised.
another_directory_gives_the_same_bytes() {
    local other=$work/elsewhere/under/another/name file
    mkdir -p "$other"
    git ls-files -co --exclude-standard -z | tar --null -T - -cf - | tar -xf - -C "$other"
    (
        SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
        MUXTRAY_COMMIT=$(git rev-parse HEAD)
        export SOURCE_DATE_EPOCH MUXTRAY_COMMIT
        umask 077
        export TZ=Asia/Tokyo
        PACKAGING_TOOLS=$target/packaging-tools PROGRAMS=$target/release "$other/packaging/build.sh"
        build_tested "$other" "$other/target"
    )
    for file in dist/*.deb dist/*.rpm; do
        cmp "$file" "$other/$file" || fail "$file depends on the directory of the build"
    done
    build_tested "$here" "$target"
    for file in muxtray muxtray-applet; do
        cmp "$target/debug/$file" "$other/target/debug/$file" || fail "$file depends on the directory of the build"
    done
    rm -rf "$other"
}

# Builds the programs as they are tested: build_tested SOURCE TARGET_DIRECTORY. After .ci/run they are already there: the
# dependencies of a test give other dependencies more features, so this has to build one, too.
build_tested() {
    (
        cd "$1"
        # shellcheck source=packaging/packages.sh
        . packaging/packages.sh
        CARGO_ENCODED_RUSTFLAGS=$(build_flags "$2") CARGO_INCREMENTAL=0 \
            cargo test --locked --no-run --test interleavings --target-dir "$2"
    )
}

# rpm asks nothing of the system: it gets an empty root, in which no dependency is installed.
rpm_installs_and_leaves_nothing() {
    local root=$work/rpm
    mkdir -p "$root"
    rpm --root "$root" --initdb
    rpm --root "$root" -i --nodeps --noscripts dist/*.rpm
    [ -x "$root/usr/libexec/muxtray/muxtray-applet" ] || fail "rpm did not install the applet"
    "$root/usr/bin/muxtray" --version
    rpm --root "$root" -V --nodeps muxtray muxtray-applet
    # The root has no shell for the scripts: they are run on it from here.
    rpm --root "$root" -q --qf '%{POSTUN}\n' muxtray muxtray-applet >"$work/scripts"
    rpm --root "$root" -e --nodeps --noscripts muxtray muxtray-applet
    sed "s| /usr/| $root/usr/|g" "$work/scripts" | sh
    find "$root" -path "$root/usr/lib/sysimage" -prune -o -name '*muxtray*' -print >"$work/left"
    same "rpm left something behind" /dev/null "$work/left"
}

setup_installs_and_leaves_nothing() {
    local home=$work/home prefix
    prefix="$home/a prefix"
    mkdir -p "$home" "$prefix/share/icons/hicolor/16x16"
    (
        export HOME=$home PREFIX=$prefix CARGO_TARGET_DIR=$target
        unset DISPLAY WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_CACHE_HOME XDG_STATE_HOME
        packaging/setup.sh --no-start
        (cd "$prefix" && find . -type f -printf '%P\n' | LC_ALL=C sort) >"$work/installed"
        {
            sed -n 's/^file //p' "$prefix/share/muxtray/installed"
            echo share/muxtray/installed
        } | LC_ALL=C sort >"$work/listed"
        same "setup.sh does not list the installed files" "$work/installed" "$work/listed"
        "$prefix/bin/muxtray" --version
        grep -qxF "TryExec=$prefix/bin/muxtray" "$prefix/share/applications/io.github.muxtray.Muxtray.desktop" ||
            fail "the desktop entry does not start the installed program"
        gzip -t "$prefix/share/man/man1/muxtray.1.gz"
        # A file of an earlier installation that is not installed any more, and a file of another program.
        touch "$prefix/share/muxtray/old"
        echo "file share/muxtray/old" >>"$prefix/share/muxtray/installed"
        echo another >"$prefix/share/man/man1/another.1"
        packaging/setup.sh --no-start
        [ ! -e "$prefix/share/muxtray/old" ] || fail "setup.sh left a file of the installation before"
        # Both ways to start at login are removed too, if they start this program.
        "$prefix/bin/muxtray" autostart enable
        mkdir -p "$HOME/.config/systemd/user/graphical-session.target.wants"
        ln -s "$prefix/share/systemd/user/muxtray.service" "$HOME/.config/systemd/user/graphical-session.target.wants/"
        packaging/setup.sh --uninstall
    )
    (cd "$home" && find . -mindepth 1 \( ! -path './.*' -o ! -type d \) -printf '%P\n' | LC_ALL=C sort) >"$work/left"
    printf '%s\n' "a prefix" "a prefix/share" "a prefix/share/icons" "a prefix/share/icons/hicolor" \
        "a prefix/share/icons/hicolor/16x16" "a prefix/share/man" "a prefix/share/man/man1" \
        "a prefix/share/man/man1/another.1" >"$work/expected"
    same "setup.sh --uninstall left or took too much" "$work/expected" "$work/left"
}

# The module that does not exist makes GTK write to the applet's log, on every system.
setup_starts_the_applet_and_prints_only_muxtrays_lines() {
    local home=$work/session state log
    state=$home/state
    log=$state/muxtray.log
    mkdir -m 700 "$home" "$home/run"
    Xvfb -displayfd 3 -screen 0 640x480x24 -nolisten tcp 3>"$work/display" >"$work/xvfb.log" 2>&1 &
    processes+=("$!")
    dbus-daemon --session --nofork --nopidfile --print-address=3 --address="unix:path=$home/run/bus" \
        3>"$work/address" >"$work/bus.log" 2>&1 &
    processes+=("$!")
    wait_for "the X server listens" test -s "$work/display"
    wait_for "the session bus listens" test -s "$work/address"
    (
        export HOME=$home PREFIX=$home/prefix CARGO_TARGET_DIR=$target XDG_STATE_HOME=$state XDG_RUNTIME_DIR=$home/run
        DISPLAY=:$(cat "$work/display")
        DBUS_SESSION_BUS_ADDRESS=$(cat "$work/address")
        export DISPLAY DBUS_SESSION_BUS_ADDRESS NO_AT_BRIDGE=1 GTK_MODULES=no-such-module
        # As where nobody logged in.
        unset SHELL WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_CACHE_HOME
        packaging/setup.sh >"$work/printed" 2>&1 || fail "setup.sh failed: $(cat "$work/printed" "$log")"
        cat "$work/printed"
        cp "$log" "$work/log"
        pgrep -f "^$PREFIX/bin/muxtray-applet" >"$work/applet" || fail "no applet of $PREFIX runs"
        (unset DISPLAY && packaging/setup.sh) >"$work/again"
        pgrep -f "^$PREFIX/bin/muxtray-applet" >"$work/applet.again" || true
        packaging/setup.sh --uninstall
    )
    grep -q no-such-module "$work/log" || fail "GTK wrote nothing to the log"
    if grep -q no-such-module "$work/printed"; then
        fail "setup.sh prints lines of a library"
    fi
    grep -qxF "The applet is running; it writes its log to $log." "$work/printed" ||
        fail "setup.sh does not say that the applet is running"
    [ "$(cat "$work/applet")" = "$(cat "$work/applet.again")" ] ||
        fail "setup.sh without a display ended the running applet"
    grep -q "left alone" "$work/again" || fail "setup.sh does not say that the applet is left alone"
}

# Nothing may be installed before: the stand-ins for the package managers fail the test.
setup_refuses_an_old_rust_first() {
    local old=$work/old-rust
    mkdir -p "$old"
    printf '#!/bin/sh\necho rustc 1.85.0\n' >"$old/rustc"
    for program in apt-get dnf pacman sudo; do
        printf '#!/bin/sh\ntouch %s\n' "$work/installed-something" >"$old/$program"
    done
    chmod 755 "$old"/*
    if PATH=$old:$PATH HOME=$old CARGO_HOME=$old/none packaging/setup.sh >"$work/printed" 2>&1; then
        fail "setup.sh accepts Rust 1.85"
    fi
    grep -q 'Rust 1.90 or later is needed, and here is rustc 1.85.0' "$work/printed" ||
        fail "setup.sh does not say which Rust it needs: $(cat "$work/printed")"
    [ ! -e "$work/installed-something" ] || fail "setup.sh installs packages before it looks at Rust"
    # That of rustup is used if the one in PATH is too old.
    mkdir -p "$old/rustup/bin"
    printf '#!/bin/sh\necho rustc 1.90.0\n' >"$old/rustup/bin/rustc"
    chmod 755 "$old/rustup/bin/rustc"
    # shellcheck source=packaging/packages.sh
    (PATH=$old:$PATH CARGO_HOME=$old/rustup && . packaging/packages.sh && require_rust) || fail "rustup's Rust is not used"
}

scripts_find_the_home_if_it_is_not_set() {
    local home
    # shellcheck disable=SC2016
    home=$(env -u HOME sh -euc '. packaging/packages.sh; printenv HOME')
    [ "$home" = "$(getent passwd "$(id -u)" | cut -d: -f6)" ] || fail "without HOME the scripts use: $home"
}

a_user_without_sudo_gets_one_line_for_an_administrator() {
    # shellcheck source=packaging/packages.sh
    if (
        . packaging/packages.sh
        id() { echo 1000; }
        sudo() { return 1; }
        package_manager() { echo apt-get; }
        has_package() { [ "$2" = gcc ]; }
        install_packages build tray
    ) >"$work/printed" 2>&1; then
        fail "packages are installed without root"
    fi
    tail -n 1 "$work/printed" >"$work/line"
    echo "apt-get install -y --no-install-recommends libc6-dev pkg-config openssh-client libgtk-3-dev" \
        "libayatana-appindicator3-1 hicolor-icon-theme" >"$work/expected"
    same "not all in the last line" "$work/expected" "$work/line"
}

# The printed line works in the shell itself, and for those that it starts.
each_shell_finds_muxtray_after_the_printed_line() {
    local shell home line
    # shellcheck disable=SC2016
    printf '. packaging/packages.sh; . packaging/shells.sh; explain_path "$HOME/.local/bin"\n' >"$work/explain.sh"
    for shell in bash dash zsh fish; do
        if ! command -v "$shell" >/dev/null; then
            skip "PATH in $shell: it is not installed"
            continue
        fi
        for home in "$work/shells/$shell" "$work/shells/$shell with profile"; do
            mkdir -p "$home/.local/bin"
            cp /bin/true "$home/.local/bin/muxtray"
            # shellcheck disable=SC2016
            [[ $home != *profile ]] || echo 'PATH="$HOME/.local/bin:$PATH"' >"$home/.profile"
            line=$(env -i HOME="$home" PATH="$PATH" "$shell" -c "sh '$work/explain.sh'; true" | tail -n 1)
            env -i HOME="$home" PATH=/usr/bin:/bin "$shell" -c "$line; muxtray" || fail "$shell does not take: $line"
            case "$shell $home" in
            bash*profile | dash*) set -- -lc ;;
            *) set -- -ic ;;
            esac
            env -i HOME="$home" PATH=/usr/bin:/bin "$shell" "$1" muxtray </dev/null 2>/dev/null ||
                fail "another $shell does not find muxtray after: $line"
        done
    done
}

zsh_finds_its_completions() {
    local home=$work/zsh
    if ! command -v zsh >/dev/null; then
        skip "completions of zsh: it is not installed"
        return
    fi
    mkdir -p "$home/.zfunc"
    # A configuration that prints something.
    # shellcheck disable=SC2016
    echo 'echo hello; fpath=(~/.zfunc $fpath)' >"$home/.zshrc"
    (
        HOME=$home
        . packaging/packages.sh
        . packaging/files.sh
        # shellcheck source=packaging/shells.sh
        . packaging/shells.sh
        find_zsh_directory "$HOME/.local"
        [ "$zsh_directory $zsh_needs_line" = "../.zfunc no" ] || fail "zsh's completions go to $zsh_directory"
    )
}

# makepkg refuses root, and cargo's files belong to root; so it gets the files laid out by build.sh.
the_arch_package_is_made() {
    local arch=$work/arch
    packaging/build.sh --tree arch
    mkdir -p "$arch/packaging/src" "$arch/dist/tree"
    cp packaging/PKGBUILD "$arch/packaging/"
    cp -r dist/tree/arch "$arch/dist/tree/"
    chmod 755 "$work"
    chown -R nobody "$arch"
    (
        cd "$arch/packaging"
        setpriv --reuid nobody --clear-groups env HOME="$arch" PKGEXT=.pkg.tar makepkg --nodeps --repackage --noconfirm
    )
    local part
    for part in "${parts[@]}"; do
        tar -tf "$arch"/packaging/"$part"-[0-9]*.pkg.tar | grep -v '/$\|^\.' | LC_ALL=C sort >"$work/packed"
        tree_of arch "$part" | sed 's|^[^ ]* /||' | LC_ALL=C sort >"$work/laid-out"
        same "the Arch package $part differs from the laid out files" "$work/laid-out" "$work/packed"
    done
}

the_deb_is_used_upgraded_and_purged() {
    local desktop
    desktop=$(cargo test --locked --no-run --test desktop --message-format=json 2>/dev/null |
        sed -n 's/.*"name":"desktop".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -x "$desktop" ] || fail "cargo reports no program for the desktop tests"
    unshare --mount --pid --fork --kill-child tests/packages_installed.sh "$work" "$desktop" dist/*.deb
}

echo "Building the packages."
rm -f dist/*.deb dist/*.rpm
# One format at a time; both at once are built in another directory below.
for format in deb rpm; do
    packaging/build.sh "$format" >"$work/printed" || fail "build.sh $format ends with status $?"
    cat "$work/printed"
    printf '%s\n' dist/*."$format" >"$work/packages"
    tail -n "$(wc -l <"$work/packages")" "$work/printed" >"$work/named"
    same "build.sh $format does not name its packages last" "$work/packages" "$work/named"
done
# shellcheck source=packaging/packages.sh
(. packaging/packages.sh && install_packages checks)

for package in dist/*.deb dist/*.rpm; do
    sha256sum "$package"
done
try each_package_holds_what_was_laid_out
try each_program_declares_its_libraries
try linters_find_no_error
try setup_refuses_an_old_rust_first
try scripts_find_the_home_if_it_is_not_set
try a_user_without_sudo_gets_one_line_for_an_administrator
try each_shell_finds_muxtray_after_the_printed_line
try zsh_finds_its_completions
try setup_installs_and_leaves_nothing
try setup_starts_the_applet_and_prints_only_muxtrays_lines
if [ "$(id -u)" -ne 0 ]; then
    skip "installing and removing the .deb, the .rpm and the Arch package: this is not root"
else
    try rpm_installs_and_leaves_nothing
    try the_deb_is_used_upgraded_and_purged
    if command -v makepkg >/dev/null; then
        try the_arch_package_is_made
    else
        skip "the Arch package: there is no makepkg"
    fi
fi
if [ -n "${MUXTRAY_TESTS_LONG:-}" ]; then
    try another_directory_gives_the_same_bytes
else
    skip "that another directory gives the same bytes, which builds everything again: MUXTRAY_TESTS_LONG is not set"
fi
echo "test result: ok. $tried trials of packages"
