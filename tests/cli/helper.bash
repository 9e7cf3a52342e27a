# Shared by the bats files. VARVE names the program; each test has a store of its own.
VARVE=${VARVE:-$BATS_TEST_DIRNAME/../../build/varve}
TESTBED=$BATS_TEST_DIRNAME/../testbed
FAULTS=$BATS_TEST_DIRNAME/../faults

# Once for each file: a tiny base image as an OCI layout.
base_setup() {
    export BASES=${VARVE_TESTBED:-$HOME/.cache/varve-testbed}
    mkdir -p "$BASES"
    "$TESTBED/busybox-base.sh" "$BASES" >/dev/null 2>&1
}

# Likewise: a folder to build in, and SEED, a store for the images that all tests of the file begin with.
seed_setup() {
    base_setup
    export SEED=$BATS_FILE_TMPDIR/seed
    mkdir -p "$BATS_FILE_TMPDIR/app"
    cd "$BATS_FILE_TMPDIR/app" || return 1
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store
    export NO_COLOR=1 LC_ALL=C.UTF-8
    unset SOURCE_DATE_EPOCH DOCKER_HOST BUILDKIT_PROGRESS
    mkdir -p "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
}

varve() {
    "$VARVE" "$@"
}

# build ARGS…: varve build with the busybox base and a plain log.
build() {
    "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" "$@"
}

# The line of --explain for a step: explained 'COPY a' < output
explained() {
    grep -F -- "$1" <<<"$output" | grep -E '^(run|cut|hit|fail) ' | head -1
}

image_id() {
    "$VARVE" images --no-trunc -q "$1" 2>/dev/null | head -1
}
