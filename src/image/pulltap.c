#include "image/pulltap.h"

#include "base/error.h"
#include "base/work.h"
#include "layer/ring.h"

#define RING_BYTES (1024 * 1024)

struct pulltap {
    struct blob_tap tap; /* first: what the source is given */
    struct blob_source *source;
    const struct descriptor *d;
    struct ring *bytes;
    GThread *thread; /* NULL: not begun, or joined */
    GError *err;     /* of the fetch; the thread's until joined */
    guint64 at;      /* bytes passed on so far; the thread's */
    gboolean closed; /* the reader has left, or bytes are missing; the thread's */
};

/* Passes on what is new. Where bytes are missing (those of an earlier, interrupted fetch lie in the
 * store), the stream cannot go on. */
static void on_bytes(struct blob_tap *self, guint64 offset, const void *bytes, gsize len)
{
    struct pulltap *p = (struct pulltap *)self;
    if (p->closed || offset + len <= p->at)
        return;
    if (offset > p->at) {
        p->closed = TRUE;
        ring_end(p->bytes,
                 g_error_new(VARVE_ERROR, VARVE_ERROR_FAILED, "the first bytes came earlier"));
        return;
    }
    gsize known = (gsize)(p->at - offset);
    p->closed = !ring_write(p->bytes, (const guint8 *)bytes + known, len - known);
    p->at = offset + len;
}

static gpointer fetch_main(gpointer data)
{
    struct pulltap *p = data;
    p->source->fetch_tapped(p->source, p->d, &p->tap, &p->err);
    GError *why = p->err ? g_error_copy(p->err) : NULL;
    /* Another process may have fetched it while we waited: then no bytes came, and the blob is
     * there. */
    if (!why && p->at < p->d->size)
        why = g_error_new(VARVE_ERROR, VARVE_ERROR_FAILED, "the bytes came by another way");
    ring_end(p->bytes, why);
    return NULL;
}

struct pulltap *pulltap_new(struct blob_source *src, const struct descriptor *d)
{
    struct pulltap *p = g_new0(struct pulltap, 1);
    p->tap.bytes = on_bytes;
    p->source = src;
    p->d = d;
    p->bytes = ring_new(RING_BYTES);
    return p;
}

gssize pulltap_read(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct pulltap *p = ctx;
    if (!p->thread && !(p->thread = work_thread("varve-fetch", fetch_main, p, err)))
        return -1;
    return ring_read(p->bytes, buf, len, err);
}

gboolean pulltap_finish(struct pulltap *p, GError **err)
{
    if (!p->thread)
        return TRUE;
    ring_leave(p->bytes);
    g_thread_join(g_steal_pointer(&p->thread));
    if (!p->err)
        return TRUE;
    g_propagate_error(err, g_steal_pointer(&p->err));
    return FALSE;
}

void pulltap_free(struct pulltap *p)
{
    if (!p)
        return;
    pulltap_finish(p, NULL);
    ring_free(p->bytes);
    g_free(p);
}
