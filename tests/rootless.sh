#!/bin/bash
# The conformance cases as an ordinary user, in a user namespace: tests/rootless.sh [--single] VARVE [CASE…]. Prints TAP. As
# root a user "varvetest" is made for it (useradd gives it a range of subordinate ids); run by a user, that user is it. With
# --single it is "varvesingle", who has no such range: what tests/conformance/single-id lists cannot be done then, and says so.
# With --bats FILE the cases are those of a bats file instead.
set -u
cd "$(dirname "$0")/.."
user=varvetest ids=()
if [ "${1:-}" = --single ]; then
    user=varvesingle ids=(-K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0)
    export CONFORMANCE_SINGLE_ID=1
    shift
fi
cases=tests/conformance/run.sh
if [ "${1:-}" = --bats ]; then
    cases=$2
    shift 2
fi
varve=$(realpath "$1")
shift
if [ "$(id -u)" -ne 0 ]; then
    [ "$cases" = "${cases%.bats}" ] || exec env VARVE="$varve" bats --tap "$cases"
    exec tests/conformance/run.sh "$varve" "$@"
fi
for tool in newuidmap useradd runuser; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; echo "ok 1 rootless # SKIP $tool is not installed"; exit 0; }
done
id $user >/dev/null 2>&1 || useradd -m "${ids[@]}" $user
if ! runuser -u $user -- unshare -Ur true 2>/dev/null; then
    echo "ok 1 rootless # SKIP this system does not let users make user namespaces"
    exit 0
fi
work=$(mktemp -d /tmp/varve-rootless.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tests"
cp -r tests/conformance tests/cli tests/testbed tests/faults "$work/tests/"
cp "$varve" "$work/varve"
chown -R $user "$work"
cd "$work" || exit 1 # the folder of this checkout may be closed to others
# udev lets everybody open it, a container without udev mostly root alone: networks of ordinary users are to be tried here too.
tun=()
if [ -c /dev/net/tun ] && ! runuser -u $user -- test -w /dev/net/tun && mknod -m 666 "$work/tun" c 10 200; then
    tun=(unshare -m sh -c 'mount --bind "$0" /dev/net/tun && exec "$@"' "$work/tun")
fi
program=("$work/$cases" "$work/varve")
[ "$cases" = "${cases%.bats}" ] || program=(bats --tap "$work/$cases")
"${tun[@]}" runuser -u $user -- env HOME="$work" ${CONFORMANCE_SINGLE_ID:+CONFORMANCE_SINGLE_ID=1} VARVE="$work/varve" \
    VARVE_TESTBED="$work/testbed-cache" XDG_DATA_HOME="$work/data" "${program[@]}" "$@"
