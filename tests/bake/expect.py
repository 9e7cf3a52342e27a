#!/usr/bin/env python3
"""Asks the real docker buildx bake --print what the cases of tests/bake mean, and writes what it said into them.

usage: expect.py [CASE...]     (tests/bake/cases/*.txt when none is named)

The program is that of the chroot which bench/peers.sh sets up (VARVE_PEERS); no engine is needed. Needs root."""
import glob, os, re, subprocess, sys, tempfile
from casefile import Case

CHROOT = os.environ.get('VARVE_PEERS', '/var/tmp/varve-peers')


def ask(case):
    """(exit code, standard output, standard error)"""
    with tempfile.TemporaryDirectory(dir=CHROOT + '/tmp', prefix='bake-') as outside:
        inside = outside.removeprefix(CHROOT)
        for name, content in case.files().items():
            os.makedirs(os.path.dirname(f'{outside}/{name}'), exist_ok=True)
            with open(f'{outside}/{name}', 'wb') as f:
                f.write(content)
        env = dict(l.split('=', 1) for l in case.lines('env'))
        command = ['chroot', CHROOT, 'env', '-i', '-C', inside, 'HOME=/root', 'PATH=' + os.defpath + ':/usr/bin', *[f'{k}={v}' for k, v in env.items()],
                   'docker', 'buildx', 'bake', '--print', *case.lines('args')]
        p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True, errors='replace')
        return p.returncode, p.stdout.replace(inside, '/work'), p.stderr.replace(inside, '/work')


def failure(stderr):
    lines = [l for l in stderr.splitlines() if l.strip() and not re.match(r'#\d+ |-+$| *\d+ \||>>>', l)]
    return '\n'.join(lines[-3:])


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sys.argv[1:] or sorted(glob.glob(here + '/cases/*.txt')):
        case = Case(path)
        code, out, err = ask(case)
        if code == 0:
            case.write('expect', out)
        else:
            case.write('fails', failure(err))
        print(f'{"ok  " if code == 0 else "fail"} {os.path.basename(path)}' + ('' if code == 0 else ': ' + failure(err).splitlines()[-1][:150]))


main()
