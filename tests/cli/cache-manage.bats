#!/usr/bin/env bats
# varve cache ls, prune, verify and copy, on a directory and with a real registry.
bats_require_minimum_version 1.5.0
load helper

# A cache with three steps and a cache mount in $SEED_CACHE, and the registry.
setup_file() {
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN echo one >/one
RUN head -c 300000 /dev/urandom >/two
RUN --mount=type=cache,id=npm,target=/c echo package >/c/f; echo three >/three
END
    export SEED_CACHE=$BATS_FILE_TMPDIR/cache CTX=$PWD
    VARVE_ROOT=$SEED build --cache-to "type=local,dest=$SEED_CACHE,mode=max,mounts=true" . 2>/dev/null
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/registry")
    export HOST
}
teardown_file() {
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/registry"
}
setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8 DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    export TMPDIR=$BATS_TEST_TMPDIR/tmp
    mkdir "$TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return 1
    cp -a "$SEED_CACHE" cache
}
# Nothing is left behind, and the store is not touched.
teardown() {
    [ -z "$(ls "$TMPDIR")" ] || { ls "$TMPDIR"; return 1; }
}

# aged DIR: as if all of it had been written two hours ago.
aged() { find "$1" -type f -exec touch -d '2 hours ago' {} +; }
# The largest blob: the layer with two.
large() { find "$1/blobs" -type f -size -900k -size +200k; }
blobs() { find "$1/blobs" -type f | wc -l; }
# rerun CACHE-FROM…: how many steps a machine without anything runs.
rerun() {
    rm -rf fresh
    VARVE_ROOT=$PWD/fresh build "$@" "$CTX" 2>&1 | grep -o '[0-9]* steps\? ran'
}

@test "ls shows steps, cache mounts and totals" {
    run varve cache ls ./cache
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" =~ ^KIND\ +SIZE\ +CREATED\ +USED\ +HITS\ +PLATFORM\ +NAME$ ]]
    [[ "$output" == *"step   300 kB  just now  just now     0  linux/amd64  RUN head -c 300000"* ]]
    [[ "$output" == *"mount "*" -  linux/amd64  /npm"* ]]
    [[ "${lines[-1]}" == "3 steps and 1 cache mount: "*" in "*" blobs, listed by 1 segment" ]]
    [ "$(varve cache ls --format '{{.Kind}} {{.Hits}}' "type=local,dest=cache" | sort | uniq -c | xargs)" = "1 mount 0 3 step 0" ]
    varve cache ls --format json "$PWD/cache" | jq -es 'length == 4 and all(.[]; .Bytes > 0) and .[0].Key[:7] == "sha256:"' >/dev/null
    [ ! -e "$VARVE_ROOT" ]
}

@test "hits are counted, and an empty or missing cache is told" {
    # Another build that uses the first steps and adds one.
    mkdir ctx
    { cat "$CTX/Dockerfile" && echo "RUN echo four >/four"; } >ctx/Dockerfile
    build --cache-from type=local,src=cache --cache-to type=local,dest=cache,mode=max ctx 2>/dev/null
    [ "$(varve cache ls --format '{{.Hits}} {{.Name}}' ./cache | grep RUN | sort | cut -c1-10 | xargs)" = "0 RUN echo 1 RUN --mo 1 RUN echo 1 RUN head" ]
    run varve cache ls ./nothing
    [ "$status" -eq 0 ]
    [[ "$output" == "this cache is empty"*"next: "* ]]
    [ ! -e nothing ]
}

@test "verify finds a missing, a short and a damaged blob and says what is lost" {
    run varve cache verify ./cache
    [ "$status" -eq 0 ]
    [[ "$output" == "local ./cache is intact: 4 entries, 10 blobs, "* ]]
    run varve cache verify --read ./cache
    [ "$status" -eq 0 ]
    two=$(large cache)
    size=$(stat -c %s "$two")
    # Another content of the same size is seen only by reading.
    head -c "$size" /dev/zero >"$two"
    varve cache verify ./cache
    run varve cache verify --read ./cache
    [ "$status" -eq 1 ]
    [[ "$output" == *"blob sha256:$(basename "$two"): "*"1 of 10 blobs"*"next: varve cache prune "* ]]
    [[ "$output" == *"lost: RUN head"* && "$output" == *"lost: RUN --mount"* ]]
    [[ "$output" != *"lost: RUN echo one"* ]]
    truncate -s -1 "$two"
    run varve cache verify ./cache
    [ "$status" -eq 1 ]
    rm "$two"
    run varve cache verify ./cache
    [ "$status" -eq 1 ]
    [[ "$output" == *"lost: RUN head"* ]]
    # What is lost is dropped, and the next build writes it again.
    run --separate-stderr varve cache prune --keep 10000d ./cache
    [ "$status" -eq 0 ]
    [[ "$output" == "removed 2 entries (some without their blobs) from local ./cache, 2 stay; "* ]]
    varve cache verify --read ./cache
    [ "$(rerun --cache-from type=local,src=cache --cache-to type=local,dest=cache,mode=max)" = "2 steps ran" ]
    varve cache verify --read ./cache
    [ "$(rerun --cache-from type=local,src=cache)" = "0 steps ran" ]
}

@test "prune takes what was not used for long, least recently used first" {
    aged cache
    run varve cache prune --keep 1h ./cache
    [ "$status" -eq 0 ]
    [[ "$output" == "nothing to remove from local ./cache (4 entries)" ]]
    run varve cache prune --max-size 1.2MB --dry-run ./cache
    [[ "$output" == "would remove "*"; would free 30"*" kB" ]]
    [ "$(varve cache ls --format '{{.Kind}}' ./cache | wc -l)" = 4 ]
    before=$(blobs cache)
    run varve cache prune --max-size 1.2MB ./cache
    [ "$status" -eq 0 ]
    [[ "$output" == "removed "*"; freed 30"*" kB ("* ]]
    [ -z "$(large cache)" ]
    [ "$(blobs cache)" -lt "$before" ]
    varve cache verify --read ./cache
    [ "$(varve cache ls --format '{{.Name}}' ./cache | grep RUN)" = "RUN echo one >/one" ]
    sleep 1.1
    run varve cache prune --keep 1s ./cache
    [ "$status" -eq 0 ]
    [[ "$output" == *"removed "*", 0 stay; "* ]]
    aged cache
    varve cache prune --keep 1s ./cache
    [ "$(blobs cache)" = 0 ]
}

@test "prune leaves new blobs, other tags and other programs' files, and removes what killed writers left" {
    build --cache-to "type=local,dest=cache,tag=other,mode=max" "$CTX" 2>/dev/null
    # An image of another program in the same directory.
    foreign=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%064d","size":3},"layers":[]}' 7)
    digest=$(printf %s "$foreign" | sha256sum | cut -d' ' -f1)
    printf %s "$foreign" >"cache/blobs/sha256/$digest"
    printf '{}\n' >"cache/blobs/sha256/$(printf %064d 7)"
    jq -c --arg d "sha256:$digest" --argjson n ${#foreign} '.manifests += [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $n}]' cache/index.json >index.new
    mv index.new cache/index.json
    aged cache
    echo new >"cache/blobs/sha256/$(printf %064d 8)"
    echo left >"cache/blobs/sha256/$(printf %064d 9)"
    touch -d '2 hours ago' "cache/blobs/sha256/$(printf %064d 9)"
    echo killed >"cache/blobs/sha256/$(printf %064d 1).12-abcd.tmp"
    echo killed >cache/index.json.12-abcd.tmp
    touch -d '2 hours ago' cache/*.tmp cache/blobs/sha256/*.tmp
    echo writing >"cache/blobs/sha256/$(printf %064d 2).13-abcd.tmp"
    sleep 1.1
    varve cache prune --keep 1s --dry-run ./cache
    [ -e "cache/blobs/sha256/$(printf %064d 9)" ]
    [ -e cache/index.json.12-abcd.tmp ]
    run varve cache prune --keep 1s ./cache
    [ "$status" -eq 0 ]
    [ -e "cache/blobs/sha256/$digest" ]
    [ -e "cache/blobs/sha256/$(printf %064d 7)" ]
    [ -e "cache/blobs/sha256/$(printf %064d 8)" ]
    [ ! -e "cache/blobs/sha256/$(printf %064d 9)" ]
    [ "$(ls cache/*.tmp cache/blobs/sha256/*.tmp 2>/dev/null)" = "cache/blobs/sha256/$(printf %064d 2).13-abcd.tmp" ]
    [ "$(varve cache ls --format '{{.Kind}}' ./cache | wc -l)" = 0 ]
    # The other tag is whole.
    varve cache verify --read type=local,src=cache,tag=other
    [ "$(varve cache ls --format '{{.Kind}}' type=local,src=cache,tag=other | wc -l)" = 3 ]
}

@test "writers and prune at the same time lose nothing that is new" {
    for i in 1 2 3 4; do
        mkdir "ctx$i"
        printf 'FROM busybox\nRUN echo %s >/%s\nRUN echo again %s >/x\n' "$i" "$i" "$i" >"ctx$i/Dockerfile"
        (VARVE_ROOT=$PWD/store$i build --cache-to type=local,dest=cache,mode=max "ctx$i" >"log$i" 2>&1) &
    done
    for i in 1 2 3 4 5 6; do varve cache prune --keep 1h ./cache; done
    wait
    varve cache prune --keep 1h ./cache
    varve cache verify --read ./cache
    [ "$(varve cache ls --format '{{.Kind}}' ./cache | wc -l)" = 12 ]
}

@test "copy adds what the other side lacks, to a registry and back" {
    run varve cache copy --progress plain ./cache "$HOST/team/cache:main"
    [ "$status" -eq 0 ]
    [[ "$output" == *"copied 4 entries to registry $HOST/team/cache:main: "*" in 10 blobs sent, 0 entries were already there" ]]
    run varve cache copy ./cache "type=registry,ref=$HOST/team/cache:main"
    [[ "$output" == *"copied 0 entries to "*": 0 B in 0 blobs sent, 4 entries were already there" ]]
    varve cache verify "$HOST/team/cache:main"
    varve cache verify --read "$HOST/team/cache:main"
    [ "$(rerun --cache-from "$HOST/team/cache:main")" = "0 steps ran" ]
    # The union: neither side's own is lost.
    mkdir ctx
    printf 'FROM busybox\nRUN echo mine >/mine\n' >ctx/Dockerfile
    build --cache-to type=local,dest=back,mode=max ctx 2>/dev/null
    varve cache copy "$HOST/team/cache:main" ./back
    [ "$(varve cache ls --format '{{.Kind}}' ./back | wc -l)" = 5 ]
    varve cache verify --read ./back
    [ "$(rerun --cache-from type=local,src=back)" = "0 steps ran" ]
    # What is missing on this side is left out, and told.
    rm "$(large cache)"
    run --separate-stderr varve cache copy --progress quiet ./cache ./third
    [ "$status" -eq 0 ]
    [[ "$output" == "copied 2 entries to "* ]]
    [[ "$stderr" == "warning: 2 entries of local ./cache could not be copied: "* ]]
    varve cache verify --read ./third
}

@test "prune of a registry drops entries and leaves blobs to it" {
    varve cache copy ./cache "$HOST/prune/cache:main"
    run varve cache prune --max-size 1.2MB "$HOST/prune/cache:main"
    [ "$status" -eq 0 ]
    [[ "$output" == "removed "*" kB can go when the service cleans up"* ]]
    [[ "$output" != *warning* ]]
    [ "$(varve cache ls --format '{{.Name}}' "$HOST/prune/cache:main" | grep -c RUN)" = 1 ]
    varve cache verify --read "$HOST/prune/cache:main"
    sleep 1.1
    varve cache prune --keep 1s "$HOST/prune/cache:main"
    run varve cache ls "$HOST/prune/cache:main"
    [ "$status" -eq 0 ]
    [[ "$output" == *"this cache is empty"* ]]
    varve cache copy ./cache "$HOST/prune/cache:main"
    [ "$(rerun --cache-from "$HOST/prune/cache:main")" = "0 steps ran" ]
}

@test "mistakes say what to do" {
    wrong() {
        local text=$1
        shift
        run varve cache "$@"
        [ "$status" -eq 2 ] && [[ "$output" == "error: "*"$text"*"next: "* ]] || { echo "$* ($status): $output"; return 1; }
    }
    wrong "needs an argument"
    wrong "did you mean prune?" prone ./cache
    wrong "needs one reference" ls
    wrong "needs two references" copy ./cache
    wrong "takes no --keep" ls --keep 1d ./cache
    wrong "nothing says what is to stay" prune ./cache
    wrong "--keep 5x: write a time like" prune --keep 5x ./cache
    wrong "--max-size" prune --max-size huge ./cache
    wrong "the type \"s4\" is unknown" ls type=s4,bucket=x
    run varve cache ls "127.0.0.1:1/none/cache:main"
    [ "$status" -eq 4 ]
    [[ "$output" == *"varve cache ls registry 127.0.0.1:1/none/cache:main: "* ]]
    echo damaged >"cache/blobs/sha256/$(jq -r '.manifests[0].digest' cache/index.json | cut -d: -f2)"
    for verb in ls verify "prune --keep 1d"; do
        # shellcheck disable=SC2086
        run varve cache $verb ./cache
        [ "$status" -eq 1 ]
        [[ "$output" == "error: "*"damaged"*"next: "* ]]
    done
}

@test "a writer that read before a prune and publishes after it names nothing that was removed" {
    mkdir ctx
    printf 'FROM busybox\nRUN while [ ! -e /m/go ]; do sleep 0.1; done; echo new >/new\n' >ctx/Dockerfile
    sed -i 's/RUN /RUN --mount=type=cache,id=signal,target=\/m touch \/m\/begun; /' ctx/Dockerfile
    aged cache
    VARVE_ROOT=$PWD/writer build --cache-to type=local,dest=cache,mode=max ctx >log 2>&1 &
    for _ in $(seq 100); do
        begun=$(find writer/volumes -name begun 2>/dev/null) || true
        [ -z "$begun" ] || break
        sleep 0.1
    done
    [ -n "$begun" ]
    sleep 1.1
    varve cache prune --keep 1s ./cache
    touch "${begun%begun}go"
    wait
    varve cache verify --read ./cache
    [ "$(varve cache ls --format '{{.Name}}' ./cache | grep -c 'new >/new')" = 1 ]
    # Blobs that the writer found when it began are there again.
    VARVE_ROOT=$PWD/reader run build --cache-from type=local,src=cache ctx
    [[ "$output" == *" 0 steps ran"* ]]
}
