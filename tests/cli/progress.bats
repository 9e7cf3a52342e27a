#!/usr/bin/env bats
# How a build is shown: one number and one name for each step, whatever shows it.
bats_require_minimum_version 1.5.0
load helper
setup_file() { base_setup; }

@test "a step has one number in the plain output, in rawjson, in the logs and in the history" {
    printf 'FROM busybox AS a\nRUN echo one >/one\nFROM busybox\nCOPY --from=a /one /\nRUN echo two; exit 4\n' >Dockerfile
    run -1 build .
    [[ "$output" == *"[4/4 stage-1] RUN echo two; exit 4"* && "$output" == *"varve logs 1 --step 4"* ]]
    [[ "$output" == *"failed with exit code 4   (stage-1, after "* && "$output" != *"stage 1"* ]]
    run -1 build --progress=rawjson .
    [[ "$output" == *'"[stage-1 4/4] RUN echo two; exit 4"'* && "$output" == *'"[a 2/4] RUN echo one >/one"'* ]]
    run -0 varve logs 2 --step 4
    [[ "$output" == *two* ]]
    run -0 varve history 2
    [[ "$output" == *" stage-1 "* ]]
    printf 'FROM busybox\nRUN exit 5\n' >Dockerfile
    run -1 build .
    [[ "$output" == *"[2/2] RUN exit 5"* && "$output" == *"failed with exit code 5   (after "* ]]
    run -0 varve history 3
    [[ "$output" != *stage* ]]
    printf 'FROM busybox\nRUN true\nFROM busybox\nCOPY --from=0 /nothing /\n' >Dockerfile
    run -1 build .
    [[ "$output" == *"stage-0"* && "$output" != *"stage 0"* ]] || { echo "$output"; false; }
}

@test "plain log lines carry the seconds since their step began" {
    printf 'FROM busybox\nRUN echo quick; sleep 0.3; echo late\n' >Dockerfile
    run -0 build .
    [[ "$output" =~ \[2/2\]\ \ \ 0\.[0-9]{2}\ │\ quick ]]
    [[ "$output" =~ \[2/2\]\ \ \ 0\.[3-9][0-9]?\ │\ late ]]
}

# What a command shows on a terminal of so many columns and rows: on_terminal COLUMNS ROWS COMMAND
on_terminal() {
    TERM=xterm script -qec "stty cols $1 rows $2; $3" /dev/null </dev/null | tr -d '\r'
}

@test "a failed step shows all its lines, and no more of them and of its log than the window takes" {
    { printf 'FROM busybox\nRUN seq 40; \\\n'; for i in $(seq 14); do printf '  true %s && \\\n' "$i"; done; printf '  false\n'; } >Dockerfile
    run -1 build .
    [[ "$output" == *$'\n>   2 │ RUN seq 40; \\\n>   3 │   true 1 && \\\n'*$'│ … and 6 more lines\n'* ]]
    [ "$(grep -c '^   │ ' <<<"$output")" -eq 12 ]
    run on_terminal 60 20 "'$VARVE' build --progress=tty --build-context busybox=oci-layout://$BASES/busybox-oci ."
    [[ "$output" == *$'│   true 1 && \\\n'*$'│ … and 13 more lines\n'* ]] || { echo "$output"; false; }
    [ "$(grep -c '^   │ ' <<<"$output")" -eq 5 ]
}

@test "a quoted line is as long as the window" {
    printf 'FROM busybox\nRUN false # %0150d\n' 7 >Dockerfile
    run -1 build .
    [[ "$output" != *"│ RUN false # "*"7"$'\n'* ]]
    run on_terminal 200 20 "'$VARVE' build --build-context busybox=oci-layout://$BASES/busybox-oci ."
    [[ "$output" == *"│ RUN false # "*"7"$'\n'* ]]
}

@test "the flags of RUN are listed, as far as there is room for them" {
    printf 'FROM busybox\nRUN --network=none --mount=type=tmpfs,target=/t true\nRUN --mount=type=tmpfs,target=/%0100d true 2\n' 5 >Dockerfile
    run -0 build --explain -t x .
    [[ "$output" == *"[2/3] RUN --network=none --mount=type=tmpfs,target=/t true"* ]]
    [[ "$output" == *"[3/3] RUN true 2"* ]]
    run -0 varve history --no-trunc 1
    [[ "$output" == *"RUN --network=none --mount=type=tmpfs,target=/t true"*"05 true 2"* ]]
}

@test "--explain names what of an instruction changed, and a first build gives no reason for each step" {
    printf 'FROM busybox\nARG A=1\nENV E=1\nSHELL ["sh","-c"]\nUSER 0\nWORKDIR /w\nRUN echo $A\n' >Dockerfile
    run -0 build --explain -o type=cacheonly .
    [[ "$output" != *"(never built here)"* && "$(explained 'RUN echo')" == *"never built here" ]]
    for change in 's/A=1/A=2/|its variable A changed' 's/E=1/E=2 F=1/|its variables: E changed, F is new' \
        's/^ENV.*/ENV F=1/|its variable E is gone' 's,/w,/x,|its WORKDIR changed: was /w, is /x' 's/^USER 0/USER 7/|its USER changed: was 0, is 7' \
        's/"sh"/"ash"/|its SHELL or its heredoc changed' 's/echo/printf/|the instruction changed' \
        's/^RUN/RUN --network=none/|the instruction changed'; do
        sed -i "${change%|*}" Dockerfile
        run -0 build --explain -o type=cacheonly .
        [[ "$(explained RUN)" == "run "*"  ${change#*|}" ]] || { echo "$change: $output"; false; }
    done
    run -0 build --explain -o type=cacheonly --add-host h:127.0.0.9 .
    [[ "$(explained RUN)" == *"  a mount, or an option of the build that RUN sees, changed" ]]
    run -0 build --explain -o type=cacheonly --build-arg A=9 --add-host h:127.0.0.9 .
    [[ "$(explained RUN)" == *"  its variable A changed" ]]
}

@test "--explain leaves room between a step and its reason, and on a narrow terminal gives the reason a line" {
    printf 'FROM busybox\nRUN echo /src/f1 | sed "s/#.*//;s/a//" > /o1\n' >Dockerfile
    run -0 build --explain -o type=cacheonly .
    [[ "$output" == *'run  RUN echo /src/f1 | sed "s/#.*//;s/a//…  never built here'* ]] || { echo "$output"; false; }
    run on_terminal 40 20 "'$VARVE' build --no-cache --explain -o type=cacheonly --build-context busybox=oci-layout://$BASES/busybox-oci ."
    [[ "$output" == *$'run  RUN echo'*$'\n     --no-cache\n'* ]]
}

@test "lists and helps fit the window, and break between words" {
    printf 'FROM busybox\nRUN --network=none echo one two three four five six seven eight nine >/f\n' >Dockerfile
    build -t a-name-of-some-length:1 .
    for columns in 40 60 80; do
        for command in images history 'history 1' 'history a-name-of-some-length:1' du 'layers a-name-of-some-length:1' 'ps -a' --help 'build --help' 'prune --help'; do
            run on_terminal $columns 100 "'$VARVE' $command"
            text=$(sed 's/\x1b\[[0-9]*m//g; /^next: /d; /^usage: /d' <<<"$output" | sed '/^example:/,$d' | grep -v "$VARVE_ROOT")
            [ -n "$text" ]
            [ "$(wc -L <<<"$text")" -le $columns ] || { echo "$columns $command"; echo "$text"; false; }
        done
    done
}

@test "a sparse file is hashed in sight, is read as its zeros, and Ctrl-C ends it" {
    printf 'FROM busybox\nRUN truncate -s 200G /huge\n' >Dockerfile
    "$VARVE" build --progress=rawjson --build-context "busybox=oci-layout://$BASES/busybox-oci" . >log 2>&1 3>&- &
    local varve=$!
    for _ in $(seq 200); do grep -q '"hashing huge"' log && break; sleep 0.1; done
    grep -q '"hashing huge"' log || { cat log; return 1; }
    SECONDS=0
    kill -INT $varve
    wait $varve || [ $? -eq 130 ]
    [ "$SECONDS" -lt 5 ]
    cat >holes.sh <<'END'
truncate -s 300M /f && echo middle | dd of=/f bs=1 seek=150000000 conv=notrunc && echo end >>/f
truncate -s 400M /f && sha256sum /f
END
    printf 'FROM busybox\nCOPY holes.sh /\nRUN sh /holes.sh\nRUN cp /f /g; truncate -s 1000 /h\n' >Dockerfile
    run -0 build -t holes:1 -o type=tar,dest=holes.tar .
    sum=$(grep -oE '[0-9a-f]{64}  /f' <<<"$output" | cut -c1-64)
    [ -n "$sum" ] && [ "$(tar xOf holes.tar f | sha256sum | cut -c1-64)" = "$sum" ]
    [ "$(tar xOf holes.tar h | wc -c)" -eq 1000 ]
    run -0 varve fsck
}

@test "a failed step with a long command is told once, whatever the width of the window" {
    printf 'FROM busybox\nRUN echo %s; false\n' "$(printf 'word%.0s ' $(seq 40))" >Dockerfile
    for width in 200 80 40; do
        run on_terminal $width 24 "'$VARVE' build --no-cache --build-context busybox=oci-layout://$BASES/busybox-oci ."
        [ "$(grep -A1 '^  Dockerfile:2' <<<"$output" | tail -1)" = "    1 │ FROM busybox" ]
    done
}
