#!/usr/bin/env python3
"""Run the conformance cases, or have Docker's builder say what is expected of them. See README.md here for the form of a case.

usage: conformance.py run VARVE [CASE...]     compare a varve with the expectations; TAP, last line "N passed, N failed"
       conformance.py oracle [CASE...]        write expected.config, expected.tree, expected.error into the files of the cases

CASE is the name of a case, or a shell pattern. `run` works on JOBS cases at a time (default: the processors). `oracle` takes
one after the other: builds that BuildKit runs at the same time share steps, and with them the times of their files.
"""
import atexit, concurrent.futures, difflib, fnmatch, http.server, os, re, shutil, signal, subprocess, sys, tempfile, threading, urllib.parse, zlib

import casefile, normalise

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, '..', '..', 'bench', 'peers.sh')
CHROOT = os.environ.get('VARVE_PEERS', '/var/tmp/varve-peers')
NEW = 1600000000    # normalise.py: from here on a time is "now"
TIMEOUT = 300
BASES = ['busybox', 'rich', 'onbuild', 'strange', 'multi', 'variants', 'liar', 'attested']
ARM64 = ['box', 'busybox-arm64']  # those of cases that need arm64
OUTPUTS = {'oci': 'image.tar', 'local': 'out', 'tar': 'out.tar'}
EXPECTED = ('index', 'config', 'tree')


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves WORK/CASE/http/… as /CASE/…; /CASE/NAME.git/… through git's own http-backend."""

    def log_message(self, *args):
        pass

    def translate_path(self, path):
        parts = [p for p in urllib.parse.unquote(path.split('?')[0]).split('/') if p not in ('', '.', '..')]
        return os.path.join(self.server.work, parts[0], 'http', *parts[1:]) if parts else self.server.work

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        if '.git/' in parts.path:
            return self.git(parts)
        if '/redirect/' in parts.path:
            self.send_response(302)
            self.send_header('Location', parts.path.replace('/redirect/', '/', 1))
            return self.end_headers()
        for code in (404, 500):
            if f'/status-{code}/' in parts.path:
                return self.send_error(code)
        return super().do_GET()

    def do_POST(self):
        self.git(urllib.parse.urlsplit(self.path))

    def git(self, parts):
        case, rest = parts.path.lstrip('/').split('/', 1)
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        env = dict(os.environ, GIT_PROJECT_ROOT=os.path.join(self.server.work, case, 'http'), GIT_HTTP_EXPORT_ALL='1', PATH_INFO='/' + rest,
                   REQUEST_METHOD=self.command, QUERY_STRING=parts.query, CONTENT_TYPE=self.headers.get('Content-Type', ''),
                   CONTENT_LENGTH=str(len(body)), GIT_PROTOCOL=self.headers.get('Git-Protocol', ''), REMOTE_ADDR='127.0.0.1',
                   GIT_CONFIG_COUNT='1', GIT_CONFIG_KEY_0='safe.directory', GIT_CONFIG_VALUE_0='*',
                   HTTP_CONTENT_ENCODING=self.headers.get('Content-Encoding', ''))
        out = subprocess.run(['git', 'http-backend'], input=body, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        head, _, content = out.partition(b'\r\n\r\n')
        headers = dict(line.split(': ', 1) for line in head.decode().split('\r\n') if ': ' in line)
        self.send_response(int(headers.pop('Status', '200').split()[0]))
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server:
    def __init__(self, work):
        self.httpd = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.httpd.work, self.httpd.daemon_threads = work, True
        self.url = f'http://127.0.0.1:{self.httpd.server_address[1]}'
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()


def error_of(case):
    """The fields of expected.error, or None when the case must succeed."""
    return dict(l.split(': ', 1) for l in case.lines('expected.error') if ': ' in l) if case.has('expected.error') else None


def epoch_of(case):
    """The SOURCE_DATE_EPOCH that the case sets, or 0."""
    found = re.search(r'SOURCE_DATE_EPOCH=(\d+)', case.read('args') + case.read('env'))
    return int(found[1]) if found else 0


def missing(case):
    """What this machine lacks to run the case, or None."""
    have = {'root': lambda: os.geteuid() == 0, 'git': lambda: shutil.which('git'), 'http': lambda: True,
            'xattr': lambda: shutil.which('setfattr'), 'caps': lambda: shutil.which('setcap'), 'zstd': lambda: shutil.which('zstd'),
            'xz': lambda: shutil.which('xz'), 'bzip2': lambda: shutil.which('bzip2'),
            'arm64': lambda: os.environ.get('BUSYBOX_ARM64') and os.path.exists('/usr/bin/qemu-aarch64-static'),
            'network': lambda: os.environ.get('CONFORMANCE_NETWORK')}
    return next((w for w in case.read('needs').split() if not have[w]()), None)


def lay_out(case, ctx):
    """Make the case's context, without what setup.sh adds. The umask is 022."""
    os.makedirs(ctx)
    files = case.files()
    if case.has('Dockerfile'):
        files.append(case.part('Dockerfile'))
    for part in files:
        path = os.path.join(os.fsencode(ctx), normalise.raw_name(part.name).rstrip(b'/'))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if part.kind == 'link':
            os.symlink(part.content, path)
            continue
        if part.kind == 'dir':
            os.makedirs(path, exist_ok=True)
        else:
            with open(path, 'wb') as f:
                f.write(part.content)
        os.chmod(path, part.mode)


def fix_times(top, time):
    for folder, dirs, files in os.walk(os.fsencode(top), topdown=False):
        for name in files + dirs:
            path = os.path.join(folder, name)
            if os.lstat(path).st_mtime >= NEW:
                os.utime(path, (time, time), follow_symlinks=False)
    os.utime(top, (time, time))


def find_arm64():
    """Let BUSYBOX_ARM64 be busybox for that platform, where the test bed can have it."""
    if 'BUSYBOX_ARM64' not in os.environ:
        cache = os.environ.get('VARVE_TESTBED', os.path.expanduser('~/.cache/varve-testbed'))
        subprocess.run([os.path.join(HERE, '..', 'testbed', 'busybox-base.sh'), cache, 'arm64'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=False)
        program = os.path.join(cache, 'fetched-busybox-arm64')
        os.environ['BUSYBOX_ARM64'] = program if os.path.exists(program) else ''


class Bench:
    """A place to work, a web server, the base images."""

    def __init__(self, work, inside):
        self.work, self.inside = work, inside  # the same folder, as we see it and as the builder does
        self.server = Server(work)
        os.makedirs(os.path.join(work, 'bases'), exist_ok=True)
        find_arm64()
        subprocess.run([sys.executable, os.path.join(HERE, 'base.py'), os.path.join(work, 'bases')], check=True)

    def prepare(self, case):
        """Lay out WORK/CASE: ctx (the context) and http (what the web server shows)."""
        top = os.path.join(self.work, case.name)
        shutil.rmtree(top, ignore_errors=True)
        ctx = os.path.join(top, 'ctx')
        os.makedirs(os.path.join(top, 'http'))
        lay_out(case, ctx)
        if case.has('setup.sh'):
            done = subprocess.run(['sh', '-euc', case.read('setup.sh')], cwd=ctx, env=dict(os.environ, W=top, LC_ALL='C'),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                raise RuntimeError('setup.sh failed: ' + done.stdout.decode(errors='replace'))
        fix_times(top, self.time(case))
        return top

    def time(self, case):
        """The mtime of the files of a context. For the oracle it is another in each case: BuildKit takes a file of the same name, size and
        mtime as one it was sent in an earlier build for that file. For varve it is the same in all: its keys leave mtimes out."""
        return 1000000000 + (zlib.crc32(case.name.encode()) % 99999999 if self.inside != self.work else 7)

    def fill(self, case, text):
        inside = os.path.join(self.inside, case.name)
        for key, value in (('@CTX@', inside + '/ctx'), ('@W@', inside), ('@HTTP@', f'{self.server.url}/{case.name}'),
                           ('@BASES@', os.path.join(self.inside, 'bases'))):
            text = text.replace(key, value)
        return text

    def command(self, case, builder):
        """The build's arguments, its environment and standard input."""
        args = [self.fill(case, a) for a in case.lines('args')]
        for name in BASES + (ARM64 if 'arm64' in case.read('needs').split() else []):
            if not any(a.startswith(f'--build-context={name}=') for a in args):
                args.insert(0, f'--build-context={name}=oci-layout://{self.inside}/bases/{name}-oci:latest')
        context = self.fill(case, case.read('context-arg', '@CTX@').strip())
        if not any(re.match(r'(-f|--file)', a) for a in args) and context == self.fill(case, '@CTX@'):
            args += ['-f', os.path.join(context, 'Dockerfile')]
        env = dict(l.split('=', 1) for l in case.lines('env'))
        stdin = None
        if case.has('stdin'):
            top = os.path.join(self.work, case.name)
            stdin = subprocess.run(['sh', '-euc', case.read('stdin')], cwd=top, stdout=subprocess.PIPE, check=True).stdout
        return builder(case, args, context), env, stdin

    def build(self, case, builder):
        command, env, stdin = self.command(case, builder)
        feed = {'input': stdin} if stdin is not None else {'stdin': subprocess.DEVNULL}
        try:
            done = subprocess.run(command, env=dict(os.environ, **env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, **feed)
        except subprocess.TimeoutExpired as e:
            return -signal.SIGALRM, (e.stdout or b'').decode(errors='replace') + f'\nno end after {TIMEOUT} s'
        return done.returncode, done.stdout.decode(errors='replace')

    def output(self, case, top):
        """The -o of the build, to what is in TOP."""
        kind, comma, more = case.read('output', 'oci').partition(',')
        return f'type={kind},dest={top}/{case.name}/{OUTPUTS[kind]}{comma}{more}'

    def normalise(self, case):
        """The texts that the build's output is compared by: of EXPECTED, those that there are. Broken with the reason."""
        url, bases = f'{self.server.url}/{case.name}', os.path.join(self.work, 'bases')
        kind = case.read('output', 'oci').split(',')[0]
        path = os.path.join(self.work, case.name, OUTPUTS[kind])
        if kind != 'oci':
            return {'tree': normalise.reading(lambda: normalise.files_text(path, self.time(case)))}
        replace = [(url, 'http://HTTP'), (url.split('//')[1], 'HTTP')]
        parts = normalise.reading(lambda: normalise.archive_parts(path, bases, epoch_of(case), self.time(case), replace))
        return {k: v for k, v in parts.items() if k != 'index' or v}


def indent(text, limit=60):
    lines = text.rstrip('\n').split('\n')
    return ''.join(f'# {l}\n' for l in (lines if len(lines) <= limit else lines[:limit // 2] + ['…'] + lines[-limit // 2:]))


def differences(kind, want, got):
    return ''.join(l + '\n' for l in difflib.unified_diff(want.splitlines(), got.splitlines(), 'expected.' + kind, 'got', lineterm='', n=2))


def all_differences(case, parts):
    return ''.join(differences(k, case.read('expected.' + k), parts.get(k, '')) for k in EXPECTED)


def check_error(want, code, output):
    if code < 0:
        return f'ended by signal {-code}\n{output}'
    if code == 0:
        return f'succeeded, but must fail: {want.get("docker", "")}\n'
    wrong = ''
    if want.get('line', '0') != '0' and not re.search(r'Dockerfile:(%s)(?!\d)' % want['line'], output):
        wrong += f'does not name Dockerfile:{want["line"]}\n'
    if not re.search(want['match'], output, re.IGNORECASE):
        wrong += f'does not say /{want["match"]}/\n'
    return wrong and wrong + 'exit code %d, it said:\n%s' % (code, output)


class Runner:
    """Compares varve with the expectations."""

    def __init__(self, varve, bench):
        self.varve, self.bench = varve, bench
        os.environ['VARVE_ROOT'] = os.path.join(bench.work, 'root')
        self.impossible = None  # cases that need more than one id, where there is only one
        if os.environ.get('CONFORMANCE_SINGLE_ID'):
            with open(os.path.join(HERE, 'single-id')) as f:
                self.impossible = {l.strip() for l in f if l.strip() and not l.startswith('#')}

    def single_id(self, case, wrong, output):
        """The cases that are listed must go wrong and say why; all others must be right."""
        if case.name not in self.impossible:
            return wrong
        if not wrong:
            return 'needs one id only: take it off single-id\n'
        return '' if '/etc/subuid' in output else 'does not say what a single id cannot do\n' + wrong

    def builder(self, case, args, context):
        return [self.varve, 'build', '--progress=plain', '-o', self.bench.output(case, self.bench.work), *args, context]

    def __call__(self, case):
        """('ok' | 'not ok' | 'skip', notes)"""
        if missing(case):
            return 'skip', 'needs ' + missing(case)
        top = self.bench.prepare(case)
        code, output = self.bench.build(case, self.builder)
        want = error_of(case)
        if want is not None:
            wrong = check_error(want, code, output)
        elif code:
            wrong = f'exit code {code}\n{output}'
        else:
            try:
                wrong = all_differences(case, self.bench.normalise(case))
            except normalise.Broken as e:
                wrong = str(e)
        if self.impossible is not None:
            wrong = self.single_id(case, wrong, output)
        if not wrong and not os.environ.get('CONFORMANCE_KEEP'):
            shutil.rmtree(top, ignore_errors=True)
        return ('not ok' if wrong else 'ok'), wrong


class Oracle:
    """Writes the expectations as Docker's builder has them."""

    def __init__(self, bench):
        self.bench = bench

    def builder(self, case, args, context):
        env = [f'{k}' for k in case.lines('env')]
        return [PEERS, 'exec-as', 'oracle', '--', 'env', *env, 'docker', 'buildx', 'build', '--progress=plain', '--provenance=false', '--network=host',
                '--no-cache', '-o', self.bench.output(case, self.bench.inside), *args, context]

    def __call__(self, case):
        if missing(case):
            return 'skip', 'needs ' + missing(case)
        top = self.bench.prepare(case)
        code, output = self.bench.build(case, self.builder)
        if case.read('keep'):
            return 'ok', ''
        return self.failed(case, output) if code else self.succeeded(case, top)

    def failed(self, case, output):
        fields = error_of(case) or {}
        place = re.findall(r'^(?:\S*/)?Dockerfile:(\d+)$', output, re.MULTILINE)
        said = re.findall(r'^ERROR: (.*)', output, re.MULTILINE)
        if 'ours' not in fields:
            fields['line'] = place[-1] if place else fields.get('line', '0')
        message = (said[-1] if said else output.strip().splitlines()[-1]).replace('failed to build: ', '').replace('failed to solve: ', '')
        for pattern, plain in ((r'\b[a-z0-9]{25}\b', 'ID'), (r'/var/lib/varve-peers/\S*?/buildkit(-mount)?\d+', ''), (r'sha256:[0-9a-f]{64}', 'DIGEST'),
                               (r'docker\.io/library/', ''), (r'did you mean .*\?', 'did you mean ...?'),
                               (r': failed to do request: .*?(?= \(did you mean|$)', ': failed to do request')):
            message = re.sub(pattern, plain, message)  # what is not the same the next time
        fields['docker'] = message.replace(self.bench.server.url + '/' + case.name, 'http://HTTP').replace(os.path.join(self.bench.inside, case.name), 'W')
        text = ''.join(f'{k}: {fields[k]}\n' for k in ('line', 'match', 'ours', 'docker') if k in fields)
        case.change({'expected.error': text, **{'expected.' + k: None for k in EXPECTED}})
        return ('ok', '') if 'match' in fields else ('not ok', f'fails at line {fields["line"]}, and has no match:\n{fields["docker"]}')

    def succeeded(self, case, top):
        if 'match' not in (error_of(case) or {}):
            case.change({'expected.error': None})  # left by an earlier failure that nobody expects
        if error_of(case) is not None:
            return ('ok', '') if 'ours' in error_of(case) and case.read('why') else ('not ok', 'docker accepts this; the case needs ours: and a why')
        try:
            parts = self.bench.normalise(case)
        except normalise.Broken as e:
            return 'not ok', str(e)
        if case.read('why') and case.read('expected.tree'):
            differ = all_differences(case, parts)
            return 'ok', 'differs on purpose:\n' + differ if differ else ''
        case.change({'expected.' + k: parts.get(k) for k in EXPECTED})
        shutil.rmtree(top, ignore_errors=True)
        return 'ok', ''


def select(patterns):
    try:
        cases = casefile.load()
    except casefile.Malformed as e:
        sys.exit(f'conformance: {e}')
    chosen = [c for n, c in cases.items() if not patterns or any(fnmatch.fnmatch(n, p) for p in patterns)]
    if not chosen:
        sys.exit('conformance: no such case')
    return chosen


def guarded(work, case):
    try:
        return work(case)
    except Exception as e:  # a broken case must not hide the others
        return 'not ok', f'{type(e).__name__}: {e}'


def report(cases, work, jobs):
    counts = {'ok': 0, 'not ok': 0, 'skip': 0}
    print(f'TAP version 13\n1..{len(cases)}')
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for number, (case, (state, notes)) in enumerate(zip(cases, pool.map(lambda c: guarded(work, c), cases)), 1):
            counts[state] += 1
            print(f'ok {number} - {case.name} # SKIP {notes}' if state == 'skip' else f'{state} {number} - {case.name}', flush=True)
            if notes and state != 'skip':
                print(indent(notes), end='')
    print(f'{counts["ok"]} passed, {counts["not ok"]} failed' + (f', {counts["skip"]} skipped' if counts['skip'] else ''))
    return 1 if counts['not ok'] else 0


def remove(folder):
    """An ordinary user's store holds files of subordinate ids: only inside a user namespace can they be removed."""
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder):
        subprocess.run(['unshare', '--user', '--map-root-user', '--map-auto', 'rm', '-rf', folder], stderr=subprocess.DEVNULL, check=False)


def work_folder(parent):
    keep = os.environ.get('CONFORMANCE_KEEP')
    if keep:
        os.makedirs(keep, exist_ok=True)
        return keep
    folder = tempfile.mkdtemp(prefix='conformance-', dir=parent)
    atexit.register(remove, folder)
    return folder


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ('run', 'oracle') or (sys.argv[1] == 'run' and len(sys.argv) < 3):
        sys.exit(__doc__)
    os.umask(0o022)
    if sys.argv[1] == 'run':
        work = work_folder(os.environ.get('TMPDIR', '/var/tmp'))
        return report(select(sys.argv[3:]), Runner(os.path.abspath(sys.argv[2]), Bench(work, work)), int(os.environ.get('JOBS', os.cpu_count())))
    work = work_folder(CHROOT + '/var/tmp')
    subprocess.run([PEERS, 'exec-as', 'oracle', '--', 'docker', 'buildx', 'prune', '-af'], stdout=subprocess.DEVNULL, check=True)
    return report(select(sys.argv[2:]), Oracle(Bench(work, work[len(CHROOT):])), 1)


if __name__ == '__main__':
    sys.exit(main())
