/* Small files beside the database that are only hints: losing one costs a little work. They are
 * replaced whole, and garbage collection removes those that nothing needs any more. */
#ifndef VARVE_STORE_NOTE_H
#define VARVE_STORE_NOTE_H

#include "store/store.h"

/* Where a blob was seen (registry/origin.h has the format). NULL: nothing is known. It stays as
 * long as a blob, a layer or an image names the digest. */
GBytes *store_origins_load(struct store *s, const struct digest *blob);
/* At most STORE_ORIGINS_MAX bytes, or nothing is done. Failure is no error for the caller. */
#define STORE_ORIGINS_MAX 8192
void store_origins_save(struct store *s, const struct digest *blob, const void *bytes, gsize len);

/* What was called when a build failed last (cli/ has the format); stays for three months. */
#define STORE_FAILED_BUILD_MAX (1u << 20) /* bytes */
/* NULL bytes: there is nothing to be called again. FALSE: it is not kept, and no older one is. */
gboolean store_failed_build_save(struct store *s, const void *bytes, gsize len);
/* VARVE_ERROR_NOT_FOUND: none is kept. */
GBytes *store_failed_build_load(struct store *s, GError **err);

#endif
