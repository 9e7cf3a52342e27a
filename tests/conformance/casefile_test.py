#!/usr/bin/env python3
"""Tests casefile.py and the difference of configs (normalise.py), and with them all of cases/. Prints TAP."""
import glob, json, os, random, re, sys, tempfile, time

import casefile, normalise

WORD = r'\w+|"(?:[^"\\]|\\.)*"'
FILE = '''# About.

=== context one
--- context/a.txt
a
--- setup.sh
echo >made

=== case area-first
context: one
needs: root git
why: one
why: two
--- Dockerfile
FROM scratch

--- context/sp\\x20ace\\xff mode=0755 no-newline
x
--- context/l link=to\\x20here
--- context/d/ mode=0700
--- context/e
--- context/odd escaped
a\\x0d
\\x2d-- no mark
back\\x5cslash

=== case area-second
--- expected.tree
base scratch
'''
WRONG = [  # what to replace in FILE, by what, the line and a word of the complaint
    ('base scratch\n', 'base scratch', 29, 'no end'),
    ('\n\n=== case area-first', '\n=== case area-first', 8, 'empty line'),
    ('# About.\n\n=== context one\n', '', 1, 'before the first case'),
    ('=== context one', '=== kontext one', 3, 'want'),
    ('=== case area-first', '=== case area_first', 9, 'want'),
    ('=== case area-first', '=== case other-first', 9, 'no file'),
    ('=== case area-second', '=== case area-first', 27, 'twice'),
    ('=== case area-second', '=== case area-more-second', 27, 'area-more.txt'),
    ('context: one', 'context: two', 10, 'no context two'),
    ('needs: root', 'wants: root', 11, 'want'),
    ('needs: root git', 'needs:', 11, 'want'),
    ('why: one', 'needs: http', 12, 'twice'),
    ('--- context/a.txt', 'why: x\n--- context/a.txt', 4, 'no such lines'),
    ('--- setup.sh', '--- args', 6, 'no part args'),
    ('--- Dockerfile', '--- Dokerfile', 14, 'no part Dokerfile'),
    ('--- Dockerfile', '--- ../Dockerfile', 14, 'no path'),
    ('context/e', 'context//e', 21, 'no path'),
    ('context/e', 'context/e\\x00', 21, 'no path'),
    ('context/e', 'context/odd', 22, 'twice'),
    ('context/e', 'context/e mode=0644', 21, 'write it as'),
    ('context/e', 'context/e mode=9', 21, 'unknown'),
    ('context/e', 'context/\xe9', 21, ''),
    ('mode=0755 no-newline', 'no-newline mode=0755', 17, 'write it as'),
    ('mode=0700\n', 'mode=0700\nx\n', 20, 'no content'),
    ('a\\x0d', 'a\\r', 22, 'backslash'),
    ('a\\x0d\n\\x2d-- no mark\n', '', 22, 'write it as'),
    ('base scratch', 'base\tscratch\r', 28, 'write it as'),
]


def load(**files):
    """The cases of files with these texts (surrogates stand for bytes), by area."""
    with tempfile.TemporaryDirectory() as folder:
        for area, text in files.items():
            with open(f'{folder}/{area.replace("_", "-")}.txt', 'wb') as f:
                f.write(text.encode('latin-1'))
        return casefile.load(folder)


def complaint(text):
    try:
        load(area=text, area_more='')
        return 'nothing'
    except casefile.Malformed as e:
        return str(e)


def test_files_round_trip():
    for path in glob.glob(os.path.join(casefile.CASES, '*.txt')):
        with open(path, 'rb') as f:
            data = f.read()
        if casefile.File(path, data).bytes() != data:
            yield f'{path} is written otherwise than it is read'
    if casefile.File('area.txt', FILE.encode()).bytes() != FILE.encode():
        yield 'the sample is written otherwise than it is read'


def test_any_content_round_trips():
    rand = random.Random(1)
    pieces = [b'\n', b'\r', b'--- ', b'=== ', b'\\', b'\\x41', b'\0', b'\xff', '\u00e9\u6f22\ufeff\u2028'.encode(), b'\t', b'a ', b'\x7f', b'\xed\xa0\x80']
    for _ in range(3000):
        content, name = (b''.join(rand.choices(pieces, k=rand.randrange(6))) for _ in range(2))
        name = 'context/n' + name.replace(b'\0', b'').decode('utf-8', 'surrogateescape')
        entry = casefile.Entry('case', 'area', 0, {}, {name: casefile.Part(name, content, mode=rand.choice((0o644, 0o755)))})
        text = entry.bytes()
        back = casefile.File('area.txt', text + b'\n=== case area-next\n').entries[0].parts
        if back != entry.parts:
            yield f'{entry.parts} became {back} by way of {text}'


def test_a_case():
    cases = load(area=FILE)
    case = cases['area-first']
    want = {'why': 'one\ntwo', 'needs': 'root git', 'Dockerfile': 'FROM scratch\n\n', 'setup.sh': 'echo >made\n', 'args': ''}
    for name, text in want.items():
        if case.read(name) != text:
            yield f'{name} is {case.read(name)!r}'
    files = {p.name: (p.kind, p.mode, p.content) for p in case.files()}
    want = {'a.txt': ('file', 0o644, b'a\n'), 'sp ace\udcff': ('file', 0o755, b'x'), 'l': ('link', 0o644, b'to here'), 'd/': ('dir', 0o700, b''),
            'e': ('file', 0o644, b''), 'odd': ('file', 0o644, b'a\r\n--- no mark\nback\\slash\n')}
    if files != want:
        yield f'files are {files}'
    if list(cases) != ['area-first', 'area-second'] or cases['area-second'].files():
        yield 'the second case is not as written'


def test_changes_are_written():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/area.txt'
        with open(path, 'w') as f:
            f.write(FILE)
        case = casefile.load(folder)['area-second']
        case.change({'expected.tree': None, 'expected.error': 'line: 1\n', 'expected.config': None})
        with open(path) as f:
            if f.read() != FILE.replace('--- expected.tree\nbase scratch\n', '--- expected.error\nline: 1\n'):
                yield 'the file is not the same but for the change'
        before = os.stat(path).st_ino
        case.change({'expected.error': 'line: 1\n'})
        if os.stat(path).st_ino != before:
            yield 'no change was written'


def test_complaints_name_the_line():
    for old, new, line, word in WRONG:
        if FILE.count(old) < 1:
            yield f'the sample has no {old!r}'
        said = complaint(FILE.replace(old, new, 1))
        if f'area.txt:{line}: ' not in said or word not in said:
            yield f'{new!r} for {old!r}: want {line}: {word}, got {said}'


def applied(base, text):
    """What the difference makes of the base."""
    image = json.loads(json.dumps(base))
    for line in text.splitlines():
        gone, name, sign, value = re.fullmatch(rf'(- )?((?:{WORD})(?:\.(?:{WORD}))*)(?: ([=+]) (.*))?', line, re.ASCII).groups()
        *above, last = [json.loads(w) if w[0] == '"' else w for w in re.findall(WORD, name, re.ASCII)]
        inner = image
        for word in above:
            inner = inner.setdefault(word, {})
        if gone:
            del inner[last]
        elif sign == '=':
            inner[last] = json.loads(value)
        else:
            inner.setdefault(last, []).append(json.loads(value))
    return image


def some_config(rand):
    def some(values):
        return [rand.choice(values) for _ in range(rand.randrange(1, 4))]
    members = {'Env': some(['A=1', 'B="\n', 'C=\u00e9']), 'Cmd': some(['sh', '-c', 'a = b + c']), 'OnBuild': some(['RUN x']), 'User': rand.choice('ab'),
               'Labels': {k: rand.choice('xy') for k in some(['a.b', 'a', '"', 'a b', '\u00e9'])}, 'Volumes': {k: {} for k in some(['/v', '/w'])}}
    config = {k: v for k, v in members.items() if rand.random() < 0.7}
    history = [{'created_by': 'RUN'}, {'created_by': 'ENV', 'empty_layer': True}]
    return {'layers': rand.randrange(3), 'history': some(history), **({'config': config} if config else {})}


def test_differences_lose_nothing():
    rand = random.Random(2)
    for _ in range(3000):
        base, image = some_config(rand), some_config(rand)
        for old in base, {}:
            text = ''.join(l + '\n' for l in normalise.difference('', old, image))
            got = applied(old, text)
            if {**got, 'config': got.get('config') or {}} != {**image, 'config': image.get('config') or {}}:
                yield f'{old} and {image}: {text}'


def test_reading_is_fast():
    started = time.process_time()
    if len(casefile.load()) < 900:
        yield 'cases are missing'
    if time.process_time() - started > 1:
        yield f'{time.process_time() - started:.1f} s of processor time'


def complaints(test):
    try:
        return list(test())
    except casefile.Malformed as e:
        return [str(e)]


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith('test_')]
    wrong = False
    print(f'1..{len(tests)}')
    for number, (name, test) in enumerate(tests, 1):
        said = complaints(test)
        wrong = wrong or bool(said)
        print(f'{"not ok" if said else "ok"} {number} - {name[5:].replace("_", " ")}')
        for line in said[:10]:
            print('# ' + line.replace('\n', '\n# '))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
