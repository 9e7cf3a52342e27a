#!/usr/bin/env python3
"""Two machines that build the same things at the same time through one cache.

    twomachines.py VARVE [--builds N] [--rounds N] [--prefer-hit]

A machine is a network namespace with a store of its own; a third has the registry, which both reach over a pair of virtual
interfaces. In each round N builds (8) begin at once, half of them on each machine, of targets that overlap, with --cache-from
and --cache-to one reference. Their steps take a while and have random results, so a build that mixed two of them would be
wrong, which each image tells by itself. Then both stores must be sound, the reference must verify with all its bytes, and a third store must build
all targets without a step. How often each step ran is counted: at best once in all. Needs root and docker-registry."""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

bases = os.environ.get("VARVE_TESTBED") or os.path.expanduser("~/.cache/varve-testbed")
PORT = 5000
TARGETS = ["one", "two", "three", "four"]
DOCKERFILE = """FROM busybox AS deps
COPY round /round
RUN sleep 0.4 && head -c 400000 /dev/urandom >/deps
RUN sleep 0.2 && sha256sum /deps >/deps.sum
FROM deps AS lib
RUN sleep 0.3 && head -c 300000 /dev/urandom >/lib && sha256sum /lib >/lib.sum
FROM lib AS one
RUN sha256sum -c /deps.sum && echo one >/name
FROM lib AS two
RUN sha256sum -c /deps.sum /lib.sum && echo two >/name
FROM busybox AS three
COPY --from=deps /deps /deps.sum /
COPY --from=lib /lib /lib.sum /
RUN sha256sum -c /deps.sum /lib.sum && echo three >/name
FROM deps AS four
COPY --from=two /lib /lib.sum /name /
RUN sha256sum -c /deps.sum /lib.sum && echo four >/name
"""


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def must(r, what):
    if r.returncode != 0:
        raise SystemExit(f"{what}: {r.stdout[-3000:]}")
    return r.stdout


class Bed:
    """The namespaces, the registry and the stores."""

    def __init__(self, varve, top):
        self.varve, self.top = varve, top
        self.names = {m: f"varve-{os.getpid()}-{m}" for m in ("reg", "a", "b")}
        self.registry = None
        self.context = os.path.join(top, "ctx")
        os.mkdir(self.context)
        with open(os.path.join(self.context, "Dockerfile"), "w") as f:
            f.write(DOCKERFILE)

    def start(self):
        for m in self.names:
            must(run("ip", "netns", "add", self.names[m]), "a network namespace")
            must(self.inside(m, "ip", "link", "set", "lo", "up"), "lo")
        for i, m in enumerate(("a", "b"), 1):
            must(run("ip", "link", "add", f"v{m}", "netns", self.names["reg"], "type", "veth", "peer", "name", "v0", "netns", self.names[m]), "veth")
            for where, link, address in (("reg", f"v{m}", f"10.9.{i}.1/24"), (m, "v0", f"10.9.{i}.2/24")):
                must(self.inside(where, "ip", "address", "add", address, "dev", link), "an address")
                must(self.inside(where, "ip", "link", "set", link, "up"), "a link")
            must(self.inside(m, "ip", "route", "add", "10.9.0.1", "via", f"10.9.{i}.1"), "a route")
        must(self.inside("reg", "ip", "address", "add", "10.9.0.1/32", "dev", "lo"), "an address")
        self.serve()

    def serve(self):
        config = os.path.join(self.top, "registry.yml")
        with open(config, "w") as f:
            f.write(f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {self.top}/data\n"
                    f"  delete:\n    enabled: true\nhttp:\n  addr: 10.9.0.1:{PORT}\n  secret: test-bed\n")
        with open(os.path.join(self.top, "registry.log"), "w") as log:  # it takes REGISTRY_… of the environment for configuration
            self.registry = subprocess.Popen(["ip", "netns", "exec", self.names["reg"], "docker-registry", "serve", config],
                                             stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
        for _ in range(100):
            if self.inside("a", "curl", "-sf", "--noproxy", "*", f"http://10.9.0.1:{PORT}/v2/").returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit("the registry does not answer")

    def stop(self):
        if self.registry:
            self.registry.terminate()
            self.registry.wait()
        for name in self.names.values():
            run("ip", "netns", "del", name)

    def inside(self, machine, *command):
        return run("ip", "netns", "exec", self.names[machine], *command)

    def command(self, machine, store, *arguments):
        """A command of varve on a machine, and its environment."""
        env = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8", VARVE_ROOT=os.path.join(self.top, store),
                   REGISTRY_AUTH_FILE=os.path.join(self.top, "none"), DOCKER_CONFIG=self.top)
        return ["ip", "netns", "exec", self.names[machine], self.varve, *arguments], env

    def build(self, machine, store, target, *arguments):
        return self.command(machine, store, "build", "--progress=plain", "--build-context", f"busybox=oci-layout://{bases}/busybox-oci",
                            "--target", target, "-o", f"type=tar,dest={self.top}/{store}-{target}.tar", *arguments, self.context)


def steps_that_ran(text):
    """The RUN steps that were not cached, by their words."""
    names, done = {}, []
    for line in text.splitlines():
        m = re.match(r"\[(\d+)/\d+(?: \S+)?\] (RUN .*?)( {3}.*)?$", line)
        if m and "cached" not in (m.group(3) or ""):
            names[line.split("]")[0]] = m.group(2)
        if re.match(r"\[[^]]+\] done after", line) and line.split("]")[0] in names:
            done.append(names[line.split("]")[0]])
    return done


def check_image(path, target):
    """Whether what is in the tar fits together; the sum of its deps."""
    out = tempfile.mkdtemp(dir=os.path.dirname(path))
    must(run("tar", "-xf", path, "-C", out), "an output")
    sums = run("sh", "-c", f"cd {out} && sed 's, /, ,' deps.sum lib.sum | sha256sum -c && grep -qx {target} name")
    shutil.rmtree(out)
    return sums.returncode == 0


def one_round(bed, o, n):
    with open(os.path.join(bed.context, "round"), "w") as f:
        f.write(str(n))
    where = f"type=registry,ref=10.9.0.1:{PORT}/two/machines:cache,registry.insecure=true"
    prefer = ",prefer=hit" if o.prefer_hit else ""
    running, fell, ran = [], [], collections.Counter()
    begun = time.monotonic()
    for i in range(o.builds):
        machine, target = "ab"[i % 2], TARGETS[i // 2 % len(TARGETS)]
        command, env = bed.build(machine, f"store-{machine}", target, "--cache-from", where + prefer, "--cache-to", where + ",mode=max")
        running.append((machine, target, subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
    for machine, target, p in running:
        text = p.communicate()[0]
        if p.returncode != 0 or "warning" in text:
            fell.append(f"{machine} {target} ended with {p.returncode}: {text[-1500:]}")
        elif not check_image(f"{bed.top}/store-{machine}-{target}.tar", target):
            fell.append(f"{machine} {target}: its image mixes results")
        ran.update(steps_that_ran(text))
    took = time.monotonic() - begun
    for machine in "ab":
        command, env = bed.command(machine, f"store-{machine}", "fsck")
        r = run(*command, env=env)
        if r.returncode != 0:
            fell.append(f"fsck on {machine}: {r.stdout}")
    command, env = bed.command("a", "store-a", "cache", "verify", "--read", where)
    r = run(*command, env=env)
    if r.returncode != 0:
        fell.append(f"the reference: {r.stdout}")
    for target in TARGETS[: (o.builds + 1) // 2]:
        command, env = bed.build("b", f"fresh-{n}", target, "--cache-from", where + ",prefer=hit")
        r = run(*command, env=env)
        if r.returncode != 0 or " 0 steps ran" not in r.stdout or not check_image(f"{bed.top}/fresh-{n}-{target}.tar", target):
            fell.append(f"a third machine, {target}: {r.stdout[-1500:]}")
    shutil.rmtree(os.path.join(bed.top, f"fresh-{n}"))
    return ran, fell, took


def main():
    p = argparse.ArgumentParser()
    p.add_argument("varve")
    p.add_argument("--builds", type=int, default=8)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--prefer-hit", action="store_true")
    o = p.parse_args()
    total = 0
    with tempfile.TemporaryDirectory(prefix="twomachines-") as top:
        bed = Bed(os.path.abspath(o.varve), top)
        try:
            bed.start()
            for n in range(o.rounds):
                ran, fell, took = one_round(bed, o, n)
                total += len(fell)
                print(f"round {n}: {o.builds} builds in {took:.1f} s, {sum(ran.values())} runs of {len(ran)} steps, at most {max(ran.values(), default=0)} of one, "
                      f"fell {len(fell)}", flush=True)
                for step, times in ran.most_common():
                    print(f"  {times} × {step}")
                for line in fell:
                    print("  FELL " + line.replace("\n", "\n    "), flush=True)
        finally:
            bed.stop()
    print(f"tried {o.rounds * o.builds}, fell {total}")
    sys.exit(1 if total else 0)


main()
