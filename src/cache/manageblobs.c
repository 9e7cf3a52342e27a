#include "cache/manageblobs.h"

#include "base/error.h"
#include "store/blob.h"

#define PARALLEL 4

struct pool {
    manage_work work;
    gpointer ctx;
    struct cancel *stop;
    GMutex lock;         /* guards what follows */
    GPtrArray *problems; /* or NULL */
    GError *failed;      /* what ends it */
};

static void problem_free(struct manage_problem *p)
{
    g_free(p->why);
    g_free(p);
}

GPtrArray *manage_problems_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)problem_free);
}

static gboolean is_of_blob(const GError *why)
{
    return g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
           g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* Takes why. */
static void take_failure(struct pool *p, const struct descriptor *d, GError *why)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    if (is_of_blob(why) && p->problems) {
        struct manage_problem *one = g_new0(struct manage_problem, 1);
        one->digest = d->digest;
        one->why = g_strdup(why->message);
        g_ptr_array_add(p->problems, one);
    } else if (!p->failed) {
        p->failed = g_steal_pointer(&why);
    }
    g_clear_error(&why);
}

static gboolean has_ended(struct pool *p)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    return p->failed || !cancel_check(p->stop, &p->failed);
}

static void pool_thread(gpointer data, gpointer ctx)
{
    struct pool *p = ctx;
    GError *why = NULL;
    if (!has_ended(p) && !p->work(p->ctx, data, &why))
        take_failure(p, data, why);
}

gboolean manage_each(const GPtrArray *blobs, manage_work work, gpointer ctx, struct cancel *stop,
                     GPtrArray *problems, GError **err)
{
    struct pool p = {.work = work, .ctx = ctx, .stop = stop, .problems = problems};
    GThreadPool *threads = g_thread_pool_new(pool_thread, &p, PARALLEL, FALSE, err);
    if (!threads)
        return FALSE;
    g_mutex_init(&p.lock);
    for (guint i = 0; i < blobs->len; i++)
        g_thread_pool_push(threads, g_ptr_array_index(blobs, i), NULL);
    g_thread_pool_free(threads, FALSE, TRUE);
    g_mutex_clear(&p.lock);
    if (p.failed)
        g_propagate_error(err, p.failed);
    return !p.failed;
}

gboolean manage_look(gpointer backend, const struct descriptor *d, GError **err)
{
    struct cache_backend *b = backend;
    gboolean there;
    return b->has(b, d, &there, err) &&
           (there || error_set(err, VARVE_ERROR_NOT_FOUND, "it is not there, or has another size"));
}

/* Fetching blobs into a store, and what they are then for. */
struct passing {
    struct cache_backend *from, *to; /* to: NULL where they are only read */
    struct store *store;
    struct copy_result *copied; /* or NULL */
    GMutex lock;                /* guards copied */
};

static gboolean read_through(gpointer ctx, const struct descriptor *d, GError **err)
{
    struct passing *p = ctx;
    return p->from->fetch(p->from, d, NULL, err) && store_blob_delete(p->store, &d->digest, err);
}

gboolean manage_verify(struct cache_backend *b, struct store *read_into, struct cancel *stop,
                       struct verify_result *out, GError **err)
{
    struct passing p = {.from = b, .store = read_into};
    *out = (struct verify_result){.problems = manage_problems_new()};
    gboolean ok = collect_all(b, stop, &out->all, err);
    out->entries = manage_entries(out->all.all);
    out->bytes = manage_bytes(out->all.all);
    g_autoptr(GPtrArray) blobs = segment_blobs(out->all.all);
    out->blobs = blobs->len;
    ok = ok && manage_each(blobs, read_into ? read_through : manage_look,
                           read_into ? (gpointer)&p : b, stop, out->problems, err);
    manage_mark_lost(out->all.all, out->entries, out->problems);
    return ok;
}

void verify_result_clear(struct verify_result *r)
{
    g_clear_pointer(&r->entries, g_array_unref);
    g_clear_pointer(&r->problems, g_ptr_array_unref);
    collected_clear(&r->all);
}

static gboolean copy_through(gpointer ctx, const struct descriptor *d, GError **err)
{
    struct passing *p = ctx;
    gboolean there;
    guint64 sent = 0;
    if (!p->to->has(p->to, d, &there, err) || there)
        return there;
    if (!p->from->fetch(p->from, d, NULL, err))
        return FALSE;
    GError *why = NULL;
    gboolean ok = p->to->put(p->to, d, &sent, &why);
    store_blob_delete(p->store, &d->digest, why ? NULL : &why);
    g_mutex_lock(&p->lock);
    p->copied->blobs += sent > 0;
    p->copied->bytes += sent;
    g_mutex_unlock(&p->lock);
    if (!why)
        return ok;
    if (is_of_blob(why)) /* here it is a refusal of the other side */
        why->code = VARVE_ERROR_FAILED;
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean is_there(struct cache_segment *theirs, const struct manage_entry *e)
{
    if (e->record)
        return segment_same_record(theirs, e->record) != NULL;
    for (guint i = 0; i < theirs->mounts->len; i++) {
        const struct cache_mount_ref *m = g_ptr_array_index(theirs->mounts, i);
        if (g_str_equal(m->id, e->mount->id) && g_strcmp0(m->platform, e->mount->platform) == 0 &&
            digest_cmp(&m->manifest.digest, &e->mount->manifest.digest) == 0)
            return TRUE;
    }
    return FALSE;
}

/* The entries that theirs lacks. */
static GArray *missing_entries(const struct cache_segment *mine, struct cache_segment *theirs)
{
    g_autoptr(GArray) all = manage_entries(mine);
    GArray *out = g_array_new(FALSE, TRUE, sizeof(struct manage_entry));
    for (guint i = 0; i < all->len; i++)
        if (!is_there(theirs, &g_array_index(all, struct manage_entry, i)))
            g_array_append_vals(out, &g_array_index(all, struct manage_entry, i), 1);
    return out;
}

static GPtrArray *blobs_of_entries(const struct cache_segment *from, const GArray *entries,
                                   struct cache_segment *into)
{
    for (guint i = 0; i < entries->len; i++)
        manage_adopt(into, from, &g_array_index(entries, struct manage_entry, i));
    return segment_blobs(into);
}

static void leave_out_lost(GArray *entries, struct copy_result *out)
{
    for (guint i = entries->len; i-- > 0;) {
        if (!g_array_index(entries, struct manage_entry, i).lost)
            continue;
        g_array_remove_index(entries, i);
        out->lost++;
    }
}

static gboolean send_missing(struct passing *p, const struct cache_segment *mine,
                             struct cache_segment *theirs, struct cancel *stop, GError **err)
{
    g_autoptr(GArray) entries = missing_entries(mine, theirs);
    g_autoptr(cache_segment) part = segment_new();
    g_autoptr(GPtrArray) blobs = blobs_of_entries(mine, entries, part);
    g_autoptr(GPtrArray) problems = manage_problems_new();
    p->copied->there = mine->records->len + mine->mounts->len - entries->len;
    if (!manage_each(blobs, copy_through, p, stop, problems, err))
        return FALSE;
    manage_mark_lost(mine, entries, problems);
    leave_out_lost(entries, p->copied);
    p->copied->entries = entries->len;
    return entries->len == 0 || manage_publish(p->to, mine, entries, NULL, err);
}

gboolean manage_copy(struct cache_backend *from, struct cache_backend *to, struct store *scratch,
                     struct cancel *stop, struct copy_result *out, GError **err)
{
    struct collected mine = {.bytes = 0}, theirs = {.bytes = 0};
    struct passing p = {.from = from, .to = to, .store = scratch, .copied = out};
    *out = (struct copy_result){.entries = 0};
    g_mutex_init(&p.lock);
    gboolean ok = collect_all(from, stop, &mine, err) && collect_all(to, stop, &theirs, err) &&
                  send_missing(&p, mine.all, theirs.all, stop, err);
    g_mutex_clear(&p.lock);
    collected_clear(&mine);
    collected_clear(&theirs);
    return ok;
}
