#!/usr/bin/env bats
# Wrong command lines: exit code 2, what is near, and what to do; and the words that Docker's users type.
bats_require_minimum_version 1.5.0
load helper

# wrong 'words' ARGS…: exit code 2, an error with these words, and a next move.
wrong() {
    local words=$1
    shift
    run --separate-stderr varve "$@"
    [ "$status" -eq 2 ] || { echo "$*: exit $status: $stderr"; return 1; }
    [[ "$stderr" == *"error: "*"$words"* ]] || { echo "$*: $stderr"; return 1; }
}

@test "a wrong command line exits with 2 whatever the command" {
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    wrong "is not a platform" build --platform linux/amd64,, .
    wrong "is not a platform" build --platform a/b/c/d .
    wrong '"nope" is unknown' build --cache-to type=nope .
    wrong "mode=mix" build --cache-to type=registry,ref=a:b,mode=mix .
    wrong "needs an index" build --annotation index:a=b .
    wrong "lower" build -t UPPER .
    wrong "--network" build --network foo .
    wrong "--format" images --format foo
    wrong "--format" history --format foo
    wrong "--format" du --format foo
    wrong "lower" tag x UPPER
    wrong "lower" tag UPPER x
    wrong "lower" pull UPPER
    wrong "lower" push UPPER
    wrong "lower" rmi UPPER
    wrong "lower" rmi -f UPPER
    wrong "lower" run UPPER
    wrong "lower" inspect UPPER
    wrong "lower" history UPPER
    wrong "lower" layers UPPER
    wrong "lower" save -o x UPPER
    wrong "--older-than" prune --older-than x
    wrong "--filter" prune --filter label=x
    wrong "--volumes" prune --volumes=a,/b
    wrong "needs an argument: IMAGE" rmi
    wrong "needs two arguments: IMAGE and NAME" tag
    wrong "needs two arguments: IMAGE and NAME" tag a
    wrong 'did not expect "c"' tag a b c
}

@test "what is missing is no wrong command line" {
    for args in "inspect nothing:1" "history nothing" "tag nothing x" "rmi nothing" "history 99"; do
        run varve $args
        [ "$status" -eq 1 ] || { echo "$args: exit $status: $output"; return 1; }
        [[ "$output" == *"next: "* ]]
    done
}

@test "a file whose directory is missing is found out before any work" {
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    for flag in --iidfile --metadata-file; do
        wrong "$flag no/dir/x: there is no directory no/dir" build "$flag" no/dir/x .
        [[ "$stderr" == *"next: mkdir -p no/dir"* ]]
        wrong "is a directory" build "$flag" . .
    done
    [ -z "$(varve images -q)" ]
    wrong "-o no/x: there is no directory no" save -o no/x nothing:1
}

@test "mistyped commands and options get what is near, and nothing else" {
    wrong "unknown command imgaes; did you mean images?" imgaes
    wrong "unknown command biuld; did you mean build?" biuld .
    wrong "unknown option --no-cahce; did you mean --no-cache?" build --no-cahce .
    wrong "unknown option --formt; did you mean --format?" images --formt=json
    wrong "unknown option --volums; did you mean --volumes?" prune --volums
    for far in bogus zzz qqqqqqqq; do
        wrong "unknown command $far" "$far"
        [[ "$stderr" != *"did you mean"* ]]
        wrong "unknown option --$far" build "--$far" .
        [[ "$stderr" != *"did you mean"* ]]
    done
    wrong "unknown option -Q" build -Q .
}

@test "options before the command are --root, --help and --version only" {
    wrong "--root needs the directory" --root
    wrong "--root needs the directory" --root= images
    wrong "unknown option --format before the command" --format json images
    [[ "$stderr" == *"next: "*"varve images --format"* ]]
    [ "$(varve --root elsewhere version | awk '/^store/ {print $2}')" = "$PWD/elsewhere" ]
    [ "$(varve --root=elsewhere version | awk '/^store/ {print $2}')" = "$PWD/elsewhere" ]
    [ "$(varve -v)" = "$(varve version)" ]
    [ "$(varve --version)" = "$(varve version)" ]
    [ "$(varve help prune)" = "$(varve prune --help)" ]
    [[ "$(varve help)" == *"varve help COMMAND"* ]]
    wrong "unknown command nothing" help nothing
}

@test "commands of Docker that mean the same work" {
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    varve buildx build -t app:1 . 2>/dev/null
    varve image tag app:1 app:2
    [ "$(varve image ls -q)" = "$(varve images -q)" ]
    [ "$(varve image list --format json)" = "$(varve images --format json)" ]
    [ "$(varve image inspect app:1)" = "$(varve inspect app:1)" ]
    [ "$(varve system df --format json)" = "$(varve du --format json)" ]
    varve image rm app:2
    run varve inspect app:2
    [ "$status" -eq 1 ]
    REGISTRY_AUTH_FILE=$PWD/auth.json run varve logout 127.0.0.1:1
    [ "$status" -eq 0 ]
}

@test "commands of Docker without a twin say what to do" {
    advised() { # advised 'words' ARGS…
        wrong "unknown command" "${@:2}"
        [[ "$stderr" == *"next: "*"$1"* ]] || { echo "$stderr"; return 1; }
        [[ "$stderr" != *"did you mean"* ]]
    }
    advised "varve prune" system prune -f
    [[ "$stderr" == *"unknown command system prune"* ]]
    advised "varve prune --all" builder prune
    advised "varve prune" image prune -a
    advised "--volumes=NAME" volume rm data
    advised "varve build" buildx ls
    advised "varve build --target" buildx bake
    advised "varve history" buildx history ls
    advised "varve ps" container inspect web
    advised "varve prune" container prune
    advised "varve stop" pause web
    advised "varve layers" diff web
    advised "varve version" info
    advised "registr" search node
    advised "varve build" compose up
}

@test "logout is a command with its own help; no usage line ends with a blank" {
    [[ "$(varve --help)" == *$'\n  logout '* ]]
    [[ "$(varve logout --help)" == "usage: varve logout [HOST]"* ]]
    wrong "unknown option --username" logout --username x
    for c in $(varve --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
        [[ "$(varve "$c" --help | head -1)" != *" " ]] || { echo "$c"; return 1; }
    done
}

@test "a word that is none of an option's gets the one that was meant" {
    wrong "--network hots: not default, none or host" build --network hots .
    [[ "$stderr" == *"next: did you mean --network host?"* ]]
    wrong "--pull=nver: not always, missing or never" build --pull=nver .
    [[ "$stderr" == *"next: did you mean --pull=never?"* ]]
    wrong "--allow network: not network.host or security.insecure" build --allow network .
}
