#include "layer/ring.h"

#include <string.h>

/* No single reservation takes more than this share of the ring, so that reader and writer overlap.
 */
#define SHARES 8

struct ring {
    guint8 *bytes;
    gsize size;
    GMutex lock;
    GCond changed;    /* either side waits here; they never wait at the same time */
    guint64 written;  /* bytes committed since the start */
    guint64 consumed; /* bytes consumed since the start */
    gboolean ended;   /* no more will be written */
    gboolean left;    /* no more will be read */
    GError *err;      /* how it ended */
};

struct ring *ring_new(gsize size)
{
    struct ring *r = g_new0(struct ring, 1);
    r->bytes = g_malloc(size);
    r->size = size;
    g_mutex_init(&r->lock);
    g_cond_init(&r->changed);
    return r;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    g_mutex_clear(&r->lock);
    g_cond_clear(&r->changed);
    g_clear_error(&r->err);
    g_free(r->bytes);
    g_free(r);
}

guint8 *ring_reserve(struct ring *r, gsize *len)
{
    g_mutex_lock(&r->lock);
    while (!r->left && r->written - r->consumed == r->size)
        g_cond_wait(&r->changed, &r->lock);
    gsize at = r->written % r->size;
    gsize room = r->size - (r->written - r->consumed);
    gboolean left = r->left;
    g_mutex_unlock(&r->lock);
    *len = MIN(MIN(room, r->size - at), MAX(r->size / SHARES, 1));
    return left ? NULL : r->bytes + at;
}

void ring_commit(struct ring *r, gsize len)
{
    g_mutex_lock(&r->lock);
    r->written += len;
    g_cond_signal(&r->changed);
    g_mutex_unlock(&r->lock);
}

gboolean ring_write(struct ring *r, const void *bytes, gsize len)
{
    const guint8 *p = bytes;
    while (len) {
        gsize room;
        guint8 *to = ring_reserve(r, &room);
        if (!to)
            return FALSE;
        gsize n = MIN(room, len);
        memcpy(to, p, n);
        ring_commit(r, n);
        p += n;
        len -= n;
    }
    return TRUE;
}

void ring_end(struct ring *r, GError *err)
{
    g_mutex_lock(&r->lock);
    if (r->ended)
        g_clear_error(&err);
    else
        r->err = err;
    r->ended = TRUE;
    g_cond_signal(&r->changed);
    g_mutex_unlock(&r->lock);
}

const guint8 *ring_peek(struct ring *r, gsize *len, GError **err)
{
    g_mutex_lock(&r->lock);
    while (r->written == r->consumed && !r->ended)
        g_cond_wait(&r->changed, &r->lock);
    gsize at = r->consumed % r->size;
    gsize there = r->written - r->consumed;
    GError *failed = !there && r->err ? g_error_copy(r->err) : NULL;
    g_mutex_unlock(&r->lock);
    *len = MIN(there, r->size - at);
    if (!failed)
        return r->bytes + at;
    g_propagate_error(err, failed);
    return NULL;
}

void ring_consume(struct ring *r, gsize len)
{
    g_mutex_lock(&r->lock);
    r->consumed += len;
    g_cond_signal(&r->changed);
    g_mutex_unlock(&r->lock);
}

gssize ring_read(gpointer ctx, void *buf, gsize len, GError **err)
{
    gsize there;
    const guint8 *p = ring_peek(ctx, &there, err);
    if (!p)
        return -1;
    gsize n = MIN(there, len);
    memcpy(buf, p, n);
    ring_consume(ctx, n);
    return (gssize)n;
}

void ring_leave(struct ring *r)
{
    g_mutex_lock(&r->lock);
    r->left = TRUE;
    g_cond_signal(&r->changed);
    g_mutex_unlock(&r->lock);
}
