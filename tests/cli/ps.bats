#!/usr/bin/env bats
# What varve run started, seen from other varves: ps, logs, exec, stop, kill, wait, rm.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    printf 'FROM busybox\nENV FROM_IMAGE=yes\nWORKDIR /work\nCMD ["sh", "-c", "trap \\"echo ended well; exit 5\\" TERM; echo begun; while :; do sleep 0.05; done"]\n' >Dockerfile
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    cp -a "$SEED" "$VARVE_ROOT"
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    for id in $(varve ps -q); do varve rm -f "$id"; done >/dev/null
    [ -z "$(find "$VARVE_ROOT/tmp" -mindepth 1 -maxdepth 1)" ] || { find "$VARVE_ROOT/tmp"; return 1; }
    run ! grep -q "$VARVE_ROOT" /proc/mounts
}

# detached ARGS…: starts one and prints its pid.
detached() {
    "$VARVE" run -d "$@" 2>/dev/null
}

# eventually COMMAND…: until it succeeds, at most ten seconds.
eventually() {
    for _ in $(seq 200); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

logged() {
    varve logs "$1" | grep -q "$2"
}

@test "a detached program that ends leaves its log and exit code" {
    pid=$(detached --name boom app:1 sh -c 'echo boom; exit 3')
    [ "$(varve wait boom)" = 3 ]
    [ "$(varve logs boom)" = boom ]
    [ "$(varve logs "$pid")" = boom ] # build 1 is the only number below
    run varve ps
    [[ "$output" != *boom* ]]
    run varve ps -a
    [[ "$output" == *boom*app:1*"exited (3)"* ]]
    [ "$(varve ps -a --format json | jq -r '[.Names, .State, .ExitCode, .Image] | join(" ")')" = "boom exited 3 app:1" ]
    varve rm boom
    [ -z "$(varve ps -aq)" ]
    [ -z "$(ls "$VARVE_ROOT/runs")" ]
}

@test "ps lists what runs, by its name, in the foreground too" {
    detached --name web -l tier=front app:1
    [ "$(varve ps --format json | jq -r .Names)" = web ]
    [ "$(varve ps -q -f label=tier=front)" = "$(varve ps -q)" ]
    [ -z "$(varve ps -q -f name=other)" ]
    "$VARVE" run --name front app:1 >/dev/null 2>&1 3>&- &
    eventually varve exec front true 2>/dev/null
    run varve logs front
    [ "$status" -eq 1 ]
    [[ "$output" == *foreground* ]]
    varve stop front
    wait $! || [ $? -eq 5 ]
    [ "$(varve ps -aq | wc -l)" -eq 1 ]
}

@test "stop lets it end well, or kills it after -t seconds" {
    detached --name good app:1
    eventually logged good begun
    [ "$(varve stop good)" = good ]
    [ "$(varve wait good)" = 5 ]
    [ "$(varve logs --tail 1 good)" = "ended well" ]
    detached --name deaf app:1 sh -c 'trap "" TERM; echo begun; while :; do sleep 0.05; done'
    eventually logged deaf begun
    varve stop -t 0 deaf
    [ "$(varve wait deaf)" = 137 ]
    varve stop deaf # it has ended: fine
    run varve stop nosuch
    [ "$status" -eq 1 ]
    [[ "$output" == *"no such run: nosuch"*"next: "* ]]
}

@test "kill sends a signal, KILL without -s" {
    detached --name a app:1 sh -c 'trap "echo usr1" USR1; echo begun; while :; do sleep 0.05; done'
    eventually logged a begun
    varve kill -s USR1 a
    eventually logged a usr1
    varve kill a
    [ "$(varve wait a)" = 137 ]
    run varve kill a
    [ "$status" -eq 1 ]
    run varve kill -s NOPE a
    [ "$status" -eq 2 ]
}

@test "rm removes what has ended, and with -f what runs; wait tells its code all the same" {
    detached --name r app:1
    run varve rm r
    [ "$status" -eq 2 ]
    [[ "$output" == *"is running"*"next: "* ]]
    varve wait r >waited 3>&- &
    varve rm -f r
    wait $! || true
    run varve rm r
    [ "$status" -eq 1 ]
    varve rm -f r
    [ -z "$(varve ps -aq)" ]
    detached --rm --name gone app:1 true
    eventually sh -c 'test -z "$(ls "$VARVE_ROOT/runs")"'
}

@test "a name is one run's until that is removed" {
    detached --name one app:1
    run varve run -d --name one app:1
    [ "$status" -eq 2 ]
    [[ "$output" == *"name one is in use"*"varve rm -f one"* ]]
    varve stop one
    run varve run --name one app:1 true
    [ "$status" -eq 2 ]
    varve rm one
    varve run --name one app:1 true
    varve run --name one app:1 true
    for bad in 12 'a b' ../x $'a\e[31m' ''; do
        run varve run --name "$bad" app:1 true
        [ "$status" -eq 2 ]
    done
}

@test "exec joins: environment, user, directory, stdin, terminal and exit code" {
    detached --name e -e GIVEN=1 app:1
    [ "$(varve exec e sh -c 'echo $FROM_IMAGE $GIVEN; pwd; id -u')" = $'yes 1\n/work\n0' ]
    [ "$(varve exec -u 1000 -w /tmp -e GIVEN=2 e sh -c 'echo $GIVEN; pwd; id -u')" = $'2\n/tmp\n1000' ]
    [ "$(echo hello | varve exec -i e cat)" = hello ]
    [ -z "$(echo hello | varve exec e cat)" ]
    run varve exec e sh -c 'exit 7'
    [ "$status" -eq 7 ]
    run -127 varve exec e nosuch
    [ "$(varve exec e cat /proc/1/comm)" = sh ]
    run script -qec "$VARVE exec -it e tty" /dev/null
    [[ "$output" == */dev/* ]]
    varve stop e
    run varve exec e true
    [ "$status" -eq 1 ]
    [[ "$output" == *"is not running"* ]]
}

@test "logs -f goes on until the end" {
    mkfifo go
    detached --name f -v "$PWD/go:/go" app:1 sh -c 'echo first; read x </go; echo second'
    varve logs -f f >followed 3>&- &
    eventually grep -q first followed
    echo >go
    wait $!
    [ "$(cat followed)" = $'first\nsecond' ]
}

@test "a killed varve leaves a run that is neither running nor in anybody's way" {
    pid=$(detached --name k app:1)
    program=$(sed -n 's/^program=//p' "$VARVE_ROOT"/runs/*/about)
    kill -9 "$pid"
    eventually test ! -e "/proc/$program"
    [ -z "$(varve ps -q)" ]
    run varve ps -a
    [[ "$output" == *killed* ]]
    run varve wait k
    [ "$status" -eq 1 ]
    run varve exec k true
    [ "$status" -eq 1 ]
    varve logs k
    varve rm k
    "$VARVE" run --name k app:1 >/dev/null 2>&1 3>&- &
    eventually varve exec k true 2>/dev/null
    kill -9 $!
    wait $! || true
    [ -z "$(varve ps -aq)" ] # a foreground one leaves nothing
    varve run app:1 true
    [ -z "$(ls "$VARVE_ROOT/runs")" ]
}

@test "the last ended runs stay, prune removes them, damaged records break nothing" {
    detached --name live app:1
    for i in $(seq 23); do detached --name "n$i" app:1 true >/dev/null; varve wait "n$i" >/dev/null; done
    [ "$(varve ps -aq | wc -l)" -le 22 ]
    mkdir "$VARVE_ROOT/runs/abcdefabcdef" "$VARVE_ROOT/runs/bbbbbbbbbbbb"
    head -c 100 /dev/urandom >"$VARVE_ROOT/runs/abcdefabcdef/about"
    varve ps -a >/dev/null
    varve prune
    [ "$(varve ps -a --format json | jq -r .Names)" = live ]
    [ "$(ls "$VARVE_ROOT/runs" | wc -l)" -eq 1 ]
    varve fsck
}

@test "what an image or its program prints does not reach the terminal raw" {
    detached --name esc app:1 sh -c "printf '\033]0;title\007\033[2Jtext\n'; exit 0" $'\e[31mred'
    varve wait esc
    varve ps -a --no-trunc >listed
    run ! grep -q $'\e' listed
    script -qec "$VARVE logs esc" /dev/null >screen
    run ! grep -q $'\e\]\|\e\[2J' screen
    grep -q text screen
}

@test "runs of one second are listed in the order they were started in" {
    varve run -d --name r1 app:1 true
    varve wait r1
    id=$(varve ps -aq)
    # Five more of the same second, each a bit later, under ids in the other order.
    for n in 2 3 4 5 6; do
        other=$(printf 'a%011d' "$n")
        cp -a "$VARVE_ROOT/runs/$id" "$VARVE_ROOT/runs/$other"
        sed -i "s/^name=.*/name=r$n/; s/^\\(created-us=.*\\).$/\\1$n/" "$VARVE_ROOT/runs/$other/about"
    done
    sed -i 's/^\(created-us=.*\).$/\11/' "$VARVE_ROOT/runs/$id/about"
    [ "$(varve ps -a --format '{{.Names}}' | tr '\n' ' ')" = "r6 r5 r4 r3 r2 r1 " ]
    [ "$(varve ps -l --format '{{.Names}}')" = r6 ]
}

@test "ps shows published ports, as docker does" {
    detached --name quiet app:1
    [[ "$(varve ps | head -1)" != *PORTS* ]]
    [ "$(varve ps --format '{{.Names}}:{{.Ports}}')" = "quiet:" ]
    port=$((20000 + RANDOM % 10000))
    "$VARVE" run -d --name web -p "127.0.0.1:$port:80" -p "$((port + 1))-$((port + 2)):90-91/udp" app:1 2>note >/dev/null || { cat note; skip "no network of its own"; }
    [ "$(varve ps -f name=web --format '{{.Ports}}')" = "127.0.0.1:$port->80/tcp, 0.0.0.0:$((port + 1))-$((port + 2))->90-91/udp" ]
    [ "$(varve ps -f name=web --format json | jq -r .Ports)" = "$(varve ps -f name=web --format '{{.Ports}}')" ]
    [[ "$(varve ps)" == *PORTS*"127.0.0.1:$port->80/tcp"* ]]
}
