#!/bin/bash
# Fuzzes: tests/fuzz/run.sh BUILD_DIR SECONDS [TARGET…]. BUILD_DIR is one made with -Dfuzz=true (HACKING.md). New inputs
# go to BUILD_DIR/corpus, findings to BUILD_DIR/findings: add them, mended and named, to tests/fuzz/corpus/TARGET.
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "$1") seconds=$2 code=0
shift 2
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for d in tests/fuzz/corpus/*/; do targets+=("$(basename "$d")"); done
fi
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 G_SLICE=always-malloc UBSAN_OPTIONS=print_stacktrace=1
for t in "${targets[@]}"; do
    mkdir -p "$build/corpus/$t" "$build/findings"
    "$build/tests/fuzz-$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -entropic=0 -verbosity=0 \
        -artifact_prefix="$build/findings/$t-" "$build/corpus/$t" "tests/fuzz/corpus/$t" >"$build/findings/$t.log" 2>&1
    rc=$?
    echo "$t: exit $rc, $(grep -oE 'number_of_executed_units: .*' "$build/findings/$t.log" | grep -oE '[0-9]+$') runs"
    [ $rc -eq 0 ] || { code=1; tail -40 "$build/findings/$t.log"; }
done
exit $code
