// The page: questions on the left, the graph on the right. No library and nothing from elsewhere.
import { GraphView, colourClass, drawn } from './graph.js';

const EXAMPLES = [
  ['local', 'What did Ingrid Solberg found?'],
  ['local', 'How is Marlow Shipping connected to the North Lighthouse?'],
  ['global', 'What are the main themes?'],
  ['global', 'Who cares for the salmon?'],
];
const LEGEND = 10;
const MAX_LISTED = 200;

const $ = (id) => document.getElementById(id);

async function call(path, options) {
  const response = await fetch(path, options);
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(body.error?.message ?? `HTTP status ${response.status}`);
  return body;
}

function post(path, body) {
  return call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

function count(n, one) {
  return `${n} ${n === 1 ? one : one.endsWith('y') ? `${one.slice(0, -1)}ies` : `${one}s`}`;
}

function element(tag, content, className) {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  if (className) made.className = className;
  return made;
}

function button(content, label, action) {
  const made = element('button', content);
  made.type = 'button';
  if (label) made.setAttribute('aria-label', label);
  made.addEventListener('click', action);
  return made;
}

function dot(community) {
  const circle = drawn('circle', { cx: 5, cy: 5, r: 5 });
  return drawn('svg', { width: 10, height: 10, class: `dot ${colourClass(community)}`, 'aria-hidden': 'true' }, [circle]);
}

/** Say something in a status line; `error` in red. */
function say(line, text, error = false) {
  line.replaceChildren(text);
  line.classList.toggle('error', error);
}

const view = new GraphView($('graph'), (node) => (node ? ask('local', `What is known about ${node.name}?`) : light([])));

function light(keys, pressed = null) {
  view.light(keys);
  for (const other of $('communities').querySelectorAll('button')) other.setAttribute('aria-pressed', String(other === pressed));
}

function withNeighbours(keys) {
  const near = view.graph.edges.flatMap(({ source, target }) =>
    keys.includes(source) ? [target] : keys.includes(target) ? [source] : [],
  );
  return [...keys, ...near];
}

// Questions and answers.

function list(title, items) {
  return items.length === 0 ? [] : [element('h2', title), element('ul', items.map((item) => element('li', item)))];
}

function showLocal(result) {
  const names = new Map(view.graph.nodes.map((node) => [node.key, node.name]));
  const nameOf = (key) => names.get(key) ?? key;
  const ways = result.paths.map((steps) => [steps[0].source, ...steps.map((step) => step.target)]);
  const passages = result.passages.map((p) => element('li', [`${p.text} `, element('span', `(${p.title})`, 'where')]));
  const rest = element('details', [element('summary', `Passages it rests on (${passages.length})`), element('ul', passages)]);
  const keys = result.entities.map((entity) => entity.key);
  light(ways.length > 0 ? ways.flat() : withNeighbours(keys));
  return [
    element('p', result.answer, 'text'),
    ...list('Connection', ways.map((way) => way.map(nameOf).join(' → '))),
    ...list('Relations', result.relations.map((r) => r.text)),
    ...(passages.length > 0 ? [rest] : []),
  ];
}

function showGlobal(result) {
  const points = result.points.map((p) => element('li', [element('strong', [dot(p.community), p.title]), ` ${p.text}`]));
  const told = new Set(result.points.map((point) => point.community));
  light(view.graph.nodes.filter((node) => told.has(node.community)).map((node) => node.key));
  const worded = result.prose.by === 'model' || points.length === 0;
  const all = element('ul', points, 'points');
  return worded ? [element('p', result.answer, 'text'), ...(points.length > 0 ? [element('h2', 'Points by community'), all] : [])] : [all];
}

async function ask(mode, question) {
  $('question').value = question;
  $('ask').elements.mode.value = mode;
  const submit = $('ask').querySelector('button');
  submit.disabled = true;
  try {
    const result = await post('/query', { mode, question });
    const parts = mode === 'local' ? showLocal(result) : showGlobal(result);
    if (result.prose.note) parts.splice(1, 0, element('p', result.prose.note, 'where'));
    $('answer').replaceChildren(...parts);
  } catch (error) {
    $('answer').replaceChildren(element('p', error.message, 'error'));
  } finally {
    submit.disabled = false;
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

// Documents.

/** Read everything anew after a change. What the change brought into the graph is lit, with what it is joined to. */
async function changed() {
  const before = new Set(view.graph.nodes.map((node) => node.key));
  await refresh();
  light(withNeighbours(view.graph.nodes.map((node) => node.key).filter((key) => !before.has(key))));
}

$('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  const title = $('title').value.trim();
  try {
    const added = await post('/documents', { text: $('text').value, format: 'markdown', ...(title ? { title } : {}) });
    say($('added'), `Added “${added.title}”: ${count(added.passages, 'passage')}.`);
    $('add').reset();
    await changed();
  } catch (error) {
    say($('added'), error.message, true);
  }
});

async function remove(id) {
  try {
    const { title, text, format } = await call(`/documents/${id}`);
    await call(`/documents/${id}`, { method: 'DELETE' });
    say($('removed'), `Removed “${title}”. `);
    $('removed').append(button('Undo', '', () => restore({ title, text, format })));
    await changed();
    $('removed').querySelector('button')?.focus();
  } catch (error) {
    say($('removed'), error.message, true);
  }
}

async function restore(document) {
  try {
    await post('/documents', document);
    say($('removed'), `“${document.title}” is back.`);
    await changed();
  } catch (error) {
    say($('removed'), error.message, true);
  }
}

function showDocuments(documents) {
  const items = documents.slice(0, MAX_LISTED).map(({ id, title, passages }) => {
    const about = element('span', [title, ' ', element('span', count(passages, 'passage'), 'where')]);
    return element('li', [about, button('Remove', `Remove “${title}”`, () => remove(id))]);
  });
  if (documents.length > MAX_LISTED) items.push(element('li', `and ${documents.length - MAX_LISTED} more`, 'where'));
  $('documents').replaceChildren(...items);
  $('documents-count').textContent = `Documents (${documents.length})`;
}

function showCommunities(communities) {
  const items = communities.slice(0, LEGEND).map(({ id, title, members }) => {
    const made = button([dot(id), element('span', title)], '', () => {
      const again = made.getAttribute('aria-pressed') === 'true';
      light(again ? [] : members.map((member) => member.key), again ? null : made);
    });
    made.setAttribute('aria-pressed', 'false');
    return element('li', made);
  });
  $('communities').replaceChildren(...items);
  $('communities').hidden = items.length === 0;
}

async function refresh() {
  const [health, { documents }, { communities }] = await Promise.all([call('/health'), call('/documents'), call('/communities')]);
  const { entities, relations } = health;
  const counts = [[documents.length, 'document'], [entities, 'entity'], [relations, 'relation'], [communities.length, 'community']];
  say($('status'), counts.map(([n, one]) => count(n, one)).join(', '));
  showDocuments(documents);
  showCommunities(communities); // before the graph, which gets the room that is left
  view.show(await call('/graph'));
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
  say($('status'), error.message, true);
}
