#!/usr/bin/env bats
# Builds for several platforms at once: one graph, an index, and what becomes of it.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/open")
    export HOST
}
teardown_file() {
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/open"
}
setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8 DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    unset SOURCE_DATE_EPOCH DOCKER_HOST BUILDKIT_PROGRESS DOCKER_DEFAULT_PLATFORM
    mkdir -p "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx"
    PAIR=linux/amd64,linux/arm64
    here=$("$VARVE" version | sed -n 's/^platform *//p')
    # Two platforms without a program of either: what is built is built on this machine.
    cat >Dockerfile <<'END'
FROM --platform=$BUILDPLATFORM busybox AS tools
RUN echo tools >/tools
FROM tools AS build
ARG TARGETPLATFORM TARGETARCH
RUN echo for $TARGETPLATFORM >/out
FROM scratch
ARG TARGETARCH
COPY --from=build /out /
LABEL arch=$TARGETARCH
END
}
other_store() { VARVE_ROOT=$BATS_TEST_TMPDIR/other "$VARVE" "$@"; }
remote() { skopeo inspect --tls-verify=false --raw "docker://$HOST/$1"; }

@test "two platforms: what is equal runs once, and the registry gets one index" {
    run build --platform "$PAIR" -t "$HOST/lib/app:1" --push .
    [ "$status" -eq 0 ]
    [ "$(grep -c 'tools\] RUN echo tools .*tools$' <<<"$output")" = 1 ]
    for platform in linux/amd64 linux/arm64; do
        [ "$platform" = "$here" ] || [[ "$output" == *"$here->${platform#linux/} build] RUN"* ]]
    done
    [[ "$output" == *"  linux/amd64  "*"  linux/arm64  "*"pushed $HOST/lib/app:1"* ]]
    [ "$(remote lib/app:1 | jq -r .mediaType)" = application/vnd.oci.image.index.v1+json ]
    [ "$(remote lib/app:1 | jq -r '.manifests[].platform.architecture' | xargs)" = "amd64 arm64" ]
    for arch in amd64 arm64; do
        skopeo copy -q --override-arch "$arch" --src-tls-verify=false "docker://$HOST/lib/app:1" "dir:$arch"
        [ "$(skopeo inspect --config "dir:$arch" | jq -r '.architecture + " " + .config.Labels.arch')" = "$arch $arch" ]
        layer=$(jq -r '.layers[0].digest' "$arch/manifest.json")
        [ "$(tar -xzOf "$arch/${layer#sha256:}" out)" = "for linux/$arch" ]
    done
    # The other way round it is another index of the same images; nothing runs and no blob is sent.
    run build --platform linux/arm64 --platform linux/amd64,linux/arm64 -t "$HOST/lib/app:2" --push .
    [[ "$output" == *" 0 steps ran"*"0 B sent in 0 blobs"* ]]
    [ "$(remote lib/app:2 | jq -r '.manifests[].platform.architecture' | xargs)" = "arm64 amd64" ]
    [ "$(remote lib/app:2 | jq -c '.manifests | map(.digest) | sort')" = "$(remote lib/app:1 | jq -c '.manifests | map(.digest) | sort')" ]
    # Docker's media types; push by digest.
    build --platform "$PAIR" --metadata-file md -o "type=image,name=$HOST/lib/list,push=true,push-by-digest=true,oci-mediatypes=false" . 2>/dev/null
    digest=$(jq -r '."containerimage.digest"' md)
    [ "$(remote "lib/list@$digest" | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.list.v2+json ]
    [ "$(remote "lib/list@$digest" | jq -r '.manifests[0].mediaType')" = application/vnd.docker.distribution.manifest.v2+json ]
}

@test "an index is one image of the store, and goes and comes as a whole" {
    build --platform "$PAIR" -t app:1 --iidfile iid --metadata-file md . 2>/dev/null
    id=$(cat iid)
    [ "$(jq -r '."containerimage.digest", ."containerimage.descriptor".digest, ."containerimage.descriptor".mediaType' md | xargs)" = \
        "$id $id application/vnd.oci.image.index.v1+json" ]
    [ "$(jq 'has("containerimage.config.digest")' md)" = false ]
    [ "$(varve images -q --no-trunc)" = "$id" ]
    [ "$(varve images --format json | jq -r '.Platform')" = "linux/amd64, linux/arm64" ]
    [ "$(varve inspect app:1 | jq -r '.[0].IndexDigest')" = "$id" ]
    [ "$(varve inspect --platform linux/arm64 "${id#sha256:}" | jq -r '.[0].Architecture')" = arm64 ]
    run varve run --pull never --platform linux/s390x app:1 /x
    [ "$status" -ne 0 ]
    [[ "$output" == *"app:1 is in the store for linux/amd64, linux/arm64, not for linux/s390x"* ]]
    varve tag app:1 again:1
    [ "$(varve images -q --no-trunc again:1)" = "$id" ]
    [ "$(varve push -q again:1 "$HOST/store/again:1")" = "$id" ]
    [ "$(varve push -q --platform linux/arm64 again:1 "$HOST/store/again:arm64")" != "$id" ]
    [ "$(remote store/again:arm64 | jq -r '.config.digest')" = "$(varve inspect --platform linux/arm64 app:1 | jq -r '.[0].Id')" ]
    varve save -o saved.tar app:1 2>/dev/null
    [ "$(other_store load -q saved.tar)" = "$id" ]
    [ "$(other_store images -q --no-trunc)" = "$id" ]
    other_store rmi app:1
    [ "$(other_store load -q --platform linux/arm64 saved.tar)" != "$id" ]
    # Pulled for one platform it is that image; for both it is the index again.
    other_store rmi app:1
    other_store pull -q --platform linux/amd64 "$HOST/store/again:1"
    [ "$(other_store images -q --no-trunc)" != "$id" ]
    other_store pull -q --platform linux/arm64 "$HOST/store/again:1"
    [ "$(other_store images -q --no-trunc)" = "$id" ]
    # A build for one platform takes the whole name, and gives it back.
    build --platform linux/amd64 -t app:1 . 2>/dev/null
    [ "$(varve images --format json app:1 | jq -r .Platform)" = linux/amd64 ]
    run build --platform "$PAIR" -t app:1 .
    [[ "$output" == *"ready in"* ]]
    run build --platform "$PAIR" -t app:1 .
    [[ "$output" == *"app:1 is up to date"* ]]
    [ "$(varve images -q --no-trunc app:1)" = "$id" ]
    varve rmi app:1 again:1
    [ -z "$(varve images -q)" ]
    varve prune -f
    varve fsck
}

@test "an index without an image for this machine is used by name and id like any other" {
    other=linux/arm64,linux/s390x
    [ "$here" != linux/arm64 ] || other=linux/amd64,linux/s390x
    build -q --platform "$other" -t app:1 . 2>/dev/null
    build -q --platform "${other#*,}" --build-arg BUILDKIT_MULTI_PLATFORM=1 -t sharing:1 . 2>/dev/null
    id=$(varve images -q app:1)
    first=${other%%,*}
    for name in app:1 "$id"; do
        [ "$(varve inspect -f '{{.Architecture}}' "$name")" = "${first#*/}" ]
        [[ "$(varve history "$name")" == *"LABEL arch=${first#*/}"* ]]
        varve layers "$name"
        varve images --filter "since=$name"
        varve save -o saved.tar "$name" 2>/dev/null
        [ "$(other_store load -q saved.tar)" = "$(varve images -q --no-trunc app:1)" ]
        varve push "$name" "$HOST/other/${name%:*}:1" 2>/dev/null
        run varve run --pull never "$name" /x
        [[ "$output" == *"$name is in the store for ${other/,/, }, not for $here"*"choose one of these with --platform"* ]]
    done
    run varve run "$id" /x # an id is no name for a registry
    [[ "$output" == *"$id is in the store for ${other/,/, }, not for $here"* ]]
    run varve run "$HOST/other/app:2" /x
    [[ "$output" != *"is in the store"* ]]
    varve tag "$id" again:1
    [ "$(varve images -q again:1)" = "$id" ]
    run varve rmi "$id"
    [ "$status" -eq 1 ]
    [[ "$output" == *"it has several names: again:1, app:1"* ]]
    varve rmi -f "$id" # and leaves an index that shares an image with it
    [ "$(varve images --format '{{.Repository}}')" = sharing ]
    varve rmi sharing:1
}

@test "archives, layouts and files of several platforms" {
    build --platform "$PAIR" -t lib/app:1 -o type=oci,dest=app.tar -o type=oci,tar=false,dest=layout . 2>/dev/null
    for arch in amd64 arm64; do
        [ "$(skopeo inspect --override-arch "$arch" --config oci-archive:app.tar | jq -r .architecture)" = "$arch" ]
        [ "$(skopeo inspect --override-arch "$arch" --config oci:layout:1 | jq -r .architecture)" = "$arch" ]
    done
    build --platform "$PAIR" -o type=oci . 2>/dev/null | tar -xO index.json | jq -e '.manifests | length == 1'
    build --platform "$PAIR" -o files . 2>/dev/null
    [ "$(cat files/linux_amd64/out files/linux_arm64/out | xargs)" = "for linux/amd64 for linux/arm64" ]
    [ "$(build --platform "$PAIR" -o - . 2>/dev/null | tar -xO linux_arm64/out)" = "for linux/arm64" ]
    # Together only what differs in its names.
    run build --platform "$PAIR" -o type=local,dest=merged,platform-split=false .
    [ "$status" -eq 1 ]
    [[ "$output" == *"/out is in the results for linux/amd64 and linux/arm64"*"next: "* ]]
    [ ! -e merged ]
    sed -i 's|/out /$|/out /out-$TARGETARCH|' Dockerfile
    build --platform "$PAIR" -o type=local,dest=merged,platform-split=false . 2>/dev/null
    [ "$(ls merged | xargs)" = "out-amd64 out-arm64" ]
    [ "$(build --platform "$PAIR" -o type=tar,dest=-,platform-split=false . 2>/dev/null | tar -t | xargs)" = "out-amd64 out-arm64" ]
    build --platform linux/arm64 -o type=local,dest=one,platform-split=true . 2>/dev/null
    [ "$(ls one)" = linux_arm64 ]
    build --platform linux/arm64 --build-arg BUILDKIT_MULTI_PLATFORM=1 -o two . 2>/dev/null
    [ "$(ls two)" = linux_arm64 ]
}

@test "annotations of an index, its manifests and what names them" {
    build --platform "$PAIR" --annotation index:i=1 --annotation index-descriptor:id=2 --annotation manifest-descriptor:md=3 \
        --annotation 'manifest[linux/arm64]:m=4' -o type=oci,dest=a.tar,annotation-manifest.all=5 . 2>/dev/null
    [ "$(tar -xOf a.tar index.json | jq -r '.manifests[0].annotations.id')" = 2 ]
    index=blobs/sha256/$(tar -xOf a.tar index.json | jq -r '.manifests[0].digest' | cut -d: -f2)
    [ "$(tar -xOf a.tar "$index" | jq -c '[.annotations, (.manifests[] | .annotations)]')" = '[{"i":"1"},{"md":"3"},{"md":"3"}]' ]
    for n in 0 1; do
        tar -xOf a.tar "blobs/sha256/$(tar -xOf a.tar "$index" | jq -r ".manifests[$n].digest" | cut -d: -f2)" | jq -c .annotations
    done >said
    [ "$(cat said)" = '{"all":"5"}'$'\n''{"all":"5","m":"4"}' ]
    run build --annotation index:i=1 .
    [ "$status" -eq 2 ]
    [[ "$output" == *"the annotation index:i needs an index"*"next: "* ]]
    build --annotation index:i=1 --build-arg BUILDKIT_MULTI_PLATFORM=true -o type=oci,dest=one.tar . 2>/dev/null
    tar -xOf one.tar "blobs/sha256/$(tar -xOf one.tar index.json | jq -r '.manifests[0].digest' | cut -d: -f2)" | jq -e '.manifests | length == 1'
    run build --annotation 'manifest[linux/s390x]:m=1' .
    [ "$status" -eq 0 ]
    [[ "$output" == *"manifest[linux/s390x]:m is for another platform"* ]]
}

@test "what cannot work is said before anything runs" {
    while IFS='|' read -r flags words; do
        # shellcheck disable=SC2086 # words
        run build --platform "$PAIR" $flags .
        [ "$status" -eq 2 ] || { echo "$flags: $status $output"; return 1; }
        [[ "$output" == *"$words"* && "$output" != *RUN* ]] || { echo "$flags: $output"; return 1; }
    done <<'END'
-o type=docker,dest=x.tar|an archive of type=docker has images of one platform only
-o type=oci,dest=x -o type=local,dest=./x|two outputs go to ./x
--build-arg BUILDKIT_MULTI_PLATFORM=0|several platforms need an index
--build-arg BUILDKIT_MULTI_PLATFORM=perhaps|neither true nor false
--platform linux/amd46|unknown architecture "amd46"
--platform ,|is not a platform
END
    DOCKER_DEFAULT_PLATFORM=linux/amd64,linux/arm64 build -t both . 2>/dev/null
    [ "$(varve images --format json both | jq -r .Platform)" = "linux/amd64, linux/arm64" ]
}

# engine STATUS: a Docker engine at $DOCKER_HOST whose GET /info has that DriverStatus; what it is sent is in loaded.tar.
engine() {
    cat >engine.py <<'END'
import http.server, json, socketserver, sys
class Engine(http.server.BaseHTTPRequestHandler):
    def say(self, o):
        body = json.dumps(o).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.say({'DriverStatus': json.loads(sys.argv[1])})
    def do_POST(self):
        open('loaded.tar', 'wb').write(self.rfile.read(int(self.headers['Content-Length'])))
        self.say({'stream': 'Loaded image'})
    def log_message(self, *a): pass
s = http.server.HTTPServer(('127.0.0.1', 0), Engine)
print(s.server_address[1], flush=True)
s.serve_forever()
END
    rm -f port
    setpriv --pdeathsig TERM python3 engine.py "$1" >port 3>&- &
    ENGINE=$!
    for _ in $(seq 100); do
        [ ! -s port ] || break
        sleep 0.05
    done
    export DOCKER_HOST=tcp://127.0.0.1:$(cat port)
}

@test "an index is loaded into an engine with containerd's store, and into no other" {
    engine '[["driver-type", "io.containerd.snapshotter.v1"]]'
    build --platform "$PAIR" -t app:1 --load . 2>/dev/null
    kill "$ENGINE"
    [ "$(tar -xOf loaded.tar index.json | jq -r '.manifests[0] | .mediaType, .annotations["io.containerd.image.name"]' | xargs)" = \
        "application/vnd.oci.image.index.v1+json docker.io/library/app:1" ]
    engine '[["Backing Filesystem", "extfs"]]'
    rm -r loaded.tar "$VARVE_ROOT"
    run build --platform "$PAIR" -t app:1 --load .
    [ "$status" -eq 2 ]
    [[ "$output" == *"the Docker engine cannot load an image for several platforms"*"next: "* && "$output" != *RUN* ]]
    kill "$ENGINE"
    run build --platform "$PAIR" -t app:1 --load .
    [[ "$output" == *"cannot reach the Docker engine"* && "$output" != *RUN* ]]
}

@test "a step that fails on one platform ends the build, with that platform named" {
    sed -i 's|^RUN echo for|RUN test $TARGETARCH != s390x \&\& echo for|' Dockerfile
    run build --platform "$here,linux/s390x" .
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed with exit code 1   (stage $here->s390x build, after"* ]]
    run build --platform "$here" .
    [[ "$output" == *"tools >/tools   cached"* ]] # kept
    printf 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n' >Dockerfile
    touch amd64
    run build --platform linux/amd64,linux/riscv64 .
    [ "$status" -eq 1 ]
    [[ "$output" == *'"riscv64" was not found in the build context'*"(linux/riscv64)"* ]]
    printf 'ARG TARGETARCH\nFROM for-$TARGETARCH\n' >Dockerfile
    run build --platform "$PAIR" --pull=never .
    [[ "$output" == *"error for linux/amd64; nothing was run"* ]]
}

@test "bases of several platforms: each leg gets its own, and one that lacks a platform is told at its FROM" {
    printf 'FROM scratch\nARG TARGETARCH TARGETVARIANT\nCOPY Dockerfile /base-$TARGETARCH$TARGETVARIANT\n' >Dockerfile
    build --platform linux/amd64,linux/arm/v6,linux/arm64/v8 -t "$HOST/base/app:1" --push . 2>/dev/null
    printf 'FROM %s\nCOPY Dockerfile /own\n' "$HOST/base/app:1" >Dockerfile
    rm -r "$VARVE_ROOT"
    build --platform linux/amd64,linux/arm64,linux/arm/v7 -o out . 2>/dev/null
    [ "$(cd out && echo */base-*)" = "linux_amd64/base-amd64 linux_arm64/base-arm64 linux_arm_v7/base-armv6" ]
    run build --platform linux/amd64,linux/s390x .
    [ "$status" -eq 1 ]
    [[ "$output" == *"Dockerfile:1:6: error: "*"there is no image for linux/s390x; it offers linux/amd64, linux/arm/v6, linux/arm64"* ]]
    [[ "$output" == *"1 error for linux/s390x; nothing was run"* ]]
    # A base that is not what its index says: a warning, once.
    build --platform linux/amd64 -t "$HOST/base/amd64:1" --push . 2>/dev/null
    printf 'FROM %s\nCOPY Dockerfile /own\n' "$HOST/base/amd64:1" >Dockerfile
    run build --platform linux/arm64,linux/s390x -t lies .
    [ "$status" -eq 0 ]
    [ "$(grep -c 'FROM\|InvalidBaseImagePlatform' <<<"$(grep InvalidBase <<<"$output")")" = 1 ]
    [ "$(varve inspect --platform linux/s390x lies | jq -r '.[0].Architecture')" = s390x ]
}

@test "caches hold both platforms, and times can be fixed" {
    build --platform "$PAIR" --cache-to "type=local,dest=cache,mode=max" -t app . 2>/dev/null
    rm -r "$VARVE_ROOT"
    run build --platform "$PAIR" --cache-from type=local,src=cache -t app .
    [[ "$output" == *" 0 steps ran"* ]]
    build --platform "$PAIR" --cache-from type=local,src=cache --cache-to type=inline -t "$HOST/cached/app:1" --push . 2>/dev/null
    for platform in linux/amd64 linux/arm64; do
        rm -r "$VARVE_ROOT"
        run build --platform "$platform" --cache-from "$HOST/cached/app:1" .
        [[ "$output" == *" 0 steps ran"* ]]
    done
    for store in one two; do
        VARVE_ROOT=$BATS_TEST_TMPDIR/$store SOURCE_DATE_EPOCH=7 build --platform "$PAIR" --iidfile "$store" . 2>/dev/null
        sleep 1
    done
    cmp one two
    build --platform "$PAIR" -t app . 2>/dev/null
    run build --platform "$PAIR" --explain -t app --label l=1 .
    [[ "$output" == *"conf linux/amd64 LABEL l"*"conf linux/arm64 LABEL l"* ]]
    [ "$(varve history --format json | head -1 | jq -r .Platform)" = "$PAIR" ]
}
