#!/usr/bin/env bash
# Tests the .deb packages: installed, used in a panel, upgraded under a running applet, used again, purged. Runs in a
# temporary root: an overlay on this system, in namespaces that tests/packages.sh makes. So nothing is installed here,
# and the overlay shows all changes: at the end there must be none.
#
# packages_installed.sh WORK DESKTOP_TESTS DEB…
set -euo pipefail

fail() {
    echo "tests/packages_installed.sh: $*" >&2
    exit 1
}

# Waits for up to 20 seconds until a command succeeds: wait_for DESCRIPTION COMMAND…
wait_for() {
    local what=$1 deadline=$((SECONDS + 20))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "timed out: $what; the logs say:
$(tail -n 5 /tmp/tests/*.log)"
        sleep 0.1
    done
}

# Mounts the root and continues inside.
outside() {
    local work=$1 root=$1/root here
    here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
    mkdir -p "$work/layer"
    mount -t tmpfs -o mode=755 tmpfs "$work/layer"
    mkdir -p "$work/layer/changed" "$work/layer/scratch" "$root"
    mount -t overlay -o "lowerdir=/,upperdir=$work/layer/changed,workdir=$work/layer/scratch" overlay "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mkdir -p "$root/tmp/source" "$root/tmp/tests"
    mount --bind "$here" "$root/tmp/source"
    cp "$2" "$root/tmp/tests/desktop"
    shift 2
    cp "$@" "$root/tmp/tests"
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/tests LC_ALL=C.UTF-8 \
        MUXTRAY_TESTS_REQUIRE_DESKTOP=1 /tmp/source/tests/packages_installed.sh --inside
    umount -l "$root"
    (cd "$work/layer/changed" && find . -mindepth 1 -printf '%y %P\n') | changes >"$work/changes"
    [ ! -s "$work/changes" ] || fail "purged, and yet these files of the system are not as before:
$(cat "$work/changes")"
}

# Prints those changes in the overlay that the packages are responsible for: not dpkg's own records and logs, nor the
# caches that other packages keep of installed files. A directory is listed if anything in it changed.
changes() {
    local kind file
    while read -r kind file; do
        case $file in
        var/lib/dpkg/* | var/log/* | var/cache/*) ;;
        usr/share/icons/hicolor/icon-theme.cache | usr/share/applications/mimeinfo.cache)
            ! grep -qi muxtray "/$file" || echo "$file names muxtray"
            ;;
        *)
            case $kind in
            d) [ -d "/$file" ] || echo "/$file" ;;
            # A removed file is marked by a device.
            c) echo "/$file is gone" ;;
            *) echo "/$file" ;;
            esac
            ;;
        esac
    done
}

# Makes the same package under an earlier version, the only difference an upgrade looks at.
older() {
    dpkg-deb -R "$1" "$2.tree"
    sed -i "s/$version/0.0.9-1/" "$2.tree/DEBIAN/control"
    dpkg-deb -b "$2.tree" "$2" >/dev/null
}

# Tests the applet in a panel by the desktop tests, which run the installed program.
desktop_tests() {
    local test
    for test in menu::menu_shows_masters_and_check_reports_answer menu::exit_in_menu_ends_master; do
        (cd /tmp/source && MUXTRAY_BIN=/usr/bin/muxtray /tmp/tests/desktop --exact "$test") >/tmp/tests/log 2>&1 ||
            fail "$(cat /tmp/tests/log)"
        grep -q '^test result: ok. 1 passed' /tmp/tests/log || fail "$test did not run: $(cat /tmp/tests/log)"
    done
}

has_name() {
    grep -q true <<<"$(as_user gdbus call --session -d org.freedesktop.DBus -o /org/freedesktop/DBus \
        -m org.freedesktop.DBus.NameHasOwner "$1")"
}

has_ended() {
    ! kill -0 "$1" 2>/dev/null
}

as_user() {
    setpriv --reuid nobody --regid nogroup --clear-groups env HOME=/tmp/home XDG_RUNTIME_DIR=/tmp/home/run "$@"
}

start_session() {
    mkdir -p /tmp/home/run
    chmod 700 /tmp/home/run
    chown -R nobody:nogroup /tmp/home
    Xvfb -displayfd 3 -nolisten tcp 3>/tmp/tests/display >/tmp/tests/xvfb.log 2>&1 &
    wait_for "the X server is there" test -s /tmp/tests/display
    DISPLAY=:$(cat /tmp/tests/display)
    export DISPLAY DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/home/run/bus NO_AT_BRIDGE=1
    as_user dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" >/tmp/tests/bus.log 2>&1 &
    wait_for "the bus is there" test -S /tmp/home/run/bus
}

# Every library loaded by the running applet is from a package that it depends on.
loads_what_it_depends_on() {
    local library package wanted
    grep -q libayatana-appindicator3 "/proc/$1/maps" || fail "the applet has not opened the indicator library"
    library=$(sed -n 's|.* /\(.*libayatana-appindicator3.*\)|/\1|p' "/proc/$1/maps" | head -n 1)
    package=$(dpkg -S "*/${library##*/}" | sed 's/:.*//' | head -n 1)
    wanted=$(dpkg-query -W -f '${Depends}' muxtray-applet)
    grep -qF "$package" <<<"$wanted" || fail "the applet opens $library of $package, and depends on: $wanted"
}

inside() {
    local applet
    cd /tmp/tests
    version=$(dpkg-deb -f muxtray_*.deb Version)
    for part in muxtray muxtray-applet; do
        older "${part}_$version"_*.deb "old-$part.deb"
    done

    echo "- the command line alone, as on a server"
    dpkg -i old-muxtray.deb
    muxtray --version
    muxtray list
    if ldd /usr/bin/muxtray | grep -i gtk; then
        fail "the command line loads GTK"
    fi
    man -l /usr/share/man/man1/muxtray.1.gz >man.txt
    grep -q muxtray man.txt || fail "the man page is empty"
    bash -c '. /usr/share/bash-completion/completions/muxtray && complete -p muxtray' >/dev/null ||
        fail "bash does not complete muxtray"
    if dpkg -i "muxtray-applet_${version}_"*.deb >/dev/null 2>&1; then
        fail "the applet is installed beside a command line of another version"
    fi
    dpkg --purge muxtray-applet >/dev/null 2>&1

    echo "- the applet, in a panel"
    dpkg -i old-muxtray-applet.deb
    desktop_tests

    echo "- an upgrade while the applet runs"
    start_session
    # Spelled out, because the process id has to be the applet's and not a subshell's.
    setpriv --reuid nobody --regid nogroup --clear-groups env HOME=/tmp/home XDG_RUNTIME_DIR=/tmp/home/run \
        muxtray run >applet.log 2>&1 &
    applet=$!
    wait_for "the applet is there" has_name io.github.muxtray.Muxtray
    wait_for "the applet has loaded its libraries" grep -q libayatana-appindicator3 "/proc/$applet/maps"
    loads_what_it_depends_on "$applet"
    dpkg -i "muxtray_$version"_*.deb "muxtray-applet_$version"_*.deb
    case $(readlink "/proc/$applet/exe") in
    '/usr/libexec/muxtray/muxtray-applet'*'(deleted)') ;;
    *) fail "not the old applet runs on, but $(readlink "/proc/$applet/exe")" ;;
    esac
    has_name io.github.muxtray.Muxtray || fail "the upgrade took the applet from the bus"
    kill -TERM "$applet"
    wait_for "the old applet has ended" has_ended "$applet"
    desktop_tests

    echo "- purged"
    dpkg -L muxtray muxtray-applet | sort -u >installed.txt
    dpkg --purge muxtray-applet muxtray
    while read -r file; do
        [ ! -f "$file" ] || fail "$file is left"
    done <installed.txt
    if dpkg-query -W 'muxtray*' 2>/dev/null; then
        fail "dpkg still knows of it"
    fi
    [ -f /tmp/home/.config/muxtray/config.toml ] || fail "the configuration in a home is gone"
}

if [ "$1" = --inside ]; then
    inside
else
    outside "$@"
fi
