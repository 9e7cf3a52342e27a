#!/usr/bin/env bats
# Commands about images, builds and the store.
load helper
bats_require_minimum_version 1.5.0

setup_file() {
    # One store with two builds for all tests that only look; those that change it make a copy.
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN echo first >/first && dd if=/dev/zero of=/big bs=1k count=500 2>/dev/null && echo a line of the log
RUN rm /big && echo again >/first
ENV GREETING="good day"
LABEL org.example.a=b
CMD ["echo", "hello"]
END
    VARVE_ROOT=$SEED build -t app:1 . 2>/dev/null
    VARVE_ROOT=$SEED build -t app:1 -t other.example/team/app:2 . 2>/dev/null
}

look() { VARVE_ROOT=$SEED "$VARVE" "$@"; }
own_store() { cp -a "$SEED" "$VARVE_ROOT"; }

@test "images lists names with id, age, size and layers" {
    run look images
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == NAME*ID*CREATED*SIZE*LAYERS*PLATFORM ]]
    [ "${#lines[@]}" -eq 3 ]
    [[ "$output" == *"app:1 "*"MB       3  linux/"* ]]
    [[ "$output" == *"other.example/team/app:2 "* ]]
}

@test "images -q prints each id once; --no-trunc in full" {
    run look images -q
    [[ "$output" =~ ^[0-9a-f]{12}$ ]]
    run look images -q --no-trunc
    [[ "$output" =~ ^sha256:[0-9a-f]{64}$ ]]
}

@test "images NAME takes a repository or a name with its tag" {
    run look images app
    [ "${#lines[@]}" -eq 2 ]
    run look images other.example/team/app:2
    [ "${#lines[@]}" -eq 2 ]
    run look images app:9
    [ "$status" -eq 0 ]
    [[ "$output" == *"no such image: \"app:9\""*"next: varve images"* ]]
}

@test "images --format json is an object per line" {
    run look images --format json app:1
    [ "$(jq -r '.Repository + ":" + .Tag + " " + (.Layers | tostring)' <<<"$output")" = "app:1 3" ]
    run look images --format yaml
    [ "$status" -eq 2 ]
    [[ "$output" == *"must be table, json or a template"* ]]
}

@test "inspect shows config, layers and digests as JSON" {
    run look inspect app:1
    [ "$status" -eq 0 ]
    [ "$(jq -r '.[0].Config.Cmd | join(" ")' <<<"$output")" = "echo hello" ]
    [ "$(jq -r '.[0].Config.Labels["org.example.a"]' <<<"$output")" = b ]
    [ "$(jq -r '.[0].RootFS.Layers | length' <<<"$output")" = 3 ]
    [ "$(jq -r '.[0].Layers | length' <<<"$output")" = 3 ]
    [ "$(jq -r '.[0].RepoTags | sort | join(" ")' <<<"$output")" = "app:1 other.example/team/app:2" ]
    [ "$(jq -r '.[0].Id' <<<"$output")" = "$(look images -q --no-trunc)" ]
}

@test "inspect by id, and one field" {
    id=$(look images -q)
    [ "$(look inspect --format '{{json .Config.Cmd}}' "${id:0:6}")" = '["echo","hello"]' ]
    [ "$(look inspect -f '{{.Os}}' app:1)" = linux ]
    run look inspect -f '{{.Nothing}}' app:1
    [ "$status" -eq 1 ]
    [[ "$output" == *"no field Nothing"* ]]
}

@test "an unknown image is named, with the next move" {
    for c in inspect layers history rmi push "run --pull never"; do
        # shellcheck disable=SC2086
        run look $c nosuch:1
        [ "$status" -eq 1 ]
        [[ "$output" == *"nosuch:1"*"next: "* ]]
    done
}

@test "du -v shows what each image alone has, and each volume" {
    own_store
    printf 'FROM busybox\nRUN --mount=type=cache,id=kept,target=/c echo x >/c/x\nCOPY more /\n' >Dockerfile
    head -c 70000 /dev/urandom >more
    build -q -t more:1 . >/dev/null
    varve run -v data:/data more:1 sh -c 'head -c 300000 /dev/urandom >/data/x'
    run varve du -v
    [ "$status" -eq 0 ]
    [[ "$output" =~ "IMAGE  "\ *"ID  "\ *"CREATED  "\ *SIZE\ *SHARED\ *OWN ]]
    [[ "$output" =~ more:1\ .*MB\ .*MB\ \ .*70\ kB ]]
    [[ "$output" =~ app:1\ .*MB\ .*MB\ \ .*512\ kB ]]
    [[ "$output" =~ data\ *volume\ *3[0-9][0-9]\ kB ]]
    [[ "$output" =~ kept\ *cache\ .*\ k?B ]]
}

@test "layers shows sizes, steps and what is wasted" {
    run look layers app:1
    [ "$status" -eq 0 ]
    [[ "${lines[2]}" == "2  512 kB "*" 512 kB "*"RUN echo first"* ]]
    [[ "${lines[3]}" == "3 "*"RUN rm /big"* ]]
    [[ "$output" == *"3 layers · efficiency 79"*"512 kB is replaced or removed"* ]]
    [[ "$output" == *"512 kB  /big"* ]]
    [[ "$output" == *"6 B  /first"* ]]
    run look layers --format json app:1
    [ "$(jq -s 'map(.Wasted) | add' <<<"$output")" = 512006 ]
}

@test "history lists builds, a build's steps, and an image's entries" {
    run look history
    [ "$status" -eq 0 ]
    [[ "${lines[1]}" == *" 2 "*"app:1"*"sha256:"* ]]
    [[ "${lines[2]}" == *" 1 "*"app:1"*"sha256:"* ]]
    run look history 2
    [[ "$output" == *"cached"*"RUN rm /big"* ]]
    run look history 1
    [[ "$output" == *"ran "*"512 kB"*"RUN echo first"* ]]
    run look history app:1
    [[ "${lines[1]}" == *'CMD ["echo" "hello"]' ]]
    [[ "$output" == *"RUN rm /big"* ]]
    run look history --format json 1
    [ "$(jq -rs '.[1].Outcome' <<<"$output")" = ran ]
    run look history 77
    [ "$status" -eq 1 ]
    [[ "$output" == *"no build 77"*"next: varve history"* ]]
    [ "$(look history -q -n 1)" = 2 ]
}

@test "logs are whole, by build and by step" {
    step=$(look history --format json 1 | jq -r 'select(.Name | startswith("RUN echo first")) | .Step')
    [ "$(look logs 1 --step "$step")" = "a line of the log" ]
    run look logs 1
    [[ "$output" == *"step $step"*"RUN echo first"*"a line of the log"* ]]
    run look logs
    [[ "$output" == *"all its steps were cached"* ]]
    run look logs 2 --step "$step"
    [ "$status" -eq 1 ]
    [[ "$output" == *"came from the cache"* ]]
    run look logs many # a word may be a run's name: well formed, but not found
    [ "$status" -eq 1 ]
    [[ "$output" == *"no such build or run: many"*"next: varve history"*"varve ps"* ]]
}

@test "tag, and rmi by name and by id" {
    own_store
    varve tag app:1 127.0.0.1:5000/app:new
    id=$(varve images -q --no-trunc app:1)
    [ "$(image_id 127.0.0.1:5000/app:new)" = "$id" ]
    run varve rmi app:1
    [ "$status" -eq 0 ]
    [[ "$output" == *"removed app:1"* ]]
    run varve rmi "${id#sha256:}"
    [ "$status" -eq 1 ]
    [[ "$output" == *"several names"*"127.0.0.1:5000/app:new"*"next: "* ]]
    run varve rmi -f "${id#sha256:}"
    [ "$status" -eq 0 ]
    [ -z "$(varve images -q)" ]
    run varve rmi app:1
    [ "$status" -eq 1 ]
    run varve rmi -f app:1
    [ "$status" -eq 0 ]
    run varve tag app:1 'Not A Name'
    [ "$status" -eq 2 ]
}

@test "du counts, prune frees, and the cache goes only with --all" {
    own_store
    run varve du
    [[ "$output" == *"layers"*"blobs"*"volumes"* ]]
    [ "$(varve du --format json | jq .Layers)" = 3 ]
    varve rmi -f app:1 other.example/team/app:2
    varve prune
    [ "$(varve du --format json | jq .Layers)" = 3 ]
    run varve prune --all --dry-run
    [[ "$output" == *"would free "* ]]
    [ "$(varve du --format json | jq .Layers)" = 3 ]
    run varve prune --all
    [[ "$output" == *"freed "*"next: varve du"* ]]
    [ "$(varve du --format json | jq .Layers)" = 0 ]
    run varve prune --all
    [[ "$output" == *"nothing to remove"* ]]
}

@test "prune --older-than and --keep-storage keep what they say" {
    own_store
    varve rmi -f app:1 other.example/team/app:2
    varve prune --older-than 1d
    varve prune -a --filter until=24h
    [ "$(varve du --format json | jq .Layers)" = 3 ]
    varve prune --keep-storage 1GB
    [ "$(varve du --format json | jq .Layers)" = 3 ]
    varve prune --keep-storage 1kB
    [ "$(varve du --format json | jq .Layers)" = 0 ]
    run varve prune --older-than soon
    [ "$status" -eq 2 ]
    run varve prune --keep-storage much
    [ "$status" -eq 2 ]
}

@test "fsck finds a changed file and a damaged blob, and repairs" {
    own_store
    run varve fsck
    [ "$status" -eq 0 ]
    [[ "$output" == *"is intact"* ]]
    file=$(find "$VARVE_ROOT/layers" -name first | head -1)
    printf 'xxxxx\n' >"$file"
    touch -d @0 "$file"
    run varve fsck
    [ "$status" -eq 1 ]
    [[ "$output" == *"first"*"next: varve fsck --repair"* ]]
    run varve fsck --repair
    [ "$status" -eq 0 ]
    run varve fsck
    [ "$status" -eq 0 ]
}

# database SQL: changes the store behind varve's back.
database() {
    python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).executescript(sys.argv[2])' "$VARVE_ROOT/varve.db" "$1"
}
few_files() { bash -c 'ulimit -n 8 && exec "$@"' - "$VARVE" "$@"; }

@test "too many open files are no damage: fsck removes nothing" {
    own_store
    run varve images --format '{{.Repository}} {{.ID}} {{.Size}}'
    images=$output
    run few_files fsck --repair
    [ "$status" -eq 1 ]
    [[ "$output" == *"Too many open files"*"next: allow more open files"* && "$output" != *"found"* ]]
    run varve images --format '{{.Repository}} {{.ID}} {{.Size}}'
    [ "$output" = "$images" ]
    varve fsck
    # Nor does a build recommend to repair.
    printf 'FROM busybox\nRUN echo another >/first\n' >Dockerfile
    for n in 8 10 12 14 16; do
        run bash -c "ulimit -n $n && exec '$VARVE' build --progress=plain --build-context busybox=oci-layout://$BASES/busybox-oci ."
        [[ "$output" != *"fsck"* ]]
    done
    varve fsck
}

@test "who waits for another varve's step says so, and for which process" {
    printf 'FROM busybox\nRUN --mount=type=cache,id=go,target=/tmp/go echo it began; until [ -e /tmp/go/on ]; do sleep 0.1; done\n' >Dockerfile
    build=("$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .)
    "${build[@]}" >first 2>&1 3>&- &
    pid=$!
    for _ in $(seq 200); do grep -q '│ it began' first && break; sleep 0.05; done
    "${build[@]}" >second 2>&1 3>&- &
    other=$!
    for _ in $(seq 200); do grep -q 'waiting for' second && break; sleep 0.05; done
    for volume in "$VARVE_ROOT"/volumes/*/; do touch "$volume/on" "$volume/fs/on" 2>/dev/null || true; done
    wait "$pid" "$other" || { cat first second; find "$VARVE_ROOT/volumes"; false; }
    grep -qF "warning: waiting for another varve, process $pid, that is doing the same" second
    run -1 grep -q "waiting for" first
}

# What a container has for a root: whiteouts, opaque directories, links and special files, to the byte as with overlayfs.
@test "a store on overlayfs copies layers, says so, and makes the same image" {
    mkdir lower upper work merged
    bash -c 'mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged' 2>/dev/null || skip "no overlay mount here"
    cat >Dockerfile <<'END'
FROM busybox
RUN mkdir -p /d/a /e/x /f && echo 1 >/d/a/1 && echo 2 >/d/2 && ln -s 2 /d/l && ln /d/2 /d/h && echo e >/e/x/1 && mkfifo /f/p
RUN rm -r /home /d/a && mkdir /d/a && echo new >/d/a/n && rm -r /e && echo file >/e && rm /d/h && chmod 700 /d
RUN chown 33:33 /d/2 && chmod 4755 /d/2 && mv /f /g && rm -rf /bin/vi && rm -r /var && ln -s /tmp /var
COPY Dockerfile /d/
RUN rm -r /e; mkdir /e; echo z >/e/z; test ! -e /home && test ! -e /d/a/1 && test "$(cat /d/a/n)" = new
END
    export SOURCE_DATE_EPOCH=1700000000
    run --separate-stderr build -q -o type=image,name=x,rewrite-timestamp=true .
    [ "$status" -eq 0 ]
    plain=$output
    VARVE_ROOT=$PWD/merged/store run --separate-stderr build -q -o type=image,name=x,rewrite-timestamp=true .
    [ "$status" -eq 0 ] || { umount merged; echo "$stderr"; false; }
    copied=$output
    grep -q '^warning: layers are copied instead of mounted.*the store itself is on overlayfs' <<<"$stderr" || { umount merged; echo "$stderr"; false; }
    run "$VARVE" --root "$PWD/merged/store" fsck
    umount merged
    [ "$status" -eq 0 ]
    [ "$copied" = "$plain" ]
}

@test "a cache mount that cannot be looked up is not taken for an empty one" {
    printf 'FROM busybox\nRUN --mount=type=cache,target=/c echo kept >>/c/f; cat /c/f\n' >Dockerfile
    build . 2>/dev/null
    database 'ALTER TABLE volumes RENAME COLUMN last_used TO other'
    sed -i 's/kept/again/' Dockerfile
    run build .
    [ "$status" -ne 0 ]
    [ "$(cat "$VARVE_ROOT"/volumes/*/f)" = kept ]
}

@test "fsck finds a wrong diff id" {
    own_store
    for table in "layers SET diff_id=zeroblob(32) WHERE diff_id IS NOT NULL AND source IS NULL" \
        "layers SET diff_id=zeroblob(32) WHERE source IS NOT NULL" "layer_blobs SET diff_id=zeroblob(32)" \
        "layers SET content=zeroblob(32)"; do
        rm -rf "$VARVE_ROOT"
        own_store
        database "UPDATE $table"
        run varve fsck
        [ "$status" -eq 1 ]
        [[ "$output" == *"layer "*": "* ]]
        run varve fsck --repair
        [ "$status" -eq 0 ]
        varve fsck
    done
}

@test "fsck --repair makes a damaged index anew, and says what it cannot repair" {
    own_store
    # An index without a row: its definition goes, a row comes, and the definition is back.
    database "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name='images_name'; PRAGMA writable_schema=ON;
        DELETE FROM sqlite_schema WHERE name='images_name';"
    database "INSERT INTO images(name, platform, origin, created, size) VALUES('x:1', 'linux/amd64', 'build', 1, 1)"
    database "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema SELECT * FROM kept; DROP TABLE kept;"
    run varve fsck
    [ "$status" -eq 1 ]
    [[ "$output" == *"database: "*"index"* ]]
    run varve fsck --repair
    [ "$status" -eq 0 ]
    run varve fsck
    [ "$status" -eq 0 ]
    # A table that breaks its own rule.
    database "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(sql, 'source TEXT', 'source TEXT NOT NULL') WHERE name='layers'"
    run varve fsck --repair
    [ "$status" -eq 1 ]
    [[ "$output" == *"is damaged"*"next: move "*"varve.db"*" away and run varve prune"* ]]
    mkdir ../away && mv "$VARVE_ROOT"/varve.db* ../away
    varve prune
    varve fsck
    # Its schema's text.
    for sql in "UPDATE sqlite_schema SET sql=replace(sql, 'size', 'sixe') WHERE name='blobs'" "PRAGMA user_version=9043969" \
        "PRAGMA user_version=-7"; do
        rm -rf "$VARVE_ROOT"
        own_store
        database "PRAGMA writable_schema=ON; $sql"
        run varve fsck
        [ "$status" -eq 1 ] || { echo "$sql: $output"; false; }
        [[ "$output" == *"is damaged"*"next: move "*"varve.db"*" away and run varve prune"* ]]
    done
}

@test "an empty store says how to begin" {
    run varve images
    [ "$status" -eq 0 ]
    [[ "$output" == *"no images yet"*"next: varve build"* ]]
    run varve history
    [[ "$output" == *"no builds yet"* ]]
    run varve logs
    [ "$status" -eq 1 ]
    run varve fsck
    [ "$status" -eq 0 ]
}

@test "after a restart of the machine, what did not reach the disk is made again" {
    printf 'FROM busybox\nRUN echo one >/one\nRUN echo two >/two\n' >Dockerfile
    VARVE_ROOT=$SEED build -t two:1 --iidfile id . 2>/dev/null
    own_store
    VARVE_ROOT=$BATS_TEST_TMPDIR/store
    lost=$(find "$VARVE_ROOT"/layers/*/fs -path '*/fs/two')
    truncate -s 0 "$lost"
    build -t two:1 . 2>err # the same boot: nothing is looked for
    [[ "$(cat err)" == *"up to date"* && "$(cat err)" != *lost* ]]
    echo other >"$VARVE_ROOT/boot"
    build -t two:1 . 2>err
    [[ "$(cat err)" == *"lost when the machine stopped: layer "????????????": two has"*"1 step ran, 2 cached"* ]]
    [ "$(varve run two:1 cat /two)" = two ]
    varve fsck
    lost=$(find "$VARVE_ROOT"/layers/*/fs -path "*/fs/two")
    truncate -s 0 "${lost%/fs/two}/index"
    echo other >"$VARVE_ROOT/boot"
    build -t two:1 . 2>err # repaired already: nobody has to be told how
    [[ "$(cat err)" == *"lost when the machine stopped: "*"damaged"* && "$(cat err)" != *"fsck --repair"* ]]
    varve fsck
    rm "$VARVE_ROOT/boot"
    build -t two:1 . 2>err
    [[ "$(cat err)" != *lost* ]]
    find "$VARVE_ROOT"/layers/*/index "$VARVE_ROOT"/blobs -type f -exec truncate -s 0 {} +
    echo other >"$VARVE_ROOT/boot"
    build -t two:1 . 2>err
    [ "$(grep -c "lost when the machine stopped" err)" = 3 ]
    grep -q "^warning: and [0-9]* more layers and blobs" err
    varve fsck
}

@test "wrong command lines are exit code 2 and show the usage" {
    run varve tag one
    [ "$status" -eq 2 ]
    [[ "$output" == *"usage: varve tag IMAGE NAME"* ]]
    run varve images a b
    [ "$status" -eq 2 ]
    run varve layers --nosuch app:1
    [ "$status" -eq 2 ]
    run varve imags
    [ "$status" -eq 2 ]
    [[ "$output" == *"did you mean images?"* ]]
}

@test "every command has help with an example" {
    for c in build run images inspect layers history logs tag rmi pull push login du prune fsck version; do
        run varve "$c" --help
        [ "$status" -eq 0 ]
        [[ "$output" == "usage: varve $c"*"example:"*"varve $c"* || "$c" = login ]]
    done
    [[ "$(varve version)" == "varve "*"platform"*"store"* ]]
    [[ "$(varve --version)" == "varve "* ]]
}
