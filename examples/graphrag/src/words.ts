// Words as the indexes see them: lower case, singular, without function words.

const STOP_WORDS = new Set(
  (
    'a about after again all also an and any are as asked at be because been before being between both but by can could ' +
    'did do does doing done each every few for from get gets had has have having he her here him his how i if in into is ' +
    'it its just know known like made make many may me more most much must my no not now of off on one only or other our out ' +
    'over own please same say says she should show so some such tell than that the their them then there these they this ' +
    'those through to too two under until up us use used very was we were what when where which while who whom whose why ' +
    'will with would you your'
  ).split(' '),
);

/** "ferries" gives "ferry". English rules only; words that end in -ss, -us or -is stay. */
export function singular(word: string): string {
  if (word.length < 4 || !word.endsWith('s') || /(ss|us|is)$/.test(word)) return word;
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(x|ch|sh|ss|zz)es$/.test(word)) return word.slice(0, -2);
  return word.slice(0, -1);
}

export function tokens(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Past forms that no ending shows. "found" is of "find"; what "founded" is of keeps its own term. */
const PAST_FORMS = new Map(
  (
    'began:begin bought:buy broke:break brought:bring built:build caught:catch chose:choose drew:draw fell:fall felt:feel ' +
    'fought:fight found:find gave:give grew:grow grown:grow held:hold kept:keep knew:know led:lead left:leave lent:lend ' +
    'lost:lose met:meet paid:pay ran:run sent:send sold:sell spent:spend spoke:speak stood:stand taught:teach thought:think ' +
    'threw:throw told:tell took:take taken:take won:win wrote:write written:write'
  )
    .split(' ')
    .map((pair) => pair.split(':') as [string, string]),
);

/** The form a term has in an index, or null when it says nothing: "founded" and "founding" give "found". */
export function indexTerm(term: string): string | null {
  const lower = term.toLowerCase();
  if (lower.length < 2 || STOP_WORDS.has(lower)) return null;
  const word = PAST_FORMS.get(lower) ?? singular(lower.replace(/(?<=\p{L}{2})ied$/u, 'y'));
  const short = /^([^aeiou][aeiou][^aeiouwxy])(ing|ed)$/.exec(word); // "baking" is of "bake", and "cared" not of "car"
  if (short) return `${short[1]}e`;
  return word.replace(/(?<=\p{L}{3})(ing|ed)$/u, '').replace(/(?<=\p{L}{4})e$/u, '');
}

/** A question with "did … found" as "did … founded", for a bare "found" is of "find". */
export function plainQuestion(question: string): string {
  return question.replace(/\b(did|does|do|to|helped)\b(.*)\bfound\b/i, '$1$2founded');
}

/** The distinct index terms of a text. */
export function indexTerms(text: string): Set<string> {
  const terms = new Set<string>();
  for (const token of tokens(text)) {
    const term = indexTerm(token);
    if (term !== null) terms.add(term);
  }
  return terms;
}

/** How much of `wanted` occurs in `found`, from 0 to 1. */
export function coverage(wanted: Set<string>, found: Set<string>): number {
  if (wanted.size === 0) return 0;
  let hits = 0;
  for (const term of wanted) if (found.has(term)) hits += 1;
  return hits / wanted.size;
}
