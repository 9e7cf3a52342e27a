"""The files that hold the conformance cases, cases/*.txt. README.md here describes the form.

load() reads them all. A File keeps everything that stands in it, so save() writes the same bytes again but for the parts that were
set or removed. What does not keep to the form is Malformed, with file and line.
"""
import dataclasses, glob, os, re

import normalise

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cases')
KEYS = ('context', 'needs', 'keep', 'why', 'context-arg', 'output')
PARTS = ('Dockerfile', 'setup.sh', 'args', 'env', 'stdin', 'expected.index', 'expected.config', 'expected.tree', 'expected.error')
FOLDER = 'context/'
MARK = re.compile(rb'(?:===|---) ')
# What a reader would not see or a tool might change: bytes that are no UTF-8, controls, the byte order mark; and what looks like a mark.
UNSEEN = re.compile('[\0-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\ufeff\ud800-\udfff]|^(?:===|---) ', re.MULTILINE)


class Malformed(Exception):
    """A file is not of the form that README.md describes."""


def escaped(data):
    """Bytes as the text of an escaped part: backslashes, marks and what cannot be seen as \\xNN."""
    text = data.decode('utf-8', 'surrogateescape').replace('\\', '\\x5c')
    return UNSEEN.sub(lambda m: ''.join(f'\\x{b:02x}' for b in m[0][:1].encode('utf-8', 'surrogateescape')) + m[0][1:], text).encode()


def plain(data):
    """The bytes that escaped() wrote so; ValueError when a backslash begins anything else."""
    if re.search(rb'\\(?!x[0-9a-f]{2})', data):
        raise ValueError('a backslash that begins no \\xNN')
    return re.sub(rb'\\x(..)', lambda m: bytes([int(m[1], 16)]), data)


@dataclasses.dataclass
class Part:
    """What stands below a `--- NAME` line."""
    name: str               # of PARTS, or FOLDER and a path; a directory's ends in a slash
    content: bytes = b''    # of a file; a link's target
    kind: str = 'file'      # file, dir or link
    mode: int = 0o644       # 0755 for directories

    def words(self):
        """The words of its line."""
        words = [normalise.text(normalise.raw_name(self.name))]
        if self.kind == 'link':
            return words + ['link=' + normalise.text(self.content)]
        if self.mode != (0o755 if self.kind == 'dir' else 0o644):
            words.append(f'mode={self.mode:04o}')
        if self.content and not self.content.endswith(b'\n'):
            words.append('no-newline')
        if UNSEEN.search(self.content.decode('utf-8', 'surrogateescape')):
            words.append('escaped')
        return words

    def bytes(self):
        words = self.words()
        if self.kind != 'file':
            content = b''
        else:
            content = escaped(self.content) if 'escaped' in words[1:] else self.content
            content += b'\n' if 'no-newline' in words[1:] else b''
        return b'--- ' + ' '.join(words).encode() + b'\n' + content


@dataclasses.dataclass
class Entry:
    """A case, or a context that several share."""
    kind: str    # case or context
    name: str
    line: int    # where it begins
    keys: dict   # of KEYS → their text
    parts: dict  # name → Part, in the order of the file

    def bytes(self):
        lines = [f'{k}: {l}\n' for k, text in self.keys.items() for l in text.split('\n')]
        return f'=== {self.kind} {self.name}\n'.encode() + ''.join(lines).encode() + b''.join(p.bytes() for p in self.parts.values())


class File:
    def __init__(self, path, data):
        self.path, self.about, self.entries = path, b'', []  # about: what stands above the first case
        self.area = os.path.basename(path)[:-len('.txt')]
        self.parse(data)

    def fail(self, line, reason):
        raise Malformed(f'{os.path.relpath(self.path)}:{line}: {reason}')

    def parse(self, data):
        lines = data.split(b'\n')
        if lines.pop() != b'':
            self.fail(len(lines) + 1, 'the last line has no end')
        starts = [n for n, l in enumerate(lines) if MARK.match(l)]
        blocks = list(zip([0] + starts, starts + [len(lines)]))
        self.about = b''.join(l + b'\n' for l in self.block(lines, *blocks[0], len(blocks) > 1))
        for number, (start, end) in enumerate(blocks[1:], 2):
            content = self.block(lines, start + 1, end, number < len(blocks))
            if lines[start].startswith(b'==='):
                self.entries.append(self.entry(start + 1, lines[start].decode('utf-8', 'surrogateescape'), content))
            else:
                self.part(start + 1, lines[start].decode('utf-8', 'surrogateescape'), content)

    def block(self, lines, start, end, more):
        """The lines of a block, without the empty one that stands before a case."""
        if more and lines[end].startswith(b'===') and end > 0:
            if end == start or lines[end - 1]:
                self.fail(end + 1, 'an empty line must stand before')
            end -= 1
        return lines[start:end]

    def entry(self, line, head, content):
        found = re.fullmatch(r'=== (case|context) ([a-z0-9-]+)', head)
        if not found:
            self.fail(line, 'want "=== case NAME" or "=== context NAME"')
        keys = {}
        for number, text in enumerate(content, line + 1):
            key, colon, value = text.decode('utf-8', 'surrogateescape').partition(': ')
            if not colon or key not in KEYS or not value:
                self.fail(number, f'want "KEY: TEXT", one of {" ".join(KEYS)}')
            if key in keys and key != 'why':
                self.fail(number, f'{key} is there twice')
            keys[key] = keys[key] + '\n' + value if key in keys else value
        if found[1] == 'context' and keys:
            self.fail(line + 1, 'a context has no such lines')
        return Entry(found[1], found[2], line, keys, {})

    def part(self, line, head, content):
        if not self.entries:
            self.fail(line, 'a part before the first case')
        entry, words = self.entries[-1], head.split(' ')[1:]
        try:
            part = self.described(words, content)
        except ValueError as e:
            self.fail(line, e)
        if part.words() != words:
            self.fail(line, 'write it as "--- ' + ' '.join(part.words()) + '"')
        if part.name in entry.parts:
            self.fail(line, f'{part.name} is there twice in {entry.name}')
        if not part.name.startswith(FOLDER) and part.name not in (PARTS if entry.kind == 'case' else ('setup.sh',)):
            self.fail(line, f'a {entry.kind} has no part {part.name}')
        entry.parts[part.name] = part

    @staticmethod
    def described(words, content):
        """The Part of the words of its line and the lines below."""
        part = Part(plain(words[0].encode()).decode('utf-8', 'surrogateescape'))
        if re.search(r'(^|/)(\.\.?)?(/|$)', part.name[:-1] if part.name.endswith('/') else part.name) or '\0' in part.name:
            raise ValueError('no path: ' + words[0])
        if part.name.endswith('/'):
            part.kind, part.mode = 'dir', 0o755
        flags = set(words[1:])
        for word in words[1:]:
            if re.fullmatch('mode=0[0-7]{3}', word):
                part.mode = int(word[5:], 8)
            elif word.startswith('link='):
                part.kind, part.content = 'link', plain(word[5:].encode())
            elif word not in ('no-newline', 'escaped'):
                raise ValueError(f'unknown: {word}')
        if part.kind != 'file':
            if content:
                raise ValueError(f'a {part.kind} has no content')
            return part
        text = b''.join(l + b'\n' for l in content)
        part.content = plain(text) if 'escaped' in flags else text
        if 'no-newline' in flags:
            part.content = part.content[:-1]
        return part

    def bytes(self):
        pieces = ([self.about] if self.about else []) + [e.bytes() for e in self.entries]
        return b'\n'.join(pieces)

    def save(self):
        with open(self.path + '.new', 'wb') as f:
            f.write(self.bytes())
        os.rename(self.path + '.new', self.path)


class Case:
    def __init__(self, file, entry, contexts):
        self.file, self.entry, self.name = file, entry, entry.name
        self.contexts = contexts  # those that it names

    def part(self, name):
        """Its own, or that of the last of its contexts that has one; None."""
        return next((e.parts[name] for e in [self.entry, *reversed(self.contexts)] if name in e.parts), None)

    def files(self):
        """The Parts of its context, their names without FOLDER; a directory before what is in it."""
        found = {n: p for e in [*self.contexts, self.entry] for n, p in e.parts.items() if n.startswith(FOLDER)}
        return [dataclasses.replace(found[n], name=n[len(FOLDER):]) for n in sorted(found)]

    def has(self, name):
        return self.part(name) is not None

    def read(self, name, default=''):
        """The text of a part, or of a key."""
        if name in KEYS:
            return self.entry.keys.get(name, default)
        part = self.part(name)
        return part.content.decode('utf-8', 'surrogateescape') if part else default

    def lines(self, name):
        return [l for l in self.read(name).splitlines() if l.strip() and not l.startswith('#')]

    def change(self, parts):
        """Set the parts that are given as a text, and take away those that are None, in the file too."""
        before = self.file.bytes()
        for name, text in parts.items():
            if text is None:
                self.entry.parts.pop(name, None)
            else:
                self.entry.parts[name] = Part(name, text.encode('utf-8', 'surrogateescape'))
        if self.file.bytes() != before:
            self.file.save()


def check_place(file, entry, areas):
    """A case stands in the file with the longest name that its own begins with: there it is looked for."""
    place = max((a for a in areas if (entry.name + '-').startswith(a + '-')), key=len, default=None)
    if place != file.area:
        file.fail(entry.line, f'{entry.name} belongs into {place}.txt' if place else f'no file for {entry.name}')


def make_case(file, entry, contexts):
    names = entry.keys.get('context', '').split()
    for name in names:
        if name not in contexts:
            file.fail(entry.line + 1 + list(entry.keys).index('context'), f'no context {name}')
    return Case(file, entry, [contexts[n] for n in names])


def load(folder=CASES):
    """All cases, by name."""
    files = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), '*.txt'))):
        with open(path, 'rb') as f:
            files.append(File(path, f.read()))
    contexts, cases, areas = {}, {}, [f.area for f in files]
    for file in files:
        for entry in file.entries:
            known = contexts if entry.kind == 'context' else cases
            if entry.name in known:
                file.fail(entry.line, f'{entry.kind} {entry.name} is there twice')
            known[entry.name] = (file, entry)
    for file, entry in cases.values():
        check_place(file, entry, areas)
    shared = {n: e for n, (_, e) in contexts.items()}
    return {n: make_case(*cases[n], shared) for n in sorted(cases)}
