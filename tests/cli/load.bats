#!/usr/bin/env bats
# varve load and save: archives of docker save, old and new, and OCI layouts.
load helper
bats_require_minimum_version 1.5.0

# One image as everything that it can be handed over as.
setup_file() {
    seed_setup
    printf 'FROM busybox\nCOPY a /a\nCMD ["cat", "/a"]\n' >Dockerfile
    echo hello >a
    {
        VARVE_ROOT=$SEED "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" \
            -t app:1 -t 127.0.0.1:9/team/app:stable -o type=docker,dest="$SEED.docker.tar" .
        VARVE_ROOT=$SEED "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" \
            -o type=oci,dest="$SEED.layout",tar=false .
        skopeo --insecure-policy copy -q "oci:$SEED.layout" "docker-archive:$SEED.old.tar:app:old"
    } >log 2>&1 || { cat log; return 1; }
}

@test "every name of an archive is loaded, and the image runs" {
    run -0 "$VARVE" load "$SEED.docker.tar"
    [[ "$output" == *"loaded app:1 (linux/"* && "$output" == *"loaded 127.0.0.1:9/team/app:stable "* ]]
    [[ "$output" == *"next: varve run app:1"* ]]
    [ "$(image_id app:1)" = "$(VARVE_ROOT=$SEED image_id app:1)" ]
    run -0 --separate-stderr "$VARVE" run 127.0.0.1:9/team/app:stable
    [ "$output" = hello ]
    run -0 "$VARVE" fsck
}

@test "an archive comes on stdin, compressed; -q prints ids alone" {
    run -0 --separate-stderr bash -c 'gzip -c "$1" | "$2" load -q' - "$SEED.docker.tar" "$VARVE"
    [ "$output" = "$(image_id app:1)" ]
    [ -z "$stderr" ]
}

@test "an archive of old docker save is loaded and pushed on with its layers" {
    run -0 "$VARVE" load -i "$SEED.old.tar"
    [[ "$output" == *"loaded app:old "* ]]
    run -0 --separate-stderr "$VARVE" run app:old
    [ "$output" = hello ]
    run -0 "$VARVE" build --progress=plain -o type=oci,dest=again.tar - <<<'FROM app:old'
    mkdir again && tar -xf again.tar -C again
    run -0 skopeo inspect --config "oci:again"
    [[ "$output" == *'"cat"'* ]]
}

@test "a layout without names gets one from --tag, and a build may begin with it" {
    run -0 "$VARVE" load "$SEED.layout"
    [[ "$output" == *"it has no name yet: varve tag "* ]]
    run -0 "$VARVE" load -t base:7 "$SEED.layout"
    run -0 "$VARVE" build --progress=plain --pull=never -t new:1 - <<<$'FROM base:7\nRUN test "$(cat /a)" = hello'
    run -2 "$VARVE" load -t x@sha256:0000000000000000000000000000000000000000000000000000000000000000 "$SEED.layout"
    [[ "$output" == *"a name cannot contain a digest"* ]]
}

# refused WORDS FILE…: loading it into an empty store fails with these words, and leaves no image.
refused() {
    local words=$1
    shift
    export VARVE_ROOT=$BATS_TEST_TMPDIR/refused
    rm -rf "$VARVE_ROOT"
    run -1 "$VARVE" load "$@"
    [[ "$output" == *"$words"* ]] || { echo "$output"; return 1; }
    [ -z "$("$VARVE" images -q)" ]
    "$VARVE" fsck >/dev/null
}

@test "what cannot be loaded says so and leaves no image" {
    refused "does not contain an image for linux/s390x" --platform linux/s390x "$SEED.docker.tar"
    refused "cannot read the image archive" "$BATS_TEST_DIRNAME/load.bats"
    refused "cannot open nowhere.tar" nowhere.tar
    head -c $(($(stat -c %s "$SEED.docker.tar") / 2)) "$SEED.docker.tar" >half.tar
    refused "half.tar" half.tar
    tar -cf empty.tar -T /dev/null
    refused "empty.tar: the archive has neither index.json nor manifest.json" empty.tar
    cp -r "$SEED.layout" damaged
    for b in damaged/blobs/sha256/*; do
        [ "$(stat -c %s "$b")" -lt 10000 ] || printf x | dd of="$b" bs=1 seek=5000 conv=notrunc status=none
    done
    refused "cannot unpack damaged: the content has digest" damaged
    mkdir lacking && tar -xf "$SEED.docker.tar" -C lacking
    jq -c '.manifests += [.manifests[0] | .annotations = {} | .digest = "sha256:" + ("0" * 64)]' lacking/index.json >index
    mv index lacking/index.json
    refused "lacking" lacking
    run -2 "$VARVE" load -i a b
    [[ "$output" == *"only one can be loaded"* ]]
}

@test "save writes what load and skopeo take: several images, each with the names asked for, shared layers once" {
    run -0 "$VARVE" load -q "$SEED.docker.tar"
    run -0 "$VARVE" build --progress=plain -t other:2 - <<<$'FROM app:1\nRUN echo more >/b'
    run -0 "$VARVE" save -o all.tar app:1 other:2 127.0.0.1:9/team/app:stable
    [[ "$output" == *"saved 2 images to all.tar: "*"next: varve load all.tar"* ]]
    [ "$(tar -tf all.tar | sort | uniq -d)" = "" ]
    [ "$(tar -xOf all.tar manifest.json | jq -c '[.[].RepoTags | sort]')" = '[["127.0.0.1:9/team/app:stable","app:1"],["other:2"]]' ]
    run -0 skopeo inspect docker-archive:all.tar:other:2
    VARVE_ROOT=$BATS_TEST_TMPDIR/second
    run -0 --separate-stderr bash -c '"$1" --root "$2" save app:1 other:2 | "$1" load' - "$VARVE" "$BATS_TEST_TMPDIR/store"
    run -0 --separate-stderr "$VARVE" run other:2 cat /a /b
    [ "$output" = $'hello\nmore' ]
    run -0 "$VARVE" fsck
}

@test "save by id gives no name; an unknown image and a terminal are refused" {
    run -0 "$VARVE" load -q "$SEED.docker.tar"
    run -0 "$VARVE" save -o id.tar "$output"
    [ "$(tar -xOf id.tar manifest.json | jq -c '.[0].RepoTags')" = '[]' ]
    run -1 "$VARVE" save -o none.tar missing:1
    [[ "$output" == *"no such image: missing:1"* ]]
    [ ! -e none.tar ]
    run -2 script -qec "$VARVE save app:1" /dev/null
    [[ "$output" == *"stdout is a terminal"* ]]
}

@test "an image of more layers than overlayfs takes is refused before it is unpacked" {
    python3 - many <<'PY'
import hashlib, io, json, os, sys, tarfile
top = sys.argv[1]
os.makedirs(top + "/blobs/sha256")
def put(data, kind=None):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{top}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}
def layer(n):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(f"f{n}"))
    return put(data.getvalue(), "layer.v1.tar")
layers = [layer(n) for n in range(501)]
config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [l["digest"] for l in layers]}}
manifest = {"schemaVersion": 2, "config": put(json.dumps(config).encode(), "config.v1+json"), "layers": layers}
manifest["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
index = {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode(), "manifest.v1+json")]}
for name, value in ("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"}):
    with open(f"{top}/{name}", "w") as f:
        json.dump(value, f)
PY
    run "$VARVE" load many
    [ "$status" -eq 1 ]
    [[ "$output" == *"501 layers"*"overlayfs takes 500"* ]]
    [ -z "$(ls "$VARVE_ROOT/layers")" ]
}
