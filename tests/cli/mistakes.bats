#!/usr/bin/env bats
# What somebody gets to read who makes a mistake: what is wrong, where, why, and what to do next.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

# wrong TEXT PART…: the Dockerfile TEXT is refused, and the message holds each PART.
wrong() {
    printf "$1" >Dockerfile
    shift
    run build .
    [ "$status" -ne 0 ]
    says "$@"
}

# says PART…: the output of the last run holds each.
says() {
    for part; do
        [[ "$output" == *"$part"* ]] || {
            echo "not said: $part"
            echo "$output"
            return 1
        }
    done
}

@test "too few arguments: an example" {
    wrong 'FROM busybox\nVOLUME\n' 'Dockerfile:2:1' 'at least one' 'hint: for example VOLUME /data'
    wrong 'FROM busybox\nWORKDIR\n' 'exactly one' 'hint: for example WORKDIR /app'
    wrong 'FROM busybox\nCOPY src\n' 'only one was provided' 'hint: for example COPY '
    wrong 'FROM busybox\nENV\n' 'hint: for example ENV LOG=debug'
    wrong 'FROM busybox\nHEALTHCHECK CMD\n' 'hint: for example HEALTHCHECK '
    wrong '' 'the file is empty' 'hint: start it with' 'FROM debian:12'
}

@test "a word that is no instruction: a comment, a lost backslash" {
    wrong '// a remark\nFROM busybox\n' 'unknown instruction //' 'hint: a comment starts with #'
    wrong 'FROM busybox\nRUN echo a\n  echo b\n' 'Dockerfile:3:3' 'unknown instruction echo' \
        'hint: if it continues the RUN of line 2, the line above must end with \'
    wrong '# escape=`\nFROM busybox\nRUN echo a\necho b\n' 'must end with `'
}

@test "quotes and braces that are not closed, values with blanks" {
    wrong 'FROM busybox\nENV A="b\n' 'matching double-quote' 'hint: close the quote'
    wrong 'FROM busybox\nENV A=${B\n' "missing '}'" 'hint: write ${NAME}'
    wrong 'FROM busybox\nENV A=${B:?two words}\n' "can't find =" 'hint: quote a value that contains blanks'
}

@test "signals and numbers of stages: what was meant" {
    wrong 'FROM busybox\nSTOPSIGNAL SIGTREM\n' 'invalid signal' 'hint: did you mean SIGTERM?'
    wrong 'FROM busybox\nCOPY --from=5 /x /y\n' 'there is 1 stage' 'hint: stages are numbered from 0'
}

@test "names of images: what was meant" {
    wrong 'FROM Busybox\n' 'must be lower case' 'hint: did you mean busybox?'
    run varve pull https://127.0.0.1:1/Team/app
    [ "$status" -eq 2 ]
    says 'malformed' 'next: did you mean 127.0.0.1:1/team/app?'
    run varve build -t App:2 .
    says '-t App:2' 'next: did you mean app:2?'
    run varve pull 'two words'
    says 'next: names are written [HOST[:PORT]/]NAME[:TAG]'
}

@test "a target that the file does not have: the stages" {
    printf 'FROM busybox AS build\nFROM busybox AS final\n' >Dockerfile
    run build --target test .
    says 'could not be found' 'hint: the stages are build, final'
    printf 'FROM busybox\n' >Dockerfile
    run build --target test .
    says 'hint: no stage has a name' 'FROM … AS test'
}

@test "a build argument that no ARG takes" {
    printf 'ARG BASE=busybox\nFROM $BASE\nARG VERSION=1\nRUN true\n' >Dockerfile
    run build --build-arg VERSOIN=2 .
    [ "$status" -eq 0 ]
    says 'note: --build-arg VERSOIN: Dockerfile has no ARG VERSOIN; did you mean VERSION?'
    run build --build-arg VERSION=2 --build-arg BASE=busybox --build-arg https_proxy=x \
        --build-arg BUILDKIT_X=1 --build-arg TARGETARCH=amd64 --build-arg SOURCE_DATE_EPOCH=1 .
    [ "$status" -eq 0 ]
    [[ "$output" != *"has no ARG"* ]]
}

@test "warnings say where and what" {
    printf "FROM busybox\nCMD ['echo', 'hi']\n" >Dockerfile
    run build .
    [ "$status" -eq 0 ]
    says '2 warnings: ' 'Dockerfile:2: this is not JSON (single quotes)' 'write CMD ["echo", "hi"]'
    for i in 1 2 3 4 5 6 7; do echo "MAINTAINER $i"; done >>Dockerfile
    run build .
    [ "$(grep -c '^  Dockerfile:' <<<"$output")" -eq 5 ]
}

# option WORDS… -- PART…: varve WORDS is a mistake, and the message holds each PART.
option() {
    words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    run varve "${words[@]}"
    [ "$status" -eq 2 ]
    says "$@"
}

@test "options that Docker has and varve has not: what to do instead" {
    option run --gpus all x -- 'unknown option --gpus' 'next: runs cannot use devices'
    option run --privileged=true x -- 'unknown option --privileged' 'next: leave it out'
    option run --link=db x -- 'next: runs share no networks'
    option run -aq x -- 'unknown option -a' 'next: leave it out'
    option ps -qs -- 'unknown option -s' 'next: leave it out'
    option logs -t web -- 'next: logs of runs have no times'
    option pull -a busybox -- 'next: name each tag'
    option inspect --type image x -- 'next: leave it out'
    option -H tcp://host images -- 'unknown option -H' 'next: varve works on this machine only'
    option run --nmae x y -- 'did you mean --name?'
    option images -s -- 'next: varve images --help lists the options'
}

@test "older spellings of Docker's options, and a help with a value" {
    option run --net=mine x -- '--network mine'
    option run --dns-opt -- '--dns-opt'
    run varve build --help=true
    [ "$status" -eq 0 ]
    says 'usage: varve build'
}

@test "limits of memory: too small to begin with, and reached" {
    option run -m 100k busybox true -- '--memory below 6m' 'next: write a number of bytes'
    option build --resource memory=1 . -- '--resource: memory below 6m'
    printf 'FROM busybox\n' >Dockerfile
    build -t app:1 .
    run varve run -m 20m app:1 true
    [ "$status" -eq 0 ] || skip "limits need cgroups to use"
    run varve run -m 20m app:1 sh -c 'x=a; while true; do x=$x$x; done'
    [ "$status" -eq 137 ]
    says 'warning: app:1 needed more memory than its limit of 20m allows' 'raise --memory'
}

@test "a field or a state that does not exist is told where nothing is listed, too" {
    for list in ps images history; do
        for table in '' 'table '; do
            run varve $list --format "$table{{.Nope}}"
            [ "$status" -eq 1 ]
            says 'there is no field Nope' 'next: the fields here are '
        done
        [ -z "$(varve $list --format json)" ]
    done
    [ -z "$(varve ps --format '{{.ID}} {{.Names}} {{.Image}} {{.Labels}} {{.FinishedAt}}')" ]
    [ -z "$(varve images --format '{{.Repository}}:{{.Tag}} {{slice .Digest 7 19}} {{.Origin}}')" ]
    option ps -f status=runing -- 'must be running, exited or dead' 'next: did you mean status=running?'
    option ps -f status=up -- 'next: for example --filter status=exited'
    varve ps -f status=created
}

@test "a program that cannot be started: the next move" {
    printf '#!/bin/sh\r\necho hi\r\n' >crlf
    printf 'echo hi\n' >plain
    printf 'FROM busybox\nCOPY --chmod=755 crlf plain /s/\nCOPY --chmod=644 plain /t\n' >Dockerfile
    build -t app:1 .
    run -127 varve run app:1 -it sh
    [ "$status" -eq 127 ]
    says '"-it": executable file not found' 'next: options go before the image: varve run -it'
    run -127 varve run app:1 nosuch
    says 'next: check its spelling'
    run -127 varve run --entrypoint '["sh"]' app:1
    says 'next: --entrypoint takes one program'
    run -127 varve run app:1 'ls -l'
    says "next: give each argument" "sh -c 'ls -l'"
    run -127 varve run app:1 /s/crlf
    says 'its lines end with CR LF' 'next: '
    run varve run app:1 /t
    [ "$status" -eq 126 ]
    says 'next: make it executable'
    run varve run app:1 /s/plain
    says 'Exec format error' 'next: a script needs a first line'
    run -127 varve run -d app:1 nosuch
    [ "$status" -eq 127 ]
    says 'next: check its spelling'
}

# A program for a machine that this one is not, at ./prog.
foreign_program() {
    { printf '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\002\0\026\0\001\0\0\0'; head -c 200 /dev/zero; } >prog # s390
}

@test "a step without a network, and one that looks up a name in vain" {
    wrong 'FROM busybox\nRUN --network=none wget -q http://nosuch.invalid/\n' \
        'hint: this step has no network (--network=none)'
    wrong 'FROM busybox\nRUN echo "Could not resolve host: x" >&2; exit 6\n' \
        'hint: a name could not be resolved' 'HTTPS_PROXY'
}

@test "a program of another machine, read by a shell as a script" {
    foreign_program
    wrong 'FROM busybox\nCOPY --chmod=755 prog /prog\nRUN /prog\n' \
        'hint: /prog was built for another architecture' '--platform'
}

@test "an image that is here for another platform" {
    printf 'FROM busybox\n' >Dockerfile
    build --platform linux/amd64 -t 127.0.0.1:1/app:1 .
    for command in inspect 'save -o ../x.tar' push; do
        run varve $command --platform linux/s390x 127.0.0.1:1/app:1
        [ "$status" -eq 1 ]
        says 'app:1 is in the store for linux/amd64, not for linux/s390x' 'next: leave --platform out'
    done
    run varve run --platform linux/s390x 127.0.0.1:1/app:1 true
    [ "$status" -eq 4 ]
    says 'app:1 is in the store for linux/amd64, not for linux/s390x' 'does not accept connections'
    wrong 'FROM --platform=linux/s390x 127.0.0.1:1/app:1\n' 'hint: ask for linux/amd64'
}

@test "a file mounted over a directory, and the other way round" {
    printf 'FROM busybox\n' >Dockerfile
    build -t app:1 .
    run varve run -v "$PWD/Dockerfile:/etc" app:1 true
    [ "$status" -eq 1 ]
    says 'cannot mount a file at /etc, which is a directory' 'next: mount a directory, or name the file: /etc/NAME'
    run varve run -v "$PWD:/etc/passwd" app:1 true
    says 'cannot mount a directory at /etc/passwd, which is a file' 'next: '
    varve run -v "$PWD/Dockerfile:/etc/passwd" -v "$PWD:/new" app:1 grep -q FROM /etc/passwd
}

@test "every wrong command line ends with the next move" {
    option build . extra -- 'more than one context given: . and extra' 'next: '
    option run -td busybox sh -- 'cannot be used together' 'next: leave out -t'
    option build --network bridge . -- 'next: for example --network default'
    option build --call=chekc . -- 'next: '
    option run --memory lots busybox -- 'next: varve run --help'
    option run --network mine busybox -- 'next: '
    option prune --older-than tomorrow -- 'next: varve prune --help'
    option logs --step x -- 'next: varve logs --help'
}

@test "what cannot be loaded or downloaded: the next move" {
    run varve load -i nosuch.tar
    says 'cannot open nosuch.tar: No such file' 'next: give an archive'
    run varve load nosuch.tar
    says 'next: give an archive'
    echo hi >hi
    tar cf plain.tar hi
    run varve load plain.tar
    [ "$status" -eq 1 ]
    says 'next: '
    wrong 'FROM busybox\nADD http://127.0.0.1:9/x /x\n' 'cannot get http://127.0.0.1:9/x' \
        'next: check the address and the network'
}

@test "a published port that another program uses, also at one address only" {
    printf 'FROM busybox\n' >Dockerfile
    build -t app:1 .
    varve run -d --name first -p 127.0.0.1::80 app:1 sleep 60 2>note || skip "no network of its own"
    port=$(sed -n 's/^note: port 80.tcp is published at 127.0.0.1://p' note)
    for publish in "$port:80" "127.0.0.1:$port:80" "$((port - 1))-$((port + 1)):80-82"; do
        run varve run -p "$publish" app:1 true
        [ "$status" -eq 4 ]
        says "cannot publish port " "/tcp: another program uses it" 'next: choose another'
    done
    varve run -p "$port:80/udp" app:1 true
    varve rm -f first
    varve run -p "$port:80" app:1 true
    run varve run -p 192.0.2.77:8080:80 app:1 true
    [ "$status" -eq 4 ]
    says 'this machine does not have that address' 'next: ip address'
}

@test "what cannot trigger a build, and what says so" {
    wrong 'FROM busybox\nONBUILD FROM x\n' "isn't allowed as an ONBUILD trigger" 'hint: the triggered build has its own FROM'
    wrong 'FROM busybox\nONBUILD MAINTAINER x\n' "isn't allowed" 'hint: write ONBUILD LABEL'
    wrong 'FROM busybox\nONBUILD ONBUILD RUN true\n' "isn't allowed" 'hint: write ONBUILD once'
}

@test "a file that an image lacks: the image is named, not a stage that has it too" {
    wrong 'FROM busybox\nCOPY --from=busybox /nofile /x\n' 'the image busybox has no /nofile' 'next: '
    [[ "$output" != *"stage-0"* ]]
}

@test "exec in a directory or as a user that is not there, and inspect of a run" {
    printf 'FROM busybox\n' >Dockerfile
    build -t app:1 .
    varve run -d --name web app:1 sleep 100
    option exec -w rel web ls -- '-w rel: the working directory must be absolute' 'next: start it with /: -w /rel'
    run varve exec -w /nodir web ls
    [ "$status" -eq 1 ]
    says 'working directory /nodir' 'next: choose a directory that exists'
    run varve exec -u nobody9 web ls
    says 'unable to find user nobody9' 'next: create the user when the image is built'
    run varve inspect web
    [ "$status" -eq 1 ]
    says 'web is a run' 'next: varve ps -a --filter id=' 'varve inspect app:1'
    varve rm -f web
}

@test "on a narrow terminal errors break between words" {
    printf 'stty cols 40; exec "$0" images --format "{{.Nope}}"\n' >narrow
    run -1 script -qec "sh -c '. ./narrow' '$VARVE'" /dev/null
    says 'error: --format: at character 3,' '  ".Nope": there is no field' 'next: the fields here are'
    while IFS= read -r line; do
        line=${line%$'\r'}
        [ "${#line}" -le 40 ]
    done <<<"$output"
}

@test "so do errors and hints of a Dockerfile, notes of a build and next moves" {
    printf 'FROM busybox\nRUN echo a\n  somethingelse that is no instruction at all and stands in one line\n' >Dockerfile
    printf 'stty cols 40; "$0" build --build-context busybox=oci-layout://%s .\n' "$BASES/busybox-oci" >narrow
    printf 'printf "FROM busybox\\nCOPY *.jar /x/\\n" >Dockerfile; "$0" build -t a:1 --build-context busybox=oci-layout://%s .; "$0" ps\n' "$BASES/busybox-oci" >>narrow
    TERM=xterm run script -qec "sh -c '. ./narrow' '$VARVE'" /dev/null
    says 'error:' 'hint:' 'note:' 'nothing in the' 'next: varve ps -a lists ended runs'
    while IFS= read -r line; do
        line=${line%$'\r'}
        [[ "$line" == *$'\e'* || "$line" == *─* || "${#line}" -le 40 ]] || { echo "too long: $line"; echo "$output"; return 1; }
    done < <(grep -E '^(  )?(a:1 ready|[0-9.]+ MB|Dockerfile|error|hint|note|next|  [a-z])' <<<"$output")
}

@test "a COPY that copies nothing is noted, in every build" {
    mkdir -p src empty && echo x >src/a.c
    printf 'FROM busybox AS b\nRUN mkdir /out\nFROM busybox\nCOPY *.jar /x/\nCOPY empty /z\nCOPY --from=b /out/*.so /l/\nCOPY src/*.c src/*.h /h/\nCOPY src /src\n' >Dockerfile
    run -0 build .
    says 'note: Dockerfile:4: nothing in the build context matches *.jar, so nothing was copied' \
        'note: Dockerfile:5: empty in the build context holds no file' \
        'note: Dockerfile:6: nothing in stage b matches /out/*.so'
    [ "$(grep -c '^note: ' <<<"$output")" -eq 3 ] || { echo "$output"; return 1; }
    printf '*.jar\n' >.dockerignore
    run -0 build .
    says '(7 steps cached' 'note: Dockerfile:5: empty' 'Dockerfile:4: *.jar is left out of the context'
    [[ "$output" != *"note: Dockerfile:4"* ]]
}

@test "files that are named and not there: what was meant, or where the path begins" {
    printf 'FROM busybox\n' >Dockerfile
    build -t app:1 .
    echo A=1 >vars.env && echo t >token
    run varve run --env-file var.env app:1 true
    says '--env-file: cannot read var.env' 'next: did you mean vars.env?'
    run varve run --env-file ./none/x app:1 true
    says 'next: correct the path, which begins at /'
    run build --secret id=tok,src=./tokn .
    says '--secret id=tok: cannot read ./tokn' 'next: did you mean ./token?'
    run build -f Dockerfiel .
    [ "$status" -eq 2 ]
    says 'no Dockerfile at Dockerfiel' 'next: did you mean Dockerfile?'
    printf '[a-\n' >.dockerignore
    run -1 build .
    says '.dockerignore: line 1: malformed pattern' 'next: close the ['
}

@test "a name of an image that is mistyped: the one that is here" {
    quick_registry() { printf '[registry]\ntries=1\n' >../varve.conf; export VARVE_CONFIG=$PWD/../varve.conf; }
    quick_registry
    printf 'FROM busybox\n' >Dockerfile
    build -t server:1 -t 127.0.0.1:1/team/server:2 .
    run varve run sevrer:1
    says 'sevrer:1 is not in the store; server:1 is' 'next: varve run server:1'
    run varve run 127.0.0.1:1/team/sever
    says '127.0.0.1:1/team/server:2 is'
    run varve run 127.0.0.1:1/other/server
    [[ "$output" != *" here; "* ]] || { echo "$output"; return 1; }
    run varve inspect srever
    [ "$status" -eq 1 ]
    says 'srever:latest is not in the store; server:1 is'
    printf 'FROM sevrer:1\n' >Dockerfile
    run build .
    says 'sevrer:1 is not in the store; server:1 is'
    run varve run --pull never cat
    [[ "$output" != *" here; "* ]] || { echo "$output"; return 1; }
}

@test "a secret that nobody gave, and a step without the rights it needs: a hint" {
    wrong 'FROM busybox\nRUN --mount=type=secret,id=tok cat /run/secrets/tok\n' \
        'hint: the secret tok was not given: varve build --secret id=tok,src=FILE'
    wrong 'FROM busybox\nUSER 1000\nRUN mkdir /data\n' 'hint: this step runs as USER 1000' 'COPY --chown=1000'
    wrong 'FROM busybox\nRUN echo Permission denied; false\n' 'failed with exit code 1'
    [[ "$output" != *"hint:"* ]]
}

@test "a script with a byte order mark is told of as one" {
    printf '\xef\xbb\xbf#!/bin/sh\necho hi\n' >start.sh
    chmod +x start.sh
    printf 'FROM busybox\nCOPY start.sh /\nCMD ["/start.sh"]\n' >Dockerfile
    build -t app:1 .
    run varve run app:1
    [ "$status" -eq 126 ]
    says 'it begins with a byte order mark' 'next: '
}

@test "words with a meaning: platforms, ports, substitutions" {
    wrong 'FROM --platform=linux/amd65 busybox\n' 'Dockerfile:1:6' 'did you mean amd64?' 'hint: write it as os/arch'
    wrong 'FROM busybox\nEXPOSE http\n' 'Dockerfile:2:8' 'invalid containerPort: http' 'hint: write PORT' 'EXPOSE 8080'
    wrong 'FROM busybox\nEXPOSE 80/tpc\n' 'invalid proto: tpc' 'hint: write PORT'
    wrong 'FROM busybox\nLABEL a="${N:?must be set}"\n' 'N: must be set' 'hint: give it a value: --build-arg N=VALUE'
    wrong 'FROM busybox\nLABEL a="${N:=x}"\n' 'unsupported modifier (:=)' 'hint: close it (${N})'
    wrong 'FROM busybox\nLABEL a="${N/x}"\n' "missing '/'" 'hint: write ${N/PATTERN/REPLACEMENT}'
    wrong 'FROM busybox\nRUN --network=$N true\n' 'unsupported network "$N"' 'hint: it is one of: ' 'none, host'
}

@test "one Dockerfile of several: messages say which" {
    mkdir api web
    printf 'FROM busybox\nCOPPY a b\n' >api/Dockerfile
    run build -f api/Dockerfile .
    says 'api/Dockerfile:2:1'
    printf 'FROM busybox\nRUN false\n' >web/Dockerfile
    run build -f ./web/Dockerfile .
    says 'web/Dockerfile:2'
}

@test "an image's name where a run's is wanted, and a port to publish" {
    printf 'FROM busybox\nEXPOSE 80\nCMD ["true"]\n' >Dockerfile
    run build -t app .
    says 'next: varve run -p 8080:80 app'
    varve run -d app
    run varve wait app
    [ "$status" -ne 0 ]
    says 'no such run: app' 'next: that is an image, whose latest run is '
}
