#!/bin/sh
# Sets up and runs every test: installs what they drive, then `cargo test` as people build it, and what differs in the
# lean build and in the one for servers. Arguments go to all three runs of cargo test.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

find_cargo
install_build_packages
install_tray_packages
install_test_packages
# From here on a desktop test that finds nothing to drive fails instead of being skipped.
MUXTRAY_TESTS_REQUIRE_DESKTOP=1
export MUXTRAY_TESTS_REQUIRE_DESKTOP

cd "$here"
say "Testing the default build."
cargo test --locked --no-fail-fast "$@"
say "Testing the lean build, without GTK."
cargo test --locked --no-fail-fast --no-default-features --features lean-tray \
    --bin muxtray-applet --test desktop --test desktop_notices --test desktop_clipboard --test desktop_open --test desktop_settings --test desktop_words --test linkage "$@"
say "Testing the build for servers, without a tray."
cargo test --locked --no-fail-fast --no-default-features --lib --bins --test list --test list_output --test act --test autostart --test config --test linkage "$@"
