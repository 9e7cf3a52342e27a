#!/usr/bin/env python3
"""Changes what a local cache says of its layers and records: cachelies.py LIE FROM TO. Needs zstd. TO becomes a copy of FROM, whose
newest segment lies. Without arguments the lies are listed. What a record's layers are is for the cache to say, so only such lies
are here as can be found out, by digests, by limits or when files come."""
import hashlib
import json
import os
import shutil
import subprocess
import sys


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def name_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def own(s):
    """The layers that builds made."""
    return [layer for layer in s["layers"] if not layer.get("base")]


def swap(s, *members):
    a, b = own(s)[:2]
    for m in members:
        a[m], b[m] = b[m], a[m]


def change(layers, part, **members):
    for layer in layers:
        layer[part].update(members)


def each_index(s, make):
    for layer in own(s):
        layer["index"] = make(layer)


def each_record(s, make):
    for r in s["records"]:
        r["layers"] = make(r["layers"])


LIES = {
    "another-index": lambda s: swap(s, "index"),
    "another-blob": lambda s: swap(s, "blob"),
    "another-diff-id": lambda s: swap(s, "diffId"),
    "another-blob-and-diff-id": lambda s: swap(s, "blob", "diffId"),
    "one-index-for-all": lambda s: each_index(s, lambda layer: own(s)[0]["index"]),
    "index-is-blob": lambda s: each_index(s, lambda layer: dict(layer["blob"])),
    "blob-is-index": lambda s: [layer.update(blob=dict(layer["index"])) for layer in own(s)],
    "base-is-own": lambda s: [layer.update(base=False) for layer in s["layers"]],
    "own-is-base": lambda s: [layer.update(base=True) for layer in s["layers"]],
    "wrong-order": lambda s: each_record(s, lambda layers: layers[::-1]),
    "twice": lambda s: each_record(s, lambda layers: layers * 2),
    "no-such-layer": lambda s: each_record(s, lambda layers: [99999]),
    "another-platform": lambda s: [r.update(platform="linux/arm64") for r in s["records"]],
    "content": lambda s: [r.update(content="sha256:" + "ab" * 32) for r in s["records"]],
    "blob-size": lambda s: change(s["layers"], "blob", size=5),
    "blob-size-2^62": lambda s: change(s["layers"], "blob", size=1 << 62),
    "index-size": lambda s: change(own(s), "index", size=5),
    "index-size-2^62": lambda s: change(own(s), "index", size=1 << 62),
    "negative": lambda s: [layer.update(bytes=-5) for layer in own(s)],
    "type": lambda s: change(own(s), "blob", mediaType="application/vnd.oci.image.layer.v1.tar+zstd"),
    "no-type": lambda s: change(own(s), "blob", mediaType="text/plain"),
    "variant": lambda s: [layer.update(variant="none") for layer in own(s)],
}


def main():
    if len(sys.argv) < 4:
        print("\n".join(LIES))
        return
    lie, source, folder = sys.argv[1:]
    shutil.copytree(source, folder)

    def blob(digest):
        return os.path.join(folder, "blobs", *digest.split(":"))

    def put(data):
        with open(blob(name_of(data)), "wb") as f:
            f.write(data)
        return {"digest": name_of(data), "size": len(data)}

    with open(os.path.join(folder, "index.json")) as f:
        entry = json.load(f)["manifests"][-1]
    with open(blob(entry["digest"])) as f:
        manifest = json.load(f)
    with open(blob(manifest["config"]["digest"]), "rb") as f:
        segment = json.loads(zstd(f.read(), "-d"))
    LIES[lie](segment)
    text = json.dumps(segment).encode()
    manifest["config"].update(put(zstd(text, f"--stream-size={len(text)}")))
    entry.update(put(json.dumps(manifest).encode()))
    with open(os.path.join(folder, "index.json"), "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, f)


main()
