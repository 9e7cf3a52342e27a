// The page: questions on the left, the graph on the right. No library and nothing from elsewhere.

const EXAMPLES = [
  ['local', 'What did Ingrid Solberg found?'],
  ['local', 'How is Marlow Shipping connected to the North Lighthouse?'],
  ['global', 'What are the main themes?'],
  ['global', 'Who cares for the salmon?'],
];
const COLOURS = ['#0b6e6e', '#b4541a', '#5a4fa0', '#2f7d32', '#a83265', '#1f6fb2', '#8a6d0b', '#6b4a3a', '#4c7a8c', '#7a5c99'];
const LONER = '#8d979d';

const $ = (id) => document.getElementById(id);

async function call(path, options) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error?.message ?? `HTTP status ${response.status}`);
  return body;
}

function post(path, body) {
  return call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

function count(n, one) {
  return `${n} ${n === 1 ? one : one.endsWith('y') ? `${one.slice(0, -1)}ies` : `${one}s`}`;
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function colourOf(community) {
  return community === null ? LONER : COLOURS[(Number(community.slice(1)) - 1) % COLOURS.length];
}

// The graph: a small force layout on a canvas.

const view = { nodes: [], edges: [], lit: new Set(), heat: 0, crowd: 1, dragged: null, hovered: null };
const canvas = $('graph');
const pen = canvas.getContext('2d');

function size() {
  return { width: canvas.clientWidth, height: canvas.clientHeight };
}

function radius(node) {
  return 4 + Math.sqrt(node.strength) * 1.3;
}

function show(graph) {
  const old = new Map(view.nodes.map((node) => [node.key, node]));
  const { width, height } = size();
  view.nodes = graph.nodes.map((node, i) => {
    // Each community starts in its own direction; the strongest nodes nearest to the middle.
    const group = node.community === null ? 0.5 : Number(node.community.slice(1));
    const angle = group * 2.4 + ((i * 0.618) % 1) * 0.8;
    const distance = (0.12 + 0.3 * Math.sqrt(i / graph.nodes.length)) * Math.min(width, height);
    const x = width / 2 + distance * Math.cos(angle);
    const y = height / 2 + distance * Math.sin(angle);
    return { x, y, ...old.get(node.key), ...node, vx: 0, vy: 0 };
  });
  const byKey = new Map(view.nodes.map((node) => [node.key, node]));
  view.edges = graph.edges.map((edge) => ({ ...edge, a: byKey.get(edge.source), b: byKey.get(edge.target) }));
  warm(1);
}

function warm(heat) {
  const idle = view.heat <= 0.01;
  view.heat = Math.max(view.heat, heat);
  if (idle) requestAnimationFrame(frame);
}

function push(a, b) {
  const dx = b.x - a.x || 0.1;
  const dy = b.y - a.y || 0.1;
  const squared = Math.max(dx * dx + dy * dy, 60);
  const force = (5600 * view.heat * view.crowd) / squared;
  const distance = Math.sqrt(squared);
  a.vx -= (dx / distance) * force;
  a.vy -= (dy / distance) * force;
  b.vx += (dx / distance) * force;
  b.vy += (dy / distance) * force;
}

function pull({ a, b, weight }) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const distance = Math.hypot(dx, dy) || 1;
  const same = a.community === b.community;
  const force = (distance - (same ? 70 : 170) * view.crowd) * 0.012 * view.heat * Math.min(2, 0.6 + weight / 6) * (same ? 1.4 : 0.5);
  a.vx += (dx / distance) * force;
  a.vy += (dy / distance) * force;
  b.vx -= (dx / distance) * force;
  b.vy -= (dy / distance) * force;
}

function move() {
  const { width, height } = size();
  view.crowd = Math.min(1, Math.min(width, height) / 700); // a small canvas has its nodes nearer together
  view.nodes.forEach((a, i) => {
    for (const b of view.nodes.slice(i + 1)) push(a, b);
  });
  view.edges.forEach(pull);
  for (const node of view.nodes) {
    node.vx += (width / 2 - node.x) * 0.006 * view.heat;
    node.vy += (height / 2 - node.y) * 0.009 * view.heat;
    if (node !== view.dragged) {
      node.x = Math.min(Math.max(node.x + node.vx, 40), width - 60);
      node.y = Math.min(Math.max(node.y + node.vy, 24), height - 30);
    }
    node.vx *= 0.75;
    node.vy *= 0.75;
  }
  view.heat *= 0.985;
}

function draw() {
  const { width, height } = size();
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const some = view.lit.size > 0;
  const lit = (node) => !some || view.lit.has(node.key);
  for (const { a, b, weight } of view.edges) {
    const both = lit(a) && lit(b);
    pen.strokeStyle = a.community === b.community ? colourOf(a.community) : '#98a2a8';
    pen.globalAlpha = both ? (some ? 0.6 : 0.28) : 0.07;
    pen.lineWidth = Math.min(4, 0.6 + weight * 0.35);
    pen.beginPath();
    pen.moveTo(a.x, a.y);
    pen.lineTo(b.x, b.y);
    pen.stroke();
  }
  for (const node of view.nodes) {
    pen.globalAlpha = lit(node) ? 1 : 0.2;
    pen.fillStyle = colourOf(node.community);
    pen.beginPath();
    pen.arc(node.x, node.y, radius(node), 0, 2 * Math.PI);
    pen.fill();
    pen.lineWidth = 2;
    pen.strokeStyle = node === view.hovered ? '#1d2a33' : '#f6f5f1';
    pen.stroke();
  }
  label(lit);
  pen.globalAlpha = 1;
}

/** Names: the strongest first, one only where no other name stands already. */
function label(lit) {
  const taken = [];
  const order = [...view.nodes].sort((a, b) => rank(b, lit) - rank(a, lit));
  pen.textBaseline = 'middle';
  pen.lineJoin = 'round';
  for (const node of order) {
    pen.font = `${node.type === 'concept' ? 'italic ' : '600 '}12px system-ui, sans-serif`;
    const box = { x: node.x + radius(node) + 4, y: node.y - 8, w: pen.measureText(node.name).width, h: 16 };
    if (box.x + box.w > size().width) box.x = node.x - radius(node) - 4 - box.w; // beside the edge: on the left
    const hit = taken.some((t) => box.x < t.x + t.w && t.x < box.x + box.w && box.y < t.y + t.h && t.y < box.y + box.h);
    if (hit && node !== view.hovered) continue;
    taken.push(box);
    pen.globalAlpha = lit(node) ? 1 : 0.25;
    pen.lineWidth = 4;
    pen.strokeStyle = '#f6f5f1';
    pen.strokeText(node.name, box.x, node.y);
    pen.fillStyle = '#1d2a33';
    pen.fillText(node.name, box.x, node.y);
  }
}

function rank(node, lit) {
  return node.strength + (view.lit.size > 0 && lit(node) ? 1000 : 0) + (node === view.hovered ? 10000 : 0);
}

function frame() {
  move();
  draw();
  if (view.heat > 0.01) requestAnimationFrame(frame);
}

function nodeAt(event) {
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left;
  const y = event.clientY - box.top;
  return view.nodes.find((node) => Math.hypot(node.x - x, node.y - y) < radius(node) + 5) ?? null;
}

function light(keys) {
  view.lit = new Set(keys);
  draw();
}

let pressed = null;
canvas.addEventListener('pointerdown', (event) => {
  view.dragged = nodeAt(event);
  pressed = { x: event.clientX, y: event.clientY };
  if (view.dragged) canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener('pointermove', (event) => {
  if (view.dragged) {
    const box = canvas.getBoundingClientRect();
    view.dragged.x = event.clientX - box.left;
    view.dragged.y = event.clientY - box.top;
    warm(0.3);
    return;
  }
  const over = nodeAt(event);
  if (over === view.hovered) return;
  view.hovered = over;
  canvas.style.cursor = over ? 'pointer' : '';
  draw();
});
canvas.addEventListener('pointerup', (event) => {
  const still = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < 4;
  if (still && view.dragged) ask('local', `What is known about ${view.dragged.name}?`);
  else if (still) light([]);
  view.dragged = null;
});
new ResizeObserver(() => warm(0.4)).observe(canvas);

// Questions and answers.

function list(title, items) {
  if (items.length === 0) return [];
  const ul = document.createElement('ul');
  for (const [text, where] of items) {
    const li = element('li', text);
    if (where) li.append(' ', element('span', where, 'where'));
    ul.append(li);
  }
  return [element('h2', title), ul];
}

function showAnswer(result) {
  const parts = [element('p', result.answer, 'text')];
  if (result.prose.note) parts.push(element('p', result.prose.note, 'where'));
  if (result.mode === 'local') {
    parts.push(...list('Relations', result.relations.map((r) => [r.text])));
    parts.push(...list('Passages', result.passages.map((p) => [p.text, `(${p.title})`])));
    const keys = result.entities.map((entity) => entity.key);
    const near = view.edges.flatMap((e) => (keys.includes(e.source) ? [e.target] : keys.includes(e.target) ? [e.source] : []));
    light(keys.length > 0 ? [...keys, ...near] : []);
  } else {
    parts.push(...list('Points by community', result.points.map((p) => [p.text, `(${p.title})`])));
    const ids = new Set(result.communities.map((community) => community.id));
    light(view.nodes.filter((node) => ids.has(node.community)).map((node) => node.key));
  }
  $('answer').replaceChildren(...parts);
}

async function ask(mode, question) {
  $('question').value = question;
  $('ask').elements.mode.value = mode;
  const button = $('ask').querySelector('button');
  button.disabled = true;
  try {
    showAnswer(await post('/query', { mode, question }));
  } catch (error) {
    $('answer').replaceChildren(element('p', error.message, 'error'));
  } finally {
    button.disabled = false;
  }
}

$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  ask($('ask').elements.mode.value, $('question').value);
});
$('question').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey) return;
  event.preventDefault();
  $('ask').requestSubmit();
});

$('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  const title = $('title').value.trim();
  try {
    const added = await post('/documents', { text: $('text').value, format: 'markdown', ...(title ? { title } : {}) });
    $('added').textContent = `Added “${added.title}”: ${count(added.passages, 'passage')}.`;
    $('added').className = '';
    $('add').reset();
    await refresh();
  } catch (error) {
    $('added').textContent = error.message;
    $('added').className = 'error';
  }
});

function dot(colour) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('width', '10');
  svg.setAttribute('height', '10');
  const circle = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
  for (const [name, value] of [['cx', 5], ['cy', 5], ['r', 5], ['fill', colour]]) circle.setAttribute(name, value);
  svg.append(circle);
  return svg;
}

function showCommunities(communities) {
  const items = communities.slice(0, COLOURS.length).map((community) => {
    const button = element('button', '');
    button.append(dot(colourOf(community.id)), element('span', community.title));
    button.addEventListener('click', () => light(community.members.map((member) => member.key)));
    const li = document.createElement('li');
    li.append(button);
    return li;
  });
  $('communities').replaceChildren(...items);
  $('communities').hidden = items.length === 0;
}

async function refresh() {
  const [health, graph, { communities }] = await Promise.all([call('/health'), call('/graph'), call('/communities')]);
  const { documents, entities, relations } = health;
  const counts = [count(documents, 'document'), count(entities, 'entity'), count(relations, 'relation'), count(communities.length, 'community')];
  $('status').textContent = counts.join(', ');
  showCommunities(communities);
  show(graph);
}

EXAMPLES.forEach(([mode, question], i) => {
  const link = element('a', question);
  link.href = `?${new URLSearchParams({ mode, q: question })}`;
  link.addEventListener('click', (event) => {
    event.preventDefault();
    ask(mode, question);
  });
  $('examples').append(i > 0 ? ' · ' : 'Try: ', link);
});

try {
  await refresh();
  const asked = new URLSearchParams(location.search);
  if (asked.get('q')) await ask(asked.get('mode') === 'global' ? 'global' : 'local', asked.get('q'));
} catch (error) {
  $('status').textContent = error.message;
  $('status').className = 'error';
}
