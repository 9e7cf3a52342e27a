#!/usr/bin/env bats
# Each call that changes the store is the last one once: the process is killed there, and the store is sound.
load robust
bats_require_minimum_version 1.5.0

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
    } 2>/dev/null || true # the shell tells of killed commands
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

@test "load killed at each write to the database's log: the store is sound, and the next load is right" {
    UNDER=$VARVE_ROOT/varve.db-wal
    load_killed 1
}

@test "load killed at any call: the store is sound, and the next load is right" {
    load_killed 7
}
