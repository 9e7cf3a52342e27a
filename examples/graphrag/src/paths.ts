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
/** What a question may cost in a large graph. */
const MAX_VISITED = 5000;
const MAX_NEIGHBOURS = 500;

/**
 * A step that a verb states is worth two where the ends are only named together, and a name says
 * more on the way than a concept does. A firm bond decides between equals.
 */
function cost(graph: KnowledgeGraph, edge: RelationEdge, next: string): number {
  const concept = graph.getNodeAttribute(next, 'type') === 'concept' ? 0.5 : 0;
  return (edge.relations.length > 0 ? 1 : 2) + 1 / (1 + edge.weight) + concept;
}

interface Way {
  keys: string[];
  cost: number;
}

/** Put a way where it belongs in a queue whose cheapest is the last. */
function enqueue(queue: Way[], way: Way): void {
  let [low, high] = [0, queue.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((queue[middle]?.cost ?? 0) > way.cost) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, way);
}

/** The cheapest way from one entity to another (Dijkstra), or null. It does not pass through `closed`. */
function cheapest(graph: KnowledgeGraph, from: string, to: string, closed: Set<string>): Way | null {
  const least = new Map<string, number>([[from, 0]]);
  const queue: Way[] = [{ keys: [from], cost: 0 }];
  const done = new Set<string>();
  for (let way = queue.pop(); way && done.size < MAX_VISITED; way = queue.pop()) {
    const key = way.keys.at(-1) ?? from;
    if (key === to) return way;
    if (done.has(key) || way.keys.length > MAX_STEPS) continue;
    done.add(key);
    for (const { key: next, edge } of neighbours(graph, key, MAX_NEIGHBOURS)) {
      const sum = way.cost + cost(graph, edge, next);
      if (closed.has(next) || sum >= (least.get(next) ?? Infinity)) continue;
      least.set(next, sum);
      enqueue(queue, { keys: [...way.keys, next], cost: sum });
    }
  }
  return null;
}

/** The sentence that joins two neighbours best: one whose verb does it, that stands alone, the shortest. */
function joining(edge: RelationEdge, a: string, b: string, passages: Map<string, Passage>): Saying | null {
  const both = [...edge.passages]
    .slice(0, MAX_NEIGHBOURS)
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
