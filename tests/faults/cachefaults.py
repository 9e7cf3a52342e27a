#!/usr/bin/env python3
"""Fails each request of a build's cache in turn, in front of real servers (tests/testbed/cacheservers.sh, registry.sh).

    cachefaults.py VARVE [--server registry|s3|azblob|gha] [--way export|import|kill] [--fault NAME] [--step N]

Without options all of them. For N = 1, 2, … until a build asks for less: a new store, one build whose Nth request fails in
one manner, and then, with nothing failing, another. The first must end within a minute, an export that fails with 4 and its
output made, an import always well; what it made must be right; it must have said what it lost, the reference must verify and
be of use, and fsck must find nothing. --step tries each N-th only. kill ends 60 builds that
read and write one reference with SIGKILL, each after another time, and then looks at the reference and the stores. One line for each round, and what fell; exit 1 if
something did. No word of a login may be in what was said or in a store."""
import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

here = os.path.dirname(os.path.abspath(__file__))
testbed = os.path.join(here, "..", "testbed")
bases = os.environ.get("VARVE_TESTBED") or os.path.expanduser("~/.cache/varve-testbed")
LIMIT = 60  # seconds, of one build
EXPIRED = {"s3": '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'}
FAULTS = {
    "429": {"do": "status", "status": 429},
    "429-after": {"do": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "429-on": {"do": "status", "status": 429, "on": True},
    "500": {"do": "status", "status": 500},
    "503-on": {"do": "status", "status": 503, "on": True},
    "drop": {"do": "drop"},
    "drop-on": {"do": "drop", "on": True},
    "abort": {"do": "abort"},
    "cut": {"do": "cut"},
    "cut-on": {"do": "cut", "on": True},
    "garble": {"do": "garble"},
    "garble-on": {"do": "garble", "on": True},
    "gone": {"do": "gone"},
    "gone-on": {"do": "gone", "on": True},
    "stall": {"do": "stall", "seconds": 20},
    "400": {"do": "status", "status": 400},
    "portal": {"do": "status", "status": 200, "body": "<html>log in</html>", "headers": {"Content-Type": "text/html"}, "on": True},
    "401-on": {"do": "status", "status": 401, "on": True},
    "403-on": {"do": "status", "status": 403, "on": True},
}
DOCKERFILE = """FROM busybox AS base
RUN mkdir /deps && head -c 700000 /dev/zero | tr '\\0' x >/deps/big && ln -s big /deps/link
FROM base AS build
COPY src /src
RUN --mount=type=cache,id=m,target=/m grep -v '^#' /src/main.c >/out && cp /out /m/kept
FROM busybox
COPY --from=build /out /app/out
RUN cat /app/out >/app/copy && chown 5:6 /app/copy
COPY --from=base /deps /deps
"""


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def content_of(path):
    """What is in the tar, without times."""
    try:
        with tarfile.open(path) as t:
            return sorted((m.name, m.type, m.mode, m.uid, m.gid, m.linkname,
                           hashlib.sha256(t.extractfile(m).read()).hexdigest() if m.isreg() else "") for m in t)
    except (OSError, tarfile.TarError) as e:
        return str(e)


class Bed:
    """A server, the proxy in front of it, and what a build of it needs."""

    def __init__(self, varve, server, top):
        self.varve, self.server, self.top = varve, server, top
        self.context = os.path.join(top, "ctx")
        os.makedirs(os.path.join(self.context, "src"))
        for name, text in (("Dockerfile", DOCKERFILE), ("src/main.c", "# comment\nint main\n")):
            with open(os.path.join(self.context, name), "w") as f:
                f.write(text)
        with open(os.path.join(top, "varve.conf"), "w") as f:
            f.write("[registry]\ntries=3\nmax-wait=2\nstall=1\n")
        self.env = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8", VARVE_CONFIG=os.path.join(top, "varve.conf"),
                        DOCKER_CONFIG=os.path.join(top, "docker"), REGISTRY_AUTH_FILE=os.path.join(top, "auth.json"),
                        XDG_CONFIG_HOME=top, ACTIONS_CACHE_SERVICE_V2="true")
        with open(os.path.join(top, "auth.json"), "w") as f:
            f.write("{}")
        self.processes = []
        self.start()
        self.want = os.path.join(top, "want.tar")
        self.seed = os.path.join(top, "seed")
        r = self.build(self.seed, "-o", f"type=tar,dest={self.want}")
        assert r.returncode == 0, r.stdout
        self.want = content_of(self.want)

    def start(self):
        self.folder = os.path.join(self.top, "server")
        if self.server == "registry":
            host = run(f"{testbed}/registry.sh", "start", self.folder).stdout.split()[-1]
            proxy = subprocess.Popen(["python3", f"{testbed}/cacheservice.py", host.split(":")[1]], stdout=subprocess.PIPE, text=True)
            self.processes.append(proxy)
            self.url = proxy.stdout.readline().strip()
            return
        kind = "s3" if self.server == "s3" else "azure"
        r = subprocess.run([f"{testbed}/cacheservers.sh", "start", kind, self.folder], stdout=subprocess.PIPE, text=True)
        self.url = r.stdout.split()[-1]
        if self.server == "s3":
            self.env.update(AWS_ACCESS_KEY_ID="S3RVER", AWS_SECRET_ACCESS_KEY="S3RVER")
        with open(os.path.join(here, "../unit/cache/servers-test.c")) as f:
            self.env["AZURE_STORAGE_KEY"] = re.search(r"[A-Za-z0-9+/]{80,}==", f.read()).group(0)
        import base64
        claims = base64.b64encode(b'{"ac":"[{\\"Scope\\":\\"refs/heads/main\\",\\"Permission\\":3}]"}').decode()
        self.env.update(ACTIONS_RESULTS_URL=self.url + "/", ACTIONS_RUNTIME_TOKEN=f"x.{claims}.x")

    def stop(self):
        for p in self.processes:
            p.terminate()
        script = "registry.sh" if self.server == "registry" else "cacheservers.sh"
        run(f"{testbed}/{script}", "stop", self.folder)

    def reference(self, name):
        host = self.url.removeprefix("http://")
        return {"registry": f"type=registry,ref={host}/c{name}/app:cache",
                "s3": f"type=s3,bucket=cache,region=r,endpoint_url={self.url},prefix=c{name}/,name=cli",
                "azblob": f"type=azblob,account_url={self.url}/devstoreaccount1,prefix=c{name}/,name=cli",
                "gha": f"type=gha,timeout=10s,scope=c{name}"}[self.server]

    def rules(self, *rules):
        urllib.request.urlopen(urllib.request.Request(self.url + "/_rules", json.dumps(rules).encode(), method="PUT")).read()

    def asked(self):
        return len(json.load(urllib.request.urlopen(self.url + "/_log")))

    def varve_run(self, store, *arguments):
        try:
            return run("timeout", "-k", "1", str(LIMIT), self.varve, *arguments, env=dict(self.env, VARVE_ROOT=store))
        except OSError as e:
            return subprocess.CompletedProcess(arguments, 99, str(e))

    def build(self, store, *arguments):
        return self.varve_run(store, "build", "--progress=plain", "--build-context",
                              f"busybox=oci-layout://{bases}/busybox-oci", *arguments, self.context)

    def fault(self, name, n):
        rule = dict(FAULTS[name])
        on = rule.pop("on", False)
        if name == "403-on" and self.server in EXPIRED:
            rule["body"] = EXPIRED[self.server]
        return dict(rule, **({"from": n, "times": None} if on else {"at": n, "times": 1}))


class Fell(Exception):
    pass


def must(condition, what, r=None):
    if not condition:
        raise Fell(what + (": " + r.stdout[-1500:] if r else ""))


def check_secrets(bed, *texts):
    for word in ("AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY", "ACTIONS_RUNTIME_TOKEN"):
        for text in texts:
            must(not (word in bed.env and word != "AWS_SECRET_ACCESS_KEY") or bed.env[word] not in text, f"{word} was said")
    for text in texts:
        must("sig=" not in text, "a signed URL was said")


def round_of_export(bed, name, n):
    top = tempfile.mkdtemp(dir=bed.top)
    where = bed.reference(f"{name}-{n}".replace(".", "-").lower())
    store, out = os.path.join(top, "store"), os.path.join(top, "out.tar")
    run("cp", "-a", bed.seed, store)
    bed.rules(bed.fault(name, n))
    begun = time.monotonic()
    r = bed.build(store, "--cache-to", where + ",mode=max,mounts=true", "-o", f"type=tar,dest={out}")
    took, asked = time.monotonic() - begun, bed.asked()
    bed.rules()
    if asked < n:
        shutil.rmtree(top)
        return False
    must(r.returncode in (0, 4), f"the export ended with {r.returncode} after {took:.0f} s", r)
    must(content_of(out) == bed.want, "its output is wrong", r)
    must(r.returncode == 0 or "was not written" in r.stdout, "it does not say what was not written", r)
    check_secrets(bed, r.stdout)
    v = bed.varve_run(store, "cache", "verify", "--read", where)
    must(v.returncode == 0, "the reference does not verify", v)
    f = bed.varve_run(store, "fsck")
    must(f.returncode == 0, "fsck", f)
    again = bed.build(store, "--cache-to", where + ",mode=max,mounts=true")
    must(again.returncode == 0 and "warning" not in again.stdout, "the next export failed", again)
    fresh = os.path.join(top, "fresh")
    r = bed.build(fresh, "--cache-from", where, "-o", f"type=tar,dest={out}")
    must(r.returncode == 0 and " 0 steps ran" in r.stdout, "another machine has no use of it", r)
    must(content_of(out) == bed.want, "another machine's output is wrong", r)
    shutil.rmtree(top)
    return True


def round_of_import(bed, name, n, where):
    top = tempfile.mkdtemp(dir=bed.top)
    store, out = os.path.join(top, "store"), os.path.join(top, "out.tar")
    bed.rules(bed.fault(name, n))
    begun = time.monotonic()
    r = bed.build(store, "--cache-from", where + ",mounts=true,prefer=hit", "-o", f"type=tar,dest={out}")
    took, asked = time.monotonic() - begun, bed.asked()
    bed.rules()
    if asked < n:
        shutil.rmtree(top)
        return False
    must(r.returncode == 0, f"the build ended with {r.returncode} after {took:.0f} s", r)
    must(content_of(out) == bed.want, "its output is wrong", r)
    must(" 0 steps ran" in r.stdout or "warning" in r.stdout or name in ("gone", "gone-on"), "it does not say what it lost", r)
    check_secrets(bed, r.stdout)
    f = bed.varve_run(store, "fsck")
    must(f.returncode == 0, "fsck", f)
    r = bed.build(store, "--cache-from", where + ",prefer=hit", "-o", f"type=tar,dest={out}")
    must(r.returncode == 0 and "warning" not in r.stdout, "the next build", r)
    must(content_of(out) == bed.want, "the next build's output is wrong", r)
    shutil.rmtree(top)
    return True


def rounds(bed, way, name, step):
    tried, fell, slowest = 0, [], 0
    where = bed.reference("pristine")
    if way == "import":
        r = bed.build(bed.seed, "--cache-to", where + ",mode=max,mounts=true")
        assert r.returncode == 0, r.stdout
    for n in range(1, 200, step):
        begun = time.monotonic()
        try:
            more = round_of_export(bed, name, n) if way == "export" else round_of_import(bed, name, n, where)
        except Fell as e:
            fell.append(f"{bed.server} {way} {name} request {n}: {e}")
            more = True
        slowest = max(slowest, time.monotonic() - begun)
        if not more:
            break
        tried += 1
    print(f"{bed.server} {way} {name}: tried {tried}, fell {len(fell)}, slowest round {slowest:.1f} s", flush=True)
    for line in fell:
        print("  FELL " + line.replace("\n", "\n    "), flush=True)
    return tried, len(fell)


def kill_rounds(bed, step):
    """Three stores take turns; each build changes something, reads the reference and adds to it."""
    where, source = bed.reference("kill"), os.path.join(bed.context, "src/n")
    stores = [os.path.join(bed.top, f"k{i}") for i in range(3)]
    begun = time.monotonic()
    bed.build(stores[0], "--cache-to", where + ",mode=max,mounts=true")
    whole, moments = time.monotonic() - begun, range(0, 60, step)
    for i in moments:
        with open(source, "w") as f:
            f.write(str(i))
        p = subprocess.Popen([bed.varve, "build", "-q", "--build-context", f"busybox=oci-layout://{bases}/busybox-oci", "--cache-from",
                              where + ",mounts=true", "--cache-to", where + ",mode=max,mounts=true", bed.context],
                             env=dict(bed.env, VARVE_ROOT=stores[i % 3]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.01 + whole * i / 60)
        p.kill()
        p.wait()
    os.remove(source)
    out, fell = os.path.join(bed.top, "killed.tar"), []
    try:
        for store in stores:
            r = bed.build(store, "--cache-from", where, "--cache-to", where + ",mode=max,mounts=true")
            must(r.returncode == 0 and "warning" not in r.stdout, "the build after kills", r)
            f = bed.varve_run(store, "fsck")
            must(f.returncode == 0, "fsck", f)
        v = bed.varve_run(stores[0], "cache", "verify", "--read", where)
        must(v.returncode == 0, "the reference does not verify", v)
        r = bed.build(os.path.join(bed.top, "kfresh"), "--cache-from", where + ",prefer=hit", "-o", f"type=tar,dest={out}")
        must(r.returncode == 0 and " 0 steps ran" in r.stdout and content_of(out) == bed.want, "another machine", r)
    except Fell as e:
        fell.append(e)
    print(f"{bed.server} kill: {len(moments)} moments in {whole:.1f} s, fell {len(fell)} {'; '.join(map(str, fell))}", flush=True)
    return len(moments), len(fell)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("varve")
    p.add_argument("--server", choices=["registry", "s3", "azblob", "gha"])
    p.add_argument("--way", choices=["export", "import", "kill"])
    p.add_argument("--fault", choices=FAULTS)
    p.add_argument("--step", type=int, default=1)
    o = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers end with it
    total = [0, 0]
    for server in [o.server] if o.server else ["registry", "s3", "azblob", "gha"]:
        with tempfile.TemporaryDirectory(prefix="cachefaults-") as top:
            bed = Bed(os.path.abspath(o.varve), server, top)
            try:
                for way in [o.way] if o.way else ["import", "export", "kill"]:
                    for name in ["kill"] if way == "kill" else [o.fault] if o.fault else FAULTS:
                        done = kill_rounds(bed, o.step) if way == "kill" else rounds(bed, way, name, o.step)
                        total = [a + b for a, b in zip(total, done)]
            finally:
                bed.stop()
    print(f"tried {total[0]}, held {total[0] - total[1]}, fell {total[1]}")
    sys.exit(1 if total[1] else 0)


main()
