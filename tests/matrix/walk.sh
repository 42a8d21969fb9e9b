#!/bin/bash
# Walks through one desktop with a pointer, and prints what it saw as lines "name value". Run by tests/matrix.sh in a
# process and network namespace of its own: walk.sh DESKTOP PROGRAMS PICTURES
#
# A menu is judged by pictures, since its rows on the bus do not show what the desktop draws: the drawn submenu after a
# change has to be the one that the same desktop draws for an applet that was started after the change.
set -euo pipefail

desktop=$1 pictures=$3
matrix=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=tests/screenshot_session.sh
. "$matrix/../screenshot_session.sh"
# shellcheck source=tests/matrix/desktops.sh
. "$matrix/desktops.sh"
width=1280 height=800
export MAGICK_THREAD_LIMIT=1
starts=()

# Prints $DESKTOP_NAME, or the default: of_desktop NAME DEFAULT
of_desktop() {
    local variable=${desktop}_$1
    printf '%s' "${!variable:-$2}"
}

# result NAME VALUE
result() { printf '%s %s\n' "$1" "$2"; }

# Pictures

snap() { DISPLAY=${x_display:-$DISPLAY} import -window root -depth 8 "ppm:$work/$1.ppm"; }

# settle NAME: saves the screen once two pictures in a row are equal, at the latest after six seconds.
settle() {
    local tries=12
    sleep 0.2
    snap last
    while [ "$tries" -gt 0 ]; do
        sleep 0.3
        snap "$1"
        cmp -s "$work/$1.ppm" "$work/last.ppm" && break
        cp "$work/$1.ppm" "$work/last.ppm"
        tries=$((tries - 1))
    done
    case $1 in
    closed | quiet) ;;
    *) convert "$work/$1.ppm" -define png:compression-level=3 "$pictures/$1.png" ;;
    esac
}

# Succeeds if there is more on the screen than a background, and it does not change for two seconds.
is_drawn() {
    snap last
    sleep 2
    snap before
    cmp -s "$work/before.ppm" "$work/last.ppm" || return 1
    [ "$(convert "$work/before.ppm" -gravity north -chop "0x$((height - 40))" -format %k info: 2>/dev/null)" -gt 4 ] ||
        [ "$(convert "$work/before.ppm" -gravity south -chop "0x$((height - 40))" -format %k info: 2>/dev/null)" -gt 4 ]
}

# changed BEFORE AFTER: prints the places that differ, the largest first, as "WIDTH HEIGHT LEFT TOP", to four pixels.
changed() {
    convert "$work/$1.ppm" "$work/$2.ppm" -compose difference -composite -colorspace gray -threshold 4% \
        -filter box -resize 25% -threshold 0 -define connected-components:verbose=true \
        -connected-components 8 null: 2>/dev/null |
        awk '$NF ~ /255|white/ {
            split($2, box, /[x+]/)
            print box[1] * box[2], 4 * box[1], 4 * box[2], 4 * box[3], 4 * box[4]
        }' | sort -rn | cut -d ' ' -f 2-
}

# differing BOX PICTURE PICTURE: prints how many pixels of the place differ.
differing() {
    local left top box_width box_height
    read -r box_width box_height left top <<<"$1"
    convert "$work/$2.ppm" "$work/$3.ppm" -crop "${box_width}x$box_height+$left+$top" +repage -compose difference \
        -composite -colorspace gray -threshold 4% -format '%[fx:round(mean*w*h)]' info: 2>/dev/null
}

# The pointer, in two steps: a menu that has the grab does not see a single jump.

point() { pointer mousemove $(($1 - 3)) $(($2 - 1)) sleep 0.05 mousemove "$1" "$2"; }

click() {
    point "$2" "$3"
    pointer sleep 0.1 click "$1"
}

# Closes menus, and moves the pointer away from the panel.
dismiss() {
    pointer key Escape sleep 0.1 key Escape sleep 0.1 key Escape
    point $((width / 3)) $((height / 2))
    # On sway a menu does not have the keyboard.
    [ "$desktop" != sway ] || pointer click 1
    settle "$1"
}

# The session bus, as the panel and the notification daemon use it

listen() {
    start trace dbus-monitor --session "interface='com.canonical.dbusmenu'" "interface='org.kde.StatusNotifierItem'" \
        "interface='org.kde.StatusNotifierWatcher'" "interface='org.freedesktop.Notifications'"
    wait_for "the monitor is on the bus" test -s "$work/log/trace"
}

mark() { marked=$(wc -l <"$work/log/trace"); }
# heard PATTERN: succeeds if a line since the mark matches. grep reads all lines: with -q, tail may fail.
heard() { tail -n "+$((marked + 1))" "$work/log/trace" | grep -E "$1" >/dev/null; }

# item: prints the connection and the object of muxtray's item, as it registered last.
item() {
    awk -v own="muxtray|StatusNotifierItem-$applet-" '/member=RegisterStatusNotifierItem$/ {
            sender = $0
            sub(/.*sender=/, "", sender)
            sub(/ .*/, "", sender)
            getline
            gsub(/.*string "|"$/, "")
            if ($0 ~ own) found = sender " " (/^\// ? $0 : "/StatusNotifierItem")
        }
        END { print found; exit !found }' "$work/log/trace"
}
# menu: prints the layout of muxtray's menu.
menu() {
    local owner object
    read -r owner object < <(item)
    gdbus call --session -d "$owner" -o "$(property "$owner" "$object" org.kde.StatusNotifierItem Menu |
        grep -o "/[^']*")" -m com.canonical.dbusmenu.GetLayout 0 -- -1 "['label', 'enabled']"
}
menu_has() { grep -q "$1" <<<"$(menu)"; }
# row_id HOST: prints the id of the host's submenu.
row_id() { menu | grep -oE "\([0-9]+, \{[^}]*'label': <'[^']*\b$1\b" | head -n 1 | grep -oE '^\([0-9]+' | tr -d '('; }
watcher_is_gone() { ! has_name org.kde.StatusNotifierWatcher; }

# The applet

start_applet() {
    local begun
    mark
    begun=$(date +%s.%N)
    start muxtray "$programs/muxtray" -F "$work/ssh_config" run
    applet=${started[-1]}
    wait_for "the icon is registered" heard "member=StatusNotifierItemRegistered"
    # Until the watcher announces the icon, in milliseconds.
    starts+=("$(awk -v from="$marked" -v begun="$begun" 'NR > from && /member=StatusNotifierItemRegistered/ {
        sub(/.*time=/, "")
        printf "%.0f\n", ($1 - begun) * 1000
        exit
    }' "$work/log/trace")")
}

end_applet() {
    kill "$applet"
    wait "$applet" 2>/dev/null || true
}

settings() { printf '[notifications]\nenabled = %s\n' "$1" >"$XDG_CONFIG_HOME/muxtray/config.toml"; }

# open_root BUTTON: clicks the icon; succeeds if muxtray's menu is drawn. Its place is then in $menu_box.
open_root() {
    mark
    click "$1" "$icon_x" "$icon_y"
    attempt 5 menu_is_drawn || return 1
    settle menu
    menu_is_drawn menu && heard 'com.canonical.dbusmenu; member=(AboutToShow|Event|GetLayout|GetGroup)'
}

# menu_is_drawn [PICTURE]
menu_is_drawn() {
    [ $# -gt 0 ] || snap now
    menu_box=$(changed closed "${1:-now}" | awk '$1 >= 120 && $2 >= 80' | head -n 1)
    [ -n "$menu_box" ]
}

# Finds the icon: of the small places that changed when the applet started, the one on which a click opens the menu.
find_icon() {
    local box_width box_height left top button place
    while read -r box_width box_height left top; do
        icon_y=$((top + box_height / 2))
        # A clock that the icon pushed aside has changed with it.
        for place in $((box_width / 2)) $((box_width > 48 ? box_width - 16 : 0)) $((box_width > 48 ? 16 : 0)); do
            [ "$place" -gt 0 ] || continue
            icon_x=$((left + place))
            for button in 3 1; do
                if open_root "$button"; then
                    dismiss closed
                    return 0
                fi
                dismiss closed
            done
        done
    done < <(changed before closed | awk '$1 >= 8 && $1 <= 160 && $2 >= 8 && $2 <= 64' | head -n 6)
    return 1
}

# open_first NAME: opens the menu and moves down its rows until the first submenu, that of db, is open. Saves the picture.
# A second time if that fails: on a busy machine a menu may come late.
open_first() {
    try_open_first "$1" || { dismiss closed && try_open_first "$1"; }
}
try_open_first() {
    local id box_width box_height left top bottom y
    open_root "$button" || return 1
    id=$(row_id db)
    read -r box_width box_height left top <<<"$menu_box"
    bottom=$((top + box_height))
    # GNOME highlights the icon, which then belongs to the menu.
    [ "$top" -gt $((icon_y + 14)) ] || [ "$icon_y" -gt $((height / 2)) ] || top=$((icon_y + 14))
    for ((y = top + 16; y < bottom; y += 12)); do
        mark
        if [ -n "$(of_desktop unfolds '')" ]; then
            click 1 $((left + box_width / 2)) "$y"
        else
            point $((left + box_width / 2)) "$y"
        fi
        if attempt 6 was_asked_for "$id" || is_unfolded; then
            settle "$1"
            return 0
        fi
    done
    return 1
}

# Succeeds if the panel has asked for the submenu with this id since the mark.
was_asked_for() {
    tail -n "+$((marked + 1))" "$work/log/trace" |
        grep -A 4 -E 'member=(AboutToShow|Event)' | grep "int32 $1\$" >/dev/null
}

# Succeeds if something of the size of a submenu is drawn. MATE draws it without asking.
is_unfolded() {
    snap now
    changed closed now | awk -v menu="$menu_box" '$1 >= 80 && $2 >= 60 { area += $1 * $2 }
        END { split(menu, m, " "); exit area < 1.2 * m[1] * m[2] }'
}

# submenu_box PICTURE: prints the place of the open submenu: beside the menu, or the rows that it has grown by.
submenu_box() {
    awk -v menu="$menu_box" -v unfolds="$(of_desktop unfolds '')" -v y="$(pointer getmouselocation --shell |
        sed -n 's/^Y=//p')" '$1 >= 80 && $2 >= 60 {
            split(menu, m, " ")
            if (unfolds) print $1, $2 - m[2] - 12, $3, y + 20
            else if ($3 < m[3] - 40) print m[3] - $3, $2, $3, $4
            else print $3 + $1 - m[3] - m[1], $2, m[3] + m[1], $4
            exit
        }' < <(changed closed "$1")
}

# has_successor NAME PROCESSES: succeeds if there is a process of that name besides these.
has_successor() {
    local process
    for process in $(pgrep -x "$1"); do
        [[ " $2" == *" $process "* ]] || return 0
    done
    return 1
}
has_ended() { [ ! -e "/proc/${1%%[[:space:]]*}/exe" ]; }
# has_gone FILE
has_gone() { [ ! -S "$1" ]; }

# attempt TRIES COMMAND…: succeeds if the command does, within so many tries, a tenth of a second apart.
attempt() {
    local tries=$1
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

walk_icon() {
    local tries
    settings false
    # Twice: a desktop may still draw its background.
    for tries in 1 2; do
        settle before
        start_applet
        settle icon
        cp "$work/icon.ppm" "$work/closed.ppm"
        if find_icon; then
            result icon yes
            return 0
        fi
        [ "$tries" = 2 ] || end_applet
    done
    result icon no
    return 1
}

walk_buttons() {
    button=
    if open_root 3; then
        button=3
        result right yes
    else
        result right no
    fi
    settle menu-right
    dismiss closed
    if open_root 1; then
        button=1
        result left yes
    else
        result left no
    fi
    dismiss closed
    [ -n "$button" ]
}

# The submenu after a change, against the one of an applet that was started after it.
walk_submenu() {
    local place old
    open_first submenu-before || { result submenu "not opened"; return; }
    dismiss closed
    kill_master db
    attempt 100 menu_has "Clean"
    # Twice: Plasma misplaces the first opening.
    open_first submenu-first || true
    dismiss closed
    open_first submenu-after || { result submenu "not opened again"; return; }
    place=$(submenu_box submenu-after)
    dismiss closed
    end_applet
    start_applet
    settle closed
    open_first submenu-first || true
    dismiss closed
    open_first submenu-fresh || { result submenu "not opened again"; return; }
    dismiss closed
    old=$(differing "$place" submenu-before submenu-after)
    fresh=$(differing "$place" submenu-after submenu-fresh)
    echo "submenu: $old pixels changed, $fresh differ from a fresh applet" >&2
    if [ "$old" -gt 200 ] && [ "$fresh" -lt 40 ]; then result submenu yes; else result submenu "no ($fresh)"; fi
}

# An open submenu, while another master dies, and one starts.
walk_change_while_open() {
    local place died begun
    open_first open-before || return 0
    place=$(submenu_box open-before)
    kill_master web
    attempt 100 menu_has '2 problems'
    settle open-died
    died=$(differing "$place" open-before open-died)
    start_master backup
    attempt 100 menu_has 'backup'
    settle open-started
    begun=$(differing "$place" open-before open-started)
    echo "open submenu: $died pixels changed when a master died, $begun when one started" >&2
    if [ "$((died + begun))" -lt 40 ]; then result stays yes; else result stays "no ($died, $begun)"; fi
    dismiss closed
    walk_reopened
}

# The menu once the open one has been closed, against the one of an applet that was started later. A second time, since
# a GTK panel may cut off a menu that gets rows while it opens.
walk_reopened() {
    local name place differ
    for name in reopened reopened-again; do
        open_top $name || { result reopened "not opened"; return 0; }
        dismiss closed
    done
    end_applet
    start_applet
    settle closed
    open_top reopened-first || true
    dismiss closed
    open_top reopened-fresh || { result reopened "not opened"; return 0; }
    place=$menu_box
    dismiss closed
    for name in reopened reopened-again; do
        differ=$(differing "$place" $name reopened-fresh)
        echo "$name: $differ pixels differ from a fresh applet" >&2
        # A clock beside the menu may have changed.
        [ "$differ" -ge 200 ] || break
    done
    case $name-$((differ < 200)) in
    reopened-1) result reopened yes ;;
    reopened-again-1) result reopened "second time" ;;
    *) result reopened "no ($differ)" ;;
    esac
}

# open_top NAME: opens the menu, and saves it once GNOME has had the time to insert new rows.
open_top() {
    open_root "$button" || { dismiss closed && open_root "$button"; } || return 1
    sleep 1
    settle "$1"
    menu_is_drawn "$1"
}

# The button Clean in the notification of a killed master, and the notification after it.
walk_notification() {
    local box left top box_width box_height x y
    "$programs/muxtray" -F "$work/ssh_config" clean >/dev/null
    start_master build
    settings true
    dismiss quiet
    mark
    kill_master build
    attempt 100 heard 'member=Notify' || { result clean "no notification"; return; }
    attempt 20 is_shown || { result clean "not shown"; return; }
    # GNOME shows the buttons only under the pointer, and hides the notification soon, as Cinnamon does.
    read -r box_width box_height left top <<<"$box"
    point $((left + box_width / 2)) $((top + box_height / 2))
    settle notification-pointed
    convert "$work/notification.ppm" "$pictures/notification.png"
    notification_box notification-pointed || { result clean "hidden before the pointer came"; return; }
    read -r box_width box_height left top <<<"$box"
    read -r x y <<<"$(of_desktop clean_at '50% 20')"
    mark
    case $x in
    -*) x=$((box_width + x)) ;;
    *%) x=$((box_width * ${x%\%} / 100)) ;;
    esac
    click "$(of_desktop clean_with 1)" $((left + x)) $((top + box_height - y))
    if attempt 50 has_gone "$work/ssh/build"; then
        result clean yes
    else
        result clean no
    fi
    settle notification-after
    if heard 'member=CloseNotification|member=NotificationClosed'; then result closed yes; else result closed no; fi
}

is_shown() {
    snap notification
    notification_box notification
}
# notification_box PICTURE: succeeds if a notification is drawn. Its place is then in $box.
notification_box() {
    box=$(changed quiet "$1" | awk '$1 >= 120 && $2 >= 40' | head -n 1)
    [ -n "$box" ]
}

# Succeeds if the icon is drawn somewhere in the panel, and moves $icon_x there.
icon_is_back() {
    local strip found
    strip=$((icon_y - 12))
    settle restarted
    cp "$work/restarted.ppm" "$work/closed.ppm"
    convert "$work/quiet.ppm" -crop "20x20+$((icon_x - 10))+$((icon_y - 10))" +repage "$work/look.ppm"
    convert "$work/restarted.ppm" -crop "${width}x24+0+$((strip > 0 ? strip : 0))" +repage "$work/strip.ppm"
    # Prints "0 (0) @ LEFT,TOP" for an equal place.
    found=$(compare -metric RMSE -subimage-search "$work/strip.ppm" "$work/look.ppm" null: 2>&1) || true
    echo "the icon after the restart: $found" >&2
    [[ $found =~ \((0|0\.0[0-9]*|[0-9.]*e-[0-9]+)\)\ @\ ([0-9]+), ]] || return 1
    icon_x=$((BASH_REMATCH[2] + 10))
}

# The panel is killed, or what stands for it; the session or this starts it again.
walk_restart() {
    local panel processes
    dismiss quiet
    panel=$(of_desktop panel "$(of_desktop packages '' | head -n 1 | cut -d ' ' -f 1)")
    mark
    if [ "$(type -t "${desktop}_restart")" = function ]; then
        "${desktop}_restart"
    else
        # This process namespace has no other desktop.
        processes=$(pgrep -x "${panel:0:15}" | tr '\n' ' ')
        # The ids are separate words.
        # shellcheck disable=SC2086
        kill -KILL $processes
        attempt 50 has_successor "${panel:0:15}" "$processes" || start panel "$panel"
    fi
    if attempt 30 icon_is_back && open_root "$button"; then result restart yes; else result restart no; fi
    dismiss closed
}

# The median of all starts: the machine may be busy during one of them.
walk_start() {
    result start "$(printf '%s\n' "${starts[@]}" | sort -n | sed -n "$(((${#starts[@]} + 1) / 2))p")"
}

walk_memory() {
    local name size
    while read -r name size _; do
        case $name in
        Rss:) result rss "$size" ;;
        Pss:) result pss "$size" ;;
        esac
    done <"/proc/$applet/smaps_rollup"
}

session_begin "$2" "$HOME/.local/share/icons"
trap 'cp -r "$work/log" "$pictures"; session_end' EXIT
umask 0002
unset GSETTINGS_BACKEND
configure_ssh
for host in db web; do
    start_master "$host"
done
start_display
# Of several notification daemons, the bus starts the one of this desktop.
activated=$(of_desktop activates '')
if [ -n "$activated" ]; then
    mkdir -p "$XDG_DATA_HOME/dbus-1/services"
    cp "/usr/share/dbus-1/services/$activated" "$XDG_DATA_HOME/dbus-1/services/"
    gdbus call --session -d org.freedesktop.DBus -o /org/freedesktop/DBus -m org.freedesktop.DBus.ReloadConfig >/dev/null
fi
listen
"${desktop}_session"
wait_for_panel
wait_for "the panel is drawn" is_drawn
walk_icon
walk_memory
walk_buttons
walk_submenu
walk_change_while_open
walk_start
walk_notification
walk_restart
