#!/usr/bin/env bats
# Registries that misbehave: every failure is retried or refused, in bounded time, with a message that names image, host, reason
# and next move; nothing wrong gets into the store.
load robust
bats_require_minimum_version 1.5.0

setup_file() {
    base_setup
    head -c 300000 /dev/urandom >"$BATS_FILE_TMPDIR/data"
    tar -C "$BATS_FILE_TMPDIR" -cf "$BATS_FILE_TMPDIR/data.tar" data
    python3 "$FAULTS/layout.py" "$BATS_FILE_TMPDIR/layout" --base "$BASES/busybox-oci" --layer "$BATS_FILE_TMPDIR/data.tar:none"
    # Of its blobs, the layer with the data has this digest.
    python3 - "$BATS_FILE_TMPDIR" <<'PY'
import hashlib, sys
with open(sys.argv[1] + "/data.tar", "rb") as f, open(sys.argv[1] + "/layer", "w") as out:
    out.write(hashlib.sha256(f.read()).hexdigest())
PY
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    mkdir -p "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
    quick_config
    LAYER=$(cat "$BATS_FILE_TMPDIR/layer")
    BLOB="GET /v2/team/app/blobs/sha256:$LAYER"
    MANIFEST='^(GET|HEAD) /v2/team/app/manifests/'
    faults_start --layout "$BATS_FILE_TMPDIR/layout" --repo team/app
    IMAGE=$FAULTS_HOST/team/app:latest
}

teardown() { faults_stop; }

# refused CODE WORD…: a pull and a build fail alike; the message has the image, the host, the words and a next move.
refused() {
    local code=$1 command word
    shift
    printf 'FROM %s\nRUN true\n' "$IMAGE" >Dockerfile
    for command in "pull $IMAGE" "build --progress=plain ."; do
        rules "$RULES"
        run measured 12 200 "$VARVE" $command
        [ "$status" -eq "$code" ] || { echo "$command: status $status, not $code: $output"; return 1; }
        output=${output/hint: /next: }
        for word in "team/app" "$FAULTS_HOST" "next: " "$@"; do
            [[ "$output" == *"$word"* ]] || { echo "$command: no \"$word\" in: $output"; return 1; }
        done
    done
    nothing_wrong
}

# retried: it works in the end.
retried() {
    rules "$RULES"
    run measured 12 200 "$VARVE" pull "$IMAGE"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    clean_store
    # What was pulled is what the layout has: a build finds the data.
    printf 'FROM %s\n' "$IMAGE" >Dockerfile
    "$VARVE" build -q -o out .
    cmp out/data "$BATS_FILE_TMPDIR/data"
}

# Every blob in the store has its name's digest, and a fresh pull without faults works.
nothing_wrong() {
    local f
    clean_store
    for f in "$VARVE_ROOT"/blobs/sha256/*; do
        [ ! -e "$f" ] || [ "$(sha256sum <"$f" | cut -d' ' -f1)" = "$(basename "$f")" ]
    done
    rules '[]'
    run -0 "$VARVE" pull "$IMAGE"
    clean_store
}

@test "no faults at all: the tests' own check" {
    RULES='[]' retried
}

@test "401: log in" {
    RULES='[{"match": "/v2/", "do": "status", "status": 401, "headers": {"WWW-Authenticate": "Basic realm=\"x\""}}]'
    refused 1 "401" "varve login $FAULTS_HOST"
}

@test "403: denied" {
    RULES='[{"match": "/v2/", "do": "status", "status": 403, "body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"quota of robots\"}]}"}]'
    refused 1 "403" "quota of robots"
}

@test "404: no such image" {
    RULES='[{"match": "/manifests/", "do": "status", "status": 404}]'
    refused 1 "404"
}

@test "404 for a blob that the manifest names" {
    RULES='[{"match": "'$BLOB'", "do": "status", "status": 404}]'
    refused 1 "$LAYER" "404"
}

@test "429 with Retry-After is waited for" {
    RULES='[{"match": "'$MANIFEST'", "do": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 1},
            {"match": "'$BLOB'", "do": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 1}]'
    begun=$(date +%s%N)
    retried
    [ $((($(date +%s%N) - begun) / 1000000)) -ge 1900 ]
}

@test "429 for ever ends, and says how long the registry wants to wait" {
    RULES='[{"match": "/v2/", "do": "status", "status": 429, "headers": {"Retry-After": "600"}}]'
    refused 4 "429" "600 s"
}

@test "500s that pass are retried" {
    RULES='[{"match": "'$MANIFEST'", "do": "status", "status": 500, "times": 1},
            {"match": "'$BLOB'", "do": "status", "status": 503, "times": 2}]'
    retried
}

@test "500s that stay are an error" {
    RULES='[{"match": "/v2/", "do": "status", "status": 500}]'
    refused 4 "500"
}

@test "a truncated body is resumed where it broke off" {
    RULES='[{"match": "'$BLOB'", "do": "truncate", "bytes": 100000, "times": 2}]'
    retried
    [ "$(asked "$BLOB 206")" -ge 1 ]
}

@test "a body that is always truncated is an error" {
    RULES='[{"match": "'$BLOB'", "do": "truncate", "bytes": 0}]'
    refused 4 "cut short"
}

@test "a truncated manifest" {
    RULES='[{"match": "'$MANIFEST'", "do": "truncate", "bytes": 20}]'
    refused 4 "cut short"
}

@test "a blob with the wrong bytes never gets into the store" {
    RULES='[{"match": "'$BLOB'", "do": "wrong"}]'
    refused 1 "digest" "$LAYER"
}

@test "a blob with the wrong bytes once is fetched again" {
    RULES='[{"match": "'$BLOB'", "do": "wrong", "times": 1}]'
    retried
}

@test "a manifest that has not the digest the registry says" {
    RULES='[{"match": "'$MANIFEST'", "do": "wrong-digest"}]'
    refused 1 "sha256:000000000000"
}

@test "a trickle is given up" {
    RULES='[{"match": "'$BLOB'", "do": "trickle", "delay": 0.2}]'
    refused 4 "less than 1 KiB a second"
}

@test "a connection that says nothing is given up" {
    RULES='[{"match": "'$BLOB'", "do": "hang"}]'
    refused 4 "less than 1 KiB a second"
}

@test "a connection that is closed without an answer" {
    RULES='[{"match": "/v2/", "do": "drop"}]'
    refused 4
    RULES='[{"match": "'$BLOB'", "do": "drop", "times": 2}]'
    rm -rf "$VARVE_ROOT"
    retried
}

@test "a redirect in circles" {
    RULES='[{"match": "'$BLOB'", "do": "redirect", "location": "/v2/team/app/blobs/sha256:'$LAYER'"}]'
    refused 1 "redirect"
}

@test "nobody listens" {
    faults_stop
    for command in "pull $IMAGE" "push $IMAGE"; do
        run measured 12 200 "$VARVE" $command
        [ "$status" -ne 0 ]
    done
    run measured 12 200 "$VARVE" pull "$IMAGE"
    [ "$status" -eq 4 ]
    [[ "$output" == *"team/app"*"$FAULTS_HOST"*"does not accept connections"* ]]
    [[ "$output" == *"next: "* ]]
}

@test "documents that are not what they say" {
    for body in '' '[]' '{}' '{"schemaVersion":2}' 'not json' "$(printf '[%.0s' $(seq 5000))" \
        '{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+json"}' \
        '{"schemaVersion":2,"config":{"digest":"sha256:zz","size":-1},"layers":[]}' \
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"x","digest":"sha256:../../../etc/passwd","size":3},"layers":[{}]}'; do
        rules "$(python3 -c 'import json, sys; print(json.dumps([{"match": "/manifests/", "do": "status", "status": 200,
            "body": sys.argv[1], "headers": {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}}]))' "$body")"
        run measured 12 200 "$VARVE" pull "$IMAGE"
        [ "$status" -eq 1 ] || { echo "$body: $status: $output"; return 1; }
        [[ "$output" == *"team/app"*"$FAULTS_HOST"* ]] || { echo "$body: $output"; return 1; }
    done
    nothing_wrong
}

@test "a push that breaks off is resumed, one that is refused says why" {
    "$VARVE" pull "$IMAGE"
    to=$FAULTS_HOST/other/copy:1
    "$VARVE" tag "$IMAGE" "$to"
    rules '[{"match": "^PUT /v2/other/copy/blobs", "do": "abort-upload", "bytes": 50000, "times": 1},
            {"match": "^POST /v2/other/copy/blobs", "do": "no-mount"}]'
    run measured 12 200 "$VARVE" push "$to"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    skopeo copy -q --src-tls-verify=false "docker://$to" dir:../copied
    for fault in '"status": 403' '"status": 401' '"status": 500' '"status": 413'; do
        rules '[{"match": "(POST|PUT|PATCH|HEAD) /v2/third/", "do": "status", '"$fault"'}]'
        "$VARVE" tag "$IMAGE" "$FAULTS_HOST/third/copy:1"
        run measured 12 200 "$VARVE" push "$FAULTS_HOST/third/copy:1"
        [ "$status" -ne 0 ]
        [[ "$output" == *"third/copy"*"$FAULTS_HOST"*"${fault#*: }"* ]] || { echo "$fault: $output"; return 1; }
        [[ "$output" == *"next: "* ]] || { echo "$fault: $output"; return 1; }
    done
    clean_store
}

@test "an interrupted pull goes on with a range" {
    rules '[{"match": "'"$BLOB"'", "do": "trickle", "delay": 0.001}]'
    "$VARVE" pull "$IMAGE" >/dev/null 2>&1 3>&- &
    pid=$!
    sleep 0.5
    kill -INT "$pid"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 130 ]
    RULES='[]' retried
    [ "$(asked "$BLOB 206")" -eq 1 ]
}
