// GitHub's own client of its cache, as an independent reader and writer of cacheservice.py.
//
// usage: node actionscache.mjs MODULES save|restore KEY PATH [RESTORE_KEY]…
//        node actionscache.mjs MODULES entry PREFIX VERSION
//
// Prints the key that was found or saved, or "none"; entry: the newest entry whose key begins with PREFIX, and the
// first line of its bytes. The service and its token are in the environment, as in a
// workflow: ACTIONS_RESULTS_URL, ACTIONS_RUNTIME_TOKEN, ACTIONS_CACHE_SERVICE_V2, RUNNER_TEMP, GITHUB_WORKSPACE.
import { pathToFileURL } from 'node:url';

const [modules, verb, key, path, ...restore] = process.argv.slice(2);
const library = name => import(pathToFileURL(`${modules}/node_modules/@actions/cache/lib/${name}.js`));
const cache = await library('cache');
if (verb === 'save') {
  const id = await cache.saveCache([path], key);
  console.log(id > 0 ? key : 'none');
} else if (verb === 'entry') {
  const { internalCacheTwirpClient } = await library('internal/shared/cacheTwirpClient');
  const found = await internalCacheTwirpClient().GetCacheEntryDownloadURL({ key, restoreKeys: [key], version: path });
  const text = found.ok ? await (await fetch(found.signedDownloadUrl)).text() : '';
  console.log(found.ok ? `${found.matchedKey} ${text.split('\n')[0]}` : 'none');
} else {
  console.log((await cache.restoreCache([path], key, restore)) ?? 'none');
}
