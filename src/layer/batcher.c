#include "layer/batcher.h"

#include <string.h>

static void push_batch(struct batcher *b)
{
    if (!b->batch || !b->batch->len)
        return;
    b->total += b->batch->len;
    b->batch = NULL;
    pipeline_push(b->pipe);
    if (b->progress)
        b->progress(b->ctx, b->total);
}

/* FNV-1a, with a final mix so that the high bits depend on every byte. */
static guint32 path_hash(const char *path)
{
    guint64 h = G_GUINT64_CONSTANT(14695981039346656037);
    for (; *path; path++)
        h = (h ^ (guint8)*path) * G_GUINT64_CONSTANT(1099511628211);
    h ^= h >> 33;
    h *= G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
    return (guint32)(h >> 32);
}

static gboolean boundary(struct tar_sink *sink, const char *path, guint64 bytes, GError **err)
{
    struct batcher *b = (struct batcher *)sink;
    gboolean large = bytes > MEMBER_TARGET;
    guint64 chance = (MIN(b->previous, MEMBER_TARGET) << 32) / MEMBER_TARGET;
    gboolean full = b->batch && b->batch->len + bytes > MEMBER_MAX;
    gboolean wanted = b->batch && b->batch->len >= MEMBER_MIN && path_hash(path) < chance;
    if (large || b->large || full || wanted)
        push_batch(b);
    b->large = large;
    b->previous = bytes;
    return TRUE;
}

/* Only large entries run over a member's target here; others were cut between entries. Without
 * boundaries (another's tar) members have their target size. */
static gboolean write_bytes(struct tar_sink *sink, const void *bytes, gsize len, GError **err)
{
    struct batcher *b = (struct batcher *)sink;
    const guint8 *p = bytes;
    while (len) {
        gsize limit = b->large ? MEMBER_TARGET : MEMBER_MAX;
        if (b->batch && b->batch->len == limit)
            push_batch(b);
        if (!b->batch && !(b->batch = pipeline_batch(b->pipe, err)))
            return FALSE;
        gsize n = MIN(len, limit - b->batch->len);
        g_byte_array_append(b->batch, p, (guint)n);
        p += n;
        len -= n;
    }
    return TRUE;
}

void batcher_init(struct batcher *b, struct pipeline *p)
{
    memset(b, 0, sizeof *b);
    b->sink = (struct tar_sink){write_bytes, boundary};
    b->pipe = p;
    b->large = TRUE;
}

void batcher_finish(struct batcher *b)
{
    push_batch(b);
}
