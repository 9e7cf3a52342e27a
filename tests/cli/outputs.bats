#!/usr/bin/env bats
# -o, --push and --load, and other flags of key=value: what is said has its effect or is refused before anything runs.
bats_require_minimum_version 1.5.0
load helper
setup_file() { base_setup; }

two_files() {
    cat >Dockerfile <<'END'
FROM busybox
RUN echo one >/one && touch -d @1700000000 /one
COPY Dockerfile /two
END
}

# Refused with exit code 2 and these words: refused 'words' flags…
refused() {
    local words=$1
    shift
    run build "$@" .
    [ "$status" -eq 2 ] || { echo "$*: exit $status: $output"; return 1; }
    [[ "$output" == *"$words"* ]] || { echo "$*: $output"; return 1; }
}

# The manifest, the config and the first layer's blob of the layout "out".
manifest() { echo "out/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' out/index.json)"; }
config() { echo "out/blobs/sha256/$(jq -r '.config.digest[7:]' "$(manifest)")"; }
decompress() { zstd -dc "$1" 2>/dev/null || gzip -dc "$1"; }
layer() { echo "out/blobs/sha256/$(jq -r ".layers[$1].digest[7:]" "$(manifest)")"; }

@test "a build says what it wrote and where, and what to look at it with" {
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    echo hello >f
    run -0 build -o out .
    [[ "$output" == *" 1 step ran, 0 cached   6 B new"*"wrote out/: 1 file, 6 B"*"next: ls out" ]]
    run -0 build -o type=tar,dest=f.tar .
    [[ "$output" == *"wrote f.tar: 1 file, $(size f.tar)"*"next: tar -tf f.tar" ]]
    run -0 build -o type=oci,dest=x.tar .
    [[ "$output" == *"wrote x.tar: $(size x.tar), OCI"*"next: varve load x.tar" ]]
    run -0 build -o type=oci,dest=x,tar=false .
    [[ "$output" == *"wrote x/: "*" kB, OCI"* ]]
    printf 'FROM busybox\nRUN mkdir /d && touch /d/a /d/b && ln -s a /d/c\n' >Dockerfile
    run -0 build -o tree .
    [[ "$output" == *"wrote tree/: $(find tree -type f | wc -l) files, "* ]]
}

# As text_size() has it, of a file of less than 10 MB.
size() { stat -c %s "$1" | awk '{ if ($1 < 9995) printf "%.1f kB", $1 / 1000; else if ($1 < 999500) printf "%.0f kB", $1 / 1000; else printf "%.1f MB", $1 / 1000000 }'; }

@test "commands to run next take any path" {
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    echo hello >f
    for out in 'a b' "it's" -x '$x' 'a;b'; do
        run -0 build -o "type=local,\"dest=$out\"" .
        command=${lines[-1]#next: }
        [ "$(eval "$command")" = f ] || { echo "$command"; false; }
        run -0 build -o "type=tar,\"dest=$out.tar\"" .
        command=${lines[-1]#next: }
        [ "$(eval "$command")" = f ] || { echo "$command"; false; }
        run -2 build -o "type=tar,\"dest=no $out/x.tar\"" .
        command=${lines[-1]#next: }
        eval "$command"
        [ -d "no $out" ]
    done
}

@test "attributes that an output does not use are refused, with what it does take" {
    printf 'FROM busybox\nRUN touch /ran && false\n' >Dockerfile
    refused "dest does not apply to type=image" -o type=image,dest=x
    [[ "$output" == *"next: type=image takes name, push,"* ]]
    refused "push does not apply to type=oci, only to image, registry" -o type=oci,dest=x,push=true
    refused "compression does not apply to type=local" -o type=local,dest=x,compression=zstd
    refused "there is no gzip level 99 (0 to 12)" -o type=oci,dest=x,compression-level=99
    refused "push-by-digest needs push=true" -o type=image,push-by-digest=true
    refused "outputs go to stdout; only one can" -o - -o type=oci
    refused "there is no directory no/such" -o type=oci,dest=no/such/x.tar
    refused "there is no name to push to" --push
    refused "rewrite-timestamp=true does not say which time" -o type=oci,dest=x,rewrite-timestamp=true
    refused "two outputs disagree" -o type=oci,dest=x,source-date-epoch=1 -o type=docker,dest=y
}

@test "an output's own time gives a sound image that is of that time" {
    two_files
    build -o type=oci,tar=false,dest=out,source-date-epoch=1600000000 .
    [ "$(jq -r .created "$(config)")" = 2020-09-13T12:26:40Z ]
    n=$(jq '.layers | length' "$(manifest)")
    for i in 1 2; do
        [ "sha256:$(gzip -dc "$(layer $((n - i)))" | sha256sum | cut -d' ' -f1)" = "$(jq -r ".rootfs.diff_ids[$((n - i))]" "$(config)")" ]
    done
    [ "$(TZ=UTC tar -tvzf "$(layer $((n - 2)))" --full-time one | awk '{print $4}')" = 2020-09-13 ]
}

@test "rewrite-timestamp=false leaves the files their times" {
    two_files
    build -o type=oci,tar=false,dest=out,source-date-epoch=1600000000,rewrite-timestamp=false .
    n=$(jq '.layers | length' "$(manifest)")
    [ "$(jq -r .created "$(config)")" = 2020-09-13T12:26:40Z ]
    [ "$(TZ=UTC tar -tvzf "$(layer $((n - 2)))" --full-time one | awk '{print $4}')" = 2023-11-14 ]
    [ "sha256:$(gzip -dc "$(layer $((n - 2)))" | sha256sum | cut -d' ' -f1)" = "$(jq -r ".rootfs.diff_ids[$((n - 2))]" "$(config)")" ]
}

@test "an image whose files got other times is saved and pushed with these" {
    two_files
    build -q -o type=image,name=x:1,source-date-epoch=1600000000,rewrite-timestamp=true .
    host=$("$TESTBED/registry.sh" start "$BATS_TEST_TMPDIR/reg")
    varve tag x:1 "$host/x:1"
    varve save -o x.tar x:1
    status=0
    { varve push --compression zstd "$host/x:1" && VARVE_ROOT=$PWD/other varve pull "$host/x:1" &&
        VARVE_ROOT=$PWD/other varve save -o y.tar "$host/x:1"; } || status=$?
    "$TESTBED/registry.sh" stop "$BATS_TEST_TMPDIR/reg"
    [ "$status" -eq 0 ]
    for f in x y; do
        rm -rf out
        mkdir out && tar -xf $f.tar -C out
        n=$(jq '.layers | length' "$(manifest)")
        for i in 1 2; do
            [ "sha256:$(decompress "$(layer $((n - i)))" | sha256sum | cut -d' ' -f1)" = "$(jq -r ".rootfs.diff_ids[$((n - i))]" "$(config)")" ]
        done
        [ "$(decompress "$(layer $((n - 2)))" | TZ=UTC tar -tv --full-time one | awk '{print $4}')" = 2020-09-13 ]
    done
}

@test "an empty source-date-epoch leaves files their times, the image its own" {
    two_files
    export SOURCE_DATE_EPOCH=1600000000
    build -o type=oci,tar=false,dest=out,source-date-epoch=,rewrite-timestamp=true .
    n=$(jq '.layers | length' "$(manifest)")
    [ "$(jq -r .created "$(config)")" = 2020-09-13T12:26:40Z ]
    [ "$(TZ=UTC tar -tvzf "$(layer $((n - 2)))" --full-time one | awk '{print $4}')" = 2023-11-14 ]
    build -o type=tar,dest=x.tar,source-date-epoch= .
    [ "$(TZ=UTC tar -tvf x.tar --full-time one | awk '{print $4}')" = 2023-11-14 ]
}

@test "without dest an archive goes to stdout, and a device or a pipe is written to, not replaced" {
    two_files
    build -o type=oci . | tar -t | grep -qx index.json
    mkfifo pipe
    tar -t <pipe >got &
    build -o type=tar,dest=pipe .
    wait $!
    grep -qx two got
    [ -p pipe ]
    ln -s real link
    : >real
    build -o type=tar,dest=link .
    [ -L link ]
    tar -tf real | grep -qx two
}

@test "an output has the build's tags and its own names" {
    two_files
    build -t one:1 -o '"name=two:2,one:1,three",type=oci,tar=false,dest=out' .
    [ "$(jq -r '[.manifests[].annotations["io.containerd.image.name"]] | join(" ")' out/index.json)" = \
        "docker.io/library/one:1 docker.io/library/two:2 docker.io/library/three:latest" ]
}

@test "hosts, secrets, agents and contexts that cannot be meant so are refused" {
    printf 'FROM busybox\n' >Dockerfile
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("agent")'
    refused "must be HOST:ADDRESS" --add-host ':=::1'
    refused "must be HOST:ADDRESS" --add-host 'db=192.0.2.7,nowhere'
    refused "a quote is misplaced" --secret 'id=a,src="x'
    refused "the id a is given twice" --ssh a=agent --ssh a=agent
    refused "no socket is named" --ssh a=
    refused "must be lower case" --build-context UPPER=.
    refused 'there is no limit called "files"' --ulimit files=1
    refused 'no name' --label =x
    refused "neither an operating system nor an architecture" --platform amd65
    run build --platform windows/amd64 .
    [ "$status" -ne 0 ]
    [[ "$output" == *"Dockerfile:1:6: error: images for windows/amd64 are not supported"* ]]
}

@test "the id is written whatever the output, and a filter for no stage is told" {
    two_files
    run build --iidfile id --no-cache-filter bulid -o type=cacheonly .
    [ "$status" -eq 0 ]
    [[ "$output" == *"--no-cache-filter bulid: there is no stage of this name"* ]]
    [ "$(cat id)" = "$(build -q .)" ]
}

@test "a layout is named by its tag, its digest or both" {
    two_files
    build -t seed:1 -o type=oci,tar=false,dest=out .
    digest=$(jq -r '.manifests[0].digest' out/index.json)
    printf 'FROM seed\n' >Dockerfile
    for ref in :1 "@$digest" ":1@$digest"; do
        build -o "tree$ref" --build-context "seed=oci-layout://$PWD/out$ref" .
        cmp "tree$ref/one" <(echo one)
    done
}

@test "several addresses of a host, and a secret's file with a comma in its name" {
    cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret,id=key grep -c 'db$' /etc/hosts >/hosts && cat /run/secrets/key >>/hosts
END
    echo value >'a,b'
    build --platform local --add-host 'db=192.0.2.7,[2001:db8::1]' --secret 'ID=key,"src=a,b"' -o out .
    [ "$(cat out/hosts)" = "$(printf '2\nvalue')" ]
}
