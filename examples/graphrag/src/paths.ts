// How two entities are connected: the cheapest way through the graph, and the sentence that
// states each of its steps.
import { neighbours, type KnowledgeGraph, type RelationEdge } from './graph.js';
import { sayingsOf, type Saying } from './sayings.js';
import type { Passage } from './types.js';

export interface Step {
  source: string;
  target: string;
  saying: Saying;
}

const MAX_STEPS = 6;
const MAX_PATHS = 2;

/**
 * A step that a verb states is worth two where the ends are only named together, and a name says
 * more on the way than a concept does. A firm bond decides between equals.
 */
function cost(graph: KnowledgeGraph, edge: RelationEdge, next: string): number {
  const concept = graph.getNodeAttribute(next, 'type') === 'concept' ? 0.5 : 0;
  return (edge.relations.length > 0 ? 1 : 2) + 1 / (1 + edge.weight) + concept;
}

/** The cheapest way from one entity to another (Dijkstra), or null. It does not pass through `closed`. */
function cheapest(graph: KnowledgeGraph, from: string, to: string, closed: Set<string>): { keys: string[] } | null {
  const reached = new Map<string, { cost: number; keys: string[] }>([[from, { cost: 0, keys: [from] }]]);
  const done = new Set<string>();
  for (;;) {
    const open = [...reached].filter(([key]) => !done.has(key)).sort(([, a], [, b]) => a.cost - b.cost)[0];
    if (!open) return null;
    const [key, way] = open;
    if (key === to) return way;
    done.add(key);
    if (way.keys.length > MAX_STEPS) continue;
    for (const { key: next, edge } of neighbours(graph, key, Infinity)) {
      const sum = way.cost + cost(graph, edge, next);
      if (!closed.has(next) && sum < (reached.get(next)?.cost ?? Infinity)) reached.set(next, { cost: sum, keys: [...way.keys, next] });
    }
  }
}

/** The sentence that joins two neighbours best: one whose verb does it, that stands alone, the shortest. */
function joining(edge: RelationEdge, a: string, b: string, passages: Map<string, Passage>): Saying | null {
  const both = [...edge.passages]
    .flatMap((id) => sayingsOf(passages.get(id) ?? { id, documentId: '', heading: '', text: '', sentences: [] }))
    .filter(({ sentence }) => [a, b].every((key) => sentence.entities.some((entity) => entity.key === key)))
    .map((saying) => {
      const states = saying.sentence.relations.some((r) => [r.source, r.target].includes(a) && [r.source, r.target].includes(b));
      return { saying, rank: (states ? 0 : 2000) + 1000 * (saying.sentences.length - 1) + saying.text.length };
    });
  return both.sort((x, y) => x.rank - y.rank)[0]?.saying ?? null;
}

/** The ways from one entity to another, the shortest first; a second one only when it has no more steps. */
export function pathsBetween(graph: KnowledgeGraph, passages: Map<string, Passage>, from: string, to: string): Step[][] {
  const paths: Step[][] = [];
  const closed = new Set<string>();
  let limit = MAX_STEPS + 1;
  while (paths.length < MAX_PATHS) {
    const way = cheapest(graph, from, to, closed);
    if (!way || way.keys.length > limit) break;
    limit = way.keys.length;
    const steps = way.keys.slice(1).flatMap((target, i) => {
      const source = way.keys[i] ?? from;
      const edge = graph.edge(source, target);
      const saying = edge === undefined ? null : joining(graph.getEdgeAttributes(edge), source, target, passages);
      return saying ? [{ source, target, saying }] : [];
    });
    if (steps.length === way.keys.length - 1) paths.push(steps);
    if (way.keys.length === 2) break; // A bond of their own needs no other.
    for (const key of way.keys.slice(1, -1)) closed.add(key);
  }
  return paths;
}
