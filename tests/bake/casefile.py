"""Cases of bake (tests/bake/cases/*.txt): text in sections, each begun by a line "-- NAME --".

    text before the first section    what the case is about
    -- file NAME --                  a file in the working directory; any number
    -- file NAME escaped --          the same; \\r and \\xNN stand for bytes, and the last newline is dropped
    -- args --                       further arguments of bake --print, one a line
    -- env --                        NAME=VALUE, one a line
    -- expect --                     the JSON that docker buildx bake --print printed
    -- fails --                      or how it failed
    -- says --                       what varve's own error must contain, one a line

expect.py writes the sections expect and fails; all others are written by hand."""
import re


class Case:
    def __init__(self, path):
        self.path = path
        self.sections = []  # (name, argument, text)
        self.about = ''
        with open(path, newline='') as f:
            for line in f:
                head = re.fullmatch(r'-- (\w+)(?: (.+))? --\n', line)
                if head:
                    self.sections.append([head[1], head[2] or '', ''])
                elif self.sections:
                    self.sections[-1][2] += line
                else:
                    self.about += line

    def lines(self, name):
        return [l for n, _, text in self.sections if n == name for l in text.splitlines()]

    def files(self):
        """{name: bytes}"""
        found = {}
        for name, argument, text in self.sections:
            if name == 'file':
                content = text.encode()
                if argument.endswith(' escaped'):
                    argument = argument.removesuffix(' escaped')
                    content = re.sub(rb'\\x([0-9a-f]{2})', lambda m: bytes([int(m[1], 16)]), content.removesuffix(b'\n').replace(b'\\r', b'\r'))
                found[argument] = content
        return found

    def write(self, name, text):
        """Replaces the outcome by a section of that name."""
        kept = [s for s in self.sections if s[0] not in ('expect', 'fails')]
        says = [s for s in kept if s[0] == 'says' and name == 'fails']
        kept = [s for s in kept if s[0] != 'says'] + [[name, '', text if text.endswith('\n') else text + '\n']] + says
        with open(self.path, 'w', newline='') as f:
            f.write(self.about + ''.join(f'-- {n}{" " + a if a else ""} --\n{t}' for n, a, t in kept))
