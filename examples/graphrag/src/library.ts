// The library: the documents, what follows from them, and the questions put to them.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { answerGlobal, answerLocal, type GlobalAnswer, type LocalAnswer } from './answer.js';
import { EXTRACTION_VERSION, extractSentences, joinShortNames } from './extract.js';
import { cutIntoPassages, firstWords, markdownTitle } from './passages.js';
import type { ProseModel } from './prose.js';
import { makeSnapshot, type Snapshot } from './snapshot.js';
import type { DocumentStore } from './store.js';
import type { Document, Format, Passage } from './types.js';

export interface NewDocument {
  title?: string;
  format: Format;
  text: string;
}

/** The same title, format and text are the same document. */
function idOf(title: string, format: Format, text: string): string {
  return createHash('sha256').update(JSON.stringify([title, format, text])).digest('hex').slice(0, 16);
}

function analyse(id: string, title: string, format: Format, text: string): Passage[] {
  const passages = cutIntoPassages(text, format, title).map((block, n) => ({
    id: `${id}#${n}`,
    documentId: id,
    ...block,
    sentences: extractSentences(block.text),
  }));
  joinShortNames(passages.flatMap((passage) => passage.sentences));
  return passages;
}

export class Library {
  private readonly documents = new Map<string, Document>();
  private current: Snapshot | null = null;
  /** Changes happen one after the other; this is the last one. */
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: DocumentStore,
    private readonly maxDocuments: number,
    private readonly model: ProseModel | null,
  ) {}

  /** Read the stored documents. Returns what could not be read. */
  async load(): Promise<string[]> {
    const { documents, damaged } = await this.store.load();
    for (const document of documents) {
      if (document.extraction !== EXTRACTION_VERSION) {
        document.passages = analyse(document.id, document.title, document.format, document.text);
        document.extraction = EXTRACTION_VERSION;
        await this.store.put(document);
      }
      this.documents.set(document.id, document);
    }
    this.current = null;
    return damaged;
  }

  /** Add the text and Markdown files of a folder that are not in the library yet. Returns how many were new. */
  async seed(dir: string): Promise<number> {
    let added = 0;
    for (const name of (await readdir(dir)).sort()) {
      const extension = extname(name).toLowerCase();
      if (extension !== '.md' && extension !== '.txt') continue;
      const text = await readFile(join(dir, name), 'utf8');
      const format = extension === '.md' ? 'markdown' : 'text';
      const title = (format === 'markdown' ? markdownTitle(text) : null) ?? basename(name, extname(name));
      if ((await this.add({ title, format, text }))?.created) added += 1;
    }
    return added;
  }

  /** Add a document. Returns null when the library is full. */
  add(input: NewDocument): Promise<{ document: Document; created: boolean } | null> {
    return this.inOrder(async () => {
      const derived = input.format === 'markdown' ? markdownTitle(input.text) : null;
      const title = input.title ?? derived ?? firstWords(input.text);
      const id = idOf(title, input.format, input.text);
      const known = this.documents.get(id);
      if (known) return { document: known, created: false };
      if (this.documents.size >= this.maxDocuments) return null;
      const document: Document = {
        id,
        title,
        format: input.format,
        text: input.text,
        added: new Date().toISOString(),
        extraction: EXTRACTION_VERSION,
        passages: analyse(id, title, input.format, input.text),
      };
      await this.store.put(document);
      this.documents.set(id, document);
      this.current = null;
      return { document, created: true };
    });
  }

  /** Remove a document. Returns false when there is none with this id. */
  remove(id: string): Promise<boolean> {
    return this.inOrder(async () => {
      if (!this.documents.has(id)) return false;
      await this.store.remove(id);
      this.documents.delete(id);
      this.current = null;
      return true;
    });
  }

  get(id: string): Document | undefined {
    return this.documents.get(id);
  }

  list(): Document[] {
    return [...this.documents.values()].sort((a, b) => (a.title < b.title ? -1 : 1));
  }

  snapshot(): Snapshot {
    this.current ??= makeSnapshot(this.documents);
    return this.current;
  }

  ask(mode: 'local', question: string, limit: number): Promise<LocalAnswer>;
  ask(mode: 'global', question: string, limit: number): Promise<GlobalAnswer>;
  ask(mode: 'local' | 'global', question: string, limit: number): Promise<LocalAnswer | GlobalAnswer>;
  ask(mode: 'local' | 'global', question: string, limit: number): Promise<LocalAnswer | GlobalAnswer> {
    const answer = mode === 'local' ? answerLocal : answerGlobal;
    return answer(this.snapshot(), question, limit, this.model);
  }

  /** Wait until no change is under way. */
  async settle(): Promise<void> {
    await this.queue;
  }

  private inOrder<T>(change: () => Promise<T>): Promise<T> {
    const result = this.queue.then(change);
    this.queue = result.catch(() => undefined); // The caller gets the error; the next change still runs.
    return result;
  }
}
