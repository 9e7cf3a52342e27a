#!/usr/bin/env bats
# Calls that change the store are the last one once, as the process is killed there, or fail: the store is sound, and the next
# command is right. VARVE_INJECT_STEP=1 takes all calls of each command instead of some.
load robust
bats_require_minimum_version 1.5.0

teardown() {
    [ -z "${REGISTRY_DIR:-}" ] || "$TESTBED/registry.sh" stop "$REGISTRY_DIR"
    faults_stop
}

setup_file() {
    base_setup
    export INJECT=$BATS_FILE_TMPDIR/inject.so
    cc -shared -fPIC -o "$INJECT" "$FAULTS/inject.c" -ldl
}

# injected N WHAT COMMAND…: the command with WHAT at its Nth call below UNDER; 1 when it makes fewer. Its output is in ./out.
injected() {
    local n=$1 what=$2
    shift 2
    rm -f "$BATS_TEST_TMPDIR/met"
    {
        INJECT_UNDER=${UNDER:-$VARVE_ROOT} INJECT_AT=$n INJECT_DO=$what INJECT_LOG=$BATS_TEST_TMPDIR/met \
            ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$INJECT "$@" >out 2>&1
    } 2>/dev/null && code=0 || code=$? # the shell tells of killed commands
    [ -e "$BATS_TEST_TMPDIR/met" ]
}

# A small image whose layer is a tar as varve does not write it.
foreign_image() {
    mkdir many && echo one >many/a && ln many/a many/b
    tar -cf many.tar many
    python3 "$FAULTS/layout.py" layout --layer many.tar:gzip
    tar -C layout -cf image.tar .
}

# load_killed STEP: a load is killed at each STEPth call; what is there is sound, and the next load is right.
load_killed() {
    local n=1
    foreign_image
    expected=$("$VARVE" load -q -i image.tar)
    rm -rf "$VARVE_ROOT"
    while injected "$n" KILL "$VARVE" load -q -i image.tar; do
        "$VARVE" fsck >fsck 2>&1 || { cat "$BATS_TEST_TMPDIR/met" fsck; return 1; }
        [ "$("$VARVE" load -q -i image.tar)" = "$expected" ]
        clean_store || { cat "$BATS_TEST_TMPDIR/met"; return 1; }
        rm -rf "$VARVE_ROOT"
        n=$((n + $1))
        [ "$n" -lt 500 ]
    done
    [ "$n" -gt $((10 + $1)) ]
    [ "$(cat out)" = "$expected" ]
}

@test "load killed among the writes to the database's log: the store is sound, and the next load is right" {
    UNDER=$VARVE_ROOT/varve.db-wal
    load_killed 3 # a transaction is at least four writes
}

@test "load killed at any call: the store is sound, and the next load is right" {
    load_killed 7
}

# swept STEP ERROR COMMAND…: COMMAND on a fresh store (PREPARE makes it) with ERROR at each STEPth call. It fails with an error, or
# prints what it should; then the store is sound, and COMMAND works.
swept() {
    local step=${VARVE_INJECT_STEP:-$1} what=$2 n=1 code=0
    shift 2
    rm -rf "$VARVE_ROOT" && $PREPARE && expected=$("$@")
    while rm -rf "$VARVE_ROOT" && $PREPARE && injected "$n" "$what" "$@"; do
        swept_once "$n" "$@" || { cat "$BATS_TEST_TMPDIR/met" out; return 1; }
        n=$((n + step))
        [ "$n" -lt 2000 ]
    done
    [ "$n" -gt "$step" ]
    [ "$(cat out)" = "$expected" ]
}

swept_once() {
    [ "$code" -lt 120 ] || { echo "code $code"; return 1; }
    if [ "$code" -eq 0 ]; then
        [ "$(cat out)" = "$expected" ] || { echo "not what it should be"; return 1; }
    else
        grep -q "error: " out || { echo "no error"; return 1; }
        [ "$what" != EIO ] || grep -qE "^(next|hint): " out || { echo "no next move"; return 1; }
        if grep -E "(cannot write|boot\.[^ ]*tmp|of ): " out; then return 1; fi
    fi
    "$VARVE" fsck >fsck 2>&1 || { cat fsck; return 1; }
    shift
    [ "$("$@")" = "$expected" ] || { echo "the next one is not right"; return 1; }
    clean_store
}

small_build() {
    export SOURCE_DATE_EPOCH=1700000000
    echo hello >a
    printf 'FROM busybox\nCOPY a /a\nRUN cp /a /b && rm /a\n' >Dockerfile
    BUILD=("$VARVE" build -q --build-context "busybox=oci-layout://$PWD/base" -t app:1 .)
    mkdir -p root/bin && cp "$(command -v busybox)" root/bin/busybox
    for c in sh cp rm; do ln -s busybox root/bin/$c; done
    tar -C root -cf root.tar .
    python3 "$FAULTS/layout.py" base --layer root.tar:gzip
    printf '*\n!a\n' >.dockerignore
}

@test "a build with a call that fails: an error, a sound store, and the next one is right" {
    small_build
    PREPARE=true
    swept 29 EIO "${BUILD[@]}"
    swept 31 EMFILE "${BUILD[@]}"
    INJECT_STAYS=1 swept 37 ENOSPC "${BUILD[@]}"
}

@test "a pull with a call that fails: an error, a sound store, and the next one is right" {
    quick_config
    foreign_image
    faults_start --layout layout --repo inject/app
    PREPARE=true
    swept 17 EIO "$VARVE" pull -q "$FAULTS_HOST/inject/app:latest"
    INJECT_STAYS=1 swept 19 ENOSPC "$VARVE" pull -q "$FAULTS_HOST/inject/app:latest"
}

@test "a push with a call that fails: an error, a sound store, and the next one is right" {
    quick_config
    small_build
    REGISTRY_DIR=$BATS_TEST_TMPDIR/registry
    host=$("$TESTBED/registry.sh" start "$REGISTRY_DIR")
    "${BUILD[@]}" && "$VARVE" tag app:1 "$host/inject/app:1"
    cp -a "$VARVE_ROOT" ../built
    prepared() { rm -rf "$REGISTRY_DIR/data/docker" && cp -a ../built "$VARVE_ROOT"; }
    PREPARE=prepared
    swept 11 EIO "$VARVE" push -q "$host/inject/app:1"
    INJECT_STAYS=1 swept 13 ENOSPC "$VARVE" push -q "$host/inject/app:1"
}
