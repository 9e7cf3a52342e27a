#!/usr/bin/env bats
# What of a base image comes here, counted in bytes at real registries: nothing that nobody reads.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN head -c 3000000 /dev/urandom >/big && mkdir -m 700 /kept && chown 5:6 /kept
RUN echo small >/small && ln -s kept /link
CMD ["cat", "/small"]
END
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/one")
    OTHER=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/two")
    export HOST OTHER
    VARVE_ROOT=$SEED build -q -t "$HOST/big:1" --push . >/dev/null
}
teardown_file() {
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/one"
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/two"
}
setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8 DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    mkdir -p "$BATS_TEST_TMPDIR/ctx"
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
    echo file >file
    # Requests are counted from here on.
    wc -l <"$BATS_FILE_TMPDIR/one/log" >../from
    wc -l <"$BATS_FILE_TMPDIR/two/log" >../from2
}

# requests METHOD PATH-PATTERN: lines of the first registry's access log since the test began.
requests() { tail -n +$(($(<../from) + 1)) "$BATS_FILE_TMPDIR/one/log" | grep -E "\"$1 /v2/$2[^\"]*\" 20"; }
# got [BLOBS]: bytes that the first registry gave away (blobs or all).
got() { requests GET "${1:-}" | sed -E 's/.*" 20[0-9] ([0-9]+) .*/\1/' | awk '{n += $1} END {print n + 0}'; }
manifest_of() { curl -fs -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$1/v2/$2/manifests/$3"; }
layers_of() { manifest_of "$@" | jq -r '.layers[].digest'; }
# Layers whose files are here.
layer_dirs() { find "$VARVE_ROOT/layers" -mindepth 2 -maxdepth 2 -name fs | wc -l; }
# other ARGS…: varve with another store, which begins empty.
other() { VARVE_ROOT=$BATS_TEST_TMPDIR/other "$VARVE" "$@"; }

@test "COPY --link over an image of the same registry moves its manifest and config only" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    run -0 varve build --progress=plain -t "$HOST/app/linked:1" --push .
    [ "$(got)" -lt 10000 ]
    [ "$(layer_dirs)" -eq 1 ]
    [ "$(requests POST 'app/linked/blobs/uploads/\?mount=' | wc -l)" -eq 3 ]
    [ "$(layers_of "$HOST" app/linked 1 | head -3)" = "$(layers_of "$HOST" big 1)" ]
    # It is an image like any other.
    [ "$(other run "$HOST/app/linked:1" sh -c 'cat /small /file; stat -c %a /')" = "$(printf 'small\nfile\n755')" ]
    varve fsck
    # Again, also to another name: nothing is run, and nothing comes.
    wc -l <"$BATS_FILE_TMPDIR/one/log" >../from
    run -0 varve build --progress=plain -t "$HOST/app/again:1" --push .
    [ "$(got)" -lt 10000 ]
    [ "$(layer_dirs)" -eq 1 ]
    [ "$(layers_of "$HOST" app/again 1)" = "$(layers_of "$HOST" app/linked 1)" ]
}

@test "a base alone is pushed on without coming here" {
    printf 'FROM %s/big:1\nENV A=b\n' "$HOST" >Dockerfile
    varve build -q -t "$HOST/app/env:1" --push .
    [ "$(got)" -lt 10000 ]
    [ "$(layer_dirs)" -eq 0 ]
    [ "$(layers_of "$HOST" app/env 1)" = "$(layers_of "$HOST" big 1)" ]
}

@test "from one registry to another the blobs are copied, not unpacked" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    run -0 varve build --progress=plain -t "$OTHER/app/linked:1" --push .
    [ "$(layer_dirs)" -eq 1 ]
    [ "$(layers_of "$OTHER" app/linked 1 | head -3)" = "$(layers_of "$HOST" big 1)" ]
    [ "$(other run "$OTHER/app/linked:1" cat /small)" = small ]
    # The same with a store that has the image by name: varve push.
    varve tag "$OTHER/app/linked:1" "$OTHER/app/pushed:1"
    varve push -q "$OTHER/app/pushed:1"
    [ "$(layer_dirs)" -eq 1 ]
}

@test "what reads files gets them, once: RUN, varve run, outputs, archives" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    [ "$(layer_dirs)" -eq 1 ]
    varve build -q -o out .
    [ "$(cat out/small out/file)" = "$(printf 'small\nfile')" ]
    [ "$(stat -c %a out/kept)" = 700 ]
    [ "$(got big/blobs)" -lt 6000000 ]
    wc -l <"$BATS_FILE_TMPDIR/one/log" >../from
    [ "$(varve run app)" = small ]
    printf 'RUN cat /small /file >/both\n' >>Dockerfile
    varve build -q -t app .
    [ "$(varve run app cat /both)" = "$(printf 'small\nfile')" ]
    varve save -o app.tar app
    [ "$(got big/blobs)" -eq 0 ]
    varve fsck
}

@test "varve run of an image whose layers were left at the registry fetches them" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    run varve run --pull never app
    [ "$status" -eq 1 ]
    [[ "$output" == *"left at their registry"*"next: leave --pull=never out"* ]]
    [ "$(varve run app)" = small ]
    [ "$(layer_dirs)" -eq 4 ]
}

@test "--pull=never holds when a step needs later what was left at the registry" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    wc -l <"$BATS_FILE_TMPDIR/one/log" >../from
    printf 'FROM %s/big:1\nCOPY --link file /kept/file\n' "$HOST" >Dockerfile
    for output in type=image type=tar,dest=out.tar; do
        run varve build --progress=plain --pull=never -o $output .
        [ "$status" -eq 1 ]
        [[ "$output" == *"left at their registry, and --pull=never"*"next: leave --pull=never out"* ]]
    done
    [ "$(got big/blobs)" -eq 0 ]
    varve build -q .
    varve build -q --pull=never -o type=image .
}

@test "an archive has the base's blobs as they are, without unpacking" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -o type=oci,dest=image,tar=false .
    [ "$(layer_dirs)" -eq 1 ]
    for blob in $(layers_of "$HOST" big 1); do [ -s "image/blobs/sha256/${blob#sha256:}" ]; done
}

@test "images, du, inspect and fsck show what is not here" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    run -0 varve images app
    [[ "$output" == *" 1 of 4 "* ]]
    [ "$(varve images --format json app | jq -r '.AbsentLayers')" -eq 3 ]
    run -0 varve du
    [[ "$output" == *"3 layers more ("*" compressed) are known, but left at the registry"* ]]
    [ "$(varve inspect app | jq -c '[.[0].Layers[].Absent]')" = '[true,true,true,false]' ]
    varve fsck
    varve prune
    varve prune --all
    [ "$(varve images --format json app | jq -r '.AbsentLayers')" -eq 3 ]
    [ "$(varve run app)" = small ]
    run -0 varve images app
    [[ "$output" == *"MB"*" 4 "* ]]
    varve rmi app
    varve rmi "$HOST/big:1"
    varve prune --all
    [ "$(layer_dirs)" -eq 0 ]
    [ "$(varve du --format json | jq .AbsentLayers)" -eq 0 ]
}

@test "a plain COPY reads the base's layers into indexes, once, and unpacks none" {
    printf 'FROM %s/big:1\nCOPY file /kept/file\nWORKDIR /link/sub\n' "$HOST" >Dockerfile
    run -0 varve build --progress=plain -t "$HOST/app/plain:1" --push .
    [ "$(layer_dirs)" -eq 2 ]
    [ "$(got big/blobs)" -lt 6000000 ]
    varve fsck
    [ "$(other run "$HOST/app/plain:1" stat -c '%a %u %g' /kept)" = '700 5 6' ]
    [ "$(other run "$HOST/app/plain:1" sh -c 'cat /kept/file; ls -d /kept/sub')" = "$(printf 'file\n/kept/sub')" ]
    # What changes is copied again without another look at the registry.
    wc -l <"$BATS_FILE_TMPDIR/one/log" >../from
    echo other >file
    run -0 varve build --progress=plain -t "$HOST/app/plain:2" --push .
    [ "$(got big/blobs)" -eq 0 ]
    [ "$(layer_dirs)" -eq 4 ]
    # The first RUN unpacks, from what came already; the image is that of a store that had all of it.
    echo 'RUN cat /kept/file /small >/both' >>Dockerfile
    run -0 varve build --progress=plain -t app .
    [ "$(got big/blobs)" -eq 0 ]
    [ "$(layer_dirs)" -eq 8 ]
    [ "$(varve run app cat /both)" = "$(printf 'other\nsmall')" ]
    varve fsck
    VARVE_ROOT=$PWD/../third varve pull -q "$HOST/big:1" >/dev/null
    head -3 Dockerfile >Dockerfile.first
    SOURCE_DATE_EPOCH=0 VARVE_ROOT=$PWD/../third varve build -q -f Dockerfile.first -o ../one .
    SOURCE_DATE_EPOCH=0 varve build -q -f Dockerfile.first -o ../two .
    diff -r ../one ../two
}

@test "the index of a layer that was streamed is the one that unpacking gives" {
    printf 'FROM %s/big:1\nCOPY file /kept/file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    for x in "$VARVE_ROOT"/layers/*/index; do sha256sum <"$x"; done >../streamed
    varve run app >/dev/null
    for x in "$VARVE_ROOT"/layers/*/index; do sha256sum <"$x"; done >../unpacked
    [ "$(wc -l <../streamed)" -eq 4 ]
    cmp ../streamed ../unpacked
}

@test "a damaged index of a layer that is not here is found, and read again" {
    printf 'FROM %s/big:1\nCOPY file /kept/file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    for dir in "$VARVE_ROOT"/layers/*; do
        [ -e "$dir/fs" ] || truncate -s -3 "$dir/index"
    done
    run varve fsck
    [ "$status" -ne 0 ]
    [[ "$output" == *"whose files are not here"* ]]
    varve fsck --repair || true
    varve fsck
    echo other >file
    varve build -q -t app .
    [ "$(varve run app cat /kept/file)" = other ]
}

@test "directories of the base on the way to a linked file are asked for, and keep what they are" {
    printf 'FROM %s/big:1\nCOPY --link file /kept/file\nCOPY --link file /link/other\n' "$HOST" >Dockerfile
    varve build -q -t "$HOST/app/way:1" --push .
    [ "$(other run "$HOST/app/way:1" stat -c '%a %u %g' /kept)" = '700 5 6' ]
    [ "$(other run "$HOST/app/way:1" cat /kept/other)" = file ]
}

@test "a layer that its registry lost is an error that says what to do" {
    printf 'FROM %s/big:1\nENV A=b\n' "$HOST" >Dockerfile
    VARVE_ROOT=$SEED varve push -q "$HOST/big:1" "$HOST/lost/big:1"
    printf 'FROM %s/lost/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    rm -r "$BATS_FILE_TMPDIR/one/data/docker/registry/v2/repositories/lost"
    run varve run app
    [ "$status" -ne 0 ]
    [[ "$output" == *"left at its registry"*"next: "* ]]
    run varve build --progress=plain -o out .
    [ "$status" -ne 0 ]
    [[ "$output" == *"next: "* ]]
    varve fsck
    # Where it can be had again, all is well.
    VARVE_ROOT=$SEED varve push -q "$HOST/big:1" "$HOST/lost/big:1"
    [ "$(varve run app)" = small ]
}

@test "a push says why a layer that was left at its registry does not come" {
    VARVE_ROOT=$SEED varve push -q "$HOST/big:1" "$HOST/lost/push:1"
    printf 'FROM %s/lost/push:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    rm -r "$BATS_FILE_TMPDIR/one/data/docker/registry/v2/repositories/lost/push"
    run varve build --progress=plain -t "$OTHER/why:1" --push .
    [ "$status" -eq 1 ]
    [[ "$output" == *"is not in the store: cannot pull $HOST/lost/push: "*"404"*"next: build the image again with --push, or pull it again, then push"* ]]
    run varve save -o app.tar app
    [ "$status" -eq 1 ]
    [ "$(grep -o 404 <<<"$output" | wc -l)" -eq 1 ]
    VARVE_ROOT=$SEED varve push -q "$HOST/big:1" "$HOST/lost/push:1"
    varve build -q -t "$OTHER/why:1" --push .
}

@test "several at once get a layer once; one that is killed leaves it absent" {
    printf 'FROM %s/big:1\nCOPY --link file /file\n' "$HOST" >Dockerfile
    varve build -q -t app .
    for i in 1 2 3 4; do
        varve run app >"../out$i" 3>&- &
    done
    wait
    [ "$(cat ../out1 ../out2 ../out3 ../out4 | sort -u)" = small ]
    [ "$(layer_dirs)" -eq 4 ]
    [ "$(got big/blobs)" -lt 6000000 ]
    rm -rf "$VARVE_ROOT"
    varve build -q -t app .
    for delay in 0.005 0.01 0.02 0.03 0.05 0.08; do
        timeout -s KILL $delay "$VARVE" run app >/dev/null 2>&1 || true
        varve fsck
    done
    [ "$(varve run app)" = small ]
    varve fsck
}
