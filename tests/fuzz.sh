#!/bin/sh
# Fuzzing, without nightly and without cargo-fuzz: builds the targets in tests/fuzz, runs each over its kept corpus and
# then for a while on libFuzzer's mutations of it, and prints a table. Exits with 1 if a target fails.
#
#   tests/fuzz.sh [--keep] [SECONDS [TARGET…]]
#
# SECONDS are for each target, by default 5; 0 runs the kept corpus alone. --keep adds the inputs with new coverage to
# tests/fuzz/corpus, as few as reach everything; otherwise the corpus stays as it is.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"

keep=
if [ "${1-}" = --keep ]; then
    keep=1
    shift
fi
seconds=${1:-5}
case $seconds in
*[!0-9]*) fail "SECONDS is a whole number, not $seconds" ;;
esac
[ $# -eq 0 ] || shift

# A target with a bug may take all memory, or hang.
limits='-timeout=30 -rss_limit_mb=512 -max_len=65536'

# The same flags as cargo-fuzz: every edge counted, and every comparison reported to libFuzzer. No sanitizer, because
# stable Rust has none; the code under test has no unsafe part.
instrument='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1'

find_cargo
install_packages build fuzz

cd "$here"
host=$(rustc -vV | sed -n 's/^host: //p')
programs=target/fuzz/$host/release
artifacts=target/fuzz/artifacts
say "Building the fuzz targets into $programs."
# With --target, programs that run during the build are not instrumented.
RUSTFLAGS=$instrument cargo build --release --locked --manifest-path tests/fuzz/Cargo.toml \
    --target "$host" --target-dir target/fuzz

# Some targets write files; a filesystem in memory is faster, and spares the disk.
memory=/dev/shm
[ -w "$memory" ] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$memory/muxtray-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
TMPDIR=$scratch
export TMPDIR

# Prints the number after a word in the last line of a log that has it: number LOG WORD
number() {
    sed -n "s/.*$2 *\([0-9][0-9]*\).*/\1/p" "$1" | tail -n 1
}

# Runs one target, and adds its line to the table.
run() {
    name=$1
    log=$scratch/$name.log
    kept=tests/fuzz/corpus/$name
    grown=$scratch/$name
    mkdir -p "$kept" "$grown" "$artifacts/$name"
    find "$kept" -type f -exec cp -- {} "$grown" \;
    time=-max_total_time=$seconds
    [ "$seconds" -gt 0 ] || time=-runs=0
    result=ok
    # The limits are separate words.
    # shellcheck disable=SC2086
    "$programs/$name" $limits "$time" -print_final_stats=1 -artifact_prefix="$artifacts/$name/" "$grown" \
        >"$log" 2>&1 || result=FOUND
    if [ "$result" = FOUND ]; then
        status=1
        found=$(sed -n 's/^artifact_prefix.*Test unit written to //p' "$log" | tail -n 1)
        say "$name found something:"
        tail -n 40 "$log"
        say "Again: $programs/$name ${found:-(no input was written)}"
    elif ! grep -q 'INFO: Loaded 1 modules *([1-9]' "$log"; then
        tail -n 20 "$log"
        fail "$name was built without coverage"
    elif [ -n "$keep" ]; then
        rm -rf "$scratch/fewest"
        mkdir "$scratch/fewest"
        # By edges alone, not by how often each is passed: otherwise it would be ten times as many.
        # shellcheck disable=SC2086
        "$programs/$name" $limits -set_cover_merge=1 -use_counters=0 "$scratch/fewest" "$kept" "$grown" >"$log.merge" 2>&1 ||
            fail "the corpus of $name could not be minimised: $(tail -n 3 "$log.merge")"
        rm -rf "$kept"
        cp -R "$scratch/fewest" "$kept"
    fi
    before=$(sed -n 's/.*INITED *cov: *\([0-9]*\).*/\1/p' "$log")
    printf '%-14s %-6s %10s %8s %9s %9s %7s\n' "$name" "$result" "$(number "$log" 'stat::number_of_executed_units:')" \
        "$(number "$log" 'stat::average_exec_per_sec:')" "${before:--}" "$(number "$log" ' cov:')" \
        "$(find "$kept" -type f | wc -l)" >>"$scratch/table"
}

status=0
[ $# -gt 0 ] || set -- tests/fuzz/fuzz_targets/*.rs
for target in "$@"; do
    name=$(basename "$target" .rs)
    [ -x "$programs/$name" ] || fail "there is no target $name"
    say "Running $name for $seconds s."
    run "$name"
done
printf '%-14s %-6s %10s %8s %9s %9s %7s\n' target result runs runs/s 'cov kept' 'cov now' corpus
cat "$scratch/table"
exit "$status"
