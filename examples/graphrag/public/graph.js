// The graph in SVG: its nodes are buttons that can be pointed at, dragged, and walked with the
// arrow keys.
import { layout, placeNames, radius } from './layout.js';

const SVG = 'http://www.w3.org/2000/svg';
const COLOURS = 10; // style.css has this many
const PIXELS_PER_NODE = 6000;
const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

const measure = document.createElement('canvas').getContext('2d');

export function colourClass(community) {
  return community === null ? 'c0' : `c${((Number(community.slice(1)) - 1) % COLOURS) + 1}`;
}

/** An SVG element with its attributes. */
export function drawn(tag, attributes = {}, children = []) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function widthOf(node) {
  measure.font = `${node.type === 'concept' ? 'italic' : '600'} 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif`;
  return measure.measureText(node.name).width;
}

export class GraphView {
  /** `choose` is called with a node that was clicked, or null for the ground. */
  constructor(svg, choose) {
    this.svg = svg;
    this.choose = choose;
    this.graph = { nodes: [], edges: [] };
    this.nodes = []; // those of the graph that there is room for
    this.edges = [];
    this.keys = []; // what is asked to be lit, and what of it is shown
    this.lit = new Set();
    this.current = null;
    svg.addEventListener('keydown', (event) => this.keyPressed(event));
    svg.addEventListener('click', (event) => event.target === svg && choose(null));
    new ResizeObserver(() => requestAnimationFrame(() => this.place())).observe(svg);
  }

  room() {
    return { width: this.svg.clientWidth, height: this.svg.clientHeight };
  }

  /** How many of the nodes there is room for. */
  capacity() {
    const { width, height } = this.room();
    return Math.min(this.graph.nodes.length, Math.max(20, Math.round((width * height) / PIXELS_PER_NODE)));
  }

  show(graph) {
    this.graph = graph;
    this.nodes = [];
    this.size = null;
    this.keys = [];
    this.place();
  }

  /** Make the parts of the strongest nodes and of what joins them. */
  build() {
    this.nodes = this.graph.nodes.slice(0, this.capacity()).map((node) => ({ ...node, r: radius(node), edges: [] }));
    const byKey = new Map(this.nodes.map((node) => [node.key, node]));
    this.edges = this.graph.edges
      .map((edge) => ({ ...edge, a: byKey.get(edge.source), b: byKey.get(edge.target) }))
      .filter(({ a, b }) => a && b);
    for (const edge of this.edges) for (const node of [edge.a, edge.b]) node.edges.push(edge);
    for (const edge of this.edges) edge.line = this.lineOf(edge);
    for (const node of this.nodes) Object.assign(node, { dot: this.dotOf(node), label: this.labelOf(node) });
    this.svg.replaceChildren(
      drawn('g', { 'aria-hidden': 'true' }, this.edges.map((edge) => edge.line)),
      drawn('g', {}, this.nodes.map((node) => node.dot)),
      drawn('g', { 'aria-hidden': 'true', class: 'names' }, this.nodes.map((node) => node.label)),
    );
    this.makeCurrent(this.nodes[0] ?? null);
  }

  lineOf({ a, b, weight }) {
    const width = Math.min(4, 0.6 + weight * 0.35).toFixed(2);
    return drawn('line', { class: a.community === b.community ? colourClass(a.community) : 'between', 'stroke-width': width });
  }

  dotOf(node) {
    const others = `${node.edges.length} ${node.edges.length === 1 ? 'bond' : 'bonds'}`;
    const dot = drawn('g', {
      class: `node ${colourClass(node.community)}`,
      role: 'button',
      tabindex: '-1',
      'aria-label': `${node.name}, ${node.type}, ${others}`,
    });
    dot.append(drawn('circle', { r: node.r.toFixed(1) }));
    const pointed = (is) => () => node.label.classList.toggle('pointed', is);
    dot.addEventListener('pointerenter', pointed(true));
    dot.addEventListener('pointerleave', pointed(false));
    dot.addEventListener('focus', pointed(true));
    dot.addEventListener('blur', pointed(false));
    dot.addEventListener('pointerdown', (event) => this.drag(node, event));
    return dot;
  }

  labelOf(node) {
    const label = drawn('text', { class: node.type === 'concept' ? 'concept' : '' });
    label.textContent = node.name;
    return label;
  }

  /** Lay the graph out anew, when the room has changed. */
  place() {
    const room = this.room();
    if (room.width < 50 || room.height < 50) return;
    if (this.size?.width === room.width && this.size?.height === room.height) return;
    const first = this.size === null;
    this.size = room;
    if (first || this.nodes.length !== this.capacity()) this.build();
    const places = layout(this.nodes, this.edges, room, widthOf);
    this.nodes.forEach((node, i) => Object.assign(node, places[i]));
    this.nodes.forEach((node) => this.draw(node));
    this.light(this.keys);
  }

  draw(node) {
    node.dot.setAttribute('transform', `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})`);
    this.drawLabel(node);
    for (const { a, b, line } of node.edges) {
      const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, (value ?? 0).toFixed(1));
    }
  }

  drawLabel(node) {
    const left = node.x + node.r + 4 + widthOf(node) > this.room().width;
    const at = node.named ?? { x: left ? -node.r - 4 - widthOf(node) : node.r + 4, y: 0 };
    node.label.setAttribute('x', (node.x + at.x).toFixed(1));
    node.label.setAttribute('y', (node.y + at.y).toFixed(1));
    node.label.classList.toggle('nameless', !node.named);
  }

  /** Give names to the nodes, to those that are lit first. */
  name() {
    if (!this.size) return;
    const rank = (node) => node.strength + (this.lit.has(node.key) ? 1000 : 0);
    placeNames(this.nodes, this.nodes, this.size, widthOf, rank).forEach((named, i) => {
      this.nodes[i].named = named;
      this.drawLabel(this.nodes[i]);
    });
  }

  /** Show some nodes and what joins them brighter than the rest; none: all alike. */
  light(keys) {
    this.keys = keys;
    this.lit = new Set(keys.filter((key) => this.nodes.some((node) => node.key === key)));
    const is = ({ key }) => this.lit.has(key);
    this.svg.classList.toggle('some', this.lit.size > 0);
    for (const node of this.nodes) for (const part of [node.dot, node.label]) part.classList.toggle('lit', is(node));
    for (const { a, b, line } of this.edges) line.classList.toggle('lit', is(a) && is(b));
    this.name();
  }

  makeCurrent(node) {
    this.current?.dot.setAttribute('tabindex', '-1');
    this.current = node;
    node?.dot.setAttribute('tabindex', '0');
  }

  keyPressed(event) {
    if (!this.current) return;
    const direction = DIRECTIONS[event.key];
    if (direction) {
      this.makeCurrent(this.neighbourIn(direction) ?? this.current);
      this.current.dot.focus();
    } else if (event.key === 'Enter' || event.key === ' ') this.choose(this.current);
    else if (event.key === 'Escape') this.choose(null);
    else return;
    event.preventDefault();
  }

  /** The node that lies next in a direction; what lies askew counts as farther away. */
  neighbourIn([dx, dy]) {
    const far = ({ x, y }) => {
      const ahead = (x - this.current.x) * dx + (y - this.current.y) * dy;
      const askew = Math.abs((x - this.current.x) * dy + (y - this.current.y) * dx);
      return ahead > 0 && askew < 2 * ahead ? ahead + 2 * askew : Infinity;
    };
    const [next] = this.nodes.filter((node) => node !== this.current).sort((a, b) => far(a) - far(b));
    return next && far(next) < Infinity ? next : null;
  }

  drag(node, down) {
    const from = { x: node.x - down.clientX, y: node.y - down.clientY };
    let moved = false;
    const move = ({ clientX, clientY }) => {
      moved ||= Math.hypot(clientX - down.clientX, clientY - down.clientY) > 4;
      if (!moved) return;
      Object.assign(node, { x: clientX + from.x, y: clientY + from.y });
      this.draw(node);
    };
    const up = () => {
      node.dot.removeEventListener('pointermove', move);
      this.makeCurrent(node);
      if (moved) this.name();
      else this.choose(node);
    };
    node.dot.setPointerCapture(down.pointerId);
    node.dot.addEventListener('pointermove', move);
    node.dot.addEventListener('pointerup', up, { once: true });
    node.dot.addEventListener('pointercancel', () => node.dot.removeEventListener('pointermove', move), { once: true });
  }
}
