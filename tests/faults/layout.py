#!/usr/bin/env python3
"""Makes OCI image layouts that no builder would make (Python's standard library, and the zstd program for zstd layers).

    layout.py OUT [--base LAYOUT] [--layer TAR[:gzip|zstd|none]]... [--docker] [--index PLATFORM]...
              [--break size|digest|diff-id|truncate|garbage]
    layout.py OUT --base LAYOUT --each FOLDER      one layout OUT/NAME for each FOLDER/NAME.tar

OUT gets the layers of LAYOUT (with its config), then one for each --layer. --docker gives Docker's media types instead of OCI's. With
--index the tag names an image index with a manifest for each platform, whose configs differ in a PLATFORM variable and a layer that holds
/platform. --break makes the last layer wrong: its descriptor's size or digest, the config's diff_id, its bytes cut off, or bytes
that are no archive at all.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
TYPES = {
    False: {"index": OCI + "index.v1+json", "manifest": OCI + "manifest.v1+json", "config": OCI + "config.v1+json",
            "none": OCI + "layer.v1.tar", "gzip": OCI + "layer.v1.tar+gzip", "zstd": OCI + "layer.v1.tar+zstd"},
    True: {"index": DOCKER + "distribution.manifest.list.v2+json", "manifest": DOCKER + "distribution.manifest.v2+json",
           "config": DOCKER + "container.image.v1+json", "none": DOCKER + "image.rootfs.diff.tar",
           "gzip": DOCKER + "image.rootfs.diff.tar.gzip", "zstd": DOCKER + "image.rootfs.diff.tar.zstd"},
}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    def __init__(self, out, docker):
        self.out = out
        self.types = TYPES[docker]
        os.makedirs(os.path.join(out, "blobs", "sha256"))

    def put(self, data, digest=None):
        digest = digest or sha256(data)
        with open(os.path.join(self.out, "blobs", "sha256", digest[7:]), "wb") as f:
            f.write(data)
        return digest

    def put_json(self, value, kind):
        data = json.dumps(value).encode()
        return {"mediaType": self.types[kind], "digest": self.put(data), "size": len(data)}

    def finish(self, descriptor):
        descriptor = dict(descriptor, annotations={"org.opencontainers.image.ref.name": "latest"})
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [descriptor]}
        with open(os.path.join(self.out, "index.json"), "w") as f:
            json.dump(index, f)
        with open(os.path.join(self.out, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')


def compress(data, how):
    if how == "none":
        return data
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return gzip.compress(data, 1, mtime=0)


def read_base(folder):
    def blob(digest):
        with open(os.path.join(folder, "blobs", "sha256", digest[7:]), "rb") as f:
            return f.read()

    with open(os.path.join(folder, "index.json")) as f:
        manifest = json.loads(blob(json.load(f)["manifests"][0]["digest"]))
    return json.loads(blob(manifest["config"]["digest"])), [blob(d["digest"]) for d in manifest["layers"]]


def small_tar(name, text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        t.addfile(info, io.BytesIO(text))
    return out.getvalue()


def add_image(layout, config, base_layers, layers, wrong=None):
    """layers: (tar bytes, compression). Returns the manifest's descriptor."""
    config = json.loads(json.dumps(config))
    descriptors = [{"mediaType": layout.types["gzip"], "digest": layout.put(b), "size": len(b)} for b in base_layers]
    for i, (tar, how) in enumerate(layers):
        bad = wrong if i == len(layers) - 1 else None
        diff_id = "sha256:" + "5" * 64 if bad == "diff-id" else sha256(tar)
        data = compress(tar, how)
        data = data[:len(data) // 2] if bad == "truncate" else b"this is no archive" * 99 if bad == "garbage" else data
        digest = layout.put(data, "sha256:" + "6" * 64 if bad == "digest" else None)
        size = len(data) + (7 if bad == "size" else 0)
        descriptors.append({"mediaType": layout.types[how], "digest": digest, "size": size})
        config["rootfs"]["diff_ids"].append(diff_id)
        config.setdefault("history", []).append({"created_by": "layout.py"})
    return layout.put_json({"schemaVersion": 2, "mediaType": layout.types["manifest"],
                            "config": layout.put_json(config, "config"), "layers": descriptors}, "manifest")


def add_platforms(layout, config, base_layers, layers, platforms):
    manifests = []
    for text in platforms:
        platform = dict(zip(("os", "architecture", "variant"), text.split("/")))
        mine = dict(config, **platform)
        mine["config"] = dict(config.get("config", {}))
        mine["config"]["Env"] = mine["config"].get("Env", []) + ["PLATFORM=" + text]
        own = layers + [(small_tar("platform", text.encode()), "gzip")]
        manifests.append(dict(add_image(layout, mine, base_layers, own), platform=platform))
    return layout.put_json({"schemaVersion": 2, "mediaType": layout.types["index"], "manifests": manifests}, "index")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--base")
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--each")
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--index", action="append", default=[])
    parser.add_argument("--break", dest="wrong", choices=["size", "digest", "diff-id", "truncate", "garbage"])
    o = parser.parse_args()
    if o.each:
        for name in os.listdir(o.each):
            make(argparse.Namespace(**dict(vars(o), out=os.path.join(o.out, name[:-4]), layer=[os.path.join(o.each, name)])))
    else:
        make(o)


def make(o):
    shutil.rmtree(o.out, ignore_errors=True)
    layout = Layout(o.out, o.docker)
    config, base = {"architecture": "amd64", "os": "linux", "config": {},
                    "rootfs": {"type": "layers", "diff_ids": []}}, []
    if o.base:
        config, base = read_base(o.base)
    layers = []
    for layer in o.layer:
        path, _, how = layer.partition(":")
        with open(path, "rb") as f:
            layers.append((f.read(), how or "gzip"))
    if o.index:
        layout.finish(add_platforms(layout, config, base, layers, o.index))
    else:
        layout.finish(add_image(layout, config, base, layers, o.wrong))


if __name__ == "__main__":
    main()
