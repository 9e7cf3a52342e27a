#!/usr/bin/env python3
"""Turn a container image into two plain texts that can be compared: its config and its file tree.

usage: normalise.py IMAGE [--config FILE] [--tree FILE] [--bases DIR] [--epoch SECONDS] [--context-time SECONDS] [--replace FROM=TO]...

IMAGE is an OCI layout or docker-archive, as a directory or a tar. This reader shares nothing with varve: it applies the
layers in order, whiteouts included, in memory, and on the way checks what a consumer would: every digest and size, that
diff_ids are those of the layers, that the history names as many layers as there are. A broken image is exit status 1.

config: JSON with sorted keys: the config object (empty members dropped), os, architecture, variant, author, the number of
layers, and for every history entry created_by and empty_layer. Times are dropped, unless they are --epoch SECONDS (what the build
was given as SOURCE_DATE_EPOCH): then it says so.

Beside the base's it is shown (config_difference) by a line for each member that differs: `NAME.NAME = JSON`, `- NAME.NAME` for one that is
gone, `NAME + JSON` for each value behind those of the base in a list that builds add to.

tree: a sorted line for each path:  PATH TYPE MODE UID:GID [key=value]...
  size, sha256   of regular files                text=     their content when it is text of at most 400 bytes
  target=        of symbolic links
  mtime=         of all but directories: the second, or "now" when it is NEW or later (made during the build), or "context" when it
                 is that of --context-time
  link=          the first name of a file that has several      dev=MAJOR:MINOR   of devices
  xattr.NAME=    hexadecimal value
Bytes outside printable ASCII, spaces and backslashes are written \\xNN (in text= a newline is \\n, a blank \\_).
With --bases DIR (OCI layouts named NAME-oci), an image whose first layers are those of one of them is shown as `base NAME` and the
differences: lines that are new or changed, and `- PATH` for what is gone. The busybox program, which is not the same on every
machine, is shown as size=busybox wherever it is.
"""
import argparse, bz2, datetime, functools, gzip, hashlib, io, json, lzma, os, re, stat, subprocess, sys, tarfile, zlib

NEW = 1600000000
TYPES = {tarfile.REGTYPE: 'file', tarfile.AREGTYPE: 'file', tarfile.CONTTYPE: 'file', tarfile.GNUTYPE_SPARSE: 'file',
         tarfile.DIRTYPE: 'dir', tarfile.SYMTYPE: 'symlink', tarfile.FIFOTYPE: 'fifo', tarfile.CHRTYPE: 'char', tarfile.BLKTYPE: 'block'}


class Broken(Exception):
    """The image contradicts itself."""


class Files:
    """The named files of a directory or a tar."""

    def __init__(self, path):
        self.path, self.tar = path, None
        if not os.path.isdir(path):
            self.tar = tarfile.open(path)
            self.members = {os.path.normpath(m.name): m for m in self.tar}

    def has(self, name):
        return name in self.members if self.tar else os.path.exists(os.path.join(self.path, name))

    def read(self, name):
        if not self.has(name):
            raise Broken(f'{name} is missing')
        if self.tar:
            return self.tar.extractfile(self.members[name]).read()
        with open(os.path.join(self.path, name), 'rb') as f:
            return f.read()


GROWING = ('history', 'config.Env', 'config.OnBuild')  # lists that a build adds to


def sha256(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def blob(files, desc):
    algorithm, _, hexa = desc['digest'].partition(':')
    data = files.read(f'blobs/{algorithm}/{hexa}')
    if sha256(data) != desc['digest']:
        raise Broken(f'blob {desc["digest"]} has digest {sha256(data)}')
    if len(data) != desc['size']:
        raise Broken(f'blob {desc["digest"]} has {len(data)} bytes, its descriptor says {desc["size"]}')
    return data


def unpack(data):
    if data[:2] == b'\x1f\x8b':
        return gzip.decompress(data)
    if data[:4] == b'\x28\xb5\x2f\xfd':
        return subprocess.run(['zstd', '-dcq'], input=data, stdout=subprocess.PIPE, check=True).stdout
    if data[:3] == b'BZh':
        return bz2.decompress(data)
    if data[:6] == b'\xfd7zXZ\0':
        return lzma.decompress(data)
    return data


def find_images(files):
    """(the index behind index.json with its descriptor, or None; [(descriptor, manifest)]); attestations are passed over."""
    if not files.has('oci-layout'):
        raise Broken('oci-layout is missing')
    tops = json.loads(files.read('index.json'))['manifests']
    if len(tops) != 1:
        raise Broken(f'{len(tops)} images in index.json, expected one')
    inner = json.loads(blob(files, tops[0]))
    if 'manifests' not in inner:
        return None, [(tops[0], inner)]
    descs = [d for d in inner['manifests'] if (d.get('platform') or {}).get('os') != 'unknown']
    return (tops[0], inner), [(d, json.loads(blob(files, d))) for d in descs]


def load_image(files, manifest):
    """(config, [uncompressed layer tar])"""
    config = json.loads(blob(files, manifest['config']))
    layers = [unpack(blob(files, d)) for d in manifest['layers'] or []]
    check(config, layers)
    return config, layers


def load(path):
    """load_image() of the only image that is there."""
    files = Files(path)
    if not files.has('index.json'):
        entry, = json.loads(files.read('manifest.json'))
        config = json.loads(files.read(entry['Config']))
        layers = [unpack(files.read(os.path.normpath(name))) for name in entry['Layers'] or []]
        check(config, layers)
        return config, layers
    images = find_images(files)[1]
    if len(images) != 1:
        raise Broken(f'{len(images)} images in an index, expected one')
    return load_image(files, images[0][1])


def check(config, layers):
    ids = [sha256(data) for data in layers]
    if ids != (config['rootfs'].get('diff_ids') or []):
        raise Broken('rootfs.diff_ids are not the digests of the layers')
    named = sum(1 for h in config.get('history') or [] if not h.get('empty_layer'))
    if config.get('history') and named != len(layers):
        raise Broken(f'history names {named} layers, there are {len(layers)}')


def text(raw):
    return re.sub(rb'[^!-\[\]-~]', lambda m: b'\\x%02x' % m[0][0], raw).decode()


def raw_name(name):
    return name.encode('utf-8', 'surrogateescape')


class Inode:
    def __init__(self, member, data):
        self.type, self.mode = TYPES[member.type], stat.S_IMODE(member.mode)
        self.owner, self.mtime = f'{member.uid}:{member.gid}', int(member.mtime)
        self.facts, self.names = {}, []
        if self.type == 'file':
            self.facts.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
            if 0 < len(data) <= 400 and b'\0' not in data:
                self.facts['text'] = text(data).replace('\\x0a', '\\n').replace('\\x20', '\\_')
        if self.type == 'symlink':
            self.facts['target'] = text(raw_name(member.linkname))
        if self.type in ('char', 'block'):
            self.facts['dev'] = f'{member.devmajor}:{member.devminor}'
        for key, value in sorted(member.pax_headers.items()):
            if key.startswith('SCHILY.xattr.'):
                self.facts['xattr.' + text(raw_name(key[13:]))] = raw_name(value).hex()

    def line(self, path, context_time):
        facts = dict(self.facts)
        if self.type != 'dir':
            facts['mtime'] = 'now' if self.mtime >= NEW else 'context' if self.mtime == context_time else self.mtime
        if len(self.names) > 1:
            facts['link'] = text(min(self.names))
        return ' '.join([text(path), self.type, f'{self.mode:04o}', self.owner] + [f'{k}={v}' for k, v in facts.items()])


class Tree:
    def __init__(self):
        self.nodes = {}  # path, no slash at its ends → (Inode, number of the layer it came with)

    def remove(self, path, before=None):
        below = path + b'/'
        for name in [n for n in self.nodes if (n == path and before is None) or (n.startswith(below) if path else n)]:
            if before is None or self.nodes[name][1] < before:
                del self.nodes[name]

    def put(self, path, inode, number):
        old = self.nodes.get(path)
        if old and not (old[0].type == 'dir' and inode.type == 'dir'):
            self.remove(path)
        self.nodes[path] = (inode, number)

    def parents(self, path, number):
        while b'/' in path:
            path = path.rsplit(b'/', 1)[0]
            if path not in self.nodes:
                implied = tarfile.TarInfo('x')
                implied.type, implied.mode = tarfile.DIRTYPE, 0o755
                self.nodes[path] = (Inode(implied, None), number)
            elif self.nodes[path][0].type != 'dir':
                raise Broken(f'a layer puts a file under {text(path)}, which is no directory')

    def apply(self, data, number):
        seen = set()
        with tarfile.open(fileobj=io.BytesIO(data), mode='r:', encoding='utf-8', errors='surrogateescape') as tar:
            for member in tar:
                path = raw_name(os.path.normpath('/' + member.name).lstrip('/'))
                if path:
                    self.apply_member(tar, member, path, number, seen)

    def apply_member(self, tar, member, path, number, seen):
        folder, _, name = path.rpartition(b'/')
        if path in seen and member.type != tarfile.DIRTYPE:
            raise Broken(f'a layer holds {text(path)} twice')
        seen.add(path)
        if name == b'.wh..wh..opq':
            self.remove(folder, before=number)
        elif name.startswith(b'.wh.'):
            self.remove(folder + b'/' + name[4:] if folder else name[4:])
        else:
            self.parents(path, number)
            if member.type == tarfile.LNKTYPE:
                target = raw_name(os.path.normpath('/' + member.linkname).lstrip('/'))
                if target not in self.nodes:
                    raise Broken(f'{text(path)} is a hard link to {text(target)}, which is not there')
                self.put(path, self.nodes[target][0], number)
            else:
                file = tar.extractfile(member) if member.isreg() else None
                self.put(path, Inode(member, file.read() if file else b''), number)

    def lines(self, context_time):
        """path → line"""
        for path, (inode, _) in self.nodes.items():
            inode.names = []
        for path, (inode, _) in self.nodes.items():
            inode.names.append(b'/' + path)
        return {path: inode.line(b'/' + path, context_time) for path, (inode, _) in self.nodes.items()}


def tree_of(layers, context_time=None):
    tree = Tree()
    for number, data in enumerate(layers):
        tree.apply(data, number)
    return tree.lines(context_time)


@functools.lru_cache(maxsize=None)
def load_bases(folder):
    """name → (its diff_ids, its lines, its config as a text)"""
    bases = {'scratch': ([], {}, '{}')}
    for entry in sorted(os.listdir(folder)) if folder else []:
        if entry.endswith('-oci') and os.path.exists(os.path.join(folder, entry, 'index.json')):
            try:
                config, layers = load(os.path.join(folder, entry))
                bases[entry[:-4]] = (config['rootfs']['diff_ids'], tree_of(layers), config_text(config, (), None))
            except Broken:
                pass  # an index of several images is nobody's base
    return bases


def find_base(bases, config):
    """The name of the base image whose layers are the longest beginning of this one's."""
    ids = config['rootfs'].get('diff_ids') or []
    return max((n for n, (base_ids, *_) in bases.items() if ids[:len(base_ids)] == base_ids), key=lambda n: len(bases[n][0]))


def tree_text(layers, config, bases, context_time):
    name = find_base(bases, config)
    lines, old = tree_of(layers, context_time), bases[name][1]
    shown = [(p, l) for p, l in lines.items() if old.get(p) != l] + [(p, '- ' + text(b'/' + p)) for p in old if p not in lines]
    result = f'base {name}\n' + ''.join(l + '\n' for _, l in sorted(shown))
    if 'busybox' in bases:
        program = re.search(r'size=\d+ sha256=[0-9a-f]+', bases['busybox'][1][b'bin/busybox'])[0]
        result = result.replace(program, 'size=busybox')
    return result


def config_text(config, replace, epoch):
    stamp = epoch and datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')

    def chosen(time):
        return 'SOURCE_DATE_EPOCH' if time and time == stamp else None

    def compact(obj):
        return {k: v for k, v in obj.items() if v not in (None, '', [], {}, 0, False)}
    history = [compact({'created_by': h.get('created_by'), 'empty_layer': h.get('empty_layer'), 'author': h.get('author'),
                        'created': chosen(h.get('created'))}) for h in config.get('history') or []]
    inner = compact(config.get('config') or {})
    if 'Healthcheck' in inner:
        inner['Healthcheck'] = compact(inner['Healthcheck'])
    if 'Env' in inner and len({e.split('=')[0] for e in inner['Env']}) != len(inner['Env']):
        raise Broken('a variable is twice in Env')
    out = compact({'architecture': config.get('architecture'), 'variant': config.get('variant'), 'os': config.get('os'),
                   'author': config.get('author'), 'created': chosen(config.get('created')), 'config': inner})
    out['layers'], out['history'] = len(config['rootfs'].get('diff_ids') or []), history
    result = json.dumps(out, indent=1, sort_keys=True, ensure_ascii=False) + '\n'
    for old, new in replace:
        result = result.replace(old, new)
    return result


def difference(path, old, new):
    """Lines that say what makes the one JSON value of the other; see GROWING and the text at the top."""
    if isinstance(new, dict) and new and isinstance(old, (dict, type(None))):
        for key in sorted({**(old or {}), **new}):
            below = (path + '.' if path else '') + (key if re.fullmatch(r'\w+', key, re.ASCII) else json.dumps(key, ensure_ascii=False))
            if key not in new:
                yield '- ' + below
            elif not old or key not in old:
                yield from difference(below, None, new[key])
            elif old[key] != new[key]:
                yield from difference(below, old[key], new[key])
    elif path in GROWING and isinstance(new, list) and new and new[:len(old or [])] == (old or []):
        for value in new[len(old or []):]:
            yield f'{path} + {json.dumps(value, sort_keys=True, ensure_ascii=False)}'
    else:
        yield f'{path} = {json.dumps(new, sort_keys=True, ensure_ascii=False)}'


def config_difference(config, tree, bases):
    """A config's text as the difference to that of the base that the tree's text names."""
    base = load_bases(bases)[tree.split('\n', 1)[0].removeprefix('base ')][2]
    return ''.join(line + '\n' for line in difference('', json.loads(base), json.loads(config)))


def reading(work):
    """work(), with what reading a broken image may raise as Broken."""
    try:
        return work()
    except (KeyError, ValueError, TypeError, tarfile.TarError, zlib.error, EOFError, OSError) as e:
        raise Broken(f'{type(e).__name__}: {e}') from e


def texts(loaded, bases, epoch, context_time, replace):
    config, layers = loaded
    return config_text(config, replace, epoch), tree_text(layers, config, load_bases(bases), context_time)


def normalise(image, bases=None, epoch=None, context_time=None, replace=()):
    """(config text, tree text) of an image; Broken when it contradicts itself."""
    return reading(lambda: texts(load(image), bases, epoch, context_time, replace))


def media(thing):
    return thing.get('mediaType', 'none').replace('application/vnd.oci.image.', 'oci/').replace('application/vnd.docker.', 'docker/')


def described(thing, left_out):
    """The lines of a descriptor, manifest or index, without what digests and times are in."""
    out = {k: v for k, v in thing.items() if k not in left_out}
    if 'annotations' in out:
        out['annotations'] = {k: 'TIME' if k == 'org.opencontainers.image.created' else v for k, v in out['annotations'].items()}
    for name in ('config', 'layers'):
        if name in out:
            out[name] = [media(d) for d in out[name] or []] if name == 'layers' else media(out[name])
    return {**out, 'mediaType': media(thing)}


def index_text(index, images):
    """What an index and its manifests say beside the images themselves; the order is part of it."""
    digests = ('digest', 'size', 'schemaVersion')
    lines = list(difference('', None, {'descriptor': described(index[0], digests), 'index': described(index[1], (*digests, 'manifests'))}))
    for desc, manifest in images:
        lines += ['@ ' + platform_name(desc['platform'])]
        said = {'descriptor': described(desc, (*digests, 'platform')), 'manifest': described(manifest, digests)}
        if said['descriptor']['mediaType'] == said['manifest']['mediaType']:
            del said['descriptor']['mediaType']
        lines += [l for name, thing in said.items() if thing for l in difference(name, None, thing)]
    return ''.join(l + '\n' for l in lines)


def platform_name(p):
    return '/'.join(p[k] for k in ('os', 'architecture', 'variant') if p.get(k))


def archive_parts(path, bases, epoch, context_time, replace):
    """The texts `index`, `config` and `tree` of an OCI archive: those of an image, or below a line `@ PLATFORM` those of each in its index."""
    files = Files(path)
    index, images = find_images(files)
    parts = {'index': index_text(index, images) if index else '', 'config': '', 'tree': ''}
    for desc, manifest in images:
        head = f'@ {platform_name(desc["platform"])}\n' if index else ''
        config, tree = texts(load_image(files, manifest), bases, epoch, context_time, replace)
        parts['config'] += head + config_difference(config, tree, bases)
        parts['tree'] += head + tree
    return parts


def files_text(path, context_time):
    """The tree text of a directory, all of whose files are root's then, or of a tar."""
    if not os.path.isdir(path):
        with open(path, 'rb') as f:
            return tree_text([f.read()], {'rootfs': {}}, load_bases(None), context_time)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w', format=tarfile.PAX_FORMAT, encoding='utf-8', errors='surrogateescape') as tar:
        tar.add(path, '', filter=lambda m: m.replace(uid=0, gid=0))
    return tree_text([raw.getvalue()], {'rootfs': {}}, load_bases(None), context_time)


def write(path, content):
    with open(path, 'w') if path != '-' else os.fdopen(os.dup(1), 'w') as f:
        f.write(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('image')
    parser.add_argument('--config', default='-')
    parser.add_argument('--tree', default='-')
    parser.add_argument('--bases')
    parser.add_argument('--epoch', type=int)
    parser.add_argument('--context-time', type=int)
    parser.add_argument('--replace', action='append', default=[], type=lambda s: s.split('=', 1))
    args = parser.parse_args()
    try:
        config, tree = normalise(args.image, args.bases, args.epoch, args.context_time, args.replace)
    except Broken as e:
        sys.exit(f'normalise: {args.image}: {e}')
    write(args.config, config)
    write(args.tree, tree)


if __name__ == '__main__':
    main()
