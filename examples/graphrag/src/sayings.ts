// What a passage says in pieces that can stand alone: a sentence, together with those before
// it that it leans on. "The society counts them" is told only behind "Salmon climb the river."
import type { Passage, Sentence } from './types.js';
import { indexTerms } from './words.js';

export interface Saying {
  text: string;
  passageId: string;
  /** The sentence itself. */
  sentence: Sentence;
  /** It and those it leans on, in reading order. */
  sentences: Sentence[];
  terms: Set<string>;
}

const MAX_SENTENCES = 3;

export function sayingsOf(passage: Passage): Saying[] {
  return passage.sentences.flatMap((sentence, i) => {
    let start = i;
    while (passage.sentences[start]?.leans) start -= 1;
    const sentences = passage.sentences.slice(Math.max(start, 0), i + 1);
    // A passage's first sentence has none before it, and a long chain is no quotation any more.
    if (start < 0 || sentences.length > MAX_SENTENCES) return [];
    const text = sentences.map((one) => one.text).join(' ');
    return [{ text, passageId: passage.id, sentence, sentences, terms: indexTerms(text) }];
  });
}

/** Whether two sayings tell a sentence in common. */
export function overlap(a: Saying, b: Saying): boolean {
  return a.sentences.some((sentence) => b.sentences.includes(sentence));
}
