#!/usr/bin/env bash
# Code coverage of the unit tests, by cargo-llvm-cov: a table by module, and a failure if the pure core is below its
# floor. Tests of whole programs do not count: they run the programs as other users, who cannot write profiles.
#
#   tests/coverage.sh            the table
#   tests/coverage.sh --missing  also the lines of the core that no test reaches
set -euo pipefail

cd "$(dirname "$0")/.."
# In hundredths of a percent of the core's lines and regions.
lines_floor=9950
regions_floor=9925
tools=${COVERAGE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/muxtray-coverage}
version=0.9.1

PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
if [ "$(cargo llvm-cov --version 2>/dev/null)" != "cargo-llvm-cov $version" ]; then
    PATH=$tools/bin:$PATH
    if [ "$(cargo llvm-cov --version 2>/dev/null)" != "cargo-llvm-cov $version" ]; then
        echo "Installing cargo-llvm-cov $version."
        cargo install --quiet --locked --profile dev --root "$tools" --target-dir "$tools/build" "cargo-llvm-cov@$version"
        rm -rf "$tools/build"
    fi
fi
# Toolchains other than rustup's have the tools themselves or name them by LLVM_COV and LLVM_PROFDATA. LLVM reads only
# files written by its own release, so no other package's tools will do.
if command -v rustup >/dev/null && ! timeout 120 rustup component add llvm-tools; then
    echo "skipped: tests/coverage.sh: rustup cannot install llvm-tools"
    exit 0
fi

report=$(mktemp)
trap 'rm -f "$report"' EXIT
# Without a tray: its code is not the library's, and GTK only takes time.
cargo llvm-cov --locked --lib --no-default-features --json --output-path "$report"
[ "${1:-}" != --missing ] || cargo llvm-cov report --show-missing-lines | grep -E '^/.*/src/(model|diagnose|decide|present)/' || true

python3 - "$report" "$lines_floor" "$regions_floor" <<'END'
import collections, json, pathlib, sys

report, lines_floor, regions_floor = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
source = pathlib.Path("src").resolve()
rooms = collections.defaultdict(collections.Counter)
for file in json.load(open(report))["data"][0]["files"]:
    path = pathlib.Path(file["filename"])
    # The tests themselves are always reached.
    if not path.is_relative_to(source) or path.name in ("tests.rs", "samples.rs") or "tests" in path.parts:
        continue
    path = path.relative_to(source)
    room = path.parts[0] if len(path.parts) > 1 else path.stem
    for kind in ("lines", "regions"):
        for name in ("count", "covered"):
            rooms[room][kind, name] += file["summary"][kind][name]


def share(counted, kind):
    return 10000 * counted[kind, "covered"] // max(1, counted[kind, "count"])


print("\n| room | lines | regions |\n| --- | ---: | ---: |")
for room, counted in sorted(rooms.items()):
    print(f"| {room} | {share(counted, 'lines') / 100:.2f} % | {share(counted, 'regions') / 100:.2f} % |")
whole = sum(rooms.values(), collections.Counter())
print(f"| all | {share(whole, 'lines') / 100:.2f} % | {share(whole, 'regions') / 100:.2f} % |")
core = sum((rooms[name] for name in ("model", "diagnose", "decide", "present")), collections.Counter())
if share(core, "lines") < lines_floor or share(core, "regions") < regions_floor:
    sys.exit(f"the core is below its floor of {lines_floor / 100} % of lines and {regions_floor / 100} % of regions")
END
