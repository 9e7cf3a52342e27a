#!/usr/bin/env python3
"""Race varve against Docker's builder and buildah; see README.md here.

usage: bench.py [W1 W2 ...] [--varve PROGRAM] [--peers docker,buildah] [--rounds N] [--medium disk|tmpfs] [--render]

Runs the builders in turn (A B A B), `sync` before each run, and writes medians, spread and ratios to bench/RESULTS.md (from
bench/results.json, where the last numbers of every workload and medium are kept). Needs root and bench/peers.sh's chroot.
"""
import argparse, json, os, platform, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from builders import BUILDERS, CHROOT, PEERS, Varve  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

RESULTS = os.path.join(HERE, 'results.json')


def load():
    try:
        with open(RESULTS) as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def machine():
    with open('/proc/cpuinfo') as f:
        cpu = next((l.split(':')[1].strip() for l in f if l.startswith('model name')), 'unknown')
    with open('/proc/meminfo') as f:
        memory = int(f.readline().split()[1]) / 2**20
    return f'{os.cpu_count()} × {cpu}, {memory:.0f} GiB, Linux {platform.release()}'


def race(workload, builders, rounds):
    """{builder: {'times': [...], 'rss': peak MB, 'pushed': MB}} and the limit, in seconds"""
    results, limits = {}, []
    for builder in builders:
        print(f'{workload.name} {builder.name}: setting up', file=sys.stderr, flush=True)
        workload.setup(builder)
        results[builder.shown or builder.name] = {'times': [], 'rss': 0, 'pushed': []}
    for number in range(rounds):
        for builder in builders:
            workload.before(builder, number)
            stored = builder.engines.registry_bytes()
            os.sync()
            builder.reset_peak()
            spent = workload.run(builder)
            result = results[builder.shown or builder.name]
            result['times'].append(round(spent.seconds, 4))
            result['rss'] = max(result['rss'], round(spent.peak + builder.peak(), 1))
            result['pushed'].append(round((builder.engines.registry_bytes() - stored) / 1e6, 3))
            print(f'{workload.name} {builder.name} round {number + 1}: {spent.seconds:.3f} s, {spent.peak:.0f} MB', file=sys.stderr, flush=True)
        if workload.paced:
            limits.append(workload.limit())
            print(f'{workload.name} limit round {number + 1}: {limits[-1]:.3f} s', file=sys.stderr, flush=True)
    return results, statistics.median(limits) if limits else workload.limit()


class Engines:
    """The peers' engines on one medium, and a folder to work in."""

    def __init__(self, medium, names):
        self.medium = medium
        self.data = '/var/lib/varve-peers' if medium == 'disk' else '/var/lib/varve-peers-mem'
        self.env = dict(os.environ, VARVE_PEERS_DATA=self.data)
        self.wanted = ['registry'] + [engine for name, engine in (('docker', 'docker'), ('containerd', 'oracle')) if name in names]

    def __enter__(self):
        host = CHROOT + self.data
        if self.medium == 'tmpfs':
            self.peers('stop', 'docker', 'registry')
            os.makedirs(host, exist_ok=True)
            if not os.path.ismount(host):
                subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=14g', 'tmpfs', host], check=True)
        self.peers('setup')
        self.peers('start', *self.wanted)
        self.inside = self.data + '/bench'
        self.work = CHROOT + self.inside
        os.makedirs(self.work, exist_ok=True)
        return self

    def __exit__(self, *exc):
        if self.medium == 'tmpfs':
            self.peers('stop', 'docker', 'registry')
            subprocess.run(['umount', '-l', CHROOT + self.data], check=False)

    def peers(self, *args):
        subprocess.run([PEERS, *args], env=self.env, check=True)

    def registry_bytes(self):
        """The size of all blobs the registry holds."""
        top, total = f'{CHROOT}{self.data}/registry/docker/registry/v2/blobs', 0
        for folder, _, files in os.walk(top):
            total += sum(os.stat(os.path.join(folder, n)).st_size for n in files)
        return total


def seconds(value):
    return '–' if value is None else f'{value:.4f}' if value < 0.01 else f'{value:.3f}' if value < 1 else f'{value:.2f}' if value < 10 else f'{value:.1f}'


def cell(result):
    if not result or not result['times']:
        return '–'
    times = result['times']
    return f'{seconds(statistics.median(times))} ({seconds(min(times))}–{seconds(max(times))})'


def table(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = ['| ' + ' | '.join(c.ljust(w) for c, w in zip(r, widths)) + ' |' for r in rows]
    lines.insert(1, '|' + '|'.join('-' * (w + 2) for w in widths) + '|')
    return '\n'.join(lines)


def ratio(entry, peer):
    """Of two builders that raced each other: numbers of different runs say nothing about one another."""
    results, commands = entry['results'], entry['commands']
    if not results.get('varve', {}).get('times') or not results.get(peer, {}).get('times') or commands[peer] != commands['varve']:
        return '–'
    return f"{statistics.median(results[peer]['times']) / statistics.median(results['varve']['times']):.1f}x"


def render_medium(medium, data):
    rows = [['Workload', 'limit', 'varve', 'docker', 'buildah', 'docker ÷ varve', 'buildah ÷ varve', 'varve ÷ limit', 'varve − limit', 'peak MB: varve', 'docker', 'buildah',
             'MB pushed: varve', 'docker', 'buildah']]
    for name, entry in sorted(data.items()):
        results, limit = entry['results'], entry.get('limit')
        varve = results.get('varve', {}).get('times')
        pushed = [statistics.median(results[b]['pushed']) if results.get(b, {}).get('pushed') else 0 for b in ('varve', 'docker', 'buildah')]
        rows.append([f'{name} {entry["title"]}', seconds(limit)] + [cell(results.get(b)) for b in ('varve', 'docker', 'buildah')] +
                    [ratio(entry, 'docker'), ratio(entry, 'buildah'), f'{statistics.median(varve) / limit:.1f}x' if varve and limit else '–',
                     f'{statistics.median(varve) - limit:.3f}' if varve and limit else '–'] +
                    [str(round(results[b]['rss'])) if results.get(b, {}).get('rss') else '–' for b in ('varve', 'docker', 'buildah')] +
                    [f'{p:.2f}' if p else '–' for p in pushed])
    commands = sorted({c for e in data.values() for c in e['commands'].values()})
    return f'## Stores on {"the disk" if medium == "disk" else "a tmpfs"}\n\n{table(rows)}\n\nMade by ' + '; '.join(commands) + '.\n'


def render(results):
    media = {m: results[m] for m in ('disk', 'tmpfs') if results.get(m)}
    facts = next((e['machine'] for d in media.values() for e in d.values()), '')
    versions = next((e['versions'] for d in media.values() for e in d.values()), {})
    text = f"""# Results

Seconds: median (fastest–slowest). Builders run in turn on the same machine and medium; `sync` before each run. Absolute times are noise;
ratios count. The limit is what a small C program needs that does only what the machine must do (`limits/`). Peak memory is the kernel's: of varve, of
buildah, of docker's client and daemons together, each without what RUN ran. Written by `bench/run.sh`; do not edit.

Machine: {facts}. Versions: {', '.join(f'{k} {v}' for k, v in sorted(versions.items()))}.

"""
    text += '\n'.join(render_medium(m, d) for m, d in media.items()) + '\n## What is timed\n\n'
    text += ''.join(f'- **{w.name}** {w.title}: {" ".join(w.__doc__.split())}\n' for w in WORKLOADS)
    with open(os.path.join(HERE, 'RESULTS.md'), 'w') as f:
        f.write(text)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('workloads', nargs='*')
    parser.add_argument('--varve')
    parser.add_argument('--peers', default='docker,buildah')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--medium', choices=('disk', 'tmpfs'), default='disk')
    parser.add_argument('--render', action='store_true')
    args = parser.parse_args()
    results = load()
    if args.render:
        return render(results)
    names = [p for p in args.peers.split(',') if p and p != 'none']
    chosen = [w for w in WORKLOADS if not args.workloads or w.name in args.workloads]
    with Engines(args.medium, names) as engines:
        builders = ([Varve(engines, os.path.abspath(args.varve))] if args.varve else []) + [BUILDERS[n](engines) for n in names]
        for workload in (w(engines) for w in chosen):
            entry = results.setdefault(args.medium, {}).setdefault(workload.name, {'results': {}})
            if entry.get('machine', machine()) != machine():
                entry = results[args.medium][workload.name] = {'results': {}}
            raced, limit = race(workload, builders, args.rounds)
            entry['results'].update(raced)
            entry.setdefault('versions', {}).update({b.name: b.version() for b in builders})
            shown = ' '.join(a if not a.startswith('/') else os.path.basename(a) for a in sys.argv[1:])
            made = f'`bench/run.sh {shown}` ({time.strftime("%Y-%m-%d")}, {args.rounds} round{"s" * (args.rounds > 1)})'
            entry.setdefault('commands', {}).update({b.shown or b.name: made for b in builders})
            entry.update(title=workload.title, limit=limit, machine=machine())
            with open(RESULTS, 'w') as f:
                json.dump(results, f, indent=1, sort_keys=True)
            render(results)
            workload.clean()
    print(open(os.path.join(HERE, 'RESULTS.md')).read())
    return 0


if __name__ == '__main__':
    sys.exit(main())
