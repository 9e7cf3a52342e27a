#include "bake/heap.h"

#include "bake/mpfr.h"
#include "base/error.h"

struct heap *heap_new(void)
{
    struct heap *h = g_new0(struct heap, 1);
    g_autoptr(GError) err = NULL;
    if (!mpfr_api_load(&err))
        g_error("%s", err->message); /* bake_read() has said so before */
    h->arena = arena_new();
    h->max_bytes = HEAP_MAX_BYTES;
    h->max_steps = HEAP_MAX_STEPS;
    return h;
}

void heap_free(struct heap *h)
{
    if (!h)
        return;
    g_clear_pointer(&h->types, g_hash_table_unref);
    arena_free(h->arena);
    g_free(h);
}

gpointer heap_alloc(struct heap *h, gsize size)
{
    h->bytes += MIN(size, G_MAXSIZE / 4 - h->bytes);
    return arena_alloc(h->arena, size);
}

gboolean heap_fail(struct heap *h, const char *why, GError **err)
{
    if (!h->over)
        h->over = why;
    return error_set(err, VARVE_ERROR_INVALID, "%s", h->over);
}

gboolean heap_reserve(struct heap *h, gsize size, GError **err)
{
    if (h->over || h->bytes > h->max_bytes || size > h->max_bytes - h->bytes)
        return heap_fail(h, "the evaluation takes too much memory (more than 256 MiB)", err);
    return TRUE;
}

gboolean heap_reserve_string(struct heap *h, gsize len, GError **err)
{
    if (len > HEAP_MAX_STRING)
        return heap_fail(h, "a string would be longer than 16 MiB", err);
    return heap_reserve(h, len, err);
}

gboolean heap_step(struct heap *h, guint64 n, GError **err)
{
    h->steps += n;
    if (!h->over && h->steps > h->max_steps)
        return heap_fail(h, "the evaluation takes too long (more than 20 million steps)", err);
    return heap_reserve(h, 0, err);
}
