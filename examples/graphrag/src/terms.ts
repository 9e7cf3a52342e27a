// The words of a sentence with compromise's tags, and the runs of them that name something.
import type { Entity } from './types.js';

/** The part of compromise's output that is read here. */
export interface TaggedSentence {
  text: string;
  terms?: { text: string; post?: string; tags?: string[] }[];
}

export interface Term {
  text: string;
  /** The word as written, with a possessive's ending and what stands behind it. */
  said: string;
  tags: Set<string>;
  /** A comma or another mark follows, which ends a run of words. */
  closes: boolean;
}

export interface Span {
  entity: Entity;
  start: number;
  end: number;
}

export function termsOf(sentence: TaggedSentence): Term[] {
  return (sentence.terms ?? [])
    .filter((term) => term.text !== '')
    .map((term) => ({
      text: term.text.replace(/['’]s?$/, ''),
      said: `${term.text}${term.post ?? ' '}`,
      tags: new Set(term.tags ?? []),
      closes: /[,;:()"”—–]|['’]s?\b/.test(term.post ?? '') || /['’]s?$/.test(term.text),
    }));
}

export function hasAny(term: Term, ...tags: string[]): boolean {
  return tags.some((tag) => term.tags.has(tag));
}

export function isConceptWord(term: Term | undefined): boolean {
  return (
    term !== undefined &&
    term.tags.has('Noun') &&
    /^[\p{L}-]{3,}$/u.test(term.text) &&
    !hasAny(term, 'Pronoun', 'ProperNoun', 'Date', 'Value', 'Possessive', 'Unit')
  );
}
