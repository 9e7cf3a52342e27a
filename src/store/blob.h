/* Blobs: content-addressed files in blobs/sha256. */
#ifndef VARVE_STORE_BLOB_H
#define VARVE_STORE_BLOB_H

#include "store/store.h"

/* TRUE when the blob is present; *size (may be NULL) is set. Also FALSE if the lookup fails. */
gboolean store_blob_has(struct store *s, const struct digest *d, guint64 *size);
/* The same for callers that must know: FALSE only on error. */
gboolean store_blob_look(struct store *s, const struct digest *d, gboolean *has, guint64 *size,
                         GError **err);
/* Opens for reading; VARVE_ERROR_NOT_FOUND when absent. -1 on error. */
int store_blob_open(struct store *s, const struct digest *d, GError **err);
/* Reads a small one (manifest, config) whole, at most max bytes, and checks its digest: a damaged
 * one is VARVE_ERROR_INVALID. */
GBytes *store_blob_read(struct store *s, const struct digest *d, gsize max, GError **err);
/* Stores bytes; *out (may be NULL) gets the digest. */
gboolean store_blob_put(struct store *s, const void *bytes, gsize len, struct digest *out,
                        GError **err);
gboolean store_blob_delete(struct store *s, const struct digest *d, GError **err);

/* A blob being received. With resume, an interrupted download of the same expected digest by an
 * earlier process is continued: *have says how many bytes are already there (they were hashed
 * again). */
struct blob_writer;
struct blob_writer *blob_writer_new(struct store *s, GError **err);
struct blob_writer *blob_writer_resume(struct store *s, const struct digest *expected,
                                       guint64 *have, GError **err);
gboolean blob_writer_write(struct blob_writer *w, const void *bytes, gsize len, GError **err);
/* Discards what was written (for a server that ignores Range). */
gboolean blob_writer_restart(struct blob_writer *w, GError **err);
guint64 blob_writer_size(const struct blob_writer *w);
/* Verifies against expected (may be NULL), renames in and writes the row. On a mismatch nothing is
 * kept and the error is VARVE_ERROR_INVALID naming both digests. Frees w in every case. */
gboolean blob_writer_commit(struct blob_writer *w, const struct digest *expected,
                            struct digest *out, GError **err);
/* Frees w; with keep, a resumable part stays for the next try. NULL is fine. */
void blob_writer_abort(struct blob_writer *w, gboolean keep);

#endif
