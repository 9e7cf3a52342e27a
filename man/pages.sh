#!/bin/bash
# A page for each command, varve-COMMAND.1, made of its section in varve.1 and of what `varve COMMAND --help` says of it.
#
# usage: pages.sh VARVE varve.1 FOLDER COMMAND…
set -euo pipefail
varve=$1 page=$2 folder=$3
shift 3

# Text of the program as text of a page: nothing in it is a request or an escape.
roff() { sed -e 's/\\/\\e/g; s/-/\\-/g; s/…/.../g' -e "s/^\([.']\)/\\\\\&\1/"; }

# The part of a command's help that begins with the line $2.
part() { "$varve" "$1" --help | awk -v start="$2" '!NF {on = 0} on; $0 == start {on = 1}'; }

# The section without its heading; its options get one of their own.
section() {
    awk -v start="^\\.SS \"?varve $1([ \"]|\$)" '
        on && /^\.S[SH]/ {exit}
        on && /^\.TP/ && !options {print ".SH OPTIONS"; options = 1}
        on
        $0 ~ start {on = 1}' "$page"
}

write_page() {
    local upper=${1^^}
    printf '%s\n' "'\\\" t" ".TH VARVE\\-$upper 1 \"\" \"varve\" \"User commands\"" ".SH NAME"
    printf 'varve\\-%s \\- %s\n' "$1" "$("$varve" "$1" --help | sed -n 3p | roff)"
    printf '.SH SYNOPSIS\n.nf\n%s\n.fi\n' "$("$varve" "$1" --help | sed -n '1s/^usage: //p' | roff)"
    printf '.SH DESCRIPTION\n'
    section "$1"
    printf '.SH EXAMPLES\n.nf\n%s\n.fi\n' "$(part "$1" example: | sed 's/^  //' | roff)"
    printf '.SH SEE ALSO\n.BR varve (1)\ndescribes all commands, Dockerfiles, exit codes, variables and files.\n'
}

for command; do
    write_page "$command" >"$folder/varve-$command.1.new"
    mv "$folder/varve-$command.1.new" "$folder/varve-$command.1"
done
