// The nouns of the service. A document is cut into passages, a passage into sentences;
// every sentence carries the entities and relations found in it.

export type EntityType = 'person' | 'place' | 'organization' | 'concept';

export interface Entity {
  /** Identity: the lower-case name, with concepts in the singular. */
  key: string;
  /** The name as first written. */
  name: string;
  type: EntityType;
}

export interface Relation {
  source: string;
  /** The verb as written, with its preposition: "founded", "works with". */
  verb: string;
  target: string;
  /** The sentence's own words from the one to the other: "Clara Marlow pays a share of the upkeep of the North Lighthouse". */
  text: string;
}

export interface Sentence {
  text: string;
  entities: Entity[];
  relations: Relation[];
  /** It speaks of "them" or "she" and cannot be understood without the sentence before it. */
  leans: boolean;
}

export interface Passage {
  /** "<document id>#<number>". */
  id: string;
  documentId: string;
  /** The Markdown heading it stands under, or the document's title. */
  heading: string;
  text: string;
  sentences: Sentence[];
}

export type Format = 'text' | 'markdown';

export interface Document {
  id: string;
  title: string;
  format: Format;
  text: string;
  added: string;
  /** The version of the extraction that made the passages: see EXTRACTION_VERSION. */
  extraction: number;
  passages: Passage[];
}
