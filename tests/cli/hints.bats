#!/usr/bin/env bats
# A failed step names the next move where its log or exit code tells the cause.
load helper
setup_file() { base_setup; }

# failed COMMAND: builds a RUN that must fail.
failed() {
    printf 'FROM busybox\nRUN %s\n' "$1" >Dockerfile
    run build .
    [ "$status" -eq 1 ]
}

@test "a missing program" {
    failed 'no-such-program --now'
    [[ "$output" == *"failed with exit code 127"*"hint: the program is not in this image"* ]]
}

@test "a missing program in exec form" {
    failed '["/no-such-program"]'
    [[ "$output" == *"failed with exit code 127"*"hint: the program is not in this image"* ]]
}

@test "a file without the right to be executed" {
    failed 'echo true >/x; /x'
    [[ "$output" == *"failed with exit code 126"*"hint: the file may not be executed"*"chmod +x"* ]]
}

@test "a program of another format" {
    printf 'FROM busybox\nRUN echo x >/x; chmod +x /x\nRUN ["/x"]\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"hint: the program is not made for this platform"* ]]
}

@test "killed" {
    failed "sh -c 'kill -9 \$\$'; exit \$?"
    [[ "$output" == *"failed with exit code 137"*"hint: it was killed"*"--memory"* ]]
}

@test "a full tmpfs" {
    failed '--mount=type=tmpfs,target=/t,size=64k dd if=/dev/zero of=/t/x bs=1k count=200'
    [[ "$output" == *"hint: a disk or a tmpfs is full"*"varve prune"* ]]
}

@test "TLS interception, unless --host-ca was given" {
    failed 'echo npm ERR! code SELF_SIGNED_CERT_IN_CHAIN; exit 1'
    [[ "$output" == *"hint: this network intercepts TLS. --host-ca"* ]]
    [ -f /etc/ssl/certs/ca-certificates.crt ] || skip "this host has no CA bundle"
    run build --host-ca .
    [ "$status" -eq 1 ]
    [[ "$output" != *"hint:"* ]]
}

@test "no hint where nothing is known" {
    failed 'echo it broke; exit 3'
    [[ "$output" == *"failed with exit code 3"* ]]
    [[ "$output" != *"hint:"* ]]
}
