#!/usr/bin/env python3
"""A web server for ADD and contexts: files with ETags, git repositories, faults. 127.0.0.1 only (Python's standard library, and git).

    files.py DIR LOG PORTFILE

Serves DIR; NAME.git/… goes through git's http-backend. Every request is a line of LOG: "GET /path STATUS AUTHORIZATION". The file
DIR/.rules may hold lines "PATH WORD": 503 answers so twice, then properly; noetag leaves the ETag out; dated tells the file's time as
Last-Modified; cut breaks off half-way once; login wants an Authorization header; here=PATH and
away=PATH redirect to PATH on this host, and on localhost, another host. The port is written to PORTFILE.
"""
import hashlib
import http.server
import os
import subprocess
import sys
import urllib.parse

ROOT, LOG, PORTFILE = sys.argv[1:]
seen = {}


def rule(path):
    try:
        with open(os.path.join(ROOT, ".rules"), encoding="utf-8") as f:
            rules = dict(line.split() for line in f)
    except FileNotFoundError:
        return None
    return next((word for prefix, word in rules.items() if path.startswith(prefix)), None)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def send_response(self, code, message=None):
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {self.path} {code} {self.headers.get('Authorization', '-')}\n")
        super().send_response(code, message)

    def empty(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        word = rule(parts.path)
        if word == "login" and not self.headers.get("Authorization"):
            return self.empty(401, WWW_Authenticate='Basic realm="x"')
        if word and word.startswith(("here=", "away=")):
            host = f"http://localhost:{self.server.server_port}" if word.startswith("away=") else ""
            return self.empty(302, Location=host + word[5:])
        if ".git/" in parts.path:
            return self.git(parts)
        count = seen[parts.path] = seen.get(parts.path, 0) + 1
        if word == "503" and count < 3:
            return self.empty(503, Retry_After="0")
        try:
            with open(os.path.join(ROOT, parts.path.lstrip("/")), "rb") as f:
                body = f.read()
        except OSError:
            return self.empty(404)
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        if word != "noetag" and self.headers.get("If-None-Match") == etag:
            return self.empty(304, ETag=etag)
        self.send_response(200)
        if word != "noetag":
            self.send_header("ETag", etag)
        if word == "dated":
            self.send_header("Last-Modified", self.date_time_string(os.path.getmtime(os.path.join(ROOT, parts.path.lstrip("/")))))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if word == "cut" and count == 1 else body)
        if word == "cut" and count == 1:
            self.close_connection = True

    def do_POST(self):
        self.git(urllib.parse.urlsplit(self.path))

    def git(self, parts):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = dict(os.environ, GIT_PROJECT_ROOT=ROOT, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=parts.path, REQUEST_METHOD=self.command,
                   QUERY_STRING=parts.query, CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
                   GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                   REMOTE_ADDR="127.0.0.1", GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        head, _, content = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(PORTFILE + ".new", "w", encoding="utf-8") as f:
    f.write(str(server.server_address[1]))
os.rename(PORTFILE + ".new", PORTFILE)
server.serve_forever()
