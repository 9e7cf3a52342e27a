/* Pruning (cache/manage.h). What stays is published as a segment that supersedes those that were
 * read, which are retired then. A writer that adds one meanwhile is not read, so nothing of it is
 * dropped. Blobs go last, by a new look at all segments, and only old ones: those of a segment that
 * is about to be published are new, or were touched when its writer asked for them. */
#include "cache/manageblobs.h"

#include "base/error.h"

/* Adds the blobs of e to seen and *sum, unless that would be more than max bytes: FALSE. */
static gboolean fits_in(const struct cache_segment *s, const struct manage_entry *e, guint64 max,
                        GHashTable *seen, guint64 *sum)
{
    guint64 more = 0;
    g_autoptr(GPtrArray) blobs = manage_blobs(s, e);
    for (guint i = 0; i < blobs->len; i++) {
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        if (!g_hash_table_contains(seen, &d->digest))
            more += MIN(d->size, max + 1);
        if (*sum + more > max)
            return FALSE;
    }
    for (guint i = 0; i < blobs->len; i++) {
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        g_hash_table_add(seen, g_memdup2(&d->digest, sizeof d->digest));
    }
    *sum += more;
    return TRUE;
}

/* The entries that stay, of those that are sorted by use. One that does not fit does not take those
 * that were used before with it. */
static GArray *choose_kept(const struct cache_segment *s, const GArray *entries,
                           const struct prune_request *r)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    guint64 sum = 0, max = MIN(r->max_bytes, G_MAXINT64 / 4);
    GArray *kept = g_array_new(FALSE, TRUE, sizeof(struct manage_entry));
    g_autoptr(GHashTable) seen = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    for (guint i = 0; i < entries->len; i++) {
        const struct manage_entry *e = &g_array_index(entries, struct manage_entry, i);
        if (r->keep_s && e->used < now - r->keep_s)
            break;
        if (!max || fits_in(s, e, max, seen, &sum))
            g_array_append_vals(kept, e, 1);
    }
    return kept;
}

static struct cache_segment *segment_of(const struct cache_segment *from, const GArray *entries)
{
    struct cache_segment *s = segment_new();
    for (guint i = 0; i < entries->len; i++)
        manage_adopt(s, from, &g_array_index(entries, struct manage_entry, i));
    return s;
}

/* Takes those that the place lists with the right size out of blobs. Asking for each would take
 * long, and in a directory make it look as if it was just written. */
static gboolean leave_held(struct cache_backend *b, GPtrArray *blobs, GError **err)
{
    g_autoptr(GArray) held = b->held(b, err);
    g_autoptr(GHashTable) sizes = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; held && i < held->len; i++) {
        struct cache_held *h = &g_array_index(held, struct cache_held, i);
        g_hash_table_insert(sizes, &h->digest, h);
    }
    for (guint i = blobs->len; held && i-- > 0;) {
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        const struct cache_held *h = g_hash_table_lookup(sizes, &d->digest);
        if (h && h->size == d->size)
            g_ptr_array_remove_index_fast(blobs, i);
    }
    return held != NULL;
}

/* Those whose blobs are gone cannot be used, and would keep others from being written. */
static gboolean leave_lost(struct cache_backend *b, const struct cache_segment *s, GArray *kept,
                           struct cancel *stop, guint *lost, GError **err)
{
    g_autoptr(cache_segment) part = segment_of(s, kept);
    g_autoptr(GPtrArray) blobs = segment_blobs(part);
    g_autoptr(GPtrArray) problems = manage_problems_new();
    if ((b->held && !leave_held(b, blobs, err)) ||
        !manage_each(blobs, manage_look, b, stop, problems, err))
        return FALSE;
    manage_mark_lost(s, kept, problems);
    for (guint i = kept->len; i-- > 0;) {
        if (!g_array_index(kept, struct manage_entry, i).lost)
            continue;
        g_array_remove_index(kept, i);
        *lost += 1;
    }
    return TRUE;
}

/* The listed segments that were read, but one inside an image, which belongs to that. */
static GPtrArray *read_segments(const struct collected *c)
{
    GPtrArray *out = g_ptr_array_new();
    for (guint i = 0; i < c->listed->len; i++) {
        const struct cache_listed *l = g_ptr_array_index(c->listed, i);
        if (!l->bytes && g_hash_table_contains(c->taken, l->name))
            g_ptr_array_add(out, (gpointer)l);
    }
    return out;
}

static gboolean replace_segments(struct cache_backend *b, const struct collected *c,
                                 const GArray *kept, GError **err)
{
    g_autoptr(GPtrArray) old = read_segments(c);
    if (kept->len == 0 && b->retire && b->held) /* nothing refers to it then */
        return b->retire(b, old, err);
    return manage_publish(b, c->all, kept, old, err) &&
           (!b->retire || old->len == 0 || b->retire(b, old, err));
}

/* Blobs that are named: struct digest*. */
static void add_named(GHashTable *named, const struct cache_segment *s)
{
    g_autoptr(GPtrArray) blobs = segment_blobs(s);
    for (guint i = 0; i < blobs->len; i++) {
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        g_hash_table_add(named, g_memdup2(&d->digest, sizeof d->digest));
    }
}

/* The same of references that share the blobs. One that is retired meanwhile is replaced by a new
 * one, whose blobs were asked for a moment ago. */
static gboolean add_named_by_others(struct cache_backend *b, GHashTable *named, GError **err)
{
    g_autoptr(GPtrArray) list = b->others ? b->others(b, err) : NULL;
    for (guint i = 0; list && i < list->len; i++) {
        GError *why = NULL;
        g_autoptr(GBytes) bytes = b->segment(b, g_ptr_array_index(list, i), &why);
        g_autoptr(cache_segment) s = bytes ? segment_parse(bytes, &why) : NULL;
        if (s)
            add_named(named, s);
        if (s || g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
            g_clear_error(&why);
            continue;
        }
        g_propagate_prefixed_error(err, why, "a segment of another cache there: ");
        return FALSE;
    }
    return !b->others || list;
}

static gboolean remove_unnamed(struct cache_backend *b, const GHashTable *named,
                               const struct prune_request *r, struct cancel *stop,
                               struct prune_result *out, GError **err)
{
    gint64 before = g_get_real_time() / G_USEC_PER_SEC - r->unwritten_s;
    g_autoptr(GArray) held = b->held(b, err);
    for (guint i = 0; held && i < held->len; i++) {
        const struct cache_held *h = &g_array_index(held, struct cache_held, i);
        if (h->written >= before || g_hash_table_contains((GHashTable *)named, &h->digest))
            continue;
        if (!cancel_check(stop, err) || (!r->dry_run && !b->remove(b, &h->digest, err)))
            return FALSE;
        out->blobs++;
        out->bytes += h->size;
    }
    return held && (!b->sweep || b->sweep(b, before, r->dry_run, &out->blobs, &out->bytes, err));
}

/* The blobs that stay are those of kept when nothing was changed; else of what is there now. */
static gboolean prune_blobs(struct cache_backend *b, const struct cache_segment *kept,
                            const struct prune_request *r, struct cancel *stop,
                            struct prune_result *out, GError **err)
{
    struct collected now = {.bytes = 0};
    g_autoptr(GHashTable) named = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    gboolean ok = r->dry_run || collect_all(b, stop, &now, err);
    if (ok)
        add_named(named, r->dry_run ? kept : now.all);
    ok = ok && add_named_by_others(b, named, err) && remove_unnamed(b, named, r, stop, out, err);
    collected_clear(&now);
    return ok;
}

/* How many of the segments that were read are listed still: the place keeps them. */
static gboolean count_stayed(struct cache_backend *b, const struct collected *c, guint *stayed,
                             GError **err)
{
    g_autoptr(GPtrArray) old = read_segments(c);
    g_autoptr(GPtrArray) list = b->list(b, NULL, err);
    for (guint i = 0; list && i < list->len; i++)
        for (guint k = 0; k < old->len; k++)
            *stayed += g_str_equal(((const struct cache_listed *)g_ptr_array_index(list, i))->name,
                                   ((const struct cache_listed *)g_ptr_array_index(old, k))->name);
    return list != NULL;
}

static gboolean prune_collected(struct cache_backend *b, const struct collected *c,
                                const struct prune_request *r, struct cancel *stop,
                                struct prune_result *out, GError **err)
{
    g_autoptr(GArray) entries = manage_entries(c->all);
    g_autoptr(GArray) kept = choose_kept(c->all, entries, r);
    if (!leave_lost(b, c->all, kept, stop, &out->lost, err))
        return FALSE;
    g_autoptr(cache_segment) stays = segment_of(c->all, kept);
    out->kept = kept->len;
    out->dropped = entries->len - kept->len;
    out->dropped_bytes = manage_bytes(c->all) - manage_bytes(stays);
    out->leaves_blobs = !b->held || !b->remove;
    if (!r->dry_run && out->dropped > 0 &&
        (!replace_segments(b, c, kept, err) || !count_stayed(b, c, &out->stayed, err)))
        return FALSE;
    return out->leaves_blobs || prune_blobs(b, stays, r, stop, out, err);
}

gboolean manage_prune(struct cache_backend *b, const struct prune_request *r, struct cancel *stop,
                      struct prune_result *out, GError **err)
{
    struct collected c = {.bytes = 0};
    *out = (struct prune_result){.kept = 0};
    gboolean ok = collect_all(b, stop, &c, err) && prune_collected(b, &c, r, stop, out, err);
    collected_clear(&c);
    return ok;
}
