// The knowledge graph: entities are nodes, sentences that name two of them make edges.
import graphology from 'graphology';
import type { UndirectedGraph as Undirected } from 'graphology';
import type { Document, Entity, EntityType, Relation, Sentence } from './types.js';

export interface EntityNode {
  name: string;
  type: EntityType;
  /** Number of sentences that name it. */
  mentions: number;
  passages: Set<string>;
  /** The community's id, or null for an entity that stands alone. */
  community: string | null;
}

export interface RelationEdge {
  /** Sentences that name both ends, those with a verb between them counted twice. */
  weight: number;
  relations: Relation[];
  passages: Set<string>;
}

export type KnowledgeGraph = Undirected<EntityNode, RelationEdge>;

const MAX_RELATIONS_PER_EDGE = 8;

/**
 * A concept must be named in two passages at least, or it would be noise; a name counts
 * from the first.
 */
function entitiesWorthKeeping(documents: Iterable<Document>): Set<string> {
  const seen = new Map<string, { entity: Entity; passages: number }>();
  for (const { passages } of documents)
    for (const passage of passages) {
      const here = new Map(passage.sentences.flatMap((s) => s.entities.map((entity) => [entity.key, entity])));
      for (const [key, entity] of here) {
        const entry = seen.get(key) ?? { entity, passages: 0 };
        entry.passages += 1;
        seen.set(key, entry);
      }
    }
  const isName = (entity: Entity): boolean => entity.name !== entity.key;
  return new Set([...seen].filter(([, e]) => e.passages > 1 || isName(e.entity)).map(([key]) => key));
}

function addNode(graph: KnowledgeGraph, entity: Entity, passageId: string): void {
  if (!graph.hasNode(entity.key)) {
    const { name, type } = entity;
    graph.addNode(entity.key, { name, type, mentions: 0, passages: new Set(), community: null });
  }
  graph.updateNodeAttribute(entity.key, 'mentions', (n) => (n ?? 0) + 1);
  graph.getNodeAttribute(entity.key, 'passages').add(passageId);
  // A later mention may know more about the type: "Ellison Shipyard" after "Ellison".
  if (graph.getNodeAttribute(entity.key, 'type') === 'concept') graph.setNodeAttribute(entity.key, 'type', entity.type);
}

function addEdge(graph: KnowledgeGraph, a: string, b: string, passageId: string, relation?: Relation): void {
  if (!graph.hasEdge(a, b)) graph.addEdge(a, b, { weight: 0, relations: [], passages: new Set() });
  const edge = graph.edge(a, b);
  if (edge === undefined) return;
  graph.updateEdgeAttribute(edge, 'weight', (n) => (n ?? 0) + 1);
  graph.getEdgeAttribute(edge, 'passages').add(passageId);
  const relations = graph.getEdgeAttribute(edge, 'relations');
  if (!relation || relations.length >= MAX_RELATIONS_PER_EDGE) return;
  const known = relations.some((r) => r.source === relation.source && r.verb === relation.verb);
  if (!known) relations.push(relation);
}

function addSentence(graph: KnowledgeGraph, sentence: Sentence, passageId: string, keep: Set<string>): void {
  const entities = sentence.entities.filter((entity) => keep.has(entity.key));
  for (const entity of entities) addNode(graph, entity, passageId);
  entities.forEach((a, i) => {
    for (const b of entities.slice(i + 1)) addEdge(graph, a.key, b.key, passageId);
  });
  for (const relation of sentence.relations)
    if (keep.has(relation.source) && keep.has(relation.target))
      addEdge(graph, relation.source, relation.target, passageId, relation);
}

/** Build the graph of all documents. The order of the documents does not change the graph's content. */
export function buildGraph(documents: Iterable<Document>): KnowledgeGraph {
  const sorted = [...documents].sort((a, b) => (a.id < b.id ? -1 : 1));
  const keep = entitiesWorthKeeping(sorted);
  const graph: KnowledgeGraph = new graphology.UndirectedGraph<EntityNode, RelationEdge>();
  for (const { passages } of sorted)
    for (const passage of passages)
      for (const sentence of passage.sentences) addSentence(graph, sentence, passage.id, keep);
  return graph;
}

/** An entity's weight: the sum of its edges. */
export function strength(graph: KnowledgeGraph, key: string): number {
  return graph.reduceEdges(key, (sum, _edge, attributes) => sum + attributes.weight, 0);
}

/** An entity's neighbours, the strongest bond first. */
export function neighbours(graph: KnowledgeGraph, key: string, limit: number): { key: string; edge: RelationEdge }[] {
  return graph
    .mapEdges(key, (_edge, attributes, source, target) => ({ key: source === key ? target : source, edge: attributes }))
    .sort((a, b) => b.edge.weight - a.edge.weight || (a.key < b.key ? -1 : 1))
    .slice(0, limit);
}
