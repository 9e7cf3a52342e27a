import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extractSentences, joinShortNames } from '../src/extract.js';
import { cutIntoPassages, markdownTitle } from '../src/passages.js';
import { coverage, indexTerm, indexTerms, plainQuestion, singular } from '../src/words.js';

function entitiesOf(text: string): Record<string, string> {
  const pairs = extractSentences(text).flatMap((s) => s.entities.map((e): [string, string] => [e.name, e.type]));
  return Object.fromEntries(pairs);
}

function relationsOf(text: string): string[] {
  return extractSentences(text).flatMap((s) => s.relations.map((r) => `${r.source} | ${r.verb} | ${r.target}`));
}

test('names are found with their types', () => {
  assert.deepEqual(entitiesOf('Ingrid Solberg founded the Tidal Research Institute in Bergen.'), {
    'Ingrid Solberg': 'person',
    'Tidal Research Institute': 'organization',
    Bergen: 'place',
  });
});

test('a name may hold "of", and a date is no name', () => {
  const found = entitiesOf('The University of Oslo opened the Vardal Strait bridge in October.');
  assert.equal(found['University of Oslo'], 'organization');
  assert.equal(found['Vardal Strait'], 'place');
  assert.ok(!('October' in found));
});

test('common nouns become concepts in the singular', () => {
  const found = entitiesOf('The workshop repairs turbine blades.');
  assert.equal(found['turbine blade'], 'concept');
});

test('a verb relates its subject to its objects, with the preposition they stand under', () => {
  assert.deepEqual(relationsOf('Ingrid Solberg founded the Tidal Research Institute in Bergen.'), [
    'ingrid solberg | founded | tidal research institute',
    'ingrid solberg | founded in | bergen',
  ]);
});

test('a passive sentence is turned round', () => {
  assert.deepEqual(relationsOf('The Aurora was built by Marlow Shipping.'), ['marlow shipping | built | aurora']);
});

test('a relation is said in the sentence\'s own words', () => {
  const said = (text: string): string[] => [...new Set(extractSentences(text).flatMap((s) => s.relations.map((r) => r.text)))];
  const cases: [text: string, statements: string[]][] = [
    ['Clara Marlow pays a share of the upkeep of the North Lighthouse, because the ferries lose money.', [
      'Clara Marlow pays a share of the upkeep',
      'Clara Marlow pays a share of the upkeep of the North Lighthouse',
      'The ferries lose money',
    ]],
    ['Amina Yusuf manages the Gannet Trust, and she asked Marlow Shipping to slow its ferries near the island.', [
      'Amina Yusuf manages the Gannet Trust',
      'Amina Yusuf asked Marlow Shipping to slow its ferries near the island',
    ]],
    ['The Aurora carries forty cars and crosses the Vardal Strait.', ['The Aurora carries forty cars', 'The Aurora crosses the Vardal Strait']],
    ['Amina Yusuf and Nora Lindqvist publish their counts.', ['Amina Yusuf and Nora Lindqvist publish their counts']],
    ['Amina Yusuf sends counts and Helen Fraser sends weather.', ['Amina Yusuf sends counts', 'Helen Fraser sends weather']],
    ['Victor Lang has been chairman of the Harbour Council since 2014.', [
      'Victor Lang has been chairman',
      'Victor Lang has been chairman of the Harbour Council',
    ]],
    ['The Hessel Cooperative adds rain records from its farms.', ['The Hessel Cooperative adds rain']],
    ['The Ellison Shipyard built the Aurora with fuel cells tested by the Tidal Research Institute.', [
      'The Ellison Shipyard built the Aurora',
      'The Ellison Shipyard built the Aurora with fuel cells',
    ]],
    ['The Salmon Society counts them at the salmon ladder.', []],
  ];
  for (const [text, statements] of cases) assert.deepEqual(said(text), statements, text);
});

test('a sentence that points outside itself leans on the one before it', () => {
  const cases: [text: string, leans: boolean][] = [
    ['The Salmon Society counts them at the salmon ladder.', true],
    ['She ordered the first hydrogen ferry from the Ellison Shipyard.', true],
    ['Its first turbine was tested in the Vardal Strait.', true],
    ['This broke the mooring.', true],
    ['The Salmon Society brought that danger to light.', true],
    ['Peter Lindqvist is captain of the Aurora, and he trained the crews.', false],
    ['The turbine workshop sells worn blades to Marlow Shipping, which uses them as ballast.', false],
    ['Joseph Tan wrote his thesis about heather seeds.', false],
    ['Joseph Tan built the camera that counts the salmon.', false],
    ['Victor Lang says that nobody should be afraid of water.', false],
  ];
  for (const [text, leans] of cases) assert.equal(extractSentences(text)[0]?.leans, leans, text);
});

test('a last name stands for the only person who has it', () => {
  const sentences = extractSentences('Ingrid Solberg lives in Bergen. Solberg founded Marlow Shipping.');
  joinShortNames(sentences);
  assert.ok(sentences[1]?.entities.some((entity) => entity.key === 'ingrid solberg'));
  assert.ok(sentences[1]?.relations.some((relation) => relation.source === 'ingrid solberg'));
});

test('a text without words gives nothing', () => {
  assert.deepEqual(
    extractSentences('... 12 — !!').flatMap((sentence) => sentence.entities),
    [],
  );
});

test('Markdown loses its marks and its code, and keeps its headings', () => {
  const text = '# Title\n\nIntro with **bold** and [a link](x.md).\n\n## Part\n\n- first item\n- second `item`\n\n```\nlet code;\n```\n';
  assert.equal(markdownTitle(text), 'Title');
  assert.equal(markdownTitle('# The **bold** one #\n'), 'The bold one');
  assert.deepEqual(cutIntoPassages(text, 'markdown', 'none'), [
    { heading: 'Title', text: 'Intro with bold and a link.' },
    { heading: 'Part', text: 'first item' },
    { heading: 'Part', text: 'second item' },
  ]);
});

test('what is cut into passages takes no longer for being hostile', () => {
  const long = (word: string): string => word.repeat(200_000);
  const begun = performance.now();
  for (const text of [`# a${long(' ')}b`, `# a${long('#')}b`, `# ${long(' ')}`, long('['), long('!['), long(' *a'), long('<'), long('\n ')]) {
    markdownTitle(text);
    cutIntoPassages(text, 'markdown', 't');
  }
  assert.ok(performance.now() - begun < 20_000, `${performance.now() - begun} ms`);
});

test('long text is cut at sentence ends and nothing is lost', () => {
  const sentence = 'The ferry crosses the strait twice a day. ';
  const blocks = cutIntoPassages(sentence.repeat(60), 'text', 't');
  assert.ok(blocks.length > 2);
  for (const block of blocks) assert.match(block.text, /^The .*\.$/);
  assert.equal(blocks.map((block) => block.text).join(' '), sentence.repeat(60).trim());
});

test('a text without spaces is cut all the same', () => {
  const blocks = cutIntoPassages('x'.repeat(2000), 'text', 't');
  assert.equal(blocks.map((block) => block.text).join(''), 'x'.repeat(2000));
  const boats = `x${'\u{1f6a2}'.repeat(1000)}`;
  for (const block of cutIntoPassages(boats, 'text', 't')) assert.doesNotMatch(block.text, /\p{Cs}/u);
});

test('words are folded for the index', () => {
  for (const [word, expected] of [['ferries', 'ferry'], ['boxes', 'box'], ['glass', 'glass'], ['status', 'status'], ['gas', 'gas']])
    assert.equal(singular(word ?? ''), expected);
  assert.equal(indexTerm('the'), null);
  assert.equal(indexTerm('founded'), indexTerm('Founding'));
  assert.equal(indexTerm('stored'), indexTerm('stores'));
  assert.equal(indexTerm('baking'), indexTerm('bakes'));
  assert.equal(indexTerm('bought'), indexTerm('buys'));
  // "found" is of "find", unless the question's "did" makes it of "founded".
  assert.notEqual(indexTerm('found'), indexTerm('founded'));
  assert.equal(plainQuestion('What did Ingrid Solberg found?'), 'What did Ingrid Solberg founded?');
  assert.equal(plainQuestion('What was found in the river?'), 'What was found in the river?');
  assert.equal(coverage(indexTerms('salmon and ferries'), indexTerms('the ferry')), 0.5);
});
