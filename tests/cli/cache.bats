#!/usr/bin/env bats
# Caches that are not on this machine: another machine is another store. What they save, and what becomes of builds when they fail.
bats_require_minimum_version 1.5.0
load robust
setup_file() {
    seed_setup
    mkdir -p src
    printf '# comment\nint main\n' >src/main.c
    cat >Dockerfile <<'END'
FROM busybox AS base
RUN mkdir /deps && head -c 1500000 /dev/urandom >/deps/big && ln -s big /deps/link
FROM base AS build
COPY src /src
RUN grep -v '^#' /src/main.c >/out.bin
FROM busybox
COPY --from=build /out.bin /app/out.bin
RUN cat /app/out.bin >/app/copy && mkdir -m 700 /kept && chown 5:6 /kept
COPY --from=base /deps /deps
CMD ["cat", "/app/copy"]
END
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/reg")
    export HOST REG=$BATS_FILE_TMPDIR/reg PRISTINE=$BATS_FILE_TMPDIR/pristine
    export VARVE_ROOT=$SEED NO_COLOR=1 LC_ALL=C.UTF-8
    build -q -t app --cache-to "type=registry,ref=$HOST/app:cache,mode=max" --cache-to "type=local,dest=$PRISTINE,mode=max" . >/dev/null
    varve inspect app >/dev/null
    ID=$("$VARVE" images --no-trunc -q app)
    "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o "$BATS_FILE_TMPDIR/want" . >/dev/null
    WANT=$(tree_of "$BATS_FILE_TMPDIR/want")
    export ID WANT
}
teardown_file() { "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/reg"; }
setup() {
    export NO_COLOR=1 LC_ALL=C.UTF-8
    unset SOURCE_DATE_EPOCH DOCKER_HOST BUILDKIT_PROGRESS
    cp -r "$BATS_FILE_TMPDIR/app" "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
    quick_config
    machine one
    LOCAL=$BATS_TEST_TMPDIR/local
    wc -l <"$REG/log" >../from
}
teardown() { faults_stop; }

# machine NAME: from here on another store, which begins empty.
machine() { export VARVE_ROOT=$BATS_TEST_TMPDIR/machine-$1; }
local_cache() { cp -r "$PRISTINE" "$LOCAL"; }
# A build that nothing may delay beyond a minute; output and status as run gives them.
built() { plain_build -t app "$@"; }
plain_build() { run timeout -k 1 60 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" "$@" .; }
from_local() { built --cache-from "type=local,src=$LOCAL" "$@"; }
says() { grep -qF -- "$1" <<<"$output" || { echo "no '$1' in: $output" && return 1; }; }
says_not() { ! grep -qF -- "$1" <<<"$output" || { echo "'$1' in: $output" && return 1; }; }
# The build went well, N steps ran.
ran() {
    [ "$status" -eq 0 ] && says " $1 step" && grep -qE "[^0-9]$1 steps? ran|up to date" <<<"$output" ||
        { echo "$output" && return 1; }
}
# What is in a directory, without times.
tree_of() { (cd "$1" && find . -printf '%P %y %m %U:%G %l\n' -type f -exec sha256sum {} + | grep -v deps/big | sort | sha256sum); }
# What app has is what it should have; the store is sound.
is_right() {
    local got=$BATS_TEST_TMPDIR/got
    rm -rf "$got"
    timeout -k 1 60 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o "$got" "$@" . >/dev/null 2>&1
    [ "$(tree_of "$got")" = "$WANT" ]
    varve fsck
}
id() { varve images --no-trunc -q app; }
# The parts of a local reference, by media type.
descriptors() { cat "$LOCAL"/blobs/sha256/* | grep -aA1 "\"mediaType\": \".*$1" | grep -aoE '[0-9a-f]{64}' | sort -u; }
# Another byte in the middle, whatever is there.
flip() {
    local at=$(($(stat -c %s "$1") / 2)) byte=X
    [ "$(tail -c +$((at + 1)) "$1" | head -c 1 | tr -d '\0')" != X ] || byte=Y
    printf %s "$byte" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}
# Bytes that the registry gave away since the test began.
got() { tail -n +$(($(<../from) + 1)) "$REG/log" | grep -E '"GET /v2/[^"]*" 20' | sed -E 's/.*" 20[0-9] ([0-9]+) .*/\1/' | awk '{n += $1} END {print n + 0}'; }

@test "an empty machine runs no step: local and registry give the same image" {
    local_cache
    from_local
    ran 0
    [ "$(id)" = "$ID" ]
    machine two
    built --cache-from "$HOST/app:cache" --explain
    ran 0
    says "found in registry $HOST/app:cache"
    [ "$(id)" = "$ID" ]
    [ "$(got)" -lt 20000 ]
    [ ! -e "$VARVE_ROOT/layers" ] || [ -z "$(ls "$VARVE_ROOT/layers")" ]
    varve fsck
}

@test "a changed source runs its steps alone, a changed comment nothing behind it" {
    sed -i 's/main/other/' src/main.c
    built --cache-from "$HOST/app:cache" --explain
    [ "$(grep -c '^run ' <<<"$output")" -eq 6 ]
    says "1 of 1 file differs: src/main.c"
    says "hit  RUN mkdir /deps"
    [ "$(varve run app)" = "int other" ]
    machine two
    sed -i 's/other/main/; s/# comment/# remark/' src/main.c
    built --cache-from "$HOST/app:cache" --explain
    [ "$(explained 'COPY --from=build' | cut -c1-3)" = cut ]
    [ "$(explained 'COPY --from=base' | cut -c1-3)" = cut ]
    says "same as in registry $HOST/app:cache"
    [ "$(id)" = "$ID" ]
    is_right --cache-from "$HOST/app:cache"
}

@test "COPY --from of a hit is judged by indexes: no layer comes" {
    printf 'FROM busybox AS base\nRUN head -c 900000 /dev/urandom >/big\nFROM scratch\nCOPY --from=base /big /big\nCOPY src /src\n' >Dockerfile
    built --cache-to "type=registry,ref=$HOST/from:cache,mode=max"
    machine two
    wc -l <"$REG/log" >../from
    echo more >src/more
    built --cache-from "$HOST/from:cache" --explain
    [ "$(grep -c '^run ' <<<"$output")" -eq 1 ]
    [ "$(got)" -lt 50000 ]
}

@test "a full hit is pushed by manifests alone; run, save and outputs fetch what they need" {
    plain_build --cache-from "$HOST/app:cache" -t "$HOST/app:out" -t "$HOST/elsewhere:out" --push
    ran 0
    [ "$(got)" -lt 20000 ]
    [ -z "$(ls "$VARVE_ROOT/layers" 2>/dev/null)" ]
    varve tag "$HOST/app:out" app
    [ "$(id)" = "$ID" ]
    [ "$(varve run app)" = "int main" ]
    is_right --cache-from "$HOST/app:cache"
    machine two
    built --cache-from "$HOST/app:cache" -o type=tar,dest=../out.tar
    mkdir ../t && tar -xpf ../out.tar -C ../t
    [ "$(tree_of ../t)" = "$WANT" ]
    machine three
    built --cache-from "$HOST/app:cache"
    varve save -o ../app.tar app
    machine four
    varve load -q ../app.tar
    [ "$(varve run app)" = "int main" ]
    machine five
    built --cache-from "$HOST/app:cache" -o type=docker,dest=../docker.tar
    tar -tf ../docker.tar | grep -q manifest.json
    machine six
    [ "$(varve run --pull always "$HOST/elsewhere:out")" = "int main" ]
}

@test "other encodings and times of hits are those of a build without cache" {
    local_cache
    for o in type=oci,compression=zstd,force-compression=true type=oci,rewrite-timestamp=true; do
        export SOURCE_DATE_EPOCH=1000000000
        machine seed
        rm -rf "$VARVE_ROOT" && cp -r "$SEED" "$VARVE_ROOT"
        built -o "$o,dest=../want.tar"
        [ "$status" -eq 0 ]
        machine "${o//[^a-z]/}"
        from_local -o "$o,dest=../got.tar"
        ran 0
        [ "$(tar -xOf ../want.tar index.json | jq -r '.manifests[].digest')" = "$(tar -xOf ../got.tar index.json | jq -r '.manifests[].digest')" ]
    done
}

@test "with password and TLS, and no secret in it" {
    host=$("$TESTBED/registry.sh" start "$BATS_TEST_TMPDIR/tls" --auth me:pass-word-1 --tls)
    echo "ca-file=$BATS_TEST_TMPDIR/tls/ca.crt" >>"$VARVE_CONFIG"
    varve login -u me --password-stdin "$host" <<<pass-word-1
    printf 'FROM busybox\nRUN --mount=type=secret,id=s,env=S echo "${#S}" >/n\n' >Dockerfile
    echo se-cret-2 >../s
    built --secret id=s,src=../s --cache-to "type=registry,ref=$host/app:cache"
    sent=$status
    machine two
    built --secret id=s,src=../s --cache-from "$host/app:cache"
    "$TESTBED/registry.sh" stop "$BATS_TEST_TMPDIR/tls"
    [ "$sent" -eq 0 ]
    ran 0
    run ! grep -rqaE 'pass-word-1|se-cret-2' "$BATS_TEST_TMPDIR/tls/data"
    run ! grep -rqaE 'pass-word-1|se-cret-2' "$VARVE_ROOT"
}

@test "inline: the image carries it" {
    plain_build -t "$HOST/inline:1" --push --cache-to type=inline
    first=$(varve images --no-trunc -q "$HOST/inline:1")
    machine two
    plain_build -t "$HOST/inline:1" --push --cache-to type=inline --cache-from "$HOST/inline:1"
    [ "$status" -eq 0 ]
    says "RUN cat /app/out.bin >/app/copy && mkdir -m 700 /kept && chown 5:6 /kept   cached"
    [ "$(varve images --no-trunc -q "$HOST/inline:1")" = "$first" ]
}

@test "20 writers at once lose nothing: local" {
    writers "type=local,dest=$LOCAL,mode=max" "type=local,src=$LOCAL"
}

@test "20 writers at once lose nothing: registry" {
    writers "type=registry,ref=$HOST/writers:cache,mode=max" "$HOST/writers:cache"
}
writers() {
    export SMALL=$BATS_TEST_TMPDIR/small
    mkdir "$SMALL"
    for i in $(seq 20); do
        printf 'FROM scratch\nCOPY f%s /f\n' "$i" >"$SMALL/D$i"
        echo "$i" >"$SMALL/f$i"
        (machine "w$i" && "$VARVE" build -q -f "$SMALL/D$i" --cache-to "$1" "$SMALL" >"$SMALL/log$i" 2>&1 || echo "$i" >>"$SMALL/failed") &
    done
    wait
    [ ! -e "$SMALL/failed" ] || { cat "$SMALL"/log* && return 1; }
    machine reader
    for i in $(seq 20); do
        run "$VARVE" build --progress=plain -f "$SMALL/D$i" --cache-from "$2" "$SMALL"
        ran 0
    done
}

@test "a second, different result does not replace the first, and its files are named" {
    built --cache-to "type=local,dest=$LOCAL,mode=max"
    machine two
    built --no-cache --cache-to "type=local,dest=$LOCAL,mode=max"
    [ "$status" -eq 0 ]
    says "RUN mkdir /deps && head -c 1500000 /dev/urandom >/deps/big && ln -s big /deps/link is not reproducible"
    says "(different: /deps/big)"
    says_not "COPY src /src is not reproducible"
    machine three
    from_local
    ran 0
    first=$(VARVE_ROOT=$BATS_TEST_TMPDIR/machine-one varve images --no-trunc -q app)
    [ "$(id)" = "$first" ]
}

@test "gone and damaged blobs, indexes and segments: the step runs, the image is right" {
    for what in gone flip empty fifo; do
        for type in layer.v1.tar layer.index cache.segment; do
            rm -rf "$LOCAL"
            local_cache
            found=0
            for d in $(descriptors "$type"); do
                f=$LOCAL/blobs/sha256/$d
                [ -e "$f" ] || continue
                found=1
                case $what in
                gone) rm "$f" ;;
                flip) flip "$f" ;;
                empty) : >"$f" ;;
                fifo) rm "$f" && mkfifo "$f" ;;
                esac
            done
            [ $found -eq 1 ]
            machine "$what-$type"
            from_local -o "type=tar,dest=../$what.tar"
            [ "$status" -eq 0 ] || { echo "$what $type: $output" && return 1; }
            says warning || { echo "$what $type" && return 1; }
            rm -rf ../t && mkdir ../t && tar -xpf "../$what.tar" -C ../t
            [ "$(tree_of ../t)" = "$WANT" ]
            varve fsck
            # Written again, it is whole again.
            [ $what != gone ] || {
                from_local --cache-to "type=local,dest=$LOCAL,mode=max"
                [ "$status" -eq 0 ] || { echo "$what $type: $output" && return 1; }
            }
        done
    done
}

@test "layers left in a cache that later commands are not given: a push builds them, others say what to do" {
    local_cache
    built --cache-from "type=local,src=$LOCAL" -t "$HOST/lost:1"
    ran 0
    run varve save -o ../app.tar app
    [ "$status" -ne 0 ]
    says "next: "
    run varve run app
    [ "$status" -ne 0 ]
    says "left in a cache"
    says "build it again with an output that holds its files"
    run varve push "$HOST/lost:1"
    [ "$status" -ne 0 ]
    says "next: build the image again with --push"
    plain_build -t "$HOST/lost:1" --push
    [ "$status" -eq 0 ]
    says "a result is lost, so its step runs again"
    [ "$(varve run "$HOST/lost:1")" = "int main" ]
    for to in "type=local,dest=$LOCAL-other" "type=registry,ref=$HOST/lost:cache"; do
        machine "two-${to%%,*}"
        from_local
        built --cache-to "$to,mode=max"
        [ "$status" -eq 0 ]
        says "as layers of theirs are not here"
        built --no-cache --cache-to "$to,mode=max"
        [ "$status" -eq 0 ]
        says_not warning
        [ "$(varve run app)" = "int main" ]
        varve fsck
        varve cache verify "$to"
    done
}

@test "a registry that fails at any one request: the build is right, the next one, too" {
    faults_start
    built --cache-to "type=registry,ref=$FAULTS_HOST/app:cache,mode=max"
    [ "$status" -eq 0 ]
    machine count
    rules '[]'
    built --cache-from "$FAULTS_HOST/app:cache" -o type=tar,dest=../t.tar
    ran 0
    n=$(asked .)
    [ "$n" -gt 5 ]
    for i in $(seq 0 "$n"); do
        case $((i % 4)) in
        0) do='"do":"status","status":500' ;;
        1) do='"do":"status","status":403' ;;
        2) do='"do":"wrong"' ;;
        3) do='"do":"truncate","bytes":10' ;;
        esac
        rules "[{\"match\":\".\",\"skip\":$i,$do}]"
        machine "at-$i"
        built --cache-from "$FAULTS_HOST/app:cache" -o type=tar,dest=../t.tar
        [ "$status" -eq 0 ] || { echo "$i: $output" && return 1; }
        rm -rf ../t && mkdir ../t && tar -xpf ../t.tar -C ../t
        [ "$(tree_of ../t)" = "$WANT" ]
        varve fsck
    done
}

@test "an export that fails has exit 4 after the outputs, or is a warning" {
    echo x >../file
    built --cache-to type=local,dest=../file/x -o type=oci,dest=../made.tar
    [ "$status" -eq 4 ]
    [ -s ../made.tar ]
    built --cache-to type=local,dest=../file/x,ignore-error=true
    [ "$status" -eq 0 ]
    says "was not written"
    built --cache-to type=registry,ref=127.0.0.1:1/app:cache
    [ "$status" -eq 4 ]
    faults_start
    for i in 0 3 6 9 12; do
        rules "[{\"match\":\".\",\"skip\":$i,\"do\":\"status\",\"status\":403}]"
        built --cache-to "type=registry,ref=$FAULTS_HOST/app:cache,mode=max"
        [ "$status" -eq 4 ] || { echo "$i: $output" && return 1; }
        says "was not written"
    done
    rules '[]'
    built --cache-to "type=registry,ref=$FAULTS_HOST/app:cache,mode=max"
    [ "$status" -eq 0 ]
    machine two
    built --cache-from "$FAULTS_HOST/app:cache"
    ran 0
}

@test "what is no cache is a warning or nothing, and a normal build" {
    mkdir "$LOCAL"
    from_local
    ran 7
    says_not warning
    machine two
    from_local --cache-from "$HOST/nothing:there"
    says_not warning
    for what in dir fifo link; do
        machine "$what"
        rm -rf "$LOCAL"
        local_cache
        rm "$LOCAL/index.json"
        case $what in
        dir) mkdir "$LOCAL/index.json" ;;
        fifo) mkfifo "$LOCAL/index.json" ;;
        link) ln -s /dev/zero "$LOCAL/index.json" ;;
        esac
        from_local
        ran 7
        says "is not used"
    done
    # An ordinary image.
    plain_build -t "$HOST/plain:1" --push
    machine image
    built --cache-from "$HOST/plain:1"
    ran 7
    # BuildKit's: an index with a descriptor of its configuration.
    rm -rf "$LOCAL" && mkdir -p "$LOCAL/blobs/sha256"
    echo '{"layers":[],"records":[]}' >"$LOCAL/config"
    config=$(sha256sum <"$LOCAL/config" | cut -c1-64)
    mv "$LOCAL/config" "$LOCAL/blobs/sha256/$config"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"sha256:%s","size":27}]}' "$config" >"$LOCAL/m"
    index=$(sha256sum <"$LOCAL/m" | cut -c1-64)
    size=$(stat -c %s "$LOCAL/m")
    mv "$LOCAL/m" "$LOCAL/blobs/sha256/$index"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}' "$index" "$size" >"$LOCAL/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$LOCAL/oci-layout"
    machine buildkit
    from_local
    ran 7
    says "BuildKit's cache"
    # It stays where it is beside ours.
    from_local --cache-to "type=local,dest=$LOCAL,mode=max"
    [ -s "$LOCAL/blobs/sha256/$index" ]
    machine after
    from_local
    ran 0
}

@test "leftovers of killed writers do not stay for ever" {
    built --cache-to "type=local,dest=$LOCAL,mode=max"
    touch -d '2 days ago' "$LOCAL/blobs/sha256/x.1-2.tmp"
    touch "$LOCAL/blobs/sha256/y.1-2.tmp"
    echo more >src/more
    built --cache-to "type=local,dest=$LOCAL,mode=max"
    [ ! -e "$LOCAL/blobs/sha256/x.1-2.tmp" ]
    [ -e "$LOCAL/blobs/sha256/y.1-2.tmp" ]
}

@test "kill -9 at any moment of export and import: the next build is fine" {
    for i in $(seq 12); do
        machine "k$((i % 3))"
        echo "$i" >src/n
        for from in "" "--cache-from=type=local,src=$LOCAL"; do
            # shellcheck disable=SC2086
            timeout -s KILL "0.$((RANDOM % 35 + 100))" "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" \
                $from --cache-to "type=local,dest=$LOCAL,mode=max" . >/dev/null 2>&1 || true
        done
    done
    rm src/n
    built --cache-from "type=local,src=$LOCAL" --cache-to "type=local,dest=$LOCAL,mode=max"
    [ "$status" -eq 0 ]
    says_not warning
    varve fsck
    machine reader
    from_local
    ran 0
    is_right --cache-from "type=local,src=$LOCAL"
}

@test "two machines, eight builds at once: each step runs once on each at most, and no image mixes results" {
    command -v ip >/dev/null && ip netns add "varve-try-$$" 2>/dev/null || skip "network namespaces are not permitted here"
    ip netns del "varve-try-$$"
    run "$FAULTS/twomachines.py" "$VARVE" --rounds 1
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    says "at most 2 of one" || says "at most 1 of one"
}

@test "cache mounts travel: files, modes, owners, links and times; a no-op sends nothing" {
    cat >Dockerfile <<'END'
FROM busybox
ARG N
RUN --mount=type=cache,id=m,target=/m --mount=type=cache,id=other,target=/o \
    [ -n "$N" ] && ls -ln /m >/list || { echo x >/m/a; chmod 640 /m/a; chown 7:8 /m/a; ln /m/a /m/b; ln -s a /m/l; touch -d '2001-02-03 04:05:06' /m/a; mkdir -m 711 /m/d; head -c 300000 /dev/urandom >/m/d/big; echo o >/o/o; }
END
    built --cache-to "type=local,dest=$LOCAL,mounts=m"
    [ "$status" -eq 0 ]
    before=$(find "$LOCAL" -type f -exec sha256sum {} + | sort)
    built --cache-to "type=local,dest=$LOCAL,mounts=m"
    [ "$status" -eq 0 ]
    [ "$(find "$LOCAL" -type f -exec sha256sum {} + | sort)" = "$before" ]
    machine two
    from_local --build-arg N=1 --cache-to "type=local,dest=$LOCAL,mounts=m" --cache-from "type=local,src=$LOCAL,mounts=true"
    [ "$status" -eq 0 ]
    list=$(varve run app cat /list)
    grep -qE '^-rw-r----- +2 7 +8 +2 .*2001 a' <<<"$list" || { echo "$list" && return 1; }
    grep -qE ' l -> a' <<<"$list"
    grep -qE '^drwx--x--x .* d' <<<"$list"
    [ "$(grep -cE ' (a|b)$' <<<"$list")" -ge 2 ]
    run ! grep -q other <<<"$list"
    [ -z "$(find "$VARVE_ROOT/volumes" -name o)" ]
}

@test "a cache mount that a step has locked is exported at once, as it was at one moment; odd names travel" {
    cat >Dockerfile <<'END'
FROM busybox AS fill
RUN --mount=type=cache,id=m,target=/m,sharing=locked cd /m && for i in $(seq 20); do echo 0 >f$i; done && echo x >"$(printf 'new\nline')" && echo x >"$(printf 'bad\377utf')" && echo x >' lead' && echo x >-rf && ln -s /etc/passwd abs && ln -s ../../etc up && mkdir -m 0 closed && mkfifo fifo
FROM busybox AS hold
RUN --mount=type=cache,id=m,target=/m,sharing=locked for k in $(seq 40); do for i in $(seq 20); do echo $k >/m/f$i; done; sleep 0.2; done
FROM busybox AS look
RUN --mount=type=cache,id=m,target=/m,sharing=locked cd /m && cat f* | sort -u | wc -l && find . ! -name 'f[0-9]*' ! -type p | wc -l && stat -c '%N %a' abs up closed && test ! -e fifo
END
    built --target fill
    plain_build --target hold --cache-from "type=local,src=$LOCAL-none" >/dev/null &
    local held=$!
    sleep 1.5
    SECONDS=0
    built --target fill --cache-to "type=local,dest=$LOCAL,mode=max,mounts=true"
    [ "$status" -eq 0 ] && [ $SECONDS -lt 4 ]
    kill -0 $held
    kill $held
    wait $held || true
    machine two
    built --target look --cache-from "type=local,src=$LOCAL,mounts=true"
    [ "$status" -eq 0 ]
    says "│ 1"
    says "│ 9"
    says "'abs' -> '/etc/passwd' 777"
    says "'up' -> '../../etc' 777"
    says "closed 0"
}

@test "memory: a layer of 300 MB in a cache needs no more than others" {
    printf 'FROM busybox\nRUN head -c 200000000 /dev/zero >/zero && head -c 100000000 /dev/urandom >/big\n' >Dockerfile
    measured 60 64 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" --cache-to "type=local,dest=$LOCAL" .
    machine two
    measured 60 64 "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" --cache-from "type=local,src=$LOCAL,prefer=hit" -o type=tar,dest=../o.tar .
}
