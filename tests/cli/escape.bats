#!/usr/bin/env bats
# The ways out that container tools have had, each tried here by its number: as root (tests/run.sh … cli) and as an ordinary
# user (… rootless). HOST is a folder of the host's with a secret to read and a file to change; every test ends by looking at it.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    base_setup
    gcc -O1 -D_GNU_SOURCE -static-pie -o "$BATS_FILE_TMPDIR/exe" "$BATS_TEST_DIRNAME/escape/exe.c"
    gcc -O1 -D_GNU_SOURCE -static -o "$BATS_FILE_TMPDIR/spy" "$BATS_TEST_DIRNAME/escape/spy.c"
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    HOST=$BATS_TEST_TMPDIR/host
    mkdir -p "$HOST/dir" "$BATS_TEST_TMPDIR/ctx"
    SECRET=hostsecret-$RANDOM$RANDOM
    echo "$SECRET" >"$HOST/secret"
    echo keep >"$HOST/dir/keep"
    before=$(cd "$HOST" && find . -printf '%p %m %U %G %s\n' | sort)
    cp "$VARVE" "$BATS_TEST_TMPDIR/varve"
    VARVE=$BATS_TEST_TMPDIR/varve
    program=$(stat -c '%a %u %g %s' "$VARVE")
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
}

# Whatever happened, the host is as it was, and its secret was not seen.
teardown() {
    [ "$(cd "$HOST" && find . -printf '%p %m %U %G %s\n' | sort)" = "$before" ] || { echo "the host was changed"; ls -lR "$HOST"; return 1; }
    [ "$(stat -c '%a %u %g %s' "$VARVE")" = "$program" ] || { echo "the program was changed"; ls -l "$VARVE"; return 1; }
    [[ "${output:-}" != *"$SECRET"* ]] || { echo "the secret was read: $output"; return 1; }
    if grep -q "$VARVE_ROOT" /proc/mounts; then return 1; fi
    # A user's store has files of other ids, which only root of a namespace like its own can remove.
    [ "$(id -u)" -eq 0 ] || unshare -r --map-auto rm -rf "$VARVE_ROOT"
}

# Dockerfile on stdin.
build_it() {
    cat >Dockerfile
    run build "$@" .
}

# The same with a Dockerfile as of printf.
tried() {
    # shellcheck disable=SC2059
    printf "$@" >Dockerfile
    run build .
}

# An image called evil:1, from the Dockerfile on stdin, that must build.
image() {
    cat >Dockerfile.image
    build -q -f Dockerfile.image -t evil:1 "$@" . >/dev/null 2>build.err || { cat build.err; return 1; }
}

# As the debug shell: on a terminal, after a failed RUN.
debugged() {
    printf '%s\n' "$@" | timeout 60 script -qec "'$VARVE' build --progress=plain --debug-on-failure \
        --build-context busybox=oci-layout://$BASES/busybox-oci ." /dev/null
}

# --- programs and descriptors

@test "CVE-2024-21626: a working directory below /proc/self/fd" {
    for n in $(seq 3 25); do
        tried 'FROM busybox\nWORKDIR /proc/self/fd/%d\nRUN cat ../../host/secret ../../../host/secret ../host/secret; ls ..; echo x >../host/dir/keep\n' "$n"
        [ "$status" -ne 0 ] || { echo "$output"; return 1; }
        [[ "$output" == *"working directory /proc/self/fd/$n"* ]] || { echo "$output"; return 1; }
    done
    image <<<$'FROM busybox\nRUN for i in $(seq 0 25); do ln -s /proc/self/fd/$i /w$i; ln -s /proc/1/fd/$i /p$i; done; ln -s /proc/self/cwd /c; ln -s /proc/1/root /r'
    for w in /w4 /w5 /w6 /w7 /w8 /w9 /w10 /w11 /w12 /w13 /p4 /p8 /c /r /proc/self/cwd /proc/thread-self/root /proc/self/task/1/cwd; do
        run varve run -w "$w" evil:1 sh -c 'pwd; ls; ls ..; cat ../host/secret ../../host/secret'
        [ "$status" -ne 0 ] || { echo "$w: $output"; return 1; }
    done
    # The image alone decides: its working directory, and a health check that is started in it.
    image <<<$'FROM busybox\nRUN ln -s /proc/self/fd/8 /w8\nWORKDIR /w8\nHEALTHCHECK --interval=1s CMD cat ../host/secret\nCMD ["sh", "-c", "cat ../host/secret ../../host/secret; readlink /proc/self/cwd"]'
    run varve run evil:1
    [ "$status" -ne 0 ]
    run varve run -w / --wait-healthy --health-cmd 'cd /w8 && cat ../host/secret ../../host/secret' --health-retries 1 --health-interval 200ms evil:1 sleep 5
    [ "$status" -ne 0 ]
}

@test "CVE-2024-21626: a program named by a path through a descriptor" {
    cp "$BATS_FILE_TMPDIR/exe" "$HOST/../tool"
    for n in $(seq 3 20); do
        tried 'FROM busybox\nRUN ["/proc/self/fd/%d/../tool"]\n' "$n"
        [ "$status" -ne 0 ]
        [[ "$output" != *"/proc/self/exe is"* ]] || { echo "$output"; return 1; }
    done
}

@test "CVE-2019-5736: the program of the host behind /proc/self/exe" {
    cp "$BATS_FILE_TMPDIR/exe" exe
    build_it <<'END'
FROM busybox AS sh
COPY exe /exe
RUN ["/exe"]
FROM busybox
COPY exe /lib64/ld-linux-x86-64.so.2
COPY exe /lib/ld-linux-aarch64.so.1
COPY --from=sh /bin/true /t
RUN ln -sf /proc/self/exe /sh2; ln -sf /proc/1/exe /sh3; printf '#!/proc/self/exe\n' >/script; chmod +x /script
RUN ["/sh2"]
END
    [ "$status" -ne 0 ] # what is behind it does nothing there
    [[ "$output" != *"$VARVE"* ]] || { echo "$output"; return 1; }
    image --target=end <<'END'
FROM busybox AS end
COPY exe /lib64/ld-linux-x86-64.so.2
COPY exe /lib/ld-linux-aarch64.so.1
RUN ln -sf /proc/self/exe /sh2; ln -sf /proc/1/exe /sh3; printf '#!/proc/self/exe\n' >/script; chmod +x /script
END
    for p in /sh2 /sh3 /script; do
        run varve run --entrypoint "$p" evil:1
        [[ "$output" != *"$VARVE"* ]] || { echo "$output"; return 1; }
        run varve run --init --entrypoint "$p" evil:1
        run varve run -u 1000 --entrypoint "$p" evil:1
    done
    run varve run --wait-healthy --health-cmd /sh2 --health-retries 1 --health-interval 200ms evil:1 sleep 5
    [ "$status" -ne 0 ]
    image <<<$'FROM busybox\nRUN cp /bin/busybox /box; ln -sf /proc/self/exe /bin/sh'
    run varve run evil:1 /bin/sh -c 'exit 0'
    run varve run --init evil:1 /bin/sh -c 'exit 0'
}

@test "CVE-2019-5736: the emulator of the host behind /proc/PID/exe of a foreign program" {
    [ "$(uname -m)" = x86_64 ] || skip "the test emulates arm64 on amd64"
    [ -x /usr/bin/qemu-aarch64-static ] || skip "qemu-user-static is not installed"
    "$TESTBED/busybox-base.sh" "$BASES" arm64 >/dev/null 2>&1
    emulator=$(stat -c '%a %u %g %s %Z' /usr/bin/qemu-aarch64-static)
    cat >hole <<'END'
#!/bin/sh
sleep 1 &
for n in 1 2 3 4 5 6 7 8 9; do
    sleep 0.1
    case $(readlink /proc/$!/exe) in *qemu*) break ;; esac
done
exec 3</proc/$!/exe || exit 0
echo "behind it: $(readlink /proc/self/fd/3)"
wait
(exec 4>>/proc/self/fd/3) && echo "HOLE: opened"
for do in 'chmod 755' 'chown 0:0' 'touch' 'truncate -s +0'; do
    $do /proc/self/fd/3 && echo "HOLE: $do"
    $do /proc/1/exe && echo "HOLE: $do 1"
done
exit 0
END
    chmod +x hole
    printf 'FROM armbox\nCOPY hole /hole\nRUN /hole\nUSER 1000\nRUN /hole\n' >Dockerfile
    run build --platform linux/arm64 --build-context "armbox=oci-layout://$BASES/busybox-arm64-oci" -t evil:1 .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ "$output" == *"behind it: "*qemu* && "$output" != *"│ HOLE"* ]] || { echo "$output"; return 1; }
    run varve run -u 0 evil:1 /hole
    [[ "$output" == *"behind it: "*qemu* && "$output" != *HOLE* ]] || { echo "$output"; return 1; }
    run varve run -d --name away evil:1 sleep 60
    run varve exec -u 0 away /hole
    varve kill away
    [[ "$output" == *"behind it: "*qemu* && "$output" != *HOLE* ]] || { echo "$output"; return 1; }
    [ "$(stat -c '%a %u %g %s %Z' /usr/bin/qemu-aarch64-static)" = "$emulator" ]
}

@test "CVE-2016-9962, CVE-2019-5736: what a running program sees of processes that join it" {
    cp "$BATS_FILE_TMPDIR/spy" spy
    image <<<$'FROM busybox\nCOPY spy /spy'
    run varve run --wait-healthy --health-cmd 'n=$(cat /n 2>/dev/null || echo 0); echo $((n+1)) >/n; [ $n -lt 20 ] || touch /done; [ $n -ge 20 ]' \
        --health-interval 20ms --health-start-interval 20ms --health-start-period 20s evil:1 /spy
    [[ "$output" == *spied* ]] || { echo "$output"; return 1; }
    [[ "$output" != *SAW* ]] || { echo "$output"; return 1; }
}

@test "descriptors: nothing of varve's is open in the program, its init or the debug shell" {
    exec 9<"$HOST/secret"
    build_it <<<$'FROM busybox\nRUN ls -l /proc/self/fd /proc/1/fd; cat /proc/self/fd/9 /proc/1/fd/9; true'
    exec 9<&-
    [ "$status" -eq 0 ]
    [[ "$output" != *"$BATS_TEST_TMPDIR/"* ]] || { echo "$output"; return 1; }
    [[ "$output" != *memfd* ]] || { echo "$output"; return 1; }
    image <<<$'FROM busybox'
    run varve run --init evil:1 sh -c 'ls -l /proc/1/fd/ /proc/1/exe /proc/1/root/; cat /proc/1/environ'
    [[ "$output" != *memfd* && "$output" != *"$BATS_TEST_TMPDIR"* ]] || { echo "$output"; return 1; }
    printf 'FROM busybox\nRUN exit 3\n' >Dockerfile
    run debugged 'ls -l /proc/self/fd /proc/1/fd; echo shell-$((1+1))' exit
    [[ "$output" == *shell-2* ]] || { echo "$output"; return 1; }
    [[ "$output" != *memfd* && "$output" != *"$BATS_TEST_TMPDIR"* ]] || { echo "$output"; return 1; }
}

@test "standard input that is a directory or a file of the host is not the program's to open" {
    image <<<$'FROM busybox'
    run varve run -i evil:1 sh -c 'ls -la /proc/self/fd/0/; cat /proc/self/fd/0/secret; cd /proc/self/fd/0' <"$HOST"
    [[ "$output" != *keep* ]] || { echo "$output"; return 1; }
    cp "$HOST/secret" ../mine
    run varve run -i evil:1 sh -c 'echo evil >>/proc/self/fd/0; chmod 777 /proc/self/fd/0; wc -l' <../mine
    [ "$(wc -l <../mine)" -eq 1 ]
    [ "$(stat -c %a ../mine)" = "$(stat -c %a "$HOST/secret")" ]
}

@test "standard input that is a socket or a named pipe of the host is not the program's to connect or open" {
    image <<<$'FROM busybox'
    cat >../give.py <<'END'
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
tcp = socket.create_connection(listener.getsockname()), listener.accept()[0]
for mine, theirs in (tcp, socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)):
    mine.send(b"passed on\n")
    if theirs.type == socket.SOCK_STREAM:
        mine.shutdown(socket.SHUT_WR)
    subprocess.run([sys.argv[1], "run", "-i", "evil:1", "sh", "-c", "readlink /proc/self/fd/0; head -1"], stdin=theirs)
END
    run timeout 60 python3 ../give.py "$VARVE"
    [ "$(grep -c '^pipe:' <<<"$output")" -eq 3 ] || { echo "$output"; return 1; }
    [ "$(grep -c '^passed on' <<<"$output")" -eq 3 ] || { echo "$output"; return 1; }
    mkfifo ../named
    exec 9<>../named
    echo "passed on" >&9
    run timeout 60 "$VARVE" run -i evil:1 sh -c 'head -1; echo evil >/proc/self/fd/0' <../named
    [[ "$output" == *"passed on"* ]] || { echo "$output"; return 1; }
    run timeout 0.5 head -1 <&9 # what the program wrote is its own pipe's
    exec 9<&-
    [ "$output" = "" ] || { echo "$output"; return 1; }
}

@test "CVE-2019-14271: libraries and settings of the image are not loaded by varve" {
    mkdir -p lib
    printf '#include <stdio.h>\n__attribute__((constructor)) static void go(void){FILE*f=fopen("%s/dir/keep","w");if(f)fputs("evil",f);}\n' "$HOST" >evil.c
    gcc -shared -fPIC -o lib/libnss_files.so.2 evil.c
    cp lib/libnss_files.so.2 lib/libnss_evil.so.2
    printf 'passwd: evil files\ngroup: evil files\nhosts: evil\n' >nsswitch.conf
    echo /lib/libnss_evil.so.2 >ld.so.preload
    image <<'END'
FROM busybox
COPY lib /lib/
COPY lib /usr/lib/x86_64-linux-gnu/
COPY nsswitch.conf ld.so.preload /etc/
COPY --chown=app nsswitch.conf /x
RUN --mount=type=cache,target=/c,uid=1000 id
USER app
END
    run varve run -v seeded:/etc evil:1 id -u
    [ "$output" = 1000 ] || { echo "$output"; return 1; }
}

# --- places of mounts

@test "CVE-2019-16884, CVE-2019-19921, CVE-2023-27561: /proc, /sys and /dev that are links or volumes" {
    for name in proc sys dev; do
        mkdir -p "root/$name-links"
        ln -sfn "../../../..$HOST/dir" "root/$name-links/$name"
        tried 'FROM busybox AS b\nFROM scratch\nCOPY --from=b /bin /bin\nCOPY root/%s-links/ /\nRUN echo ran; echo x >/%s/keep\n' "$name" "$name"
        [ "$status" -ne 0 ] || [[ "$output" != *"$BATS_TEST_TMPDIR"* ]]
        image <<<$"FROM busybox
VOLUME /$name"
        run varve run evil:1 sh -c "head -c 300 /proc/timer_list; cat /proc/keys; echo x >/proc/sys/kernel/hostname"
        [[ "$output" != *"Timer List"* ]] || { echo "$output"; return 1; }
    done
}

@test "CVE-2025-31133: masked paths stay masked under a mount over /dev" {
    mkdir -p dev/mqueue dev/pts dev/shm
    ln -s /proc/timer_list dev/null
    build_it <<<$'FROM busybox\nRUN --mount=type=bind,source=dev,target=/dev head -c 40 /proc/timer_list; head -c 40 /proc/keys; true'
    [[ "$output" != *"Timer List"* ]] || { echo "$output"; return 1; }
    image <<<$'FROM busybox\nCOPY dev /mydev'
    run varve run -v "$PWD/dev:/dev" evil:1 sh -c 'head -c 40 /proc/timer_list; head -c 40 /proc/keys'
    [[ "$output" != *"Timer List"* ]] || { echo "$output"; return 1; }
    rm dev/null
    mkfifo dev/null # as the program's stdin it would hang
    build_it <<<$'FROM busybox\nRUN --mount=type=bind,source=dev,target=/dev true'
}

@test "CVE-2025-52565: the terminal of an image that has its own /dev/console, /dev/pts and /dev/tty" {
    image <<<$'FROM busybox\nRUN rm -rf /x; mkdir -p /x; ln -s /proc/sysrq-trigger /x/console; ln -s /proc/sys /x/pts; ln -s /proc/timer_list /x/tty'
    run timeout 60 script -qec "'$VARVE' run -t -v $PWD:/ctx evil:1 sh -c 'tty; head -c 30 /proc/timer_list; echo b >/dev/console; ls -l /dev/console'" /dev/null </dev/null
    [[ "$output" != *"Timer List"* ]] || { echo "$output"; return 1; }
}

@test "CVE-2025-52881: nothing is mounted into /proc, where writes of varve's could be led astray" {
    for target in /proc /proc/self/attr /proc/sys/kernel /proc/../proc/self/task; do
        tried 'FROM busybox\nRUN --mount=type=tmpfs,target=%s echo ran\n' "$target"
        [ "$status" -ne 0 ] || { echo "$target: $output"; return 1; }
    done
    tried 'FROM busybox\nRUN ln -s /proc/self/attr /l\nRUN --mount=type=tmpfs,target=/l echo ran\n'
    [[ "$output" != *"│ ran"* ]] || { echo "$output"; return 1; }
    image <<<$'FROM busybox'
    run varve run -v "$HOST/dir:/proc/self" evil:1 true
    [ "$status" -ne 0 ]
}

@test "CVE-2024-23652: removing mount points that the program replaced by links removes nothing of the host" {
    build_it <<<$"FROM busybox
RUN --mount=type=tmpfs,target=/a/dir/keep mkdir -p /b; true
RUN --mount=type=secret,id=s,target=/m/keep rm -rf /m 2>/dev/null; mv /m /n; ln -s ../../../../../../../..$HOST/dir /m; true
RUN --mount=type=tmpfs,target=/q/r/keep mv /q /qq 2>/dev/null; mv /q/r /rr 2>/dev/null; ln -s $HOST/dir /q/r; ln -s $HOST /q; true" --secret id=s,env=HOME
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

@test "CVE-2024-1753, CVE-2018-15664: a mount's source that is a link" {
    ln -s "$HOST" hostlink
    ln -s ../../../../../../../../../../ up
    build_it <<<$"FROM busybox AS s
RUN ln -s $HOST /l; ln -s / /root-of-all; mkdir /d; ln -s ../../../../../../../..$HOST /d/l
FROM busybox
RUN --mount=type=bind,from=s,source=/root-of-all,target=/m,rw ls /m$HOST /m/host; cat /m$HOST/secret; echo x >/m/new
RUN --mount=type=bind,from=s,source=/,target=/m,rw cat /m/l/secret /m/d/l/secret; echo x >/m/l/new; true"
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    for source in /l /d/l hostlink up/etc; do
        from=from=s,
        [ "${source#/}" != "$source" ] || from=
        tried 'FROM busybox AS s\nRUN ln -s %s /l; mkdir /d; ln -s ../../../../../../../..%s /d/l\nFROM busybox\nRUN --mount=type=bind,%ssource=%s,target=/m,rw ls -la /m; cat /m/secret; echo x >/m/dir/keep\n' \
            "$HOST" "$HOST" "$from" "$source"
        [ "$status" -ne 0 ] || { echo "$source: $output"; return 1; }
    done
}

@test "CVE-2024-9407: options of mounts that nobody knows are refused" {
    for option in bind-propagation=shared relabel=shared z Z dev suid exec 'source=/x:/y'; do
        tried 'FROM busybox\nRUN --mount=type=bind,target=/m,%s ls /m/host\n' "$option"
        [ "$status" -ne 0 ] || { echo "$option: $output"; return 1; }
    done
}

@test "CVE-2024-9675, CVE-2024-23651: the source of a cache mount stays in the cache" {
    for source in "../../../../../../../..$HOST" "$HOST" sub/../../../..; do
        build_it <<<$"FROM busybox
RUN --mount=type=cache,id=e,target=/c mkdir -p /c/sub; ln -sfn $HOST /c/l; ln -sfn ../../../../../../../..$HOST /c/sub/up
RUN --mount=type=cache,id=e,source=$source,target=/m cat /m/secret; echo x >/m/dir/keep; ls /m
RUN --mount=type=cache,id=e,source=l,target=/m cat /m/secret; echo x >/m/dir/keep"
        [[ "$output" != *keep* ]] || [ "$status" -ne 0 ] || { echo "$output"; return 1; }
    done
}

@test "CVE-2021-30465, CVE-2024-23651, CVE-2024-11218: places of mounts that another step exchanges for links meanwhile" {
    {
        echo 'FROM busybox AS flip'
        echo "RUN --mount=type=cache,id=race,target=/c i=0; mkdir -p /c/real/x; while [ \$i -lt 1500 ]; do ln -sfn ../../../../../../../..$HOST/dir /c/t; rm -f /c/t; mkdir -p /c/t/x; rm -rf /c/t; i=\$((i+1)); done; true"
        for n in 1 2 3 4 5 6; do
            echo "FROM busybox AS m$n"
            for r in 1 2 3 4; do
                echo "RUN --mount=type=cache,id=race,target=/c --mount=type=tmpfs,target=/c/t/x --mount=type=cache,id=o$n,target=/c/t/y cat /c/t/secret; touch /c/t/x/evil-$n-$r /c/t/y/evil; true || true"
            done
        done
        echo 'FROM busybox'
        echo 'COPY --from=flip /etc/passwd /p0'
        for n in 1 2 3 4 5 6; do echo "COPY --from=m$n /etc/passwd /p$n"; done
    } >Dockerfile
    run build . # a step may fail, as the place of its mount is gone: the host is what counts
    [ ! -e "$HOST/dir/x" ] && [ ! -e "$HOST/dir/y" ]
}

# --- rights

@test "CVE-2022-0492: no cgroup can be mounted, in no new user namespace either" {
    build_it <<<$'FROM busybox\nRUN mkdir /cg; mount -t cgroup -o rdma cgroup /cg && echo MOUNTED; mount -t cgroup2 c /cg && echo MOUNTED; unshare -Urm true && echo UNSHARED; unshare -Ur true && echo UNSHARED; for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs); do echo 1 >$f && echo WRITTEN; done; echo x >/sys/fs/cgroup/cgroup.procs && echo WRITTEN; true'
    [ "$status" -eq 0 ]
    [[ "$output" != *"│ MOUNTED"* && "$output" != *"│ UNSHARED"* && "$output" != *"│ WRITTEN"* ]] || { echo "$output"; return 1; }
}

@test "CVE-2022-0811: the kernel's settings cannot be written, nor set by an option" {
    was=$(cat /proc/sys/kernel/core_pattern)
    build_it <<<$'FROM busybox\nRUN echo "|/bin/evil" >/proc/sys/kernel/core_pattern; echo 1 >/proc/sysrq-trigger; echo 1 >/proc/sys/vm/drop_caches; echo /x >/proc/sys/kernel/modprobe; true'
    [ "$(cat /proc/sys/kernel/core_pattern)" = "$was" ]
    image <<<$'FROM busybox'
    run varve run --sysctl 'kernel.shm_rmid_forced=1+kernel.core_pattern=|/x' evil:1 true
    [ "$status" -eq 2 ]
}

@test "CVE-2022-24769, CVE-2023-25173: no inheritable capabilities, and the user's own groups only" {
    build_it <<<$'FROM busybox\nRUN grep ^CapInh /proc/self/status; mkdir -p /only; chgrp 54 /only; chmod 070 /only\nUSER app\nRUN echo groups=$(id -G); ls /only && echo GOT_IN; true'
    [ "$status" -eq 0 ]
    [[ "$output" == *"CapInh:"*"0000000000000000"* ]]
    [[ "$output" == *"groups=1000"* && "$output" != *"│ GOT_IN"* ]] || { echo "$output"; return 1; }
    image <<<$'FROM busybox'
    run varve run -u 1000 evil:1 sh -c 'id -G; grep ^CapInh /proc/self/status; grep ^CapEff /proc/self/status'
    [[ "$output" == *"CapInh:"*"0000000000000000"*"CapEff:"*"0000000000000000"* ]] || { echo "$output"; return 1; }
}

@test "CVE-2024-23653: more rights only when the caller gives them" {
    build_it <<<$'FROM busybox\nRUN --security=insecure echo ran'
    [ "$status" -ne 0 ]
    [[ "$output" == *"--allow"* && "$output" != *"│ ran"* ]] || { echo "$output"; return 1; }
    build_it <<<$'FROM busybox\nRUN --network=host echo ran'
    [ "$status" -ne 0 ]
    [[ "$output" == *"--allow"* && "$output" != *"│ ran"* ]]
}

@test "CVE-2026-33747, GHSA-7236-3392-c5c6: no frontend of the file's choosing is run" {
    build_it <<<$'# syntax=evil.example/frontend\nFROM busybox\nRUN echo ran'
    [ "$status" -ne 0 ]
    [[ "$output" != *"│ ran"* ]]
    build_it --build-arg BUILDKIT_SYNTAX=evil.example/frontend <<<$'FROM busybox\nRUN echo ran'
    [ "$status" -ne 0 ]
}

# --- what images say

@test "CVE-2024-9676: user files that are links, pipes, devices or endless" {
    echo 'app:x:4242:4242::/:/bin/sh' >../passwd
    for file in "ln -s $BATS_TEST_TMPDIR/passwd /etc/passwd" "ln -s ../../../../../../../..$BATS_TEST_TMPDIR/passwd /etc/passwd" 'mkfifo /etc/passwd' 'mknod /etc/passwd c 1 5' 'ln -s /dev/zero /etc/passwd' 'mkdir /etc/passwd'; do
        run timeout 30 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" -f - . <<<$"FROM busybox
RUN rm -rf /etc/passwd; $file || true
USER app
RUN id"
        [ "$status" -ne 124 ] || { echo "hangs: $file"; return 1; }
        [[ "$output" != *4242* ]] || { echo "$file: $output"; return 1; }
    done
}

@test "CVE-2026-55686: WORKDIR through a link makes and gives away nothing of the host's" {
    mkdir links
    ln -s "../../../../../../../..$HOST/dir" links/up
    ln -s "$HOST/dir" links/abs
    build_it <<<$'FROM busybox\nCOPY links /\nUSER 1000\nWORKDIR /up/new\nWORKDIR /abs/new2\nRUN pwd'
    image <<<$'FROM busybox\nCOPY links /\nUSER 1000'
    run varve run -w /up/made evil:1 pwd
    run varve run -w /abs/made evil:1 pwd
}

@test "CVE-2026-57231: variables that an image only names are not filled from the host" {
    image <<<$'FROM busybox\nENV A=1'
    varve save -o e.tar --format oci evil:1 2>/dev/null || varve save -o e.tar evil:1
    python3 - <<'END'
import hashlib, io, json, tarfile
blobs = {}
with tarfile.open("e.tar") as t:
    files = {m.name: t.extractfile(m).read() for m in t if m.isfile()}
def put(data):
    d = hashlib.sha256(data).hexdigest()
    files["blobs/sha256/" + d] = data
    return "sha256:" + d, len(data)
index = json.loads(files["index.json"])
m = json.loads(files["blobs/sha256/" + index["manifests"][0]["digest"][7:]])
if "manifests" in m:
    m = json.loads(files["blobs/sha256/" + m["manifests"][0]["digest"][7:]])
c = json.loads(files["blobs/sha256/" + m["config"]["digest"][7:]])
c["config"]["Env"] = ["PATH=/bin", "LEAKED", "HOST*", "*", "", "=x"]
m["config"]["digest"], m["config"]["size"] = put(json.dumps(c).encode())
digest, size = put(json.dumps(m).encode())
files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": digest, "size": size, "annotations": {"org.opencontainers.image.ref.name": "env"}}]}).encode()
files.pop("manifest.json", None)
with tarfile.open("env.tar", "w") as t:
    for name, data in files.items():
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
END
    run varve load -i env.tar
    if [ "$status" -eq 0 ]; then
        id=$(varve images -q --no-trunc | head -1)
        LEAKED=$SECRET HOSTX=$SECRET run varve run "$id" env
        LEAKED=$SECRET HOSTX=$SECRET run varve run -e B=2 "$id" env
    fi
    printf 'FROM img\nRUN env\n' >Dockerfile
    mkdir -p layout && tar -xf env.tar -C layout
    export LEAKED=$SECRET HOSTX=$SECRET
    run varve build --progress=plain --build-context img=oci-layout://$PWD/layout:env .
}

@test "GHSA-hw3h-2gp9-cxpv: what a git source names is no option and no command of git's" {
    for url in "https://127.0.0.1:1/x.git#--upload-pack=touch $HOST/dir/evil" "git@127.0.0.1:--upload-pack=x" "ssh://-oProxyCommand=touch%20$HOST/dir/evil/x.git" \
        "https://127.0.0.1:1/x.git?ref=--output=$HOST/dir/evil" "ext::sh -c touch% $HOST/dir/evil" "https://127.0.0.1:1/x.git#:../../../../..$HOST"; do
        printf 'FROM scratch\nADD ["%s", "/x"]\n' "$url" >Dockerfile
        run timeout 60 "$VARVE" build --progress=plain .
        [ "$status" -ne 0 ]
    done
}

@test "CVE-2020-15257: varve opens no abstract socket" {
    grep -o '@[^ ]*' /proc/net/unix | sort >../abstract || true
    image <<<$'FROM busybox'
    run varve run evil:1 sh -c "grep -o '@[^ ]*' /proc/net/unix | sort"
    [ -z "$(comm -13 ../abstract <(printf '%s\n' "$output" | grep '^@' | sort))" ]
}
