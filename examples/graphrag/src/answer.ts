// Answers. A local question is about entities: their neighbourhood and the passages that
// support it. A global question is about everything: each community's summary is asked on
// its own (map), and the best points are put together (reduce).
import type { Community } from './communities.js';
import { neighbours } from './graph.js';
import type { Prose, ProseModel } from './prose.js';
import type { Snapshot } from './snapshot.js';
import type { EntityType, Passage, Sentence } from './types.js';
import { coverage, indexTerms } from './words.js';

export interface AnswerBase {
  question: string;
  answer: string;
  /** Who worded it, and why the model did not when it was asked to. */
  prose: { by: 'documents' | 'model'; note?: string };
}

export interface LocalAnswer extends AnswerBase {
  mode: 'local';
  entities: { key: string; name: string; type: EntityType; mentions: number; community: string | null }[];
  relations: { source: string; verb: string; target: string; weight: number }[];
  passages: { id: string; document: string; title: string; heading: string; text: string; score: number }[];
}

export interface GlobalAnswer extends AnswerBase {
  mode: 'global';
  points: { community: string; title: string; text: string; passageId: string; score: number }[];
  communities: { id: string; title: string; size: number; score: number }[];
}

const ANSWER_SENTENCES = 4;
const MAX_ENTITIES = 5;
const MAX_RELATIONS = 15;
const NOTHING_FOUND = 'The documents say nothing about this.';

const LOCAL_INSTRUCTION =
  'Answer the question in at most five sentences, only from the material. Say so when the material does not answer it.';
const MAP_INSTRUCTION =
  'The material summarises one group of related entities. Write at most three short points that help to answer the ' +
  'question, only from the material. Write NONE when it does not help.';
const REDUCE_INSTRUCTION =
  'The material holds points from several groups of entities. Join them into one answer of at most eight sentences, ' +
  'only from the material.';

function round(score: number): number {
  return Math.round(score * 1000) / 1000;
}

/** Passages scored by their words (BM25) and by the entities of the question they name. */
function supportingPassages(
  snapshot: Snapshot,
  question: string,
  keys: Set<string>,
  limit: number,
): { passage: Passage; score: number }[] {
  const scores = new Map<string, number>();
  for (const { id, score } of snapshot.retrieval.findPassages(question, 4 * limit)) scores.set(id, score);
  for (const key of keys)
    for (const id of snapshot.graph.getNodeAttribute(key, 'passages')) scores.set(id, (scores.get(id) ?? 0) + 0.5 / keys.size);
  return [...scores]
    .flatMap(([id, score]) => {
      const passage = snapshot.passages.get(id);
      return passage ? [{ passage, score }] : [];
    })
    .sort((a, b) => b.score - a.score || (a.passage.id < b.passage.id ? -1 : 1))
    .slice(0, limit);
}

/** The sentences that answer best, the best first. */
function bestSentences(question: string, keys: Set<string>, passages: { passage: Passage; score: number }[]): string[] {
  const asked = indexTerms(question);
  const scored = passages.flatMap(({ passage, score }, p) =>
    passage.sentences.map((sentence, s) => ({
      text: sentence.text,
      order: p * 1000 + s,
      score: sentenceScore(sentence, asked, keys) * (0.5 + score),
    })),
  );
  return scored
    .filter((sentence) => sentence.score > 0)
    .sort((a, b) => b.score - a.score || a.order - b.order)
    .slice(0, ANSWER_SENTENCES)
    .map((sentence) => sentence.text);
}

function sentenceScore(sentence: Sentence, asked: Set<string>, keys: Set<string>): number {
  const named = sentence.entities.filter((entity) => keys.has(entity.key)).length;
  return coverage(asked, indexTerms(sentence.text)) + (keys.size > 0 ? (0.5 * named) / keys.size : 0);
}

function relationsAround(snapshot: Snapshot, keys: string[]): LocalAnswer['relations'] {
  const { graph } = snapshot;
  const name = (key: string): string => graph.getNodeAttribute(key, 'name');
  const found = new Map<string, LocalAnswer['relations'][number]>();
  for (const key of keys)
    for (const { key: other, edge } of neighbours(graph, key, MAX_RELATIONS)) {
      const stated = edge.relations.length > 0 ? edge.relations : [{ source: key, verb: 'is named with', target: other }];
      for (const { source, verb, target } of stated) {
        const id = [source, target].sort().join('\n') + verb;
        if (!found.has(id)) found.set(id, { source: name(source), verb, target: name(target), weight: edge.weight });
      }
    }
  // What a verb states says more than being named together.
  const rank = (r: { verb: string; weight: number }): number => (r.verb === 'is named with' ? 0 : 1000) + r.weight;
  return [...found.values()].sort((a, b) => rank(b) - rank(a)).slice(0, MAX_RELATIONS);
}

function worded(prose: Prose | null, extract: string): Pick<AnswerBase, 'answer' | 'prose'> {
  if (prose === null) return { answer: extract, prose: { by: 'documents' } };
  if (prose.ok) return { answer: prose.text, prose: { by: 'model' } };
  return { answer: extract, prose: { by: 'documents', note: prose.reason } };
}

/** Only entities that fit about as well as the best one: "Ingrid Solberg" hides a mere "Ingrid". */
function entitiesOf(snapshot: Snapshot, question: string): string[] {
  const hits = snapshot.retrieval.findEntities(question, MAX_ENTITIES);
  const best = hits[0]?.score ?? 0;
  return hits.filter((hit) => hit.score >= best / 4).map((hit) => hit.id);
}

export async function answerLocal(
  snapshot: Snapshot,
  question: string,
  limit: number,
  model: ProseModel | null,
): Promise<LocalAnswer> {
  const keys = entitiesOf(snapshot, question);
  const passages = supportingPassages(snapshot, question, new Set(keys), limit);
  const relations = relationsAround(snapshot, keys);
  const sentences = bestSentences(question, new Set(keys), passages);
  const extract = sentences.length > 0 ? sentences.join(' ') : NOTHING_FOUND;
  const facts = relations.map((r) => `${r.source} ${r.verb} ${r.target}.`);
  const material = [...passages.map(({ passage }) => passage.text), ...facts].join('\n');
  const prose = model && passages.length > 0 ? await model.write(LOCAL_INSTRUCTION, question, material) : null;
  return {
    mode: 'local',
    question,
    ...worded(prose, extract),
    entities: keys.map((key) => {
      const { name, type, mentions, community } = snapshot.graph.getNodeAttributes(key);
      return { key, name, type, mentions, community };
    }),
    relations,
    passages: passages.map(({ passage, score }) => ({
      id: passage.id,
      document: passage.documentId,
      title: snapshot.documents.get(passage.documentId)?.title ?? '',
      heading: passage.heading,
      text: passage.text,
      score: round(score),
    })),
  };
}

interface Partial {
  community: Community;
  /** How much of the question the community speaks of; its size decides between equals. */
  score: number;
  points: GlobalAnswer['points'];
}

/** Map: what one community has to say. A question that names nothing asks every community alike. */
function askCommunity(community: Community, asked: Set<string>, share: number): Partial {
  const about = indexTerms([...community.members.map((m) => m.name), ...community.summary.map((s) => s.text)].join(' '));
  const score = coverage(asked, about) + 0.5 * share;
  const points = community.summary
    .map(({ text, passageId, score: weight }, i) => {
      const relevance = coverage(asked, indexTerms(text)) + 0.1 * weight * share + 0.05 / (i + 1);
      return { community: community.id, title: community.title, text, passageId, score: round(score * 0.5 + relevance) };
    })
    .sort((a, b) => b.score - a.score);
  return { community, score, points };
}

/** Reduce: the best point of each community first, then second points, by score, up to the limit. */
function joinPoints(partials: Partial[], limit: number): GlobalAnswer['points'] {
  const rounds = [0, 1, 2].map((n) => partials.flatMap((partial) => partial.points[n] ?? []));
  const points: GlobalAnswer['points'] = [];
  for (const round_ of rounds)
    for (const point of round_.sort((a, b) => b.score - a.score)) {
      const said = points.some((other) => coverage(indexTerms(point.text), indexTerms(other.text)) > 0.7);
      if (points.length < limit && !said) points.push(point);
    }
  return points;
}

async function askModel(model: ProseModel, question: string, partials: Partial[]): Promise<Prose> {
  const mapped = await Promise.all(
    partials.map(({ community }) =>
      model.write(MAP_INSTRUCTION, question, community.summary.map((sentence) => sentence.text).join('\n')),
    ),
  );
  const failure = mapped.find((prose) => !prose.ok);
  if (failure) return failure;
  const useful = mapped.flatMap((prose) => (prose.ok && prose.text !== 'NONE' ? [prose.text] : []));
  if (useful.length === 0) return { ok: false, reason: 'the model found nothing in the communities' };
  return model.write(REDUCE_INSTRUCTION, question, useful.join('\n\n'));
}

export async function answerGlobal(
  snapshot: Snapshot,
  question: string,
  limit: number,
  model: ProseModel | null,
): Promise<GlobalAnswer> {
  const known = indexTerms(
    snapshot.communities.flatMap((c) => [...c.members.map((m) => m.name), ...c.summary.map((s) => s.text)]).join(' '),
  );
  const asked = new Set([...indexTerms(question)].filter((term) => known.has(term)));
  const weight = (c: Community): number => c.members.reduce((sum, member) => sum + member.strength, 0);
  const total = snapshot.communities.reduce((sum, c) => sum + weight(c), 0) || 1;
  const partials = snapshot.communities
    .map((community) => askCommunity(community, asked, weight(community) / total))
    .sort((a, b) => b.score - a.score)
    .filter((partial, _i, all) => asked.size === 0 || partial.score >= (all[0]?.score ?? 0) / 3)
    .slice(0, limit);
  const points = joinPoints(partials, limit);
  const extract = points.length > 0 ? points.map((point) => point.text).join(' ') : NOTHING_FOUND;
  const prose = model && points.length > 0 ? await askModel(model, question, partials) : null;
  return {
    mode: 'global',
    question,
    ...worded(prose, extract),
    points,
    communities: partials.map(({ community, score }) => ({
      id: community.id,
      title: community.title,
      size: community.members.length,
      score: round(score),
    })),
  };
}
