#!/usr/bin/env python3
"""Runs the cases of tests/bake through varve bake --print.

usage: check.py VARVE [CASE...]     (tests/bake/cases/*.txt when none is named)

Prints what differs; exit status 1 if anything does."""
import difflib, glob, os, subprocess, sys, tempfile
from casefile import Case


def run(varve, case):
    """(exit code, standard output, standard error); the working directory is called /work"""
    with tempfile.TemporaryDirectory(prefix='varve-bake-') as where:
        for name, content in case.files().items():
            os.makedirs(os.path.dirname(f'{where}/{name}'), exist_ok=True)
            with open(f'{where}/{name}', 'wb') as f:
                f.write(content)
        env = {'HOME': '/root', 'PATH': os.defpath + ':/usr/bin', **dict(l.split('=', 1) for l in case.lines('env'))}
        p = subprocess.run([varve, 'bake', '--print', *case.lines('args')], cwd=where, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                           text=True, errors='replace')
        return p.returncode, p.stdout.replace(where, '/work'), p.stderr.replace(where, '/work')


def section(case, name):
    return next((text for n, _, text in case.sections if n == name), None)


def complaint(varve, case):
    """What is wrong, or nothing."""
    code, out, err = run(varve, case)
    expected = section(case, 'expect')
    if code < 0 or 'AddressSanitizer' in err:
        return f'killed by signal {-code}\n{err}'
    if (expected is None) != (code != 0):
        return f'exit status {code}\n{err}'
    # A next move is a hint where the place of the error is shown.
    said = err.replace('hint: ', 'next: ')
    missing = [l for l in case.lines('says') if l.replace('hint: ', 'next: ') not in said]
    if missing:
        return f'does not say: {missing}\n{err}'
    if expected is not None and out != expected:
        return ''.join(difflib.unified_diff(expected.splitlines(True), out.splitlines(True), 'docker', 'varve'))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    paths = sys.argv[2:] or sorted(glob.glob(here + '/cases/*.txt'))
    failed = 0
    for path in paths:
        found = complaint(os.path.abspath(sys.argv[1]), Case(path))
        if found:
            failed += 1
            print(f'{os.path.basename(path)}: {found}')
    print(f'{len(paths)} cases, {failed} failed')
    sys.exit(failed > 0)


main()
