#!/usr/bin/env bats
# A full disk: exit 4, a message that says so and what to do, and after making room the build goes on.
load robust
setup_file() { base_setup; }

# A store on a small file system of its own: ext4 on a loop device where that is permitted, else tmpfs.
setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/disk/store NO_COLOR=1 LC_ALL=C.UTF-8
    DISK=$BATS_TEST_TMPDIR/disk
    unset SOURCE_DATE_EPOCH DOCKER_HOST BUILDKIT_PROGRESS
    mkdir -p "$BATS_TEST_TMPDIR/ctx" "$DISK"
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
    truncate -s 96M "$BATS_TEST_TMPDIR/image"
    if ! { mkfs.ext4 -q -m 0 "$BATS_TEST_TMPDIR/image" &&
        mount -o loop "$BATS_TEST_TMPDIR/image" "$DISK"; } 2>/dev/null; then
        mount -t tmpfs -o size=96M none "$DISK" 2>/dev/null || skip "mounting is not permitted here"
    fi
}

teardown() {
    faults_stop
    for _ in 1 2 3 4 5; do
        mountpoint -q "$DISK" || break
        umount "$DISK" 2>/dev/null || sleep 0.2
    done
}

# leave MB: fills the disk so that about so much is left. make_room undoes it. fallocate itself may need a block.
leave() {
    local free
    free=$(df --output=avail -k "$DISK" | tail -1)
    fallocate -l $(((free - $1 * 1024) * 1024)) "$DISK/filler" || [ "$1" -eq 0 ]
    [ "$1" -gt 0 ] || cat /dev/zero >>"$DISK/filler" 2>/dev/null || true
}
make_room() { rm "$DISK/filler"; }

# Exit 4, the reason, and the next move.
assert_full() {
    [ "$status" -eq 4 ]
    [[ "$output" == *"No space left on device"* || "$output" == *"disk is full"* || "$output" == *"database or disk is full"* ]]
    [[ "$output" == *"next: make room"* ]]
}

goes_on() {
    make_room
    run build -t full:1 .
    [ "$status" -eq 0 ]
    clean_store
}

@test "full during COPY" {
    printf 'FROM busybox\nRUN echo kept >/kept\nCOPY big /big\n' >Dockerfile
    head -c 30000000 /dev/urandom >big
    build -o type=cacheonly --target 0 . >/dev/null 2>&1 || true
    leave 15
    run build -t full:1 .
    assert_full
    make_room
    run build --explain -t full:1 .
    [ "$status" -eq 0 ]
    [[ "$(explained 'RUN echo kept')" != "run "* ]]
    clean_store
}

@test "full during RUN: the program fails, but the disk is to blame" {
    printf 'FROM busybox\nRUN echo before; dd if=/dev/zero of=/big bs=1M count=30\n' >Dockerfile
    printf 'FROM busybox\nRUN true\n' | build -f - . >/dev/null 2>&1
    leave 15
    run build -t full:1 .
    assert_full
    [[ "$output" == *"before"* ]]
    goes_on
}

@test "full during a RUN into a cache mount" {
    printf 'FROM busybox\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/big bs=1M count=30\n' >Dockerfile
    printf 'FROM busybox\nRUN true\n' | build -f - . >/dev/null 2>&1
    leave 15
    run build -t full:1 .
    assert_full
    rm -f "$DISK/filler"
    run build -t full:1 .
    [ "$status" -eq 0 ]
    clean_store
}

@test "full while the base image is pulled and unpacked" {
    quick_config
    head -c 25000000 /dev/urandom >big
    tar -cf big.tar big
    python3 "$FAULTS/layout.py" ../layout --base "$BASES/busybox-oci" --layer big.tar:gzip
    faults_start --layout ../layout --repo base
    for room in 8 30; do
        rm -rf "$VARVE_ROOT"
        leave $room
        run varve pull "$FAULTS_HOST/base:latest"
        assert_full
        make_room
        run varve pull "$FAULTS_HOST/base:latest"
        [ "$status" -eq 0 ]
        clean_store
    done
}

@test "full while layers are fetched from a cache: they are not taken for lost" {
    printf 'FROM busybox\nRUN head -c 15000000 /dev/urandom >/big\nCOPY n /n\nRUN cat /n /big | md5sum >/sum\n' >Dockerfile
    echo 1 >n
    VARVE_ROOT=$PWD/../other build -q --cache-to type=local,dest=../cache,mode=max .
    for room in 4 12 20 30; do
        rm -rf "$VARVE_ROOT"
        echo 1 >n
        build -q --cache-from type=local,src=../cache,prefer=hit . >/dev/null
        echo 2 >n
        leave $room
        run build -t full:1 --cache-from type=local,src=../cache,prefer=hit .
        assert_full
        [[ "$output" != *"its step runs again"* ]]
        make_room
        run build -t full:1 --cache-from type=local,src=../cache,prefer=hit .
        [ "$status" -eq 0 ]
        [[ "$output" == *"RUN head -c 15000000 /dev/urandom >/big   cached"* ]]
        clean_store
    done
}

@test "full while layers are exported to blobs" {
    printf 'FROM busybox\nCOPY big /big\n' >Dockerfile
    head -c 30000000 /dev/urandom >big
    build -t full:1 . >/dev/null 2>&1
    leave 10
    run build -o type=oci,dest=../out.tar .
    assert_full
    [ ! -e ../out.tar ]
    make_room
    run build -o type=oci,dest=../out.tar .
    [ "$status" -eq 0 ]
    skopeo inspect oci-archive:../out.tar >/dev/null
    clean_store
}

@test "the destination of -o is full" {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store
    printf 'FROM busybox\nCOPY big /big\n' >Dockerfile
    head -c 30000000 /dev/urandom >big
    leave 10
    for out in "type=oci,dest=$DISK/out.tar" "type=docker,dest=$DISK/out.tar" "type=tar,dest=$DISK/out.tar" \
        "type=local,dest=$DISK/tree" "type=oci,tar=false,dest=$DISK/layout"; do
        run build -o "$out" .
        [ "$status" -eq 4 ] || { echo "$out: $status: $output"; return 1; }
        [[ "$output" == *"$DISK/"* ]] || { echo "$out: $output"; return 1; }
        [ ! -e "$DISK/out.tar" ]
        # What a directory got is there, as after any broken copy; nothing has a temporary name.
        [ -z "$(find "$DISK" -maxdepth 2 -name '*.tmp*' -o -maxdepth 2 -name '.varve*')" ] || { ls -la "$DISK"; return 1; }
        rm -rf "$DISK/tree" "$DISK/layout"
    done
    make_room
    build -o "type=oci,dest=$DISK/out.tar" .
    skopeo inspect "oci-archive:$DISK/out.tar" >/dev/null
    clean_store
}

@test "not a byte left: commands say so, and prune makes room" {
    printf 'FROM busybox\nARG N\nRUN head -c 4000000 /dev/urandom >/f; echo $N\n' >Dockerfile
    build --build-arg N=1 -t full:1 . >/dev/null 2>&1
    build --build-arg N=2 -t full:1 . >/dev/null 2>&1
    leave 1
    cat /dev/zero >"$DISK/filler2" 2>/dev/null || true
    run build --build-arg N=3 -t full:1 .
    assert_full
    run varve images
    [ "$status" -eq 0 ]
    run varve prune --all --force
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    run build --build-arg N=3 -t full:1 .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    rm -f "$DISK/filler" "$DISK/filler2"
    clean_store
}
