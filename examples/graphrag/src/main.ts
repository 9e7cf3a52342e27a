// Start the service; on SIGTERM or SIGINT finish what is under way and end.
import { readConfig } from './config.js';
import { Library } from './library.js';
import { ProseModel } from './prose.js';
import { buildServer } from './server.js';
import { DocumentStore } from './store.js';

const SHUTDOWN_MS = 8000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const model = config.prose === null ? null : new ProseModel(config.prose);
  const library = new Library(new DocumentStore(config.dataDir), config.maxDocuments, model);
  const damaged = await library.load();
  const seeded = config.seedDir === null ? 0 : await library.seed(config.seedDir);
  library.snapshot(); // Built now, so that the first question is as fast as the next.

  const app = await buildServer(config, library, damaged);
  for (const file of damaged) app.log.error(`cannot read a stored document, left as it is: ${file}`);
  await app.listen({ host: config.host, port: config.port });
  app.log.info(`${library.list().length} documents, ${seeded} of them new from the seed folder`);

  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    app.log.info(`${signal}: finishing open requests`);
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
    app
      .close()
      .then(() => library.settle())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  console.error(`graphrag: cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
