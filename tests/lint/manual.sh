#!/bin/bash
# man/varve.1 against the program: every command and option of the table is in the manual with the same argument,
# the manual has no other, and it renders without warnings.
set -u
cd "$(dirname "$0")/../.."
varve=${1:-build}/varve
page=man/varve.1
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

# The page without font changes and escapes of hyphens.
plain() { sed -E 's/\\f[BIRP]//g; s/\\-/-/g; s/\\&//g; s/\\e/\\/g' "$page"; }
# The text of a command's section.
section() { plain | awk -v start="^\\.SS \"?varve $1( |\"|\$)" '/^\.S[SH]/ {on = 0} $0 ~ start {on = 1} on'; }
of_help() { "$varve" "$1" --help | grep -oE '^  (-.|  )[, ] --[^ ]+( [^ ]+)?( |$)' | sed -E 's/^ +//; s/ +$//; s/…/.../g' | sort; }
of_page() { section "$1" | awk '/^\.TP/ {getline; print}' | sort; }

commands=$("$varve" --help | sed -n '/^commands:/,/^$/p' | awk '/^  / {print $1}')
result "the program lists its commands" "$([ -n "$commands" ] || echo "varve --help lists none")"
for c in $commands; do
    result "the manual has all options of $c, and no other" "$(diff <(of_help "$c") <(of_page "$c"))"
    usage=$("$varve" "$c" --help | head -1 | sed 's/^usage: //; s/…/.../g; s/ $//')
    result "the manual shows how to call $c" "$(section "$c" | head -1 | grep -qF "$usage" || echo "$usage")"
done
result "the manual has no other command" "$(plain | sed -nE 's/^\.SS "?varve ([a-z]+).*/\1/p' | grep -vxF "$commands")"
rules() { grep -oE '^    \{"[A-Za-z]+"' src/lint/rules.c | grep -oE '[A-Za-z]+' | sort; }
listed() { plain | awk '/^\.SH/ {on = /CHECKS/} on' | grep -oE '^[A-Z]+[a-z][A-Za-z]+[,.]$' | tr -d ',.' | sort; }
result "the manual has all rules of --check, and no other" "$(diff <(rules) <(listed))"
if command -v groff >/dev/null; then
    result "the manual renders without warnings" "$(groff -t -ww -man -Tutf8 "$page" 2>&1 >/dev/null)"
else
    n=$((n + 1))
    echo "ok $n the manual renders without warnings # skip groff is not installed"
fi
echo "1..$n"
exit $code
