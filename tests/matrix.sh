#!/bin/bash
# Tries muxtray on other systems and desktops. In a tree that debootstrap makes, an ordinary user with umask 0002 sets
# muxtray up and runs the suite, and a pointer walks through each desktop with both builds. The results are kept in
# tests/matrix/results.tsv; the tables in docs/desktops.md are written from them. Needs root; see docs/testing.md.
set -euo pipefail

usage() {
    cat <<'END'
Usage: tests/matrix.sh [--release NAME]… [--step STEP]… [--desktop NAME]… [--build gtk|lean]… [--keep] [--directory DIRECTORY]

  --release NAME   a release that debootstrap knows; default: bookworm, trixie, forky
  --step STEP      one of: tree, setup, suite, walk, page; default: all
  --desktop NAME   one of: xfce, lxqt, mate, plasma, gnome, cinnamon, budgie, sway; default: all
  --build BUILD    the default build (gtk) or the lean one; default: both
  --keep           leave the trees that the step tree made, to continue with single steps; a tree has the desktops if
                   the step walk or a desktop is named
  --directory DIR  the place of trees, logs and pictures; default: /var/tmp/muxtray-matrix

MIRROR is the address of a mirror, if not debootstrap's. A release takes 10 GB and about two hours on two cores.
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=tests/matrix/desktops.sh
. "$here/tests/matrix/desktops.sh"
# shellcheck source=tests/matrix/page.sh
. "$here/tests/matrix/page.sh"
user=tester user_id=1600
home=/home/$user

releases=() steps=() chosen=() builds=() keep=no directory=/var/tmp/muxtray-matrix
while [ $# -gt 0 ]; do
    case $1 in
    --release) releases+=("${2:?a release}") && shift ;;
    --step) steps+=("${2:?a step}") && shift ;;
    --desktop) chosen+=("${2:?a desktop}") && shift ;;
    --build) builds+=("${2:?a build}") && shift ;;
    --directory) directory=${2:?a directory} && shift ;;
    --keep) keep=yes ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done
[ ${#releases[@]} -gt 0 ] || releases=(bookworm trixie forky)
[ ${#steps[@]} -gt 0 ] || steps=(tree setup suite walk page)
if [ ${#chosen[@]} -eq 0 ]; then
    # Without a walk, no desktop is installed.
    [[ " ${steps[*]} " != *" walk "* ]] || chosen=("${desktops[@]}")
fi
[ ${#builds[@]} -gt 0 ] || builds=(gtk lean)

# in_tree NETWORK SECONDS USER COMMAND…: runs a command in the tree, in namespaces of its own: with it end all programs
# that it started and all mounts. NETWORK is "online" or "apart", with loopback only. It is ended after SECONDS.
in_tree() {
    local network=$1 seconds=$2 as=$3 flags=(--mount --propagation private --pid --fork --kill-child)
    shift 3
    [ "$network" = online ] || flags+=(--net)
    # The expressions are for the inner shell.
    # shellcheck disable=SC2016
    timeout --kill-after=10 "$seconds" unshare "${flags[@]}" bash -euc '
        tree=$1 here=$2 results=$3 rust=$4 as=$5 id=$6 network=$7
        shift 7
        [ "$network" = online ] || ip link set lo up
        mount --bind "$tree" "$tree"
        cd "$tree"
        mkdir -p mnt/host srv/tests srv/results opt/rust
        mount --bind "$here/tests" srv/tests
        mount --bind "$results" srv/results
        mount --bind "$rust" opt/rust
        mount --rbind /dev dev
        mount --rbind /sys sys
        # The machine may have a certificate of its own, for a proxy.
        mount --bind /etc/ssl/certs etc/ssl/certs
        cp /etc/resolv.conf /etc/hosts etc/
        pivot_root . mnt/host
        cd /
        mount -t proc proc /proc
        umount -l /mnt/host
        mount -t tmpfs -o mode=1777 tmpfs /tmp
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p /run/lock /run/sshd /run/dbus /run/user
        if [ "$network" = apart ]; then
            dbus-uuidgen --ensure
            dbus-daemon --system --fork
        fi
        if [ "$as" = root ]; then
            "$@"
        else
            install -d -m 700 -o "$id" -g "$id" "/run/user/$id"
            install -d -m 1777 /tmp/.X11-unix /tmp/.ICE-unix
            umask 0002
            cd "/home/$as"
            setpriv --reuid "$id" --regid "$id" --init-groups env -i HOME="/home/$as" USER="$as" LOGNAME="$as" \
                SHELL=/bin/bash LANG=C.UTF-8 XDG_RUNTIME_DIR="/run/user/$id" \
                PATH="/opt/rust/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" "$@"
        fi' bash "$tree" "$here" "$results" "$(rustc --print sysroot)" "$as" "$user_id" "$network" "$@"
}

step_tree() {
    local desktop packages script=
    if [ ! -d "$tree/var/lib/dpkg" ]; then
        # An older debootstrap does not know the newest release.
        [ -e "/usr/share/debootstrap/scripts/$release" ] || script=sid
        timeout 1800 debootstrap --variant=minbase --include=ca-certificates "$release" "$tree" "${MIRROR:-}" "$script"
    fi
    # Packages start no services, and leave out what nobody reads here.
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod +x "$tree/usr/sbin/policy-rc.d"
    printf 'path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' >"$tree/etc/dpkg/dpkg.cfg.d/matrix"
    # The mirror may be a snapshot.
    printf 'Acquire::Check-Valid-Until "false";\n' >"$tree/etc/apt/apt.conf.d/matrix"
    in_tree online 600 root apt-get -q update
    # Set-up and tests install what they need themselves, with sudo.
    install_in_tree "sudo git"
    [ ${#chosen[@]} -eq 0 ] || install_in_tree "$walk_packages"
    for desktop in "${chosen[@]}"; do
        packages=${desktop}_packages
        install_in_tree "$(known "${!packages}")" || echo "$release: $desktop cannot be installed" >&2
    done
    in_tree online 60 root apt-get clean
    if [ ! -d "$tree$home" ]; then
        in_tree online 60 root useradd --create-home --uid "$user_id" --shell /bin/bash "$user"
    fi
    echo "$user ALL=(ALL) NOPASSWD: ALL" >"$tree/etc/sudoers.d/matrix"
}

# known NAMES: prints those of the packages that the release has.
known() {
    # The names are separate words; the expressions are for the inner shell.
    # shellcheck disable=SC2086,SC2016
    in_tree online 300 root sh -c 'for name; do apt-cache show "$name" >/dev/null 2>&1 && echo "$name"; done; :' sh $1
}

# install_in_tree NAMES
install_in_tree() {
    # The names are separate words.
    # shellcheck disable=SC2086
    in_tree online 3600 root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $1
}

# A copy of the committed source, with the modes of an ordinary user's clone. The crates that were built for an earlier
# copy stay.
copy_source() {
    local source=$tree$home/muxtray
    rm -rf "$source.new"
    (umask 0002 && git clone --quiet --no-hardlinks "$here" "$source.new")
    [ ! -d "$source/target" ] || mv "$source/target" "$source.new/"
    rm -rf "$source"
    mv "$source.new" "$source"
    chown -R "$user_id:$user_id" "$source"
}

step_setup() {
    local log=$results/setup.log
    copy_source
    if in_tree online 3600 "$user" muxtray/packaging/setup.sh --no-start >"$log" 2>&1 &&
        in_tree online 3600 "$user" env PREFIX="$home/lean" muxtray/packaging/setup.sh --lean --no-start >>"$log" 2>&1; then
        record "$release" setup yes
    else
        record "$release" setup no
        echo "$release: the set-up failed; see $log" >&2
    fi
}

# Records the number of tests that passed, failed and were skipped. Packages and crates come from the network; the tests
# are built and run apart from it.
step_suite() {
    local log=$results/suite.log
    [ -d "$tree$home/muxtray" ] || copy_source
    # The expressions are for the inner shell.
    # shellcheck disable=SC2016
    if ! in_tree online 3600 "$user" sh -euc 'cd muxtray
        . packaging/packages.sh
        install_packages build tray test
        cargo fetch --locked --target "$(rustc -vV | sed -n "s/^host: //p")"' >"$log" 2>&1; then
        record "$release" suite "not built"
        echo "$release: packages or crates are missing; see $log" >&2
        return 1
    fi
    in_tree apart 10800 "$user" muxtray/tests/run.sh >"$log" 2>&1 || echo "$release: tests failed; see $log" >&2
    record "$release" suite "$(awk '/^test result:/ { passed += $4; failed += $6 }
        END { printf "%d passed, %d failed", passed, failed }' "$log"), $(grep -c '^skipped: ' "$log" || true) skipped"
    record "$release" openssh "$(in_tree online 60 root ssh -V 2>&1 | sed 's/^OpenSSH_\([^ ,]*\).*/\1/')"
}

step_walk() {
    local desktop build
    for desktop in "${chosen[@]}"; do
        for build in "${builds[@]}"; do
            echo "$release: $desktop, $build"
            walk "$desktop" "$build" || echo "$release: the walk on $desktop ($build) broke off; see $results/$desktop-$build.log"
        done
    done
}

# walk DESKTOP BUILD
walk() {
    local package=$1_packages pictures=$results/$1-$2 name value version
    rm -rf "$pictures"
    install -d -o "$user_id" "$pictures"
    package=${!package%% *}
    # The expression is for dpkg-query.
    # shellcheck disable=SC2016
    version=$(chroot "$tree" dpkg-query -W -f '${Version}' "$package" 2>/dev/null | sed 's/^[0-9]*://; s/[-+].*//')
    if [ -z "$version" ]; then
        echo "left out: $1; it is not installed in $tree"
        return
    fi
    # A walk that breaks off leaves no value of an earlier one.
    forget "$release $1 $2"
    record "$release $1 $2" version "$version"
    local programs=$home/.local/bin broken=no
    [ "$2" = gtk ] || programs=$home/lean/bin
    in_tree apart 900 "$user" /srv/tests/matrix/walk.sh "$1" "$programs" "/srv/results/$1-$2" \
        >"$pictures/results" 2>"$results/$1-$2.log" || broken=yes
    while read -r name value; do
        record "$release $1 $2" "$name" "$value"
    done <"$pictures/results"
    [ "$broken" = no ]
}

[ "$(id -u)" -eq 0 ] || { echo "$0: needs root, for debootstrap and mounts" >&2 && exit 1; }
mkdir -p "$directory"
failed=no
for release in "${releases[@]}"; do
    tree=$directory/$release results=$directory/results-$release
    mkdir -p "$results"
    for step in "${steps[@]}"; do
        [ "$step" != page ] || continue
        # In a subshell: one that fails does not end the others.
        set +e
        (set -e && "step_$step")
        status=$?
        set -e
        [ "$status" -eq 0 ] || { echo "$release: the step $step failed" >&2 && failed=yes && break; }
    done
    # Its mounts were in namespaces that have ended.
    [[ $keep = yes || " ${steps[*]} " != *" tree "* ]] || rm -rf --one-file-system "$tree"
done
write_page
[ "$failed" = no ]
