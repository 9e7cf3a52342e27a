"""The builders of the race: how each is asked to build, push, forget everything; what memory it used."""
import os, resource, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, 'peers.sh')
CHROOT = os.environ.get('VARVE_PEERS', '/var/tmp/varve-peers')
REGISTRY = '127.0.0.1:5000'


class Spent:
    """What runs took: seconds add up; the peak resident size of the program itself, without what it ran, is the largest, in MB."""

    def __init__(self, seconds=0.0, peak=0.0):
        self.seconds, self.peak = seconds, peak

    def __add__(self, other):
        return Spent(self.seconds + other.seconds, max(self.peak, other.peak))


def compiled(folder, name):
    """A program of limits/."""
    out, source = os.path.join(folder, name), os.path.join(HERE, 'limits', name + '.c')
    if not os.path.exists(out) or os.stat(out).st_mtime < os.stat(source).st_mtime:
        os.makedirs(folder, exist_ok=True)
        subprocess.run(['cc', '-O2', '-o', out, source, *(['-lcrypto'] if name == 'tree' else []),
                        *(['-static'] if name == 'spew' else [])], check=True)
    return out


def run(argv, log, env=None, cwd=None):
    """Run to the end; what it took. The time is that of the program alone."""
    folder = os.path.dirname(log)
    report = log + '.peak'
    with open(log, 'ab') as out:
        code = subprocess.run([compiled(os.path.join(folder, 'limits'), 'peak'), report, *argv], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})), cwd=cwd).returncode
    if code:
        with open(log, errors='replace') as f:
            tail = f.read()[-3000:]
        sys.exit(f'bench: {" ".join(argv)} ended with {code}:\n{tail}')
    with open(report) as f:
        seconds, own, _, _ = f.read().split()
    return Spent(float(seconds), int(own) / 1024)


def chroot(*argv):
    return ['chroot', CHROOT, '/usr/bin/env', '-i', 'HOME=/root', 'TMPDIR=/var/tmp', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', *argv]


class Builder:
    """build() and forget() are what the workloads use. Paths of contexts are given as the engines' work folder sees them (relative)."""

    name = ''
    shown = None  # the column of its results, if that is another's

    def __init__(self, engines):
        self.engines = engines
        self.log = os.path.join(engines.work, self.name + '.log')

    def tag(self, name):
        return f'{REGISTRY}/bench/{name}:{self.name}'

    def reset_peak(self):
        pass

    def peak(self):
        return 0


class Varve(Builder):
    name = 'varve'

    def __init__(self, engines, program):
        super().__init__(engines)
        self.program, self.root = program, os.path.join(engines.work, 'varve-root')

    def build(self, context, tag=None, push=False, no_cache=False, discard=False, args=()):
        argv = [self.program, 'build', '--progress=plain', *(['--no-cache'] if no_cache else []), *(['-t', tag] if tag else []),
                *(['--push'] if push else []), *(['-o', 'type=cacheonly'] if discard else []), *args, os.path.join(self.engines.work, context)]
        return run(argv, self.log, {'VARVE_ROOT': self.root})

    def bake(self, context, args=()):
        """Targets of the bake file in context, from there; --set and targets are args."""
        return run([self.program, 'bake', '--progress=plain', *args], self.log, {'VARVE_ROOT': self.root}, os.path.join(self.engines.work, context))

    def forget(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def version(self):
        return subprocess.run([self.program, 'version'], stdout=subprocess.PIPE, text=True).stdout.split('\n')[0].replace('varve ', '')


class Docker(Builder):
    name = engine = 'docker'

    def build(self, context, tag=None, push=False, no_cache=False, discard=False, args=()):
        return run(chroot(f'DOCKER_HOST=unix:///run/{self.engine}.sock', 'docker', 'buildx', 'build', '--progress=plain', '--provenance=false', '--network=host',
                          *(['--no-cache'] if no_cache else []), *(['-t', tag] if tag else []), *(['--push'] if push else []),
                          *(['-o', 'type=cacheonly'] if discard else []), *args, os.path.join(self.engines.inside, context)), self.log)

    def bake(self, context, args=()):
        """Likewise. The host's network is in a file, since --set cannot ask for it."""
        with open(os.path.join(self.engines.work, context, 'docker-bake.override.hcl'), 'w') as f:
            f.write('target "_common" { network = "host" }\n')
        return run(chroot(f'DOCKER_HOST=unix:///run/{self.engine}.sock', 'sh', '-c', 'cd "$0" && exec "$@"', os.path.join(self.engines.inside, context),
                          'docker', 'buildx', 'bake', '--progress=plain', '--provenance=false', '--allow=network.host', *args), self.log)

    def docker(self, *argv):
        run(chroot(f'DOCKER_HOST=unix:///run/{self.engine}.sock', 'sh', '-c', *argv), self.log)

    def forget(self):
        self.docker('docker image ls -aq | sort -u | xargs -r docker image rm -f; docker buildx prune -af')

    def pids(self):
        with open(f'{CHROOT}/.pids/{self.engine}') as f:
            dockerd = int(f.read().split()[0])
        children = subprocess.run(['pgrep', '-P', str(dockerd), 'containerd'], stdout=subprocess.PIPE, text=True).stdout.split()
        return [dockerd] + [int(c) for c in children]

    def reset_peak(self):
        for pid in self.pids():
            with open(f'/proc/{pid}/clear_refs', 'w') as f:
                f.write('5')

    def peak(self):
        total = 0
        for pid in self.pids():
            with open(f'/proc/{pid}/status') as f:
                total += sum(int(l.split()[1]) for l in f if l.startswith('VmHWM'))
        return total / 1024

    def version(self):
        return subprocess.run(chroot('dockerd', '--version'), stdout=subprocess.PIPE, text=True).stdout.split()[2].split('+')[0]


class Containerd(Docker):
    """Docker with the containerd image store, which can write caches to registries."""
    name, engine, shown = 'containerd', 'oracle', 'docker'


class Buildah(Builder):
    name = 'buildah'

    def build(self, context, tag=None, push=False, no_cache=False, discard=False, args=()):
        processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        flags = ['--layers', '--isolation', 'oci', '--runtime', 'runc', '--network=host', '--tls-verify=false', '--ulimit', 'nofile=20000:20000',
                 *(['--ulimit', f'nproc={processes}'] if processes > 0 else [])]
        spent = run(chroot('buildah', 'build', *flags, *(['--no-cache'] if no_cache else []), *(['-t', tag] if tag else []), *args,
                           os.path.join(self.engines.inside, context)), self.log)
        return spent + run(chroot('buildah', 'push', '--tls-verify=false', tag), self.log) if push else spent

    def forget(self):
        run(chroot('sh', '-c', 'buildah rm -a; buildah rmi -a -f; true'), self.log)

    def version(self):
        return subprocess.run(chroot('buildah', '--version'), stdout=subprocess.PIPE, text=True).stdout.split()[2]


BUILDERS = {'docker': Docker, 'containerd': Containerd, 'buildah': Buildah}
