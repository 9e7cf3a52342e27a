#!/bin/bash
# Fuzzes: tests/fuzz/run.sh BUILD_DIR SECONDS [TARGET…], SECONDS of processor time for each target. BUILD_DIR is one made with
# -Dfuzz=true (HACKING.md). New inputs go to BUILD_DIR/corpus, findings to BUILD_DIR/findings: add them, mended and named, to
# tests/fuzz/corpus/TARGET.
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "$1") seconds=$2 code=0
interrupted=72 # libFuzzer's exit code for SIGINT
shift 2
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for d in tests/fuzz/corpus/*/; do targets+=("$(basename "$d")"); done
fi
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 G_SLICE=always-malloc UBSAN_OPTIONS=print_stacktrace=1

# Whole seconds of processor time that a process has used.
spent() { ps -o cputimes= -p "$1" 2>/dev/null | tr -d ' '; }

# libFuzzer only knows seconds on the wall, which mean little on a busy machine: it is interrupted when it has had its time.
fuzz() {
    local t=$1 log=$2 pid now
    "$build/tests/fuzz-$t" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 -entropic=0 -verbosity=0 \
        -artifact_prefix="$build/findings/$t-" "$build/corpus/$t" "tests/fuzz/corpus/$t" >"$log" 2>&1 &
    pid=$! used=0
    while [ "$used" -lt "$seconds" ] && now=$(spent $pid) && [ -n "$now" ]; do
        used=$now
        sleep 1
    done
    kill -INT $pid 2>/dev/null
    wait $pid
}

for t in "${targets[@]}"; do
    mkdir -p "$build/corpus/$t" "$build/findings"
    fuzz "$t" "$build/findings/$t.log"
    rc=$?
    [ $rc -ne $interrupted ] || rc=0
    echo "$t: exit $rc, $used s of processor time, $(grep -oE 'number_of_executed_units: .*' "$build/findings/$t.log" | grep -oE '[0-9]+$') runs"
    [ $rc -eq 0 ] || { code=1; tail -40 "$build/findings/$t.log"; }
done
exit $code
