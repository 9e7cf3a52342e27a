#!/bin/sh
# Write the expectations of the cases with Docker's own builder: tests/conformance/oracle.sh [CASE...]
# Sets up and starts the peers (bench/peers.sh) first. Needs root.
set -eu
here=$(dirname "$0")
"$here/../../bench/peers.sh" setup
"$here/../../bench/peers.sh" start oracle
exec python3 "$here/conformance.py" oracle "$@"
