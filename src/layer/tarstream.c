#include "layer/tarstream.h"

#include "base/error.h"
#include "base/work.h"

#include <string.h>

#define RING_BYTES (4 * 1024 * 1024)
#define MAX_TAR (G_GUINT64_CONSTANT(80) << 30)

static gboolean inflate_all(struct tarstream *t, struct hasher *h, GError **err)
{
    guint64 total = 0;
    for (;;) {
        gsize room;
        guint8 *p = ring_reserve(t->between, &room);
        if (!p)
            return TRUE; /* the reader has left, with its own reason */
        if (!work_check(err))
            return FALSE;
        gssize n = decompress_read(t->from, p, room, err);
        if (n <= 0)
            return n == 0;
        hasher_update(h, p, (gsize)n);
        ring_commit(t->between, (gsize)n);
        total += (guint64)n;
        if (total > MAX_TAR)
            return error_set(err, VARVE_ERROR_INVALID, "the archive unpacks to more than %d GiB",
                             (int)(MAX_TAR >> 30));
    }
}

static gpointer inflate_main(gpointer p)
{
    struct tarstream *t = p;
    g_autoptr(hasher) h = hasher_new();
    GError *err = NULL;
    inflate_all(t, h, &err);
    hasher_final(h, &t->diff_id);
    ring_end(t->between, err);
    return NULL;
}

gboolean tarstream_start(struct tarstream *t, struct decompress *d, GError **err)
{
    memset(t, 0, sizeof *t);
    t->from = d;
    t->between = ring_new(RING_BYTES);
    t->thread = work_thread("varve-inflate", inflate_main, t, err);
    if (!t->thread) {
        ring_free(t->between);
        return FALSE;
    }
    t->reader = tarreader_new(t->between);
    return TRUE;
}

void tarstream_stop(struct tarstream *t)
{
    ring_leave(t->between);
    g_thread_join(t->thread);
    tarreader_free(t->reader);
    ring_free(t->between);
}
