# shellcheck shell=bash
# Functions shared by the screenshot scripts: ssh masters in several states, and desktops for the applet. All programs
# are real, run in an environment of their own, and end with the script. Sourced, not run.
#
# The server is at the other end of ssh's pipe, so its hosts can have any name; the masters log in as the user that runs
# this, regardless of the configuration.

# shellcheck source=tests/panel.sh
. "${BASH_SOURCE[0]%/*}/panel.sh"

# The factor by which toolkits enlarge everything.
scale=${scale:-1}
width=$((1024 * scale))
height=$((768 * scale))

# session_begin PROGRAMS ICONS: makes a home, runtime directory, configuration and session bus, with the icons installed
# there. PROGRAMS is the directory of the build.
session_begin() {
    programs=$1
    # Control sockets in a directory writable by a group would cause a finding.
    umask 022
    work=$(mktemp -d /tmp/demo.XXX)
    # sway, which does not run as root, has its own directory below.
    chmod 711 "$work"
    started=()
    trap session_end EXIT
    mkdir -p "$work"/{home,run,config/muxtray,cache,data/icons,log,ssh,wayland}
    cp -r "$2/hicolor" "$work/data/icons/"
    chmod 700 "$work/run" "$work/ssh" "$work/home"
    export HOME=$work/home XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache
    export XDG_DATA_HOME=$work/data LC_ALL=${LANGUAGE_OF_PICTURES:-C.UTF-8}
    export NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory LIBGL_ALWAYS_SOFTWARE=1 GIO_USE_VFS=local
    export GDK_SCALE=$scale QT_SCALE_FACTOR=$scale
    unset DISPLAY WAYLAND_DISPLAY GTK_THEME
    export DBUS_SESSION_BUS_ADDRESS="unix:path=$work/run/bus"
    start bus dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS"
    wait_for "the bus is there" test -S "$work/run/bus"
}

# Configures the applet to ignore everything outside this session: other masters of the same user.
ignore_the_rest() {
    local index globs=""
    # Globs for all paths that differ from this one in one letter, with everything below them.
    for ((index = 1; index < ${#work}; index++)); do
        globs+="\"${work:0:index}[!${work:index:1}]*\", "
    done
    printf 'ignored_paths = [%s]\n' "${globs%, }" >"$XDG_CONFIG_HOME/muxtray/config.toml"
}

# Ends the started programs, the last one first.
session_end() {
    local index
    for ((index = ${#started[@]} - 1; index >= 0; index--)); do
        kill "${started[index]}" 2>/dev/null || true
    done
    for ((index = ${#started[@]} - 1; index >= 0; index--)); do
        wait "${started[index]}" 2>/dev/null || true
    done
    started=()
    # Programs started by the bus end after it, and may write until then.
    rm -rf "$work" 2>/dev/null || {
        sleep 1
        rm -rf "$work"
    }
}

# start NAME COMMAND…: runs it in the background, with its output in a file of that name.
start() {
    local name=$1
    shift
    "$@" >"$work/log/$name" 2>&1 </dev/null &
    started+=("$!")
}

# wait_for DESCRIPTION COMMAND…: waits until the command succeeds, for fifteen seconds.
wait_for() {
    local what=$1 tries=150
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "$0: timed out: $what; the logs say:" >&2
            tail -n 5 "$work"/log/* >&2
            exit 1
        fi
        sleep 0.1
    done
}

# Starts hosts and masters: web has two sessions, and db was killed and left its socket.
start_masters() {
    local host session
    configure_ssh
    for host in web db build backup; do
        start_master "$host"
    done
    # Sessions that end with the connection: nothing is ever written to their input.
    mkfifo "$work/silence"
    exec 4<>"$work/silence"
    for session in 1 2; do
        ssh -F "$work/ssh_config" web cat <&4 >"$work/log/session-$session" 2>&1 &
        started+=("$!")
    done
    kill_master db
    ignore_the_rest
}

# Writes the configurations of ssh and of its server.
configure_ssh() {
    local key host
    for key in host_key user_key; do
        ssh-keygen -q -t ed25519 -N '' -f "$work/$key"
    done
    cat >"$work/sshd_config" <<END
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
UsePAM no
StrictModes no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
END
    {
        for host in web db build backup mirror; do
            printf 'Host %s\n    HostName %s.example.org\n    ControlPath %s\n' "$host" "$host" "$work/ssh/$host"
        done
        cat <<END
Host *
    User ada
    ControlMaster auto
    ControlPath $work/ssh/%C
    ControlPersist 10m
    ServerAliveInterval 15
    ProxyCommand $(command -v sshd || echo /usr/sbin/sshd) -i -f $work/sshd_config
    IdentityFile $work/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $work/known_hosts
    StrictHostKeyChecking no
    LogLevel ERROR
END
    } >"$work/ssh_config"
}

declare -A master_of
start_master() {
    start "$1" ssh -F "$work/ssh_config" -l "$(id -un)" -N -M -o ControlPersist=no "$1"
    master_of[$1]=$!
    wait_for "the master of $1 is there" ssh -F "$work/ssh_config" -O check "$1"
}

# Leaves the master's socket stale.
kill_master() {
    kill -KILL "${master_of[$1]}"
    { wait "${master_of[$1]}" || true; } 2>/dev/null
}

start_display() {
    start xvfb Xvfb -displayfd 3 -screen 0 "${width}x${height}x24" -nolisten tcp -ac -noreset 3>"$work/display"
    wait_for "the X server is there" test -s "$work/display"
    DISPLAY=:$(cat "$work/display")
    export DISPLAY
}

wait_for_panel() {
    wait_for "the panel is there" has_name org.kde.StatusNotifierWatcher
}

# Xfce's panel at the top, light or dark, with a clock and, at its right end, the notification area.
start_xfce_panel() {
    local dark=false
    if [ "$1" = dark ]; then
        dark=true
        export GTK_THEME=Adwaita:dark
    fi
    mkdir -p "$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml"
    cat >"$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml" <<END
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="$dark"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
        <value type="int" value="3"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="clock"/>
    <property name="plugin-3" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="hide-new-items" type="bool" value="false"/>
      <property name="symbolic-icons" type="bool" value="${symbolic:-false}"/>
    </property>
  </property>
</channel>
END
    start panel xfce4-panel --disable-wm-check --sm-client-disable
    wait_for_panel
}

# LXQt's panel at the top, light or dark.
start_lxqt_panel() {
    local colour='#eff0f1'
    [ "$1" != dark ] || colour='#31363b'
    mkdir -p "$XDG_CONFIG_HOME/lxqt"
    cat >"$XDG_CONFIG_HOME/lxqt/panel.conf" <<END
[General]
panels=panel1
iconTheme=Adwaita
[panel1]
alignment=-1
iconSize=22
panelSize=32
lineCount=1
position=Top
width=100
width-percent=true
background-color=$colour
plugins=spacer,statusnotifier
[spacer]
type=spacer
[statusnotifier]
type=statusnotifier
alignment=Right
END
    start panel env QT_QPA_PLATFORM=xcb lxqt-panel
    wait_for_panel
}

# MATE's default panels, light or dark.
start_mate_panel() {
    [ "$1" != dark ] || export GTK_THEME=Adwaita:dark
    # Its applets are started by the bus.
    dbus-update-activation-environment DISPLAY "GTK_THEME=${GTK_THEME:-}" GSETTINGS_BACKEND
    start panel mate-panel
    wait_for_panel
}

# sway without X, and waybar, light or dark. It is nested in an X server, which has its pointer and keys.
start_sway() {
    local colour='#eeeeee' text='#222222' as=()
    if [ "$1" = dark ]; then
        colour='#222222' text='#eeeeee'
        export GTK_THEME=Adwaita:dark
    fi
    # sway does not run as root.
    if [ "$(id -u)" -eq 0 ]; then
        as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
        chown 65534:65534 "$work/wayland"
    fi
    chmod 700 "$work/wayland"
    cat >"$work/sway.conf" <<END
xwayland disable
output X11-1 resolution ${width}x${height} position 0,0
output * bg #3d5a6c solid_color
seat seat0 fallback true
for_window [app_id=".*"] floating enable
END
    start sway "${as[@]}" env XDG_RUNTIME_DIR="$work/wayland" HOME="$work/wayland" WLR_BACKENDS=x11 \
        WLR_RENDERER=pixman sway -c "$work/sway.conf"
    # From here on every program uses Wayland, except xdotool.
    x_display=$DISPLAY
    unset DISPLAY
    wait_for "sway is there" test -S "$work/wayland/wayland-1"
    export WAYLAND_DISPLAY=$work/wayland/wayland-1 XDG_SESSION_TYPE=wayland XDG_CURRENT_DESKTOP=sway
    mkdir -p "$XDG_CONFIG_HOME/waybar"
    cat >"$XDG_CONFIG_HOME/waybar/config" <<END
{ "layer": "top", "position": "top", "height": 30, "modules-right": ["clock", "tray"],
  "tray": { "icon-size": 22, "spacing": 8 } }
END
    cat >"$XDG_CONFIG_HOME/waybar/style.css" <<END
* { font-family: "DejaVu Sans"; font-size: 13px; }
window#waybar { background: $colour; color: $text; }
#tray { margin: 0 8px; }
END
    start waybar waybar
    wait_for_panel
}

# A notification daemon that leaves the corner of the menu free.
start_daemon() {
    if [ -n "${WAYLAND_DISPLAY:-}" ]; then
        printf '#!/bin/sh\ngrep -m 1 "^#Show"\n' >"$work/choose"
        chmod +x "$work/choose"
        printf '[global]\n    origin = bottom-right\n    font = DejaVu Sans 10\n    width = 360\n    dmenu = %s\n' \
            "$work/choose" >"$work/dunstrc"
        start daemon dunst -conf "$work/dunstrc"
    else
        mkdir -p "$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml"
        cat >"$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml/xfce4-notifyd.xml" <<END
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-notifyd" version="1.0">
  <property name="notify-location" type="uint" value="3"/>
  <property name="initial-opacity" type="double" value="1"/>
</channel>
END
        start daemon "$(find /usr/lib /usr/libexec -name xfce4-notifyd -type f 2>/dev/null | head -n 1)"
    fi
    wait_for "the notification daemon is there" has_name org.freedesktop.Notifications
}

# Starts the applet, and waits for its icon in the panel.
start_muxtray() {
    start muxtray "$programs/muxtray" -F "$work/ssh_config" run
    wait_for "the icon is in the panel" has_icon
}

# press_show: presses the last button on the notification.
press_show() {
    if [ -n "${WAYLAND_DISPLAY:-}" ]; then
        dunstctl context
    else
        pointer mousemove $((width - 73 * scale)) $((height - 44 * scale)) click 1
    fi
}

# picture FILE: saves the screen.
picture() {
    if [ -n "${WAYLAND_DISPLAY:-}" ]; then
        grim "$1"
    else
        import -window root "$1"
    fi
}

# Succeeds if nothing on the screen moves; the last picture is then $work/after.png.
still() {
    picture "$work/before.png"
    sleep 0.4
    picture "$work/after.png"
    cmp -s "$work/before.png" "$work/after.png"
}

# pointer ARGUMENTS…: runs xdotool on the X server that has the pointer.
pointer() {
    DISPLAY=${x_display:-$DISPLAY} xdotool "$@"
}
