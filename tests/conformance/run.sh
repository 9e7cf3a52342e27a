#!/bin/sh
# Compare a varve with the expectations: tests/conformance/run.sh VARVE [CASE...]
exec python3 "$(dirname "$0")/conformance.py" run "$@"
