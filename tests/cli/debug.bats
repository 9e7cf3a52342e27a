#!/usr/bin/env bats
# varve build --debug-on-failure: a shell where a RUN failed.
load helper
setup_file() { base_setup; }

failing() {
    cat >Dockerfile <<'END'
FROM busybox AS lib
RUN echo from-lib >/lib.txt
FROM busybox
ENV V=from-env
WORKDIR /work
RUN --mount=type=bind,from=lib,source=/lib.txt,target=/mnt.txt --mount=type=cache,target=/c \
    --mount=type=secret,id=s --mount=type=bind,from=lib,target=/rw,rw echo noted >/rw/note && echo left-behind >state && echo cached >/c/x && exit 7
END
    echo hush >../s
}

# typed LINE…: types the lines into a build on a terminal; its exit code is the build's.
typed() {
    printf '%s\n' "$@" | timeout 60 script -qec "'$VARVE' build --progress=plain --debug-on-failure \
        --secret id=s,src=../s --build-context busybox=oci-layout://$BASES/busybox-oci ." /dev/null
}

@test "the shell sees the step's files, mounts, secrets, environment and directory" {
    failing
    run typed 'echo "A:$(cat state):$(pwd):$V:$(cat /mnt.txt):$(cat /c/x):$(cat /run/secrets/s):$(cat /rw/note /rw/lib.txt | tr "\n" .):Z"' 'test -t 0 && echo on-a-"tty"' 'exit 3'
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed with exit code 7"*"a shell where RUN"* ]]
    [[ "$output" == *"A:left-behind:/work:from-env:from-lib:cached:hush:noted.from-lib.:Z"* ]]
    [[ "$output" == *"on-a-tty"* ]]
    [ -z "$(ls "$VARVE_ROOT"/tmp)" ]
}

@test "what is changed in the shell is gone, and the step fails again as before" {
    failing
    run typed 'touch /tmp/changed; rm state' exit
    [ "$status" -eq 1 ]
    run typed 'ls /tmp/changed state' exit
    [[ "$output" == *"/tmp/changed: No such file"* ]]
    [[ "$output" == *"state"* ]]
}

@test "the shell is SHELL's, with the step's user" {
    echo hush >../s
    cat >Dockerfile <<'END'
FROM busybox
RUN echo "u:x:77:77::/:/bin/sh" >>/etc/passwd
SHELL ["/bin/ash", "-ec"]
USER 77
RUN false
END
    run typed 'echo "S:$0:$(id -u):Z"' exit
    [[ "$output" == *"S:/bin/ash:77:Z"* ]]
}

@test "without a terminal it says how to get one, and without the flag that there is one" {
    failing
    run build --debug-on-failure --secret id=s,src=../s . </dev/null
    [ "$status" -eq 1 ]
    [[ "$output" == *"on a terminal --debug-on-failure opens a shell here"* ]]
    run build --secret id=s,src=../s . </dev/null
    [ "$status" -eq 1 ]
    [[ "$output" == *"next: varve debug opens a shell where it failed"* ]]
}

# on_terminal LINE…: types the lines into varve debug.
on_terminal() { printf '%s\n' "$@" | timeout 60 script -qec "'$VARVE' debug" /dev/null; }

@test "varve debug opens a shell in the step that failed last, from anywhere" {
    failing
    run varve debug
    [ "$status" -eq 2 ]
    [[ "$output" == *"no failed build to repeat"*"--debug-on-failure"* ]]
    run build --secret id=s,src=../s .
    [ "$status" -eq 1 ]
    dir=$PWD
    cd /
    run on_terminal 'echo "A:$(cat state):$(cat /run/secrets/s):Z"' exit
    [ "$status" -eq 1 ]
    [[ "$output" == *"in $dir: varve build --debug-on-failure "*"--secret id=s,src=../s ."* ]]
    [[ "$output" == *"A:left-behind:hush:Z"* ]]
}

@test "a build from stdin cannot be repeated, and says so" {
    printf 'FROM busybox\nRUN false\n' >Dockerfile
    run build .
    [[ "$output" == *"next: varve debug opens"* ]]
    run build - <Dockerfile
    [[ "$output" == *"next: varve build --debug-on-failure opens"* ]]
    run varve debug
    [ "$status" -eq 2 ]
}

@test "a damaged note of the failed build is said to be damaged" {
    failing
    run build --secret id=s,src=../s .
    [ "$status" -eq 1 ]
    truncate -s -1 "$VARVE_ROOT/failed-build"
    run varve debug
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed-build is damaged"*"next: run the build that failed again"* ]]
}
