#!/usr/bin/env bats
# Builders with stores of their own that share a cache while they run (share=true).
bats_require_minimum_version 1.5.0
load robust
setup_file() {
    base_setup
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/reg")
    export HOST REG=$BATS_FILE_TMPDIR/reg
}
teardown_file() { "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/reg"; }
setup() {
    export NO_COLOR=1 LC_ALL=C.UTF-8
    unset SOURCE_DATE_EPOCH DOCKER_HOST BUILDKIT_PROGRESS
    quick_config
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir ctx
    REF=$HOST/app$BATS_TEST_NUMBER:cache
    wc -l <"$REG/log" >from
}
teardown() {
    faults_stop
    for pid in $(cat pids 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
}

# steps N SECONDS: a Dockerfile of so many steps one after the other.
steps() {
    echo "FROM busybox" >ctx/Dockerfile
    for i in $(seq "$1"); do echo "RUN sleep $2; echo RAN-$i; echo $i >/$i" >>ctx/Dockerfile; done
}
# builder NAME ARGS…: a build in the background; NAME.log, and NAME.status when it ends.
builder() {
    local name=$1
    shift
    (
        status=0
        timeout -k 1 120 "$VARVE" --root "$PWD/store-$name" build --progress=plain --explain -t app --build-context "busybox=oci-layout://$BASES/busybox-oci" "$@" ctx \
            >"$name.log" 2>&1 3>&- || status=$?
        echo $status >"$name.status"
    ) 3>&- &
    echo $! >>pids
}
shares() { echo --cache-from "$REF" --cache-to "type=registry,ref=$REF,share=true"; }
ended() { for name in "$@"; do [ "$(cat "$name.status")" = 0 ] || { cat "$name.log" && return 1; }; done; }
# Waits for all of them.
finish() {
    for pid in $(cat pids); do wait "$pid"; done
    rm pids
}
# How often a step ran, in all builders.
ran() { cat ./*.log | grep -c "│ RAN-$1" || true; }
# Waits until a log has what is meant.
await() {
    for _ in $(seq 300); do
        grep -qF -- "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    cat "$1" && return 1
}
claims() { tail -n +$(($(<from) + 1)) "$REG/log" | grep -c "claim" || true; }
left() { curl -s --noproxy '*' "http://$HOST/v2/app$BATS_TEST_NUMBER/tags/list" | grep -o 'cache.claim[^"]*' || true; }

@test "four builders that start cold at once: each step runs about once, and nothing is left of the claims" {
    steps 3 2
    for i in 1 2 3 4; do builder "b$i" $(shares); done
    finish
    ended b1 b2 b3 b4
    total=0
    for i in 1 2 3; do total=$((total + $(ran "$i"))); done
    [ "$total" -ge 3 ] && [ "$total" -le 4 ] || { cat ./*.log && return 1; }
    grep -q 'note: waiting for .*, which runs this step: RUN sleep 2' ./*.log
    grep -Eq 'cut .*made meanwhile by another builder, waited [0-9.]+ s' ./*.log
    [ -z "$(left)" ]
    for i in 1 2 3 4; do
        VARVE_ROOT=$PWD/store-b$i "$VARVE" fsck
        "$VARVE" --root "$PWD/store-b$i" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o "out$i" ctx >/dev/null 2>&1
        [ "$(cat "out$i/1" "out$i/2" "out$i/3" | tr -d '\n')" = 123 ]
    done
    wc -l <"$REG/log" >from
    builder again $(shares)
    finish
    ended again
    [ "$(claims)" -eq 0 ] # a build of hits claims nothing
    grep -q '5 cached\|3 cached\|4 cached' again.log
    builder again $(shares)
    finish
    [ "$(claims)" -eq 0 ]
}

@test "the steps of a build can be had before it ends" {
    steps 3 3
    builder one $(shares)
    await one.log '│ RAN-2'
    sleep 2
    builder two --cache-from "$REF"
    finish
    ended one two
    [ "$(ran 1)" = 1 ]
}

@test "a builder that is killed costs the others some seconds" {
    steps 2 7
    builder one $(shares)
    await one.log 'RUN sleep 7'
    sleep 1.5
    builder two $(shares)
    builder three $(shares)
    await two.log 'note: waiting for'
    await three.log 'note: waiting for'
    pkill -9 -P "$(pgrep -P "$(head -1 pids)" -x timeout)"
    begun=$SECONDS
    finish
    ended two three
    [ $((SECONDS - begun)) -lt 60 ]
    [ "$(ran 1)" = 1 ]
    [ "$(ran 2)" = 1 ]
}

@test "a step that fails frees its claim" {
    cat >ctx/Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret,id=s sleep 8; grep -q good /run/secrets/s && echo RAN-1
END
    echo bad >bad && echo good >good
    builder one $(shares) --secret id=s,src=bad
    await one.log 'RUN'
    sleep 1.5
    builder two $(shares) --secret id=s,src=good
    await two.log 'note: waiting for'
    begun=$SECONDS
    finish
    [ "$(cat one.status)" = 1 ]
    ended two
    [ $((SECONDS - begun)) -lt 19 ] # it was not taken for dead
    [ "$(ran 1)" = 1 ]
}

@test "claims that cannot be written, or read, only end the sharing" {
    steps 1 1
    faults_start
    REF=$FAULTS_HOST/app:cache
    rules '[{"match":"PUT .*claim","do":"status","status":403}]'
    builder one $(shares)
    finish
    ended one
    grep -q 'note: steps are not shared through the cache registry .* any more: ' one.log
    [ "$(ran 1)" = 1 ]
    steps 2 1
    rules '[{"match":"tags/list.*claim","do":"status","status":500}]'
    builder two $(shares)
    finish
    ended two
    steps 3 1
    rules '[{"match":"claim","do":"hang"}]'
    builder three $(shares)
    finish
    ended three
}

@test "where it has no effect that is said" {
    steps 1 0
    builder one --cache-to "type=registry,ref=$REF,share=true"
    finish
    ended one
    grep -qF "note: share=true has no effect: no --cache-from reads registry $REF" one.log
    builder two --cache-from "type=registry,ref=$REF,share=true"
    finish
    grep -qF 'share has no effect when a cache is read' two.log
}

@test "a directory is shared as well" {
    steps 2 2
    for i in 1 2 3; do builder "b$i" --cache-from type=local,src=cache --cache-to type=local,dest=cache,share=true; done
    finish
    ended b1 b2 b3
    [ "$(($(ran 1) + $(ran 2)))" -le 3 ]
    [ -z "$(ls cache/varve.claims)" ]
}
