// Text and Markdown into plain passages of a few sentences.
import type { Format } from './types.js';

export interface Block {
  heading: string;
  text: string;
}

const PASSAGE_CHARACTERS = 900;
const TITLE_CHARACTERS = 60;

/** Markdown's inline marks, away: links keep their words, images and HTML tags go. */
function plain(line: string): string {
  return line
    .replace(/!\[[^\]]{0,200}\]\([^)]{0,500}\)/g, '')
    .replace(/\[([^\]]{0,200})\]\([^)]{0,500}\)/g, '$1')
    .replace(/<[^<>]{1,200}>/g, '')
    .replace(/^\s*(?:[-*+]|\d{1,3}[.)])\s+/, '')
    .replace(/^\s*>\s?/, '')
    .replace(/(\*\*|__|`|~~)/g, '')
    .replace(/(^|\s)[*_](\S[^*_]*)[*_](?=\W|$)/g, '$1$2')
    .trim();
}

/**
 * The words of a Markdown heading, without the marks at its ends, or null for another line. One
 * pattern for all of it would try every way to share out a long run of spaces.
 */
function headingOf(line: string): string | null {
  const words = /^#{1,6}\s(.*)$/.exec(line)?.[1]?.trim() ?? '';
  let end = words.length;
  while (words[end - 1] === '#') end -= 1;
  return plain(words.slice(0, end)) || null;
}

/** The first heading of a Markdown text, or null. */
export function markdownTitle(text: string): string | null {
  for (const [line] of text.matchAll(/^#.*$/gm)) {
    const heading = headingOf(line);
    if (heading !== null) return heading;
  }
  return null;
}

/** The beginning of a text, for one without a title: whole words on one line. */
export function firstWords(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  const letters = [...line];
  if (letters.length <= TITLE_CHARACTERS) return line;
  const head = letters.slice(0, TITLE_CHARACTERS).join('');
  return `${head.replace(/ \S*$/, '')}…`;
}

function markdownBlocks(text: string, title: string): Block[] {
  const blocks: Block[] = [];
  let heading = title;
  let lines: string[] = [];
  let fenced = false;
  const flush = (): void => {
    const joined = lines.join(' ').trim();
    if (joined !== '') blocks.push({ heading, text: joined });
    lines = [];
  };
  for (const line of text.split('\n')) {
    if (/^\s*(```|~~~)/.test(line)) {
      fenced = !fenced; // Code is no prose: nothing is extracted from it.
      continue;
    }
    if (fenced) continue;
    const found = headingOf(line);
    const item = /^\s*(?:[-*+]|\d{1,3}[.)])\s/.test(line);
    if (found !== null || item || line.trim() === '') flush();
    if (found !== null) heading = found;
    else if (line.trim() !== '') lines.push(plain(line));
  }
  flush();
  return blocks;
}

function textBlocks(text: string, title: string): Block[] {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => ({ heading: title, text: paragraph.replace(/\s+/g, ' ').trim() }))
    .filter((block) => block.text !== '');
}

/** Cut a long block at sentence ends; a sentence that is too long alone is cut at a space. */
function split(block: Block): Block[] {
  const parts: Block[] = [];
  let rest = block.text;
  while (rest.length > PASSAGE_CHARACTERS) {
    const head = rest.slice(0, PASSAGE_CHARACTERS);
    const end = Math.max(head.lastIndexOf('. '), head.lastIndexOf('? '), head.lastIndexOf('! '));
    const whole = /[\uD800-\uDBFF]$/.test(head) ? head.length - 1 : head.length; // never half a character
    const cut = end > 0 ? end + 1 : head.lastIndexOf(' ') > 0 ? head.lastIndexOf(' ') : whole;
    parts.push({ heading: block.heading, text: rest.slice(0, cut).trim() });
    rest = rest.slice(cut).trim();
  }
  if (rest !== '') parts.push({ heading: block.heading, text: rest });
  return parts;
}

/** The passages of a text, in order. `title` is the heading of what stands under none. */
export function cutIntoPassages(text: string, format: Format, title: string): Block[] {
  const normal = text.replace(/\r\n?/g, '\n');
  const blocks = format === 'markdown' ? markdownBlocks(normal, title) : textBlocks(normal, title);
  return blocks.flatMap(split);
}
