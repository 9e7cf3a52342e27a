// The page's parts that need no browser.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { EXTRACTION_VERSION, extractSentences } from '../src/extract.js';
import { strength } from '../src/graph.js';
import { makeSnapshot } from '../src/snapshot.js';
import type { Document } from '../src/types.js';

interface Node {
  key: string;
  name: string;
  community: string | null;
  strength: number;
}
interface Place {
  x: number;
  y: number;
  r: number;
}
interface Room {
  width: number;
  height: number;
}
interface LayoutModule {
  layout(nodes: Node[], edges: object[], room: Room, widthOf: (node: Node) => number): Place[];
  placeNames(nodes: Node[], places: Place[], room: Room, widthOf: (node: Node) => number): ({ x: number; y: number } | null)[];
}

// The page's scripts are served as they are and not compiled.
const page = (file: string): URL => new URL(`../../public/${file}`, import.meta.url);
const { layout, placeNames } = (await import(page('layout.js').href)) as LayoutModule;
const widthOf = (node: Node): number => 7 * node.name.length;

function seededGraph(limit: number): { nodes: Node[]; edges: object[] } {
  const documents = readdirSync('seed').map((name): [string, Document] => {
    const text = readFileSync(`seed/${name}`, 'utf8');
    const passage = { id: `${name}#0`, documentId: name, heading: name, text, sentences: extractSentences(text) };
    return [name, { id: name, title: name, format: 'text', text, added: '', extraction: EXTRACTION_VERSION, passages: [passage] }];
  });
  const { graph } = makeSnapshot(new Map(documents));
  const nodes = graph.nodes().map((key) => {
    const { name, community } = graph.getNodeAttributes(key);
    return { key, name, community, strength: strength(graph, key) };
  });
  const chosen = nodes.sort((a, b) => b.strength - a.strength || (a.key < b.key ? -1 : 1)).slice(0, limit);
  const keys = new Set(chosen.map(({ key }) => key));
  const edges: object[] = [];
  graph.forEachEdge((_edge, { weight }, source, target) => {
    if (keys.has(source) && keys.has(target)) edges.push({ source, target, weight });
  });
  return { nodes: chosen, edges };
}

test('the graph lies in its room the same way each time and fills it', () => {
  for (const [room, limit] of [[{ width: 848, height: 720 }, 100], [{ width: 400, height: 600 }, 40]] as const) {
    const { nodes, edges } = seededGraph(limit);
    const places = layout(nodes, edges, room, widthOf);
    assert.deepEqual(layout(nodes, edges, room, widthOf), places);
    for (const { x, y, r } of places)
      assert.ok(x - r >= 0 && x + r <= room.width && y - r >= 0 && y + r <= room.height, `${x},${y}`);
    for (const [left, top] of [[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]] as const) {
      const inside = places.filter(
        ({ x, y }) => x >= left * room.width && x < (left + 0.5) * room.width && y >= top * room.height && y < (top + 0.5) * room.height,
      );
      assert.ok(inside.length >= nodes.length / 12, `${inside.length} of ${nodes.length} at ${left},${top}`);
    }
  }
});

test('no name lies over a dot or a name, and the strongest nodes have theirs', () => {
  for (const [room, limit] of [[{ width: 848, height: 720 }, 100], [{ width: 468, height: 440 }, 34], [{ width: 400, height: 600 }, 40]] as const)
    namesLieFree(seededGraph(limit), room);
});

function namesLieFree({ nodes, edges }: { nodes: Node[]; edges: object[] }, room: Room): void {
  const places = layout(nodes, edges, room, widthOf);
  const names = placeNames(nodes, places, room, widthOf);
  const boxes = names.map((at, i) => {
    const [node, place] = [nodes[i], places[i]];
    if (!at || !node || !place) return null;
    return { i, x: place.x + at.x, y: place.y + at.y - 8, w: widthOf(node), h: 16 };
  });
  nodes.slice(0, 20).forEach(({ name }, i) => assert.ok(boxes[i], `${name} has no name at ${room.width}`));
  for (const box of boxes) {
    if (!box) continue;
    places.forEach(({ x, y, r }, i) => {
      const away = Math.hypot(Math.max(box.x - x, x - box.x - box.w, 0), Math.max(box.y - y, y - box.y - box.h, 0));
      assert.ok(i === box.i || away >= r, `${nodes[box.i]?.name} lies over ${nodes[i]?.name}`);
    });
    for (const other of boxes)
      if (other && other.i > box.i)
        assert.ok(
          box.x + box.w <= other.x || other.x + other.w <= box.x || box.y + box.h <= other.y || other.y + other.h <= box.y,
          `${nodes[box.i]?.name} lies over ${nodes[other.i]?.name}`,
        );
  }
}

test('a graph of nothing and one of a lone node are laid out too', () => {
  const room = { width: 300, height: 300 };
  assert.deepEqual(layout([], [], room, widthOf), []);
  const [place] = layout([{ key: 'a', name: 'A', community: null, strength: 0 }], [], room, widthOf);
  assert.ok(place && Number.isFinite(place.x) && Number.isFinite(place.y));
});

/** The custom colours a block of style.css sets. */
function coloursIn(css: string): Map<string, string> {
  return new Map([...css.matchAll(/(--[\w-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, value]) => [name ?? '', value ?? '']));
}

function contrast(a: string, b: string): number {
  const light = (colour: string): number => {
    const [r = 0, g = 0, blue = 0] = [1, 3, 5].map((i) => {
      const part = parseInt(colour.slice(i, i + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return ((x ?? 0) + 0.05) / ((y ?? 0) + 0.05);
}

test('the page has a dark scheme with every colour of the light one, and both can be read', async () => {
  const css = await readFile(page('style.css'), 'utf8');
  const [bright = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');
  const schemes = [coloursIn(bright), coloursIn(dark)];
  assert.deepEqual([...(schemes[1]?.keys() ?? [])], [...(schemes[0]?.keys() ?? [])]);
  assert.doesNotMatch(css.replace(/--[\w-]+:\s*#[0-9a-f]{6};/g, ''), /#[0-9a-f]{3,8};/, 'a colour outside the schemes');
  for (const scheme of schemes) {
    const of = (name: string): string => scheme.get(name) ?? '';
    for (const ground of ['--ground', '--paper'])
      for (const text of ['--ink', '--quiet', '--accent', '--error']) assert.ok(contrast(of(text), of(ground)) >= 4.5, `${text} on ${ground}`);
    assert.ok(contrast(of('--on-accent'), of('--accent')) >= 4.5);
    for (const name of scheme.keys())
      if (/^--c[0-9]/.test(name)) assert.ok(contrast(of(name), of('--ground')) >= 2.5, `${name} ${contrast(of(name), of('--ground'))}`);
  }
  for (const script of ['app.js', 'graph.js', 'layout.js'])
    assert.doesNotMatch(await readFile(page(script), 'utf8'), /#[0-9a-f]{6}/i, `${script} has colours of its own`);
});
