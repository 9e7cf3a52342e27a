// Development: compile, then compile on every change and restart the service when its
// output changes. SIGTERM or SIGINT ends all of it; so does the end of either child.
import { spawn, spawnSync } from 'node:child_process';

const TSC = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'];
const options = { stdio: 'inherit' };

const first = spawnSync(process.execPath, TSC, options);
if (first.status !== 0) process.exit(1);

const children = [
  spawn(process.execPath, [...TSC, '--watch', '--preserveWatchOutput'], options),
  spawn(process.execPath, ['--enable-source-maps', '--watch', 'dist/main.js'], options),
];

function stop() {
  for (const child of children) child.kill('SIGTERM');
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
for (const child of children) child.on('exit', stop);
