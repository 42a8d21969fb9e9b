#!/bin/sh
# Sets muxtray up for the current user: installs the required system packages, builds muxtray, installs it under
# ~/.local and starts the applet. Run it again after an update. It keeps a list of the installed files, which
# --uninstall removes.
set -eu

usage() {
    cat <<'END'
Usage: packaging/setup.sh [--lean | --no-tray] [--no-start]
       packaging/setup.sh --uninstall

  --lean      the small build without GTK, for panels that support StatusNotifierItem
  --no-tray   the build for servers: the command line and `muxtray run --no-tray`, no GTK, nothing started
  --no-start  install only
  --uninstall remove the installed files, and name what stays

Installs under PREFIX, by default ~/.local.
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"
# shellcheck source=packaging/files.sh
. "$here/packaging/files.sh"
# shellcheck source=packaging/shells.sh
. "$here/packaging/shells.sh"
applet_directory=bin
# systemd reads this directory below ~/.local too, unlike lib/systemd.
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
# The installed files, one a line, relative to the prefix: "file bin/muxtray"; and created directories: "directory
# share/man".
manifest=$prefix/share/muxtray/installed
log=${XDG_STATE_HOME:-$HOME/.local/state}/muxtray.log

# Prints the process ids of applets started from this prefix, even if their file has been replaced since.
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
    say "Ending the running applet."
    # The ids are separate words.
    # shellcheck disable=SC2086
    kill -TERM $applets 2>/dev/null || true
    tries=50
    while [ -n "$(running_applets)" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "the running applet does not end; its process id: $(running_applets)"
        sleep 0.1
    done
}

# Prints muxtray's own lines of the log. The libraries it loads (GTK, Pango, AppIndicator, Mesa) write to the same file,
# even without an error.
own_lines() { grep -E '^ *(ERROR|WARN|INFO) |^(/.*/)?muxtray(-applet)?[: ]' "$log" || true; }

has_display() { [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

start_applet() {
    if ! has_display; then
        if [ -n "$(running_applets)" ]; then
            say "No display, so the applet that runs is left alone. It is the program of before until you quit and start it."
        else
            say "No display, so the applet is not started. In your desktop session, run: $(word "$prefix/bin/muxtray") run"
        fi
        return
    fi
    mkdir -p "$(dirname "$log")"
    setsid "$prefix/bin/muxtray" run </dev/null >"$log" 2>&1 &
    started=$!
    # If something is missing, the applet prints it within two seconds and ends.
    tries=20
    while [ "$tries" -gt 0 ] && kill -0 "$started" 2>/dev/null; do
        tries=$((tries - 1))
        sleep 0.1
    done
    if kill -0 "$started" 2>/dev/null; then
        own_lines
        say "The applet is running; it writes its log to $log."
    elif wait "$started"; then
        own_lines
        say "The applet has ended again; its log is $log."
    else
        own_lines >&2
        fail "the applet could not be started; its log is $log"
    fi
}

# Prints the paths of kind $2 (file or directory) in the manifest $1.
listed() { printf '%s\n' "$1" | sed -n "s/^$2 //p"; }

# Creates a directory below the prefix and records the new ones in $made: make_directory PATH
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
    # The desktop's menu and systemd do not use the PATH of a login shell, so they need the absolute path.
    case $3 in
    *.desktop)
        sed -i "s|^Exec=muxtray|Exec=\"$prefix/bin/muxtray\"|; s|^TryExec=muxtray|TryExec=$prefix/bin/muxtray|" "$prefix/$3"
        ;;
    *.service) sed -i "s|^ExecStart=[^ ]*muxtray|ExecStart=\"$prefix/bin/muxtray\"|" "$prefix/$3" ;;
    esac
}

# Updates an existing icon cache.
refresh_icons() {
    if [ -f "$prefix/share/icons/hicolor/icon-theme.cache" ] && command -v gtk-update-icon-cache >/dev/null 2>&1; then
        gtk-update-icon-cache -q -t -f "$prefix/share/icons/hicolor" || true
    fi
}

# Installs the files of the given parts, and removes files of an earlier installation that are no longer part of them.
install_parts() {
    before=$(cat "$manifest" 2>/dev/null) || before=
    documents=$(mktemp -d)
    trap 'rm -rf "$documents"' EXIT
    trap 'exit 1' HUP INT TERM
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
        printf '%s\n%s\n%s\n' "$before" "$made" "$packages" | grep '^directory \|^package ' | LC_ALL=C sort -u
        sed 's/^[^ ]* [^ ]* /file /' "$documents/files"
    } >"$manifest.new"
    mv "$manifest.new" "$manifest"
    listed "$before" file | while read -r target; do
        grep -qxF "file $target" "$manifest" || rm -f "$prefix/$target"
    done
    refresh_icons
}

# Removes the autostart entry and the link of `systemctl --user enable`, if they start the muxtray of this prefix.
# systemctl itself needs a running session.
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
    [ -f "$manifest" ] || fail "no installation by this script under $prefix; set PREFIX to its prefix"
    leave_login
    stop_running_applets
    before=$(cat "$manifest")
    rm -f "$manifest" "$log"
    listed "$before" file | while read -r target; do
        rm -f "$prefix/$target"
    done
    refresh_icons
    # Subdirectories first. Directories with other files stay.
    listed "$before" directory | LC_ALL=C sort -r | while read -r target; do
        rmdir "$prefix/${target#.}" 2>/dev/null || true
    done
    say "muxtray is removed from $prefix. These stay:"
    for directory in "${XDG_CONFIG_HOME:-$HOME/.config}/muxtray" "${XDG_CACHE_HOME:-$HOME/.cache}/muxtray" \
        "${XDG_STATE_HOME:-$HOME/.local/state}/muxtray" "${CARGO_TARGET_DIR:-$here/target}"; do
        [ ! -d "$directory" ] || say "    $directory"
    done
    say "    your ssh configuration and the masters that run"
    packages=$(listed "$before" package | tr '\n' ' ')
    [ -z "$packages" ] || say "    the system packages that setup.sh installed: $packages"
}

if [ "$uninstall" = yes ]; then
    uninstall
    exit
fi

cd "$here"
require_rust
target_directory=${CARGO_TARGET_DIR:-$here/target}
purposes=build
[ "$tray" != gtk ] || purposes="build tray"
if [ -d "$target_directory/release" ]; then
    say "Building muxtray again; an update takes a minute or two."
else
    say "Building muxtray takes about 5 minutes on two cores and 0.6 GB in $target_directory; 12 MB are installed."
fi
packages=
# shellcheck disable=SC2086
for package in $(missing_packages "$(package_manager)" $purposes); do
    packages="$packages
package $package"
done
# The purposes are separate words.
# shellcheck disable=SC2086
install_packages $purposes

case $tray in
gtk) build_release "$target_directory" ;;
lean) build_release "$target_directory" --no-default-features --features lean-tray ;;
no) build_release "$target_directory" --no-default-features ;;
esac
built=$target_directory/release

if [ "$tray" != no ] && [ "$start" = yes ] && has_display; then
    stop_running_applets
fi
find_zsh_directory "$prefix"
if [ "$tray" = no ]; then
    install_parts muxtray
else
    install_parts muxtray muxtray-applet
fi

say "Installed $(grep -c '^file ' "$manifest") files under $prefix; packaging/setup.sh --uninstall removes them."
if [ "$tray" != no ] && [ "$start" = yes ]; then
    start_applet
fi
if [ "$zsh_needs_line" = yes ] && { [ "$(shell_name)" = zsh ] || [ "$(login_shell)" = zsh ]; }; then
    say "For completions in zsh, put this line into ~/.zshrc, before compinit:"
    say "    fpath=($(word "$prefix/$zsh_directory") \$fpath)"
fi
explain_path "$prefix/bin"
if [ "$tray" = no ] || [ "$start" = no ] || ! has_display; then
    say "Next: muxtray list"
else
    say "Next: muxtray doctor; to start the applet at login: muxtray autostart enable"
fi
