#!/usr/bin/env bats
# varve run: the options of docker run that are simple here.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN mkdir -p /data && echo seeded >/data/seed && mkdir /empty
CMD ["sh"]
END
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
}

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    cp -a "$SEED" "$VARVE_ROOT"
    cd "$BATS_TEST_TMPDIR" || return 1
}

# wrong 'words' ARGS…: exit code 2, an error with these words and a next move.
wrong() {
    local words=$1
    shift
    run --separate-stderr varve run "$@" app:1 true
    [ "$status" -eq 2 ] || { echo "$*: exit $status: $stderr"; return 1; }
    [[ "$stderr" == *"error: "*"$words"*"next: "* ]] || { echo "$*: $stderr"; return 1; }
}

@test "--mount binds directories and files" {
    mkdir src && echo here >src/f
    [ "$(varve run --mount "type=bind,source=$PWD/src,target=/src" app:1 cat /src/f)" = here ]
    [ "$(varve run --mount type=bind,src=./src,dst=/src,readonly app:1 sh -c 'echo x >/src/g || cat /src/f' 2>/dev/null)" = here ]
    varve run --mount type=bind,src=./src,destination=/src,ro=false app:1 sh -c 'echo x >/src/g'
    [ "$(cat src/g)" = x ]
    [ "$(varve run --mount type=bind,src=./src/f,dst=/f,consistency=cached,bind-propagation=rprivate app:1 cat /f)" = here ]
    mkdir 'a,b' && echo comma >'a,b/f'
    [ "$(varve run --mount 'type=bind,"source=./a,b",target=/src' app:1 cat /src/f)" = comma ]
}

@test "--mount takes volumes, named and fresh" {
    varve run --mount type=volume,source=kept,target=/data app:1 sh -c 'cat /data/seed; echo more >/data/more'
    [ "$(varve run --mount source=kept,target=/data,readonly app:1 cat /data/seed /data/more)" = $'seeded\nmore' ]
    [ "$(varve run -v kept:/x app:1 cat /x/more)" = more ]
    [ "$(varve run --mount target=/data app:1 sh -c 'ls /data')" = seed ]
}

@test "--mount makes a tmpfs of a size and mode" {
    run varve run --mount type=tmpfs,target=/t,tmpfs-size=64k,tmpfs-mode=0750 app:1 sh -c 'stat -c %a /t; df -k /t | tail -1; head -c 100000 /dev/zero >/t/x'
    [ "${lines[0]}" = 750 ]
    [[ "${lines[1]}" == *" 64 "*/t ]] || { echo "$output"; return 1; }
    [ "$status" -ne 0 ]
    run varve run --mount type=tmpfs,dst=/t,readonly app:1 sh -c 'echo x >/t/x'
    [ "$status" -ne 0 ]
}

@test "a --mount that makes no sense is told, with an example" {
    wrong "--mount type=bind,source=./x: target=/PATH is missing" --mount type=bind,source=./x
    wrong "type=npipe is not bind, volume or tmpfs" --mount type=npipe,target=/x
    wrong "the source is not a path" --mount type=bind,source=x,target=/x
    wrong "the source is not a path" --mount type=bind,target=/x
    wrong "the source is not the name of a volume" --mount source=./x,target=/x
    wrong "the source is not for a tmpfs" --mount type=tmpfs,source=x,target=/x
    wrong "unknown key volume-driver" --mount type=volume,target=/x,volume-driver=y
    wrong "unknown key bind-propagation" --mount type=bind,source=.,target=/x,bind-propagation=shared
    wrong '"x" is not KEY=VALUE' --mount type=tmpfs,x,target=/y
    wrong "readonly=perhaps is malformed" --mount target=/x,readonly=perhaps
    wrong "tmpfs-size=much is malformed" --mount type=tmpfs,target=/x,tmpfs-size=much
    wrong "/x is mounted already" --mount type=tmpfs,target=/x --mount target=/x
    run --separate-stderr varve run --mount type=bind,source=./none,target=/x app:1 true
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"--mount type=bind,source=./none,target=/x: cannot mount ./none"*"next: make it first: mkdir -p ./none"* ]]
}

@test "--add-host writes lines of /etc/hosts" {
    run varve run --add-host db:192.0.2.7 --add-host six=[2001:db8::1] --add-host two=192.0.2.1,192.0.2.2 app:1 cat /etc/hosts
    [[ "$output" == *$'\n192.0.2.7\tdb'* ]]
    [[ "$output" == *$'\n2001:db8::1\tsix'* ]]
    [[ "$output" == *$'\n192.0.2.1\ttwo\n192.0.2.2\ttwo'* ]]
    varve run --add-host me:host-gateway app:1 grep -q me /etc/hosts
    wrong "--add-host db: must be HOST:ADDRESS" --add-host db
    wrong "--add-host db:nowhere: must be HOST:ADDRESS" --add-host db:nowhere
}

@test "--ulimit limits the program" {
    [ "$(varve run --ulimit nofile=100:200 --ulimit core=0 app:1 sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c')" = $'100\n200\n0' ]
    wrong "--ulimit nofile: must be NAME=SOFT[:HARD]" --ulimit nofile
    wrong "the soft limit is above the hard one" --ulimit nofile=200:100
    run varve run --ulimit nothing=1 app:1 true
    [ "$status" -eq 2 ]
    [[ "$output" == *"--ulimit nothing=1: "* ]]
}

@test "--dns writes the program's resolv.conf" {
    run varve run --dns 192.0.2.53 --dns 2001:db8::53 --dns-search a.example --dns-search b.example --dns-option ndots:2 app:1 cat /etc/resolv.conf
    [ "$output" = $'nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a.example b.example\noptions ndots:2' ]
    [ "$(varve run --dns 192.0.2.53 --dns-search . app:1 grep -cE '^(nameserver|search)' /etc/resolv.conf)" = 1 ]
    wrong "--dns-search and --dns-option need --dns" --dns-search x
    run varve run --dns 'nowhere' app:1 true
    [ "$status" -eq 2 ]
    run varve run --dns 192.0.2.53 --dns-option $'x\nnameserver 1.1.1.1' app:1 true
    [ "$status" -eq 2 ]
    # The image has none afterwards.
    [ "$(varve run --dns 192.0.2.53 app:1 grep -c 192.0.2.53 /etc/resolv.conf)" = 1 ]
    [ "$(varve run app:1 grep -c 192.0.2.53 /etc/resolv.conf)" = 0 ]
}

@test "--cpus is a quota" {
    wrong "--cpus: many is not a number of CPUs" --cpus many
    wrong "--cpus: -1 is not a number of CPUs" --cpus=-1
    run varve run --cpus 0.5 app:1 true
    if [ "$status" -ne 0 ]; then
        [[ "$output" == *cgroup* ]]
        skip "no cgroups to use here"
    fi
    [ "$(varve run --cpus 0.5 app:1 sh -c 'cat /sys/fs/cgroup/cpu.max 2>/dev/null || echo 50000 100000')" = "50000 100000" ]
}

@test "--restart is no, and says who can do more" {
    varve run --restart no app:1 true
    wrong "--restart always: only no is supported" --restart always
    [[ "$stderr" == *"next: "*systemd* ]]
    wrong "only no is supported" --restart=on-failure:3
}

@test "what the words alone show to be wrong is told before anything is pulled" {
    early() { # early 'words' 'next move' OPTION…
        run --separate-stderr varve run --pull always "${@:3}" 127.0.0.1:1/none:1 true
        [ "$status" -ne 4 ] || { echo "asked a registry: $stderr"; return 1; }
        [[ "$stderr" == "error: $1"*"next: $2"* ]] || { echo "${*:3}: $stderr"; return 1; }
    }
    early '-v bad: must be NAME:' 'for example -v data:/data' -v bad
    early '-v ./none:/x: cannot mount ./none' 'make it first: mkdir -p ./none' -v ./none:/x
    early '-w rel: the working directory must be absolute' 'start it with /: -w /rel' -w rel
    early '--name a b: a name consists of' 'for example --name web-1' --name 'a b'
    early '--dns x: not the address' '' --dns x
    early '--tmpfs bad: bad is not an absolute path' 'name the directory inside: /bad' --tmpfs bad
    early '--tmpfs /t: /t is mounted already' 'leave one of the two out' --tmpfs /t -v a:/t
    early '--tmpfs /t:big: "big" is not size=BYTES' 'for example --tmpfs /tmp:size=64m' --tmpfs /t:big
    early '-v a:/x:wet: unknown mode wet' 'for example -v ./src:/src:ro' -v a:/x:wet
    early '--stop-signal TREM: there is no such signal' 'did you mean --stop-signal TERM?' --stop-signal TREM
    early '--stop-timeout -7: not a number of seconds' 'for example --stop-timeout 30' --stop-timeout -7
    early '--pull alwys: not always, missing or never' 'did you mean --pull always?' --pull alwys
}

@test "a mount on resolv.conf wins over --dns, as with docker" {
    echo mine >resolv
    [ "$(varve run --dns 192.0.2.53 -v ./resolv:/etc/resolv.conf app:1 cat /etc/resolv.conf)" = mine ]
}
