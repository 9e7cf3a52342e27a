#!/usr/bin/env bats
# kill -9 at 60 moments spread over build, pull and push: the next run needs no repair and makes the same image.
# VARVE_CRASH_EXAMPLE=1 takes examples/graphrag instead of a small image; what npm downloaded is kept between the moments.
load robust
bats_require_minimum_version 1.5.0

setup_file() {
    base_setup
    [ -z "${VARVE_CRASH_EXAMPLE:-}" ] || "$BATS_TEST_DIRNAME/../testbed/node-base.sh" "$BASES" >/dev/null 2>&1
}

teardown() {
    [ -z "${REGISTRY_DIR:-}" ] || "$TESTBED/registry.sh" stop "$REGISTRY_DIR"
    faults_stop
}

# A build that lasts about half a second and has a bit of everything. MARK names its processes.
example() {
    export SOURCE_DATE_EPOCH=1700000000
    if [ -n "${VARVE_CRASH_EXAMPLE:-}" ]; then
        cp -r "$BATS_TEST_DIRNAME/../../examples/graphrag/." .
        BUILD=("$VARVE" build -q --host-ca --build-context "node:20-alpine=oci-layout://$BASES/node-base-oci" -t crash:1 .)
        return
    fi
    mkdir -p src
    for i in $(seq 150); do echo "file $i" >"src/f$i.txt"; done
    head -c 3000000 /dev/urandom >src/blob
    cat >Dockerfile <<EOF2
FROM busybox AS deps
ENV MARK=$MARK
RUN --mount=type=cache,target=/cache,id=crash mkdir -p /deps && \
    for i in \$(seq 60); do echo \$i >/cache/\$i; cp /cache/\$i /deps/; done && sleep 0.1
FROM busybox AS build
ENV MARK=$MARK
WORKDIR /src
COPY src .
RUN cat *.txt >/all && cp blob /copy && sleep 0.1
FROM busybox
ENV MARK=$MARK
COPY --from=deps /deps /app/deps
COPY --from=build /all /copy /app/
RUN rm /app/deps/1* && ls -R /app >/list
HEALTHCHECK CMD true
EOF2
    BUILD=("$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -t crash:1 .)
}

# An empty store; of the example one that holds nothing but its cache mounts, made at the first call from a whole build.
fresh_store() {
    if [ -n "${VARVE_CRASH_EXAMPLE:-}" ] && [ ! -d ../warm ]; then
        "$VARVE" rmi crash:1 >/dev/null && "$VARVE" prune --all >/dev/null
        mv "$VARVE_ROOT" ../warm
    fi
    rm -rf "$VARVE_ROOT"
    [ ! -d ../warm ] || cp -a ../warm "$VARVE_ROOT"
}

# Milliseconds that a command takes.
duration() {
    local begun
    begun=$(date +%s%N)
    "$@" >/dev/null 2>&1
    echo $((($(date +%s%N) - begun) / 1000000))
}

# kill_at MILLISECONDS COMMAND…: whether it was killed or ended before.
kill_at() {
    local ms=$1 pid
    shift
    "$@" >/dev/null 2>&1 3>&- &
    pid=$!
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

@test "a build killed at any of 30 moments: no repair, same image, nothing left" {
    MARK=crash-$$-$RANDOM
    example
    expected=$("${BUILD[@]}")
    [[ "$expected" == sha256:* ]]
    fresh_store
    total=$(duration "${BUILD[@]}")
    for i in $(seq 30); do
        fresh_store
        kill_at $((total * i / 31)) "${BUILD[@]}"
        no_traces "$MARK" || { echo "moment $i of $total ms"; return 1; }
        got=$("${BUILD[@]}" 2>err) || { echo "moment $i: $(cat err)"; return 1; }
        [ "$got" = "$expected" ] || { echo "moment $i: $got instead of $expected"; return 1; }
        clean_store || { echo "moment $i of $total ms"; return 1; }
    done
}

@test "a store that survived 10 kills in a row is still right" {
    MARK=crash-$$-$RANDOM
    example
    expected=$("${BUILD[@]}")
    fresh_store
    total=$(duration "${BUILD[@]}")
    fresh_store
    for i in $(seq 10); do kill_at $((total * (11 - i) / 22)) "${BUILD[@]}"; done
    run -0 "$VARVE" fsck
    [ "$("${BUILD[@]}")" = "$expected" ]
    clean_store
    no_traces "$MARK"
}

# layout: an image of one big layer and one of many files, or the example.
pulled_layout() {
    if [ -n "${VARVE_CRASH_EXAMPLE:-}" ]; then
        example
        "${BUILD[@]}" -o type=oci,dest=built,tar=false
        cp -r built layout
        jq 'del(.manifests[].annotations)' built/index.json >layout/index.json # the tag is "latest"
        return
    fi
    head -c 20000000 /dev/urandom >big
    tar -cf big.tar big
    mkdir many && for i in $(seq 400); do echo "$i" >"many/$i"; done && tar -cf many.tar many
    python3 "$FAULTS/layout.py" layout --base "$BASES/busybox-oci" --layer big.tar:gzip --layer many.tar:none
}

@test "a pull killed at any of 15 moments goes on where it was" {
    MARK=crash-$$-$RANDOM
    quick_config
    pulled_layout
    faults_start --layout layout --repo crash/base
    pull() { "$VARVE" pull "$FAULTS_HOST/crash/base:latest"; }
    total=$(duration pull)
    expected=$("$VARVE" inspect "$FAULTS_HOST/crash/base:latest" | jq -c ".[0] | [.Id, .RootFS]")
    for i in $(seq 15); do
        rm -rf "$VARVE_ROOT"
        kill_at $((total * i / 16)) env MARK="$MARK" "$VARVE" pull "$FAULTS_HOST/crash/base:latest"
        no_traces "$MARK" || { echo "moment $i of $total ms"; return 1; }
        pull >out 2>&1 || { echo "moment $i of $total ms: $(cat out)"; return 1; }
        [ "$("$VARVE" inspect "$FAULTS_HOST/crash/base:latest" | jq -c ".[0] | [.Id, .RootFS]")" = "$expected" ]
        clean_store || { echo "moment $i of $total ms"; return 1; }
    done
}

@test "a push killed at any of 15 moments leaves no half image, and the next one completes it" {
    quick_config
    MARK=crash-$$-$RANDOM
    example
    REGISTRY_DIR=$BATS_TEST_TMPDIR/registry
    host=$("$TESTBED/registry.sh" start "$REGISTRY_DIR")
    "${BUILD[@]}"
    "$VARVE" tag crash:1 "$host/crash/app:1"
    cp -a "$VARVE_ROOT" ../built
    push() { "$VARVE" push "$host/crash/app:1"; }
    total=$(duration push)
    expected=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/crash/app:1")
    for i in $(seq 15); do
        rm -rf "$VARVE_ROOT" "$REGISTRY_DIR/data/docker"
        cp -a ../built "$VARVE_ROOT"
        kill_at $((total * i / 16)) "$VARVE" push "$host/crash/app:1"
        # What the registry has under the tag by now is whole.
        if skopeo inspect --tls-verify=false "docker://$host/crash/app:1" >/dev/null 2>&1; then
            skopeo copy -q --src-tls-verify=false "docker://$host/crash/app:1" "dir:../copy$i"
        fi
        push >out 2>&1 || { echo "moment $i of $total ms: $(cat out)"; return 1; }
        got=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/crash/app:1")
        [ "$got" = "$expected" ] || { echo "moment $i: $got instead of $expected"; return 1; }
        clean_store || { echo "moment $i of $total ms"; return 1; }
    done
    skopeo copy -q --src-tls-verify=false "docker://$host/crash/app:1" dir:../whole
}

@test "SIGTERM while a large file of a layer is read ends the build" {
    printf 'FROM busybox\nRUN dd if=/dev/zero of=/lastlog bs=1 count=1 seek=60000000000 2>/dev/null; echo written\n' >Dockerfile
    "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" . >log 2>&1 3>&- &
    pid=$!
    for _ in $(seq 200); do
        grep -q written log && break
        sleep 0.05
    done
    kill -TERM "$pid"
    begun=$SECONDS
    code=0
    wait "$pid" || code=$?
    [ $((SECONDS - begun)) -le 4 ]
    [ "$code" -eq 130 ] || { cat log; false; }
    clean_store
}

@test "a limit of file sizes is an error, not a signal" {
    printf 'FROM busybox\nRUN echo one >/one\n' >Dockerfile
    run bash -c "ulimit -f 10; exec '$VARVE' build --progress=plain --build-context busybox=oci-layout://$BASES/busybox-oci ."
    [ "$status" -ne 0 ] && [ "$status" -lt 128 ]
    [[ "$output" == *"error: "* ]]
    run "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -eq 0 ]
}
