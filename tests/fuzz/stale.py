#!/usr/bin/env python3
"""Looks for stale images: random Dockerfiles and contexts are edited at random, and after each edit what a store makes that has seen
all the versions before is compared with what an empty store makes of the same.

usage: stale.py VARVE BASES [--seed N] [--seeds N] [--edits N] [--seconds N] [--keep DIR] [--shrink [SECONDS]]

BASES holds busybox-oci (tests/testbed/busybox-base.sh). Seeds N, N+1, … are tried until there were --seeds of them or --seconds are
over. A difference is status 1 and shown with seed, edit, Dockerfile and lines; --shrink takes up to SECONDS (120) to show it with few
builds and instructions; --keep leaves the folders of the last seed.

The random things are chosen so that the empty store is always right: what a RUN does depends only on what keys count. What they leave out by
design is kept out of sight:
  - times of files in the context are after NEW, where normalise.py shows them as "now"; those that a RUN sets or an archive brings
    are before it;
  - a step reads of a cache mount only what a step above it writes there, and no value comes back there after another
    (a step that is found in the store does not fill the cache again).
"""
import argparse, collections, copy, difflib, io, os, random, re, shutil, subprocess, sys, tarfile, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'conformance'))
import normalise

NEW = 1700000000
PATHS = ['/w/a', '/w/b', '/w/d', '/w/d/x', '/w/d/y', '/w/d/sub', '/w/d/sub/z', '/w/e', '/w/l']
SOURCES = ['a', 'b', 'd', 'd/x', 'd/*', '*', '[ab]', 'l', 'h', 'd/sub', '.', 'a*', 'd/*/*', 'dl', 'dl/x', 'a b', 'h l', 'd/s?b/z']
FROMS = ['/w', '/w/', '/w/a', '/w/d', '/w/d/*', '/w/*', '/w/./d/x', '/w/l', '/out', '/etc/group', '/w/[abl]', '/w/nothing*', '/']
OTHERS = ['a', '.', 'd', 'd/x', '*']
DESTS = ['/w/', '/w/a', '/w/d', '/w/d/', '/w/new/', '/w/e/f/', '/w/n', '/w/l', './', 'rel', 'rel/', '/v$A/']
MODES = ['600', '644', '755', '4755', '711', '1777', '2750', '000']
VALUES = ['1', '2', '33', 'a longer value']
IGNORES = ['a', 'b', 'd', 'd/x', 'd/*', '!d/x', '*', '!a', '**/z', '!d', 'h', 'd/sub', '!d/sub/z', '*.tar', 'l', '[ab]']


def look(folder):
    """A command that shows all that a program can see of a tree: names, modes, owners, contents, times that a program set, hard links."""
    return (f'{{ find {folder} -exec stat -c "%N %f %u:%g %t:%T" {{}} + ; find {folder} -type f -exec md5sum {{}} + ; '
            f"find {folder} -exec stat -c '%Y %n' {{}} + | awk '$1 < 1600000000' ; "
            f"find {folder} -type f -exec stat -c '%i %n' {{}} + | sort -k2 | "
            "awk '{ if (!($1 in a)) a[$1] = $2; print $2, a[$1] }' ; } 2>/dev/null | sort")


# The context: path → Node. A hard link names another file's path in `link`.
Node = collections.namedtuple('Node', 'type data mode mtime xattrs', defaults=(b'', 0o644, NEW, ()))


def archive(rng):
    """A small tar with what ADD may meet: links of both kinds, owners, attributes, capabilities."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for name in rng.sample(['p', 'q', 'r/s', 'r/t', 'u'], rng.randint(1, 4)):
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.mtime = int(rng.choice(MODES), 8), rng.choice([0, 1, 1000]), 1000 + rng.randint(0, 9)
            kind = rng.choice(['file', 'file', 'file', 'link', 'symlink', 'dir', 'attr', 'cap'])
            data = rng.choice(VALUES).encode()
            if kind == 'attr':
                info.pax_headers = {'SCHILY.xattr.user.k': rng.choice(VALUES)}
            if kind == 'cap':
                info.pax_headers = {'SCHILY.xattr.security.capability': '\x01\x00\x00\x02' + chr(rng.choice([1, 2, 4])) + '\x00' * 15}
            if kind == 'symlink':
                info.type, info.linkname = tarfile.SYMTYPE, rng.choice(['p', '/w/a', 'r'])
            elif kind == 'link' and 'q' in tar.getnames() and name != 'q':
                info.type, info.linkname = tarfile.LNKTYPE, 'q'
            elif kind == 'dir':
                info.type = tarfile.DIRTYPE
            regular = info.type == tarfile.REGTYPE
            info.size = len(data) if regular else 0
            tar.addfile(info, io.BytesIO(data) if regular else None)
    return out.getvalue()


def first_context(rng):
    def file():
        return Node('file', rng.choice(VALUES).encode(), 0o644, NEW + rng.randint(0, 99))
    return {'a': file(), 'b': file(), 'd': Node('dir', mode=0o755), 'd/x': file(), 'd/y': file(), 'd/sub': Node('dir', mode=0o755), 'd/sub/z': file(),
            'l': Node('symlink', 'a'), 'dl': Node('symlink', 'd'), 'h': Node('link', 'b'), 't.tar': Node('file', archive(rng))}


def consistent(files):
    """Without what has no directory above it or is a hard link to nothing."""
    out = {p: n for p, n in files.items() if '/' not in p or all(files.get(p[:i], Node('')).type == 'dir' for i, c in enumerate(p) if c == '/')}
    return {p: n for p, n in out.items() if n.type != 'link' or (n.data in out and out[n.data].type == 'file')}


def place(root, path, node):
    full = os.path.join(root, path)
    if node.type == 'dir':
        os.makedirs(full, exist_ok=True)
    elif node.type == 'symlink':
        os.symlink(node.data, full)
        return
    elif node.type == 'link':
        os.link(os.path.join(root, node.data), full)
        return
    else:
        with open(full, 'wb') as f:
            f.write(node.data)
    for name in os.listxattr(full):
        os.removexattr(full, name)
    for name, value in node.xattrs:
        os.setxattr(full, name, value)
    os.chmod(full, node.mode)
    if node.type == 'file':
        os.utime(full, ns=(int(node.mtime * 10**9),) * 2)


def materialise(root, old, new):
    """Changes only what differs, some files in place: a scan has to notice by itself."""
    def same(p):
        return old.get(p) == new.get(p) and (new[p].type != 'link' or old.get(new[p].data) == new.get(new[p].data))
    for path in sorted(old, reverse=True):
        full = os.path.join(root, path)
        if not os.path.lexists(full) or (path in new and (same(path) or old[path].type == new[path].type == 'dir')):
            continue
        if path in new and old[path].type == new[path].type == 'file' and new[path].mode & 1:
            continue  # written in place
        (os.rmdir if old[path].type == 'dir' else os.unlink)(full)
    for path in sorted(new, key=lambda p: (new[p].type == 'link', p)):
        if not os.path.lexists(os.path.join(root, path)) or not same(path):
            if new[path].type == 'link' and os.path.lexists(os.path.join(root, path)):
                os.unlink(os.path.join(root, path))
            place(root, path, new[path])


class Instr(dict):
    """One instruction: id, kind and what kinds() says. Its text may depend on what is above it."""

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return self[name]


class World:
    """One Dockerfile with its context, and the edits."""

    def __init__(self, rng):
        self.next, self.written = 0, {}
        self.files, self.other = first_context(rng), consistent({k: v for k, v in first_context(rng).items() if k in ('a', 'd', 'd/x', 'd/y')})
        self.ignore, self.args, self.target, self.options = [], {}, None, []
        self.stages = []
        for i in range(rng.randint(2, 4)):
            self.stages.append(self.stage(rng, i))

    def number(self):
        self.next += 1
        return self.next

    def stage(self, rng, i):
        base = rng.choice(['busybox', 'busybox', 'scratch'] if i == 0 else ['busybox', 'busybox'] + [s['name'] for s in self.stages] * 2)
        body = [self.instr(rng) for _ in range(rng.randint(2, 5))]
        for k in range(i):  # so that most stages count
            if base != f's{k}' and rng.random() < .7:
                body.insert(rng.randint(0, len(body)), Instr(self.instr(rng, rng.choice(['from', 'from', 'bind'])), stage=k + 1))
        return {'name': f's{i}', 'base': base, 'body': body}

    def instr(self, rng, kind=None):
        i = Instr(id=self.number(), kind=kind or rng.choice(['run'] * 3 + ['look'] * 4 + ['copy'] * 4 + ['from'] * 4 + ['fill', 'fill', 'use', 'use', 'pass'] + [
            'bind', 'bind', 'local', 'add', 'here', 'script', 'arg', 'env', 'user', 'workdir', 'label', 'same', 'other', 'shell', 'withcache']))
        i.update(value=rng.choice(VALUES), path=rng.choice(PATHS), second=rng.choice(PATHS), mode=rng.choice(MODES), owner=rng.choice(['1:1', '1000', 'app', '0:5']),
                 dest=rng.choice(DESTS), stage=rng.randint(0, 9), cache=rng.choice('ij'), flags=[], pick=rng.randint(0, 9), written=str(self.number()),
                 sharing=rng.choice(['shared', 'locked', 'private']), when=rng.choice([0, 1000, 86400]), acts=[rng.randint(0, 99) for _ in range(rng.randint(1, 4))])
        i['source'] = rng.choice({'from': FROMS, 'bind': FROMS, 'other': OTHERS}.get(i.kind, SOURCES))
        for flag in (['--link'] * 3 if rng.random() < .5 else []) + [f'--chown={i.owner}', f'--chmod={i.mode}', '--exclude=x', '--exclude=d/*', '--parents', '--chmod=u+x']:
            if rng.random() < .12:
                i['flags'].append(flag)
        return i

    def acts(self, i):
        """What a RUN does to the tree."""
        p, q, v = i.path, i.second, i.value
        all_ = [f'echo {v} >{p}', f'mkdir -p {p}', f'chmod {i.mode} {p}', f'chown {i.owner} {p}', f'touch {p}; touch -d @{i.when} {p}', f'ln -sfn {q} {p}', f'ln -f {p} {q}',
                f'mv {p} {q}', f'rm -rf {p}', f'cp -a {p} {q}', f'mknod {p} c 1 {len(v)}', f'mkfifo {p}', f'truncate -s {len(v)} {p}', f'echo {v} >>{p}', f'touch -h -d @{i.when} {q}',
                'rm -rf /w/d; mkdir -p /w/d', f'echo $A$B$E >{p}', f'cp {p} {q}', f'chown -h {i.owner} {q}', f'mkdir -p {p}; touch -d @{i.when} {p}', f'rm {p}; echo {v} >{p}', 'mv /w/d /w/m; mv /w/m /w/d']
        return '; '.join(all_[a % len(all_)] for a in i.acts)

    def named(self, number, i):
        """Another stage or image that stage `number` may name."""
        names = ['busybox'] + [s['name'] for s in self.stages[:number]]
        return names[i.stage % len(names)]

    def above(self, number, end):
        """The fill instructions (and pass) above the end-th of a stage, nearest first: [(stage name, instruction)]"""
        found, stage = [], self.stages[number]
        names = {s['name']: k for k, s in enumerate(self.stages[:number])}
        for i in reversed(stage['body'][:end]):
            if i.kind in ('fill', 'pass') and self.runs(number):
                found.append((number, i))
            if i.kind in ('from', 'bind') and self.named(number, i) in names:
                found += self.above(names[self.named(number, i)], None)
        if stage['base'] in names:
            found += self.above(names[stage['base']], None)
        return found

    def runs(self, number):
        """Whether a stage has a shell."""
        base = self.stages[number]['base']
        below = [k for k, s in enumerate(self.stages[:number]) if s['name'] == base]
        return self.runs(below[0]) if below else base == 'busybox'

    def cache(self, number, i, name=None):
        """The mount's option of the cache that i uses. Private ones belong to a stage: two at a time have two."""
        private = i.sharing == 'private'
        return f'--mount=type=cache,target=/c,sharing={i.sharing},id={f"p{number}" if private else name or i.cache}'

    def line(self, number, at):
        i, k = self.stages[number]['body'][at], self.stages[number]['body'][at].kind
        flags = ''.join(f + ' ' for f in i.flags)
        if k in ('copy', 'other', 'from', 'add'):
            source = 't.tar' if k == 'add' and i.pick < 7 else i.source
            if k == 'add':
                flags = flags.replace('--parents ', '')
            origin = {'from': f'--from={self.named(number, i)} ', 'other': '--from=other '}.get(k, '')
            dest = i.dest + '/' if ' ' in source and not i.dest.endswith('/') else i.dest
            return f'{"ADD" if k == "add" else "COPY"} {origin}{flags}{source} {dest}'
        if k == 'here':
            flags = flags.replace('--parents ', '').replace('--exclude=x ', '').replace('--exclude=d/* ', '')
            return f'COPY {flags}<<END {i.path}\n{i.value} ${{A:-none}}\nEND'
        simple = {'arg': f'ARG {"AB"[i.pick % 2]}={i.value!r}', 'env': f'ENV E={i.value!r} F=$A', 'user': f'USER {i.owner if i.pick < 4 else "0"}', 'label': f'LABEL x={i.value!r}$A',
                  'workdir': f'WORKDIR {i.path if i.pick < 3 else "/w"}', 'shell': f'SHELL ["/bin/{"sh" if i.pick < 5 else "ash"}", "-c"]'}
        if k in simple:
            return simple[k]
        if not self.runs(number):
            return f'LABEL no{i.id}=shell'
        out, bind = f'/out/{i.id}', ',rw' if i.pick == 3 else ''
        if k in ('use', 'pass', 'withcache'):
            fills = [(n, f) for n, f in self.above(number, at) if n == number or f.sharing != 'private']
            n, f = fills[i.pick % len(fills)] if fills else (None, None)
            if k == 'withcache' or not fills:
                return f'RUN --mount=type=cache,target=/c,id=n{i.cache} {self.acts(i)}; true'
            ro = ',ro' if k == 'use' and i.pick % 3 == 0 else ''
            if k == 'use':
                return f'RUN {self.cache(n, f)}{ro} cat /c/{f.id} >{out}'
            mounts = self.cache(n, f).replace('target=/c', 'target=/d')
            return f'RUN {mounts} {self.cache(number, i)} cat /d/{f.id} >/c/{i.id}; echo {i.written} >>/c/{i.id}; true'
        return {'run': f'RUN {self.acts(i)}; true', 'same': f'RUN touch -d @5 /w/fixed; echo {i.value} >/dev/null; true', 'look': f'RUN {look("/w")} >{out}',
                'fill': f'RUN {self.cache(number, i)} echo {i.written} >/c/{i.id}; {self.acts(i) if i.pick < 3 else "true"}; true',
                'bind': f'RUN --mount=type=bind,from={self.named(number, i)},source={i.source.rstrip("*") if "[" not in i.source else "/w"},target=/m{bind} {look("/m")} >{out}; cp -r /m {i.path}; true',
                'local': f'RUN --mount=type=bind,source={i.source if not set(i.source) & set("*[? ") else "."},target=/m{bind} {look("/m")} >{out}',
                'script': f'RUN <<END\n{self.acts(i)}\necho "$A" >{out}\nEND'}[k]

    def dockerfile(self, without=()):
        start = {'busybox': ['RUN mkdir -p -m 1777 /out /w /w/d/sub; echo a >/w/a; echo x >/w/d/x'], 'scratch': ['COPY --chmod=755 <<END /w/a', 'END']}
        self.at, lines = {}, ['ARG A=global']  # at: line → (stage, instruction)
        for number, s in enumerate(self.stages):
            lines += [f'FROM {s["base"]} AS {s["name"]}', 'ARG A'] + start.get(s['base'], [])
            for at, i in enumerate(s['body']):
                if i.id not in without:
                    self.at[len(lines) + 1] = s, i
                    lines += self.line(number, at).split('\n')
        return '\n'.join(lines) + '\n'

    def shown(self, without=()):
        """All that a build of it is told."""
        files = ', '.join(f'{p} {n.type} {oct(n.mode)} {n.data if len(n.data) < 40 else len(n.data)}' for p, n in sorted(self.files.items()))
        return f'{self.dockerfile(without)}files {files}\nignore {self.ignore} args {self.args} target {self.target} options {self.options}'

    def repair(self, log):
        """Removes the instruction that a failed build names."""
        for match in re.finditer(r'^Dockerfile:(\d+):\d+: error: ', log, re.M):
            if int(match[1]) in self.at:
                stage, i = self.at[int(match[1])]
                stage['body'] = [other for other in stage['body'] if other.id != i.id]
                return True
        return False

    def settle(self):
        """Nothing that was in a cache comes back to it after another value."""
        for s in self.stages:
            for i in s['body']:
                if i.kind in ('fill', 'pass') and self.written.setdefault(i.id, i.written) != i.written:
                    i['written'] = self.written[i.id] = str(self.number())
                self.written[i.id] = i.written

    # Edits: each changes self and returns what it did.

    def some(self, rng):
        stage = rng.choice(self.stages)
        return stage['body'], rng.randrange(len(stage['body'])) if stage['body'] else None

    def edit_value(self, rng):
        body, at = self.some(rng)
        if at is None:
            return None
        i = body[at] = Instr(copy.deepcopy(dict(body[at])))
        new = self.instr(rng, i.kind)
        key = rng.choice(['value', 'value', 'mode', 'owner', 'path', 'second', 'source', 'dest', 'flags', 'acts', 'when', 'acts', 'acts', 'stage', 'pick', 'cache', 'sharing'])
        i[key] = new[key]
        if i.kind in ('fill', 'pass') and rng.random() < .7:
            i['written'] = str(self.number())
        return f'{key} of a {i.kind}'

    def edit_fill(self, rng):
        fills = [(s['body'], at) for s in self.stages for at, i in enumerate(s['body']) if i.kind in ('fill', 'pass')]
        if not fills:
            return None
        body, at = rng.choice(fills)
        body[at] = Instr(dict(body[at], written=str(self.number())))
        return f'what {body[at].id} writes to its cache'

    def edit_insert(self, rng):
        body, at = self.some(rng)
        body.insert(at or 0, self.instr(rng))
        return f'insert {body[at or 0].kind}'

    def edit_delete(self, rng):
        body, at = self.some(rng)
        return at is not None and f'delete {body.pop(at).kind}'

    def edit_swap(self, rng):
        body, at = self.some(rng)
        if len(body) < 2:
            return None
        body[at - 1], body[at] = body[at], body[at - 1]
        return 'swap two instructions'

    def edit_base(self, rng):
        number = rng.randrange(len(self.stages))
        self.stages[number] = dict(self.stages[number], base=rng.choice(['busybox'] + [s['name'] for s in self.stages[:number]]))
        return f'base of stage {number}'

    def edit_args(self, rng):
        self.args = {k: rng.choice(VALUES) for k in 'AB' if rng.random() < .5}
        return f'arguments {self.args}'

    def edit_ignore(self, rng):
        self.ignore = rng.sample(IGNORES, rng.randint(0, 3))
        return f'ignore file {self.ignore}'

    def edit_target(self, rng):
        self.target = rng.choice([None] + [s['name'] for s in self.stages])
        return f'target {self.target}'

    def edit_options(self, rng):
        self.options = rng.choice([[], [], ['--no-cache-filter', rng.choice(self.stages)['name']], ['--add-host', 'h:1.2.3.4'], ['--label', 'k=v']])
        return f'options {self.options}'

    def edit_file(self, rng, which='files'):
        files = dict(getattr(self, which))
        path = rng.choice(sorted(p for p in files))
        node, other = files[path], rng.choice(sorted(files))
        what = rng.choice(['content', 'content', 'same size', 'mode', 'mtime', 'rename', 'delete', 'swap', 'add', 'dir', 'symlink', 'xattr', 'link', 'copy'])
        if what == 'delete' or (what in ('rename', 'add') and rng.random() < .3):
            del files[path]
        if what in ('content', 'same size') and node.type == 'file':
            data = archive(rng) if path.endswith('.tar') else rng.choice(VALUES).encode()
            if what == 'same size':
                data = bytes([node.data[0] ^ 1]) + node.data[1:] if not path.endswith('.tar') else data
            files[path] = node._replace(data=data, mtime=node.mtime + rng.choice([0, 0, 1, .5]))
        elif what == 'content' and node.type in ('symlink', 'link'):
            files[path] = node._replace(data=other)
        elif what == 'mode' and node.type in ('file', 'dir'):
            files[path] = node._replace(mode=int(rng.choice(['600', '640', '644', '755', '700', '4755', '1777']), 8))
        elif what == 'mtime':
            files[path] = node._replace(mtime=NEW + rng.randint(0, 99))
        elif what == 'xattr' and node.type == 'file':
            files[path] = node._replace(xattrs=rng.choice([(), (('user.k', b'1'),), (('user.k', b'2'),)]))
        elif what in ('rename', 'add', 'copy'):
            files[rng.choice(['a', 'b', 'c', 'd/x', 'd/new', 'd/sub/new', 'e'])] = node
        elif what == 'swap':
            files[path], files[other] = files[other], files[path]
        elif what == 'dir':
            files[path] = Node('dir', mode=0o755)
        elif what in ('symlink', 'link'):
            files[path] = Node(what, other)
        if not path.endswith('.tar') and any(n.data[257:262] == b'ustar' for p, n in files.items() if p != 't.tar' and n.type == 'file'):
            return None  # a copy of an archive is one too
        setattr(self, which, consistent(files))
        return f'{what} of {path}' + (' in the other context' if which == 'other' else '')

    def edit_other(self, rng):
        return self.edit_file(rng, 'other')

    def looks(self):
        return self.dockerfile(), self.files, self.other, self.ignore, self.args, self.target, self.options

    def state(self):
        return copy.deepcopy({k: getattr(self, k) for k in ('files', 'other', 'ignore', 'args', 'target', 'options', 'stages')})

    def restore(self, state, parts=None):
        for k in parts or state:
            setattr(self, k, copy.deepcopy(state[k]))

    def edit(self, rng, history):
        """One random edit of several kinds, among them back to an earlier state."""
        if history and rng.random() < .15:
            self.restore(rng.choice(history), rng.choice([None, ['stages'], ['files', 'ignore'], ['other'], ['args', 'options']]))
            return 'back to an earlier state'
        for _ in range(20):
            kinds = [self.edit_value] * 5 + [self.edit_file] * 6 + [self.edit_fill] * 2 + [self.edit_insert, self.edit_delete, self.edit_swap, self.edit_base, self.edit_args, self.edit_ignore,
                                                                  self.edit_target, self.edit_options, self.edit_other]
            before = self.looks()
            done = rng.choice(kinds)(rng)
            if done and self.looks() != before:
                return done
        return 'nothing'


class Difference(Exception):
    pass


class Trial:
    """The builds of one seed."""

    def __init__(self, varve, bases, folder, without=()):
        self.varve, self.bases, self.folder, self.without = varve, bases, folder, without
        for name in ('ctx', 'other'):
            os.makedirs(os.path.join(folder, name))
        self.placed, self.placed_other, self.counts = {}, {}, collections.Counter()

    def path(self, name):
        return os.path.join(self.folder, name)

    def place(self, world):
        materialise(self.path('ctx'), self.placed, world.files)
        materialise(self.path('other'), self.placed_other, world.other)
        self.placed, self.placed_other = world.files, world.other
        with open(self.path('Dockerfile'), 'w') as f:
            f.write(world.dockerfile(self.without))
        with open(self.path('Dockerfile.dockerignore'), 'w') as f:
            f.write(''.join(line + '\n' for line in world.ignore))

    def build(self, world, store):
        """(exit code, config, tree, log)"""
        out = self.path('image')
        shutil.rmtree(out, ignore_errors=True)
        command = [self.varve, 'build', '--progress=plain', '--explain', '--build-context', f'busybox=oci-layout://{self.bases}/busybox-oci', '--build-context',
                   'other=' + self.path('other'), '-f', self.path('Dockerfile'), '-o', f'type=oci,tar=false,compression=uncompressed,dest={out}', *world.options]
        command += [x for k, v in world.args.items() for x in ('--build-arg', f'{k}={v}')] + (['--target', world.target] if world.target else [])
        done = subprocess.run(command + [self.path('ctx')], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                              env=dict(os.environ, VARVE_ROOT=self.path(store), NO_COLOR='1', LC_ALL='C.UTF-8'), timeout=120)
        if done.returncode not in (0, 1, 2):
            raise Difference(f'exit code {done.returncode}\n{done.stdout}')
        try:
            return (done.returncode, *(normalise.normalise(out) if done.returncode == 0 else ('', '')), done.stdout)
        except normalise.Broken as e:
            raise Difference(f'a broken image ({store}): {e}\n{done.stdout}') from e

    def fresh(self, world):
        shutil.rmtree(self.path('fresh'), ignore_errors=True)
        return self.build(world, 'fresh')

    def check(self, world):
        """None, or the log of a failed build."""
        self.place(world)
        got, want = self.build(world, 'store'), self.fresh(world)
        for line in got[3].splitlines():
            match = re.match(r'(hit|cut|run)  (?:(\d+) other steps?)?', line)
            if match:
                self.counts[match[1]] += int(match[2] or 1)
            if want[0] and ': error: ' in line and os.environ.get('STALE_ERRORS'):
                print('   ', line)
        self.counts['failed' if want[0] else 'built'] += 1
        if got[:3] == want[:3]:
            return None if want[0] == 0 else want[3]
        again = self.fresh(world)
        if again[:3] != want[:3]:
            raise Difference('an empty store makes this and that of it:\n' + self.diff(want, again))
        raise Difference(self.diff(want, got))

    def diff(self, want, got):
        if want[0] != got[0]:
            return f'exit code {got[0]}, in an empty store {want[0]}\n{(got if got[0] else want)[3]}'
        lines = [difflib.unified_diff(w.splitlines(), g.splitlines(), 'empty store', 'this store', lineterm='', n=0) for w, g in zip(want[1:3], got[1:3])]
        return '\n'.join(l for part in lines for l in part) + '\n' + '\n'.join(l for l in got[3].splitlines() if l.startswith(('hit ', 'cut ', 'run ')))


def forget(folder):
    subprocess.run(['chmod', '-R', 'u+rwx', folder], stderr=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)


def trial(args, seed, edits):
    """(number of the edit that showed a difference or None, what it was, counts, the states that were built one after the other)"""
    folder = tempfile.mkdtemp(prefix='varve-stale-')
    rng = random.Random(seed)
    world, history, log, n, built = World(rng), [], ['first'], 0, []
    t = Trial(args.varve, args.bases, folder)

    def check():
        built.append(world.state())
        return t.check(world)
    try:
        for n in range(edits + 1):
            if n:
                edits_rng = random.Random(f'{seed}.{n}')
                log.append(', '.join(world.edit(edits_rng, history) for _ in range(edits_rng.choice([1, 1, 2]))))
            world.settle()
            failed = check()
            for _ in range(30 if n == 0 else 0):
                failed = failed and world.repair(failed) and check()
            history.append(world.state())
            what = random.Random(f'{seed}.{n}.failed').random() if failed else 1
            if what < .5 and len(history) > 1:
                history.pop()
                world.restore(history[-1])
            elif what < .9:
                world.repair(failed)
        return None, None, t.counts, built
    except Difference as e:
        text = f'seed {seed}, edit {n} ({log[-1]}), before it: {"; ".join(log[:-1][-6:])}\n{world.shown()}\n{e}'
        return n, text, t.counts, built
    finally:
        if args.keep:
            forget(args.keep)
            shutil.copytree(folder, args.keep, symlinks=True, copy_function=shutil.copy2) if os.path.isdir(folder) else None
        forget(folder)


def replay(args, states, without=()):
    """Builds the states one after the other; only of the last it is asked whether an empty store makes the same. The difference or None."""
    folder = tempfile.mkdtemp(prefix='varve-stale-')
    world, t = World(random.Random(0)), Trial(args.varve, args.bases, folder, without)
    try:
        for state in states[:-1]:
            world.restore(state)
            t.place(world)
            t.build(world, 'store')
        world.restore(states[-1])
        t.check(world)
        return None
    except Difference as e:
        return str(e)
    finally:
        forget(folder)


def fewer(things, shows):
    """A part of things that still shows, found by leaving out ever smaller groups."""
    size = len(things)
    while size:
        start = 0
        while start < len(things):
            rest = things[:start] + things[start + size:]
            if shows(rest):
                things = rest
            else:
                start += size
        size //= 2
    return things


def shrink(args, built, text):
    """Shows the difference with few builds, mostly two, and few instructions."""
    until = time.monotonic() + args.shrink
    failing = '\nexit code ' in text  # a difference of another kind is another fault

    def shows(states, without=()):
        if time.monotonic() > until:
            return False
        found = replay(args, states, without)
        return found is not None and found.startswith('exit code ') == failing
    last = built[-1]
    one = next(([state] for state in reversed(built[:-1]) if shows([state, last])), None)
    before = one or fewer(built[:-1], lambda some: shows(some + [last]))
    ids = sorted({i['id'] for state in before + [last] for stage in state['stages'] for i in stage['body']})
    kept = fewer(ids, lambda some: shows(before + [last], set(ids) - set(some)))
    world = World(random.Random(0))
    for number, state in enumerate(before + [last]):
        world.restore(state)
        print(f'-- build {number + 1} of {len(before) + 1}:\n{world.shown(set(ids) - set(kept))}')
    print(replay(args, before + [last], set(ids) - set(kept)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('varve')
    parser.add_argument('bases')
    for name, default in (('seed', 1), ('seeds', 10**9), ('edits', 12), ('seconds', 0)):
        parser.add_argument('--' + name, type=int, default=default)
    parser.add_argument('--keep')
    parser.add_argument('--shrink', type=int, nargs='?', const=120, default=0)
    args = parser.parse_args()
    args.varve, args.bases, start = os.path.abspath(args.varve), os.path.abspath(args.bases), time.monotonic()
    for seed in range(args.seed, args.seed + args.seeds):
        if args.seconds and time.monotonic() - start > args.seconds:
            break
        last, text, counts, built = trial(args, seed, args.edits)
        print(f'seed {seed}: ' + (f'edit {last}: a difference' if text else 'alike') + ', ' + ', '.join(f'{v} {k}' for k, v in sorted(counts.items())), flush=True)
        if text:
            print(text)
            if args.shrink:
                shrink(args, built, text)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
