#!/usr/bin/env bats
# varve run: what the program sees, its end, its volumes, its health.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN mkdir -p /data && echo seeded >/data/seed && chown -R 1000:1000 /data && chmod 750 /data
ENV GREETING="good day" NAME=image
WORKDIR /work
VOLUME /data
USER app
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo default"]
END
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
    cat >Dockerfile.health <<'END'
FROM busybox
HEALTHCHECK --interval=1s --timeout=1s --retries=2 CMD test -e /tmp/ready
CMD ["sh", "-c", "trap 'echo ended well; exit 0' TERM; sleep 0.3; touch /tmp/ready; while :; do sleep 0.05; done"]
END
    VARVE_ROOT=$SEED build -f Dockerfile.health -t health:1 . 2>/dev/null
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    cp -a "$SEED" "$VARVE_ROOT"
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    # No sandbox, no directory of one, and no mount may be left.
    [ -z "$(find "$VARVE_ROOT/tmp" -mindepth 1 -maxdepth 1)" ] || { find "$VARVE_ROOT/tmp"; return 1; }
    run -1 grep -q "$VARVE_ROOT" /proc/mounts
}

@test "the image's entrypoint, command, user, directory and environment hold" {
    [ "$(varve run app:1)" = default ]
    [ "$(varve run app:1 'id -u; pwd; echo $GREETING')" = $'1000\n/work\ngood day' ]
}

@test "options replace them" {
    [ "$(varve run -u root -w /tmp -e NAME=given -e X=1 app:1 'id -u; pwd; echo $NAME $X $GREETING')" = $'0\n/tmp\ngiven 1 good day' ]
    [ "$(varve run --entrypoint echo app:1 a b)" = "a b" ]
    export PASSED=on
    [ "$(varve run -e PASSED -e NOT_SET_HERE app:1 'echo $PASSED ${NOT_SET_HERE-unset}')" = "on unset" ]
    printf '\xef\xbb\xbf# comment\nFROM_FILE=a b\n\nNAME=file\n' >vars
    [ "$(varve run --env-file vars app:1 'echo $FROM_FILE $NAME')" = "a b file" ]
    run varve run -e 'no name=1' app:1 true
    [ "$status" -eq 2 ]
    run varve run --entrypoint '' app:1
    [ "$status" -eq 2 ]
    [[ "$output" == *"no command"*"next: "* ]]
}

@test "nothing of the host's environment comes in" {
    export SECRET_OF_THE_HOST=1
    run varve run app:1 env
    [[ "$output" != *SECRET_OF_THE_HOST* ]]
}

@test "the exit code is the program's" {
    run varve run app:1 'exit 7'
    [ "$status" -eq 7 ]
    run varve run --init app:1 'kill -9 $$'
    [ "$status" -eq 137 ]
    run -127 varve run --entrypoint nosuchprogram app:1
    [[ "$output" == *nosuchprogram* ]]
}

@test "the program is process 1; with --init an init is, which reaps orphans and passes signals on" {
    [ "$(varve run app:1 'kill -9 $$; kill -TERM $$; echo $$ alive')" = "1 alive" ]
    run varve run --init app:1 'cat /proc/1/comm; (sleep 0.1 & echo $! >/tmp/orphan); sleep 0.5; [ ! -e /proc/$(cat /tmp/orphan) ] && echo reaped; kill -TERM $$'
    [ "$status" -eq 143 ]
    [ "${lines[0]}" != sh ]
    [ "${lines[1]}" = reaped ]
}

@test "stdin comes in only with -i; stdout and stderr stay apart" {
    [ "$(echo hello | varve run -i app:1 cat)" = hello ]
    [ -z "$(echo hello | varve run app:1 cat)" ]
    [ "$(varve run app:1 'echo out; echo err >&2' 2>/dev/null)" = out ]
}

@test "its user can open stdin, stdout and stderr by name, whatever they are" {
    out=$(echo given | varve run -i app:1 'cat /dev/stdin; echo piped >/dev/stdout; ln -s /dev/stderr /tmp/log; echo logged >/tmp/log' 2>err)
    [ "$out" = $'given\npiped' ]
    [ "$(cat err)" = logged ]
    echo before >file
    varve run app:1 'echo one; echo two >/dev/stdout; echo three; test ! -t 1' >>file
    [ "$(cat file)" = $'before\none\ntwo\nthree' ]
    script -qec "$VARVE run app:1 'echo named >/dev/stdout'" /dev/null >screen
    [ "$(tr -d '\r' <screen)" = named ]
}

@test "a reader that goes away ends the program; output that cannot be written is an error" {
    run bash -c "'$VARVE' run --init app:1 'while echo y; do :; done; echo \$? >&2' 2>&1 1> >(head -1 >/dev/null)"
    [ "$status" -eq 141 ]
    run bash -c "'$VARVE' run app:1 'while echo y; do :; done; exit 9' 2>&1 1> >(head -1 >/dev/null)"
    [ "$status" -eq 9 ]
    run bash -c "'$VARVE' run app:1 'echo y' >/dev/full"
    [ "$status" -eq 4 ]
    [[ "$output" == *"passing on the program's output"* ]]
}

@test "what it writes is gone afterwards, and the image is as before" {
    varve run -u root app:1 'echo x >/written'
    run varve run -u root app:1 'test -e /written'
    [ "$status" -eq 1 ]
    varve fsck
}

@test "an image's VOLUME begins as the image has it, is writable and fresh each time" {
    [ "$(varve run app:1 'cat /data/seed; stat -c "%u %a" /data; echo more >/data/more')" = $'seeded\n1000 750' ]
    run varve run app:1 'test -e /data/more'
    [ "$status" -eq 1 ]
}

@test "a named volume begins as the image has it and stays" {
    varve run -v keep:/data app:1 'echo more >/data/more'
    [ "$(varve run -v keep:/data app:1 'cat /data/seed /data/more')" = $'seeded\nmore' ]
    run varve run -v keep:/data:ro app:1 'echo x >/data/x'
    [ "$status" -ne 0 ]
    varve prune --volumes=keep --force
    run varve run -v keep:/data app:1 'test -e /data/more'
    [ "$status" -eq 1 ]
}

@test "a host directory is mounted, read-only where asked" {
    mkdir -p dir/sub
    echo inside >dir/sub/file
    [ "$(varve run -u root -v ./dir:/mnt/d app:1 'cat /mnt/d/sub/file; echo back >/mnt/d/made')" = inside ]
    [ "$(cat dir/made)" = back ]
    run varve run -u root -v "$PWD/dir:/mnt/d:ro" app:1 'echo x >/mnt/d/made'
    [ "$status" -ne 0 ]
    [ "$(cat dir/made)" = back ]
    run varve run -v "$PWD/nothing:/mnt/d" app:1 true
    [ "$status" -eq 1 ]
    [[ "$output" == *"nothing"*"next: make it first: mkdir -p"* ]]
    [ "$(varve run -u root -v ./dir:/mnt/d:cached app:1 'cat /mnt/d/made')" = back ]
    for bad in x:y 'bad name:/x' /a:/b:wo /a:/b:ro,rw a:b:c:d :/x; do
        run varve run -v "$bad" app:1 true
        [ "$status" -eq 2 ]
    done
}

@test "--read-only leaves volumes and tmpfs writable" {
    [ "$(varve run -u root --read-only --tmpfs /t:size=1m -v v:/v app:1 \
        'echo x 2>/dev/null >/x || echo refused; echo t >/t/f; echo v >/v/f; echo d >/data/f; cat /t/f /v/f /data/f')" = $'refused\nt\nv\nd' ]
    for bad in size=lots dev exec,suid; do
        run varve run --tmpfs /t:$bad app:1 true
        [ "$status" -eq 2 ]
    done
}

@test "a tmpfs starts no programs unless told to, as Docker's" {
    copied='cp /bin/busybox /t/true && /t/true && echo started'
    [ "$(varve run --tmpfs /t:rw,nosuid,size=4m,exec app:1 "$copied")" = started ]
    run varve run --tmpfs /t:rw,noexec,nosuid,size=4096k app:1 "$copied"
    [[ "$output" == *"ermission denied"* ]]
    run varve run --tmpfs /t app:1 "$copied"
    [[ "$output" == *"ermission denied"* ]]
    run varve run -u root --tmpfs /t:ro app:1 'echo x >/t/x'
    [[ "$output" == *"ead-only"* ]]
}

@test "-p that is none, and networks there are not, are refused with 2" {
    for bad in 80:0 70000:80 80:80/icmp 8000-8010:80 host:80:80 1:2:3:4 a ""; do
        run varve run -p "$bad" app:1 true
        [ "$status" -eq 2 ] || { echo "-p $bad: $status $output"; return 1; }
        [[ "$output" == *"-p $bad"*"next: "* ]]
    done
    run varve run --network bridge app:1 true
    [ "$status" -eq 2 ]
    run varve run --network none -p 8080:80 app:1 true
    [ "$status" -eq 0 ]
    [[ "$output" == *"-p has no effect with --network none"* ]]
    [ "$(varve run --network none app:1 'ls /sys/class/net')" = lo ]
}

@test "-t gives a terminal; -it without one is refused" {
    run varve run -t app:1 'test -t 0 && test -t 1 && test -t 2 && echo tty'
    [ "$status" -eq 0 ]
    [[ "$output" == tty* ]]
    run varve run -t app:1 'tty; echo named >/dev/stdout; echo too >/dev/stderr'
    [ "$(tr -d '\r' <<<"$output")" = $'/dev/pts/0\nnamed\ntoo' ]
    run varve run -it app:1 true </dev/null
    [ "$status" -eq 2 ]
    out=$(printf 'echo typed $((40+2)); exit 5\n' | script -qec "$VARVE run -it app:1 sh" /dev/null) || code=$?
    [ "$code" -eq 5 ]
    [[ "$out" == *"typed 42"* ]]
}

# Starts varve run in the background as $pid with its output in the file out.
start() {
    "$VARVE" run "$@" >out 2>&1 3>&- &
    pid=$!
}
await() { for _ in $(seq 100); do grep -q "$1" out && return 0; sleep 0.05; done; cat out; return 1; }

@test "SIGTERM is the image's stop signal to the program alone" {
    start --stop-signal USR1 app:1 "trap 'echo got usr1; exit 9' USR1; trap 'echo got term' TERM; echo up; while :; do sleep 0.05; done"
    await up
    kill "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 9 ]
    [ "$(cat out)" = $'up\ngot usr1' ]
    run varve run --stop-signal NOSUCH app:1 true
    [ "$status" -eq 2 ]
}

@test "a program that does not handle the stop signal ends with it at once, as process 1 too" {
    for flag in "" --init; do
        start $flag --entrypoint sh app:1 -c 'exec sleep 60.125'
        for _ in $(seq 100); do pgrep -fx 'sleep 60.125' && break; sleep 0.05; done
        begin=$(date +%s%N) code=0
        kill -INT "$pid"
        wait "$pid" || code=$?
        [ "$code" -eq 143 ]
        [ $((($(date +%s%N) - begin) / 1000000)) -lt 3000 ]
    done
}

@test "a program that will not end is killed after the grace time" {
    start --stop-timeout 1 app:1 "trap '' TERM; echo up; while :; do sleep 0.05; done"
    await up
    begin=$(date +%s%N)
    kill "$pid"
    wait "$pid" || code=$?
    took=$((($(date +%s%N) - begin) / 1000000))
    [ "$code" -eq 137 ]
    [ "$took" -ge 900 ] && [ "$took" -lt 4000 ]
}

@test "a second signal kills at once; others are passed on" {
    start app:1 "trap 'echo got term' TERM; trap 'echo got usr2' USR2; echo up; while :; do sleep 0.05; done"
    await up
    kill -USR2 "$pid"
    await "got usr2"
    kill -INT "$pid"
    await "got term"
    kill -INT "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 137 ]
}

@test "--wait-healthy tells when the check passes, and goes on" {
    start --wait-healthy health:1
    await "health:1 is healthy after"
    kill "$pid"
    wait "$pid"
    grep -q "ended well" out
}

@test "--wait-healthy stops what never becomes healthy" {
    run varve run --wait-healthy --health-cmd 'echo the reason; exit 3' health:1
    [ "$status" -eq 1 ]
    [[ "$output" == *"ended well"* ]]
    [[ "$output" == *"health:1 is unhealthy"*"exit code 3: the reason"*"next: "* ]]
    run varve run --wait-healthy --health-cmd 'sleep 60' --health-timeout 200ms --health-retries 1 health:1
    [ "$status" -eq 1 ]
    [[ "$output" == *"took too long"* ]]
}

@test "--wait-healthy fails when the program ends first, or there is no check" {
    run varve run --wait-healthy health:1 sh -c 'exit 0'
    [ "$status" -eq 1 ]
    [[ "$output" == *"before it was healthy"* ]]
    run varve run --wait-healthy health:1 sh -c 'exit 4'
    [ "$status" -eq 4 ]
    run varve run --wait-healthy app:1
    [ "$status" -eq 2 ]
    [[ "$output" == *"no HEALTHCHECK"*"next: "*"--health-cmd"* ]]
}

@test "-d runs in the background until it is stopped" {
    pid=$("$VARVE" run -d --wait-healthy health:1 2>err)
    grep -q "is healthy after" err
    log=$(sed -n 's/^log: //p' err)
    [ -e "$log" ]
    kill -0 "$pid"
    kill "$pid"
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    run ! kill -0 "$pid"
    [ "$(tail -1 "$log")" = "ended well" ]
}

@test "-d tells why it could not start" {
    run varve run -d --wait-healthy health:1 sh -c 'echo cannot open the port; exit 4'
    [ "$status" -eq 4 ]
    [[ "$output" == *"cannot open the port"*"before it was healthy"* ]]
    run varve run -d --wait-healthy --health-cmd false --health-interval 200ms health:1
    [ "$status" -eq 1 ]
    [[ "$output" == *"unhealthy"* ]]
}

@test "the program cannot see the host" {
    run varve run -u root app:1 'ls /proc | grep -cE "^[0-9]+$"; cat /proc/1/cmdline | head -c 20'
    [ "${lines[0]}" -le 5 ]
    run varve run -u root app:1 "test -e $VARVE_ROOT/format"
    [ "$status" -eq 1 ]
    run varve run -u root app:1 'grep -c "" /proc/mounts && mount -t tmpfs none /mnt'
    [ "$status" -ne 0 ]
}

@test "the proxies of Docker's config.json are variables; -e wins" {
    export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    mkdir "$DOCKER_CONFIG"
    echo '{"proxies": {"default": {"httpsProxy": "http://proxy.example:3128"}}}' >"$DOCKER_CONFIG/config.json"
    [ "$(varve run app:1 'env | grep -i proxy | sort')" = $'HTTPS_PROXY=http://proxy.example:3128\nhttps_proxy=http://proxy.example:3128' ]
    [ "$(varve run -e https_proxy=mine app:1 'env | grep -i proxy | sort')" = $'HTTPS_PROXY=http://proxy.example:3128\nhttps_proxy=mine' ]
}

has_note() {
    varve run -v "$1:/data" app:1 'test -e /data/note'
}

@test "prune takes a named volume only when it is asked for and somebody agrees" {
    varve run -v keep:/data app:1 'echo precious >/data/note'
    varve run -v other:/data app:1 'echo precious >/data/note'
    run varve prune --volumes </dev/null
    [ "$status" -eq 0 ]
    [[ "$output" == *"named volumes stay: keep, other"*"--volumes=all"* ]]
    run varve prune --all --volumes --force
    [ "$status" -eq 0 ]
    has_note keep
    for answer in '' n y; do
        run varve prune --volumes=all <<<"$answer"
        [ "$status" -eq 2 ]
        [[ "$output" == *"removes named volumes for good"*"next: add -f"*"--dry-run"* ]]
    done
    has_note keep
    run varve prune --volumes=keep,nothing -f
    [ "$status" -eq 1 ]
    [[ "$output" == *"no volume is named nothing"* ]]
    run varve prune --volumes=kep -f
    [[ "$output" == *"did you mean keep?"* ]]
    has_note keep
    run varve prune --volumes=all --dry-run
    [ "$status" -eq 0 ]
    [[ "$output" == *"would remove volume "*"would remove volume "*"would free"* ]]
    has_note keep
    run varve prune --volumes=keep -f
    [ "$status" -eq 0 ]
    [[ "$output" == *"removed volume keep"* ]]
    [[ "$output" == *"named volumes stay: other"* ]]
    run has_note keep
    [ "$status" -eq 1 ]
    has_note other
}

@test "prune names the volumes in its question, and no is the answer of an empty line" {
    varve run -v keep:/data app:1 'echo precious >/data/note'
    run script -qec "$VARVE prune --volumes=all" /dev/null <<<""
    [[ "$output" == *"for good"*"keep"*"[y/N]"*"nothing was removed"* ]]
    has_note keep
    run script -qec "$VARVE prune --volumes=all" /dev/null <<<y
    [[ "$output" == *"removed volume keep"* ]]
    run has_note keep
    [ "$status" -eq 1 ]
}

@test "a volume's first content: group 0 below a setgid directory stays group 0" {
    printf 'FROM busybox\nRUN mkdir /d && chgrp 5 /d && chmod 2775 /d && touch /d/s && chgrp 0 /d/s && chmod 4711 /d/s && mkdir /d/e && chgrp 0 /d/e && chmod 755 /d/e\nVOLUME /d\n' >Dockerfile
    build -t setgid:1 . 2>/dev/null
    for args in "" "-v named:/d"; do
        [ "$(varve run $args setgid:1 stat -c '%a %u %g' /d /d/s /d/e)" = $'2775 0 5\n4711 0 0\n755 0 0' ]
    done
}

@test "a volume that cannot be taken is an error" {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store
    printf 'FROM busybox\n' >Dockerfile
    "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -t vol:1 . >/dev/null
    rm -rf "$VARVE_ROOT/volumes" && touch "$VARVE_ROOT/volumes"
    run "$VARVE" run -v data:/data vol:1 true
    [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
    [[ "$output" == *"error: taking the "*"run-volume:data"* ]] || { echo "$output"; return 1; }
}
