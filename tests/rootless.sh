#!/bin/bash
# The conformance cases as an ordinary user, in a user namespace: tests/rootless.sh VARVE [CASE…]. Prints TAP. As root a
# user "varvetest" is made for it (useradd gives it a range of subordinate ids); run by a user, that user is it.
set -u
cd "$(dirname "$0")/.."
varve=$(realpath "$1")
shift
if [ "$(id -u)" -ne 0 ]; then
    exec tests/conformance/run.sh "$varve" "$@"
fi
for tool in newuidmap useradd runuser; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; echo "ok 1 rootless # SKIP $tool is not installed"; exit 0; }
done
id varvetest >/dev/null 2>&1 || useradd -m varvetest
if ! runuser -u varvetest -- unshare -Ur true 2>/dev/null; then
    echo "ok 1 rootless # SKIP this system does not let users make user namespaces"
    exit 0
fi
work=$(mktemp -d /tmp/varve-rootless.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -r tests/conformance tests/testbed "$work/"
cp "$varve" "$work/varve"
chown -R varvetest "$work"
runuser -u varvetest -- env HOME="$work" VARVE_TESTBED="$work/testbed-cache" XDG_DATA_HOME="$work/data" "$work/conformance/run.sh" "$work/varve" "$@"
