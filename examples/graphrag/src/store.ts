// Documents on disk: DATA_DIR/documents/<id>.json, one file each. A file is written beside
// its place, flushed and renamed, so a crash leaves the old document or the new one.
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Document } from './types.js';

export interface Loaded {
  documents: Document[];
  /** Files that could not be read, with the reason. They are left as they are. */
  damaged: string[];
}

export class DocumentStore {
  private readonly dir: string;

  constructor(dataDir: string) {
    this.dir = join(dataDir, 'documents');
  }

  /** Make the directory, remove what a crash left half written, and read every document. */
  async load(): Promise<Loaded> {
    await mkdir(this.dir, { recursive: true });
    const loaded: Loaded = { documents: [], damaged: [] };
    for (const name of (await readdir(this.dir)).sort()) {
      if (name.endsWith('.tmp')) await rm(join(this.dir, name));
      else if (name.endsWith('.json')) await this.loadOne(name, loaded);
    }
    return loaded;
  }

  async put(document: Document): Promise<void> {
    const path = this.pathOf(document.id);
    const temporary = `${path}.tmp`;
    const file = await open(temporary, 'w', 0o644);
    try {
      await file.writeFile(JSON.stringify(document));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await this.syncDirectory();
  }

  async remove(id: string): Promise<void> {
    await rm(this.pathOf(id), { force: true });
    await this.syncDirectory();
  }

  private pathOf(id: string): string {
    return join(this.dir, `${id}.json`);
  }

  private async loadOne(name: string, loaded: Loaded): Promise<void> {
    try {
      const document = JSON.parse(await readFile(join(this.dir, name), 'utf8')) as Document;
      if (`${document.id}.json` !== name || typeof document.text !== 'string') throw new Error('not a document');
      loaded.documents.push(document);
    } catch (error) {
      loaded.damaged.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async syncDirectory(): Promise<void> {
    const dir = await open(this.dir, 'r');
    try {
      await dir.sync();
    } finally {
      await dir.close();
    }
  }
}
