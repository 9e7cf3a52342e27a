#!/bin/bash
# clang-tidy over all sources, and clang-format's verdict on their layout. Both say different things in different
# versions, so the tree is held to one that Debian 12 and 13 and Ubuntu 24.04 have; without it this fails.
set -u
cd "$(dirname "$0")/../.."
build=${1:-build}
version=19
n=0 code=0
result() { # result NAME TEXT: ok when TEXT is empty
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n $1"
    else
        code=1
        echo "not ok $n $1"
        head -40 <<<"$2" | sed 's/^/# /'
    fi
}
there() { command -v "$1" >/dev/null || { echo "$1 is not installed: tests/testbed/packages.sh test" && false; }; }

layout() { git ls-files 'src/*.c' 'src/*.h' | xargs clang-format-$version --dry-run 2>&1 | grep 'warning:' | cut -d: -f1 | sort | uniq -c; }
findings() {
    git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 8 clang-tidy-$version -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option 2>/dev/null |
        grep -E '(error|warning):' | sort -u
}
result "clang-format has nothing to change" "$(there clang-format-$version && layout)"
result "clang-tidy finds nothing" "$(there clang-tidy-$version && findings)"
echo "1..$n"
exit $code
