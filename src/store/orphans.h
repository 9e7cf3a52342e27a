/* Files without a row. Internal to store/. */
#ifndef VARVE_STORE_ORPHANS_H
#define VARVE_STORE_ORPHANS_H

#include "store/store.h"

/* Paths (relative to the root) below layers, blobs/sha256 and logs without a row. Inside a write
 * transaction, so that nothing is being moved in. NULL if the database cannot be read. */
GPtrArray *orphans_list(struct store *s, GError **err);
/* Moves paths aside and adds them to tally (may be NULL); what cannot be moved is removed in place.
 * Inside a write transaction. Returns the directory they were moved to (for store_tmp_discard()
 * outside the transaction), or NULL. */
struct tally;
char *orphans_trash(struct store *s, GPtrArray *paths, struct tally *tally);
/* Abandoned downloads: all, or only those older than a day. */
guint64 partials_sweep(struct store *s, gboolean all, gboolean dry_run, guint64 *bytes);
/* Stat caches unused for a month. */
void statcache_sweep(struct store *s);

#endif
