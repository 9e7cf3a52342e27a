#!/usr/bin/env python3
"""A registry of ours that misbehaves on request (OCI distribution-spec 1.1; Python's standard library only).

    registry.py [--layout DIR --repo NAME] [--user U --password P] [--auth none|basic|token] [--rules JSON]
                [--cert FILE --key FILE] [--port N]

It listens on 127.0.0.1 and prints two lines: its port, and the port of a second listener that stands for another host
(a storage service blobs are redirected to). It ends when its standard input does or on SIGTERM. --layout serves an OCI layout as
repository NAME, tags from the org.opencontainers.image.ref.name annotations; whatever is pushed is kept in memory.

Rules are a JSON list, first match wins; they can be replaced at any time with `PUT /_rules` (which also empties the log):

    {"match": "^GET /v2/app/blobs/", "do": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 2}

match is a regular expression for "METHOD /path?query"; times says how often the rule applies (always when absent); skip lets the first
n matches pass. What a rule can do:

    status        answers status (headers, body)
    unauthorized  answers 401 with a Bearer challenge for /token
    hang          accepts and says nothing
    drop          closes the connection without an answer
    truncate      sends the right headers, then only `bytes` of the body
    wrong         sends a body of the right length with one byte changed
    trickle       sends the body a byte every `delay` seconds
    redirect      answers 307 to `location`, or to the second listener
    ignore-range  answers 200 with everything whatever Range says
    no-digest     leaves Docker-Content-Digest out
    wrong-digest  sends another Docker-Content-Digest
    abort-upload  reads `bytes` of the request's body, keeps them, closes the connection
    no-mount      answers a mount with 202
    absolute      gives absolute upload locations (relative ones are the default)

Of /token, whatever it does: expires is how many seconds the token lives (300), expires_in how many the answer says (the same).

`GET /_log` answers a JSON list of {"method", "path", "status", "authorization", "range", "content_range", "bytes", "other"}: other is true
for the second listener. `GET /_stats` answers {"received": bytes of blobs}.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import secrets
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()


class State:
    def __init__(self, options):
        self.options = options
        self.rules = []
        self.log = []
        self.blobs = {}      # repository -> {digest: bytes}
        self.manifests = {}  # repository -> {tag or digest: (media type, bytes)}
        self.uploads = {}    # id -> bytearray
        self.tokens = {}     # token -> (expires, set of scopes)
        self.received = 0
        self.port = self.other_port = 0

    def blob(self, digest):
        for repository in self.blobs.values():
            if digest in repository:
                return repository[digest]
        return None


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def load_layout(state, folder, repository):
    blobs = state.blobs.setdefault(repository, {})
    manifests = state.manifests.setdefault(repository, {})
    base = os.path.join(folder, "blobs", "sha256")
    for name in os.listdir(base):
        with open(os.path.join(base, name), "rb") as f:
            blobs["sha256:" + name] = f.read()

    def add(descriptor):
        data = blobs[descriptor["digest"]]
        manifests[descriptor["digest"]] = (descriptor["mediaType"], data)
        for child in json.loads(data).get("manifests", []):
            if child["digest"] in blobs:
                add(child)

    with open(os.path.join(folder, "index.json")) as f:
        index = json.load(f)
    for descriptor in index["manifests"]:
        add(descriptor)
        tag = descriptor.get("annotations", {}).get("org.opencontainers.image.ref.name", "latest")
        manifests[tag.rsplit(":", 1)[-1]] = manifests[descriptor["digest"]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None
    other = False

    def log_message(self, *args):
        pass

    # Answers

    def answer(self, status, body=b"", headers=None, media="application/json"):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.note(status)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body or "Content-Type" not in (headers or {}):
            self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, headers=None):
        self.drain()
        self.answer(status, {"errors": [{"code": code, "message": message}]}, headers)

    def note(self, status):
        with LOCK:
            self.state.log.append({
                "method": self.command, "path": self.path, "status": status, "other": self.other,
                "authorization": (self.headers.get("Authorization") or "").split(" ")[0],
                "range": self.headers.get("Range"), "content_range": self.headers.get("Content-Range"),
                "bytes": int(self.headers.get("Content-Length") or 0)})

    def drain(self):
        left = int(self.headers.get("Content-Length") or 0) - getattr(self, "taken", 0)
        while left > 0:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                break
            left -= len(data)

    def body(self, limit=None):
        length = int(self.headers.get("Content-Length") or 0)
        if limit is not None:
            length = min(length, limit)
        data = self.rfile.read(length)
        self.taken = len(data)
        return data

    def base_url(self):
        scheme = "https" if self.state.options.cert else "http"
        return f"{scheme}://127.0.0.1:{self.state.port}"

    # Rules

    def find_rule(self):
        text = f"{self.command} {self.path}"
        with LOCK:
            for rule in self.state.rules:
                if not re.search(rule["match"], text):
                    continue
                if rule.get("skip", 0) > 0:
                    rule["skip"] -= 1
                    continue
                if "times" in rule:
                    if rule["times"] <= 0:
                        continue
                    rule["times"] -= 1
                return rule
        return {}

    def apply_rule(self):
        """True when the rule has answered."""
        what = self.rule.get("do")
        if what == "status":
            self.drain()
            self.answer(self.rule["status"], self.rule.get("body", "").encode(), self.rule.get("headers"))
        elif what == "unauthorized":
            self.challenge("repository:x:pull")
        elif what == "hang":
            self.note(0)
            self.close_connection = True
            self.connection.settimeout(60)
            try:
                while self.connection.recv(1 << 16):
                    pass
            except OSError:
                pass
        elif what == "drop":
            self.note(0)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif what == "redirect":
            self.drain()
            location = self.rule.get("location") or f"http://localhost:{self.state.other_port}{self.path}"
            self.answer(307, b"", {"Location": location})
        else:
            return False
        return True

    def send_content(self, data, media, digest):
        what = self.rule.get("do")
        headers = {"Docker-Content-Digest": digest}
        if what == "no-digest":
            headers = {}
        if what == "wrong-digest":
            headers = {"Docker-Content-Digest": "sha256:" + "0" * 64}
        if what == "wrong" and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        status, start = 200, 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and what != "ignore-range":
            start = int(wanted[1])
            if start >= len(data):
                return self.refuse(416, "RANGE_INVALID", "beyond the end")
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        part = data[start:]
        if what not in ("truncate", "trickle"):
            return self.answer(status, part, headers, media)
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.close_connection = True
        if self.command == "HEAD":
            return None
        if what == "truncate":
            self.wfile.write(part[:self.rule.get("bytes", len(part) // 2)])
            return None
        for i in range(len(part)):
            self.wfile.write(part[i:i + 1])
            self.wfile.flush()
            time.sleep(self.rule.get("delay", 0.2))
        return None

    # Authorization

    def challenge(self, scope):
        value = f'Bearer realm="{self.base_url()}/token",service="faults",scope="{scope}"'
        if self.state.options.auth == "basic":
            value = 'Basic realm="faults"'
        self.refuse(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": value})

    def login_is_right(self):
        header = self.headers.get("Authorization") or ""
        o = self.state.options
        right = base64.b64encode(f"{o.user}:{o.password}".encode()).decode()
        return o.user and header == "Basic " + right

    def authorized(self, repository):
        kind = self.state.options.auth
        if kind == "none" or self.other:
            return True
        if kind == "basic":
            return bool(self.login_is_right())
        header = self.headers.get("Authorization") or ""
        with LOCK:
            expires, scopes = self.state.tokens.get(header[len("Bearer "):], (0, ()))
        need = "pull" if self.command in ("GET", "HEAD") else "push"
        if not header.startswith("Bearer ") or expires < time.time():
            return False
        for scope in scopes:
            parts = scope.split(":")
            if len(parts) == 3 and parts[1] == repository and need in parts[2].split(","):
                return True
        return not repository

    def token(self, query):
        scopes = [s for value in query.get("scope", []) for s in value.split(" ")]
        anonymous = True
        if self.command == "POST":
            form = urllib.parse.parse_qs(self.body().decode())
            if form.get("refresh_token") != ["identity-" + (self.state.options.password or "")]:
                return self.refuse(401, "UNAUTHORIZED", "the refresh token is wrong")
            scopes = [s for value in form.get("scope", []) for s in value.split(" ")]
            anonymous = False
        elif self.headers.get("Authorization"):
            if not self.login_is_right():
                return self.refuse(401, "UNAUTHORIZED", "the password is wrong")
            anonymous = False
        if anonymous and self.state.options.user:
            scopes = []
        token = secrets.token_urlsafe(24)
        life = self.rule.get("expires", 300)
        with LOCK:
            self.state.tokens[token] = (time.time() + life, scopes)
        return self.answer(200, {"token": token, "expires_in": self.rule.get("expires_in", life)})

    # Requests

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        self.rule = {}
        self.taken = 0
        if url.path == "/_rules" and self.command == "PUT":
            rules = json.loads(self.body())
            with LOCK:
                self.state.rules = rules
                self.state.log = []
                self.state.received = 0
                self.state.tokens = {}
            return self.plain({})
        if url.path == "/_log":
            with LOCK:
                log = list(self.state.log)
            return self.plain(log)
        if url.path == "/_stats":
            return self.plain({"received": self.state.received})
        self.rule = self.find_rule()
        if self.apply_rule():
            return None
        if url.path == "/token":
            return self.token(query)
        if url.path == "/v2/":
            return self.answer(200, {}) if self.authorized("") else self.challenge("")
        m = re.fullmatch(r"/v2/(.+)/tags/list", url.path)
        if m:
            return self.tags(m[1], query) if self.authorized(m[1]) else self.challenge(f"repository:{m[1]}:pull")
        m = re.fullmatch(r"/v2/(.+)/(manifests|blobs|referrers)/(.+)", url.path)
        if not m:
            m = re.fullmatch(r"/v2/(.+)/(blobs)/(uploads/)", url.path)
        if not m:
            return self.refuse(404, "UNSUPPORTED", "no such place")
        repository, kind, name = m.groups()
        if kind == "blobs" and (repository.endswith("/blobs/uploads") or name.startswith("uploads/")):
            pass
        if not self.authorized(repository):
            return self.challenge(f"repository:{repository}:pull,push")
        if kind == "blobs" and name.startswith("uploads/"):
            return self.upload(repository, name[len("uploads/"):], query)
        if kind == "manifests":
            return self.manifest(repository, name)
        if kind == "blobs":
            return self.blob(repository, name)
        return self.refuse(404, "UNSUPPORTED", "no such place")

    def plain(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def tags(self, repository, query):
        last = query.get("last", [""])[0]
        tags = sorted(t for t in self.state.manifests.get(repository, {}) if ":" not in t and t > last)
        self.note(200)
        return self.plain({"name": repository, "tags": tags})

    def manifest(self, repository, name):
        store = self.state.manifests.setdefault(repository, {})
        if self.command == "DELETE":
            data = store.get(name)
            for key in [k for k, v in store.items() if v == data]:
                del store[key]
            return self.answer(202 if data else 404, b"")
        if self.command == "PUT":
            data = self.body()
            document = json.loads(data)
            blobs = self.state.blobs.get(repository, {})
            for d in [document[k] for k in ("config",) if k in document] + document.get("layers", []):
                if d["digest"] not in blobs:
                    return self.refuse(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry: " + d["digest"])
            for d in document.get("manifests", []):
                if d["digest"] not in store:
                    return self.refuse(400, "MANIFEST_UNKNOWN", "manifest unknown: " + d["digest"])
            digest = digest_of(data)
            store[name] = store[digest] = (self.headers.get("Content-Type"), data)
            return self.answer(201, b"", {"Docker-Content-Digest": digest,
                                          "Location": f"/v2/{repository}/manifests/{digest}"})
        if name not in store:
            return self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media, data = store[name]
        return self.send_content(data, media, digest_of(data))

    def blob(self, repository, digest):
        data = self.state.blob(digest) if self.other else self.state.blobs.get(repository, {}).get(digest)
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return self.send_content(data, "application/octet-stream", digest)

    def location(self, repository, upload):
        place = f"/v2/{repository}/blobs/uploads/{upload}?state=x%2Fy"
        return self.base_url() + place if self.rule.get("do") == "absolute" else place

    def progress(self, status, repository, upload):
        have = len(self.state.uploads[upload])
        headers = {"Location": self.location(repository, upload), "Docker-Upload-UUID": upload}
        if have:
            headers["Range"] = f"0-{have - 1}"
        self.answer(status, b"", headers)

    def begin_upload(self, repository, query):
        digest = query.get("mount", [None])[0]
        source = query.get("from", [None])[0]
        if digest and self.rule.get("do") != "no-mount" and digest in self.state.blobs.get(source, {}):
            self.state.blobs.setdefault(repository, {})[digest] = self.state.blobs[source][digest]
            return self.answer(201, b"", {"Location": f"/v2/{repository}/blobs/{digest}",
                                          "Docker-Content-Digest": digest})
        upload = secrets.token_hex(8)
        self.state.uploads[upload] = bytearray()
        return self.progress(202, repository, upload)

    def take(self, upload):
        """Reads the request's body into the upload; False when a rule broke it off."""
        abort = self.rule.get("do") == "abort-upload"
        data = self.body(self.rule.get("bytes", 0) if abort else None)
        self.state.uploads[upload] += data
        self.state.received += len(data)
        if not abort:
            return True
        self.note(0)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return False

    def upload(self, repository, upload, query):
        if not upload:
            return self.begin_upload(repository, query)
        if upload not in self.state.uploads:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        if self.command == "GET":
            return self.progress(204, repository, upload)
        if self.command == "PATCH":
            start = re.match(r"(\d+)-", self.headers.get("Content-Range") or "0-")
            if int(start[1]) != len(self.state.uploads[upload]):
                return self.refuse(416, "RANGE_INVALID", "not where the upload is")
            return self.progress(202, repository, upload) if self.take(upload) else None
        if self.command != "PUT":
            return self.refuse(405, "UNSUPPORTED", "not allowed")
        if not self.take(upload):
            return None
        data = bytes(self.state.uploads.pop(upload))
        digest = query["digest"][0]
        if digest_of(data) != digest:
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.state.blobs.setdefault(repository, {})[digest] = data
        return self.answer(201, b"", {"Docker-Content-Digest": digest,
                                      "Location": f"/v2/{repository}/blobs/{digest}"})

    def guarded(self):
        try:
            self.handle_request()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = guarded


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        kind = sys.exc_info()[0]
        if kind is None or not issubclass(kind, (OSError, ValueError)):
            super().handle_error(request, client_address)


def listen(state, other, port):
    handler = type("H", (Handler,), {"state": state, "other": other})
    server = Server(("127.0.0.1", port), handler)
    if state.options.cert and not other:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(state.options.cert, state.options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    parser = argparse.ArgumentParser(description="a registry that misbehaves on request")
    parser.add_argument("--layout")
    parser.add_argument("--repo", default="app")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=["none", "basic", "token"], default="none")
    parser.add_argument("--rules", default="[]")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    state = State(parser.parse_args())
    state.rules = json.loads(state.options.rules)
    if state.options.layout:
        load_layout(state, state.options.layout, state.options.repo)
    state.other_port = listen(state, True, 0)
    state.port = listen(state, False, state.options.port)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(state.port, state.other_port, sep="\n", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
