#!/usr/bin/env python3
"""In front of a storage server on 127.0.0.1 (azurite, s3rver or a registry): passes requests on, with faults;
and GitHub's cache service, version 2 (twirp, JSON), with its blobs in azurite.

usage: cacheservice.py PORT        the server's; prints its own URL

Control, by requests to itself:
  PUT /_rules   a JSON list, replacing all; also empties the log and counts from 0 again:
                {"at": N | null, "from": N, "match": "part of 'METHOD path'", "times": N | null, "do": …}
                at: the Nth request alone; from: the Nth and all after it (times null)
                do: status (status, headers, body), cut (answers half of the body), drop (no answer), abort (takes a
                little of what is sent and hangs up), gone (404 for what is read: GET and HEAD),
                stall (half of the body, then nothing), garble (a wrong byte in the body), expire (a
                signed URL is no longer accepted), delay (by seconds), reserved (an entry's creation is answered by
                already_exists, and it never appears), quota (creation is refused)
  GET /_log     ["METHOD path", …] since then
  PUT /_evict   a part of the keys of entries that are gone now
  GET /_keys    {"scope": [keys, oldest first]}

A token is "x.CLAIMS.x", where CLAIMS is base64url of {"ac": "[{\\"Scope\\":…,\\"Permission\\":3}]"}."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT = "devstoreaccount1"
# azurite's own, which its manual publishes
KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
CONTAINER = "actions"
TWIRP = "/twirp/github.actions.results.api.v1.CacheService/"
storage = int(sys.argv[1])
lock = threading.Lock()
rules, log, entries = [], [], []
count = [0]
containers = [False]


def sign(text):
    return base64.b64encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()


def signed_url(own, blob, permissions, seconds=3600):
    until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    resource = f"/blob/{ACCOUNT}/{CONTAINER}/{blob}"
    text = "\n".join([permissions, "", until, resource, "", "", "", "2020-10-02", "b", "", "", "", "", "", ""])
    query = urllib.parse.urlencode({"sv": "2020-10-02", "sr": "b", "se": until, "sp": permissions, "sig": sign(text)})
    return f"{own}/{ACCOUNT}/{CONTAINER}/{blob}?{query}"


def make_container():
    """azurite begins empty."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    path = f"/{ACCOUNT}/{CONTAINER}"
    text = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2020-10-02\n/{ACCOUNT}{path}\nrestype:container"
    c = http.client.HTTPConnection("127.0.0.1", storage)
    c.request("PUT", path + "?restype=container", headers={
        "x-ms-date": date, "x-ms-version": "2020-10-02", "Content-Length": "0", "Authorization": f"SharedKey {ACCOUNT}:{sign(text)}"})
    assert c.getresponse().status in (201, 409)


def scopes_of(token):
    """[(scope, may write)], the own one first."""
    claims = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return [(s["Scope"], s["Permission"] & 2) for s in json.loads(claims["ac"])]


class Twirp(Exception):
    def __init__(self, status, code, msg):
        super().__init__(msg)
        self.status, self.body = status, {"code": code, "msg": msg}


def create(own, scopes, rq, fault):
    key, version = rq["key"], rq["version"]
    if len(key) > 512 or "," in key:
        raise Twirp(400, "invalid_argument", "key is malformed")
    if fault and fault["do"] == "quota":
        raise Twirp(429 if fault.get("status") == 429 else 403, "resource_exhausted", "repository cache quota has been exceeded")
    scope = next(s for s, writes in scopes if writes)
    with lock:
        if any(e["key"] == key and e["version"] == version and e["scope"] == scope for e in entries):
            raise Twirp(409, "already_exists", "cache entry with the same key, version, and scope already exists")
        entry = {"key": key, "version": version, "scope": scope, "blob": "b%d" % len(entries), "size": None, "at": 0}
        entries.append(entry)
    if fault and fault["do"] == "reserved":
        raise Twirp(409, "already_exists", "cache entry with the same key, version, and scope already exists")
    return {"ok": True, "signed_upload_url": signed_url(own, entry["blob"], "cw", fault.get("seconds", -5) if fault else 3600)}


def finalize(own, scopes, rq, fault):
    scope = next(s for s, writes in scopes if writes)
    with lock:
        for e in entries:
            if (e["key"], e["version"], e["scope"]) == (rq["key"], rq["version"], scope) and e["size"] is None:
                e["size"] = int(rq["size_bytes"])
                e["at"] = time.monotonic()
                return {"ok": True, "entry_id": str(entries.index(e) + 1)}
    raise Twirp(404, "not_found", "cache entry not found")


def lookup(own, scopes, rq, fault):
    with lock:
        done = sorted((e for e in entries if e["size"] is not None and e["version"] == rq["version"]), key=lambda e: -e["at"])
    for scope, _ in scopes:
        mine = [e for e in done if e["scope"] == scope]
        for test in [lambda e: e["key"] == rq["key"]] + [lambda e, k=k: e["key"].startswith(k) for k in [rq["key"]] + rq.get("restore_keys", [])]:
            found = next((e for e in mine if test(e)), None)
            if found:
                url = signed_url(own, found["blob"], "r", fault.get("seconds", -5) if fault else 3600)
                return {"ok": True, "signed_download_url": url, "matched_key": found["key"]}
    return {"ok": False, "signed_download_url": "", "matched_key": ""}


METHODS = {"CreateCacheEntry": create, "FinalizeCacheEntryUpload": finalize, "GetCacheEntryDownloadURL": lookup}


def take_fault(line):
    with lock:
        log.append(line)
        count[0] += 1
        for r in rules:
            if r.get("at") not in (None, count[0]) or count[0] < r.get("from", 0) or r["do"] == "gone" and line[0] not in "GH":
                continue
            if r.get("match", "") in line and r.get("times", 1) != 0:
                if r.get("times") is not None:
                    r["times"] -= 1
                return r
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, status, value):
        self.answer(status, json.dumps(value).encode(), [("Content-Type", "application/json")])

    def control(self, body):
        if self.path == "/_rules":
            with lock:
                rules[:] = json.loads(body)
                del log[:]
                count[0] = 0
            return self.answer_json(200, [])
        if self.path == "/_log":
            return self.answer_json(200, log)
        if self.path == "/_evict":
            with lock:
                entries[:] = [dict(e, key="") if body.decode() in e["key"] else e for e in entries]
            return self.answer_json(200, [])
        with lock:
            keys = {}
            for e in entries:
                keys.setdefault(e["scope"], []).append(e["key"])
        return self.answer_json(200, keys)

    def twirp(self, body, fault):
        own = "http://127.0.0.1:%d" % self.server.server_port
        if not containers[0]:
            make_container()
            containers[0] = True
        try:
            scopes = scopes_of(self.headers.get("Authorization", "").removeprefix("Bearer "))
        except (ValueError, IndexError, KeyError):
            return self.answer_json(401, {"code": "unauthenticated", "msg": "the token is not valid"})
        try:
            self.answer_json(200, METHODS[self.path[len(TWIRP):]](own, scopes, json.loads(body), fault))
        except Twirp as e:
            self.answer_json(e.status, e.body)

    def break_off(self, answer=None, body=b"", wait=0):
        if answer is not None:
            self.send_head(answer, str(max(len(body), 1)))
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
        time.sleep(wait)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def send_head(self, answer, length):
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()

    def stream(self, answer):
        self.send_head(answer, answer.getheader("Content-Length"))
        while data := answer.read(1 << 16):
            self.wfile.write(data)

    def relay(self, body, fault):
        c = http.client.HTTPConnection("127.0.0.1", storage)
        headers = {n: v for n, v in self.headers.items() if n.lower() not in ("connection", "expect")}
        c.request(self.command, self.path, body=body or None, headers=headers)
        answer = c.getresponse()
        if not fault and self.command == "GET" and answer.getheader("Content-Length"):
            return self.stream(answer)
        data = answer.read()
        if fault and fault["do"] in ("cut", "stall"):
            return self.break_off(answer, data, fault.get("seconds", 60) if fault["do"] == "stall" else 0)
        if fault and fault["do"] == "garble" and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.send_head(answer, answer.getheader("Content-Length") or "0" if self.command == "HEAD" else str(len(data)))
        if self.command != "HEAD":
            self.wfile.write(data)

    def read_body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_any(self):
        if self.path.startswith("/_"):
            return self.control(self.read_body())
        fault = take_fault(f"{self.command} {self.path}")
        do = fault["do"] if fault else None
        if do == "abort":
            self.rfile.read(min(1000, int(self.headers.get("Content-Length") or 0)))
            return self.break_off()
        body = self.read_body()
        if do == "gone":
            return self.answer(404, b"{}")
        if do == "status":
            headers = list(fault.get("headers", {}).items())
            return self.answer(fault["status"], fault.get("body", "").encode(), headers)
        if do == "delay":
            time.sleep(fault["seconds"])
            fault = None
        if do == "drop":
            return self.break_off()
        if self.path.startswith(TWIRP):
            return self.twirp(body, fault)
        return self.relay(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        """A client that was killed is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, address)


server = Server(("127.0.0.1", 0), Handler)
print("http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
