// Development: compile on every change and restart the service when its output changes.
// Both children end with this process.
import { spawn } from 'node:child_process';

const options = { stdio: 'inherit' };
const children = [
  spawn('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--watch', '--preserveWatchOutput'], options),
  spawn('node', ['--enable-source-maps', '--watch', 'dist/main.js'], options),
];

function stop() {
  for (const child of children) child.kill('SIGTERM');
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
for (const child of children) child.on('exit', stop);
