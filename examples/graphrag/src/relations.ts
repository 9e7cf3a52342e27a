// Which verb joins which entities of a sentence, and whether the sentence can stand alone.
import { hasAny, isConceptWord, type Span, type Term } from './terms.js';
import type { Relation } from './types.js';

const MAX_RELATION_WORDS = 14;

/** The preposition a span stands under, "" when it is the plain object, null when the span before it decides. */
function prepositionBefore(terms: Term[], span: Span): string | null {
  for (let i = span.start - 1; i >= 0; i -= 1) {
    const term = terms[i];
    if (!term || term.tags.has('Verb')) return '';
    if (term.tags.has('Conjunction') || term.closes) return null;
    if (term.tags.has('Preposition')) return term.text.toLowerCase();
    if (!hasAny(term, 'Determiner', 'Adjective', 'Adverb', 'Possessive', 'Value')) return '';
  }
  return '';
}

/** Where a verb's group begins: "has been" with its "has". */
function groupStart(terms: Term[], verb: number): number {
  let start = verb;
  for (let term = terms[start - 1]; term && hasAny(term, 'Auxiliary', 'Modal', 'Copula', 'Negative', 'Adverb'); term = terms[start - 1])
    start -= 1;
  return start;
}

/** What a new clause begins with. */
const CLAUSE_OPENERS =
  /^(and|but|or|so|because|while|where|when|which|who|whom|whose|that|how|what|if|as|than|after|before|until|since|though|although)$/i;

function clauseOpens(terms: Term[], from: number, to: number): boolean {
  return terms.slice(from, to).some((term) => term.closes || CLAUSE_OPENERS.test(term.text));
}

/** A participle that only describes a noun: "cells tested by the institute", "a barley called Gold". */
function onlyDescribes(term: Term, next: Term | undefined): boolean {
  if (term.tags.has('Gerund') || term.text === 'called') return true;
  return term.tags.has('PastTense') && /^(by|from|called)$/.test(next?.text ?? '');
}

/**
 * Verbs that say something: not those that help another, nor an infinitive, which speaks for the
 * verb before it, nor a participle that describes a noun. After a preposition, or with no new
 * clause since the verb before it, the word is a noun that was taken for a verb: "rain records".
 */
function saysSomething(terms: Term[], verb: number, before: number | undefined): boolean {
  const term = terms[verb];
  const next = terms[verb + 1];
  const start = groupStart(terms, verb);
  const last = terms[start - 1];
  if (!term || hasAny(term, 'Auxiliary', 'Modal') || terms[verb - 1]?.text.toLowerCase() === 'to') return false;
  if (last?.tags.has('Preposition') && !CLAUSE_OPENERS.test(last.text)) return false;
  if (before !== undefined && !clauseOpens(terms, before, start)) return false;
  if (term.tags.has('Copula')) return next === undefined || !hasAny(next, 'Verb', 'Negative');
  return start < verb || !onlyDescribes(term, next);
}

/**
 * The subject of a verb: the nearest entity before it, or what that one hangs on ("gannets of
 * Gannet Island eat"). For "she" and its like it is the sentence's first name.
 */
function subjectOf(terms: Term[], spans: Span[], verb: number): Span | undefined {
  const before = spans.filter((span) => span.end <= verb);
  let at = before.length - 1;
  const between = terms.slice(before[at]?.end ?? 0, verb).map((term) => term.text.toLowerCase());
  if (between.some((word) => /^(he|she|they)$/.test(word))) return before.find(({ entity }) => entity.name !== entity.key);
  if (between.some((word) => /^(it|this|that one|these|nobody|somebody)$/.test(word))) return undefined;
  for (let span = before[at]; at > 0 && span; span = before[at]) {
    const gap = terms.slice(before[at - 1]?.end, span.start);
    if (gap[0]?.text !== 'of') break;
    at -= 1;
  }
  return before[at];
}

function wordsOf(terms: Term[], start: number, end: number): string {
  const said = terms.slice(start, end).map((term) => term.said);
  return said.join('').replace(/[\s,;:.!?()"”—–]+$/, '');
}

/** Those who do it with the subject: "Amina Yusuf and Nora Lindqvist publish". What the verb before has as its object is none. */
function withPartners(terms: Term[], spans: Span[], subject: Span, verbBefore: number | undefined): Span[] {
  const before = spans.filter((span) => span.end <= subject.start).at(-1);
  if (before && verbBefore !== undefined && !clauseOpens(terms, verbBefore, before.start)) return [subject];
  const gap = before ? terms.slice(before.end, subject.start).map((term) => term.text.toLowerCase()) : [];
  const partner = before && !terms[before.end - 1]?.closes && /^and( the| an?)?$/.test(gap.join(' '));
  return partner ? [before, subject] : [subject];
}

/** What a relation says, in the sentence's words: the subjects with their article, the verb's group, all up to the object. */
function statement(terms: Term[], subjects: Span[], from: number, to: number): string {
  const first = subjects[0]?.start ?? from;
  const article = /^(the|a|an|every|each)$/i.test(terms[first - 1]?.text ?? '');
  const text = `${wordsOf(terms, article ? first - 1 : first, subjects.at(-1)?.end ?? from)} ${wordsOf(terms, from, to)}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Where a statement that ends with an object goes on to: "asked Marlow Shipping" with its "to slow its ferries". */
function endOf(terms: Term[], end: number): number {
  if (terms[end]?.text.toLowerCase() !== 'to' || !terms[end + 1]?.tags.has('Verb') || terms[end - 1]?.closes) return end;
  const rest = terms.findIndex((term, i) => i > end + 1 && (term.closes || CLAUSE_OPENERS.test(terms[i + 1]?.text ?? '')));
  return rest === -1 ? terms.length : rest + 1;
}

/** Whether what follows a verb belongs to another clause, or hangs on a word outside the sentence ("counts them at"). */
function breaksOff(terms: Term[], verb: number, to: number): boolean {
  if (/^(that|how|what|where|when|whether|if)$/i.test(terms[verb + 1]?.text ?? '')) return true;
  return terms.slice(verb + 1, to).some((term, n) => {
    const opens = CLAUSE_OPENERS.test(term.text) && (terms[verb + n]?.closes ?? false);
    return opens || /[;:()"”—–]/.test(term.said) || /^(them|him|it)$/i.test(term.text);
  });
}

interface Clause {
  verb: number;
  subjects: Span[];
  objects: Span[];
}

/** The verbs of a sentence with their subjects and what stands after them, up to the next verb's own subject. */
function clausesOf(terms: Term[], spans: Span[]): Clause[] {
  const verbs = terms.flatMap((term, i) => (term.tags.has('Verb') && !spans.some((s) => i >= s.start && i < s.end) ? [i] : []));
  const clauses: Clause[] = [];
  for (const verb of verbs) {
    const previous = clauses.at(-1);
    if (!saysSomething(terms, verb, previous?.verb)) continue;
    const start = groupStart(terms, verb);
    // "carries cars and crosses the strait": both verbs have one subject.
    const joined = previous && (/^(and|but|or)$/.test(terms[start - 1]?.text ?? '') || terms[start - 1]?.closes);
    if (previous && !joined) previous.objects = previous.objects.filter((span) => span.end < start);
    const subject = joined ? undefined : subjectOf(terms, spans, verb);
    const limit = verbs.find((other) => other > verb) ?? terms.length;
    clauses.push({
      verb,
      subjects: joined ? previous.subjects : subject ? withPartners(terms, spans, subject, previous?.verb) : [],
      objects: spans.filter((span) => span.start > verb && span.start < limit && !breaksOff(terms, verb, span.start)),
    });
  }
  return clauses;
}

/**
 * Each main verb joins its subjects with the entities up to the next verb or clause.
 * A preposition goes with the verb: "founded" the institute, but "founded in" the town.
 */
export function relationsOf(terms: Term[], spans: Span[]): Relation[] {
  return clausesOf(terms, spans).flatMap(({ verb, subjects, objects }) => {
    const said = terms[verb]?.text.toLowerCase() ?? '';
    const start = groupStart(terms, verb);
    const passive = terms[verb]?.tags.has('Passive') && terms[verb + 1]?.text.toLowerCase() === 'by';
    let preposition = '';
    return objects.flatMap((span) => {
      preposition = prepositionBefore(terms, span) ?? preposition;
      if (span.end - start > MAX_RELATION_WORDS) return [];
      const turned = passive && preposition === 'by';
      const end = endOf(terms, span.end);
      const text = statement(terms, subjects, start, end - start > MAX_RELATION_WORDS ? span.end : end);
      return subjects
        .filter((subject) => subject.entity.key !== span.entity.key)
        .map(({ entity }) => ({
          source: turned ? span.entity.key : entity.key,
          verb: preposition === '' || turned ? said : `${said} ${preposition}`,
          target: turned ? entity.key : span.entity.key,
          text,
        }));
    });
  });
}

function isNoun(term: Term | undefined): boolean {
  return term !== undefined && term.tags.has('Noun') && !hasAny(term, 'Pronoun');
}

/** Whether a sentence needs the one before it: a pronoun in it has nothing in the sentence to stand for. */
export function leans(terms: Term[]): boolean {
  let nouns = 0;
  return terms.some((term, i) => {
    const word = term.text.toLowerCase();
    const next = terms[i + 1];
    if (/^(he|she|they|his|their|its)$/.test(word)) return nouns === 0;
    if (/^(this|that|these|those)$/.test(word))
      return i === 0 || (term.tags.has('Determiner') && isConceptWord(next) && !/(body|one|thing)$/.test(next?.text ?? ''));
    // An object is seldom the subject again: "The society counts them" is of somebody else.
    if (/^(them|him|it|her)$/.test(word)) return nouns < (isConceptWord(next) ? 1 : 2);
    if (isNoun(term) && !isNoun(terms[i - 1])) nouns += 1;
    return false;
  });
}
