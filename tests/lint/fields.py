#!/usr/bin/env python3
"""Struct fields in headers say what they are: each has a comment on its lines, above it, or above the group that it is in (a
group ends at an empty line). None is needed where the declaration tells it: a struct or enum that the field is named after
("struct store *store", "enum source_kind kind"), the number of a field beside it ("n_inputs"), whether one is set ("has_mode").

usage: fields.py HEADER...    prints "FILE:LINE: DECLARATION" for each field that says nothing"""
import re, sys


class Struct:
    def __init__(self, covered):
        self.fields = []    # (line, declaration, commented)
        self.covered = covered

    def names(self):
        return {name for _, declaration, _ in self.fields for name in names_of(declaration)}


def names_of(declaration):
    pointer = re.search(r'\(\*(\w+)\)\(', declaration)
    return [pointer[1]] if pointer else re.findall(r'(\w+)(?:\[[^]]*\]|:\d+)*\s*[,;]', declaration)


def told_by_type(declaration):
    typed = re.match(r'(?:const )?(?:struct|enum) (\w+) \**(\w+)(?:\[\w+\])?;$', declaration)
    return typed and (typed[2] in typed[1].split('_') or typed[1].endswith(typed[2]) or typed[2].endswith(typed[1]))


def told_by_name(name, names):
    about = re.match(r'(?:n|has)_(\w+)$', name)
    return about and any(other.startswith(about[1]) for other in names if other != name)


def structs_of(lines):
    """All structs and unions with bodies; what stands between their fields and is none is left out."""
    found, nest = [], []
    in_comment, declaration, commented = False, '', False
    for number, line in enumerate(lines, 1):
        has_comment = in_comment or '/*' in line
        code = re.sub(r'/\*.*?\*/', ' ', ('/*' if in_comment else '') + line)
        in_comment = '/*' in code
        code = code.split('/*')[0].strip()
        inside = nest[-1] if nest else None
        if code.endswith('{'):
            nest.append(Struct(has_comment) if re.search(r'\b(struct|union)\b[^();]*\{$', code) else None)
        elif code.startswith('}') and nest:
            found.append(nest.pop())
        elif inside and not code:
            inside.covered = has_comment
        elif inside:
            declaration, commented = f'{declaration} {code}'.strip(), commented or has_comment
            if code.endswith(';'):
                inside.fields.append((number, declaration, commented or inside.covered))
                declaration, commented = '', False
    return [s for s in found if s]


def silent(path):
    with open(path, encoding='utf-8') as f:
        structs = structs_of(f.read().split('\n'))
    for s in structs:
        names = s.names()
        for number, declaration, commented in s.fields:
            if not (commented or told_by_type(declaration) or all(told_by_name(n, names) for n in names_of(declaration))):
                yield f'{path}:{number}: {declaration}'


if __name__ == '__main__':
    for line in sorted(line for path in sys.argv[1:] for line in silent(path)):
        print(line)
