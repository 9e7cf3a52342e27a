"""The workloads. setup() once for each builder, before() ahead of each round (neither is timed), run() is timed."""
import gzip, hashlib, io, json, os, random, shutil, subprocess, sys, tarfile

from builders import HERE, REGISTRY, chroot, compiled, run

TOP = os.path.dirname(HERE)


class Workload:
    name = title = ''
    paced = False  # the limit is measured in each round, since it is long and varies with the machine

    def __init__(self, engines):
        self.engines = engines

    def path(self, *parts):
        return os.path.join(self.engines.work, *parts)

    def dockerfile(self, context, text):
        os.makedirs(self.path(context), exist_ok=True)
        with open(self.path(context, 'Dockerfile'), 'w') as f:
            f.write(text)

    def tool(self, name):
        """One of limits/, compiled."""
        return compiled(self.path('limits'), name)

    def best(self, argv, before=None, rounds=3):
        """The smallest first number that a limit program prints."""
        numbers = []
        for _ in range(rounds):
            if before:
                before()
            os.sync()
            numbers.append(float(subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout.split()[0]))
        return min(numbers)

    def publish(self, layout, name, tag='latest'):
        """Put an OCI layout into the registry as bench/NAME."""
        target = f'{REGISTRY}/bench/{name}:base'
        run(chroot('skopeo', 'copy', '--insecure-policy', '--dest-tls-verify=false', f'oci:{os.path.join(self.engines.inside, layout)}:{tag}',
                   'docker://' + target), self.path('skopeo.log'))
        return target

    def busybox(self):
        if not os.path.exists(self.path('bases/busybox-oci')):
            subprocess.run([sys.executable, os.path.join(TOP, 'tests/conformance/base.py'), self.path('bases')], check=True)
        return self.publish('bases/busybox-oci', 'busybox')

    def setup(self, builder): pass
    def before(self, builder, number): pass
    def limit(self): return None
    def clean(self): pass


class GraphRag(Workload):
    """examples/graphrag on a Node base from packages, in a registry of this machine."""

    def base(self):
        """The Node base with this host's CA bundle in it: npm must trust what intercepts TLS here."""
        if not os.path.exists(self.path('node/oci/index.json')):
            subprocess.run([os.path.join(TOP, 'tests/testbed/node-base.sh'), self.path('node')], check=True)
            with_ca(self.path('node/node-base-oci'), self.path('node/oci'))
        return self.publish('node/oci', 'node')

    def copy(self, builder):
        context = f'{self.name}-{builder.name}'
        shutil.rmtree(self.path(context), ignore_errors=True)
        shutil.copytree(os.path.join(TOP, 'examples/graphrag'), self.path(context), ignore=shutil.ignore_patterns('node_modules', 'dist', 'dist-test', 'data'))
        return context

    def setup(self, builder):
        self.args = [f'--build-arg=NODE_IMAGE={self.base()}']
        self.context = getattr(self, 'context', {})
        self.context[builder.name] = self.copy(builder)
        builder.build(self.context[builder.name], tag=builder.tag('graphrag'), args=self.args)


class W1(GraphRag):
    """everything was built before by the same builder; the same build again, with a tag, not pushed. Warm. Limit: walk of the context."""
    name, title = 'W1', 'GraphRAG, nothing changed'

    def run(self, builder):
        return builder.build(self.context[builder.name], tag=builder.tag('graphrag'), args=self.args)

    def limit(self):
        return self.best([self.tool('tree'), 'walk', os.path.join(self.path(next(iter(self.context.values()))))])


class W2(GraphRag):
    """a line is added to src/main.ts; build and push to a registry on this machine that has the earlier layers. Warm. Limit, once in each round:
    the step's own command, `npm run build` (tsc), in a chroot of the base."""
    paced = True
    name, title = 'W2', 'GraphRAG, one source line, pushed'

    def setup(self, builder):
        super().setup(builder)
        builder.build(self.context[builder.name], tag=builder.tag('graphrag'), push=True, args=self.args)

    def before(self, builder, number):
        with open(self.path(self.context[builder.name], 'src/main.ts'), 'a') as f:
            f.write(f'export const round{number}of{builder.name} = {random.random()};\n')

    def run(self, builder):
        return builder.build(self.context[builder.name], tag=builder.tag('graphrag'), push=True, args=self.args)

    def limit(self):
        """One run of the step's command in a chroot of the base that holds what the step finds."""
        root = self.path('W2-limit')
        app = root + '/app'
        if not os.path.exists(app):
            subprocess.run(['umoci', 'raw', 'unpack', '--image', self.path('node/oci:latest'), root], check=True, stdout=subprocess.DEVNULL)
            shutil.copytree(self.path(next(iter(self.context.values()))), app, dirs_exist_ok=True)
            subprocess.run(['chroot', root, 'sh', '-c', 'cd /app && npm ci --no-audit --no-fund --silent'], check=True, env=self.inside(root))
        timed = 'import sys,time,subprocess as s; t=time.monotonic(); s.run(sys.argv[1:],check=True,stdout=s.DEVNULL); print(time.monotonic()-t)'
        command = [sys.executable, '-c', timed, 'chroot', root, 'sh', '-c', 'cd /app && npm run build']
        os.sync()
        return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=self.inside(root)).stdout)

    def inside(self, root):
        shutil.copy('/etc/resolv.conf', root + '/etc/resolv.conf')
        return {'HOME': '/root', 'PATH': os.environ['PATH'], 'NODE_EXTRA_CA_CERTS': '/host-ca.pem',
                **{k: v for k, v in os.environ.items() if k.startswith('npm_config_') or k.lower().endswith('_proxy')}}


class W3(Workload):
    """FROM busybox and 40 × RUN true, --no-cache. The base is there. Limit: limits/steps, clone + overlay + pivot_root + exec for 40 stacked layers."""
    name, title = 'W3', '40 × RUN true, no cache'

    def setup(self, builder):
        self.dockerfile('W3', f'FROM {self.busybox()}\n' + 'RUN true\n' * 40)
        builder.build('W3')

    def run(self, builder):
        return builder.build('W3', no_cache=True)

    def limit(self):
        root = self.path('steps-root')
        os.makedirs(root + '/bin', exist_ok=True)
        os.makedirs(root + '/proc', exist_ok=True)
        shutil.copy(os.environ.get('BUSYBOX', '/bin/busybox'), root + '/bin/true')
        os.environ['TMPDIR'] = self.engines.work
        return self.best([self.tool('steps'), root, '40', '/bin/true']) * 40 / 1000


def make_tree(top, count, size, seed):
    """COUNT files of together SIZE bytes like a node_modules: text that gzip takes to two fifths."""
    rng = random.Random(seed)
    words = [bytes(rng.choices(b'etaoinshrdlucmfwypvbgkjqxz_', k=rng.randint(2, 11))) for _ in range(4000)]
    pool = b''.join(rng.choice(words) + rng.choice([b' ', b'(', b'.', b';\n', b' = ']) for _ in range(1500000))
    weights = [rng.paretovariate(1.3) for _ in range(count)]
    scale = size / sum(min(w, 200) for w in weights)
    for i, weight in enumerate(weights):
        folder = f'{top}/p{i // 300}/lib{i // 40 % 8}'
        os.makedirs(folder, exist_ok=True)
        length = int(min(weight, 200) * scale)
        with open(f'{folder}/module{i}.js', 'wb') as f:
            while length > 0:
                start = rng.randrange(len(pool) - 1)
                piece = pool[start:start + length]
                f.write(piece)
                length -= len(piece)


class BigContext(Workload):
    def setup(self, builder):
        if not os.path.exists(self.path('W4/Dockerfile')):
            make_tree(self.path('W4/src'), 30000, 223e6, 4)
            self.dockerfile('W4', 'FROM scratch\nCOPY . /app\n')


class W4(BigContext):
    """FROM scratch, COPY of 30,000 files (223 MB). The builder's stores are emptied before each round; the context is in the page cache. Not exported.
    Limit: limits/tree copy and hash."""
    name, title = 'W4', '30,000 files: first COPY'

    def before(self, builder, number):
        builder.forget()

    def run(self, builder):
        return builder.build('W4', discard=True)

    def limit(self):
        new = self.path('W4-copy')
        copied = self.best([self.tool('tree'), 'copy', self.path('W4'), new], lambda: shutil.rmtree(new, ignore_errors=True))
        shutil.rmtree(new)
        return copied + self.best([self.tool('tree'), 'hash', self.path('W4')])


class W5(BigContext):
    """W4 again, nothing changed. Warm. Limit: limits/tree walk."""
    name, title = 'W5', '30,000 files, nothing changed'

    def setup(self, builder):
        super().setup(builder)
        builder.build('W4', tag=builder.tag('w5'))

    def run(self, builder):
        return builder.build('W4', tag=builder.tag('w5'))

    def limit(self):
        return self.best([self.tool('tree'), 'walk', self.path('W4')])


class W6(BigContext):
    """W4 with one file changed, exported as gzip and pushed to a registry on this machine that has the earlier image. Warm.
    Limit: limits/tree link and hash (and a copy of the compressed layer, not counted)."""
    name, title = 'W6', '30,000 files, one changed, pushed'

    def setup(self, builder):
        super().setup(builder)
        builder.build('W4', tag=builder.tag('w6'), push=True)

    def before(self, builder, number):
        with open(self.path('W4/src/p50/lib3/changed.js'), 'w') as f:
            f.write(f'{builder.name} {number} {random.random()}\n')

    def run(self, builder):
        return builder.build('W4', tag=builder.tag('w6'), push=True)

    def limit(self):
        new = self.path('W4-link')
        linked = self.best([self.tool('tree'), 'link', self.path('W4'), new], lambda: shutil.rmtree(new, ignore_errors=True))
        shutil.rmtree(new)
        return linked + self.best([self.tool('tree'), 'hash', self.path('W4')])


class W7Run(Workload):
    """a RUN that writes 800 MB in 70,000 files, --no-cache, not exported. Limit: the same program without a builder."""
    name, title = 'W7a', 'RUN writes 800 MB, 70,000 files'

    def setup(self, builder):
        self.dockerfile('W7', f'FROM {self.busybox()}\nCOPY spew /\nARG ROUND\nRUN /spew /out 70000 800\n')
        shutil.copy(self.tool('spew'), self.path('W7/spew'))

    def run(self, builder):
        return builder.build('W7', no_cache=True, discard=True)

    def limit(self):
        out = self.path('W7-out')
        timed = 'import time,subprocess as s,sys; t=time.monotonic(); s.run(sys.argv[1:],check=True); print(time.monotonic()-t)'
        spent = self.best([sys.executable, '-c', timed, self.tool('spew'), out, '70000', '800'], lambda: shutil.rmtree(out, ignore_errors=True))
        shutil.rmtree(out)
        return spent


class W7Export(W7Run):
    """the layer of W7a, there but never exported, exported as gzip and pushed to a registry on this machine. Limit: tar | igzip of the same files, to
    nowhere."""
    name, title = 'W7b', '800 MB layer as gzip, pushed'

    def before(self, builder, number):
        builder.build('W7', discard=True, args=self.round(builder, number))

    def round(self, builder, number):
        self.argument = {**getattr(self, 'argument', {}), builder.name: f'--build-arg=ROUND={number}-{random.random()}'}
        return [self.argument[builder.name]]

    def run(self, builder):
        return builder.build('W7', tag=builder.tag('w7'), push=True, args=[self.argument[builder.name]])

    def limit(self):
        out = self.path('W7-out')
        subprocess.run([self.tool('spew'), out, '70000', '800'], check=True)
        timed = 'import time,subprocess as s,sys; t=time.monotonic(); s.run(sys.argv[1],shell=True,check=True); print(time.monotonic()-t)'
        spent = self.best([sys.executable, '-c', timed, f'tar -C {out} -cf - . | {igzip()} -c >/dev/null'])
        shutil.rmtree(out)
        return spent


class W12(W7Run):
    """the layer of W7a, there already, written to a cache in a registry on this machine with mode=max (peer: docker with the containerd store)."""
    name, title = 'W12', '800 MB step to a registry cache'
    round = W7Export.round

    def before(self, builder, number):
        builder.build('W7', discard=True, args=self.round(builder, number))

    def run(self, builder):
        return builder.build('W7', discard=True, args=[self.argument[builder.name], f'--cache-to=type=registry,ref={builder.tag("w12-cache")},mode=max'])

    def limit(self):
        return None


class W13(W12):
    """every step found in the cache of W12 by an empty store, and the image pushed to the same registry."""
    name, title = 'W13', 'empty store, all hits, pushed'

    def before(self, builder, number):
        W12.before(self, builder, number)
        W12.run(self, builder)
        builder.forget()

    def run(self, builder):
        return builder.build('W7', tag=builder.tag('w13'), push=True, args=[self.argument[builder.name], f'--cache-from=type=registry,ref={builder.tag("w12-cache")}'])


class W15(GraphRag):
    """bake of prod and dev of examples/graphrag, by the same docker-bake.hcl: the shared base once, both finals at the same time (peer: docker buildx
    bake). The builder's stores are emptied before each round; npm ci is part of it, so the network's speed is, too."""
    name, title = 'W15', 'bake of prod and dev, cold'

    def setup(self, builder):
        self.args = [f'--set=*.args.NODE_IMAGE={self.base()}', 'prod', 'dev']
        self.context = getattr(self, 'context', {})
        self.context[builder.name] = self.copy(builder)

    def before(self, builder, number):
        builder.forget()

    def run(self, builder):
        return builder.bake(self.context[builder.name], self.args)


class W15Again(W15):
    """the same again. Warm."""
    name, title = 'W15b', 'bake of prod and dev, nothing changed'

    def setup(self, builder):
        super().setup(builder)
        builder.bake(self.context[builder.name], self.args)

    def before(self, builder, number):
        pass


class W15Line(W15Again):
    """the same after a line was added to src/main.ts: one compilation, and a small layer in each image. Warm."""
    name, title = 'W15c', 'bake of prod and dev, one source line'
    before = W2.before


def igzip():
    return 'igzip' if shutil.which('igzip') else 'gzip'


class W8(Workload):
    """FROM a base of 460 MB in 39,000 files (about 180 MB gzip) in a registry on this machine, RUN true. The builder's stores are emptied before each
    round. Limit: curl | igzip -d | tar -x of the same layer."""
    name, title = 'W8', 'pull and unpack a 460 MB base, RUN true'

    def setup(self, builder):
        if not os.path.exists(self.path('big-oci/index.json')):
            make_big_base(self.path('big'), self.path('big-oci'))
        self.dockerfile('W8', f'FROM {self.publish("big-oci", "big")}\nRUN ["/bin/busybox", "true"]\n')

    def before(self, builder, number):
        builder.forget()

    def run(self, builder):
        return builder.build('W8')

    def limit(self):
        with open(self.path('big-oci/layer')) as f:
            digest = f.read()
        out = self.path('W8-out')

        def fresh():
            shutil.rmtree(out, ignore_errors=True)
            os.makedirs(out)
        timed = 'import time,subprocess as s,sys; t=time.monotonic(); s.run(sys.argv[1],shell=True,check=True); print(time.monotonic()-t)'
        spent = self.best([sys.executable, '-c', timed, f'curl -s http://{REGISTRY}/v2/bench/big/blobs/{digest} | {igzip()} -dc | tar -C {out} -xf -'], fresh)
        shutil.rmtree(out)
        return spent


class Layout:
    """Writes an OCI layout."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path + '/blobs/sha256', exist_ok=True)
        with open(path + '/oci-layout', 'w') as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data, media):
        digest = hashlib.sha256(data).hexdigest()
        with open(f'{self.path}/blobs/sha256/{digest}', 'wb') as f:
            f.write(data)
        return {'mediaType': media, 'digest': 'sha256:' + digest, 'size': len(data)}

    def layer(self, data):
        return self.blob(gzip.compress(data, 6, mtime=0), 'application/vnd.oci.image.layer.v1.tar+gzip')

    def image(self, config, layers):
        config = self.blob(json.dumps(config).encode(), 'application/vnd.oci.image.config.v1+json')
        media = 'application/vnd.oci.image.manifest.v1+json'
        desc = self.blob(json.dumps({'schemaVersion': 2, 'mediaType': media, 'config': config, 'layers': layers}).encode(), media)
        desc['annotations'] = {'org.opencontainers.image.ref.name': 'latest'}
        with open(self.path + '/index.json', 'w') as f:
            json.dump({'schemaVersion': 2, 'manifests': [desc]}, f)


def make_big_base(files, path):
    make_tree(files + '/usr', 39000, 460e6, 8)
    os.makedirs(files + '/bin', exist_ok=True)
    shutil.copy(os.environ.get('BUSYBOX', '/bin/busybox'), files + '/bin/busybox')
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        tar.add(files, arcname='.')
    shutil.rmtree(files)
    layout, data = Layout(path), raw.getvalue()
    desc = layout.layer(data)
    layout.image({'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['/bin/busybox']},
                  'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(data).hexdigest()]}}, [desc])
    with open(path + '/layer', 'w') as f:
        f.write(desc['digest'])


def with_ca(old, new):
    """A copy of an OCI layout of one image, with this host's CA bundle as a further layer and NODE_EXTRA_CA_CERTS."""
    shutil.copytree(old, new)
    layout = Layout(new)

    def read(desc):
        with open(f'{new}/blobs/sha256/{desc["digest"][7:]}', 'rb') as f:
            return json.load(f)
    with open(new + '/index.json') as f:
        manifest = read(json.load(f)['manifests'][0])
    while 'manifests' in manifest:
        manifest = read(manifest['manifests'][0])
    config, raw = read(manifest['config']), io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        tar.add('/etc/ssl/certs/ca-certificates.crt', arcname='host-ca.pem')
    data = raw.getvalue()
    config['rootfs']['diff_ids'].append('sha256:' + hashlib.sha256(data).hexdigest())
    config.setdefault('config', {}).setdefault('Env', []).append('NODE_EXTRA_CA_CERTS=/host-ca.pem')
    config.pop('history', None)
    layout.image(config, manifest['layers'] + [layout.layer(data)])


WORKLOADS = [W1, W2, W3, W4, W5, W6, W7Run, W7Export, W8, W12, W13, W15, W15Again, W15Line]
