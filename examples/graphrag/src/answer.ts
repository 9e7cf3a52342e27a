// Answers. A local question is about entities: their neighbourhood and the passages that
// support it. A global question is about everything: each community's summary is asked on
// its own (map), and the best points are put together (reduce).
import type { Community } from './communities.js';
import { neighbours } from './graph.js';
import { pathsBetween, type Step } from './paths.js';
import type { Prose, ProseModel } from './prose.js';
import { overlap, sayingsOf, type Saying } from './sayings.js';
import type { Snapshot } from './snapshot.js';
import type { EntityType, Passage } from './types.js';
import { coverage, indexTerms, plainQuestion } from './words.js';

export interface AnswerBase {
  question: string;
  answer: string;
  /** Who worded it, and why the model did not when it was asked to. */
  prose: { by: 'documents' | 'model'; note?: string };
}

export interface LocalAnswer extends AnswerBase {
  mode: 'local';
  entities: { key: string; name: string; type: EntityType; mentions: number; community: string | null }[];
  /** For a question about two entities: the ways from the one to the other, step by step. */
  paths: { source: string; target: string; text: string }[][];
  /** `text` says it in the document's words. */
  relations: { source: string; verb: string; target: string; text: string; weight: number }[];
  passages: { id: string; document: string; title: string; heading: string; text: string; score: number }[];
}

export interface GlobalAnswer extends AnswerBase {
  mode: 'global';
  points: { community: string; title: string; text: string; passageId: string; score: number }[];
  communities: { id: string; title: string; size: number; score: number }[];
}

const ANSWER_SENTENCES = 4;
const MAX_ENTITIES = 5;
const MAX_RELATIONS = 12;
const MAX_NEIGHBOURS = 60;
/** A sentence that fits the question less than this share of the best one is about something else. */
const FITTING = 0.8;
/** Words that ask about the documents, not about what is in them. */
const ASKS_FOR_ALL = 
  /\b(main|themes?|topics?|subjects?|documents?|texts?|collection|library|contents?|overview|summary|summari[sz]e|general(ly)?|important|everything|short)\b/gi;
const ASKS_FOR_A_WAY = /\b(connect\w*|relat\w*|link\w*|between|tied?|ties|in common|have to do with)\b/i;
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

/** The sentences that answer best, the best first, none that fits much less than it. */
function bestSayings(question: string, keys: Set<string>, passages: { passage: Passage; score: number }[]): Saying[] {
  const asked = indexTerms(plainQuestion(question));
  const all = passages.flatMap(({ passage, score }) =>
    sayingsOf(passage).map((saying) => ({ saying, fit: fitOf(saying, asked, keys), near: 0.5 + score })),
  );
  const least = FITTING * Math.max(...all.map(({ fit }) => fit), 0);
  const fitting = all.filter(({ fit }) => fit > 0 && fit >= least).sort((a, b) => b.fit * b.near - a.fit * a.near);
  const chosen: Saying[] = [];
  for (const { saying } of fitting)
    if (chosen.length < ANSWER_SENTENCES && !chosen.some((other) => overlap(saying, other))) chosen.push(saying);
  return chosen;
}

/** How much of the question a sentence speaks of, in its words and in the entities it names. */
function fitOf(saying: Saying, asked: Set<string>, keys: Set<string>): number {
  const named = new Set(saying.sentences.flatMap(({ entities }) => entities.map(({ key }) => key)).filter((key) => keys.has(key)));
  const score = coverage(asked, saying.terms) + (keys.size > 0 ? (0.3 * named.size) / keys.size : 0);
  return score / (1 + 0.05 * (saying.sentences.length - 1));
}

/** What the documents state about some entities, what is nearest to the question first. */
function relationsAround(snapshot: Snapshot, keys: string[], question: string): LocalAnswer['relations'] {
  const { graph } = snapshot;
  const asked = indexTerms(plainQuestion(question));
  const name = (key: string): string => graph.getNodeAttribute(key, 'name');
  const around = keys.flatMap((key) => neighbours(graph, key, MAX_NEIGHBOURS).map((bond) => ({ ...bond, from: key })));
  const stated = around.flatMap(({ edge }) => edge.relations.map((r) => ({ ...r, weight: edge.weight })));
  const named = around.map(({ from, key, edge }) => {
    const text = `${name(from)} and ${name(key)} are named together`;
    return { source: from, verb: 'is named with', target: key, text, weight: edge.weight };
  });
  const rank = (r: { text: string; weight: number }): number => coverage(asked, indexTerms(r.text)) + Math.min(r.weight, 20) / 40;
  const found: LocalAnswer['relations'] = [];
  // "Ingrid Solberg founded the institute" is told as far as it goes on: "… in Skarvik".
  for (const r of (stated.length > 0 ? stated : named).sort((a, b) => a.text.length - b.text.length)) {
    const begun = found.find((other) => r.text === other.text || r.text.startsWith(`${other.text} `));
    if (begun) begun.text = r.text;
    else found.push({ ...r, source: name(r.source), target: name(r.target) });
  }
  return found.sort((a, b) => rank(b) - rank(a)).slice(0, MAX_RELATIONS);
}

/** The ways between the two entities that a question names, when it asks for one. */
function waysAsked(snapshot: Snapshot, keys: string[], question: string): Step[][] {
  const asked = indexTerms(question);
  const place = (key: string): number => question.toLowerCase().indexOf(key);
  const [from, to] = keys.filter((key) => coverage(indexTerms(key), asked) === 1).sort((a, b) => place(a) - place(b));
  if (from === undefined || to === undefined || !ASKS_FOR_A_WAY.test(question)) return [];
  return pathsBetween(snapshot.graph, snapshot.passages, from, to);
}

function told(sayings: Saying[]): string {
  const once = sayings.filter((saying, i) => !sayings.slice(0, i).some((other) => overlap(saying, other)));
  return once.map((saying) => saying.text).join(' ');
}

function worded(prose: Prose | null, extract: string): Pick<AnswerBase, 'answer' | 'prose'> {
  if (prose === null) return { answer: extract, prose: { by: 'documents' } };
  if (prose.ok) return { answer: prose.text, prose: { by: 'model' } };
  return { answer: extract, prose: { by: 'documents', note: prose.reason } };
}

/**
 * Only entities that fit about as well as the best one: "Ingrid Solberg" hides a mere "Ingrid",
 * and "Salmon Society" the "salmon" in its name.
 */
function entitiesOf(snapshot: Snapshot, question: string): string[] {
  const hits = snapshot.retrieval.findEntities(question, MAX_ENTITIES);
  const fitting = hits.filter((hit) => hit.score >= (hits[0]?.score ?? 0) / 4).map((hit) => hit.id);
  return fitting.filter((key) => !fitting.some((other) => other !== key && ` ${other} `.includes(` ${key} `)));
}

export async function answerLocal(
  snapshot: Snapshot,
  question: string,
  limit: number,
  model: ProseModel | null,
): Promise<LocalAnswer> {
  const keys = entitiesOf(snapshot, question);
  const passages = supportingPassages(snapshot, question, new Set(keys), limit);
  const relations = relationsAround(snapshot, keys, question);
  const ways = waysAsked(snapshot, keys, question);
  const sayings = ways.length > 0 ? ways.flat().map((step) => step.saying) : bestSayings(question, new Set(keys), passages);
  const extract = told(sayings) || NOTHING_FOUND;
  const facts = [...sayings.map((saying) => saying.text), ...relations.map((r) => `${r.text}.`)];
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
    paths: ways.map((steps) => steps.map(({ source, target, saying }) => ({ source, target, text: saying.text }))),
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
  points: { fit: number; point: GlobalAnswer['points'][number] }[];
}

/** What is asked of every community: the terms, and whether somebody is asked for. */
interface Asked {
  terms: Set<string>;
  who: boolean;
}

/** How much of what is asked a sentence speaks of. One that names nobody is no answer to "who". */
function relevance(asked: Asked, community: Community, text: string): number {
  const named = community.members.some(({ name, type }) => (type === 'person' || type === 'organization') && text.includes(name));
  return coverage(asked.terms, indexTerms(text)) * (asked.who && !named ? 0.5 : 1);
}

/** Map: what one community has to say. A question that names nothing asks every community alike. */
function askCommunity(community: Community, asked: Asked, share: number): Partial {
  const about = indexTerms([...community.members.map((m) => m.name), ...community.summary.map((s) => s.text)].join(' '));
  const score = coverage(asked.terms, about) + 0.5 * share;
  const points = community.summary
    .map(({ text, passageId, score: weight }, i) => {
      const fit = relevance(asked, community, text);
      const total = score * 0.5 + fit + 0.1 * weight * share + 0.05 / (i + 1);
      return { fit, point: { community: community.id, title: community.title, text, passageId, score: round(total) } };
    })
    .sort((a, b) => b.point.score - a.point.score);
  return { community, score, points };
}

/**
 * Reduce: the best point of each community first, then second points, by score, up to the limit.
 * A point that speaks of much less of the question than the best one is left out.
 */
function joinPoints(partials: Partial[], limit: number): GlobalAnswer['points'] {
  const least = FITTING * Math.max(...partials.flatMap(({ points }) => points.map(({ fit }) => fit)), 0);
  const fitting = partials.map(({ points }) => points.filter(({ fit }) => fit >= least).map(({ point }) => point));
  const rounds = [0, 1, 2].map((n) => fitting.flatMap((points) => points[n] ?? []));
  const points: GlobalAnswer['points'] = [];
  for (const round_ of rounds)
    for (const point of round_.sort((a, b) => b.score - a.score)) {
      const said = points.some((other) => point.text.includes(other.text) || coverage(indexTerms(point.text), indexTerms(other.text)) > 0.7);
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
  const wanted = [...indexTerms(question.replace(ASKS_FOR_ALL, ' '))];
  const terms = new Set(wanted.filter((term) => known.has(term)));
  const asked = { terms, who: /^\s*who/i.test(question) };
  const weight = (c: Community): number => c.members.reduce((sum, member) => sum + member.strength, 0);
  const total = snapshot.communities.reduce((sum, c) => sum + weight(c), 0) || 1;
  const unheardOf = wanted.length > 0 && terms.size === 0;
  const partials = (unheardOf ? [] : snapshot.communities)
    .map((community) => askCommunity(community, asked, weight(community) / total))
    .sort((a, b) => b.score - a.score)
    .filter((partial, _i, all) => terms.size === 0 || partial.score >= (all[0]?.score ?? 0) / 3)
    .slice(0, limit);
  const points = joinPoints(partials, limit);
  // Who asks about everything is told what each point is about.
  const extract = terms.size > 0 ? points.map((p) => p.text).join(' ') : points.map((p) => `${p.title}: ${p.text}`).join('\n');
  const prose = model && points.length > 0 ? await askModel(model, question, partials) : null;
  return {
    mode: 'global',
    question,
    ...worded(prose, extract || NOTHING_FOUND),
    points,
    communities: partials.map(({ community, score }) => ({
      id: community.id,
      title: community.title,
      size: community.members.length,
      score: round(score),
    })),
  };
}
