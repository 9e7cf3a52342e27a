#!/usr/bin/env bats
# Hostile layers, archives, Dockerfiles and contexts: nothing outside is written, errors have a line and a caret, and time and
# memory are bounded.
load robust
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

# Runs as an ordinary user, where there is one to run as.
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$BATS_TEST_TMPDIR" VARVE_ROOT="$VARVE_ROOT" "$@"; }

target_setup() {
    TARGET=$BATS_TEST_TMPDIR/outside
    mkdir -p "$TARGET"
    echo "must stay" >"$TARGET/victim"
    before=$(fingerprint "$TARGET")
}

untouched() {
    [ "$(fingerprint "$TARGET")" = "$before" ] && [ ! -e "$TARGET/escape" ]
}

# Each hostile archive, as the layer of a base image and as what ADD extracts. What is refused must be refused for a reason that is
# said; what works must stay inside.
each_archive() {
    local name status bad=0
    target_setup
    mkdir ../tars
    python3 "$FAULTS/hostile.py" all ../tars "$TARGET"
    python3 "$FAULTS/layout.py" ../layouts --base "$BASES/busybox-oci" --each ../tars
    for name in $(python3 "$FAULTS/hostile.py" list); do
        status=0
        (ulimit -v 3000000 && "$1" "$name") >out 2>&1 || status=$?
        untouched || { echo "$name wrote outside: $(ls -la "$TARGET")"; return 1; }
        # Refused for a reason that is said, or accepted; but no crash and no end of time or memory.
        if [ $status -gt 1 ] || { [ $status -eq 1 ] && ! grep -aqE '^(Dockerfile:[0-9]+:[0-9]+: )?error: ' out; }; then
            echo "$name: status $status: $(cat -v out)"
            bad=1
        fi
        echo "$name $status" >>"$BATS_TEST_TMPDIR/verdicts"
    done
    [ "$bad" -eq 0 ]
    clean_store
}

# The archives that nobody may accept.
must_refuse() {
    local name
    for name in "$@"; do
        grep -qx "$name 1" "$BATS_TEST_TMPDIR/verdicts" || { echo "accepted: $name"; return 1; }
    done
}

@test "hostile layers of a base image" {
    as_layer() { timeout 15 "$VARVE" build -q --build-context "hostile=oci-layout://$PWD/../layouts/$1" .; }
    printf 'FROM hostile\nRUN true; cat /before; echo x >>/before; mkdir -p /d /link; touch /d/escape /link/escape /f; rm -rf /link /d\n' >Dockerfile
    # The step may fail in a spoilt image; but then it is the step that failed.
    each_archive as_layer
    must_refuse dotdot dotdot-inside dotdot-alone char-whiteout whiteout-dotdot whiteout-dot whiteout-nothing size-negative \
        size-huge size-bomb size-not-there pax-size-huge pax-size-bad pax-header-huge pax-records-bad gnu-long-name-huge sparse-bomb \
        sparse-beyond sparse-many path-too-long component-too-long checksum-bad unknown-type symlink-loop hardlink-to-directory \
        empty-name dot-name
}

@test "hostile archives in ADD" {
    as_archive() {
        cp "../tars/$1.tar" hostile.tar
        timeout 15 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    }
    printf 'FROM busybox\nADD hostile.tar /into/\n' >Dockerfile
    each_archive as_archive
    must_refuse dotdot dotdot-inside size-huge size-bomb size-not-there path-too-long sparse-bomb char-whiteout
}

@test "a symlink in the image does not lead COPY, ADD, WORKDIR or a mount outside" {
    target_setup
    printf 'x\n' >escape
    tar -cf a.tar escape
    cat >Dockerfile <<EOF2
FROM busybox
RUN ln -s $TARGET /link && mkdir -p /up && ln -s ../../../../../../../../../..$TARGET /up/link && ln -s $TARGET/victim /file
COPY escape /link/
COPY escape /up/link/escape2
COPY escape /file
ADD a.tar /link/
WORKDIR /link/work
COPY <<END /up/link/heredoc
x
END
RUN --mount=type=cache,target=/up/link/cache --mount=type=tmpfs,target=/link/tmp \
    --mount=type=bind,target=/link/ctx --mount=type=secret,id=s,target=/link/secret echo y >here && rm -f /link/victim
EOF2
    echo s >../secret
    run build --secret id=s,src=../secret -o ../out .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    untouched
    [ -f "../out$TARGET/escape" ]
    [ -f "../out$TARGET/work/here" ]
    clean_store
}

@test "a symlink in the context does not lead COPY out of it" {
    target_setup
    mkdir dir
    ln -s "$TARGET/victim" link
    ln -s "$TARGET" dir/out
    ln -s ../../../../../../../../../../etc/passwd up
    for source in link dir/out/victim up; do
        printf 'FROM scratch\nCOPY %s /x\n' $source >Dockerfile
        run build -o ../out .
        if grep -rqs -e "must stay" -e "root:" ../out; then
            echo "COPY $source came out"
            return 1
        fi
        rm -rf ../out
    done
    printf 'FROM scratch\nCOPY dir/out/victim /x\n' >Dockerfile
    run build -o ../out .
    [ "$status" -eq 1 ]
    [[ "$output" == *"Dockerfile:2"* ]]
    for source in ../outside/victim /../outside/victim "dir/../../outside/victim"; do
        printf 'FROM scratch\nCOPY %s /x\n' "$source" >Dockerfile
        run build -o ../out .
        [ "$status" -eq 1 ] || { echo "$source: $output"; return 1; }
    done
}

@test "an output directory with symlinks in it is not left" {
    target_setup
    printf 'FROM busybox\nRUN mkdir /d && echo x >/d/escape && echo y >/victim\n' >Dockerfile
    mkdir ../out
    ln -s "$TARGET" ../out/d
    ln -s "$TARGET/victim" ../out/victim
    run build -o ../out .
    untouched
}

@test "layouts whose blobs are not what they say" {
    printf x >f && tar -cf f.tar f
    printf 'FROM hostile\n' >Dockerfile
    for wrong in size digest diff-id truncate garbage; do
        python3 "$FAULTS/layout.py" ../layout --base "$BASES/busybox-oci" --layer f.tar:gzip --break $wrong
        run measured 5 200 "$VARVE" build -q --build-context "hostile=oci-layout://$PWD/../layout" -o ../out .
        [ "$status" -eq 1 ] || { echo "$wrong: $status: $output"; return 1; }
        [[ "$output" == *"error: "*"layout"* ]] || { echo "$wrong: $output"; return 1; }
        [ ! -e ../out/f ]
    done
    clean_store
    # And the archives of other compressions, cut off.
    for how in zstd none; do
        python3 "$FAULTS/layout.py" ../layout --base "$BASES/busybox-oci" --layer f.tar:$how --break truncate
        run measured 5 200 "$VARVE" build -q --build-context "hostile=oci-layout://$PWD/../layout" -o ../out .
        [ "$status" -eq 1 ] || { echo "$how: $status: $output"; return 1; }
    done
    clean_store
}

# dockerfile_fails WORD…: status 1 in bounded time and memory, line and caret.
dockerfile_fails() {
    run measured 6 400 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -eq 1 ] || { echo "status $status: ${output:0:2000}"; return 1; }
    [[ "$output" =~ Dockerfile:[0-9]+ ]] || { echo "no line: ${output:0:2000}"; return 1; }
    [[ "$output" == *"│ "*"^"* ]] || { echo "no caret: ${output:0:2000}"; return 1; }
    [ "${#output}" -lt 20000 ]
    local word
    for word in "$@"; do
        [[ "$output" == *"$word"* ]] || { echo "no \"$word\": ${output:0:2000}"; return 1; }
    done
}

@test "NUL bytes in a Dockerfile" {
    printf 'FROM busybox\nRUN echo a\0b\n' >Dockerfile
    dockerfile_fails Dockerfile:2 NUL
    head -c 100000 /dev/zero >Dockerfile
    dockerfile_fails Dockerfile:1
    head -c 1000000 /dev/urandom >Dockerfile
    run measured 6 400 "$VARVE" build .
    [ "$status" -eq 1 ]
}

@test "a line of 10 MB" {
    { printf 'FROM busybox\nRUN echo '; head -c 10000000 /dev/zero | tr '\0' a; echo; } >Dockerfile
    dockerfile_fails Dockerfile:2
    { printf 'FROM '; head -c 10000000 /dev/zero | tr '\0' a; echo; } >Dockerfile
    dockerfile_fails Dockerfile:1
    { python3 -c 'print("FROM busybox\nENV " + "a=b \\\n" * 20000 + "c=d")'; } >Dockerfile
    run measured 6 400 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -le 1 ] || { echo "${output:0:2000}"; return 1; }
}

# stages N LINES…: a Dockerfile of N stages; %d in LINES is the number of a stage, %p that of the one before.
stages() {
    python3 - "$@" <<'PY' >Dockerfile
import sys
print("FROM busybox AS s0")
for i in range(1, int(sys.argv[1])):
    for line in sys.argv[2:]:
        print(line.replace("%d", str(i)).replace("%p", str(i - 1)))
PY
}

@test "100,000 stages" {
    stages 100000 'FROM s%p AS s%d'
    dockerfile_fails "stages"
    stages 100000 'FROM s0 AS s%d' 'COPY --from=s%p /etc/passwd /p'
    dockerfile_fails "stages"
}

@test "as many stages as are allowed, each needing the one before" {
    stages 10000 'FROM s%p AS s%d'
    run measured 10 400 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o type=cacheonly .
    [ "$status" -eq 0 ] || { echo "status $status: ${output:0:2000}"; return 1; }
    # Deep, not wide; and nothing to run, for the file is not there.
    stages 9000 'FROM s0 AS s%d' 'COPY --from=s%p /missing%d /p'
    run measured 20 500 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o type=cacheonly .
    [ "$status" -eq 1 ] || { echo "status $status: ${output:0:2000}"; return 1; }
    [[ "$output" == *"/missing1"* ]] || { echo "${output:0:2000}"; return 1; }
}

@test "stages that need themselves or each other" {
    printf 'FROM busybox AS a\nCOPY --from=a /x /y\n' >Dockerfile
    dockerfile_fails Dockerfile:2
    printf 'FROM busybox AS a\nRUN --mount=type=bind,from=a,target=/m true\n' >Dockerfile
    dockerfile_fails Dockerfile:2
    printf 'FROM busybox AS a\nCOPY --from=b /x /y\nFROM busybox AS b\nCOPY --from=a /x /y\n' >Dockerfile
    dockerfile_fails
    printf 'FROM busybox AS a\nCOPY --from=7 /x /y\n' >Dockerfile
    dockerfile_fails Dockerfile:2
    printf 'FROM busybox AS a\nCOPY --from=0 /x /y\n' >Dockerfile
    dockerfile_fails Dockerfile:2
}

@test "substitutions that explode" {
    { echo 'FROM busybox'; echo 'ARG a0=xxxxxxxxxxxxxxxx'; for i in $(seq 40); do echo "ARG a$i=\${a$((i - 1))}\${a$((i - 1))}\${a$((i - 1))}\${a$((i - 1))}"; done
        echo 'RUN echo $a40'; } >Dockerfile
    dockerfile_fails
    { echo 'FROM busybox'; python3 -c 'print("ENV a=" + "${a:-" * 30000)'; } >Dockerfile
    dockerfile_fails Dockerfile:2
    { echo 'FROM busybox'; python3 -c 'print("COPY " + "*a*/" * 2000 + " /x")'; } >Dockerfile
    mkdir -p "$(printf 'aaaaaaaaaa/%.0s' $(seq 100))"
    run measured 6 400 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -le 1 ] || { echo "status $status: ${output:0:2000}"; return 1; } # nothing matches: copies nothing
    printf 'FROM busybox\nCOPY %s /x\n' "$(printf '*%.0s' $(seq 3000))b" >Dockerfile
    : >"$(printf 'a%.0s' $(seq 200))"
    run measured 6 400 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -le 1 ] || { echo "status $status: ${output:0:2000}"; return 1; }
}

@test "terminal escapes of a Dockerfile and of programs are not passed to the terminal" {
    printf 'FROM busybox\nRUN echo "\033]0;owned\007\033[2Jtext"; printf "\\033]0;owned\\007shown\\n"; false\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *shown* ]]
    [[ "$output" != *$'\033'* && "$output" != *$'\007'* ]]
    printf 'FROM busybox\n\033]0;owned\007 x\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" != *$'\033'* && "$output" != *$'\007'* ]]
}

@test "names with newlines, bytes that are no UTF-8, and every other byte" {
    mkdir odd
    : >$'odd/new\nline'
    : >$'odd/not-utf8-\xff\xfe'
    : >$'odd/\x01\x1b[31m'
    : >'odd/ $blank "quoted" \back'
    : >'odd/.wh.not-a-whiteout-here' 2>/dev/null || true
    rm -f odd/.wh.*
    mkdir $'odd/d\xc3'
    ln -s $'target\nof\xff' odd/link
    printf 'FROM busybox\nCOPY odd /odd\nRUN ls /odd | wc -l && echo more >"/odd/$(printf "ran\\377")"\n' >Dockerfile
    run build --explain -t odd:1 .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    # Exported and read by somebody else, the names are the same.
    build -o type=oci,dest=../odd.tar -t odd:1 .
    build -o ../out .
    diff -r --no-dereference odd ../out/odd >../diff || true
    [ "$(cat ../diff)" = "$(printf 'Only in ../out/odd: ran\377')" ] || { cat -v ../diff; return 1; }
    build -o - . >../tree.tar
    mkdir ../untarred && tar -C ../untarred -xf ../tree.tar
    diff -r --no-dereference ../out/odd ../untarred/odd
    echo x >>$'odd/not-utf8-\xff\xfe'
    run build --explain -t odd:1 .
    [ "$status" -eq 0 ]
    [[ "$output" == *"1 of "*"files differs"* ]]
    for command in "layers odd:1" "history odd:1" "inspect odd:1" "images"; do
        run varve $command
        [ "$status" -eq 0 ] || { echo "$command: $output"; return 1; }
        [[ "$output" != *$'\033'* ]]
    done
    clean_store
}

@test "fifos, sockets and devices in the context do not hang the build" {
    mkdir odd
    mkfifo odd/fifo
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("odd/socket")'
    mknod odd/null c 1 3 2>/dev/null || true
    echo ok >odd/file
    printf 'FROM busybox\nCOPY odd/file /file\n' >Dockerfile
    run measured 5 200 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    printf 'FROM busybox\nCOPY odd /odd\n' >Dockerfile
    run measured 5 200 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out2 .
    [ "$status" -eq 0 ] || [[ "$output" == *"odd/"* ]] || { echo "$output"; return 1; }
    rm -f odd/fifo odd/socket odd/null
    if mknod odd/whiteout c 0 0 2>/dev/null; then
        run build -o ../out3 .
        [ "$status" -eq 1 ]
        [[ "$output" == *"odd/whiteout"* ]] || { echo "$output"; return 1; }
        rm odd/whiteout
        clean_store
    fi
    mkfifo odd/fifo
    printf 'FROM busybox\nADD odd/fifo /odd/\n' >Dockerfile
    run measured 5 200 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out3 .
    [ "$status" -le 1 ] || { echo "$output"; return 1; }
}

@test "symlink loops and deep directories" {
    mkdir odd
    ln -s loop2 odd/loop1
    ln -s loop1 odd/loop2
    ln -s . odd/self
    ln -s ../odd odd/parent
    python3 - <<'PY'
import os
os.chdir("odd")
for i in range(3000):
    os.mkdir("deep-directory")
    os.chdir("deep-directory")
open("file", "w").close()
PY
    printf 'FROM busybox\nCOPY odd/loop1 /x\n' >Dockerfile
    run measured 5 200 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out .
    [ "$status" -le 1 ] || { echo "${output:0:2000}"; return 1; }
    printf 'FROM busybox\nCOPY odd /x\n' >Dockerfile
    run measured 8 300 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" -o ../out .
    # Deeper than a path can be long: an error that says so, or a copy that is right.
    [ "$status" -eq 1 ] || { echo "status $status: ${output:0:2000}"; return 1; }
    [[ "$output" == *"deep-directory"* ]]
    [ "${#output}" -lt 20000 ]
    # And RUN can make what the context cannot hold.
    printf 'FROM busybox\nRUN i=0; while [ $i -lt 600 ]; do mkdir deep-directory && cd deep-directory || exit 1; i=$((i+1)); done; touch f\n' >Dockerfile
    run measured 20 200 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -t deep:1 .
    [ "$status" -le 1 ] || { echo "status $status: ${output:0:2000}"; return 1; }
    [ "$status" -eq 0 ] || [[ "$output" == *"error: "* ]]
    clean_store
}

@test "unreadable files and folders, as an ordinary user" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to become another user"
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" 2>/dev/null || true
    as_user test -r . || skip "an ordinary user cannot reach $PWD"
    as_user unshare -Ur true || skip "this system does not let users make user namespaces"
    mkdir odd
    echo secret >odd/unreadable
    echo fine >odd/readable
    chmod 000 odd/unreadable
    printf 'FROM scratch\nCOPY odd/unreadable /x\n' >Dockerfile
    mkdir -m 777 ../userstore
    export VARVE_ROOT=$BATS_TEST_TMPDIR/userstore/store
    cp "$VARVE" ../varve # the folder of this checkout may be closed to others
    VARVE=$BATS_TEST_TMPDIR/varve
    run as_user "$VARVE" build --progress=plain -o type=cacheonly .
    [ "$status" -eq 1 ] || { echo "$output"; return 1; }
    [[ "$output" == *"odd/unreadable"*[Pp]"ermission denied"* ]] || { echo "$output"; return 1; }
    [[ "$output" == *"Dockerfile:2"* ]] || { echo "$output"; return 1; }
    # What is not needed, or ignored, may be unreadable.
    mkdir -m 000 locked
    printf 'FROM scratch\nCOPY odd/readable /x\n' >Dockerfile
    printf 'locked\nodd/unreadable\n' >.dockerignore
    run as_user "$VARVE" build --progress=plain -o type=cacheonly .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    rm .dockerignore
    run as_user "$VARVE" build --progress=plain -o type=cacheonly .
    [ "$status" -eq 0 ] || [[ "$output" == *"locked"*[Pp]"ermission denied"* ]] || { echo "$output"; return 1; }
}
