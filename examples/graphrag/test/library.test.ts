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

async function newSeeded(model: ProseModel | null): Promise<Library> {
  const library = new Library(new DocumentStore(await newDirectory()), 100, model);
  await library.load();
  await library.seed(SEED);
  return library;
}

let unchanged: Promise<Library> | undefined;

/** A library of the seed's documents; the one without a model is made once, for tests that only ask. */
function seeded(model: ProseModel | null = null): Promise<Library> {
  return model ? newSeeded(model) : (unchanged ??= newSeeded(null));
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

test('a local answer holds what fits the question and nothing else', async () => {
  const library = await seeded();
  const cases: [question: string, answer: string][] = [
    ['What did Ingrid Solberg found?', 'Ingrid Solberg founded the Tidal Research Institute in Skarvik in 1998.'],
    ['Who is the captain of the Aurora?', 'Peter Lindqvist is captain of the Aurora, and he trained the crews of the other ferries.'],
    ['Who founded the Salmon Society?', 'Nora Lindqvist founded the Salmon Society after the flood of 2003 destroyed the spawning grounds.'],
    ['Who invented the spring mooring?', 'Samuel Reid invented the spring mooring, which lets a buoy ride out heavy seas.'],
    // A sentence that leans on the one before it brings that one along.
    [
      'Where did Maria Okafor study?',
      'Maria Okafor is director of the Skarvik Seed Vault. ' +
        'She studied barley genetics at the University of Oslo and came to Skarvik in 2012.',
    ],
    [
      'What was found in the lighthouse logbooks?',
      'Helen Fraser and Joseph Tan scanned the lighthouse logbooks. They found that fog days doubled after 1990, ' +
        'and that the Great Storm of 2011 was the strongest storm since 1902.',
    ],
  ];
  for (const [question, answer] of cases) assert.equal((await library.ask('local', question, 5)).answer, answer, question);
});

test('a question how two entities are connected is answered by the way through the graph', async () => {
  const library = await seeded();
  const ask = async (question: string): Promise<[string, string[][]]> => {
    const { answer, paths } = await library.ask('local', question, 5);
    return [answer, paths.map((steps) => [steps[0]?.source ?? '', ...steps.map((step) => step.target)])];
  };
  assert.deepEqual(await ask('How is Marlow Shipping connected to the North Lighthouse?'), [
    'Marlow Shipping runs four ferries between Skarvik and Port Ellison. The North Lighthouse sends warnings to every ferry by radio.',
    [['marlow shipping', 'ferry', 'north lighthouse']],
  ]);
  const [answer, paths] = await ask('How are Nora Lindqvist and Peter Lindqvist related?');
  assert.match(answer, /she is the sister of Peter Lindqvist\.$/);
  assert.deepEqual(paths, [['nora lindqvist', 'peter lindqvist']]);
  const [, long] = await ask('How is Ingrid Solberg linked to Samuel Reid?');
  assert.deepEqual([long[0]?.at(0), long[0]?.at(-1)], ['ingrid solberg', 'samuel reid']);
  assert.deepEqual((await ask('Who runs Marlow Shipping?'))[1], []);
});

test('the relations of an answer are statements, none the beginning of another', async () => {
  const { relations } = await (await seeded()).ask('local', 'What is known about Marlow Shipping?', 5);
  const said = relations.map((relation) => relation.text);
  assert.ok(said.includes('Marlow Shipping buys the hydrogen for its ferries'), said.join('\n'));
  assert.ok(said.includes('Amina Yusuf asked Marlow Shipping to slow its ferries near the island'));
  for (const text of said) assert.ok(!said.some((other) => other !== text && other.startsWith(text)), text);
  assert.ok(relations.every((relation) => relation.verb !== 'is named with'));
});

test('a global question draws on several communities', async () => {
  const library = await seeded();
  const answer = await library.ask('global', 'What are the main themes?', 5);
  assert.equal(new Set(answer.points.map((point) => point.community)).size, 5);
  assert.match(answer.answer, /^Hessel Cooperative, .*: Greta Nilsen chairs the Hessel Cooperative.*\nMarlow Shipping, /);
  const salmon = await library.ask('global', 'Who cares for the salmon?', 5);
  assert.ok(salmon.points.length >= 3);
  for (const { text } of salmon.points) assert.match(text, /salmon.*|spawning grounds/i);
  assert.equal((await library.ask('global', 'zzyzx quux?', 5)).answer, 'The documents say nothing about this.');
});

test('no sentence of a summary or a global answer points outside itself', async () => {
  const library = await seeded();
  const { passages, communities } = library.snapshot();
  const leaning = [...passages.values()].flatMap((passage) => passage.sentences.filter((one) => one.leans).map((one) => one.text));
  assert.ok(leaning.includes('The Salmon Society counts them at the salmon ladder beside the Old Mill Bakery.'));
  for (const { summary } of communities) for (const { text } of summary) assert.ok(!leaning.some((one) => text.startsWith(one)), text);
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
