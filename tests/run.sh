#!/bin/bash
# Runs every test: tests/run.sh BUILD_DIR [SUITE…]. Suites: unit lint cli conformance rootless, and when it is named kernels.
# Each writes TAP into BUILD_DIR/test-logs; the last line printed is "N passed, N failed".
set -u
cd "$(dirname "$0")/.."
build=$(realpath -m "${1:-build}")
shift || true
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(unit lint cli conformance rootless)
logs=$build/test-logs
mkdir -p "$logs"
rm -f "$logs"/*.tap "$logs"/*.code
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
unit_tests() { python3 -c 'import json, sys; print(*sorted({t["cmd"][0] for t in json.load(open(sys.argv[1]))}), sep="\n")' "$build/meson-info/intro-tests.json"; }

ninja -C "$build" >"$logs/build.log" 2>&1 || { tail -40 "$logs/build.log"; echo "0 passed, 1 failed"; exit 1; }

for suite in "${suites[@]}"; do
    echo "== $suite"
    case $suite in
    unit)
        export G_TEST_SRCDIR=$PWD G_DEBUG=fatal-warnings
        mapfile -t programs < <(unit_tests)
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
    kernels) LIMIT=5400 run_tap kernels tests/kernels.sh "$build" ;;
    *) echo "unknown suite $suite" >&2; exit 2 ;;
    esac
done

[ "$skipped" -eq 0 ] || echo "$skipped skipped (see $logs)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
