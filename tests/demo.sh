#!/bin/bash
# The demo: builds examples/graphrag with varve, runs it, asks it a question, and rebuilds it twice.
# usage: tests/demo.sh [VARVE]; VARVE_DEMO_PORT (default 3900) is where the service is published.
set -euo pipefail
cd "$(dirname "$0")/.."
varve=$(realpath "${1:-build/varve}")
port=${VARVE_DEMO_PORT:-3900}
bases=${VARVE_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/varve-testbed}
work=$(mktemp -d)
run_pid=
cleanup() {
    [ -z "$run_pid" ] || { kill "$run_pid" 2>/dev/null && wait "$run_pid" 2>/dev/null; } || true
    rm -rf "$work"
}
trap cleanup EXIT
say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n# %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
# A proxy of this network has no business with a service of this machine.
ask() { curl -fsS --noproxy '*' "$@"; }
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "demo: error: something already listens on port $port; choose another: VARVE_DEMO_PORT=3999 make demo" >&2
    exit 1
fi

say "A node base image, made from Debian's packages (the Dockerfile says node:20-alpine; no registry is needed)"
mkdir -p "$bases"
tests/testbed/node-base.sh "$bases"

say "Build examples/graphrag: seven stages, real npm ci, real tsc"
cp -r examples/graphrag "$work/graphrag"
rm -rf "$work/graphrag/node_modules" "$work/graphrag/dist" "$work/graphrag/data"
build=("$varve" build --host-ca --build-context "node:20-alpine=oci-layout://$bases/node-base-oci" -t graphrag:1)
show varve build --host-ca --build-context "node:20-alpine=oci-layout://…/node-base-oci" -t graphrag:1 examples/graphrag
"${build[@]}" "$work/graphrag"

say "Start it and wait until its HEALTHCHECK passes"
show varve run -p "127.0.0.1:$port:3000" --wait-healthy graphrag:1
"$varve" run -p "127.0.0.1:$port:3000" --wait-healthy graphrag:1 >"$work/run.log" 2>&1 &
run_pid=$!
for _ in $(seq 300); do
    grep -q ' is healthy after ' "$work/run.log" && break
    kill -0 "$run_pid" 2>/dev/null || { cat "$work/run.log"; exit 1; }
    sleep 0.2
done
grep " is healthy after " "$work/run.log" || cat "$work/run.log"
show curl "http://127.0.0.1:$port/health"
ask "http://127.0.0.1:$port/health"; echo

say "Ask it a question"
question='{"question":"What did Ingrid Solberg found?"}'
show curl -d "'$question'" "http://127.0.0.1:$port/query"
ask -H 'content-type: application/json' -d "$question" "http://127.0.0.1:$port/query" >"$work/answer"
head -c 1500 "$work/answer"; echo
kill "$run_pid"; wait "$run_pid" 2>/dev/null || true
run_pid=

say "Build again: nothing changed"
"${build[@]}" "$work/graphrag"

say "Change one line of source and build again: only what reads it runs"
echo "// a hotfix, $(date +%s)" >>"$work/graphrag/src/main.ts"
"${build[@]}" --explain "$work/graphrag"

say "Done. Next: $varve images, $varve layers graphrag:1, $varve run -p 3000:3000 graphrag:1"
