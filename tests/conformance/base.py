#!/usr/bin/env python3
"""Make the base images of the conformance cases: base.py OUTDIR

Writes one OCI layout for each, OUTDIR/NAME-oci, tagged `latest`:
  busybox   Debian's busybox-static with a few users, groups, links and a setuid file; Env PATH, Cmd sh
  rich      busybox and every field a config can have: User, WorkingDir, Entrypoint, Labels, Volumes, Healthcheck ...
  onbuild   busybox with ONBUILD triggers
  strange   two layers: whiteouts, an opaque directory, devices, hard links, xattrs, long and non-UTF-8 names
  multi     an index for linux/amd64, linux/arm64 and linux/arm/v7, each with a file that names its platform; not compressed
  variants  likewise for linux/arm/v6, linux/arm64/v8, linux/amd64/v2, linux/amd64 and linux/386
  liar      an index whose image for linux/arm64 is one for linux/amd64 by its own config
  attested  an index as builders write them, with an attestation (unknown/unknown) for each image
and where BUSYBOX_ARM64 is busybox for arm64:
  busybox-arm64, and box: an index of it and busybox

Every byte but busybox itself is fixed, so digests stay the same on one machine, and those of multi everywhere. Needs busybox-static (BUSYBOX=path).
"""
import gzip, hashlib, io, json, os, subprocess, sys, tarfile

MTIME = 1100000000
STAMP = '2004-11-09T11:33:20Z'
APPLETS = '''[ ash awk base64 basename cat chgrp chmod chown cksum cmp cp cut date dd df diff dirname du echo env expr false find
grep gunzip gzip head hostname id install ip kill ln ls md5sum mkdir mkfifo mknod mktemp mount mv nc od ping printenv printf ps pwd
readlink realpath rm rmdir sed seq setsid sh sha256sum sleep sort stat stty su tail tar tee test timeout touch tr true truncate tty
uname uniq unlink umount usleep vi wc wget which whoami xargs yes'''.split()
PASSWD = '''root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:App:/home/app:/bin/sh
other:x:1001:2000:Other:/home/other:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
'''
GROUP = '''root:x:0:
daemon:x:1:
staff:x:50:app
www-data:x:33:
app:x:1000:
devs:x:2000:app,other
nogroup:x:65534:
'''
BUSYBOX = os.environ.get('BUSYBOX', '/bin/busybox')
PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


class Layer:
    """A layer's tar, entry after entry."""

    def __init__(self):
        self.raw = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.raw, mode='w', format=tarfile.PAX_FORMAT, encoding='utf-8', errors='surrogateescape')

    def add(self, name, kind, mode, data=b'', owner=(0, 0), link='', dev=(0, 0), xattrs=None, mtime=MTIME):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
        info.uid, info.gid, info.mtime = owner[0], owner[1], mtime
        info.devmajor, info.devminor = dev
        for key, value in (xattrs or {}).items():
            info.pax_headers['SCHILY.xattr.' + key] = value.decode('utf-8', 'surrogateescape')
        self.tar.addfile(info, io.BytesIO(data))

    def dir(self, name, mode=0o755, **more): self.add(name, tarfile.DIRTYPE, mode, **more)
    def file(self, name, data, mode=0o644, **more): self.add(name, tarfile.REGTYPE, mode, data, **more)
    def symlink(self, name, link): self.add(name, tarfile.SYMTYPE, 0o777, link=link)
    def hardlink(self, name, link): self.add(name, tarfile.LNKTYPE, 0o644, link=link)

    def bytes(self):
        self.tar.close()
        return self.raw.getvalue()


class Layout:
    """An OCI layout on disk."""

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

    def json(self, obj, media):
        return self.blob(json.dumps(obj, separators=(',', ':')).encode(), media)

    def manifest(self, config, layers, history, arch='amd64', variant=None, plain=False):
        descs = [self.blob(d, 'application/vnd.oci.image.layer.v1.tar') if plain else
                 self.blob(gzip.compress(d, 6, mtime=0), 'application/vnd.oci.image.layer.v1.tar+gzip') for d in layers]
        image = {'created': STAMP, 'architecture': arch, 'os': 'linux', 'config': config, 'rootfs': {'type': 'layers',
                 'diff_ids': ['sha256:' + hashlib.sha256(d).hexdigest() for d in layers]},
                 'history': [{'created': STAMP, 'created_by': h} if h[0] != '#' else
                             {'created': STAMP, 'created_by': h, 'empty_layer': True} for h in history]}
        if variant:
            image['variant'] = variant
        desc = self.json({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                          'config': self.json(image, 'application/vnd.oci.image.config.v1+json'), 'layers': descs},
                         'application/vnd.oci.image.manifest.v1+json')
        desc['platform'] = {'architecture': arch, 'os': 'linux', **({'variant': variant} if variant else {})}
        return desc

    def index(self, descs):
        self.tag(self.json({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': descs},
                           'application/vnd.oci.image.index.v1+json'))

    def tag(self, desc):
        desc['annotations'] = {'org.opencontainers.image.ref.name': 'latest'}
        with open(self.path + '/index.json', 'w') as f:
            json.dump({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': [desc]}, f)


def busybox_layer(program):
    layer = Layer()
    for name in 'bin dev etc home proc run sys usr usr/bin usr/lib usr/local usr/local/bin usr/local/lib usr/sbin var var/lib'.split():
        layer.dir(name, 0o555 if name in ('proc', 'sys') else 0o755)
    layer.dir('root', 0o700)
    layer.dir('tmp', 0o1777)
    layer.dir('home/app', 0o755, owner=(1000, 1000))
    layer.symlink('lib', 'usr/lib')
    layer.symlink('sbin', 'usr/sbin')
    layer.symlink('var/run', '../run')
    layer.symlink('var/www', '/srv/www')
    with open(program, 'rb') as f:
        layer.file('bin/busybox', f.read(), 0o755)
    known = subprocess.run([BUSYBOX, '--list'], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    for applet in APPLETS:
        if applet in known:
            layer.symlink('bin/' + applet, 'busybox')
    layer.symlink('usr/bin/env', '/bin/busybox')
    layer.file('usr/bin/setuid', b'#!/bin/sh\nid\n', 0o4755)
    layer.file('etc/passwd', PASSWD.encode())
    layer.file('etc/group', GROUP.encode())
    layer.file('etc/shadow', b'root:*:0::::::\n', 0o640, owner=(0, 42))
    layer.file('etc/os-release', b'ID=conformance\n')
    return layer.bytes()


def strange_layers():
    low, high = Layer(), Layer()
    low.dir('s')
    low.dir('s/opaque')
    low.file('s/opaque/hidden', b'hidden\n')
    low.file('s/gone', b'gone\n')
    low.dir('s/gone-dir')
    low.file('s/gone-dir/f', b'f\n')
    low.file('s/a', b'linked\n')
    low.hardlink('s/b', 's/a')
    low.hardlink('s/c', 's/a')
    low.add('s/fifo', tarfile.FIFOTYPE, 0o640, owner=(7, 8))
    low.add('s/null', tarfile.CHRTYPE, 0o666, dev=(1, 3))
    low.add('s/loop', tarfile.BLKTYPE, 0o660, dev=(7, 0), owner=(0, 6))
    low.file('s/attr', b'x\n', xattrs={'user.color': b'blue', 'user.bytes': b'\xff\xfe\x01'})
    low.file('s/cap', b'#!/bin/sh\n', 0o755, xattrs={'security.capability': bytes.fromhex('0100000200040000000000000000000000000000')})
    low.file('s/sgid', b'', 0o2755, owner=(0, 50))
    low.dir('s/sticky', 0o3777, owner=(1000, 2000))
    low.file(b's/latin-\xe9'.decode('utf-8', 'surrogateescape'), b'latin1\n')
    low.file('s/utf8-é漢', b'utf8\n')
    low.file('s/sp ace\\back', b'odd\n')
    low.file('s/' + 'n' * 255, b'long name\n')
    low.file('s/' + '/'.join(['d' * 60] * 6) + '/deep', b'deep\n')
    low.symlink('s/dangling', 'nowhere')
    low.symlink('s/loop1', 'loop2')
    low.symlink('s/loop2', 'loop1')
    low.symlink('s/to-dir', 'opaque')
    low.file('s/was-file', b'file\n')
    low.dir('s/was-dir')
    low.file('s/was-dir/x', b'x\n')
    low.file('s/old', b'before the epoch\n', mtime=0)
    high.dir('s')
    high.dir('s/opaque')
    high.file('s/opaque/.wh..wh..opq', b'')
    high.file('s/opaque/shown', b'shown\n')
    high.file('s/.wh.gone', b'')
    high.file('s/.wh.gone-dir', b'')
    high.dir('s/was-file')
    high.file('s/was-file/y', b'y\n')
    high.file('s/was-dir', b'file\n')
    return [low.bytes(), high.bytes()]


def make_index(out, name, platforms, said=None, attested=False):
    """An index of images that hold one file, with their platform; said: the architectures that the index says."""
    layout, descs = Layout(f'{out}/{name}-oci'), []
    for number, (arch, variant) in enumerate(platforms):
        layer = Layer()
        layer.file('platform', f'linux/{arch}{"/" + variant if variant else ""}\n'.encode())
        descs.append(layout.manifest({'Env': [PATH]}, [layer.bytes()], ['platform ' + arch], arch, variant, plain=True))
        if said:
            descs[-1]['platform']['architecture'] = said[number]
    for desc in list(descs) if attested else []:
        statement = layout.json({'_type': 'https://in-toto.io/Statement/v0.1'}, 'application/vnd.in-toto+json')
        config = layout.json({'architecture': 'unknown', 'os': 'unknown', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': [statement['digest']]}},
                             'application/vnd.oci.image.config.v1+json')
        descs.append({**layout.json({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'config': config, 'layers': [statement]},
                                    'application/vnd.oci.image.manifest.v1+json'), 'platform': {'architecture': 'unknown', 'os': 'unknown'},
                      'annotations': {'vnd.docker.reference.digest': desc['digest'], 'vnd.docker.reference.type': 'attestation-manifest'}})
    layout.index(descs)


def main():
    out = sys.argv[1]
    base = busybox_layer(BUSYBOX)
    config = {'Env': [PATH], 'Cmd': ['sh']}
    history = ['COPY busybox /bin/ # conformance']

    def make(name, config, layers, history):
        layout = Layout(f'{out}/{name}-oci')
        layout.tag(layout.manifest(config, layers, history))

    make('busybox', config, [base], history + ['#(nop) CMD ["sh"]'])
    extra = Layer()
    extra.dir('srv'); extra.dir('srv/app', 0o750, owner=(1000, 1000)); extra.file('srv/app/rich', b'rich\n')
    make('rich', {'User': 'app', 'WorkingDir': '/srv/app', 'Env': [PATH, 'RICH=from base', 'EMPTY='], 'Entrypoint': ['/bin/entry', '--flag'],
                  'Cmd': ['argument'], 'Labels': {'base.name': 'rich', 'base.version': '1'}, 'Volumes': {'/data': {}},
                  'ExposedPorts': {'8080/tcp': {}}, 'StopSignal': 'SIGQUIT', 'Shell': ['/bin/ash', '-ec'],
                  'Healthcheck': {'Test': ['CMD', '/bin/true'], 'Interval': 5000000000, 'Retries': 2}},
         [base, extra.bytes()], history + ['COPY rich /srv/app # conformance', '#(nop) config'])
    make('onbuild', {**config, 'OnBuild': ['ARG OB=fallback', 'ENV OB_ENV=${OB}', 'COPY trigger.txt /onbuild/', 'RUN echo "$OB" >/onbuild/ran']},
         [base], history + ['#(nop) ONBUILD'])
    make('strange', config, [base] + strange_layers(), history + ['strange low', 'strange high'])
    make_index(out, 'multi', [('amd64', None), ('arm64', None), ('arm', 'v7')])
    make_index(out, 'variants', [('arm', 'v6'), ('arm64', 'v8'), ('amd64', 'v2'), ('amd64', None), ('386', None)])
    make_index(out, 'liar', [('amd64', None), ('amd64', None)], said=['amd64', 'arm64'])
    make_index(out, 'attested', [('amd64', None), ('arm64', None)], attested=True)
    if os.environ.get('BUSYBOX_ARM64'):
        foreign = busybox_layer(os.environ['BUSYBOX_ARM64'])
        history += ['#(nop) CMD ["sh"]']
        Layout(f'{out}/busybox-arm64-oci').tag(Layout(f'{out}/busybox-arm64-oci').manifest(config, [foreign], history, 'arm64'))
        box = Layout(f'{out}/box-oci')
        box.index([box.manifest(config, [base], history), box.manifest(config, [foreign], history, 'arm64')])


if __name__ == '__main__':
    main()
