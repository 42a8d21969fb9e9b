#!/bin/sh
# Runs the tests that act and that watch with every muxtray under strace, and has traced.py judge what each asked of the
# kernel. Only muxtray is traced, with what it starts: a master that is traced would look as if it were stopped.
# Arguments name the test modules to run instead of those chosen here.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

find_cargo
install_build_packages
install_tray_packages
install_test_packages
MUXTRAY_TESTS_REQUIRE_DESKTOP=1
export MUXTRAY_TESTS_REQUIRE_DESKTOP

cd "$here"
python3 tests/traced.py --self-test
cargo build --locked --bins

directory=$(mktemp -d /tmp/muxtray-traced.XXXXXX)
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/programs" "$directory/traces"
# The tests run muxtray as a user of their own.
chmod 755 "$directory" "$directory/programs"
chmod 1777 "$directory/traces"
built=${CARGO_TARGET_DIR:-target}/debug
cp "$built/muxtray" "$built/muxtray-applet" "$directory/programs/"

# What a rule needs to know: the calls that reach or change anything, and those that show why that is allowed. One that
# this machine does not have (?) is left out.
calls="execve,?fork,?vfork,clone,clone3,wait4,waitid,geteuid,getresuid,?readlink,readlinkat,statx,?fstat,?newfstatat"
calls="$calls,?open,openat,?openat2,?creat,?truncate,?unlink,unlinkat,?rename,?renameat,renameat2,?rmdir,?link,linkat"
calls="$calls,?symlink,symlinkat,?mknod,mknodat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,?fchmodat2,?chown,?lchown,fchown"
calls="$calls,fchownat,bind,connect,sendto,kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_open"
calls="$calls,pidfd_send_signal,io_uring_setup"
# strace runs beside muxtray (-D), which keeps its process id and its parent.
cat >"$directory/muxtray" <<END
#!/bin/sh
exec strace -D -f --seccomp-bpf -y -v -s 300 -e "trace=$calls" -o "$directory/traces/\$\$.\$(date +%s%N)" \\
    "$directory/programs/muxtray" "\$@"
END
chmod 755 "$directory/muxtray"
MUXTRAY_BIN=$directory/muxtray
export MUXTRAY_BIN

# Left out: what traces by itself (never, faults, privilege), what runs no muxtray (race, interleavings), and what measures
# one (steady, soak, linkage).
if [ $# -eq 0 ]; then
    set -- actions asking autostart config menu notices settings terminate doctor explain filesystems hostile instance \
        list list_output log network notify open persist watch
fi
modules=
for module in "$@"; do
    modules="$modules $module::"
done
# No rule can tell from asking what is done where the table shows no listener, in another network namespace, nor knows
# where a person's own link leads. The others look at the process that is strace here, or leave it no PATH.
status=0
# shellcheck disable=SC2086
cargo test --locked --no-fail-fast --test cli --test desktop --test system -- $modules --skip another_network_namespace \
    --skip an_engine_that_fails_ends_the_program --skip another_ssh_that_was_first \
    --skip glib_reads_and_starts_it --skip systemds_generator_takes_it \
    --skip a_link_to_a_file_elsewhere_stays_a_link --skip start_at_login_writes_the_file \
    --skip the_configuration_is_opened --skip opens_it_the_way_out_is_told --skip without_xdg_open || status=$?
python3 tests/traced.py "$directory/traces" || status=1
exit "$status"
