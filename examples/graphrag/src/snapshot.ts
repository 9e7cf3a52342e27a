// Everything that follows from a set of documents. It is made anew when the documents
// change and never altered afterwards, so a question sees one consistent state.
import { findCommunities, type Community } from './communities.js';
import { buildGraph, type KnowledgeGraph } from './graph.js';
import { Retrieval } from './retrieval.js';
import type { Document, Passage } from './types.js';

export interface Snapshot {
  documents: Map<string, Document>;
  passages: Map<string, Passage>;
  graph: KnowledgeGraph;
  communities: Community[];
  retrieval: Retrieval;
}

export function makeSnapshot(documents: Map<string, Document>): Snapshot {
  const passages = new Map<string, Passage>();
  for (const document of documents.values()) for (const passage of document.passages) passages.set(passage.id, passage);
  const graph = buildGraph(documents.values());
  const communities = findCommunities(graph, passages);
  return {
    documents: new Map(documents),
    passages,
    graph,
    communities,
    retrieval: new Retrieval(passages.values(), graph),
  };
}
