#!/usr/bin/env python3
"""Checks an OCI layout directory: every document against tests/data/schemas, every blob against its descriptor, every layer against its
diff_id, the history against the layers, and that nothing else lies about.

    validate.py LAYOUT

Needs python3-jsonschema, and the zstd program for zstd layers.
"""
import gzip
import hashlib
import json
import os
import subprocess
import sys

import jsonschema

SCHEMAS = os.path.join(os.path.dirname(__file__), "..", "data", "schemas")


def load(name):
    with open(os.path.join(SCHEMAS, name + ".json")) as f:
        return json.load(f)


DESCRIPTOR = load("descriptor")


def inline(schema):
    """Replaces references to the descriptor by its schema."""
    if isinstance(schema, list):
        return [inline(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") == "descriptor":
        return DESCRIPTOR
    return {k: inline(v) for k, v in schema.items()}


def check(document, kind):
    jsonschema.validate(document, inline(load(kind)))


class Layout:
    def __init__(self, folder):
        self.folder = folder
        self.seen = set()

    def blob(self, d):
        self.seen.add(d["digest"][7:])
        with open(os.path.join(self.folder, "blobs", "sha256", d["digest"][7:]), "rb") as f:
            data = f.read()
        assert len(data) == d["size"], f"{d['digest']} has {len(data)} bytes, not {d['size']}"
        assert hashlib.sha256(data).hexdigest() == d["digest"][7:], f"{d['digest']} has other bytes"
        return data

    def manifest(self, d):
        document = json.loads(self.blob(d))
        if "manifests" in document:
            check(document, "index")
            for child in document["manifests"]:
                self.manifest(child)
            return
        check(document, "manifest")
        assert document["mediaType"] == d["mediaType"], "the descriptor has another media type than the manifest"
        config = json.loads(self.blob(document["config"]))
        check(config, "config")
        diff_ids = config["rootfs"]["diff_ids"]
        assert len(diff_ids) == len(document["layers"]), "diff_ids and layers differ in number"
        full = [h for h in config.get("history", []) if not h.get("empty_layer")]
        assert len(full) == len(diff_ids), f"{len(full)} entries of history for {len(diff_ids)} layers"
        for layer, diff_id in zip(document["layers"], diff_ids):
            plain = unpacked(self.blob(layer), layer["mediaType"])
            assert "sha256:" + hashlib.sha256(plain).hexdigest() == diff_id, f"{layer['digest']} is not {diff_id}"
            assert len(plain) % 512 == 0, f"{layer['digest']} is no tar"


def unpacked(data, media_type):
    if media_type.endswith("gzip"):
        return gzip.decompress(data)
    if media_type.endswith("zstd"):
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def main():
    layout = Layout(sys.argv[1])
    with open(os.path.join(layout.folder, "oci-layout")) as f:
        check(json.load(f), "layout")
    with open(os.path.join(layout.folder, "index.json")) as f:
        index = json.load(f)
    check(index, "index")
    assert index["manifests"], "the index names nothing"
    for d in index["manifests"]:
        layout.manifest(d)
    left = set(os.listdir(os.path.join(layout.folder, "blobs", "sha256"))) - layout.seen
    assert not left, f"blobs that nothing names: {left}"
    print("valid")


if __name__ == "__main__":
    main()
