#!/bin/sh
# The race: bench/run.sh [W1 W2 ...] [--varve build/varve] [--peers docker,buildah] [--rounds 5] [--medium disk|tmpfs]
exec python3 "$(dirname "$0")/bench.py" "$@"
