#!/usr/bin/env bash
# Tests the systemd user unit under a user manager of its own: none of its directives breaks anything, muxtray has no
# network there, and the programs it starts have all the person's rights. Root is needed for a control group and private
# mounts; everything else runs as an ordinary user. All started programs end with the script.
#
#   tests/unit.sh [PROGRAMS]    PROGRAMS: the directory of the built programs; by default both trays are built and
#                               tested
set -Eeuo pipefail
trap 'echo "$0: line $LINENO failed: $BASH_COMMAND" >&2' ERR

cd "$(dirname "$0")/.."
user=muxtray-test
# shellcheck source=tests/panel.sh
. tests/panel.sh
# Control sockets in a directory writable by a group would cause a finding.
umask 022

fail() {
    printf 'tests/unit.sh: %s\n' "$*" >&2
    exit 1
}

# As root: makes a user, a control group, and a view of the file system in which systemd finds a booted system.
outer() {
    local programs tool group
    [ "$(id -u)" -eq 0 ] || { echo "skipped: tests/unit.sh: only root can make a control group"; exit 0; }
    for tool in systemd-run systemd-analyze Xvfb xfce4-panel gdbus setpriv; do
        command -v "$tool" >/dev/null || { echo "skipped: tests/unit.sh: $tool is not installed"; exit 0; }
    done
    if [ "$#" -eq 0 ]; then
        echo "- the lean applet"
        # The programs of the tests: `cargo build` would build them again with fewer features of their dependencies.
        cargo test --no-run --locked --quiet --no-default-features --features lean-tray --test system
        bash "$0" target/debug
        echo "- the applet on GTK"
        cargo test --no-run --locked --quiet --test system
        exec bash "$0" target/debug
    fi
    programs=$(realpath "$1")
    [ -x "$programs/muxtray-applet" ] || fail "$programs has no muxtray-applet"
    id "$user" >/dev/null 2>&1 ||
        useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /bin/sh --password '*' "$user"
    work=$(mktemp -d /tmp/unit.XXX)
    group=muxtray-unit.$$
    # All programs started by the manager are in its control group, and end with it.
    trap 'end_group; rm -rf "$work"' EXIT
    groups=()
    while read -r hierarchy; do
        # One hierarchy may be mounted at several places.
        [ ! -e "$hierarchy/$group" ] || continue
        mkdir "$hierarchy/$group" && groups+=("$hierarchy/$group")
        chown -R "$user:" "$hierarchy/$group"
    done < <(awk '$3 == "cgroup2" || ($3 == "cgroup" && $4 ~ /name=systemd/) { print $2 }' /proc/mounts)
    [ "${#groups[@]}" -gt 0 ] || { echo "skipped: tests/unit.sh: no control groups are mounted"; exit 0; }
    mkdir -p "$work"/{bin,home,data,config/systemd/user,ssh,log}
    cp "$programs/muxtray" "$programs/muxtray-applet" "$work/bin/"
    # Only a setuid program can do this: here, print its user.
    cp "$(command -v id)" "$work/bin/whose-rights"
    cp -r icons "$work/data/icons"
    chmod 755 "$work"
    chown -R "$user:" "$work"
    chown root: "$work/bin/whose-rights"
    chmod 4755 "$work/bin/whose-rights"
    unshare --mount --propagation private -- bash "$0" --mounted "$work" "${groups[@]}"
}

end_group() {
    local group processes tries=100
    for group in "${groups[@]}"; do
        while processes=$(find "$group" -name cgroup.procs -exec cat {} +) && [ -n "$processes" ]; do
            # The process ids are separate words.
            # shellcheck disable=SC2086
            kill -KILL $processes 2>/dev/null || true
            tries=$((tries - 1))
            [ "$tries" -gt 0 ] || break
            sleep 0.1
        done
        find "$group" -depth -type d -exec rmdir {} \;
    done
}

mounted() {
    local group
    work=$1
    shift
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/systemd/system /run/user "/run/user/$(id -u "$user")"
    # Other processes must not keep these mounts: a socket in /run used by root's tests is not in here.
    chown "$user:" "/run/user/$(id -u "$user")"
    chmod 700 "/run/user/$(id -u "$user")"
    for group; do
        echo "$$" >"$group/cgroup.procs"
    done
    exec setpriv --reuid "$user" --regid "$user" --clear-groups env -i \
        PATH="$work/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" HOME="$work/home" LANG=C.UTF-8 USER="$user" LOGNAME="$user" \
        SHELL=/bin/sh XDG_RUNTIME_DIR="/run/user/$(id -u "$user")" XDG_CONFIG_HOME="$work/config" \
        XDG_DATA_HOME="$work/data" XDG_CACHE_HOME="$work/cache" XDG_STATE_HOME="$work/state" NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory \
        GIO_USE_VFS=local DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$(id -u "$user")/bus" \
        bash "$0" --inside "$work"
}

# From here on as the user, below the control group.

wait_for() {
    local what=$1 tries=150
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            tail -n 8 "$work"/log/* >&2
            fail "timed out: $what"
        fi
        sleep 0.1
    done
}

start() {
    local name=$1
    shift
    "$@" >"$work/log/$name" 2>&1 </dev/null &
}

is_manager_there() {
    systemctl --user list-units
}

# A server on loopback, and masters: one that runs, one that was killed.
start_masters() {
    local key port
    for key in host_key user_key; do
        ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/$key"
    done
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    printf 'HostKey %s\nAuthorizedKeysFile %s\nUsePAM no\nStrictModes no\nListenAddress 127.0.0.1\nPort %s\nPidFile none\n' \
        "$work/ssh/host_key" "$work/ssh/user_key.pub" "$port" >"$work/ssh/sshd_config"
    start sshd "$(command -v sshd)" -D -e -f "$work/ssh/sshd_config"
    # Only new privileges give `asked` its ControlPath: a wrong decision is visible at once.
    cat >"$work/ssh/config" <<END
Match originalhost asked exec "[ \$(whose-rights -u) = 0 ]"
    ControlPath $work/ssh/asked-with-rights
Host web db asked opened
    HostName 127.0.0.1
    Port $port
    ControlMaster auto
    ControlPath $work/ssh/%n
    ControlPersist 10m
    ServerAliveInterval 15
    IdentityFile $work/ssh/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $work/ssh/known_hosts
    StrictHostKeyChecking no
    LogLevel ERROR
END
    wait_for "the server is there" grep -q listening "$work/log/sshd"
    for host in web db asked; do
        ssh -F "$work/ssh/config" -fN "$host"
    done
    kill -KILL "$(ssh -F "$work/ssh/config" -O check db 2>&1 | grep -o '[0-9]*')"
    ln -s "$work/ssh/nowhere" "$work/ssh/link"
}

# Prints the report without the parts that change with time.
facts() {
    python3 -c '
import json, sys
report = json.load(sys.stdin)
for socket in report["sockets"]:
    network = socket.get("network") or {}
    owner = socket["owner"] or {}
    print(socket["path"], socket["state"], socket["hosts"], socket["pid"], socket["sessions"], owner.get("name"),
          network.get("verdict"), [finding["id"] for finding in socket["findings"]])
print([finding["id"] for finding in report["findings"]])'
}

# Prints the directives of the unit as arguments of systemd-run.
directives() {
    sed -n '/^\[Service\]/,/^\[Install\]/p' packaging/muxtray.service |
        grep -E '^(NoNew|Restrict|Lock|Memory|SystemCall|UMask|Keyring|Environment)' | sed 's/^/--property=/'
}

in_the_unit() {
    local -a taken
    mapfile -t taken < <(directives)
    systemd-run --user --quiet --collect --wait --pipe "${taken[@]}" \
        --setenv=PATH --setenv=HOME --setenv=XDG_CACHE_HOME="$work/cache-of-the-unit" --setenv=XDG_CONFIG_HOME --setenv=XDG_STATE_HOME "$@"
}

status_of() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

master_of() {
    ssh -F "$work/ssh/config" -O check "$1" 2>&1 | grep -o 'pid=[0-9]*' | grep -o '[0-9]*'
}

# On GTK a copied text ends with the applet, unless a clipboard manager keeps it. With pipefail, `ldd | grep -q` could
# fail although it finds the name: grep exits at once, and ldd is then killed by SIGPIPE.
copies_for_good() {
    command -v xclip >/dev/null && ! grep -q libgtk <<<"$(ldd "$work/bin/muxtray-applet")"
}

has_copied() {
    grep -qF "$work/ssh/" <<<"$(xclip -selection clipboard -out)"
}

inside() {
    work=$1
    start systemd "$(command -v /lib/systemd/systemd /usr/lib/systemd/systemd | head -n 1)" --user --log-target=console
    wait_for "the user manager is there" is_manager_there
    [ -S "$XDG_RUNTIME_DIR/bus" ] || start bus dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS"
    wait_for "the bus answers" has_name org.freedesktop.DBus
    start_masters

    echo "- a report in the unit is the report outside it"
    muxtray -F "$work/ssh/config" list --json | facts >"$work/outside" || true
    in_the_unit muxtray -F "$work/ssh/config" list --json | facts >"$work/confined" || true
    grep -q "asked-with-rights running" "$work/outside" || fail "the masters are not as set up: $(cat "$work/outside")"
    diff "$work/outside" "$work/confined" || fail "the report in the unit differs"

    echo "- no network, no new privileges, nothing for others"
    in_the_unit python3 -c '
import os, socket, sys
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_PACKET):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        continue
    sys.exit(f"family {family} is there")
os.close(os.open("'"$work"'/made-in-the-unit", os.O_CREAT | os.O_WRONLY, 0o666))'
    [ "$(stat -c %a "$work/made-in-the-unit")" = 600 ] || fail "the umask of the unit is wrong"
    [ "$(in_the_unit whose-rights -u)" = "$(id -u)" ] || fail "a setuid program has its rights in the unit"

    echo "- the applet as the unit starts it, in a panel"
    cp packaging/muxtray.service "$work/config/systemd/user/"
    sed -i "s|^ExecStart=.*|ExecStart=$work/bin/muxtray -F $work/ssh/config run|" "$work/config/systemd/user/muxtray.service"
    start xvfb Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp -ac -noreset 3>"$work/display"
    wait_for "the X server is there" test -s "$work/display"
    DISPLAY=:$(cat "$work/display")
    export DISPLAY
    # An editor that records its rights.
    printf '#!/bin/sh\nwhose-rights -u >%s/editor.new; mv %s/editor.new %s/editor\n' "$work" "$work" "$work" >"$work/bin/xdg-open"
    chmod +x "$work/bin/xdg-open"
    systemctl --user import-environment PATH HOME DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME LANG \
        NO_AT_BRIDGE GSETTINGS_BACKEND GIO_USE_VFS DBUS_SESSION_BUS_ADDRESS
    start panel xfce4-panel --disable-wm-check --sm-client-disable
    wait_for "the panel is there" has_name org.kde.StatusNotifierWatcher
    systemctl --user daemon-reload
    systemctl --user start muxtray.service
    wait_for "the icon is in the panel" has_icon
    applet=$(systemctl --user show -P MainPID muxtray.service)
    [ "$(status_of "$applet" NoNewPrivs) $(status_of "$applet" Seccomp)" = "1 2" ] || fail "the applet is not confined"

    echo "- started programs are not confined, and outlive it"
    wait_for "the host can be opened" click_row 'opened: no master; open one'
    wait_for "the master is there" master_of opened
    [ "$(status_of "$(master_of opened)" NoNewPrivs)" = 0 ] || fail "a master from the menu is confined"
    click_row 'Open configuration'
    wait_for "the editor is there" test -s "$work/editor"
    [ "$(cat "$work/editor")" = 0 ] || fail "an editor from the menu is confined"
    if copies_for_good; then
        click_row 'Copy path'
        wait_for "the path is copied" has_copied
    fi
    systemctl --user stop muxtray.service
    if copies_for_good; then
        has_copied || fail "the copied path has gone with the unit"
    fi
    [ -n "$(master_of opened)" ] || fail "the master ended with the unit"
    if systemctl --user is-failed --quiet muxtray.service; then
        fail "the unit has failed: $(systemctl --user status muxtray.service)"
    fi
    for host in web asked opened; do
        ssh -F "$work/ssh/config" -O exit "$host" 2>/dev/null
    done

    systemd-analyze security --user --offline=yes packaging/muxtray.service | tail -n 1
    echo "- every check passed"
}

case ${1:-} in
--mounted) shift && mounted "$@" ;;
--inside) inside "$2" ;;
*) outer "$@" ;;
esac
