#!/usr/bin/env bats
# Images judged by programs that are not ours: skopeo, umoci, runc, a Docker engine, the OCI schemas.
load robust
bats_require_minimum_version 1.5.0

# One image with everything that layers can hold, pushed once; all tests look at it.
setup_file() {
    base_setup
    export SHARED=$BATS_FILE_TMPDIR
    export VARVE_ROOT=$SHARED/store
    REGISTRY=$("$BATS_TEST_DIRNAME/../testbed/registry.sh" start "$SHARED/registry")
    export REGISTRY
    mkdir -p "$SHARED/ctx/tree/sub"
    cd "$SHARED/ctx"
    : >"tree/$(printf 'long-name-%.0s' $(seq 20))"
    mkdir -p "tree/$(printf 'deep/%.0s' $(seq 60))"
    : >$'tree/b\xc3\xa4h'
    : >$'tree/not-utf8-\xff'
    echo content >tree/file
    ln -s file tree/link
    ln -s /nowhere tree/dangling
    truncate -s 3M tree/sparse
    chmod 4755 tree/file
    cat >Dockerfile <<'EOF2'
FROM busybox AS made
RUN echo one >/one && ln /one /two && mkfifo /fifo && mkdir -m 1777 /sticky && touch -d '1970-01-02 00:00:00' /old && chown 1000:33 /one
FROM busybox
LABEL org.example.name="everything" org.example.quote="a \"b\""
ENV PORT=8080 GREETING="hello world"
ARG VERSION=1.2
EXPOSE 8080 53/udp
WORKDIR /srv
COPY tree /tree
COPY --from=made / /made/
RUN rm /made/bin/sh && rm -rf /made/etc && mkdir /made/etc && echo new >/made/etc/only && mv /tree/sub /tree/moved
RUN echo "$GREETING from $VERSION" >/srv/index.html && chown app /srv && rm -rf /var/tmp && echo replaced >/var/tmp
COPY --chown=app:app --chmod=640 tree/file /srv/owned
VOLUME /data
USER app
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1s --timeout=2s --start-period=5s CMD wget -q -O /dev/null "http://127.0.0.1:$PORT/"
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["exec httpd -f -p 127.0.0.1:$PORT -h /srv"]
EOF2
    everything() { "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" "$@" .; }
    {
        everything -t "$REGISTRY/judged/app:1" --push --annotation org.example.a=b
        everything -o type=local,dest="$SHARED/truth"
        everything -o type=oci,dest="$SHARED/oci.tar" -t judged:1
        everything -o type=docker,dest="$SHARED/docker.tar" -t judged:docker
    } >"$SHARED/log" 2>&1 || { cat "$SHARED/log"; return 1; }
}

teardown_file() {
    "$BATS_TEST_DIRNAME/../testbed/registry.sh" stop "$SHARED/registry"
}

setup() {
    export NO_COLOR=1 LC_ALL=C.UTF-8 VARVE_ROOT=$SHARED/store
    unset SOURCE_DATE_EPOCH DOCKER_HOST
    cd "$BATS_TEST_TMPDIR" || return 1
    WHOLE=docker://$REGISTRY/judged/app:1
}

teardown() {
    [ -z "${CONTAINER:-}" ] || docker rm -f "$CONTAINER" >/dev/null 2>&1 || true
    engine_stop
}

# Types, modes, owners, sizes, link targets and contents of a tree; hard links as their number.
listing() {
    (cd "$1" && find . -mindepth 1 ! -path './dev/*' ! -path './data' \
        \( -type d -printf '%p %y %m %U:%G\n' -o -type l -printf '%p %y %l %U:%G\n' -o -printf '%p %y %m %U:%G %s %n %Ts\n' \) | LC_ALL=C sort &&
        find . -type f ! -path './dev/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

same_tree() {
    listing "$SHARED/truth" >truth
    listing "$1" >got
    diff truth got
}

# A python3 that has jsonschema.
schema_python() {
    local p
    for p in python3 /usr/bin/python3; do "$p" -c 'import jsonschema' 2>/dev/null && { echo "$p"; return; }; done
    echo "python3-jsonschema is not installed; run tests/testbed/packages.sh test" >&2
    return 1
}

@test "skopeo inspects the pushed image" {
    run -0 skopeo inspect --tls-verify=false "$WHOLE"
    echo "$output" | jq -e '.Labels["org.example.quote"] == "a \"b\"" and .Architecture != "" and .Os == "linux"' >/dev/null
    [ "$(echo "$output" | jq '.Layers | length')" -eq "$(skopeo inspect --tls-verify=false --raw "$WHOLE" | jq '.layers | length')" ]
    run -0 skopeo inspect --tls-verify=false --config "$WHOLE"
    echo "$output" | jq -e '.config.User == "app" and .config.WorkingDir == "/srv" and .config.StopSignal == "SIGINT"' >/dev/null
    [ "$(skopeo inspect --tls-verify=false --raw "$WHOLE" | jq -r '.annotations["org.example.a"]')" = b ]
}

@test "skopeo copies it into every kind of place, digests kept" {
    digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "$WHOLE")
    skopeo copy -q --preserve-digests --src-tls-verify=false "$WHOLE" oci:layout:1
    skopeo copy -q --preserve-digests --src-tls-verify=false "$WHOLE" dir:folder
    skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false "$WHOLE" "docker://$REGISTRY/judged/copy:2"
    [ "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/judged/copy:2")" = "$digest" ]
    skopeo copy -q "oci-archive:$SHARED/oci.tar" dir:from-oci
    skopeo copy -q "docker-archive:$SHARED/docker.tar" dir:from-docker
    skopeo copy -q --src-tls-verify=false "$WHOLE" docker-archive:again.tar:judged:3
}

@test "config, manifest, index and layout validate against the schemas" {
    python=$(schema_python)
    skopeo copy -q --preserve-digests --src-tls-verify=false "$WHOLE" oci:pushed:1
    mkdir oci docker
    tar -C oci -xf "$SHARED/oci.tar"
    tar -C docker -xf "$SHARED/docker.tar"
    [ "$("$python" "$FAULTS/validate.py" pushed)" = valid ]
    [ "$("$python" "$FAULTS/validate.py" oci)" = valid ]
    # The same with other compressions, media types and an image without layers.
    cd "$SHARED/ctx"
    kinds=("type=oci,compression=zstd" "type=oci,compression=uncompressed" "type=oci,compression=gzip,compression-level=9,force-compression=true")
    for kind in "${kinds[@]}"; do
        "$VARVE" build -q --build-context "busybox=oci-layout://$BASES/busybox-oci" -o "$kind,tar=false,dest=$BATS_TEST_TMPDIR/kind" .
        [ "$("$python" "$FAULTS/validate.py" "$BATS_TEST_TMPDIR/kind")" = valid ] || { echo "$kind"; return 1; }
        rm -rf "$BATS_TEST_TMPDIR/kind"
    done
    # The validator can fail.
    cd "$BATS_TEST_TMPDIR"
    sed -i 's/"schemaVersion":2/"schemaVersion":3/' oci/index.json
    run "$python" "$FAULTS/validate.py" oci
    [ "$status" -ne 0 ]
}

@test "umoci unpacks it to the same tree, and runc runs it" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    skopeo copy -q --src-tls-verify=false "$WHOLE" oci:layout:1
    umoci unpack --image layout:1 bundle
    same_tree bundle/rootfs
    jq '.process.terminal = false | .process.args = ["/bin/sh", "-c", "id -u; pwd; cat index.html; echo $GREETING; ls -l /made/two | cut -d\" \" -f1; [ ! -e /made/etc/passwd ] && cat /made/etc/only /var/tmp"]
        | .linux.namespaces |= map(select(.type != "cgroup" and .type != "network")) | del(.linux.resources)' bundle/config.json >config
    mv config bundle/config.json
    run -0 runc --root "$BATS_TEST_TMPDIR/runc" run --bundle bundle "judged-$$"
    [ "$(sed -n 1p <<<"$output")" = 1000 ]
    [ "$(sed -n 2p <<<"$output")" = /srv ]
    [[ "$output" == *"hello world from 1.2"*"hello world"*"-rw"*"new"*"replaced"* ]]
}

# A Docker engine of our own: its process, data and socket are below ENGINE.
engine_start() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    command -v dockerd >/dev/null || skip "dockerd is not installed; run tests/testbed/packages.sh test"
    ENGINE=$(mktemp -d /tmp/vengine.XXXXXX)
    echo "{}" >"$ENGINE/none.json"
    setpriv --pdeathsig TERM dockerd --config-file "$ENGINE/none.json" --data-root "$ENGINE/data" --exec-root "$ENGINE/exec" --pidfile "$ENGINE/pid" \
        --host "unix://$ENGINE/sock" --iptables=false --ip6tables=false --bridge=none --insecure-registry "$REGISTRY" \
        >"$ENGINE/log" 2>&1 3>&- &
    ENGINE_PID=$!
    export DOCKER_HOST=unix://$ENGINE/sock DOCKER_CONFIG=$ENGINE/config
    for _ in $(seq 150); do
        docker version >/dev/null 2>&1 && return 0
        kill -0 "$ENGINE_PID" 2>/dev/null || break
        sleep 0.2
    done
    tail -5 "$ENGINE/log"
    return 1
}

engine_stop() {
    [ -n "${ENGINE:-}" ] || return 0
    end_process "$ENGINE_PID"
    # What the engine leaves mounted, the innermost first.
    awk -v d="$ENGINE/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount
    rm -rf "$ENGINE"
    ENGINE=
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

@test "a Docker engine pulls it, runs it, reports it healthy, and takes archives and --load" {
    engine_start || return 1
    docker pull -q "$REGISTRY/judged/app:1"
    id=$("$VARVE" inspect "$REGISTRY/judged/app:1" | jq -r '.[0].Id')
    [ "$(docker image inspect --format '{{.Id}}' "$REGISTRY/judged/app:1")" = "$id" ]
    port=$(free_port)
    CONTAINER=$(docker run -d --network=host -e PORT="$port" "$REGISTRY/judged/app:1")
    state=
    for _ in $(seq 75); do
        state=$(docker inspect --format '{{.State.Health.Status}}' "$CONTAINER")
        [ "$state" = healthy ] && break
        sleep 0.2
    done
    [ "$state" = healthy ] || { docker inspect "$CONTAINER" | jq '.[0].State'; docker logs "$CONTAINER"; return 1; }
    [ "$(curl -s --noproxy '*' "http://127.0.0.1:$port/")" = "hello world from 1.2" ]
    docker rm -f "$CONTAINER" >/dev/null
    CONTAINER=

    # What a container has is what -o gave.
    CONTAINER=$(docker create "$REGISTRY/judged/app:1")
    mkdir exported
    docker export "$CONTAINER" | tar -C exported --anchored --exclude=dev --exclude=.dockerenv --exclude=etc/hosts \
        --exclude=etc/hostname --exclude=etc/resolv.conf --exclude=etc/mtab -xf -
    listing "$SHARED/truth" | grep -av -e '\./dev ' >truth
    listing exported | grep -av -e '\./dev ' >got
    diff truth got
    docker rm "$CONTAINER" >/dev/null
    CONTAINER=

    docker load -q -i "$SHARED/docker.tar"
    [ "$(docker image inspect --format '{{.Id}}' judged:docker)" = "$id" ]
    # And back: what docker save writes is the same image here.
    docker save judged:docker | VARVE_ROOT=$BATS_TEST_TMPDIR/loaded "$VARVE" load -q >back
    [ "$(cat back)" = "$id" ]
    "$VARVE" save judged:docker | docker load -q
    docker rmi -f "$id" >/dev/null 2>&1 || true

    cd "$SHARED/ctx"
    run -0 "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" --load -t judged:loaded .
    [ "$(docker image inspect --format '{{.Id}}' judged:loaded)" = "$id" ]
    # Stopped in the middle, the engine is at fault, not the image.
    engine_stop
    run "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" --load -t judged:loaded .
    [ "$status" -eq 4 ]
    [[ "$output" == *"Docker engine"*"next: "* ]]
}

@test "our own pull of what was pushed gives the same image and the same tree" {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/other
    [ "$("$VARVE" pull -q "$REGISTRY/judged/app:1")" = "$(VARVE_ROOT=$SHARED/store "$VARVE" inspect "$REGISTRY/judged/app:1" | jq -r '.[0].Id')" ]
    mkdir ctx
    printf 'FROM %s\n' "$REGISTRY/judged/app:1" >ctx/Dockerfile
    "$VARVE" build -q -o tree ctx
    same_tree tree
    clean_store
}
