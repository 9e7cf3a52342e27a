#include "cache/collect.h"

#include "base/error.h"

#define FIRST_WAIT_MS 250 /* before listing anew, doubling: lists may lag behind */
#define WEIGHT_MAX (3 * CACHE_SEGMENT_WEIGHT)
#define TRIES 4 /* of listing anew when a listed segment is gone */

struct collecting {
    struct cancel *stop;
    gboolean all; /* however much it is */
};

void collected_clear(struct collected *c)
{
    g_clear_pointer(&c->all, segment_free);
    g_clear_pointer(&c->listed, g_ptr_array_unref);
    g_clear_pointer(&c->taken, g_hash_table_unref);
}

/* Adds one segment. FALSE: it cannot be read, and others may be. */
static gboolean take_segment(struct cache_backend *b, const struct cache_listed *l,
                             struct collected *c, GError **err)
{
    g_autoptr(GBytes) bytes = b->segment(b, l, err);
    g_autoptr(cache_segment) one = bytes ? segment_parse(bytes, err) : NULL;
    if (!one)
        return FALSE;
    c->bytes += g_bytes_get_size(bytes);
    c->weight += segment_weight(one);
    c->n_read++;
    for (guint i = 0; i < one->supersedes->len; i++)
        g_hash_table_add(c->taken, g_strdup(g_ptr_array_index(one->supersedes, i)));
    segment_merge(c->all, one);
    g_hash_table_add(c->taken, g_strdup(l->name));
    return TRUE;
}

static gboolean is_too_much(const struct collected *c, GError **err)
{
    if (c->n_read < COLLECT_SEGMENTS && c->weight < WEIGHT_MAX)
        return FALSE;
    error_set(err, VARVE_ERROR_INVALID, "it holds more than a build reads (%u segments of %u)",
              c->n_read, c->listed->len);
    error_add_next(err, "make it smaller with: varve cache prune --keep 14d REFERENCE");
    return TRUE;
}

/* Those that are not taken yet. Hints come first in a list, and hold most of the rest. What is
 * gone in the last try holds nothing more, and counts as taken. */
static void take_listed(struct cache_backend *b, const struct collecting *how, gboolean last,
                        struct collected *c, GError **first)
{
    for (guint i = 0; i < c->listed->len && cancel_check(how->stop, *first ? NULL : first); i++) {
        const struct cache_listed *l = g_ptr_array_index(c->listed, i);
        GError *why = NULL;
        if (g_hash_table_contains(c->taken, l->name))
            continue;
        if (!how->all && is_too_much(c, *first ? NULL : first))
            return;
        if (take_segment(b, l, c, &why))
            continue;
        if (last && g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
            g_hash_table_add(c->taken, g_strdup(l->name));
        if (*first)
            g_error_free(why);
        else
            *first = why;
    }
}

static gboolean list_and_take(struct cache_backend *b, const struct collecting *how, gboolean last,
                              struct collected *c, GError **err)
{
    g_autofree char *foreign = NULL;
    g_clear_pointer(&c->listed, g_ptr_array_unref);
    c->listed = b->list(b, &foreign, err);
    if (!c->listed) {
        c->listed = g_ptr_array_new();
        return FALSE;
    }
    if (foreign && c->listed->len == 0)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "it is %s, which varve cannot use: its keys are of another kind", foreign);
    GError *first = NULL;
    take_listed(b, how, last, c, &first);
    if (first)
        g_propagate_error(err, first);
    return !first;
}

/* Lists until all that is listed could be read. */
static gboolean collect_listed(struct cache_backend *b, const struct collecting *how,
                               struct collected *out, GError **err)
{
    GError *why = NULL;
    for (guint i = 0; i < TRIES; i++) {
        g_clear_error(&why);
        if (list_and_take(b, how, i == TRIES - 1, out, &why))
            return TRUE;
        if (!g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
            (i < TRIES - 1 && !cancel_wait(how->stop, FIRST_WAIT_MS << i, NULL)))
            break;
    }
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean collect_how(struct cache_backend *b, const struct collecting *how,
                            struct collected *out, GError **err)
{
    *out = (struct collected){.all = segment_new()};
    out->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return collect_listed(b, how, out, err);
}

gboolean collect_new(struct cache_backend *b, struct cancel *stop, struct collected *c,
                     GError **err)
{
    const struct collecting how = {stop, FALSE};
    segment_free(c->all);
    c->all = segment_new();
    c->weight = c->n_read = 0;
    return collect_listed(b, &how, c, err);
}

gboolean collect(struct cache_backend *b, struct cancel *stop, struct collected *out, GError **err)
{
    const struct collecting how = {stop, FALSE};
    return collect_how(b, &how, out, err);
}

gboolean collect_all(struct cache_backend *b, struct cancel *stop, struct collected *out,
                     GError **err)
{
    const struct collecting how = {stop, TRUE};
    return collect_how(b, &how, out, err);
}
