#!/bin/sh
# Sets up and runs every test: installs what they drive, then `cargo test` with all features and without GTK.
# Arguments go to both runs of cargo test.
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
say "Testing with all features."
cargo test --locked --no-fail-fast --all-features "$@"
say "Testing the build without GTK."
cargo test --locked --no-fail-fast --no-default-features --lib --bins --test list --test list_output --test act --test config --test linkage "$@"
