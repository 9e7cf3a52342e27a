// Entities from prose. Compromise tags the parts of speech; the rules on top of its tags
// are here: which runs of words are a name and which are a concept. What joins two of them
// is in relations.ts.
import nlp from 'compromise';
import { leans, relationsOf } from './relations.js';
import { hasAny, isConceptWord, termsOf, type Span, type TaggedSentence, type Term } from './terms.js';
import type { Entity, EntityType, Sentence } from './types.js';
import { singular } from './words.js';

/** Documents stored by another version are extracted again when they are loaded. */
export const EXTRACTION_VERSION = 2;

const MAX_ENTITIES_PER_SENTENCE = 10;

const ORGANIZATION_CUE =
  /\b(institute|university|council|society|trust|cooperative|company|agency|bank|school|college|library|archive|museum|shipping|shipyard|bakery|laboratory|ministry|committee|association|foundation|vault|station|group|inc|ltd|gmbh)\b/i;
const PLACE_CUE =
  /\b(strait|island|lake|river|mount|mountain|port|bay|valley|street|square|city|county|harbour|harbor|lighthouse|sea|ocean|forest|desert)\b/i;
// Words that say nothing as a concept.
const EMPTY_CONCEPTS = new Set(
  ('time year day month week hour minute thing way part kind lot number example result case place people side winter ' +
    'summer autumn spring share room page danger plan second metre meter tonne record nobody somebody everybody anybody ' +
    'nothing something everything').split(' '),
);
const NAME_JOINERS = new Set(['of']);
const JOINED_NAMES = /^(university|bank|house|port|bay|isle|gulf|city|ministry|institute|museum|college|republic)$/i;

function isCapitalised(term: Term | undefined): boolean {
  return term !== undefined && /^\p{Lu}/u.test(term.text);
}

/** A word of a name. The first word of a sentence is one only when its tags or its neighbour say so. */
function isNameWord(terms: Term[], i: number): boolean {
  const term = terms[i];
  if (!term || !isCapitalised(term)) return false;
  if (hasAny(term, 'Date', 'Month', 'WeekDay', 'Pronoun', 'Determiner', 'Preposition', 'Conjunction', 'Honorific'))
    return false;
  if (i > 0) return true;
  if (hasAny(term, 'QuestionWord', 'Value', 'Copula', 'Modal', 'Adverb')) return false;
  return term.tags.has('ProperNoun') || (!term.closes && isCapitalised(terms[1]) && isNameWord(terms, 1));
}

function nameType(name: string, terms: Term[]): EntityType {
  if (ORGANIZATION_CUE.test(name)) return 'organization';
  if (PLACE_CUE.test(name)) return 'place';
  if (terms.some((term) => term.tags.has('Person'))) return 'person';
  if (terms.some((term) => term.tags.has('Organization'))) return 'organization';
  if (terms.some((term) => hasAny(term, 'Place', 'City', 'Country', 'Region'))) return 'place';
  return 'concept';
}

function nameAt(terms: Term[], start: number): Span | null {
  let end = start;
  while (isNameWord(terms, end)) {
    end += 1;
    if (terms[end - 1]?.closes) break;
    const joiner = terms[end]?.text.toLowerCase() ?? '';
    if (NAME_JOINERS.has(joiner) && JOINED_NAMES.test(terms[end - 1]?.text ?? '') && isNameWord(terms, end + 1)) end += 1;
  }
  if (end === start) return null;
  const words = terms.slice(start, end);
  const name = words.map((term) => term.text).join(' ');
  if (name.length < 2 || name.length > 80) return null;
  const type = nameType(name, words);
  const located = type === 'concept' && /^(in|at|near)$/i.test(terms[start - 1]?.text ?? '');
  return { entity: { key: name.toLowerCase(), name, type: located ? 'place' : type }, start, end };
}

function conceptAt(terms: Term[], start: number): Span | null {
  let end = start;
  while (end < start + 3 && isConceptWord(terms[end])) {
    end += 1;
    if (terms[end - 1]?.closes) break;
  }
  if (end === start) return null;
  const words = terms.slice(start, end).map((term) => term.text.toLowerCase());
  words.push(singular(words.pop() ?? ''));
  const name = words.join(' ');
  const empty = (words.length === 1 && EMPTY_CONCEPTS.has(name)) || name.length < 3 || name.length > 60;
  return { entity: { key: empty ? '' : name, name, type: 'concept' }, start, end };
}

function spansOf(terms: Term[]): Span[] {
  const spans: Span[] = [];
  for (let i = 0; i < terms.length && spans.length < MAX_ENTITIES_PER_SENTENCE; ) {
    const span = nameAt(terms, i) ?? conceptAt(terms, i);
    if (span && span.entity.key !== '') spans.push(span);
    i = span ? span.end : i + 1;
  }
  return spans;
}

/** The sentences of a passage with what is said in them. */
export function extractSentences(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  for (const item of nlp(text).json() as TaggedSentence[]) {
    const terms = termsOf(item);
    const spans = spansOf(terms);
    const entities = new Map(spans.map(({ entity }) => [entity.key, entity]));
    sentences.push({
      text: item.text.trim(),
      entities: [...entities.values()],
      relations: relationsOf(terms, spans),
      leans: leans(terms),
    });
  }
  return sentences;
}

/**
 * Within one document "Solberg" means "Ingrid Solberg" when that is the only person with
 * the name. Rewrites the sentences in place.
 */
export function joinShortNames(sentences: Sentence[]): void {
  const people = new Map<string, Entity>();
  for (const { entities } of sentences)
    for (const entity of entities) if (entity.type === 'person' && entity.key.includes(' ')) people.set(entity.key, entity);
  const fullName = (key: string): Entity | undefined => {
    if (key.includes(' ')) return undefined;
    const matches = [...people.values()].filter((person) => person.key.split(' ').includes(key));
    return matches.length === 1 ? matches[0] : undefined;
  };
  for (const sentence of sentences) {
    const joined = sentence.entities.map((entity) => fullName(entity.key) ?? entity);
    sentence.entities = [...new Map(joined.map((entity) => [entity.key, entity])).values()];
    sentence.relations = sentence.relations
      .map((r) => ({ ...r, source: fullName(r.source)?.key ?? r.source, target: fullName(r.target)?.key ?? r.target }))
      .filter((r) => r.source !== r.target);
  }
}
