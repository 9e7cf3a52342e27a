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
# The page of each command.
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
# shellcheck disable=SC2086
man/pages.sh "$varve" "$page" "$pages" $commands
of_own_page() { sed -E 's/\\f[BIRP]//g; s/\\-/-/g' "$pages/varve-$1.1" | awk '/^\.TP/ {getline; print}' | sort; }
result "every command has a page that is installed" \
    "$(diff <(echo "$commands") <(sed -n '/^man_commands = /,/]/p' man/meson.build | grep -oE "'[a-z]+'" | tr -d "'"))"
for c in $commands; do
    result "the page of $c has its options, and a description" "$(diff <(of_help "$c") <(of_own_page "$c"); \
        sed -n '/^\.SH DESCRIPTION/,/^\.SH [OE]/p' "$pages/varve-$c.1" | grep -q '^[A-Z]' || echo "no description")"
done
result "the manual has no other command" "$(plain | sed -nE 's/^\.SS "?varve ([a-z]+).*/\1/p' | grep -vxF "$commands")"
rules() { grep -oE '^    \{"[A-Za-z]+"' src/lint/rules.c | grep -oE '[A-Za-z]+' | sort; }
listed() { plain | awk '/^\.SH/ {on = /CHECKS/} on' | grep -oE '^[A-Z]+[a-z][A-Za-z]+[,.]$' | tr -d ',.' | sort; }
result "the manual has all rules of --check, and no other" "$(diff <(rules) <(listed))"

# The table of DOCKERFILES. Its first column names what the second one lists.
table() { plain | sed -n '/^\.TS/,/^\.TE/p'; }
features() { table | awk '/^T\{$/ {getline; print; next} /\tT\{$/ {sub(/\tT\{$/, ""); print}'; }
# The second column of the row whose first one is $1.
row() { table | awk -v name="$1" '/^T\}$/ {on = 0} on; {f = $0} sub(/\tT\{$/, "", f) {if (f == "T}") f = cell; on = f == name; cell = ""} {cell = $0}'; }
words() { grep -oE -- "$1" | sort -u; }
strings() { grep -oE '"[^"]+"' | tr -d '"' | sort -u; } # string literals

names() { sed -nE "s/.*\\{INSTRUCTION_$1, \"([a-z-]+)\".*/--\\1/p" src/dockerfile/flags.c | sort; }
for i in $(sed -nE 's/.*\{INSTRUCTION_([A-Z]+), .*/\1/p' src/dockerfile/flags.c | sort -u); do
    result "the table has the flags of $i, and no other" "$(diff <(names "$i") <(row "$i" | words '--[a-z-]+'))"
done

keys() { sed -n '/^} keys\[\]/,/^};/p' src/dockerfile/mount.c | strings | grep -vx type; }
types() { sed -n '/ mount_type_names\[\]/,/^};/p' src/base/mounttype.c | strings; }
for t in $(types); do
    result "the table has mount type $t" "$(features | grep -qxF -e "RUN --mount=type=$t" || echo "no row")"
done
result "the table has all keys of mounts" "$(diff <(keys) <(for t in $(types); do row "RUN --mount=type=$t"; done | words '[a-z]+' | grep -xFf <(keys)))"

offered() { "$varve" build --help | grep -oE '^  (-.|  )[, ] --[a-z-]+' | grep -oE -- '--[a-z-]+' | sort; }
listed_as() { row "build options $1" | words '--[a-z-]+'; }
result "the table has the options of build, and no other" \
    "$(diff <(offered) <({ listed_as "as Docker"; row "varve's own build options" | words '--[a-z-]+'; } | sort))"
for o in $(listed_as "that do nothing"); do
    result "$o is noted" "$("$varve" build "$o" x 2>&1 | grep -q "note: $o has no effect" || echo "no note")"
done
for o in $(listed_as "not supported"); do
    result "$o is refused" "$("$varve" build "$o=x" . 2>&1 | grep -q "error: $o is not supported" || echo "no error")"
done
hidden() { grep -oE '^    \{"[a-z-]+", 0, OPTION_[A-Z]+, [^}]*NULL\},$' src/cli/build_options.c | grep 'NULL, NULL}\|OPTION_NOTED' | grep -oE '"[a-z-]+"' | tr -d '"' | sed 's/^/--/' | sort; }
result "the table has the hidden options of build, and no other" "$(diff <(hidden) <({ listed_as "that do nothing"; listed_as "not supported"; } | sort))"

parts() { sed -n '/ parts\[\]\[2\] = /,/;/p' src/dockerfile/autoargs.c | grep -oE '\{"[A-Z]+"' | tr -d '{"'; }
automatic() { { parts | sed 's/^/BUILD/'; parts | sed 's/^/TARGET/'; grep -ohE '"TARGET[A-Z]+"' src/dockerfile/autoargs.c | strings | grep -vx TARGET; } | sort -u; }
result "the table has the automatic ARGs, and no other" "$(diff <(automatic) <(row "automatic ARGs" | words '(TARGET|BUILD)[A-Z]+'))"
result "the table has the predefined ARGs, and no other" \
    "$(diff <(grep -ohE '"[A-Z]+_PROXY"' src/graph/lower.c | tr -d '"' | sort) <(row "predefined ARGs" | words '[A-Z]+_PROXY'))"
result "the table has the built-in arguments, and no other" \
    "$(diff <(grep -rhoE '"BUILDKIT_[A-Z_]+|"SOURCE_DATE_EPOCH' src | tr -d '"' | grep -vE "PROGRESS|SBOM_SCAN|AZURE" | sort -u) <(row "built-in arguments" | words '(BUILDKIT_[A-Z_]+|SOURCE_DATE_EPOCH)'))"
instructions() { grep -rhoE '\[INSTRUCTION_[A-Z]+\] = "[A-Z]+"' src/dockerfile | strings; }
result "the program has instructions" "$(instructions | grep -qx ONBUILD || echo none)"
result "the table has all instructions, and no other" "$(diff <(instructions) <(features | grep -E '^[A-Z]+(, [A-Z]+)*$' | grep -oE '[A-Z]+' | sort -u))"
outputs() { sed -n '/^} types\[\]/,/};/p' src/output/parse.c | strings; sed -n '/keys\[\] = /,/};/p' src/output/parse.c | strings | grep -vx type; }
result "the table has the types and keys of outputs" \
    "$(for k in $(outputs); do { row outputs; row "outputs of images"; } | grep -qE "(^|[ =])$k([,; ]|\$)" || echo "$k"; done)"

if command -v groff >/dev/null; then
    result "the manual renders without warnings" "$(for p in "$page" "$pages"/*.1; do { echo .pl 9999i; cat "$p"; } | groff -t -ww -man -Tutf8 2>&1 >/dev/null; done)"
else
    n=$((n + 1))
    echo "ok $n the manual renders without warnings # skip groff is not installed"
fi
echo "1..$n"
exit $code
