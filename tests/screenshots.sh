#!/usr/bin/env bash
# Takes screenshots of the applet on real desktops into target/screenshots: Xfce, LXQt, MATE and sway with waybar, each
# light and dark, with the menu open over masters in several states and a notification on the screen. Both trays, or the
# named one: tests/screenshots.sh [gtk|lean] [xfce|lxqt|mate|sway] [light|dark] [200]
#
# With 200, toolkits enlarge everything to 200 %; not on sway.
#
# Needs the packages that tests/run.sh installs, and lxqt-panel, mate-panel, sway, waybar, grim and xfce4-notifyd; a
# desktop with missing programs is named and left out.
set -euo pipefail

scale=1
case " $* " in *" 200 "*) scale=2 ;; esac
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=tests/screenshot_session.sh
. "$here/tests/screenshot_session.sh"
pictures=${PICTURES:-$here/target/screenshots}
mkdir -p "$pictures"

# shot NAME: saves the screen once it does not change.
shot() {
    wait_for "the picture $1 stands still" still
    cp "$work/after.png" "$pictures/$prefix-$1.png"
    echo "$pictures/$prefix-$1.png"
}

# Succeeds if the notification's corner is not empty.
has_notification() {
    picture "$work/corner.png"
    [ "$(convert "$work/corner.png" -crop "$((200 * scale))x$((160 * scale))+$((800 * scale))+$((600 * scale))" +repage -format %k info:)" -gt 8 ]
}

run_scenario() {
    local tray=$1 desktop=$2 shade=$3
    prefix=$tray-$desktop-$shade$([ "$scale" = 1 ] || echo "-${scale}00")
    session_begin "$4" "$here/icons"
    start_masters
    start_display
    [ "$desktop" = sway ] || start openbox openbox
    "start_${desktop}_panel" "$shade"
    start_daemon
    start_muxtray
    wait_for "the notification is shown" has_notification
    shot notification
    open_menu "$desktop"
    shot menu
    # The first row with a submenu is the problem; the last master is the one with sessions.
    if [ "$desktop" = sway ]; then
        pointer mousemove 860 40 sleep 0.3 mousemove 870 56
        shot problem
        pointer mousemove 870 100 sleep 0.3 mousemove 870 130
        shot master
    else
        pointer key Down Right
        shot problem
        pointer key Left Down Down Down Right
        shot master
    fi
    if [ "$tray" = gtk ]; then
        pointer key Escape Escape
        click_row About
        shot about
        press_show
        [ "$desktop" = sway ] ||
            wait_for "the details are there" pointer search --onlyvisible --name '^db$'
        shot details
    fi
    session_end
}

start_sway_panel() {
    start_sway "$1"
}

# The icon is the last in the panel; MATE's has a clock behind it.
open_menu() {
    local x=$((width - 16 * scale))
    case $1 in
    mate) x=$(icon_x) ;;
    sway) x=$((width - 20)) ;;
    esac
    pointer mousemove "$x" $((15 * scale)) click 3
}

# Prints the position of the icon: the rightmost pixels of its colours.
icon_x() {
    convert "$work/after.png" -crop "${width}x$((30 * scale))+0+0" +repage txt:- |
        awk -F '[,:]' '/#E[0-9A-F]5[0-9A-F]2[0-9A-F]/ { if ($1 > most) most = $1 } END { print most - 6 }'
}

missing_for() {
    local program
    case $1 in
    xfce) set -- xfce4-panel ;;
    lxqt) set -- lxqt-panel ;;
    mate) set -- mate-panel ;;
    sway) set -- sway waybar grim dunst ;;
    esac
    for program in Xvfb openbox xdotool import "$@"; do
        command -v "$program" >/dev/null || {
            echo "$program"
            return
        }
    done
}

trays=(gtk lean) desktops=(xfce lxqt mate sway) shades=(light dark)
[ "$scale" = 1 ] || desktops=(xfce lxqt mate)
for argument; do
    case $argument in
    gtk | lean) trays=("$argument") ;;
    xfce | lxqt | mate | sway) desktops=("$argument") ;;
    light | dark) shades=("$argument") ;;
    200) ;;
    *)
        echo "usage: tests/screenshots.sh [gtk|lean] [xfce|lxqt|mate|sway] [light|dark] [200]" >&2
        exit 2
        ;;
    esac
done

cd "$here"
for tray in "${trays[@]}"; do
    case $tray in
    gtk) cargo build --quiet --locked --bins --target-dir target ;;
    lean) cargo build --quiet --locked --bins --no-default-features --features lean-tray --target-dir target/lean ;;
    esac
done
for tray in "${trays[@]}"; do
    built=$here/target/debug
    [ "$tray" = gtk ] || built=$here/target/lean/debug
    for desktop in "${desktops[@]}"; do
        lacking=$(missing_for "$desktop")
        if [ -n "$lacking" ]; then
            echo "left out: $desktop, as $lacking is not installed"
            continue
        fi
        if [ "$tray $desktop" = "gtk mate" ]; then
            echo "left out: gtk on mate; mate-panel 1.27 shows AppIndicator's label in place of the icon, even an empty one"
            continue
        fi
        for shade in "${shades[@]}"; do
            # In a subshell: a desktop changes the whole environment.
            (run_scenario "$tray" "$desktop" "$shade" "$built")
        done
    done
done
