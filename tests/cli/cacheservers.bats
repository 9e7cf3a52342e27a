#!/usr/bin/env bats
# The cache's backends S3, Azure and GitHub against real servers, and GitHub's own client beside them.
bats_require_minimum_version 1.5.0
load helper
bats_servers() { "$TESTBED/cacheservers.sh" "$@"; }
setup_file() {
    bats_servers install || { export NO_SERVERS=yes && return; }
    VARVE_TEST_S3=$(bats_servers start s3 "$BATS_FILE_TMPDIR/s3")
    VARVE_TEST_AZURE=$(bats_servers start azure "$BATS_FILE_TMPDIR/azure")
    SERVERS_TEST=$(dirname "$VARVE")/tests/test-cache-servers
    MODULES=${VARVE_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/varve-testbed}/cacheservers
    export VARVE_TEST_S3 VARVE_TEST_AZURE SERVERS_TEST MODULES
}
teardown_file() {
    [ -z "${NO_SERVERS:-}" ] || return 0
    bats_servers stop "$BATS_FILE_TMPDIR/s3"
    bats_servers stop "$BATS_FILE_TMPDIR/azure"
}
setup() {
    [ -z "${NO_SERVERS:-}" ] || skip "azurite, s3rver and @actions/cache cannot be fetched from npm"
    cd "$BATS_TEST_TMPDIR"
    export RUNNER_TEMP=$PWD/tmp GITHUB_WORKSPACE=$PWD ACTIONS_CACHE_SERVICE_V2=true ACTIONS_RESULTS_URL=$VARVE_TEST_AZURE/
    ACTIONS_RUNTIME_TOKEN=x.$(printf '%s' '{"ac":"[{\"Scope\":\"refs/heads/main\",\"Permission\":3}]"}' | base64 -w0).x
    export ACTIONS_RUNTIME_TOKEN
    mkdir tmp
}
# Runs the tests of the program whose paths begin so; there must be some.
servers_test() {
    run "$SERVERS_TEST" --tap -p "$1"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    grep -q '^ok' <<<"$output"
}
client() { node "$TESTBED/actionscache.mjs" "$MODULES" "$@" | grep -v '^::' | tail -n 1; }

@test "s3: segments and blobs, writers at once, faults at every request" {
    servers_test /cache/s3
}

@test "azblob: segments and blobs, writers at once, faults at every request" {
    servers_test /cache/azblob
}

@test "gha: segments and blobs, branches, writers at once, faults at every request" {
    servers_test /cache/gha
}

@test "builds through each of them: an empty store runs nothing, and a cache mount comes along" {
    base_setup
    export NO_COLOR=1 LC_ALL=C.UTF-8
    key=$(grep -oE '[A-Za-z0-9+/]{80,}==' "$BATS_TEST_DIRNAME/../unit/cache/servers-test.c")
    printf 'FROM busybox\nCOPY f /f\nRUN --mount=type=cache,id=m,target=/m cat /f /m/* >/o; cp /f /m/kept\nRUN cp /o /p\n' >Dockerfile
    export AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER AZURE_STORAGE_KEY=$key
    for where in "type=s3,bucket=cache,region=r,endpoint_url=$VARVE_TEST_S3,name=cli" \
        "type=azblob,account_url=$VARVE_TEST_AZURE/devstoreaccount1,name=cli" type=gha,scope=cli; do
        rm -rf one two && echo 1 >f
        VARVE_ROOT=$PWD/one build -t a --cache-to "$where,mode=max,mounts=true" .
        VARVE_ROOT=$PWD/two run build -t a --cache-from "$where,mounts=true" .
        [ "$status" -eq 0 ] && [[ "$output" == *" 0 steps ran"* ]] || { echo "$output" && return 1; }
        [ "$(VARVE_ROOT=$PWD/one image_id a)" = "$(VARVE_ROOT=$PWD/two image_id a)" ]
        echo 2 >f
        VARVE_ROOT=$PWD/two build -t a --cache-from "$where,mounts=true" .
        [ "$(VARVE_ROOT=$PWD/two "$VARVE" run a cat /p)" = "$(printf '2\n1')" ]
        VARVE_ROOT=$PWD/two "$VARVE" fsck
        "$VARVE" cache ls "$where" | grep -q 'RUN cp /o /p'
    done
}

@test "GitHub's own client and varve use one service" {
    servers_test /cache/gha/round-trip
    mkdir data
    echo content >data/file
    [ "$(client save key-1 data)" = key-1 ]
    rm -r data
    [ "$(client restore key-2 data key-)" = key-1 ]
    [ "$(cat data/file)" = content ]
    # What varve wrote last, as the client finds and reads it.
    key=$(curl -sf "${ACTIONS_RESULTS_URL}_keys" | jq -r '[.["refs/heads/main"][] | select(startswith("varve-index"))][-1]')
    version=$(printf varve-cache-1 | sha256sum | cut -d' ' -f1)
    [ "$(client entry "${key%#*}#" "$version")" = "$key varve-index-1" ]
    # Another client's entries are none of varve's.
    [ "$(client entry key- "$version")" = none ]
}
