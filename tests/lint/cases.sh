#!/bin/sh
# The files of the conformance cases keep to their form, and their reader does what it says.
exec python3 "$(dirname "$0")/../conformance/casefile_test.py"
