/* The end of writing a cache: one new segment at each place. */
#include "cache/writing.h"

#include "base/error.h"
#include "store/blob.h"

#define BLOBS_MAX 8000 /* of one segment: its manifest must stay below 4 MiB */

/* Whether a use is worth a new segment: it keeps what prune would remove. */
static gboolean count_uses(struct place *p, struct cache_segment *all, gint64 now)
{
    GHashTableIter it;
    gpointer key;
    gboolean worth = FALSE;
    g_hash_table_iter_init(&it, p->used);
    while (g_hash_table_iter_next(&it, &key, NULL)) {
        const struct cache_record *r = key;
        struct cache_record *mine = segment_same_record(all, r);
        worth |= r->used + USED_ANEW < now;
        if (!mine)
            continue;
        mine->hits++;
        mine->used = now;
    }
    return worth;
}

/* What is to be published: mine, with theirs where that is not too much. */
static struct cache_segment *make_segment(struct place *p, gboolean *worth)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    struct cache_segment *s = segment_new();
    s->created = now;
    gboolean merge =
        segment_weight(p->theirs.all) + segment_weight(p->mine) <= CACHE_SEGMENT_WEIGHT &&
        p->theirs.all->layers->len + p->mine->layers->len <= BLOBS_MAX / 2;
    if (merge) {
        segment_merge(s, p->theirs.all);
        for (guint i = 0; i < p->theirs.listed->len; i++) {
            const struct cache_listed *l = g_ptr_array_index(p->theirs.listed, i);
            if (!l->bytes && g_hash_table_contains(p->theirs.taken, l->name))
                g_ptr_array_add(s->supersedes, g_strdup(l->name));
        }
    }
    for (guint i = 0; merge && i < p->mine->mounts->len; i++) { /* they hold what was there */
        const struct cache_mount_ref *m = g_ptr_array_index(p->mine->mounts, i);
        segment_drop_mounts(s, m->id, m->platform);
    }
    segment_merge(s, p->mine);
    *worth = count_uses(p, s, now) || p->mine->records->len > 0 || p->mine->mounts->len > 0;
    return s;
}

static GPtrArray *superseded(const struct place *p, const struct cache_segment *s)
{
    GPtrArray *out = g_ptr_array_new();
    for (guint i = 0; i < p->theirs.listed->len; i++) {
        const struct cache_listed *l = g_ptr_array_index(p->theirs.listed, i);
        if (g_ptr_array_find_with_equal_func(s->supersedes, l->name, g_str_equal, NULL))
            g_ptr_array_add(out, (gpointer)l);
    }
    return out;
}

static gboolean publish_segment(struct place *p, const struct cache_segment *s, GError **err)
{
    g_autoptr(GPtrArray) blobs = segment_blobs(s);
    g_autoptr(GBytes) bytes = segment_write(s);
    if (!p->backend->publish(p->backend, bytes, blobs, err))
        return FALSE;
    p->bytes += g_bytes_get_size(bytes);
    return TRUE;
}

gboolean place_publish_part(struct place *p, GError **err)
{
    g_autoptr(cache_segment) part = segment_new();
    part->created = g_get_real_time() / G_USEC_PER_SEC;
    for (guint i = p->published; i < p->mine->records->len; i++)
        segment_adopt(part, p->mine, g_ptr_array_index(p->mine->records, i));
    if (part->records->len == 0)
        return TRUE;
    if (!publish_segment(p, part, err))
        return FALSE;
    p->published = p->mine->records->len;
    return TRUE;
}

void place_read_anew(struct place *p)
{
    struct collected now;
    if (!collect(p->backend, p->writer->env.cancel, &now, NULL)) {
        collected_clear(&now);
        return;
    }
    p->first = p->theirs; /* p->used points into it */
    p->theirs = now;
}

/* The blobs that the place does not have though it should; what is here is sent again. NULL on
 * error. */
static GHashTable *find_lost(struct place *p, const struct cache_segment *s, GError **err)
{
    g_autoptr(GPtrArray) blobs = segment_blobs(s);
    g_autoptr(GHashTable) lost = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; i < blobs->len; i++) {
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        gboolean there;
        if (!p->backend->has(p->backend, d, &there, err))
            return NULL;
        if (!there && store_blob_has(p->writer->env.store, &d->digest, NULL) &&
            !p->backend->put(p->backend, d, NULL, err))
            return NULL;
        if (!there && !store_blob_has(p->writer->env.store, &d->digest, NULL))
            g_hash_table_add(lost, (gpointer)&d->digest);
    }
    return g_steal_pointer(&lost);
}

/* After a refusal: blobs that earlier segments name may be gone. */
static gboolean publish_rest(struct place *p, const struct cache_segment *s, GError **err)
{
    g_autoptr(GHashTable) lost = find_lost(p, s, err);
    if (!lost)
        return FALSE;
    g_autoptr(cache_segment) rest = segment_without(s, lost);
    guint gone = s->records->len - rest->records->len;
    if (gone > 0)
        event_warn(p->writer->env.events, "the cache %s has lost %u of its results",
                   p->backend->label, gone);
    return publish_segment(p, rest, err);
}

/* Whether the place refused what was sent, rather than the writer. */
static gboolean may_lack_blobs(const GError *why)
{
    return g_error_matches(why, VARVE_ERROR, VARVE_ERROR_FAILED) ||
           g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID) ||
           g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
           g_error_matches(why, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
}

/* Those of list that hold these bytes. */
static GPtrArray *listed_as(struct place *p, const GPtrArray *list, GBytes *bytes)
{
    GPtrArray *out = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        const struct cache_listed *l = g_ptr_array_index(list, i);
        g_autoptr(GBytes) is = l->bytes ? NULL : p->backend->segment(p->backend, l, NULL);
        if (is && g_bytes_equal(is, bytes))
            g_ptr_array_add(out, (gpointer)l);
    }
    return out;
}

/* Publishes s without what needs the lost blobs, in place of s. */
static gboolean replace_segment(struct place *p, const struct cache_segment *s, GHashTable *lost,
                                GError **err)
{
    g_autoptr(cache_segment) rest = segment_without(s, lost);
    g_autoptr(GPtrArray) before = p->backend->list(p->backend, NULL, err);
    if (!before || !publish_segment(p, rest, err))
        return FALSE;
    g_autoptr(GBytes) bytes = segment_write(s);
    g_autoptr(GPtrArray) old = listed_as(p, before, bytes);
    return !p->backend->retire || old->len == 0 || p->backend->retire(p->backend, old, err);
}

/* Whether somebody else removed a segment that s was merged from: another writer, which is
 * harmless, or a prune, which may have removed blobs that only it named. */
static gboolean was_pruned(struct place *p, const struct cache_segment *s, gboolean *pruned,
                           GError **err)
{
    *pruned = FALSE;
    if (!p->backend->remove || s->supersedes->len == 0)
        return TRUE;
    g_autoptr(GPtrArray) now = p->backend->list(p->backend, NULL, err);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; now && i < now->len; i++)
        g_hash_table_add(names, ((const struct cache_listed *)g_ptr_array_index(now, i))->name);
    for (guint i = 0; now && i < s->supersedes->len; i++)
        *pruned |= !g_hash_table_contains(names, g_ptr_array_index(s->supersedes, i));
    return now != NULL;
}

/* What is published names what was there when the build began: a prune since then may have removed
 * some of it. It is looked at after publishing, because from then on no prune removes more. */
static gboolean publish_checked(struct place *p, const struct cache_segment *s, GError **err)
{
    gboolean pruned;
    if (!publish_segment(p, s, err) || !was_pruned(p, s, &pruned, err))
        return FALSE;
    g_autoptr(GHashTable) lost = pruned ? find_lost(p, s, err) : NULL;
    if (!pruned || (lost && g_hash_table_size(lost) == 0))
        return TRUE;
    return lost && replace_segment(p, s, lost, err);
}

gboolean place_publish(struct place *p, GError **err)
{
    gboolean worth;
    GError *why = NULL;
    g_autoptr(cache_segment) s = make_segment(p, &worth);
    if (!worth)
        return TRUE;
    if (!publish_checked(p, s, &why)) {
        GError *again = NULL;
        if (!may_lack_blobs(why) || !publish_rest(p, s, &again)) {
            g_clear_error(&again);
            g_propagate_error(err, why);
            return FALSE;
        }
        g_error_free(why);
    }
    g_autoptr(GPtrArray) old = superseded(p, s);
    if (old->len > 0 && p->backend->retire) /* one that stays is merged again */
        p->backend->retire(p->backend, old, NULL);
    return TRUE;
}
