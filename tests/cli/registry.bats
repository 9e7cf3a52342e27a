#!/usr/bin/env bats
# push, pull and login with a real registry on this machine.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN echo content >/file
CMD ["cat", "/file"]
END
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/open")
    GUARDED=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/guarded" --auth me:secret)
    export HOST GUARDED
}
teardown_file() {
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/open"
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/guarded"
}
setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8 DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run HOME=$BATS_TEST_TMPDIR
    unset REGISTRY_AUTH_FILE
    cp -a "$SEED" "$VARVE_ROOT"
    cd "$BATS_TEST_TMPDIR"
}
other_store() { VARVE_ROOT=$BATS_TEST_TMPDIR/other "$VARVE" "$@"; }

@test "what is pushed can be pulled, run, and is the same image" {
    run varve push app:1 "$HOST/team/app:1"
    [ "$status" -eq 0 ]
    [[ "$output" == *"pushed $HOST/team/app:1: "*"next: "* ]]
    run other_store pull "$HOST/team/app:1"
    [ "$status" -eq 0 ]
    [[ "$output" == *"pulled $HOST/team/app:1: 2.0 MB in 2 layers"*"next: varve run"* ]]
    [ "$(other_store run "$HOST/team/app:1")" = content ]
    [ "$(other_store images -q --no-trunc)" = "$(image_id app:1)" ]
    other_store fsck
    run other_store images
    [[ "$output" == *"2.0 MB       2"* ]]
}

@test "a second push sends nothing, a second pull says so" {
    digest=$(varve push -q app:1 "$HOST/again/app:1")
    [[ "$digest" == sha256:* ]]
    run varve push app:1 "$HOST/again/app:1"
    [[ "$output" == *"0 B sent"* ]]
    id=$(other_store pull -q "$HOST/again/app:1")
    [ "$id" = "$(image_id app:1)" ]
    run other_store pull "$HOST/again/app:1"
    [[ "$output" == *"is up to date"* ]]
    # By its digest too, and pushed on as it is.
    other_store pull "$HOST/again/app@$digest"
    [ "$(other_store push -q "$HOST/again/app:1" "$HOST/onward/app:2")" = "$digest" ]
}

@test "varve run pulls what is missing, and not with --pull never" {
    varve push app:1 "$HOST/run/app:1"
    run other_store run --pull never "$HOST/run/app:1"
    [ "$status" -eq 1 ]
    [ "$(other_store run "$HOST/run/app:1" 2>/dev/null)" = content ]
}

@test "zstd layers are made and understood" {
    varve push --compression zstd app:1 "$HOST/zstd/app:1"
    curl -fs -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$HOST/v2/zstd/app/manifests/1" | grep -q 'tar+zstd'
    [ "$(other_store run "$HOST/zstd/app:1" 2>/dev/null)" = content ]
    run varve push --compression lzma app:1 "$HOST/zstd/app:1"
    [ "$status" -ne 0 ]
    [[ "$output" == *lzma* ]]
}

@test "an image that the registry does not have is named" {
    run varve pull "$HOST/no/such:1"
    [ "$status" -eq 1 ]
    [[ "$output" == *"$HOST/no/such:1"*"next: "* ]]
}

@test "a registry that asks for a login gets one" {
    run varve push app:1 "$GUARDED/app:1"
    [ "$status" -eq 1 ]
    [[ "$output" == *"$GUARDED"*"next: "*"varve login $GUARDED"* ]]
    run bash -c "echo wrong | '$VARVE' login -u me --password-stdin $GUARDED"
    [ "$status" -eq 1 ]
    run bash -c "echo secret | '$VARVE' login -u me --password-stdin $GUARDED"
    [ "$status" -eq 0 ]
    [[ "$output" == *"logged in to $GUARDED as me"* ]]
    varve push app:1 "$GUARDED/app:1"
    [ "$(other_store run "$GUARDED/app:1" 2>/dev/null)" = content ]
    run varve logout "$GUARDED"
    [[ "$output" == *"removed the login"* ]]
    run varve pull "$GUARDED/app:1"
    [ "$status" -eq 1 ]
}

@test "login without what it needs is a wrong command line" {
    run bash -c "echo secret | '$VARVE' login --password-stdin $GUARDED"
    [ "$status" -eq 2 ]
    run varve login -u me "$GUARDED" </dev/null
    [ "$status" -eq 2 ]
    [[ "$output" == *"--password-stdin"* ]]
}

@test "a registry that is not there is exit code 4" {
    run varve pull 127.0.0.1:1/app:1
    [ "$status" -eq 4 ]
    [[ "$output" == *"127.0.0.1:1"*"next: "* ]]
}

@test "--push takes the attributes of -o type=image" {
    cp -r "$BATS_FILE_TMPDIR/app" app
    build --push -t "$HOST/zstd/app:1" -o type=image,compression=zstd,registry.insecure=true app
    [ "$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$HOST/v2/zstd/app/manifests/1" |
        jq -r '.layers[-1].mediaType')" = application/vnd.oci.image.layer.v1.tar+zstd ]
}

manifest_of() { curl -fs -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$HOST/v2/$1/manifests/$2"; }
layers_of() { manifest_of "$1" "$2" | jq -r '.layers[].digest'; }
# One layer, two compressions, as buildx makes them: $HOST/two:zstd and :gzip.
push_two() {
    varve push --compression zstd --force-compression app:1 "$HOST/$1:zstd"
    varve push --compression gzip --compression-level 9 --force-compression app:1 "$HOST/$1:gzip"
    mkdir -p ctx && echo data >ctx/f
    printf 'FROM %s:gzip\nCOPY f /f\n' "$HOST/$1" >ctx/Dockerfile
}

@test "an image keeps its own blobs, whatever was pulled before" {
    push_two two
    gzip=$(layers_of two gzip)
    [ "$gzip" != "$(layers_of two zstd)" ]
    other_store pull "$HOST/two:zstd"
    other_store pull "$HOST/two:gzip"
    other_store save -o gzip.tar "$HOST/two:gzip"
    [ "$(tar -xOf gzip.tar index.json | jq -r '.manifests[0].digest')" = "sha256:$(manifest_of two gzip | sha256sum | cut -d' ' -f1)" ]
    for blob in $gzip; do tar -tf gzip.tar "blobs/sha256/${blob#sha256:}"; done
    other_store build -t "$HOST/two/y:1" ctx
    other_store tag "$HOST/two/y:1" y:2
    other_store push "$HOST/two/y:1"
    [ "$(layers_of two/y 1 | head -2)" = "$gzip" ]
    # By another name, from an image that was built from it, and in a compression that must be another.
    other_store build -t "$HOST/two/z:1" - <<<'FROM y:2'
    other_store push "$HOST/two/z:1"
    [ "$(layers_of two/z 1)" = "$(layers_of two/y 1)" ]
    printf 'FROM %s:zstd\n' "$HOST/two" | VARVE_ROOT=$PWD/fresh varve build -o type=oci,dest=fresh,tar=false,compression=gzip,force-compression=true -
    printf 'FROM %s:zstd\n' "$HOST/two" | other_store build -o type=oci,dest=other,tar=false,compression=gzip,force-compression=true -
    diff <(jq -S .layers "fresh/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' fresh/index.json)") \
        <(jq -S .layers "other/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' other/index.json)")
    other_store fsck
}

@test "a lost blob of the base image is fetched again; one that nobody has is made anew, with a warning" {
    push_two lost
    gzip=$(layers_of lost gzip | head -1)
    other_store pull "$HOST/lost:gzip"
    rm "other/blobs/sha256/${gzip#sha256:}"
    other_store fsck --repair
    run other_store build -o type=oci,dest=y,tar=false ctx
    [ "$status" -eq 0 ]
    [[ "$output" != *warning* ]]
    cmp "y/blobs/sha256/${gzip#sha256:}" "other/blobs/sha256/${gzip#sha256:}"
    # Where the registry is gone as well; the upper layer is varve's own work and can be made again.
    own=$(layers_of lost gzip | tail -1)
    rm -r "other/blobs/sha256/${own#sha256:}" other/origins
    for progress in plain quiet; do
        run other_store build --progress=$progress -o type=oci,dest=z,tar=false ctx
        [ "$status" -eq 0 ]
        [[ "$output" == *"warning: $own, a layer of the base image, is lost"*"recompressed"* ]]
    done
    run other_store save -o gzip.tar "$HOST/lost:gzip"
    [ "$status" -eq 0 ]
    [[ "$output" == *"warning: $own"* ]]
    VARVE_ROOT=$PWD/third varve load gzip.tar
    rm "other/blobs/sha256/${gzip#sha256:}"
    run other_store build -o type=oci,dest=z,tar=false ctx
    [ "$status" -eq 1 ]
    [[ "$output" == *"$gzip"*"is lost and cannot be fetched (no registry is known to have it)"*"cannot be reproduced"*"next: pull"* ]]
}
