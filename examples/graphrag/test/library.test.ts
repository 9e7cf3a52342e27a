import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { readConfig } from '../src/config.js';
import { Library } from '../src/library.js';
import { ProseModel } from '../src/prose.js';
import { DocumentStore } from '../src/store.js';

const SEED = 'seed';
const directories: string[] = [];

async function newDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'graphrag-'));
  directories.push(dir);
  return dir;
}

after(async () => {
  for (const dir of directories) await rm(dir, { recursive: true, force: true });
});

async function seeded(model: ProseModel | null = null): Promise<Library> {
  const library = new Library(new DocumentStore(await newDirectory()), 100, model);
  await library.load();
  await library.seed(SEED);
  return library;
}

/** A real HTTP server that stands where a model's would. */
async function modelAt(context: TestContext, listener: RequestListener, timeoutMs = 2000): Promise<ProseModel> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new ProseModel({ baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: 'key', model: 'm', timeoutMs });
}

test('a local question finds the entity, its relations and its passages', async () => {
  const answer = await (await seeded()).ask('local', 'What did Ingrid Solberg found?', 5);
  assert.equal(answer.entities[0]?.name, 'Ingrid Solberg');
  assert.match(answer.answer, /^Ingrid Solberg founded the Tidal Research Institute/);
  assert.ok(answer.relations.some((r) => r.verb === 'founded' && r.target === 'Tidal Research Institute'));
  assert.ok(answer.passages.length > 0 && answer.passages.length <= 5);
  assert.deepEqual(answer.prose, { by: 'documents' });
});

test('a misspelt name is still found', async () => {
  const answer = await (await seeded()).ask('local', 'Who is Ingrit Sollberg?', 5);
  assert.equal(answer.entities[0]?.name, 'Ingrid Solberg');
});

test('a question about nothing in the documents says so', async () => {
  const answer = await (await seeded()).ask('local', 'zzyzx quux?', 5);
  assert.equal(answer.answer, 'The documents say nothing about this.');
  assert.deepEqual([answer.entities, answer.relations, answer.passages], [[], [], []]);
});

test('a global question draws on several communities', async () => {
  const answer = await (await seeded()).ask('global', 'What are the main themes?', 5);
  assert.equal(new Set(answer.points.map((point) => point.community)).size, 5);
  const salmon = await (await seeded()).ask('global', 'Who cares for the salmon?', 5);
  assert.match(salmon.points[0]?.text ?? '', /salmon/i);
});

test('the same documents in another order give the same graph and communities', async () => {
  const first = await seeded();
  const second = new Library(new DocumentStore(await newDirectory()), 100, null);
  await second.load();
  for (const { title, format, text } of first.list().reverse()) await second.add({ title, format, text });
  assert.deepEqual(second.snapshot().communities, first.snapshot().communities);
  assert.equal(second.snapshot().graph.size, first.snapshot().graph.size);
});

test('every member of a community is in the graph, and in one community only', async () => {
  const { communities, graph } = (await seeded()).snapshot();
  const keys = communities.flatMap((community) => community.members.map((member) => member.key));
  assert.equal(new Set(keys).size, keys.length);
  for (const community of communities)
    for (const { key } of community.members) assert.equal(graph.getNodeAttribute(key, 'community'), community.id);
});

test('documents survive a restart; a half-written file goes and a damaged one is reported', async () => {
  const dir = await newDirectory();
  const first = new Library(new DocumentStore(dir), 100, null);
  await first.load();
  const added = await first.add({ format: 'text', text: 'Clara Marlow sold the Aurora to the Ellison Shipyard.' });
  await writeFile(join(dir, 'documents', '0123.json.tmp'), '{"half');
  await writeFile(join(dir, 'documents', '4567.json'), '{"half');

  const second = new Library(new DocumentStore(dir), 100, null);
  const damaged = await second.load();
  assert.equal(damaged.length, 1);
  assert.match(damaged[0] ?? '', /^4567\.json: /);
  assert.deepEqual(second.get(added?.document.id ?? ''), added?.document);
  assert.deepEqual((await readdir(join(dir, 'documents'))).sort(), ['4567.json', `${added?.document.id}.json`].sort());
});

test('a document extracted by another version is extracted again', async () => {
  const dir = await newDirectory();
  const first = new Library(new DocumentStore(dir), 100, null);
  await first.load();
  const added = await first.add({ format: 'text', text: 'Clara Marlow sold the Aurora.' });
  const path = join(dir, 'documents', `${added?.document.id}.json`);
  await writeFile(path, JSON.stringify({ ...added?.document, extraction: 0, passages: [] }));
  const second = new Library(new DocumentStore(dir), 100, null);
  await second.load();
  assert.deepEqual(second.get(added?.document.id ?? ''), added?.document);
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), added?.document);
});

test('the same document twice is one; a full library takes no more; a removed one is gone', async () => {
  const library = new Library(new DocumentStore(await newDirectory()), 1, null);
  await library.load();
  const input = { format: 'text', text: 'Clara Marlow sold the Aurora.' } as const;
  const [first, again] = await Promise.all([library.add(input), library.add(input)]);
  assert.deepEqual([first?.created, again?.created], [true, false]);
  assert.equal(await library.add({ format: 'text', text: 'Another one.' }), null);
  assert.equal(await library.remove(first?.document.id ?? ''), true);
  assert.equal(await library.remove(first?.document.id ?? ''), false);
  assert.equal(library.snapshot().graph.order, 0);
});

test('a model words the answer', async (context) => {
  const asked: { auth: string | undefined; body: string }[] = [];
  const model = await modelAt(context, (request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      asked.push({ auth: request.headers.authorization, body });
      response.end(JSON.stringify({ choices: [{ message: { content: ' In prose. ' } }] }));
    });
  });
  const library = await seeded(model);
  const local = await library.ask('local', 'What did Ingrid Solberg found?', 5);
  assert.equal(local.answer, 'In prose.');
  assert.deepEqual(local.prose, { by: 'model' });
  assert.equal(asked[0]?.auth, 'Bearer key');
  assert.match(asked[0]?.body ?? '', /Tidal Research Institute/);
  const global = await library.ask('global', 'What are the main themes?', 3);
  assert.equal(global.answer, 'In prose.');
  assert.equal(asked.length, 1 + 3 + 1, 'one local question, three mapped communities, one reduction');
});

for (const [name, listener, reason] of [
  ['an error', (_q, r) => r.writeHead(500).end(), /HTTP status 500/],
  ['silence', () => undefined, /nothing came within 200 ms/],
  ['nonsense', (_q, r) => r.end('{"choices":[]}'), /empty answer/],
  ['no JSON', (_q, r) => r.end('<html>'), /JSON/],
] as [string, RequestListener, RegExp][])
  test(`a model that answers with ${name} leaves the documents' own words`, async (context) => {
    const library = await seeded(await modelAt(context, listener, 200));
    const answer = await library.ask('local', 'What did Ingrid Solberg found?', 5);
    assert.equal(answer.prose.by, 'documents');
    assert.match(answer.prose.note ?? '', reason);
    assert.match(answer.answer, /Tidal Research Institute/);
  });

test('the configuration is checked', () => {
  assert.equal(readConfig({}).port, 3000);
  assert.equal(readConfig({}).prose, null);
  assert.equal(readConfig({ SEED_DIR: '' }).seedDir, null);
  assert.throws(() => readConfig({ PORT: '80x' }), /PORT must be a whole number from 0 to 65535, not "80x"/);
  assert.throws(() => readConfig({ OPENAI_BASE_URL: 'ftp://x' }), /OPENAI_BASE_URL must be/);
  assert.throws(() => readConfig({ LOG_LEVEL: 'loud' }), /LOG_LEVEL must be one of/);
});
