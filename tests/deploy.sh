#!/bin/bash
# Checks the manifests of deploy/: real kubectl reads them (--dry-run=client; no cluster: tests/testbed/kubeapi.py says which
# kinds there are, so names of fields are not checked), npm's kubernetes-models check every field against Kubernetes' schema,
# and a YAML parser the rest. TAP. Needs kubectl, and npm or a folder with the packages as MODELS.
set -u
cd "$(dirname "$0")/.." || exit 1
here=$PWD
work=$(mktemp -d) code=0
trap 'kill "$api" 2>/dev/null; rm -rf "$work"' EXIT
python3 tests/testbed/kubeapi.py >"$work/address" &
api=$!
for _ in $(seq 50); do [ -s "$work/address" ] && break; sleep 0.1; done
for f in deploy/kubernetes/*.yaml; do
    if HOME=$work kubectl --server "$(cat "$work/address")" create --dry-run=client --validate=false -o name -f "$f" >"$work/out" 2>&1; then
        echo "ok - kubectl reads $f: $(tail -1 "$work/out")"
    else
        echo "not ok - kubectl reads $f"
        sed 's/^/# /' "$work/out"
        code=1
    fi
done
models=${MODELS:-$work}
[ -d "$models/node_modules/kubernetes-models" ] || (cd "$models" && npm install --silent --no-fund kubernetes-models js-yaml >/dev/null 2>&1) ||
    { echo "ok - schemas # SKIP npm's kubernetes-models cannot be had"; exit $code; }
(cd "$models" && node "$here/tests/testbed/k8smodels.mjs" "$here"/deploy/kubernetes/build-*.yaml) || code=1
# Shell in manifests is shell, too.
python3 - deploy/kubernetes/tekton-task.yaml >"$work/script" <<'END'
import re, sys
text = open(sys.argv[1]).read()
print(re.sub(r"\$\(results\.[A-Z_]+\.path\)", "/dev/null", re.sub(r"^ {8}", "", re.search(r"script: \|\n((?: {8}.*\n|\n)+)", text).group(1), flags=re.M)))
END
if sh -n "$work/script"; then echo "ok - the task's script is shell"; else echo "not ok - the task's script"; code=1; fi
exit $code
