#!/bin/bash
# Builders with stores of their own that begin at once and share a registry cache: how often each step runs.
#
#   bench/manybuilders.sh VARVE REGISTRY BASES [N] [SECONDS] [ATTRIBUTE]
#
# REGISTRY: host:port, plain http on loopback; BASES: folder with busybox-oci; SECONDS: what a step takes; ATTRIBUTE of
# --cache-to: share=true (usual) or share=false. Rounds: cold (the cache is empty, all begin at once), warm (the same
# again, with new stores), staggered (cold; each begins SECONDS later than the one before).
set -eu
varve=$(realpath "$1") registry=$2 bases=$(realpath "$3") n=${4:-10} seconds=${5:-2} share=${6:-share=true}
work=$(mktemp -d /var/tmp/manybuilders.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/app"
{
    echo "FROM busybox"
    for i in 1 2 3 4 5; do echo "RUN sleep $seconds; echo RAN-$i; echo $i >/$i"; done
} >"$work/app/Dockerfile"

round() { # NAME CACHE DELAY
    local i began
    began=$(date +%s%N)
    for i in $(seq "$n"); do
        mkdir -p "$work/$1"
        (sleep "$(awk "BEGIN {print ($i - 1) * $3}")"
         "$varve" --root "$work/$1/store-$i" build --progress=plain --build-context "busybox=oci-layout://$bases/busybox-oci" \
            --cache-from "$registry/$2:cache" --cache-to "type=registry,ref=$registry/$2:cache,$share" -t x "$work/app" >"$work/$1/$i.log" 2>&1) &
    done
    wait
    printf '%-10s %2d builders, 5 steps of %s s: %s\n' "$1" "$n" "$seconds" "$(
        for i in 1 2 3 4 5; do printf 'step %d ran %d times, ' "$i" "$(cat "$work/$1"/*.log | grep -c "│ RAN-$i" || :)"; done)$(
        awk "BEGIN {printf \"%.1f s in all\", ($(date +%s%N) - $began) / 1e9}"), $(grep -l ready "$work/$1"/*.log | wc -l) succeeded"
}
stamp=$$
round cold "cold$stamp" 0
round warm "cold$stamp" 0
round staggered "stag$stamp" "$seconds"
