#!/bin/sh
# Runs the tests that act and that watch with every muxtray under strace, and checks each one's system calls with
# traced.py. Only muxtray and the programs it starts are traced: a traced master would look as if it were stopped.
# Arguments name the test modules to run instead of those chosen here.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

find_cargo
install_packages build tray test
use_more_threads
MUXTRAY_TESTS_REQUIRE_DESKTOP=1
export MUXTRAY_TESTS_REQUIRE_DESKTOP

cd "$here"
python3 tests/traced.py --self-test
cargo test --locked --no-run --test system

directory=$(mktemp -d /tmp/muxtray-traced.XXXXXX)
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/programs" "$directory/traces"
# The tests run muxtray as a user of their own.
chmod 755 "$directory" "$directory/programs"
chmod 1777 "$directory/traces"
built=${CARGO_TARGET_DIR:-target}/debug
cp "$built/muxtray" "$built/muxtray-applet" "$directory/programs/"

calls=$(python3 tests/traced.py --calls)
# strace runs beside muxtray (-D), which keeps its process id and its parent.
cat >"$directory/muxtray" <<END
#!/bin/sh
exec strace -D -f --seccomp-bpf -y -v -s 300 -e "trace=$calls" -o "$directory/traces/\$\$.\$(date +%s%N)" \\
    "$directory/programs/muxtray" "\$@"
END
chmod 755 "$directory/muxtray"
MUXTRAY_BIN=$directory/muxtray
export MUXTRAY_BIN

# Left out: modules that trace by themselves (never, faults, privilege), that run no muxtray (race, interleavings), and
# that measure it (steady, soak, linkage).
if [ $# -eq 0 ]; then
    set -- actions asking autostart config menu notices settings terminate doctor explain filesystems hostile instance \
        list list_output log network notify open persist watch
fi
modules=
for module in "$@"; do
    modules="$modules $module::"
done
# In another network namespace the table shows no listener, and no rule can know where a person's own link leads. The
# other tests look at the process, which is strace here, or leave it no PATH.
status=0
# shellcheck disable=SC2086
cargo test --locked --no-fail-fast --test cli --test desktop --test system -- $modules --skip another_network_namespace \
    --skip engine_failure_exits_with_3 --skip another_ssh_that_was_first \
    --skip glib_reads_and_starts_it --skip systemds_generator_takes_it \
    --skip a_link_to_a_file_elsewhere_stays_a_link --skip start_at_login_writes_file \
    --skip open_configuration_runs_xdg_open --skip failing_xdg_open_shows_path --skip missing_xdg_open_shows_path || status=$?
python3 tests/traced.py "$directory/traces" || status=1
exit "$status"
