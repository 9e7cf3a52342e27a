// Where the graph's nodes and names stand. No randomness and no clock: the same graph in the
// same room always looks the same.

const ROUNDS = 300;
const EDGE = 14; // what stays free along the edge of the room
const LABEL_HEIGHT = 17;
const LABEL_GAP = 4;
const CROWDED = 0.4; // the share of the room that dots and names may fill

export function radius(node) {
  return 4 + Math.sqrt(node.strength) * 1.2;
}

/** Each community begins in its own direction, its strongest nodes nearest to its middle. */
function begin(nodes) {
  const groups = [...new Set(nodes.map((node) => node.community))].sort();
  const seats = new Map();
  return nodes.map((node) => {
    const seat = seats.get(node.community) ?? 0;
    seats.set(node.community, seat + 1);
    const direction = (2 * Math.PI * groups.indexOf(node.community)) / groups.length;
    const turn = seat * 2.4; // the golden angle, which puts no two in a row
    const away = 0.035 * Math.sqrt(seat);
    return {
      x: 0.5 + 0.3 * Math.cos(direction) + away * Math.cos(turn),
      y: 0.5 + 0.3 * Math.sin(direction) + away * Math.sin(turn),
    };
  });
}

function push(a, b, size, dx, dy) {
  a.x -= dx * size;
  a.y -= dy * size;
  b.x += dx * size;
  b.y += dy * size;
}

/** Springs along the edges, repulsion between all (Fruchterman and Reingold), in a square of side 1. */
function settle(nodes, edges, at) {
  const far = Math.sqrt(1 / Math.max(nodes.length, 1));
  const index = new Map(nodes.map((node, i) => [node.key, i]));
  const bonds = edges.map(({ source, target, weight }) => {
    const [a, b] = [index.get(source), index.get(target)];
    const same = nodes[a].community === nodes[b].community;
    return { a, b, pull: Math.min(2, 0.5 + weight / 6) * (same ? 1 : 0.25) };
  });
  // What hangs on nothing is held to the middle, or it would fly off.
  const held = nodes.map((_node, i) => (bonds.some(({ a, b }) => a === i || b === i) ? 0.15 : 0.6));
  for (let round = 0; round < ROUNDS; round += 1) {
    const step = 0.06 * (1 - round / ROUNDS);
    const force = at.map(({ x, y }, i) => ({ x: (0.5 - x) * held[i], y: (0.5 - y) * held[i] }));
    for (let a = 0; a < at.length; a += 1)
      for (let b = a + 1; b < at.length; b += 1) {
        const dx = at[b].x - at[a].x || 1e-4;
        const dy = at[b].y - at[a].y || 1e-4;
        push(force[a], force[b], (far * far) / Math.max(dx * dx + dy * dy, 1e-5), dx, dy);
      }
    for (const { a, b, pull } of bonds) {
      const dx = at[b].x - at[a].x;
      const dy = at[b].y - at[a].y;
      push(force[a], force[b], (-pull * Math.sqrt(dx * dx + dy * dy)) / far / 4, dx, dy);
    }
    at.forEach((place, i) => {
      const size = Math.hypot(force[i].x, force[i].y) || 1;
      place.x += (force[i].x / size) * Math.min(size, step);
      place.y += (force[i].y / size) * Math.min(size, step);
    });
  }
}

/**
 * Spread the square over the whole room: half by where a node lies, half by how many lie before
 * it, so that one that lies far out does not leave an empty quarter.
 */
function fill(at, { width, height }) {
  const edge = EDGE + 12;
  for (const [axis, length] of [['x', width], ['y', height]]) {
    const order = [...at].sort((a, b) => a[axis] - b[axis]);
    const [least, most] = [order[0][axis], order.at(-1)[axis]];
    const spread = order.map((place, i) => ((place[axis] - least) / (most - least || 1) + i / Math.max(order.length - 1, 1)) / 2);
    order.forEach((place, i) => (place[axis] = edge + spread[i] * (length - 2 * edge)));
  }
}

/** What a node takes up: its dot, and its name on the side where there is room for it. */
function boxOf(place, named, { width }) {
  const r = place.r + 2;
  if (!named) return { x: place.x - r, y: place.y - r, w: 2 * r, h: 2 * r };
  const left = place.x + r + LABEL_GAP + place.name > width - 2;
  const w = 2 * r + LABEL_GAP + place.name;
  const h = Math.max(2 * r, LABEL_HEIGHT);
  return { x: left ? place.x + r - w : place.x - r, y: place.y - h / 2, w, h };
}

function touch(a, b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/**
 * Move apart what overlaps, on the shorter way: mostly up and down, for names are wide. Where
 * that leads to a full column, sideways wins with time.
 */
function makeRoom(at, named, room) {
  const keep = (place) => {
    place.x = Math.min(Math.max(place.x, EDGE + place.r), room.width - EDGE - place.r);
    place.y = Math.min(Math.max(place.y, EDGE + place.r), room.height - EDGE - place.r);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    let moved = false;
    const patience = 1 / (1 + round / 15);
    const boxes = at.map((place, i) => boxOf(place, named[i], room));
    for (let i = 0; i < at.length; i += 1)
      for (let j = i + 1; j < at.length; j += 1) {
        const [a, b] = [boxes[i], boxes[j]];
        if (!touch(a, b)) continue;
        moved = true;
        const dx = Math.min(a.x + a.w - b.x, b.x + b.w - a.x);
        const dy = Math.min(a.y + a.h - b.y, b.y + b.h - a.y);
        const axis = dy <= dx * patience ? 'y' : 'x';
        const way = ((axis === 'y' ? dy : dx) / 2 + 0.5) * (at[i][axis] <= at[j][axis] ? 1 : -1);
        at[i][axis] -= way;
        at[j][axis] += way;
        a[axis] -= way;
        b[axis] += way;
      }
    at.forEach(keep);
    if (!moved) return;
  }
}

/** The strongest nodes whose names there is room for. */
function nodesToName(nodes, at, { width, height }) {
  let free = CROWDED * width * height - at.reduce((sum, { r }) => sum + 4 * (r + 2) ** 2, 0);
  const order = nodes.map((_node, i) => i).sort((a, b) => nodes[b].strength - nodes[a].strength || a - b);
  const named = nodes.map(() => false);
  for (const i of order) {
    free -= (at[i].name + LABEL_GAP) * LABEL_HEIGHT;
    if (free < 0) break;
    named[i] = true;
  }
  return named;
}

/** A place {x, y, r} for each node. `widthOf` says how wide a node's name is drawn. */
export function layout(nodes, edges, room, widthOf) {
  if (nodes.length === 0) return [];
  const at = begin(nodes);
  settle(nodes, edges, at);
  fill(at, room);
  nodes.forEach((node, i) => Object.assign(at[i], { r: radius(node), name: widthOf(node) }));
  makeRoom(at, nodesToName(nodes, at, room), room);
  return at.map(({ x, y, r }) => ({ x, y, r }));
}

/**
 * Where each node's name is written, relative to its dot: {x, y}, or null where it would lie over
 * a dot, another name or the edge. Those that `rank` puts first choose first.
 */
export function placeNames(nodes, places, room, widthOf, rank = (node) => node.strength) {
  const dots = places.map(({ x, y, r }) => ({ x: x - r - 1, y: y - r - 1, w: 2 * r + 2, h: 2 * r + 2 }));
  const taken = [];
  const names = nodes.map(() => null);
  const order = nodes.map((_node, i) => i).sort((a, b) => rank(nodes[b]) - rank(nodes[a]) || a - b);
  for (const i of order) {
    const { x, y, r } = places[i];
    const w = widthOf(nodes[i]);
    const [side, over] = [r + LABEL_GAP, r + LABEL_HEIGHT / 2 + 1];
    const slant = 0.7 * r + 2;
    const choices = [
      [side, 0], [-side - w, 0], [side, -7], [side, 7], [-side - w, -7], [-side - w, 7], [-w / 2, -over], [-w / 2, over],
      [slant, -over + 2], [slant, over - 2], [-slant - w, -over + 2], [-slant - w, over - 2],
      [-0.8 * w, -over], [-0.8 * w, over], [-0.2 * w, -over], [-0.2 * w, over],
    ];
    const free = choices.find(([dx, dy]) => {
      const box = { x: x + dx - 1, y: y + dy - LABEL_HEIGHT / 2, w: w + 2, h: LABEL_HEIGHT };
      if (box.x < 2 || box.y < 2 || box.x + box.w > room.width - 2 || box.y + box.h > room.height - 2) return false;
      if (dots.some((dot, d) => d !== i && touch(box, dot)) || taken.some((other) => touch(box, other))) return false;
      taken.push(box);
      return true;
    });
    if (free) names[i] = { x: free[0], y: free[1] };
  }
  return names;
}
