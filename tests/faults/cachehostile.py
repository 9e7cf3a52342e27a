#!/usr/bin/env python3
"""Writes hostile local caches: cachehostile.py KIND DIR. Needs zstd. The kinds:

    arrays     a document of two million empty lists        deep       lists in lists, 100,000 deep
    text       60 MB of a step's name                        zeros      a gigabyte of blanks
    unknown    a member that nobody knows, of 3 MB           segments   1,500 segments
    alike      20 segments of 20,000 records, whose digests were chosen to be alike
    index      an index.json of 15 MB of empty lists         loops      two segments that supersede each other
    numbers    sizes and times at the ends of what fits      origins    layers that were seen at odd places"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

SEGMENT = "application/vnd.varve.cache.segment.v1+zstd"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(i):
    return "sha256:%064x" % (i + 1)


def record(i, more=""):
    return f'{{"definition":"{digest(i)}","content":"{digest(i)}","layers":[]{more}}}'


def document(records="", layers="", more=""):
    return f'{{"version":1,"created":1,{more}"layers":[{layers}],"records":[{records}]}}'.encode()


def base(i, more, size=1):
    return (f'{{"diffId":"{digest(i)}","base":true,"blob":{{"mediaType":"{LAYER}","digest":"{digest(i)}","size":{size}}}{more}}}')


def loops():
    """Neither can name the other's digest, so each names what it can: itself is not among it."""
    first = compressed([document(record(1), more=f'"supersedes":["{digest(7)}"],')])[0]
    name = "sha256:" + hashlib.sha256(manifest_of(first)).hexdigest()
    return [first] + compressed([document(record(2), more=f'"supersedes":["{name}","{name}"],')])


KINDS = {
    "arrays": lambda: [document(",".join(["[]"] * 2000000))],
    "deep": lambda: [b'{"version":1,"x":' + b"[" * 100000 + b"]" * 100000 + b"}"],
    "text": lambda: [document(record(1, ',"step":"%s"' % ("x" * 60000000)))],
    "zeros": lambda: [b" " * 1000000000],
    "unknown": lambda: [b'{"version":1,"x":{"y":[' + b"[]," * 1000000 + b"1]}}"],
    "segments": lambda: [document(record(i)) for i in range(1500)],
    "alike": lambda: [document(",".join(record(k * 20000 + i) for i in range(20000))) for k in range(20)],
    "numbers": lambda: [document(record(1, ',"created":%d,"durationUs":%d,"hits":%d' % (1 << 40, (1 << 63) - 1, (1 << 31) - 1)),
                                 base(1, "", (1 << 63) - 1))],
    "origins": lambda: [document(record(1), base(1, ',"origins":["../../x y","- -","a\\u0001b c","http://h/p q","127.0.0.1:1 x/y"]'))],
}


def compressed(documents):
    with tempfile.TemporaryDirectory() as d:
        names = []
        for i, text in enumerate(documents):
            names.append(os.path.join(d, str(i)))
            with open(names[-1], "wb") as f:
                f.write(text)
        subprocess.run(["zstd", "-q", "-1", *names], check=True)
        out = []
        for name in names:
            with open(name + ".zst", "rb") as f:
                out.append(f.read())
        return out


def manifest_of(segment):
    config = {"mediaType": SEGMENT, "digest": "sha256:" + hashlib.sha256(segment).hexdigest(), "size": len(segment)}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()


def put(folder, data):
    with open(os.path.join(folder, "blobs/sha256", hashlib.sha256(data).hexdigest()), "wb") as f:
        f.write(data)


def write(folder, segments):
    os.makedirs(os.path.join(folder, "blobs/sha256"))
    entries = []
    for segment in segments:
        m = manifest_of(segment)
        put(folder, segment)
        put(folder, m)
        entries.append({"mediaType": MANIFEST, "digest": "sha256:" + hashlib.sha256(m).hexdigest(), "size": len(m),
                        "annotations": {"varve.cache.segment": "latest"}})
    with open(os.path.join(folder, "index.json"), "w") as f:
        json.dump({"schemaVersion": 2, "manifests": entries}, f)


kind, folder = sys.argv[1:]
if kind == "index":
    write(folder, [])
    with open(os.path.join(folder, "index.json"), "w") as f:
        f.write('{"schemaVersion":2,"manifests":[' + "[]," * 5000000 + "[]]}")
else:
    write(folder, loops() if kind == "loops" else compressed(KINDS[kind]()))
