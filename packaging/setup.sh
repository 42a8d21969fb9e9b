#!/bin/sh
# Sets muxtray up for the user who runs this: installs the system packages it needs, builds it, installs it under
# ~/.local and starts the applet. Run it again after an update: it replaces what is there.
set -eu

usage() {
    cat <<'END'
Usage: packaging/setup.sh [--lean | --no-tray] [--no-start]

  --lean      the small build without GTK, for panels that speak StatusNotifierItem
  --no-tray   the build for servers: the command line and `muxtray run --no-tray`, no GTK, nothing started
  --no-start  install only

Installs under PREFIX, by default ~/.local.
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

tray=gtk
start=yes
for argument in "$@"; do
    case $argument in
    --lean) tray=lean ;;
    --no-tray) tray=no ;;
    --no-start) start=no ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done
prefix=${PREFIX:-$HOME/.local}
case $prefix in
/*) ;;
*) fail "PREFIX must be an absolute path, and is $prefix" ;;
esac

# The processes of an applet that runs from this prefix, whether or not its file has been replaced since.
running_applets() {
    for process in /proc/[0-9]*; do
        program=$(readlink "$process/exe" 2>/dev/null) || continue
        program=${program% (deleted)}
        case $program in
        "$prefix/bin/muxtray-applet") say "${process#/proc/}" ;;
        esac
    done
}

stop_running_applets() {
    applets=$(running_applets)
    [ -n "$applets" ] || return 0
    say "Ending the applet that runs now."
    # The ids are words of their own.
    # shellcheck disable=SC2086
    kill -TERM $applets 2>/dev/null || true
    tries=50
    while [ -n "$(running_applets)" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "the running applet does not end; its process id: $(running_applets)"
        sleep 0.1
    done
}

start_applet() {
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        say "There is no display here, so nothing is started. In your desktop session: $prefix/bin/muxtray run"
        return
    fi
    log=${XDG_STATE_HOME:-$HOME/.local/state}/muxtray.log
    mkdir -p "$(dirname "$log")"
    setsid "$prefix/bin/muxtray" run </dev/null >"$log" 2>&1 &
    started=$!
    # It says what it misses within its first second or two, and ends then.
    tries=20
    while [ "$tries" -gt 0 ] && kill -0 "$started" 2>/dev/null; do
        tries=$((tries - 1))
        sleep 0.1
    done
    if kill -0 "$started" 2>/dev/null; then
        say "The applet is running; it writes its log to $log."
        cat "$log"
    elif wait "$started"; then
        say "The applet has ended again:"
        cat "$log"
    else
        cat "$log" >&2
        fail "the applet could not be started; see above"
    fi
}

find_cargo
install_build_packages
if [ "$tray" = gtk ]; then
    install_tray_packages
fi

say "Building muxtray; the first time takes a few minutes."
cd "$here"
case $tray in
gtk) cargo build --release --locked ;;
lean) cargo build --release --locked --no-default-features --features lean-tray ;;
no) cargo build --release --locked --no-default-features ;;
esac
built=${CARGO_TARGET_DIR:-target}/release

say "Installing under $prefix."
if [ "$tray" != no ] && [ "$start" = yes ]; then
    stop_running_applets
fi
mkdir -p "$prefix/bin"
install -m 755 "$built/muxtray" "$prefix/bin/muxtray"
if [ "$tray" != no ]; then
    install -m 755 "$built/muxtray-applet" "$prefix/bin/muxtray-applet"
    (
        cd icons/hicolor
        find . -type f | while IFS= read -r icon; do
            mkdir -p "$prefix/share/icons/hicolor/$(dirname "$icon")"
            install -m 644 "$icon" "$prefix/share/icons/hicolor/$icon"
        done
    )
    if command -v gtk-update-icon-cache >/dev/null 2>&1; then
        gtk-update-icon-cache -q -t -f "$prefix/share/icons/hicolor" || true
    fi
    mkdir -p "$prefix/share/applications"
    # The desktop's menu does not know the PATH of a login shell: it is told the whole name.
    sed "s|^Exec=muxtray|Exec=\"$prefix/bin/muxtray\"|; s|^TryExec=muxtray|TryExec=$prefix/bin/muxtray|" \
        packaging/io.github.muxtray.Muxtray.desktop >"$prefix/share/applications/io.github.muxtray.Muxtray.desktop"
fi

case ":$PATH:" in
*":$prefix/bin:"*) ;;
*) say "$prefix/bin is not in your PATH; add it, or type $prefix/bin/muxtray." ;;
esac
if [ "$tray" = no ]; then
    say "Done. \`muxtray list\` shows every control socket."
elif [ "$start" = yes ]; then
    start_applet
else
    say "Done. \`muxtray run\` starts the applet."
fi
