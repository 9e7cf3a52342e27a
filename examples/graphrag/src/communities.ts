// Communities of the graph (Louvain) and what each is about, in sentences of the documents.
import louvainModule from 'graphology-communities-louvain';
import { strength, type KnowledgeGraph } from './graph.js';
import { sayingsOf } from './sayings.js';
import type { EntityType, Passage } from './types.js';
import { coverage } from './words.js';

export interface Member {
  key: string;
  name: string;
  type: EntityType;
  strength: number;
}

export interface SummarySentence {
  text: string;
  passageId: string;
  score: number;
}

export interface Community {
  id: string;
  title: string;
  /** The strongest first. */
  members: Member[];
  summary: SummarySentence[];
}

const SUMMARY_SENTENCES = 5;
/** Above this a sentence loses by its length: a summary is made of plain ones. */
const LONG_WORDS = 14;
const LOUVAIN_SEED = 20;

// The package is CommonJS: what its types call the default export is the module itself.
const louvain = louvainModule as unknown as typeof louvainModule.default;

/** A small generator with a fixed seed (mulberry32), so that the same graph gives the same communities. */
function fixedRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function partition(graph: KnowledgeGraph): Member[][] {
  if (graph.size === 0) return [];
  const groups = new Map<number, Member[]>();
  const mapping = louvain(graph, { getEdgeWeight: 'weight', rng: fixedRandom(LOUVAIN_SEED) });
  for (const [key, group] of Object.entries(mapping)) {
    const { name, type } = graph.getNodeAttributes(key);
    const members = groups.get(group) ?? [];
    members.push({ key, name, type, strength: strength(graph, key) });
    groups.set(group, members);
  }
  for (const members of groups.values()) members.sort((a, b) => b.strength - a.strength || (a.key < b.key ? -1 : 1));
  return [...groups.values()].filter((members) => members.length > 1);
}

/** The best sentences of a community: those that name its strong members, without repeating one another. */
function summarise(members: Member[], passages: Passage[]): SummarySentence[] {
  const weights = new Map(members.map((member) => [member.key, Math.log2(1 + member.strength)]));
  const candidates = passages
    .flatMap((passage) =>
      sayingsOf(passage).map(({ text, sentence, terms }) => {
        const inside = sentence.entities.reduce((sum, entity) => sum + (weights.get(entity.key) ?? 0), 0);
        const outside = sentence.entities.filter((entity) => !weights.has(entity.key)).length;
        const stated = new Set(sentence.relations.map((r) => r.source + r.verb)).size;
        const long = Math.max(1, text.split(' ').length / LONG_WORDS);
        const score = (inside / (1 + 0.3 * outside) + 0.5 * stated) / long;
        return { text, passageId: passage.id, score, terms };
      }),
    )
    .filter((candidate) => candidate.score > 0.5)
    .sort((a, b) => b.score - a.score || (a.text < b.text ? -1 : 1));
  const chosen: typeof candidates = [];
  for (const candidate of candidates) {
    if (chosen.length === SUMMARY_SENTENCES) break;
    if (chosen.every((other) => coverage(candidate.terms, other.terms) < 0.6)) chosen.push(candidate);
  }
  return chosen.map(({ text, passageId, score }) => ({ text, passageId, score: Math.round(score * 100) / 100 }));
}

function titleOf(members: Member[]): string {
  const names = members.filter((member) => member.name !== member.key);
  return (names.length > 0 ? names : members)
    .slice(0, 3)
    .map((member) => member.name)
    .join(', ');
}

/** Find the communities, the largest first, and write each one's id into its nodes. */
export function findCommunities(graph: KnowledgeGraph, passages: Map<string, Passage>): Community[] {
  const total = (members: Member[]): number => members.reduce((sum, member) => sum + member.strength, 0);
  const groups = partition(graph).sort((a, b) => total(b) - total(a));
  return groups.map((members, i) => {
    const id = `c${i + 1}`;
    const ids = new Set<string>();
    for (const { key } of members) {
      graph.setNodeAttribute(key, 'community', id);
      for (const passageId of graph.getNodeAttribute(key, 'passages')) ids.add(passageId);
    }
    const own = [...ids].sort().flatMap((passageId) => passages.get(passageId) ?? []);
    return { id, title: titleOf(members), members, summary: summarise(members, own) };
  });
}
