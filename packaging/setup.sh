#!/bin/sh
# Sets muxtray up for the user who runs this: installs the system packages it needs, builds it, installs it under
# ~/.local and starts the applet. Run it again after an update: it replaces what is there. With --uninstall it removes
# what it installed; it keeps a list of that.
set -eu

usage() {
    cat <<'END'
Usage: packaging/setup.sh [--lean | --no-tray] [--no-start]
       packaging/setup.sh --uninstall

  --lean      the small build without GTK, for panels that speak StatusNotifierItem
  --no-tray   the build for servers: the command line and `muxtray run --no-tray`, no GTK, nothing started
  --no-start  install only
  --uninstall remove what was installed, and nothing else; your settings stay

Installs under PREFIX, by default ~/.local.
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"
# shellcheck source=packaging/files.sh
. "$here/packaging/files.sh"
applet_directory=bin
# Read below every prefix, and below a home too; lib/systemd is not.
unit_directory=share/systemd/user

tray=gtk
start=yes
uninstall=no
for argument in "$@"; do
    case $argument in
    --lean) tray=lean ;;
    --no-tray) tray=no ;;
    --no-start) start=no ;;
    --uninstall) uninstall=yes ;;
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
# What is installed, a line each, relative to the prefix: "file bin/muxtray", and "directory share/man" where there was
# none before.
manifest=$prefix/share/muxtray/installed
log=${XDG_STATE_HOME:-$HOME/.local/state}/muxtray.log

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

# The paths of the manifest in $1 that are files or directories, as $2 says.
listed() { printf '%s\n' "$1" | sed -n "s/^$2 //p"; }

# Makes a directory below the prefix, and notes what was not there: make_directory PATH
make_directory() {
    [ ! -d "$prefix/$1" ] || return 0
    case $1 in
    */*) make_directory "${1%/*}" ;;
    *) [ -d "$prefix" ] || { mkdir -p "$prefix" && made="$made
directory ."; } ;;
    esac
    mkdir "$prefix/$1"
    made="$made
directory $1"
}

# Installs one file under the prefix: install_file MODE SOURCE TARGET
install_file() {
    make_directory "${3%/*}"
    install -m "$1" "$2" "$prefix/$3"
    # Neither the desktop's menu nor systemd knows the PATH of a login shell: they are told the whole name.
    case $3 in
    *.desktop)
        sed -i "s|^Exec=muxtray|Exec=\"$prefix/bin/muxtray\"|; s|^TryExec=muxtray|TryExec=$prefix/bin/muxtray|" "$prefix/$3"
        ;;
    *.service) sed -i "s|^ExecStart=[^ ]*muxtray|ExecStart=\"$prefix/bin/muxtray\"|" "$prefix/$3" ;;
    esac
}

# An icon cache that is there already has to learn of what changed.
refresh_icons() {
    if [ -f "$prefix/share/icons/hicolor/icon-theme.cache" ] && command -v gtk-update-icon-cache >/dev/null 2>&1; then
        gtk-update-icon-cache -q -t -f "$prefix/share/icons/hicolor" || true
    fi
}

# Installs what the parts named consist of, and removes what an earlier installation had besides.
install_parts() {
    before=$(cat "$manifest" 2>/dev/null) || before=
    documents=$(mktemp -d)
    trap 'rm -rf "$documents"' EXIT
    make_documents "$built/muxtray" "$documents"
    for part in "$@"; do
        installed_files "$part" "$built" "$documents" || exit
    done >"$documents/files"
    made=
    make_directory share/muxtray
    while read -r mode source target; do
        install_file "$mode" "$source" "$target"
    done <"$documents/files"
    {
        printf '%s\n%s\n' "$before" "$made" | grep '^directory '
        sed 's/^[^ ]* [^ ]* /file /' "$documents/files"
    } >"$manifest"
    listed "$before" file | while read -r target; do
        grep -qxF "file $target" "$manifest" || rm -f "$prefix/$target"
    done
    refresh_icons
}

# Takes back what starts muxtray at login, where it is this one that is started: the entry that muxtray wrote, and what
# `systemctl --user enable` made. systemctl itself would want a running session.
leave_login() {
    entry=${XDG_CONFIG_HOME:-$HOME/.config}/autostart/$name.desktop
    if grep -qsF "$prefix/bin/muxtray" "$entry"; then
        rm -f "$entry"
    fi
    enabled=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/graphical-session.target.wants/muxtray.service
    if [ "$(readlink "$enabled")" = "$prefix/$unit_directory/muxtray.service" ]; then
        rm -f "$enabled"
    fi
}

uninstall() {
    [ -f "$manifest" ] || fail "nothing that this script installed is under $prefix; PREFIX names another place"
    leave_login
    stop_running_applets
    before=$(cat "$manifest")
    rm -f "$manifest" "$log"
    listed "$before" file | while read -r target; do
        rm -f "$prefix/$target"
    done
    refresh_icons
    # Those within go first; what others have put something into stays.
    listed "$before" directory | LC_ALL=C sort -r | while read -r target; do
        rmdir "$prefix/${target#.}" 2>/dev/null || true
    done
    say "muxtray is removed from $prefix. Your settings and its cache stay:" \
        "${XDG_CONFIG_HOME:-$HOME/.config}/muxtray and ${XDG_CACHE_HOME:-$HOME/.cache}/muxtray."
}

if [ "$uninstall" = yes ]; then
    uninstall
    exit
fi

find_cargo
install_build_packages
if [ "$tray" = gtk ]; then
    install_tray_packages
fi

say "Building muxtray; the first time takes a few minutes."
cd "$here"
target_directory=${CARGO_TARGET_DIR:-$here/target}
case $tray in
gtk) build_release "$target_directory" ;;
lean) build_release "$target_directory" --no-default-features --features lean-tray ;;
no) build_release "$target_directory" --no-default-features ;;
esac
built=$target_directory/release

say "Installing under $prefix."
if [ "$tray" != no ] && [ "$start" = yes ]; then
    stop_running_applets
fi
if [ "$tray" = no ]; then
    install_parts muxtray
else
    install_parts muxtray muxtray-applet
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
