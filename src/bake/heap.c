#include "bake/heap.h"

#include "base/error.h"

struct heap *heap_new(void)
{
    struct heap *h = g_new0(struct heap, 1);
    h->arena = arena_new();
    h->max_bytes = HEAP_MAX_BYTES;
    h->max_steps = HEAP_MAX_STEPS;
    return h;
}

void heap_free(struct heap *h)
{
    if (!h)
        return;
    arena_free(h->arena);
    g_free(h);
}

gpointer heap_alloc(struct heap *h, gsize size)
{
    h->bytes += MIN(size, G_MAXSIZE / 4 - h->bytes);
    h->over |= h->bytes > h->max_bytes;
    return arena_alloc(h->arena, size);
}

static gboolean heap_fail(struct heap *h, GError **err)
{
    h->over = TRUE;
    error_set(err, VARVE_ERROR_INVALID,
              "the evaluation takes too %s: more than %" G_GSIZE_FORMAT " %s",
              h->steps > h->max_steps ? "long" : "much memory",
              h->steps > h->max_steps ? (gsize)h->max_steps : h->max_bytes >> 20,
              h->steps > h->max_steps ? "steps" : "MiB");
    return FALSE;
}

gboolean heap_reserve(struct heap *h, gsize size, GError **err)
{
    if (h->over || h->bytes > h->max_bytes || size > h->max_bytes - h->bytes)
        return heap_fail(h, err);
    return TRUE;
}

gboolean heap_reserve_string(struct heap *h, gsize len, GError **err)
{
    if (len <= HEAP_MAX_STRING)
        return heap_reserve(h, len, err);
    h->over = TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "a string would be longer than %u MiB",
                     (guint)(HEAP_MAX_STRING >> 20));
}

gboolean heap_step(struct heap *h, guint64 n, GError **err)
{
    h->steps += n;
    if (h->over || h->steps > h->max_steps || h->bytes > h->max_bytes)
        return heap_fail(h, err);
    return TRUE;
}
