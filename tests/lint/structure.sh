#!/bin/bash
# The house rules that a machine can check: include ranks, sizes of files and functions, words that do not belong.
set -u
build=$(realpath -m "${1:-build}")
cd "$(dirname "$0")/../.."
n=0 code=0
result() { # result NAME TEXT: ok when TEXT is empty
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n $1"
    else
        code=1
        echo "not ok $n $1"
        sed 's/^/# /' <<<"$2"
    fi
}

# The order of the rooms is the build's (meson.build).
mapfile -t rooms < <(sed -n '/^rooms = /,/\]/p' meson.build | grep -oE "'[a-z]+'" | tr -d "'")
ranks() {
    git grep -oE '^#include "[a-z]+/' -- 'src/*.c' 'src/*.h' | sort -u | awk -v rooms="${rooms[*]}" -F'[/:"]' '
        BEGIN {n = split(rooms, r, " "); for (i = 1; i <= n; i++) rank[r[i]] = i}
        {file = $0; sub(/:.*/, "", file); used = $(NF - 1)}
        !(used in rank) {print file " includes from " used ", which is no room"; next}
        rank[used] > rank[$2] {print file " includes " used "/, which is below " $2 "/"}'
}
result "include ranks follow the table" "$(ranks)"

sqlite() { git grep -lE 'sqlite3' -- src | grep -v '^src/store/'; }
result "only store/ knows SQLite" "$(sqlite)"

prints() { git grep -nE '\b(exit|printf|puts|g_print|g_printerr)\(|fprintf\(std(out|err)' -- 'src/*.c' | grep -vE '^src/(cli)/|_exit\(|snprintf|g_strdup_printf|vprintf'; }
result "only cli/ prints or exits" "$(prints)"

# What front doors share is told everything: it looks at no environment, terminal or standard stream.
process() { git grep -nE '\b(g_)?getenv\(|\bisatty\(|\bFILE \*|\b(STDIN|STDOUT|STDERR)_FILENO\b|\bstd(in|out|err)\b[^_]' -- 'src/run/*.c' 'src/run/*.h' | grep -vE ':[0-9]+: *(/?\*|//)|/\*.*std(in|out)'; }
result "run/ asks nothing of its process" "$(process)"

# Below build/ a process may serve several users: what their environment says comes as values (build/userenv.h).
below=$(printf '%s\n' "${rooms[@]}" | sed '/^build$/,$d; s,.*,src/&,')
environment() { git grep -nE '\b(g_|secure_)?getenv\(|\bg_get_(environ|home_dir|tmp_dir|user_[a-z]+_dir)\(|\benviron\b' -- $below | grep -vE ':[0-9]+: *(/?\*|//)'; }
result "nothing below build/ reads the environment" "$(environment)"

# One HTTP stack: only net/ speaks to libcurl.
http() { git grep -nE '"net/(curl|exchange)\.h"|<curl/' -- src | grep -v '^src/net/'; }
result "only net/ knows libcurl" "$(http)"

big() { git ls-files 'src/*.c' | xargs wc -l | awk '$2 != "total" && $1 > 700 {print $2 ": " $1 " lines"}'
        git ls-files 'src/*.h' | xargs wc -l | awk '$2 != "total" && $1 > 150 {print $2 ": " $1 " lines"}'; }
result "files stay small" "$(big)"

functions() { git ls-files 'src/*.c' | ctags -L - --languages=C --kinds-C=f --fields=+ne -o - 2>/dev/null |
    awk -F'\t' '{s=e=0; for (i=4;i<=NF;i++) {if ($i ~ /^line:/) s=substr($i,6); if ($i ~ /^end:/) e=substr($i,5)} if (e) print e-s+1, $2, $1}'; }
result "no function is over 100 lines" "$(functions | awk '$1 > 100 {print $2 " " $3 ": " $1 " lines"}')"
median=$(functions | sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}')
result "the median function is at most 15 lines" "$([ "$median" -le 15 ] || echo "median $median")"
ninety=$(functions | sort -n | awk '{v[NR]=$1} END {print v[int(NR*0.9)]}')
result "nine functions in ten are at most 50 lines" "$([ "$ninety" -le 50 ] || echo "ninth decile $ninety")"

# A backtrace, a profile or a search for "add" says nothing when seven files have one.
statics() { git ls-files 'src/*.c' | ctags -L - --languages=C --kinds-C=f --fields=+f -o - 2>/dev/null |
    awk -F'\t' '/\tfile:/ && !seen[$1, $2]++ {n[$1]++; files[$1] = files[$1] " " $2} END {for (f in n) if (n[f] > 2) print f " is static in" files[f]}' | sort; }
result "no static function's name is in more than two files" "$(statics)"

unfinished() { git grep -nE '\b(TODO|FIXME|XXX)\b' -- src tests/unit Makefile; }
result "nothing is marked as unfinished" "$(unfinished)"

purposes() { git ls-files 'src/*.h' | while read -r f; do [ "$(head -c 2 "$f")" = "/*" ] || echo "$f does not begin with what it is for"; done; }
result "every header begins with what it is for" "$(purposes)"
result "every field of a header's struct says what it is" "$(git ls-files 'src/*.h' | xargs tests/lint/fields.py)"

# The linker takes the first of two functions of one name from a library, whatever their arguments, and says nothing.
symbols() { nm --defined-only "$build/libvarve.a" "$build"/varve.p/*.o | awk 'NF == 3 && $2 ~ /^[TDBR]$/ {print $3 " is defined twice"}' | sort | uniq -d; }
result "no two rooms define the same name" "$([ -e "$build/libvarve.a" ] && symbols || echo "$build has no libvarve.a: build it first")"

# What no other object file (unit tests' included) refers to.
private() {
    find "$build" -name '*.o' -not -path '*/varve-init.p/*' -exec nm -A --undefined-only {} + | awk '{print $NF}' | sort -u >"$build/test-logs/referred"
    nm -A --defined-only "$build"/libvarve.a.p/*.o "$build"/varve.p/*.o | awk '$2 == "T" && $3 != "main" {sub(/\.c\.o:.*/, ".c", $1); sub(/.*\/src_/, "src/", $1); sub("_", "/", $1); print $3 " of " $1}' |
        sort | awk 'NR == FNR {referred[$1] = 1; next} !($1 in referred) {print $0 " is used in that file alone: make it static"}' "$build/test-logs/referred" -
    rm -f "$build/test-logs/referred"
}
result "functions that one file alone uses are static" "$(private)"

scripts() { git ls-files '*.sh' '*.bash' .ci/run | xargs -r bash -n 2>&1; }
result "scripts parse" "$(scripts)"
# bats takes no notice of a command that "!" inverts, unless it is the last one.
inverted() { git grep -nE '^[[:space:]]+! ' -- 'tests/*.bats' 'tests/*.bash'; }
result "tests do not invert commands: run ! COMMAND, or if" "$(inverted)"
echo "1..$n"
exit $code
