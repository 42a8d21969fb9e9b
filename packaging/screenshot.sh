#!/usr/bin/env bash
# Makes packaging/screenshot.png: the applet in a real panel, its menu open over a few masters, one of them dead.
# Everything is real and of its own: an X server, a bus, a panel, ssh masters of a server on the other end of a pipe.
# Needs what tests/run.sh installs. Builds the applet where target/release has none.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
programs=${PROGRAMS:-$here/target/release}
picture=$here/packaging/screenshot.png
width=1024

if [ ! -x "$programs/muxtray-applet" ]; then
    (cd "$here" && cargo build --release --locked)
fi

work=$(mktemp -d /tmp/demo.XXX)
started=()
finish() {
    local process
    for process in "${started[@]}"; do
        kill "$process" 2>/dev/null || true
    done
    for process in "${started[@]}"; do
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

# start NAME COMMAND…: in the background, its output in a file of that name.
start() {
    local name=$1
    shift
    "$@" >"$work/log/$name" 2>&1 </dev/null &
    started+=("$!")
}

# wait_for WHAT COMMAND…: until the command succeeds, for ten seconds.
wait_for() {
    local what=$1 tries=100
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "screenshot.sh: waited in vain until $what; the logs say:" >&2
            tail -n 5 "$work"/log/* >&2
            exit 1
        fi
        sleep 0.1
    done
}

mkdir -p "$work"/{home,run,config,cache,log,ssh}
chmod 700 "$work/run" "$work/ssh"
export HOME=$work/home XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache
export NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory LIBGL_ALWAYS_SOFTWARE=1
unset WAYLAND_DISPLAY

# Hosts, and masters that lead to them. The server is the other end of ssh's pipe, so their names can be anything.
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
cat >"$work/ssh_config" <<END
Host web
    HostName web.example.org
Host db
    HostName db.example.org
Host build
    HostName build.example.org
Host backup
    HostName backup.example.org
Host *
    ControlPath $work/ssh/%n
    ControlPersist 10m
    ProxyCommand $(command -v sshd || echo /usr/sbin/sshd) -i -f $work/sshd_config
    IdentityFile $work/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $work/known_hosts
    StrictHostKeyChecking no
    LogLevel ERROR
END
for host in web db build backup; do
    start "$host" ssh -F "$work/ssh_config" -N -M -o ControlPersist=no "$host"
    master=$!
    wait_for "the master of $host is there" ssh -F "$work/ssh_config" -O check "$host"
    [ "$host" != db ] || dead=$master
done
# Sessions that end with the connection: nothing is ever written to what they read.
mkfifo "$work/silence"
exec 4<>"$work/silence"
for session in 1 2; do
    ssh -F "$work/ssh_config" web cat <&4 >"$work/log/session-$session" 2>&1 &
    started+=("$!")
done
kill -KILL "$dead"
{ wait "$dead" || true; } 2>/dev/null

# The desktop. The panel has a clock and, at its right end, the notification area.
start xvfb Xvfb -displayfd 3 -screen 0 "${width}x768x24" -nolisten tcp -noreset 3>"$work/display"
wait_for "the X server is there" test -s "$work/display"
DISPLAY=:$(cat "$work/display")
export DISPLAY DBUS_SESSION_BUS_ADDRESS="unix:path=$work/run/bus"
start bus dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS"
wait_for "the bus is there" test -S "$work/run/bus"
mkdir -p "$work/config/xfce4/xfconf/xfce-perchannel-xml"
cat >"$work/config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml" <<'END'
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
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
    </property>
  </property>
</channel>
END
has_name() {
    gdbus call --session -d org.freedesktop.DBus -o /org/freedesktop/DBus \
        -m org.freedesktop.DBus.NameHasOwner "$1" | grep -q true
}
start openbox openbox
start panel xfce4-panel --disable-wm-check --sm-client-disable
wait_for "the panel is there" has_name org.kde.StatusNotifierWatcher

# A notification would stand half behind the menu.
mkdir "$work/config/muxtray"
printf '[notifications]\nenabled = false\n' >"$work/config/muxtray/config.toml"
start muxtray "$programs/muxtray" -F "$work/ssh_config" run
has_icon() {
    gdbus call --session -d org.kde.StatusNotifierWatcher -o /StatusNotifierWatcher \
        -m org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems |
        grep -q tray_icon
}
wait_for "the icon is in the panel" has_icon

# Opens the menu and its first submenu, as a person would, and waits until the picture stands still.
still() {
    import -window root "$work/before.png"
    sleep 0.4
    import -window root "$work/after.png"
    cmp -s "$work/before.png" "$work/after.png"
}
wait_for "the panel is drawn" still
xdotool mousemove $((width - 16)) 15 click 1
wait_for "the menu is open" still
xdotool key Down
xdotool key Right
wait_for "the submenu is open" still

# The empty desktop gets a colour. What is left of it beside and below the menus goes.
empty='#3d5a6c'
convert "$work/after.png" -fill "$empty" -draw 'color 0,767 floodfill' "$work/coloured.png"
read -r left bottom < <(
    convert "$work/coloured.png" -crop "${width}x736+0+32" +repage -trim -format '%[fx:page.x] %[fx:page.y+h+32]\n' info:
)
left=$((left > 16 ? left - 16 : 0))
convert "$work/coloured.png" -crop "$((width - left))x$((bottom + 16))+$left+0" +repage -strip "$picture"
echo "$picture"
