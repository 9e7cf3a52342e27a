import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { readConfig } from '../src/config.js';
import { Library } from '../src/library.js';
import { buildServer } from '../src/server.js';
import { DocumentStore } from '../src/store.js';

let dir: string;
let app: FastifyInstance;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'graphrag-'));
  const config = readConfig({ DATA_DIR: dir, LOG_LEVEL: 'silent', MAX_BODY_BYTES: '4096' });
  const library = new Library(new DocumentStore(dir), 100, null);
  await library.load();
  await library.seed('seed');
  app = await buildServer(config, library, []);
});

after(async () => {
  await app.close();
  await rm(dir, { recursive: true });
});

test('health counts what is there', async () => {
  const health = (await app.inject('/health')).json();
  assert.equal(health.status, 'ok');
  assert.equal(health.documents, 8);
  assert.ok(health.entities > 40 && health.communities > 3);
});

test('a document can be added in JSON, as text and as Markdown, read and removed', async () => {
  const json = await app.inject({ method: 'POST', url: '/documents', payload: { text: 'Rolf Berg bought the Aurora.', title: 'Sale' } });
  assert.equal(json.statusCode, 201);
  const again = await app.inject({ method: 'POST', url: '/documents', payload: { text: 'Rolf Berg bought the Aurora.', title: 'Sale' } });
  assert.equal(again.statusCode, 200);
  const markdown = await app.inject({
    method: 'POST',
    url: '/documents',
    headers: { 'content-type': 'text/markdown' },
    payload: '# The sale\n\nRolf Berg bought the Aurora.',
  });
  assert.equal(markdown.json().title, 'The sale');
  const text = await app.inject({
    method: 'POST',
    url: '/documents?title=Notes',
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    payload: 'Rolf Berg likes boats.',
  });
  assert.deepEqual([text.json().title, text.json().format], ['Notes', 'text']);

  const asked = await app.inject({ method: 'POST', url: '/query', payload: { question: 'What did Rolf Berg buy?' } });
  assert.equal(asked.json().entities[0].name, 'Rolf Berg');
  for (const added of [json, markdown, text]) {
    const url = `/documents/${added.json().id}`;
    assert.match((await app.inject(url)).json().text, /Rolf Berg/);
    assert.equal((await app.inject({ method: 'DELETE', url })).statusCode, 204);
    assert.equal((await app.inject(url)).statusCode, 404);
  }
  assert.equal((await app.inject('/documents')).json().documents.length, 8);
});

const refused: [name: string, request: InjectOptions, status: number, message: RegExp][] = [
  ['no question', { method: 'POST', url: '/query', payload: {} }, 400, /^"question" is missing in the body$/],
  ['a number for a question', { method: 'POST', url: '/query', payload: { question: 5 } }, 400, /^"question" must be a text$/],
  ['a short question', { method: 'POST', url: '/query', payload: { question: 'x' } }, 400, /^"question" must have at least 2 characters$/],
  ['a long question', { method: 'POST', url: '/query', payload: { question: 'x'.repeat(1001) } }, 400, /^"question" must have at most 1000 characters$/],
  ['a blank question', { method: 'POST', url: '/query', payload: { question: '   ' } }, 400, /^"question" must not be blank$/],
  ['a wrong mode', { method: 'POST', url: '/query', payload: { question: 'what?', mode: 'x' } }, 400, /^"mode" must be one of local, global$/],
  ['an unknown property', { method: 'POST', url: '/query', payload: { question: 'what?', q: 1 } }, 400, /^the body must not have "q"$/],
  ['a limit out of range', { method: 'POST', url: '/query', payload: { question: 'what?', limit: 99 } }, 400, /^"limit" must be 20 or less$/],
  ['a limit of half', { method: 'POST', url: '/query', payload: { question: 'what?', limit: 1.5 } }, 400, /^"limit" must be a whole number$/],
  ['broken JSON', { method: 'POST', url: '/query', headers: { 'content-type': 'application/json' }, payload: '{' }, 400, /JSON/],
  ['an empty document', { method: 'POST', url: '/documents', payload: { text: ' \n' } }, 400, /^"text" must not be blank$/],
  ['an empty text', { method: 'POST', url: '/documents', headers: { 'content-type': 'text/plain' }, payload: ' ' }, 400, /not be blank/],
  ['a blank title', { method: 'POST', url: '/documents', payload: { text: 'x', title: ' ' } }, 400, /^"title" must not be blank$/],
  ['a text with NUL', { method: 'POST', url: '/documents', payload: { text: '\0 Ada' } }, 400, /^"text" must be Unicode text: it holds a NUL/],
  ['half a character', { method: 'POST', url: '/documents', payload: { text: 'Ada \ud800' } }, 400, /^"text" must be Unicode text/],
  ['a title with NUL', { method: 'POST', url: '/documents?title=a%00b', headers: { 'content-type': 'text/plain' }, payload: 'x' }, 400, /^"title" must be Unicode text/],
  ['a question with NUL', { method: 'POST', url: '/query', payload: { question: 'wh\0t?' } }, 400, /^"question" must be Unicode text/],
  ['no document', { method: 'POST', url: '/documents' }, 400, /^the body must be a JSON object$/],
  ['an unknown format', { method: 'POST', url: '/documents', payload: { text: 'x', format: 'pdf' } }, 400, /must be one of text, markdown/],
  ['a foreign type', { method: 'POST', url: '/documents', headers: { 'content-type': 'text/xml' }, payload: '<a/>' }, 415, /./],
  ['a long body', { method: 'POST', url: '/documents', payload: { text: 'x'.repeat(5000) } }, 413, /too large/],
  ['a graph of no entity', { url: '/graph?entity=nobody' }, 404, /there is no entity "nobody"/],
  ['a graph of limit 0', { url: '/graph?limit=0' }, 400, /^"limit" must be a whole number from 1 to 9999$/],
  ['an unknown document', { url: '/documents/..%2f..%2fetc' }, 404, /there is no document/],
  ['an unknown document to remove', { method: 'DELETE', url: '/documents/x' }, 404, /there is no document "x"/],
  ['an unknown community', { url: '/communities/c999' }, 404, /there is no community "c999"/],
  ['an unknown path', { url: '/nowhere?x=1' }, 404, /there is no GET \/nowhere$/],
];
for (const [name, request, status, message] of refused)
  test(`refused with ${status}: ${name}`, async () => {
    const response = await app.inject(request);
    assert.equal(response.statusCode, status, response.body);
    assert.match(response.json().error.message, message);
    assert.ok(response.json().error.code.length > 0);
  });

test('the graph is whole: every edge joins two of its nodes', async () => {
  for (const url of ['/graph', '/graph?limit=10', '/graph?entity=Marlow%20Shipping']) {
    const { nodes, edges } = (await app.inject(url)).json();
    const keys = new Set(nodes.map((node: { key: string }) => node.key));
    assert.ok(edges.length > 0, url);
    for (const edge of edges) assert.ok(keys.has(edge.source) && keys.has(edge.target), url);
  }
});

test('a community can be read alone', async () => {
  const { communities } = (await app.inject('/communities')).json();
  assert.deepEqual((await app.inject('/communities/c1')).json(), communities[0]);
  assert.ok(communities.every((community: { summary: unknown[] }) => community.summary.length > 0));
});

test('a document without a title has its first words for one, whole ones', async () => {
  const text = '  Rolf Berg\nbought  the \u{1f6a2} Aurora from Clara Marlow and renamed her the Borealis.';
  const added = await app.inject({ method: 'POST', url: '/documents', payload: { text } });
  assert.equal(added.json().title, 'Rolf Berg bought the \u{1f6a2} Aurora from Clara Marlow and renamed…');
  await app.inject({ method: 'DELETE', url: `/documents/${added.json().id}` });
});

test('the page and its files are served, and only those; what the page asks for is its own', async () => {
  const scripts = ['/app.js', '/graph.js', '/layout.js'].map((url) => [url, /javascript/] as const);
  for (const [url, type] of [...scripts, ['/', /html/], ['/style.css', /css/], ['/icon.svg', /svg/]] as [string, RegExp][]) {
    const response = await app.inject(url);
    assert.equal(response.statusCode, 200);
    assert.match(String(response.headers['content-type']), type);
  }
  // The policy of the page lets nothing else in, not even a data: address.
  for (const [, address] of (await app.inject('/')).body.matchAll(/(?:href|src)="([^"]*)"/g))
    assert.equal((await app.inject(address ?? '')).statusCode, 200, address);
  assert.equal((await app.inject('/../package.json')).statusCode, 404);
});

test('the process serves, is healthy, and ends on SIGTERM with status 0', async () => {
  const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', DATA_DIR: join(dir, 'process'), OPENAI_BASE_URL: '' };
  const child = spawn(process.execPath, ['dist-test/src/main.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  let log = '';
  const port = await new Promise<string>((resolve, reject) => {
    child.on('exit', () => reject(new Error(`the service ended: ${log}`)));
    child.stdout.on('data', (chunk) => {
      log += chunk;
      const found = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  const check = (at: string): Promise<number | null> =>
    new Promise((resolve) => {
      spawn(process.execPath, ['dist-test/src/healthcheck.js'], { env: { ...process.env, PORT: at } }).on('exit', resolve);
    });
  assert.equal(await check(port), 0);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.equal(await check(port), 1, 'the health check fails when nothing listens');
});
