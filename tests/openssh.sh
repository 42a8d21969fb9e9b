#!/bin/sh
# Runs the tests that use ssh and sshd against another OpenSSH than the installed one. DIR is the prefix of an upstream
# `make install`, or the root of another system's tree (debootstrap). Its programs run with their own libraries.
# Needs root, for a mount namespace in which these programs stand at the places of the installed ones.
#
#   tests/openssh.sh DIR [cargo test's arguments]
set -eu

cd "$(dirname "$0")/.."
# shellcheck source=packaging/packages.sh
. packaging/packages.sh
dir=${1:-${MUXTRAY_TEST_SSH_DIR:-}}
[ -d "$dir" ] || fail "usage: tests/openssh.sh DIR [cargo test's arguments]"
[ "$(id -u)" = 0 ] || fail "needs root: only root can put other programs in the places of the installed ones"
[ $# = 0 ] || shift
dir=$(readlink -f "$dir")
find_cargo
use_more_threads

work=$(mktemp -d /tmp/muxtray-openssh.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
libraries=$dir/usr/lib64:$dir/usr/lib
for directory in "$dir"/usr/lib/*-linux-*; do
    libraries=$libraries:$directory
done

# Copies a program; one of a tree finds the tree's dynamic linker and libraries, which are newer or older than the host's.
copy() {
    install -m 755 "$1" "$2"
    interpreter=$(patchelf --print-interpreter "$2" 2>/dev/null) || return 0
    if [ -e "$dir$interpreter" ]; then
        patchelf --set-interpreter "$dir$interpreter" --force-rpath --set-rpath "$libraries" "$2"
    fi
}

first_of() {
    for found; do
        if [ -e "$found" ]; then
            echo "$found"
            return
        fi
    done
    fail "$1: no such file"
}

command -v patchelf >/dev/null || fail "patchelf is not installed"
for program in ssh ssh-add ssh-agent ssh-keygen sshd; do
    source=$(first_of "$dir/bin/$program" "$dir/sbin/$program" "$dir/usr/bin/$program" "$dir/usr/sbin/$program")
    copy "$source" "$work/$program"
    echo "$(command -v "$program") $work/$program" >>"$work/mounts"
done
# A tree's sshd starts its helpers (sshd-session, since 9.8) by their places in the tree; a prefix names its own.
for helpers in usr/lib/openssh usr/libexec/openssh usr/lib/ssh; do
    if [ -d "$dir/$helpers" ]; then
        [ -d "/$helpers" ] || fail "/$helpers: no such directory, but this OpenSSH has its helpers there"
        mkdir "$work/helpers"
        for helper in "$dir/$helpers"/*; do
            copy "$helper" "$work/helpers/${helper##*/}"
        done
        echo "/$helpers $work/helpers" >>"$work/mounts"
    fi
done

[ $# -gt 0 ] || set -- --lib --test cli --test system
# shellcheck disable=SC2016
unshare --mount --propagation private sh -euc '
    while read -r place program; do
        mount --bind "$program" "$place"
    done <"$0"
    for program in ssh sshd; do
        echo "$program: $($program -V 2>&1 | grep -m 1 OpenSSH_)"
    done
    exec cargo test --locked --no-fail-fast "$@"
' "$work/mounts" "$@"
