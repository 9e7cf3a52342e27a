/* Small files next to the database that are only hints: losing one costs a little work. They are
 * replaced as a whole, and garbage collection removes those no longer needed. */
#ifndef VARVE_STORE_NOTE_H
#define VARVE_STORE_NOTE_H

#include "store/store.h"

/* Where a blob was seen (registry/origin.h has the format). NULL: unknown. Kept as long as a blob,
 * a layer or an image names the digest. */
GBytes *store_origins_load(struct store *s, const struct digest *blob);
/* At most STORE_ORIGINS_MAX bytes, or nothing is done. Failure is not an error for the caller. */
#define STORE_ORIGINS_MAX 8192
void store_origins_save(struct store *s, const struct digest *blob, const void *bytes, gsize len);

/* The command of the last failed build (cli/ has the format); kept for three months. */
#define STORE_FAILED_BUILD_MAX (1u << 20) /* bytes */
/* NULL bytes: the build cannot be repeated. FALSE: it was not saved, and an older one is gone. */
gboolean store_failed_build_save(struct store *s, const void *bytes, gsize len);
/* VARVE_ERROR_NOT_FOUND: none is kept. */
GBytes *store_failed_build_load(struct store *s, GError **err);

#endif
