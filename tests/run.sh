#!/bin/sh
# Sets up and runs every test: installs the packages they need, then runs `cargo test` on the default build, and the
# tests that differ in the lean and the server build. Arguments go to each cargo test, before its `--`.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

say "Building and testing takes about 15 minutes on two cores, and 6 GB in ${CARGO_TARGET_DIR:-$here/target}."
say "A test that cannot run here prints its name and the reason, as \"skipped: NAME: REASON\"."
find_cargo
install_packages build tray test
use_more_threads
if [ -n "$(package_manager)" ]; then
    # The packages for the desktop tests are installed: none of them may be skipped.
    MUXTRAY_TESTS_REQUIRE_DESKTOP=1
    export MUXTRAY_TESTS_REQUIRE_DESKTOP
fi

cd "$here"
say "Testing the default build."
cargo test --locked --no-fail-fast "$@"

# Only the applet and the linked libraries differ: no feature changes the library or the command line.
say "Testing the lean build, without GTK."
lean="--locked --no-fail-fast --no-default-features --features lean-tray"
# shellcheck disable=SC2086
cargo test $lean --bin muxtray-applet "$@"
# shellcheck disable=SC2086
cargo test $lean --test desktop --test system "$@" -- \
    menu:: notices:: clipboard:: open:: settings:: language:: submenu_layout:: linkage::

say "Testing the build for servers, without a tray."
cargo test --locked --no-fail-fast --no-default-features --test cli --test system "$@" -- list:: linkage::
say "All tests of the three builds have passed, but for those that were skipped."
