#!/usr/bin/env bats
# Steps and runs of another platform, in each state of binfmt_misc. States other than this machine's are made in a user namespace
# with a binfmt_misc of its own (Linux 6.7): what the machine has registered is never touched. As root and as an ordinary user.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    base_setup
    [ "$(uname -m)" = x86_64 ] || skip "the tests emulate arm64 on amd64"
    [ -x /usr/bin/qemu-aarch64-static ] || { echo "qemu-user-static is not installed: tests/testbed/packages.sh test"; return 1; }
    "$TESTBED/busybox-base.sh" "$BASES" arm64 >/dev/null 2>&1
    registered=$(registrations)
    export registered
}

registrations() {
    cat /proc/sys/fs/binfmt_misc/qemu-* 2>/dev/null
    stat -Lc '%n %a %u %g %s %Z' /usr/bin/qemu-*-static
}

teardown() {
    [ "$(registrations)" = "$registered" ] || { echo "an emulator or its registration was changed"; return 1; }
    if grep -q "$VARVE_ROOT" /proc/mounts; then return 1; fi
    [ "$(id -u)" -eq 0 ] || unshare -r --map-auto rm -rf "$VARVE_ROOT"
}

MAGIC='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
MASK='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

# state SETUP COMMAND…: the command as root of a user namespace whose binfmt_misc SETUP filled.
state() {
    unshare -Urm sh -c 'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && cd /proc/sys/fs/binfmt_misc && eval "$0" &&
        cd "$OLDPWD" && exec "$@"' "$@"
}
needs_own_binfmt() {
    state : true 2>/dev/null || skip "this kernel has one binfmt_misc for all user namespaces"
}
# In a state without another namespace varve cannot register anything itself.
ALONE='echo 0 >/proc/sys/user/max_user_namespaces'

arm_build() {
    "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 "$@"
}

arm_dockerfile() {
    cat >Dockerfile <<'END'
FROM armbox
RUN uname -m
RUN printf '#!/bin/sh\nuname -m\n' >/script && chmod +x /script && /script
RUN ["/bin/uname", "-m"]
RUN sh -c 'sh -c "sh -c \"uname -m\""' | cat; echo "I am $(id -u)"
WORKDIR /home/app
RUN touch made && ls -ln made && pwd
END
}

works() {
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(grep -c '│ aarch64' <<<"$output")" = 4 ] || { echo "$output"; return 1; }
    [[ "$output" == *"I am 0"*"0        0"*"made"*"/home/app"* ]] || { echo "$output"; return 1; }
}

@test "steps of another platform run with what this machine has" {
    arm_dockerfile
    run arm_build .
    works
    run arm_build .
    [[ "$output" == *cached* && "$output" != *"done after"* ]] || { echo "$output"; return 1; }
}

@test "steps of another platform run as USER, and set-user-ID programs work" {
    [ "$(id -u)" -eq 0 ] || skip "the machine's registration decides"
    printf 'FROM armbox\nRUN sed -i s/^root:x/root:/ /etc/passwd; mkdir /s; cp /bin/busybox /s/su && chmod 4755 /s/su\nUSER 1000\nRUN echo "uid $(id -u)"; /s/su -c "echo set $(id -u) to \\$(id -u)"\n' >Dockerfile
    run arm_build .
    [ "$status" -eq 0 ]
    [[ "$output" == *"uid 1000"*"set 1000 to 0"* ]] || { echo "$output"; return 1; }
}

@test "nothing is registered: varve registers an emulator for its own steps" {
    needs_own_binfmt
    arm_dockerfile
    run state : "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 .
    works
    run state : "$VARVE" doctor
    grep -E '^ok +emulation .*linux/arm64' <<<"$output" || { echo "$output"; return 1; }
    run state "$ALONE" "$VARVE" doctor
    grep -E '^limited +emulation .*linux/amd64 alone' <<<"$output" || { echo "$output"; return 1; }
}

@test "an emulator that hangs does not hang who tries the platforms" {
    needs_own_binfmt
    # busybox as yes writes for ever.
    cp "$(command -v busybox)" yes
    register="$ALONE; echo ':qemu-test:M::$MAGIC:$MASK:$PWD/yes:' >register"
    run timeout 120 unshare -Urm sh -c 'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && cd /proc/sys/fs/binfmt_misc && eval "$0" &&
        cd "$OLDPWD" && exec "$@"' "$register" "$VARVE" platforms
    [ "$status" -eq 0 ]
    [ "${#output}" -lt 10000 ] # nothing of what the emulator wrote
    grep -E '^linux/arm64 +no .*did not end in 10 s' <<<"$output" || { echo "$output"; return 1; }
}

@test "nothing is registered and nothing can be: an error before the step, with the command that helps" {
    needs_own_binfmt
    printf 'FROM armbox\nRUN touch /began; uname -m\n' >Dockerfile
    run state "$ALONE" "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 .
    [ "$status" -eq 1 ]
    [[ "$output" == *"linux/arm64"*"linux/amd64"*"no emulator is registered"* ]] || { echo "$output"; return 1; }
    [[ "$output" == *"Dockerfile:2"* && "$output" == *"apt install qemu-user-static binfmt-support"* ]] || { echo "$output"; return 1; }
    [[ "$output" == *"docker run --privileged tonistiigi/binfmt --install arm64"* ]] || { echo "$output"; return 1; }
    [[ "$output" != *"xec format error"* ]]
    # A step that needs no program of the platform is none.
    printf 'FROM armbox\nCOPY Dockerfile /d\n' >Dockerfile
    run state "$ALONE" "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 .
    [ "$status" -eq 0 ]
}

@test "registered without flag F: the static emulator is mounted for the step, and leaves no trace" {
    needs_own_binfmt
    arm_dockerfile
    register="$ALONE; echo ':qemu-test:M::$MAGIC:$MASK:/usr/bin/qemu-aarch64-static:P' >register"
    echo 'RUN echo x >>/usr/bin/qemu-aarch64-static && echo HOLE; chmod 700 /usr/bin/qemu-aarch64-static && echo HOLE; true' >>Dockerfile
    run state "$register" "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 \
        -o type=tar,dest=out.tar .
    works
    [[ "$output" != *"│ HOLE"* ]] || { echo "$output"; return 1; }
    run ! grep -a qemu-aarch64 <(tar -tf out.tar)
    # An image's own file at that place is there again afterwards.
    printf 'FROM armbox\nCOPY own /usr/bin/qemu-aarch64-static\nRUN uname -m\n' >Dockerfile
    echo mine >own
    run state "$register" "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 \
        -o type=tar,dest=out.tar .
    [[ "$output" == *aarch64* ]]
    [ "$(tar -xOf out.tar bin/qemu-aarch64-static)" = mine ]
}

@test "registered without flag F, but the emulator is not static: an error says so" {
    needs_own_binfmt
    printf 'FROM armbox\nRUN uname -m\n' >Dockerfile
    run state "$ALONE; echo ':qemu-test:M::$MAGIC:$MASK:/bin/ls:P' >register" "$VARVE" build --progress=plain \
        --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 .
    [ "$status" -eq 1 ]
    [[ "$output" == *"/bin/ls is registered for them without flag F, but it is not static"* ]] || { echo "$output"; return 1; }
}

@test "as root: what is registered is found where it is not mounted, and used where its file has no name" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    needs_own_binfmt
    [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || skip "nothing is registered with flag F"
    run unshare -m sh -c 'umount /proc/sys/fs/binfmt_misc; exec "$@"' sh "$VARVE" platforms --format json
    [ "$(jq -r 'select(.Platform == "linux/arm64") | .Registration' <<<"$output")" = qemu-aarch64 ] || { echo "$output"; return 1; }
    arm_dockerfile
    run unshare -m sh -c 'mount --bind /dev/null /usr/bin/qemu-aarch64-static; exec "$@"' sh "$VARVE" build --progress=plain \
        --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 .
    works
}

@test "a killed build leaves nothing registered or mounted" {
    printf 'FROM armbox\nRUN sleep 612\n' >Dockerfile
    "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 . >log 2>&1 &
    pid=$!
    for _ in $(seq 100); do grep -q 'RUN sleep' log && break; sleep 0.1; done
    for _ in $(seq 100); do pgrep -f 'qemu.*sleep 61[2]' >/dev/null && break; sleep 0.1; done
    pgrep -f 'qemu.*sleep 61[2]'
    kill -9 "$pid"
    wait "$pid" || true
    for _ in $(seq 50); do pgrep -f 'qemu.*sleep 61[2]' >/dev/null || break; sleep 0.1; done
    run ! pgrep -f 'qemu.*sleep 61[2]'
}

@test "a layer made under emulation is the one that this machine's programs make" {
    export SOURCE_DATE_EPOCH=1700000000
    step='RUN mkdir /d && echo x >/d/f && chmod 640 /d/f && ln /d/f /d/hard && ln -s f /d/soft && mkfifo /d/p && touch -d @1000000000 /d/f /d'
    printf 'FROM armbox\n%s\n' "$step" >Dockerfile
    arm_build -o type=image,name=arm:1,rewrite-timestamp=true . 2>/dev/null
    printf 'FROM busybox\n%s\n' "$step" >Dockerfile
    build -o type=image,name=amd:1,rewrite-timestamp=true . 2>/dev/null
    [ "$(varve inspect arm:1 | jq -r '.[0].RootFS.Layers[-1]')" = "$(varve inspect amd:1 | jq -r '.[0].RootFS.Layers[-1]')" ]
    [ "$(varve inspect arm:1 | jq -r '.[0].Architecture')" = arm64 ]
}

@test "varve run, its health check, varve exec and the debug shell run another platform's programs" {
    printf 'FROM armbox\nCMD ["uname", "-m"]\n' >Dockerfile
    arm_build -t arm:1 . 2>/dev/null
    run varve run arm:1
    [[ "$output" == *aarch64* ]] || { echo "$output"; return 1; }
    run varve run -d --name away --wait-healthy --health-cmd 'test $(uname -m) = aarch64' --health-interval 200ms arm:1 sleep 60
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    run varve exec away uname -m
    varve kill away
    [[ "$output" == *aarch64* ]] || { echo "$output"; return 1; }
    printf 'FROM armbox\nRUN exit 3\n' >Dockerfile
    debugged=$(printf 'uname -m\nexit\n' | timeout 60 script -qec "'$VARVE' build --progress=plain --debug-on-failure --platform linux/arm64 \
        --build-context armbox=oci-layout://$BASES/busybox-arm64-oci ." /dev/null || true)
    [[ "$debugged" == *aarch64* ]] || { echo "$debugged"; return 1; }
}

@test "a program of another platform that crashes ends its step, with a hint" {
    printf 'FROM armbox\nRUN kill -SEGV $$\n' >Dockerfile
    run timeout 60 "$VARVE" build --progress=plain --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" --platform linux/arm64 .
    [ "$status" -eq 1 ]
    [[ "$output" == *"exit code 139"*"hint: "*"linux/arm64 in an emulator"*'$BUILDPLATFORM'* ]] || { echo "$output"; return 1; }
}

@test "a program of another platform whose loader the image lacks is told" {
    python3 - <<'END'
import struct
loader = b"/lib/ld-linux-aarch64.so.1\0"
head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x10000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
size = 64 + 2 * 56 + len(loader)
head += struct.pack("<IIQQQQQQ", 3, 4, 176, 0x10000 + 176, 0x10000 + 176, len(loader), len(loader), 1)
head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0x10000, 0x10000, size, size, 0x10000)
open("needy", "wb").write(head + loader)
END
    printf 'FROM armbox\nCOPY --chmod=755 needy /needy\nRUN /needy\n' >Dockerfile
    run arm_build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"hint: "*"/lib/ld-linux-aarch64.so.1"* ]] || { echo "$output"; return 1; }
}

@test "images that lie about their platform are run as what they are" {
    printf 'FROM busybox\nRUN uname -m\n' >Dockerfile
    # This machine's programs, called another's …
    run build --platform linux/s390x .
    [ "$status" -eq 0 ]
    [[ "$output" == *"x86_64"* ]] || { echo "$output"; return 1; }
    # … and the other way round.
    printf 'FROM scratch\nADD arm.tar /\nRUN uname -m\n' >Dockerfile
    cp "$BASES/busybox-arm64.tar" arm.tar
    run build .
    [ "$status" -eq 0 ]
    [[ "$output" == *aarch64* ]] || { echo "$output"; return 1; }
    needs_own_binfmt
    run state "$ALONE" "$VARVE" build --no-cache --progress=plain .
    [ "$status" -eq 1 ]
    [[ "$output" == *"linux/arm64"*"no emulator"* ]] || { echo "$output"; return 1; }
}

@test "varve platforms tries each platform, and says how to get those that do not run" {
    run --separate-stderr varve platforms --format json
    [ "$status" -eq 0 ]
    [ "$(jq -r 'select(.Platform == "linux/amd64") | .How' <<<"$output")" = native ]
    [ "$(jq -r 'select(.Platform == "linux/arm64") | .How, .Runs' <<<"$output" | xargs)" = "emulated true" ]
    [ "$(jq -s length <<<"$output")" = 13 ]
    needs_own_binfmt
    run state "$ALONE" "$VARVE" platforms --format json
    [ "$(jq -r 'select(.Platform == "linux/arm64") | .Runs' <<<"$output")" = false ]
    [[ "$(jq -r 'select(.Platform == "linux/arm64") | .Next' <<<"$output")" == *"tonistiigi/binfmt --install arm64"* ]]
    run state "$ALONE; echo ':qemu-test:M::$MAGIC:$MASK:/usr/bin/qemu-aarch64-static:P' >register" "$VARVE" platforms
    [[ "$output" == *"linux/arm64"*"emulated"*"registered as qemu-test without flag F"* ]] || { echo "$output"; return 1; }
}

@test "slow emulated steps earn one hint, hits none" {
    printf 'FROM armbox\nRUN sleep 5\nRUN sleep 6 # the slowest\n' >Dockerfile
    run arm_build .
    [ "$(grep -c '^hint: ' <<<"$output")" = 1 ] || { echo "$output"; return 1; }
    [[ "$output" == *"hint: RUN steps took 1"*"sleep 6"*'--platform=$BUILDPLATFORM'* ]] || { echo "$output"; return 1; }
    run arm_build -t again .
    [[ "$output" != *"hint: "* ]] || { echo "$output"; return 1; }
}
