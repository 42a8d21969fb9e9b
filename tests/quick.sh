#!/bin/sh
# The fast check before a commit: format, lints and unit tests of the default build. Takes less than two minutes once
# the dependencies are built. Arguments go to the unit tests: tests/quick.sh diagnose
set -eu

cd "$(dirname "$0")/.."
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
export PATH

cargo fmt --check
if command -v shellcheck >/dev/null; then
    shellcheck -x .ci/run tests/*.sh tests/matrix/walk.sh icons/*.sh packaging/*.sh packaging/PKGBUILD
else
    echo "skipped: shellcheck: not installed"
fi
cargo clippy --locked --all-targets -- -D warnings
cargo test --quiet --locked --lib "$@"
