#!/usr/bin/env bats
# Images of another platform than the one asked for, and how images are named.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    printf 'FROM busybox\nRUN echo content >/file\n' >Dockerfile
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/open")
    export HOST
    VARVE_ROOT=$SEED varve push -q app:1 "$HOST/lib/app:1"
}
teardown_file() {
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/open"
}
setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    cp -a "$SEED" "$VARVE_ROOT"
    cd "$BATS_TEST_TMPDIR"
    here=$("$VARVE" version | sed -n 's/^platform *//p')
    other=linux/s390x
}

@test "an image of another platform than the one asked for is warned of and listed as what it is" {
    said="the image's platform ($here) does not match the specified platform ($other)"
    varve rmi app:1
    run varve pull --platform "$other" "$HOST/lib/app:1"
    [ "$status" -eq 0 ]
    [[ "$output" == *"warning: $HOST/lib/app:1: $said"* ]]
    run varve run --platform "$other" "$HOST/lib/app:1" cat /file
    [ "$status" -eq 0 ]
    [[ "$output" == *"$said"*content* ]]
    [ "$(varve images --format json | jq -r .Platform)" = "$here" ]
    [ "$(varve inspect --platform "$other" "$HOST/lib/app:1" | jq -r '.[0].Platform')" = "$here" ]
    # The same image for both is one image; what fits says nothing.
    run varve pull "$HOST/lib/app:1"
    [[ "$output" != *warning* ]]
    [ "$(varve images --format json | wc -l)" = 1 ]
    # A build says it too, also when all of it was built before.
    printf 'FROM %s\nCOPY Dockerfile /d\n' "$HOST/lib/app:1" >Dockerfile
    for _ in 1 2; do
        run varve build --progress=plain --platform "$other" .
        [ "$status" -eq 0 ]
        [[ "$output" == *InvalidBaseImagePlatform* ]]
    done
}

@test "a mistyped platform is a wrong command line" {
    for command in "pull app:1" "run app:1" "build ." "inspect app:1" "save -o x.tar app:1"; do
        # shellcheck disable=SC2086 # words
        run varve ${command%% *} --platform linux/amd46 ${command#* }
        [ "$status" -eq 2 ]
        [[ "$output" == *'unknown architecture "amd46"; did you mean amd64?'* ]]
    done
    DOCKER_DEFAULT_PLATFORM=linx/amd64 run varve run app:1
    [ "$status" -eq 2 ]
    [[ "$output" == *'unknown operating system "linx"; did you mean linux?'* ]]
}

@test "an image without a name is listed only while it has none" {
    rm -r "$VARVE_ROOT"
    printf 'FROM busybox\nRUN echo unnamed >/file\n' >Dockerfile
    build . 2>/dev/null
    [[ "$(varve images)" == *"<none>"* ]]
    build -t named:1 . 2>/dev/null
    run varve images
    [[ "$output" == *named:1* && "$output" != *"<none>"* ]]
    [ "$(varve images --format json | wc -l)" = 1 ]
}

@test "a tag left out: what is there under another one is told" {
    varve tag app:1 "127.0.0.1:1/lib/named:1"
    run varve run 127.0.0.1:1/lib/named
    [ "$status" -ne 0 ]
    [[ "$output" == *"127.0.0.1:1/lib/named:latest is not in the store; 127.0.0.1:1/lib/named:1 is"* ]]
    [[ "$output" == *"next: varve run 127.0.0.1:1/lib/named:1"* ]]
    run varve inspect app
    [ "$status" -eq 1 ]
    [[ "$output" == *"app:latest is not in the store; app:1 is"*"next: "*"app:1"* ]]
    printf 'FROM app\n' >Dockerfile
    run varve build --progress=plain --pull=never .
    [[ "$output" == *"app:latest is not in the store; app:1 is"*"FROM app:1"* ]]
    # Without such a tag nothing changes, and the name is quoted where it could be read as a word.
    run varve images named
    [[ "$output" == *'no such image: "named"'* ]]
    run varve inspect other
    [[ "$output" == *"no such image: other"* ]]
}

# put_manifest TAG CONFIG CONFIG-TYPE: an image in $HOST/lib/app, of the first layer there.
put_manifest() {
    local api="http://$HOST/v2/lib/app" digest where layer
    digest=sha256:$(printf '%s' "$2" | sha256sum | cut -d' ' -f1)
    where=$(curl -sfi -X POST "$api/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    [[ "$where" == http* ]] || where=http://$HOST$where
    if [[ "$where" == *\?* ]]; then where+="&digest=$digest"; else where+="?digest=$digest"; fi
    printf '%s' "$2" | curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @- "$where"
    layer=$(curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$api/manifests/1" | jq -c '.layers[0]')
    jq -nc --arg t "$3" --arg d "$digest" --argjson n "${#2}" --argjson l "$layer" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
          config: {mediaType: $t, digest: $d, size: $n}, layers: [$l]}' |
        curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @- "$api/manifests/$1"
}

@test "an image whose config does not say its platform is built from, with a warning; an artifact is none" {
    diff_id=$(varve inspect app:1 | jq -r '.[0].RootFS.Layers[0]')
    put_manifest bare "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"$diff_id\"]}}" \
        application/vnd.oci.image.config.v1+json
    put_manifest artifact '{}' application/vnd.oci.empty.v1+json
    printf 'FROM %s\nCOPY Dockerfile /d\n' "$HOST/lib/app:bare" >Dockerfile
    run varve build --progress=plain -t out .
    [ "$status" -eq 0 ]
    [[ "$output" == *InvalidBaseImagePlatform* ]]
    [ "$(varve inspect out | jq -r '.[0].Os + "/" + .[0].Architecture')" = "$here" ]
    varve pull "$HOST/lib/app:bare"
    run varve pull "$HOST/lib/app:artifact"
    [ "$status" -eq 1 ]
    [[ "$output" == *"it is an artifact (config type application/vnd.oci.empty.v1+json), not an image"*"next: "* ]]
}

@test "parse reads the standard input; an empty platform is none" {
    printf 'FROM --platform= scratch\nEXPOSE +8\n' >Dockerfile
    run varve parse - <Dockerfile
    [ "$status" -eq 0 ]
    [[ "$output" == *EXPOSE* ]]
    build -t leniently . 2>/dev/null
    [ "$(varve inspect leniently | jq -c '.[0].Config.ExposedPorts')" = '{"8/tcp":{}}' ]
}
