#!/bin/bash
# clang-tidy over all sources, and clang-format's verdict on their layout. Both say different things in different
# versions, so the tree is held to version 14's (Debian 12's) and elsewhere skipped.
set -u
cd "$(dirname "$0")/../.."
build=${1:-build}
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
version14() { "$1" --version 2>/dev/null | grep -q 'version 14\.'; }

if version14 clang-format; then
    result "clang-format has nothing to change" \
        "$(git ls-files 'src/*.c' 'src/*.h' | xargs clang-format --dry-run 2>&1 | grep 'warning:' | cut -d: -f1 | sort | uniq -c)"
else
    n=$((n + 1)) && echo "ok $n clang-format # SKIP version 14 is not installed"
fi
if version14 clang-tidy; then
    result "clang-tidy finds nothing" \
        "$(git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 8 clang-tidy -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option 2>/dev/null | grep -E '(error|warning):' | sort -u)"
else
    n=$((n + 1)) && echo "ok $n clang-tidy # SKIP version 14 is not installed"
fi
echo "1..$n"
exit $code
