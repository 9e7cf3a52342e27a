#!/usr/bin/env bats
# What a RUN step can see and do: nothing of the host, and secrets nowhere but where they belong.
load robust
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

# inside 'SCRIPT': what the shell script prints in a RUN step.
inside() {
    printf 'FROM busybox\nCOPY <<"END" /script\n%s\nEND\nRUN sh /script >/out 2>&1; echo "status $?" >>/out\n' "$1" >Dockerfile
    rm -rf ../inside
    "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" "${@:2}" -o ../inside . || return 1
    cat ../inside/out
}

@test "Docker's default capabilities and no more, and none for an ordinary user" {
    run inside 'grep ^Cap /proc/self/status; grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status'
    [[ "$output" == *"CapEff:"*"00000000a80425fb"* ]]
    [[ "$output" == *"CapBnd:"*"00000000a80425fb"* ]]
    [[ "$output" =~ CapInh:[[:space:]]+0000000000000000 ]]
    [[ "$output" =~ CapAmb:[[:space:]]+0000000000000000 ]]
    [[ "$output" =~ Seccomp:[[:space:]]+2 ]]
    printf 'FROM busybox\nUSER app\nRUN grep ^Cap /proc/self/status >/tmp/caps; id >>/tmp/caps\n' >Dockerfile
    build -o ../user .
    grep -q 'CapEff:.*0000000000000000' ../user/tmp/caps
    grep -q 'CapPrm:.*0000000000000000' ../user/tmp/caps
    grep -q 'uid=1000(app) gid=1000(app) groups=1000(app)' ../user/tmp/caps || grep -q 'uid=1000(app)' ../user/tmp/caps
}

@test "system calls that reach the host are refused" {
    run inside 'mount -t tmpfs none /tmp; mount -o remount,rw /; umount /proc; unshare -U true; unshare -m true
        hostname other; swapoff -a; insmod x; chroot / true && echo chroot-allowed
        date -s 2000-01-01; dmesg; sysctl -w kernel.hostname=x; echo x >/proc/sys/kernel/hostname; echo b >/proc/sysrq-trigger
        echo 1 >/proc/1/oom_score_adj; cat /proc/kcore; cat /proc/keys; cat /proc/timer_list; ls /sys/firmware; touch /sys/x'
    for denied in "mount: " "unshare: " "dmesg: " "date: can" "sysctl: "; do
        [[ "$output" == *"$denied"* ]] || { echo "not denied: $denied: $output"; return 1; }
    done
    [[ "$output" != *"x86"* ]]
    [ "$(date +%Y)" -gt 2020 ]
    [ "$(hostname)" != other ]
}

@test "devices of the host cannot be opened, not even by making their nodes" {
    local disk
    disk=$(awk '$3 !~ /^(ram|loop)/ && $1 > 0 { print $1, $2; exit }' /proc/partitions 2>/dev/null | head -1)
    disk=$(lsblk -dnro MAJ:MIN 2>/dev/null | head -1)
    run inside "ls /dev | tr '\n' ' '; for n in 'b ${disk%%:*} ${disk##*:}' 'c 1 1' 'c 1 2' 'c 10 229' 'c 5 1'; do
        rm -f /node; mknod /node \$n; timeout 2 sh -c ': </node' >/got 2>/err && echo \"OPENED \$n\"; done; rm -f /node /got"
    [[ "$output" != *OPENED* ]] || { echo "$output"; return 1; }
    for device in null zero full random urandom tty ptmx; do [[ "$output" == *"$device"* ]]; done
    if [ -e /proc/kcore ]; then [[ " $output" == *" core "* ]]; else [[ " $output" != *" core "* ]]; fi
    for device in sda vda mem kmsg kvm fuse loop; do [[ " $output " != *" $device"* ]]; done
}

@test "a device node in a base image opens nothing" {
    local disk
    disk=$(lsblk -dnro MAJ:MIN 2>/dev/null | head -1)
    [ -n "$disk" ] || skip "this machine has no block device"
    mkdir nodes
    mknod nodes/disk b "${disk%%:*}" "${disk##*:}" || skip "making devices is not permitted"
    mknod nodes/mem c 1 1
    chmod 666 nodes/*
    tar -cf nodes.tar -C nodes .
    python3 "$FAULTS/layout.py" ../layout --base "$BASES/busybox-oci" --layer nodes.tar
    printf 'FROM hostile\nRUN for f in /disk /mem; do timeout 2 head -c 1 $f >/dev/null 2>&1 && echo OPENED $f; done; true\n' >Dockerfile
    run "$VARVE" build --progress=plain --build-context "hostile=oci-layout://$PWD/../layout" .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ "$output" != *"│ OPENED"* ]] || { echo "$output"; return 1; }
}

@test "processes of the host are not there, and cannot be signalled or traced" {
    sleep 4321 &
    host=$!
    run inside "ps -o pid,args; kill -9 $host; ls /proc | grep -c '^[0-9]'; cat /proc/$host/cmdline; ls -l /proc/1/root/ | head -3; ls /proc/1/root/$BATS_TEST_TMPDIR"
    kill -0 "$host"
    kill "$host"
    output=${output//varve-ini/}
    [[ "$output" != *"sleep 4321"* && "$output" != *varve* && "$output" != *store* ]] || { echo "$output"; return 1; }
}

@test "no environment, open file, mount or working directory of the host comes in" {
    exec 7<"$BATS_TEST_FILENAME"
    HOST_MARKER=do-not-leak run inside 'env; for p in /proc/[0-9]*; do tr "\0" "\n" <$p/environ; ls -l $p/fd; readlink $p/cwd; done; cat /proc/self/mountinfo; cat /proc/mounts'
    exec 7<&-
    [[ "$output" != *do-not-leak* ]]
    [[ "$output" != *"$BATS_TEST_FILENAME"* ]]
    # Mounts: neither the store's place nor the context's, not even as the source of a mount.
    [[ "$output" != *"$BATS_TEST_TMPDIR"* ]] || { grep -F "$BATS_TEST_TMPDIR" <<<"$output"; return 1; }
    [[ "$output" != *socket:* ]]
}

@test "the root is left by no trick with .. or a directory kept open" {
    run inside 'cd /; for i in $(seq 100); do cd ..; done; pwd; ls; mkdir -p /a; cd /a; chroot /bin /busybox true; ls /../../../..; ls /proc/1/cwd/; ls /proc/self/root/../..'
    for word in home root proc; do [[ "$output" == *"$word"* ]]; done
    [[ "$output" != *lost+found* && "$output" != *boot* ]]
}

@test "namespaces are the step's own, the network too" {
    run inside 'for n in mnt pid ipc uts net cgroup user; do readlink /proc/self/ns/$n; done'
    for n in mnt pid ipc uts net; do
        [[ "$output" != *"$(readlink /proc/self/ns/$n)"* ]] || { echo "shares $n"; return 1; }
    done
    printf 'FROM busybox\nRUN --network=none readlink /proc/self/ns/net >/net; ip a >/ip; ! nc -w 1 127.0.0.1 1\n' >Dockerfile
    build -o ../net .
    [ "$(cat ../net/net)" != "$(readlink /proc/self/ns/net)" ]
    [ "$(grep -c '^[0-9]' ../net/ip)" -eq 1 ]
}

@test "fork bombs and orphans end with their step" {
    mark=orphan-$$-$RANDOM
    printf 'FROM busybox\nENV MARK=%s\nRUN (sleep 999 &) ; (setsid sleep 998 &) ; nohup sleep 997 & echo done\n' "$mark" >Dockerfile
    run measured 5 200 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    no_traces "$mark"
    printf 'FROM busybox\nENV MARK=%s\nRUN sleep 999 & sh -c "kill -9 1; kill -9 -1; kill -9 \$$"; exit 3\n' "$mark" >Dockerfile
    run measured 5 200 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -eq 1 ] || { echo "$output"; return 1; }
    no_traces "$mark"
}

@test "endless output is bounded in memory and in the store" {
    printf 'FROM busybox\nRUN head -c 60000000 /dev/zero; head -c 30000000 /dev/zero | tr "\\0" a; yes | head -c 30000000\n' >Dockerfile
    run --separate-stderr measured 20 150 "$VARVE" build --progress=quiet --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -eq 0 ] || { echo "$stderr" | tail -c 2000; return 1; }
}

@test "secrets, ssh and build-time settings leave no trace anywhere" {
    secret=swordfish-$RANDOM-$RANDOM
    encoded=$(printf %s "$secret" | base64)
    printf %s "$secret" >../secret
    cat >Dockerfile <<'EOF2'
FROM busybox
RUN --mount=type=secret,id=token,mode=0444,uid=1000,target=/run/secrets/t [ "$(stat -c %u%a /run/secrets/t)" = 1000444 ]
RUN --mount=type=secret,id=token cat /run/secrets/token | wc -c; false || true
RUN --mount=type=secret,id=token,env=TOKEN test -n "$TOKEN"; cat /proc/self/mountinfo >/mounts
EOF2
    run build --explain --secret id=token,src=../secret -t s:1 -o type=oci,dest=../s.tar .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ "$output" != *"$secret"* ]]
    # A failing step that holds the secret, and a rawjson progress of it.
    printf 'FROM busybox\nRUN --mount=type=secret,id=token,env=TOKEN exit 3\n' >Dockerfile
    run "$VARVE" build --progress=rawjson --secret id=token,src=../secret --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [[ "$output" != *"$secret"* ]]
    mkdir ../unpacked
    tar -C ../unpacked -xf ../s.tar
    for f in ../unpacked/blobs/sha256/*; do
        { gzip -dc "$f" 2>/dev/null || cat "$f"; } | grep -qaF -e "$secret" -e "$encoded" && { echo "in $f"; return 1; }
    done
    run -1 grep -rqaF -e "$secret" -e "$encoded" "$VARVE_ROOT"
    for f in "$VARVE_ROOT"/blobs/sha256/*; do
        { gzip -dc "$f" 2>/dev/null || cat "$f"; } | grep -qaF -e "$secret" -e "$encoded" && { echo "in $f"; return 1; }
    done
    run varve history s:1
    [[ "$output" != *"$secret"* ]]
    run varve inspect s:1
    [[ "$output" != *"$secret"* ]]
    clean_store
}

@test "a sandbox that cannot start says what could not be done" {
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    run build --progress=plain --ulimit nofile=2147483647:2147483647 -o type=cacheonly .
    [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
    [[ "$output" == *"setting the limit nofile: Operation not permitted"*"raising a hard limit"* ]] || { echo "$output"; return 1; }
    [[ "$output" == *"Dockerfile:2"* ]]
}

@test "limits of memory and CPUs count for steps, and for no key" {
    [ "$(id -u)" -eq 0 ] || skip "needs the right to make cgroups"
    printf 'FROM busybox\nRUN nproc >/cpus\nRUN dd if=/dev/zero of=/dev/null bs=64M count=1; echo $? >/code\n' >Dockerfile
    build --resource cpuset-cpus=0 --resource=memory=16m -o ../limited .
    [ "$(cat ../limited/cpus) $(cat ../limited/code)" = "1 137" ]
    rm -r ../limited
    build --no-cache --cpuset-cpus 0 -m 16m --memory-swap 16m -c 512 --cpus 1.5 -o ../limited .
    [ "$(cat ../limited/cpus) $(cat ../limited/code)" = "1 137" ]
    run build --explain --resource cpu-quota=50000 -m 1g -o type=cacheonly .
    [ "$status" -eq 0 ]
    [[ "$output" != *"run  "* ]]
    # Other files' builds have theirs meanwhile: what has no varve any more was left.
    for left in $(find /sys/fs/cgroup -name "varve-*" -printf '%f\n'); do
        pid=${left#varve-}
        [ -e "/proc/${pid%%-*}" ] || { [ -z "$(find /sys/fs/cgroup -name "$left")" ] || { echo "left: $left"; return 1; }; }
    done
}

@test "an insecure step has the devices for fuse and loops, and others have not" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    cat >Dockerfile <<'EOF2'
FROM busybox
RUN [ ! -e /dev/fuse ] && [ ! -e /dev/loop-control ] && [ ! -e /dev/loop0 ]
RUN --security=insecure [ "$(stat -c %t:%T:%a /dev/fuse)" = a:e5:666 ] && [ -c /dev/loop-control ] && [ -b /dev/loop0 ]
RUN --security=insecure { [ ! -e /sys/class/misc/fuse ] || : <>/dev/fuse; }
RUN [ ! -e /dev/fuse ]
EOF2
    run build --allow security.insecure .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    clean_store
}

@test "a step's ssh socket has the owner and the mode of its mount" {
    python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX); s.bind("../agent"); s.listen(); time.sleep(60)' 3>&- &
    agent=$!
    until [ -S ../agent ]; do sleep 0.1; done
    cat >Dockerfile <<'EOF2'
FROM busybox
RUN --mount=type=ssh [ "$(stat -c %u:%g:%a "$SSH_AUTH_SOCK")" = 0:0:600 ]
RUN --mount=type=ssh,mode=0640,uid=1000,gid=50,target=/s [ "$(stat -c %F:%u:%g:%a /s)" = socket:1000:50:640 ]
EOF2
    run build --ssh default="$PWD/../agent" .
    kill $agent
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    clean_store
}
