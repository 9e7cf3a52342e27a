#!/usr/bin/env python3
"""What kubectl --dry-run=client asks of a server before it reads a manifest: which kinds there are. Writes the address to
standard output and serves on loopback until it is ended; it holds no objects."""
import http.server
import json

KINDS = {"v1": [("pods", "Pod")], "batch/v1": [("jobs", "Job")], "tekton.dev/v1": [("tasks", "Task")]}


def resources(version):
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [
        {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["create", "get", "patch"]}
        for name, kind in KINDS[version]]}


def answer(path):
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": v.split("/")[0], "versions": [{"groupVersion": v, "version": v.split("/")[1]}],
             "preferredVersion": {"groupVersion": v, "version": v.split("/")[1]}} for v in KINDS if "/" in v]}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    return resources(version) if version in KINDS else None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = answer(self.path.split("?")[0])
        body = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
