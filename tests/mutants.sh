#!/bin/sh
# Mutation testing of the pure core, by cargo-mutants: it changes one thing after the other and runs the core's unit
# tests each time. Prints the changes that no test noticed, and fails if there are any. Run by hand: it takes hours.
#
#   tests/mutants.sh [ARGUMENT…]
#
# The arguments are passed to cargo-mutants: --list, --file 'src/diagnose/**', --in-diff FILE, --jobs 2.
# .cargo/mutants.toml excludes some, each with its reason. The results are in target/mutants/mutants.out.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

version=27.1.0
find_cargo
tools=${XDG_CACHE_HOME:-$HOME/.cache}/muxtray-mutants
PATH=$PATH:$tools/bin
if ! cargo mutants --version >/dev/null 2>&1; then
    say "Installing cargo-mutants $version."
    cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "cargo-mutants@$version"
    rm -rf "$tools/build"
fi

# The core needs no other module, so it is a crate of its own here: seconds for each mutant instead of a minute.
crate=$here/target/mutants/core
rm -rf "$crate/src"
mkdir -p "$crate/src" "$crate/.cargo"
for module in model diagnose decide present; do
    cp -R "$here/src/$module" "$crate/src/"
done
cp "$here/Cargo.lock" "$here/.cargo/mutants.toml" "$crate/"
mv "$crate/mutants.toml" "$crate/.cargo/"
printf 'pub mod %s;\n' model diagnose decide present >"$crate/src/lib.rs"
{
    printf '[workspace]\n[package]\nname = "muxtray"\nversion = "0.0.0"\nedition = "2024"\n'
    printf '[profile.test]\ndebug = 0\n[dependencies]\n'
    grep -E '^(glob|humantime|serde|serde_json|thiserror|tr|unicode-width|insta|proptest) = ' "$here/Cargo.toml"
} >"$crate/Cargo.toml"

# If two dozen inputs miss a mutant, the tests depend on luck.
PROPTEST_CASES=${PROPTEST_CASES:-24}
export PROPTEST_CASES
cd "$crate"
exec cargo mutants --dir "$crate" --output "$here/target/mutants" --minimum-test-timeout 20 "$@" -- --lib
