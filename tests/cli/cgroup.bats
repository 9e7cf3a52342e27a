#!/usr/bin/env bats
# The cgroup that each RUN and run has of its own: where it lies, what is in it, and that nothing stays of it.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    printf 'FROM busybox\nCMD ["sleep", "60"]\n' >Dockerfile
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    cp -a "$SEED" "$VARVE_ROOT"
    mkdir "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx"
}

teardown() {
    for id in $(varve ps -q); do varve rm -f "$id"; done >/dev/null
    [ -z "${USERS:-}" ] || kill -9 "$USERS" 2>/dev/null || true
    [ -z "${OWN:-}" ] || rmdir "$OWN"
}

# own_cgroup: makes OWN, a cgroup of version 2 for this test's varve, or skips. inside it: in_own COMMAND….
own_cgroup() {
    local root=/sys/fs/cgroup
    [ "$(stat -f -c %T $root)" = cgroup2fs ] || root=/sys/fs/cgroup/unified
    [ "$(id -u)" -eq 0 ] && mkdir "$root/test-$$-$BATS_TEST_NUMBER" 2>/dev/null || skip "needs the right to make cgroups of version 2"
    OWN=$root/test-$$-$BATS_TEST_NUMBER
    [ -e "$OWN/cgroup.kill" ] || skip "needs cgroup.kill (Linux 5.14)"
}

in_own() {
    sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$OWN" "$@"
}

# group_of PID: the one that varve PID made in OWN for its program.
group_of() {
    grep -q "^0::/${OWN##*/}$" "/proc/$1/cgroup" || return 1 # varve itself stays where it was
    (cd "$OWN" && echo varve-"$1"-*)
}

# count N: how many there are in OWN.
count() {
    [ "$(find "$OWN" -mindepth 1 -type d | wc -l)" -eq "$1" ] || { find "$OWN" -mindepth 1 -type d; return 1; }
}

@test "a run's processes, exec's too, are in one cgroup below varve's, which goes with the run" {
    own_cgroup
    pid=$(in_own "$VARVE" run -d --name a app:1 2>/dev/null)
    group=$(group_of "$pid")
    [ "$(wc -l <"$OWN/$group/cgroup.procs")" -eq 1 ]
    in_own "$VARVE" exec a sleep 60 3>&- &
    for _ in $(seq 200); do [ "$(wc -l <"$OWN/$group/cgroup.procs")" -ge 3 ] && break; sleep 0.05; done
    [ "$(wc -l <"$OWN/$group/cgroup.procs")" -ge 3 ] # exec's init and program
    varve stop -t 0 a
    wait
    count 0
}

@test "the sandbox sees its cgroup as the root" {
    own_cgroup
    printf 'FROM busybox\nRUN grep ^0:: /proc/self/cgroup >/seen\n' >Dockerfile
    in_own "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out . >/dev/null
    [ "$(cat ../out/seen)" = "0::/" ]
    count 0
}

@test "what an insecure step does to its cgroup goes with it: those it made below, and limits" {
    own_cgroup
    cat >Dockerfile <<'END'
FROM busybox
RUN --security=insecure mkdir /c && mount -t cgroup2 none /c && mkdir -p /c/left/deep && echo 77 >/c/cgroup.max.depth && umount /c
RUN --security=insecure mount -t cgroup2 none /c && echo "depth: $(cat /c/cgroup.max.depth)" && umount /c
END
    run in_own "$VARVE" build --progress=plain --no-cache --build-context "busybox=oci-layout://$BASES/busybox-oci" --allow security.insecure .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ "$output" == *"depth: max"* ]] || { echo "$output"; return 1; }
    count 0
}

@test "what a killed varve leaves is removed by the next one; a living one's is not" {
    own_cgroup
    pid=$(in_own "$VARVE" run -d --name dead app:1 2>/dev/null)
    in_own "$VARVE" run -d --name alive app:1 2>/dev/null
    kill -9 "$pid"
    for _ in $(seq 500); do [ -e "/proc/$pid" ] || break; sleep 0.02; done
    count 2
    in_own "$VARVE" run app:1 true
    count 1
    varve stop -t 0 alive
}

@test "what a RUN used is told, with a cgroup and without" {
    printf 'FROM busybox\nRUN i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done\n' >Dockerfile
    "$VARVE" build --progress=rawjson --build-context "busybox=oci-layout://$BASES/busybox-oci" . 2>raw
    [ "$(jq -s 'map(.vertexes[]?.usage.cpuSeconds // empty | select(. > 0.01 and . < 60)) | length' raw)" = 1 ]
    [ "$(varve history --format json "$(varve history -q -n 1)" | jq -s 'map(.CpuSeconds // empty | select(. > 0.01 and . < 60)) | length')" = 1 ]
    [ "$(id -u)" -eq 0 ] || return 0
    unshare -m sh -c 'mount -t tmpfs -o ro none /sys/fs/cgroup && exec "$@"' sh \
        "$VARVE" build --no-cache --progress=rawjson --build-context "busybox=oci-layout://$BASES/busybox-oci" . 2>raw
    [ "$(jq -s 'map(.vertexes[]?.usage.cpuSeconds // empty | select(. > 0.01 and . < 60)) | length' raw)" = 1 ]
}

@test "without a cgroup to have, steps go without, but limits are an error" {
    [ "$(id -u)" -eq 0 ] || skip "needs the right to hide /sys/fs/cgroup"
    printf 'FROM busybox\nRUN echo fine >/seen\n' >Dockerfile
    hidden() { unshare -m sh -c 'mount -t tmpfs -o ro none /sys/fs/cgroup && exec "$@"' sh "$@"; }
    run hidden "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out .
    [ "$status" -eq 0 ]
    [ "$(cat ../out/seen)" = fine ]
    [[ "$output" != *cgroup* ]]
    run hidden "$VARVE" build --no-cache --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" -m 1g -o ../out .
    [ "$status" -eq 1 ]
    [[ "$output" == *"limiting the step"*"next: "* ]]
}

@test "a user's are made where a subtree was delegated, and where none was there are none" {
    own_cgroup
    chown -R 12345 "$OWN"
    chown -R 12345 "$BATS_TEST_TMPDIR"
    chmod o+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." || true
    cp "$VARVE" "$BATS_TEST_TMPDIR/varve"
    as_user=(setpriv --reuid=12345 --regid=12345 --clear-groups env HOME="$BATS_TEST_TMPDIR" VARVE_ROOT="$BATS_TEST_TMPDIR/own" "$BATS_TEST_TMPDIR/varve")
    "${as_user[@]}" version >/dev/null 2>&1 || skip "a user cannot reach this folder"
    varve save -o ../app.tar app:1
    "${as_user[@]}" load -i ../app.tar >/dev/null 2>&1
    pid=$(in_own "${as_user[@]}" run -d --name u app:1 2>/dev/null) || skip "this user cannot make namespaces"
    USERS=$pid
    [ "$(wc -l <"$OWN/$(group_of "$pid")/cgroup.procs")" -eq 1 ]
    "${as_user[@]}" stop -t 0 u
    for net in none host; do # neither shows a cgroup of the host's
        [ -z "$(in_own "${as_user[@]}" run --network "$net" app:1 find /sys/fs/cgroup -mindepth 1 -type d)" ]
    done
    count 0
    chown 0 "$OWN" "$OWN/cgroup.procs"
    [ "$(in_own "${as_user[@]}" run app:1 echo fine)" = fine ]
    count 0
}
