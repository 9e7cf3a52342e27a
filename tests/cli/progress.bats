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
