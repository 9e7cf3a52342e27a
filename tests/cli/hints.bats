#!/usr/bin/env bats
# A failed step names the next move where its log or exit code tells the cause.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

# failed COMMAND: builds a RUN that must fail.
failed() {
    printf 'FROM busybox\nRUN %s\n' "$1" >Dockerfile
    run build .
    [ "$status" -eq 1 ]
}

@test "a missing program" {
    failed 'no-such-program --now'
    [[ "$output" == *"failed with exit code 127"*"hint: "*"command not found in this image"* ]]
}

@test "a missing program in exec form" {
    failed '["/no-such-program"]'
    [[ "$output" == *"failed with exit code 127"*"hint: "*"command not found in this image"* ]]
}

@test "a file without the right to be executed" {
    failed 'echo true >/x; /x'
    [[ "$output" == *"failed with exit code 126"*"hint: the file is not executable"*"chmod +x"* ]]
}

@test "a program of another format" {
    printf 'FROM busybox\nRUN echo x >/x; chmod +x /x\nRUN ["/x"]\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"hint: the program was built for another platform"* ]]
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
    [[ "$output" == *"hint: this network intercepts TLS: --host-ca"* ]]
    [ -f /etc/ssl/certs/ca-certificates.crt ] || skip "this host has no CA bundle"
    run build --host-ca .
    [ "$status" -eq 1 ]
    [[ "$output" != *"hint:"* ]]
}

@test "a file that no step brought" {
    failed 'chmod +x /app/run.sh'
    [[ "$output" == *"hint: /app/run.sh is not in the image when this step begins: COPY it"* ]]
    failed 'cat conf/a.txt'
    [[ "$output" == *"hint: conf/a.txt is not in the image"*"(this step begins in /)"* ]]
    failed 'cat /etc/passwd >/dev/null; echo "x: /etc/passwd: No such file or directory"; exit 1'
    [[ "$output" != *"hint:"* ]]
    failed '--mount=type=cache,target=/c cat /c/x'
    [[ "$output" != *"hint:"* ]]
}

@test "no hint where nothing is known" {
    failed 'echo it broke; exit 3'
    [[ "$output" == *"failed with exit code 3"* ]]
    [[ "$output" != *"hint:"* ]]
}

# missing DOCKERFILE: builds it; a source must not be there.
missing() {
    printf "$1" >Dockerfile
    run build --build-context up=.. .
    [ "$status" -eq 1 ]
}

@test "a source that is not there: what may be meant, and what there is" {
    mkdir -p src
    touch package.json src/main.c
    missing 'FROM busybox\nCOPY pakcage.json /\n'
    [[ "$output" == *'Dockerfile:2:6: error: "pakcage.json" was not found in the build context; did you mean "package.json"?'* ]]
    [[ "$output" == *$'2 │ COPY pakcage.json /\n      │      ^^^^^^^^^^^^'* && "$output" != *dockerignore* ]]
    missing 'FROM busybox\nCOPY package.json main.c /\n'
    [[ "$output" == *'Dockerfile:2:19: error: "main.c" was not found'*'did you mean "src/main.c"?'* ]]
    missing 'FROM busybox\nCOPY /etc/quite-other.conf /\n'
    [[ "$output" == *'next: paths are relative to the context: /etc/quite-other.conf means etc/quite-other.conf inside it'* ]]
    missing 'FROM busybox\nRUN --mount=source=scr,target=/x true\n'
    [[ "$output" == *'Dockerfile:2:5: error: "scr" was not found in the build context; did you mean "src"?'* ]]
    missing 'FROM busybox\nCOPY --from=up /no/where /\n'
    [[ "$output" == *'"no/where" was not found in the context up'* && "$output" != *dockerignore* ]]
}

@test "a source that the ignore file leaves out" {
    mkdir -p dist
    touch dist/app.js
    printf '# built\n\n/dist/\n' >.dockerignore
    missing 'FROM busybox\nCOPY dist/app.js /\n'
    [[ "$output" == *'Dockerfile:2:6: error: "dist/app.js" is excluded by .dockerignore:3: dist'*'next: remove that line, or add !dist/app.js below it'* ]]
    missing 'FROM busybox\nRUN --mount=source=dist,target=/x true\n'
    [[ "$output" == *'"dist" is excluded by .dockerignore:3: dist'* ]]
    missing 'FROM busybox\nCOPY dist/other.js /\n'
    [[ "$output" == *'"dist/other.js" was not found in the build context, and .dockerignore:3 would exclude it: dist'* ]]
    echo '**/*.js' >Dockerfile.dockerignore
    missing 'FROM busybox\nCOPY ./dist/app.js /\n'
    [[ "$output" == *'"dist/app.js" is excluded by Dockerfile.dockerignore:1: **/*.js'* ]]
}

@test "a source outside of the context" {
    touch ../secret.txt
    missing 'FROM busybox\nCOPY ../secret.txt /\n'
    [[ "$output" == *'Dockerfile:2:6: error: "../secret.txt" is outside the context (../ is cut off, so secret.txt was looked for)'*'next: '*'--build-context'* ]]
    missing 'FROM busybox\nRUN --mount=source=a/../../secret.txt,target=/x true\n'
    [[ "$output" == *'"a/../../secret.txt" is outside the context'* ]]
}

@test "a source that a stage does not have" {
    missing 'FROM busybox AS b\nRUN mkdir /out && touch /out/app\nFROM scratch\nCOPY --from=b /dist/app /\n'
    [[ "$output" == *'Dockerfile:4:15: error: "/dist/app" was not found: stage b has no /dist; did you mean "/out/app"?'* ]]
    missing 'FROM busybox AS b\nRUN mkdir /out && touch /out/app\nFROM scratch\nCOPY --from=b /dist/prog /\n'
    [[ "$output" == *'stage b has no /dist; it has /out'*'next: '*'--target b'* && "$output" != *dockerignore* ]]
    missing 'FROM busybox AS b\nRUN mkdir /out && touch /out/one\nFROM scratch\nCOPY --from=b /out/quite-other /\n'
    [[ "$output" == *'stage b has no /out/quite-other; it has /out/one'* ]]
}

@test "what else ends a COPY begins with its place" {
    touch f
    missing 'FROM scratch\nCOPY --chown=nobdy f /\n'
    [[ "$output" == *'Dockerfile:2:1: error: '*'"nobdy"'*$'2 │ COPY --chown=nobdy f /'* ]]
}

@test "a script that is there, whose interpreter is not" {
    printf '#!/bin/sh\r\ntrue\r\n' >crlf.sh
    printf '#!/bin/bash\ntrue\n' >bash.sh
    printf '#!/usr/bin/env python3\n' >env.sh
    printf '#!/usr/bin/env sh\r\n' >envcrlf.sh
    cp "$(command -v cat)" dynamic
    chmod +x ./*.sh dynamic
    missing 'FROM busybox\nCOPY . /\nRUN /crlf.sh\n'
    [[ "$output" == *'hint: /crlf.sh exists, but its lines end with CR LF, so the kernel looks for "/bin/sh\r". Convert it (dos2unix'* ]]
    missing 'FROM busybox\nCOPY . /app/\nWORKDIR /app\nRUN ["./crlf.sh"]\n'
    [[ "$output" == *'hint: /app/crlf.sh exists, but its lines end with CR LF'* ]]
    missing 'FROM busybox\nCOPY . /\nRUN /envcrlf.sh\n'
    [[ "$output" == *'hint: /envcrlf.sh exists, but its lines end with CR LF, so the kernel looks for "sh\r"'* ]]
    missing 'FROM busybox\nCOPY . /\nRUN /bash.sh\n'
    [[ "$output" == *'hint: /bash.sh exists, but its #! line names /bin/bash, which is not in this image'* ]]
    missing 'FROM busybox\nCOPY . /\nRUN X=1 /env.sh\n'
    [[ "$output" == *'hint: /env.sh exists, but its #! line names python3, which is not in this image'* ]]
    missing 'FROM busybox\nCOPY . /\nRUN /dynamic\n'
    [[ "$output" == *'hint: /dynamic exists, but the loader it needs does not: /lib'* ]]
}

@test "the package manager of another distribution" {
    missing 'FROM busybox\nRUN apt-get update\n'
    [[ "$output" == *'hint: this image (busybox) has no apt-get; use a Debian or Ubuntu base, or copy in what is needed.'* ]]
    missing 'FROM busybox\nRUN touch /sbin/apk\nRUN echo x; yum -y install x\n'
    [[ "$output" == *'hint: this image (busybox) has no yum; use a Fedora or Red Hat base, or its own package manager, apk.'* ]]
}

@test "JSON that is none" {
    missing "FROM busybox\nRUN ['echo', 'x']\n"
    [[ "$output" == *'hint: this is not JSON (single quotes), so a shell runs it: write RUN ["echo", "x"]'* ]]
    missing "FROM busybox\nRUN [ 'echo', 'x' ]\n"
    [[ "$output" == *'write RUN ["echo", "x"]'* ]]
    missing 'FROM busybox\nRUN [echo, x]\n'
    [[ "$output" == *'hint: this is not JSON (no quotes)'*'write RUN ["echo", "x"]'* ]]
    missing 'FROM busybox\nRUN [ "a,b" = c ]\n'
    [[ "$output" != *JSON* ]]
}
