/* Entries of cache-from, cache-to, output, secret, ssh and attest as users write them in one text,
 * "type=registry,ref=x", as `docker buildx build` takes them on its command line. */
#ifndef VARVE_BAKE_BAKECSV_H
#define VARVE_BAKE_BAKECSV_H

#include "bake/target.h"

/* Appends to entries (bake_entries_new()) what text says as an entry of attribute id. A cache-from
 * of names without type= is one entry for each; an output that is only a path is type=local. FALSE
 * with VARVE_ERROR_INVALID. */
gboolean bakecsv_entry(GPtrArray *entries, enum bake_attr_id id, const char *text, GError **err);
/* "id=path,path" appended to list (bake_sshs_new()). */
gboolean bakecsv_ssh(GPtrArray *list, const char *text, GError **err);
/* An entry that was written as an object: takes it, completes (type from what else is there) and
 * checks it, and appends it to entries. */
gboolean bakecsv_object(GPtrArray *entries, enum bake_attr_id id, GHashTable *entry, GError **err);

#endif
