#!/bin/bash
# Runs every test: tests/run.sh BUILD_DIR [SUITE…]. Suites: unit lint cli conformance rootless, and when they are named
# sanitize, tsan and kernels.
# Each writes TAP into BUILD_DIR/test-logs; the last line printed is "N passed, N failed".
set -u
cd "$(dirname "$0")/.."
build=$(realpath -m "${1:-build}")
shift || true
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(unit lint cli conformance rootless)
logs=$build/test-logs
mkdir -p "$logs"
rm -f "$logs"/*.tap "$logs"/*.code "$logs"/report.*
passed=0 failed=0 skipped=0

# Adds one TAP file to the totals and shows what failed. $2: the exit code of what wrote it.
count() {
    local file=$1 code=$2 name ok bad skip
    name=$(basename "$file" .tap)
    ok=$(grep -c '^ok ' "$file")
    bad=$(grep -c '^not ok ' "$file")
    skip=$(grep -ciE '^ok .*# *skip' "$file")
    # A program that can do nothing here says so for all its tests at once.
    if grep -qiE '^1\.\.0 # *skip' "$file" && [ "$code" -eq 0 ]; then ok=1 skip=1; fi
    if [ "$bad" -eq 0 ] && [ "$code" -ne 0 ]; then
        echo "not ok - $name ended with code $code" >>"$file"
        bad=1
    fi
    if [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then
        echo "not ok - $name ran no test" >>"$file"
        bad=1
    fi
    passed=$((passed + ok - skip)) failed=$((failed + bad)) skipped=$((skipped + skip))
    printf '%-34s %4d passed  %3d failed  %3d skipped\n' "$name" $((ok - skip)) "$bad" "$skip"
    grep -iE '^(ok|1\.\.0) .*# *skip' "$file" | sed -E 's/^ok /    skipped /; s/^1\.\.0 # *skip:? */    all skipped: /I' | cut -c1-200
    if [ "$bad" -gt 0 ]; then
        grep -A12 '^not ok ' "$file" | head -60
        [ "$ok" -gt 0 ] || tail -15 "$file"
    fi
}

run_tap() {
    local name=$1
    shift
    timeout -k 10 "${LIMIT:-900}" "$@" </dev/null >"$logs/$name.tap" 2>&1 # on a terminal nothing asks
    count "$logs/$name.tap" $?
}

# Files of commands: as many at once as there are processors, since most wait more than they work; those that
# measure time, or look at all processes of the user, alone. Told of in order.
alone=" crash network cgroup consumers load "
run_cli() {
    local t name
    export VARVE=$build/varve
    ls tests/cli/*.bats | while read -r t; do
        name=$(basename "$t" .bats)
        [[ $alone == *" $name "* ]] || echo "$name"
    done | xargs -P "$(nproc)" -I{} bash -c \
        'timeout -k 10 900 bats --tap tests/cli/{}.bats </dev/null >"$0/cli-{}.tap" 2>&1; echo $? >"$0/cli-{}.code"' "$logs"
    for t in tests/cli/*.bats; do
        name=$(basename "$t" .bats)
        if [[ $alone == *" $name "* ]]; then
            run_tap "cli-$name" bats --tap "$t"
        else
            count "$logs/cli-$name.tap" "$(cat "$logs/cli-$name.code")"
        fi
    done
}

# The programs of the unit tests: Meson's list, since those of tests that are gone stay in the folder.
unit_tests() { python3 -c 'import json, sys; print(*sorted({t["cmd"][0] for t in json.load(open(sys.argv[1]))}), sep="\n")' "$1/meson-info/intro-tests.json"; }

# Builds BUILD_DIR-NAME with more options of Meson. FALSE, told of, when that fails.
build_beside() {
    local name=$1 dir=$build-$1
    shift
    { [ -e "$dir/build.ninja" ] || meson setup "$dir" "$@"; } >"$logs/build-$name.log" 2>&1 && ninja -C "$dir" >>"$logs/build-$name.log" 2>&1 && return
    { echo "not ok - the build for $name" && tail -40 "$logs/build-$name.log"; } >"$logs/$name-build.tap"
    count "$logs/$name-build.tap" 1
    return 1
}

# What a sanitizer reports is a failure, whatever the program that it was found in made of it: the reports are files.
count_reports() {
    local suite=$1 report
    { for report in "$logs"/report.*; do
        [ -e "$report" ] || { echo "ok - no reports" && continue; }
        echo "not ok - a report in $report"
        grep -m 12 -E 'ERROR|WARNING|runtime error|^ +#' "$report"
    done; } >"$logs/$suite-reports.tap"
    count "$logs/$suite-reports.tap" 0
}

# AddressSanitizer and UndefinedBehaviorSanitizer. Leaks are looked for by tests/unit/build/leaks-test.c, not here.
run_sanitized() {
    local t name
    export ASAN_OPTIONS="detect_leaks=0:log_path=$logs/report" UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:log_path=$logs/report"
    build_beside sanitize -Db_sanitize=address,undefined -Doptimization=1 || return
    unit_tests "$build-sanitize" | while read -r t; do
        name=$(basename "$t" | sed s/^test-//)
        printf '%s\n%s\n' "$name" "$t"
    done | xargs -P "$(nproc)" -n 2 bash -c 'timeout -k 10 600 "$2" --tap </dev/null >"$0/sanitize-$1.tap" 2>&1; echo $? >"$0/sanitize-$1.code"' "$logs"
    for t in "$logs"/sanitize-*.code; do count "${t%.code}.tap" "$(cat "$t")"; done
    LIMIT=1800 run_tap sanitize-conformance tests/conformance/run.sh "$build-sanitize/varve"
    count_reports sanitize
    unset ASAN_OPTIONS UBSAN_OPTIONS
}

# The unit tests of the rooms that have threads, under ThreadSanitizer.
threaded=" base build-batch build-concurrent cache-share cancel layer-apply layer-export layer-object output-image registry-faults solver-chains solver-graphs solver-share store-lock store-record tree-scan work "
run_tsan() {
    local t name
    export G_SLICE=always-malloc TSAN_OPTIONS="die_after_fork=0:log_path=$logs/report"
    build_beside tsan -Db_sanitize=thread -Db_lundef=false || return
    while read -r t; do
        name=$(basename "$t" | sed s/^test-//)
        [[ $threaded != *" $name "* ]] || LIMIT=900 run_tap "tsan-$name" "$t" --tap
    done < <(unit_tests "$build-tsan")
    count_reports tsan
    unset G_SLICE TSAN_OPTIONS
}

ninja -C "$build" >"$logs/build.log" 2>&1 || { tail -40 "$logs/build.log"; echo "0 passed, 1 failed"; exit 1; }

export G_TEST_SRCDIR=$PWD G_DEBUG=fatal-warnings
for suite in "${suites[@]}"; do
    echo "== $suite"
    case $suite in
    unit)
        mapfile -t programs < <(unit_tests "$build")
        for t in "${programs[@]}"; do LIMIT=300 run_tap "unit-$(basename "$t" | sed s/^test-//)" "$t" --tap; done
        ;;
    lint) for t in tests/lint/*.sh; do run_tap "lint-$(basename "$t" .sh)" "$t" "$build"; done ;;
    cli) run_cli ;;
    conformance) LIMIT=1800 run_tap conformance tests/conformance/run.sh "$build/varve" ;;
    rootless)
        LIMIT=1800 run_tap rootless tests/rootless.sh "$build/varve"
        run_tap rootless-escape tests/rootless.sh --bats tests/cli/escape.bats "$build/varve"
        run_tap rootless-network tests/rootless.sh --bats tests/cli/network.bats "$build/varve"
        run_tap rootless-reach tests/rootless.sh --bats tests/cli/reach.bats "$build/varve"
        LIMIT=1800 run_tap rootless-single-id tests/rootless.sh --single "$build/varve"
        ;;
    sanitize) run_sanitized ;;
    tsan) run_tsan ;;
    kernels) LIMIT=12000 run_tap kernels tests/kernels.sh "$build" ;;
    *) echo "unknown suite $suite" >&2; exit 2 ;;
    esac
done

[ "$skipped" -eq 0 ] || echo "$skipped skipped (see $logs)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
