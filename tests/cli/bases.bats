#!/usr/bin/env bats
# Base images from registries of every kind: logins, certificates, compressions, media types, platforms, mirrors.
load robust
bats_require_minimum_version 1.5.0
setup_file() {
    base_setup
    cd "$BATS_FILE_TMPDIR"
    echo "the data" >data
    tar -cf data.tar data
    mkdir -p gone && : >gone/.wh.passwd && tar -cf whiteout.tar --transform s,gone,etc, gone
    layout() { python3 "$FAULTS/layout.py" "$@"; }
    layout plain --base "$BASES/busybox-oci" --layer data.tar:gzip
    layout zstd --base "$BASES/busybox-oci" --layer data.tar:zstd --layer whiteout.tar:zstd
    layout none --base "$BASES/busybox-oci" --layer data.tar:none
    layout docker --base "$BASES/busybox-oci" --layer data.tar:gzip --docker
    layout index --base "$BASES/busybox-oci" --layer data.tar --index linux/amd64 --index linux/arm64/v8 --index linux/arm/v7
    layout dockerlist --base "$BASES/busybox-oci" --layer data.tar --docker --index linux/amd64 --index linux/arm64
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE DOCKER_HOST SOURCE_DATE_EPOCH
    mkdir -p "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
    quick_config
    LAYOUTS=$BATS_FILE_TMPDIR
}

teardown() {
    faults_stop
    [ -z "${REGISTRY_DIR:-}" ] || "$TESTBED/registry.sh" stop "$REGISTRY_DIR"
}

# builds_from IMAGE [OPTION…]: a build on it finds the data.
builds_from() {
    rm -rf ../out
    printf 'FROM %s\n' "$1" >Dockerfile
    run "$VARVE" build --progress=plain "${@:2}" -o ../out .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    cmp ../out/data "$LAYOUTS/data"
}

fails_from() {
    printf 'FROM %s\n' "$1" >Dockerfile
    run "$VARVE" build --progress=plain "${@:2}" -o ../out .
    [ "$status" -ne 0 ] || { echo "$output"; return 1; }
}

basic() { printf %s "$1" | base64 -w0; }

# A real registry with a password and the base in it.
private_registry() {
    REGISTRY_DIR=$BATS_TEST_TMPDIR/registry
    HOST=$("$TESTBED/registry.sh" start "$REGISTRY_DIR" --auth me:secret-word "$@")
}

fill_registry() {
    skopeo copy -q --dest-tls-verify=false --dest-creds me:secret-word "oci:$LAYOUTS/plain:latest" "docker://$HOST/base/app:1"
}

@test "a real registry with a password: refused without, Docker's and Podman's files, helpers, varve login" {
    private_registry
    fill_registry
    fails_from "$HOST/base/app:1"
    [[ "$output" == *"varve login $HOST"* ]]
    # Docker's file.
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(basic me:secret-word)" >"$DOCKER_CONFIG/config.json"
    rm "$REGISTRY_AUTH_FILE" && unset REGISTRY_AUTH_FILE
    builds_from "$HOST/base/app:1"
    # A wrong password there.
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(basic me:wrong)" >"$DOCKER_CONFIG/config.json"
    rm -rf "$VARVE_ROOT"
    fails_from "$HOST/base/app:1"
    [[ "$output" == *"401"* && "$output" != *"wrong"* ]]
    # A credential helper.
    mkdir bin
    printf '#!/bin/sh\nread -r host\n[ "$1" = get ] && printf %s "{\\"ServerURL\\": \\"$host\\", \\"Username\\": \\"me\\", \\"Secret\\": \\"secret-word\\"}"\n' '%s' >bin/docker-credential-bats
    chmod +x bin/docker-credential-bats
    printf '{"credHelpers": {"%s": "bats"}}' "$HOST" >"$DOCKER_CONFIG/config.json"
    PATH=$PWD/bin:$PATH builds_from "$HOST/base/app:1"
    # Podman's file.
    rm -rf "$VARVE_ROOT" "$DOCKER_CONFIG/config.json"
    export REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/auth.json
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    builds_from "$HOST/base/app:1"
    # varve login, push, logout.
    rm -rf "$VARVE_ROOT" "$REGISTRY_AUTH_FILE"
    unset REGISTRY_AUTH_FILE
    echo wrong | { run varve login -u me --password-stdin "$HOST"; [ "$status" -ne 0 ]; }
    echo secret-word | varve login -u me --password-stdin "$HOST"
    builds_from "$HOST/base/app:1"
    run -0 varve push "$HOST/base/app:1" "$HOST/pushed/app:1"
    run -0 varve logout "$HOST"
    rm -rf "$VARVE_ROOT"
    fails_from "$HOST/base/app:1"
    run -1 grep -rqs secret-word "$VARVE_ROOT"
}

@test "a registry with a certificate of its own" {
    private_registry --tls
    fill_registry
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    # A loopback host may speak http, but what speaks https must be trusted.
    fails_from "$HOST/base/app:1"
    SSL_CERT_FILE=$REGISTRY_DIR/ca.crt builds_from "$HOST/base/app:1"
    rm -rf "$VARVE_ROOT"
    echo "ca-file=$REGISTRY_DIR/ca.crt" >>"$VARVE_CONFIG"
    builds_from "$HOST/base/app:1"
    rm -rf "$VARVE_ROOT"
    quick_config
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    mkdir -p "$XDG_CONFIG_HOME/containers/certs.d/$HOST"
    cp "$REGISTRY_DIR/ca.crt" "$XDG_CONFIG_HOME/containers/certs.d/$HOST/"
    builds_from "$HOST/base/app:1"
    rm -rf "$XDG_CONFIG_HOME/containers" "$VARVE_ROOT"
    quick_config "insecure=$HOST"
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    builds_from "$HOST/base/app:1"
}

@test "tokens: anonymous, with a password, expired in between" {
    faults_start --layout "$LAYOUTS/plain" --repo team/app --auth token
    builds_from "$FAULTS_HOST/team/app:latest"
    [ "$(asked '^GET /token.* 200')" -ge 1 ]
    faults_stop
    rm -rf "$VARVE_ROOT"
    faults_start --layout "$LAYOUTS/plain" --repo team/app --auth token --user me --password secret-word
    fails_from "$FAULTS_HOST/team/app:latest"
    [[ "$output" == *"varve login"* ]]
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$FAULTS_HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    builds_from "$FAULTS_HOST/team/app:latest"
    rm -rf "$VARVE_ROOT"
    rules '[{"match": "/token", "do": "", "expires": 0, "times": 1}]'
    builds_from "$FAULTS_HOST/team/app:latest"
    faults_stop
    rm -rf "$VARVE_ROOT"
    faults_start --layout "$LAYOUTS/plain" --repo team/app --auth basic --user me --password secret-word
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$FAULTS_HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    builds_from "$FAULTS_HOST/team/app:latest"
}

@test "a password never goes to where a blob is redirected" {
    faults_start --layout "$LAYOUTS/plain" --repo team/app --auth token --user me --password secret-word
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$FAULTS_HOST" "$(basic me:secret-word)" >"$REGISTRY_AUTH_FILE"
    rules '[{"match": "GET /v2/team/app/blobs/", "do": "redirect", "times": 9}]'
    builds_from "$FAULTS_HOST/team/app:latest"
    faults_curl "http://$FAULTS_HOST/_log" | jq -e '[.[] | select(.other)] | length > 0 and all(.authorization == "")' >/dev/null
}

@test "gzip, zstd and plain layers, Docker's and OCI's media types" {
    for kind in plain zstd none docker; do
        faults_start --layout "$LAYOUTS/$kind" --repo "kind/$kind"
        builds_from "$FAULTS_HOST/kind/$kind:latest"
        [ $kind != zstd ] || [ ! -e ../out/etc/passwd ]
        [ $kind = zstd ] || [ -e ../out/etc/passwd ]
        # What they are pushed as is what they were, unless asked.
        run "$VARVE" push "$FAULTS_HOST/kind/$kind:latest" "$FAULTS_HOST/again/$kind:1"
        [ "$status" -eq 0 ] || { echo "$kind: $output"; return 1; }
        faults_stop
        # And as a layout.
        builds_from base --build-context "base=oci-layout://$LAYOUTS/$kind"
    done
    clean_store
}

@test "an index: the machine's platform, another one, and one that is not there" {
    for kind in index dockerlist; do
        rm -rf "$VARVE_ROOT"
        faults_start --layout "$LAYOUTS/$kind" --repo multi/app
        builds_from "$FAULTS_HOST/multi/app:latest" --platform linux/amd64
        [ "$(cat ../out/platform)" = linux/amd64 ]
        builds_from "$FAULTS_HOST/multi/app:latest" --platform linux/arm64
        [[ "$(cat ../out/platform)" == linux/arm64* ]]
        fails_from "$FAULTS_HOST/multi/app:latest" --platform linux/s390x
        [[ "$output" == *"s390x"*"amd64"*"arm64"* ]] || { echo "$output"; return 1; }
        # FROM --platform, from a layout too.
        builds_from "--platform=linux/arm64 $FAULTS_HOST/multi/app:latest"
        [[ "$(cat ../out/platform)" == linux/arm64* ]]
        builds_from base --platform linux/arm64 --build-context "base=oci-layout://$LAYOUTS/$kind"
        [[ "$(cat ../out/platform)" == linux/arm64* ]]
        faults_stop
    done
}

@test "mirrors: Docker Hub's short names, the next mirror when one is down, digests only" {
    faults_start --layout "$LAYOUTS/plain" --repo library/busybox
    printf '[mirrors]\ndocker.io=http://127.0.0.1:1;http://%s\n' "$FAULTS_HOST" >>"$VARVE_CONFIG"
    builds_from busybox:latest
    builds_from docker.io/library/busybox
    rm -rf "$VARVE_ROOT"
    quick_config
    printf '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' "$FAULTS_HOST" >"$CONTAINERS_REGISTRIES_CONF"
    builds_from busybox:latest
    # By digest, and a digest that is not there.
    digest=$(jq -r '.manifests[0].digest' "$LAYOUTS/plain/index.json")
    rm -rf "$VARVE_ROOT"
    builds_from "$FAULTS_HOST/library/busybox@$digest"
    builds_from "$FAULTS_HOST/library/busybox:whatever@$digest"
    fails_from "$FAULTS_HOST/library/busybox@sha256:$(printf '0%.0s' $(seq 64))"
    [[ "$output" == *"404"* ]]
}

@test "--pull: missing uses what is there, always asks, never does not" {
    faults_start --layout "$LAYOUTS/plain" --repo team/app
    fails_from "$FAULTS_HOST/team/app:latest" --pull=never
    [ "$(asked /v2/)" -eq 0 ]
    builds_from "$FAULTS_HOST/team/app:latest"
    rules '[]'
    builds_from "$FAULTS_HOST/team/app:latest"
    [ "$(asked /v2/)" -eq 0 ]
    builds_from "$FAULTS_HOST/team/app:latest" --pull
    [ "$(asked '^(GET|HEAD) /v2/team/app/manifests')" -ge 1 ]
    [ "$(asked '^GET /v2/team/app/blobs')" -eq 0 ]
    faults_stop
    builds_from "$FAULTS_HOST/team/app:latest"
    fails_from "$FAULTS_HOST/team/app:latest" --pull
}
