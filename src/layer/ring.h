/* A bounded stream of bytes from one thread to another, without copies on either side: the writer
 * reserves space and commits what it filled, the reader peeks at what is available and consumes it.
 */
#ifndef VARVE_LAYER_RING_H
#define VARVE_LAYER_RING_H

#include <glib.h>

struct ring;
struct ring *ring_new(gsize size);
/* Both threads must be done with it. NULL is fine. */
void ring_free(struct ring *r);

/* Waits for space and returns its start, *len (at least 1) its length. NULL once the reader has
 * left. */
guint8 *ring_reserve(struct ring *r, gsize *len);
void ring_commit(struct ring *r, gsize len);
/* Copies all of bytes in. FALSE once the reader has left. */
gboolean ring_write(struct ring *r, const void *bytes, gsize len);
/* Ends the stream, successfully (err NULL) or with an error, which the reader gets after the bytes
 * before it. Takes err. */
void ring_end(struct ring *r, GError *err);

/* Waits for bytes. Returns their start, *len their number; *len is 0 at the end, NULL with *err
 * when the writer failed. */
const guint8 *ring_peek(struct ring *r, gsize *len, GError **err);
void ring_consume(struct ring *r, gsize len);
/* Like read(2), for a decompress_read_fn: ctx is the ring. */
gssize ring_read(gpointer ctx, void *buf, gsize len, GError **err);
/* The reader needs no more: the writer stops waiting. */
void ring_leave(struct ring *r);

typedef struct ring ring;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ring, ring_free)

#endif
