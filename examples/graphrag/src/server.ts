// The HTTP interface. Every error is {"error":{"code","message"}} with a fitting status.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import type { Config } from './config.js';
import { neighbours, strength, type KnowledgeGraph } from './graph.js';
import type { Library } from './library.js';
import { complaint, documentBody, documentQuery, graphQuery, queryBody } from './schemas.js';
import type { Document, Format } from './types.js';

class ApiError extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const PAGE_FILES: [route: string, file: string, type: string][] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/app.js', 'app.js', 'text/javascript; charset=utf-8'],
  ['/graph.js', 'graph.js', 'text/javascript; charset=utf-8'],
  ['/layout.js', 'layout.js', 'text/javascript; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
];

const CODES: Record<number, string> = { 400: 'bad_request', 404: 'not_found', 413: 'too_large', 415: 'unsupported_type' };

interface DocumentInput {
  text: string;
  title?: string;
  format?: Format;
}

function brief(document: Document): object {
  const { id, title, format, added, passages, text } = document;
  return { id, title, format, added, characters: text.length, passages: passages.length };
}

function graphView(graph: KnowledgeGraph, keys: string[]): object {
  const chosen = new Set(keys);
  const nodes = keys.map((key) => {
    const { name, type, mentions, community } = graph.getNodeAttributes(key);
    return { key, name, type, mentions, community, strength: strength(graph, key) };
  });
  const edges: object[] = [];
  graph.forEachEdge((_edge, { weight, relations }, source, target) => {
    if (chosen.has(source) && chosen.has(target)) edges.push({ source, target, weight, relations });
  });
  return { nodes, edges, total: { nodes: graph.order, edges: graph.size } };
}

function documentRoutes(app: FastifyInstance, library: Library): void {
  app.get('/documents', () => ({ documents: library.list().map(brief) }));

  app.post<{ Body: DocumentInput | string; Querystring: { title?: string } }>(
    '/documents',
    {
      schema: { querystring: documentQuery },
      preValidation: async (request) => {
        // A text or Markdown body becomes the JSON one, so that one schema checks both.
        if (typeof request.body !== 'string') return;
        const format = /^text\/markdown\b/.test(request.headers['content-type'] ?? '') ? 'markdown' : 'text';
        const { title } = request.query;
        request.body = { text: request.body, format, ...(title === undefined ? {} : { title }) };
      },
      preHandler: async (request) => {
        const check = request.compileValidationSchema(documentBody, 'body');
        if (!check(request.body)) throw new ApiError(400, 'bad_request', complaint('body', check.errors));
      },
    },
    async (request, reply) => {
      const { text, title, format = 'text' } = request.body as DocumentInput;
      const result = await library.add({ text, format, ...(title === undefined ? {} : { title }) });
      if (result === null) throw new ApiError(507, 'library_full', 'the library is full: remove a document first');
      reply.code(result.created ? 201 : 200);
      return brief(result.document);
    },
  );

  app.get<{ Params: { id: string } }>('/documents/:id', (request) => {
    const document = library.get(request.params.id);
    if (!document) throw new ApiError(404, 'not_found', `there is no document "${request.params.id}"`);
    return { ...brief(document), text: document.text };
  });

  app.delete<{ Params: { id: string } }>('/documents/:id', async (request, reply) => {
    if (!(await library.remove(request.params.id)))
      throw new ApiError(404, 'not_found', `there is no document "${request.params.id}"`);
    return reply.code(204).send();
  });
}

function questionRoutes(app: FastifyInstance, library: Library): void {
  app.post<{ Body: { question: string; mode?: 'local' | 'global'; limit?: number } }>(
    '/query',
    { schema: { body: queryBody } },
    (request) => {
      const { question, mode = 'local', limit = 5 } = request.body;
      return library.ask(mode, question, limit);
    },
  );

  app.get<{ Querystring: { entity?: string; limit?: string } }>('/graph', { schema: { querystring: graphQuery } }, (request) => {
    const { graph } = library.snapshot();
    const limit = Number(request.query.limit ?? '120');
    if (request.query.entity !== undefined) {
      const key = request.query.entity.toLowerCase();
      if (!graph.hasNode(key)) throw new ApiError(404, 'not_found', `there is no entity "${request.query.entity}"`);
      return graphView(graph, [key, ...neighbours(graph, key, limit).map((neighbour) => neighbour.key)]);
    }
    const ranked = graph.nodes().map((key) => ({ key, strength: strength(graph, key) }));
    ranked.sort((a, b) => b.strength - a.strength || (a.key < b.key ? -1 : 1));
    return graphView(graph, ranked.slice(0, limit).map((node) => node.key));
  });

  app.get('/communities', () => ({ communities: library.snapshot().communities }));

  app.get<{ Params: { id: string } }>('/communities/:id', (request) => {
    const community = library.snapshot().communities.find(({ id }) => id === request.params.id);
    if (!community) throw new ApiError(404, 'not_found', `there is no community "${request.params.id}"`);
    return community;
  });
}

async function pageRoutes(app: FastifyInstance, publicDir: string): Promise<void> {
  for (const [route, file, type] of PAGE_FILES) {
    const content = await readFile(join(publicDir, file));
    app.get(route, (_request, reply) =>
      reply.type(type).header('content-security-policy', "default-src 'self'").header('cache-control', 'no-cache').send(content),
    );
  }
}

function errorHandling(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status === 500) request.log.error(error);
    const code = error instanceof ApiError ? error.code : (CODES[status] ?? 'internal');
    const message =
      status === 500
        ? 'the request failed; the log says why'
        : error.validation
          ? complaint(error.validationContext ?? 'request', error.validation)
          : error.message;
    return reply.code(status).send({ error: { code, message } });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: { code: 'not_found', message: `there is no ${request.method} ${request.url.split('?')[0]}` } }),
  );
}

/** The service over a loaded library. `damaged` is what the library could not read, for /health. */
export async function buildServer(config: Config, library: Library, damaged: string[]): Promise<FastifyInstance> {
  const app = Fastify({
    logger: config.logLevel === 'silent' ? false : { level: config.logLevel },
    bodyLimit: config.maxBodyBytes,
    forceCloseConnections: 'idle',
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  app.addContentTypeParser(['text/plain', 'text/markdown'], { parseAs: 'string' }, (_request, body, done) => done(null, body));
  errorHandling(app);
  app.get('/health', { logLevel: 'warn' }, () => {
    const { documents, graph, communities } = library.snapshot();
    return {
      status: 'ok',
      documents: documents.size,
      entities: graph.order,
      relations: graph.size,
      communities: communities.length,
      model: config.prose === null ? null : config.prose.model,
      damaged,
      uptime: Math.round(process.uptime()),
    };
  });
  documentRoutes(app, library);
  questionRoutes(app, library);
  await pageRoutes(app, config.publicDir);
  return app;
}
