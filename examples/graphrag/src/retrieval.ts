// Retrieval: BM25 over passages, and a forgiving search over entity names.
import MiniSearch from 'minisearch';
import type { KnowledgeGraph } from './graph.js';
import type { Passage } from './types.js';
import { indexTerm, indexTerms, plainQuestion, tokens } from './words.js';

export interface Hit {
  id: string;
  score: number;
}

function newIndex(fields: string[]): MiniSearch {
  return new MiniSearch({ fields, tokenize: tokens, processTerm: indexTerm });
}

export class Retrieval {
  private readonly passages = newIndex(['heading', 'text']);
  private readonly names = newIndex(['name']);

  constructor(
    passages: Iterable<Passage>,
    private readonly graph: KnowledgeGraph,
  ) {
    this.passages.addAll([...passages].map(({ id, heading, text }) => ({ id, heading, text })));
    this.names.addAll(graph.mapNodes((id, { name }) => ({ id, name })));
  }

  /** The passages nearest to a question, their scores scaled to at most 1. */
  findPassages(question: string, limit: number): Hit[] {
    const hits = this.passages.search(plainQuestion(question), { boost: { heading: 1.5 }, fuzzy: 0.15 }).slice(0, limit);
    const best = hits[0]?.score ?? 1;
    return hits.map((hit) => ({ id: String(hit.id), score: hit.score / best }));
  }

  /**
   * The entities a question speaks of. One that is named word for word comes first, the
   * longer name before the shorter; then names that share half their words with it or the
   * last one ("the bakery"), misspelt or not.
   */
  findEntities(question: string, limit: number): Hit[] {
    const asked = indexTerms(question);
    // A short word is not taken for another: "bake" is no "lake".
    const hits = this.names.search(question, { fuzzy: (term) => (term.length > 4 ? 0.2 : false) });
    return hits
      .flatMap((hit) => {
        const key = String(hit.id);
        const terms = [...indexTerms(this.graph.getNodeAttribute(key, 'name'))];
        const shared = terms.filter((term) => term in hit.match);
        if (2 * shared.length < terms.length && !shared.includes(terms.at(-1) ?? '')) return [];
        const whole = terms.every((term) => asked.has(term));
        return [{ id: key, score: (whole ? 100 * terms.length : 0) + hit.score }];
      })
      .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
      .slice(0, limit);
  }
}
