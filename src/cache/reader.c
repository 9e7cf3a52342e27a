#include "cache/reader.h"

#include "cache/collect.h"

#include "base/error.h"
#include "base/work.h"
#include "cache/describe.h"
#include "cache/mountref.h"
#include "cache/quiet.h"

#include <string.h>

#define FIRST_GUESS (20 * 1024 * 1024)     /* bytes a second, before anything was fetched */
#define MIN_MEASURED (256 * 1024)          /* bytes: less says nothing about speed */
#define UNPACK_RATE (100 * 1024 * 1024)    /* bytes of blobs a second */
#define SHORT_STEP_US (G_USEC_PER_SEC / 5) /* steps that are never worth a download's start */
#define MAX_INPUTS (16 * 1024 * 1024)      /* bytes of a step's inputs, compressed */

/* One reference. */
struct source {
    struct cache_reader *reader;
    const struct cache_spec *spec;
    struct cache_backend *backend;
    GThread *thread;
    GMutex refreshing;             /* guards known, once done */
    struct collected known;        /* what was read; without its segment */
    struct cache_segment *segment; /* all of its segments as one; once done */
    gboolean done;                 /* guarded by the reader's lock, as all below */
    GPtrArray *more;               /* struct cache_segment*: what was added since */
    guint hits;
    guint64 bytes;   /* fetched blobs and segments */
    gint64 spent_us; /* on fetching blobs */
    char *lost;      /* or NULL */
};

struct cache_reader {
    struct blob_source blobs; /* first */
    struct cache_env env;
    struct work work; /* of its threads */
    struct cancel *stop;
    GMutex lock;
    GCond read; /* a source is done */
    GPtrArray *sources;
    struct claims *claims;
    struct quiet_sink quiet;
    GMutex filling;     /* guards tried and filled, and is held while a mount is filled */
    GHashTable *tried;  /* "platform id" of mounts: char* */
    GHashTable *filled; /* "label platform id": char* */
};

static void warn_lost(struct source *s, const char *what, const GError *why)
{
    struct cache_reader *r = s->reader;
    g_mutex_lock(&r->lock);
    gboolean first = !s->lost;
    if (first)
        s->lost = g_strdup(why->message);
    g_mutex_unlock(&r->lock);
    if (first && !cancel_is_set(r->stop))
        event_warn(r->env.events, "the cache %s %s: %s", s->backend->label, what, why->message);
}

static void read_source(struct source *s)
{
    struct collected *c = &s->known;
    GError *why = NULL;
    if (!collect(s->backend, s->reader->stop, c, &why))
        warn_lost(s, c->all->records->len ? "was read in part" : "is not used", why);
    else if (c->listed->len == 0)
        event_note(s->reader->env.events, "the cache %s has nothing yet", s->backend->label);
    g_clear_error(&why);
    g_mutex_lock(&s->reader->lock);
    s->segment = g_steal_pointer(&c->all);
    s->bytes += c->bytes;
    g_mutex_unlock(&s->reader->lock);
}

static gpointer read_thread(gpointer data)
{
    struct source *s = data;
    struct cache_reader *r = s->reader;
    work_enter(&r->work);
    read_source(s);
    work_enter(NULL);
    g_mutex_lock(&r->lock);
    s->done = TRUE;
    g_cond_broadcast(&r->read);
    g_mutex_unlock(&r->lock);
    return NULL;
}

/* Waits until the reference was read. */
static const struct cache_segment *wait_for(struct source *s)
{
    struct cache_reader *r = s->reader;
    g_mutex_lock(&r->lock);
    while (!s->done)
        g_cond_wait(&r->read, &r->lock);
    g_mutex_unlock(&r->lock);
    return s->segment;
}

/* What was read of the reference, the newest last (struct cache_segment*, borrowed). */
static GPtrArray *segments_of(struct source *s)
{
    GPtrArray *out = g_ptr_array_new();
    g_ptr_array_add(out, (gpointer)wait_for(s));
    g_mutex_lock(&s->reader->lock);
    for (guint i = 0; i < s->more->len; i++)
        g_ptr_array_add(out, g_ptr_array_index(s->more, i));
    g_mutex_unlock(&s->reader->lock);
    return out;
}

static gboolean source_holds(struct source *s, const struct digest *d)
{
    g_autoptr(GPtrArray) all = segments_of(s);
    for (guint i = 0; i < all->len; i++)
        if (segment_holds(g_ptr_array_index(all, i), d))
            return TRUE;
    return FALSE;
}

/* The reference that has the blob; NULL: none says so. */
static struct source *holder(struct cache_reader *r, const struct digest *d)
{
    for (guint i = 0; i < r->sources->len; i++) {
        struct source *s = g_ptr_array_index(r->sources, i);
        if (source_holds(s, d))
            return s;
    }
    return NULL;
}

static gboolean fetch_from_source(struct source *s, const struct descriptor *d,
                                  struct blob_tap *tap, GError **err)
{
    gint64 begun = g_get_monotonic_time();
    gboolean ok = s->backend->fetch(s->backend, d, tap, err);
    g_mutex_lock(&s->reader->lock);
    if (ok)
        s->bytes += d->size;
    if (ok && d->size >= MIN_MEASURED)
        s->spent_us += g_get_monotonic_time() - begun;
    g_mutex_unlock(&s->reader->lock);
    return ok;
}

/* From the first reference that has it and gives it. */
static gboolean reader_fetch_tapped(struct blob_source *self, const struct descriptor *d,
                                    struct blob_tap *tap, GError **err)
{
    struct cache_reader *r = (struct cache_reader *)self;
    GError *why = NULL;
    for (guint i = 0; i < r->sources->len && !cancel_is_set(r->stop); i++) {
        struct source *s = g_ptr_array_index(r->sources, i);
        if (!source_holds(s, &d->digest))
            continue;
        g_clear_error(&why);
        if (fetch_from_source(s, d, tap, &why))
            return TRUE;
    }
    if (!why)
        return cancel_check(r->stop, err) &&
               error_set(err, VARVE_ERROR_NOT_FOUND, "no cache holds it");
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean reader_fetch(struct blob_source *self, const struct descriptor *d, GError **err)
{
    return reader_fetch_tapped(self, d, NULL, err);
}

static void source_free(struct source *s)
{
    if (s->thread)
        g_thread_join(s->thread);
    cache_close(s->backend);
    segment_free(s->segment);
    g_ptr_array_unref(s->more);
    collected_clear(&s->known);
    g_mutex_clear(&s->refreshing);
    g_free(s->lost);
    g_free(s);
}

void cache_reader_free(struct cache_reader *r)
{
    if (!r)
        return;
    cancel_trigger(r->stop);
    g_ptr_array_unref(r->sources);
    cancel_free(r->stop);
    claims_free(r->claims);
    g_hash_table_unref(r->tried);
    g_hash_table_unref(r->filled);
    g_mutex_clear(&r->filling);
    g_mutex_clear(&r->lock);
    g_cond_clear(&r->read);
    g_free(r);
}

static gboolean open_reference(struct cache_reader *r, const struct cache_spec *spec, GError **err)
{
    struct cache_backend *b = cache_open(spec, &r->env, err);
    if (!b)
        return FALSE;
    struct source *s = g_new0(struct source, 1);
    s->reader = r;
    s->spec = spec;
    s->backend = b;
    s->more = g_ptr_array_new_with_free_func((GDestroyNotify)segment_free);
    g_mutex_init(&s->refreshing);
    g_ptr_array_add(r->sources, s);
    s->thread = g_thread_try_new("cache-read", read_thread, s, err);
    if (!s->thread)
        s->segment = segment_new();
    return s->thread != NULL;
}

struct cache_reader *cache_reader_new(const GPtrArray *specs, const struct cache_env *env,
                                      GError **err)
{
    struct cache_reader *r = g_new0(struct cache_reader, 1);
    r->blobs = (struct blob_source){.fetch = reader_fetch, .fetch_tapped = reader_fetch_tapped};
    r->env = *env;
    quiet_sink_init(&r->quiet, env->events);
    r->env.events = &r->quiet.sink;
    r->claims = claims_new();
    r->stop = cancel_new_child(env->cancel);
    r->env.cancel = r->stop;
    r->work = (struct work){r->stop, NULL, -1, env->events};
    g_mutex_init(&r->lock);
    g_mutex_init(&r->filling);
    r->tried = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    r->filled = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_cond_init(&r->read);
    r->sources = g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
    for (guint i = 0; i < specs->len; i++)
        if (!open_reference(r, g_ptr_array_index(specs, i), err)) {
            cache_reader_free(r);
            return NULL;
        }
    return r;
}

struct claims *cache_reader_claims(struct cache_reader *r)
{
    return r->claims;
}

struct blob_source *cache_reader_blobs(struct cache_reader *r)
{
    return &r->blobs;
}

/* The first record under key whose layers can be had. */
static struct record *find_in_segment(struct source *s, const struct cache_segment *seg,
                                      const struct digest *key)
{
    const GPtrArray *all = segment_find(seg, key);
    for (guint i = 0; all && i < all->len; i++) {
        GError *why = NULL;
        struct record *found = cache_import(s->reader->env.store, s->backend, seg,
                                            g_ptr_array_index(all, i), s->reader->claims, &why);
        if (found)
            return found;
        if (why)
            warn_lost(s, "has a record that cannot be used", why);
        g_clear_error(&why);
    }
    return NULL;
}

static struct record *find_in(struct source *s, const struct digest *key)
{
    struct record *found = NULL;
    g_autoptr(GPtrArray) all = segments_of(s);
    for (guint i = 0; i < all->len && !found; i++)
        found = find_in_segment(s, g_ptr_array_index(all, i), key);
    return found;
}

/* In the first reference that has one, *where. */
static struct record *find_anywhere(struct cache_reader *r, const struct digest *key,
                                    struct source **where)
{
    struct record *found = NULL;
    for (guint i = 0; i < r->sources->len && !found; i++) {
        *where = g_ptr_array_index(r->sources, i);
        found = find_in(*where, key);
    }
    return found;
}

struct record *cache_reader_find(struct cache_reader *r, const struct digest *key,
                                 const char **from)
{
    struct source *s = NULL;
    struct record *found = find_anywhere(r, key, &s);
    if (!found)
        return NULL;
    g_mutex_lock(&r->lock);
    s->hits++;
    g_mutex_unlock(&r->lock);
    if (from)
        *from = s->backend->label;
    return found;
}

static void refresh_source(struct source *s)
{
    g_autoptr(GError) why = NULL;
    wait_for(s);
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->refreshing);
    guint64 before = s->known.bytes;
    if (!collect_new(s->backend, s->reader->stop, &s->known, &why))
        warn_lost(s, "was read in part", why);
    g_mutex_lock(&s->reader->lock);
    s->bytes += s->known.bytes - before;
    if (s->known.all->records->len > 0)
        g_ptr_array_add(s->more, g_steal_pointer(&s->known.all));
    g_mutex_unlock(&s->reader->lock);
}

void cache_reader_refresh(struct cache_reader *r, const char *label)
{
    for (guint i = 0; i < r->sources->len; i++) {
        struct source *s = g_ptr_array_index(r->sources, i);
        if (g_str_equal(s->backend->label, label))
            refresh_source(s);
    }
}

gint64 cache_reader_slot_duration(struct cache_reader *r, const char *slot)
{
    for (guint i = 0; i < r->sources->len; i++) {
        const struct cache_record *rec =
            segment_slot(wait_for(g_ptr_array_index(r->sources, i)), slot);
        if (rec)
            return rec->duration_us;
    }
    return 0;
}

struct record *cache_reader_peek(struct cache_reader *r, const struct digest *key)
{
    struct source *unused;
    return find_anywhere(r, key, &unused);
}

/* The inputs of a record, fetched where they are a blob; NULL: they cannot be had. */
static char *inputs_of(struct source *s, const struct cache_record *rec)
{
    if (rec->inputs)
        return g_strdup(rec->inputs);
    const struct descriptor *d = &rec->inputs_blob;
    if (d->size > MAX_INPUTS || !s->backend->fetch(s->backend, d, NULL, NULL))
        return NULL;
    g_autoptr(GBytes) text = describe_unpack(s->reader->env.store, &d->digest, NULL);
    return text ? g_strndup(g_bytes_get_data(text, NULL), g_bytes_get_size(text)) : NULL;
}

char *cache_reader_slot_inputs(struct cache_reader *r, const char *slot)
{
    for (guint i = 0; i < r->sources->len; i++) {
        struct source *s = g_ptr_array_index(r->sources, i);
        const struct cache_record *rec = segment_slot(wait_for(s), slot);
        char *text = rec ? inputs_of(s, rec) : NULL;
        if (text)
            return text;
    }
    return NULL;
}

static char *filled_key(const char *label, const char *id, const char *platform)
{
    return g_strdup_printf("%s\n%s\n%s", label, platform ? platform : "", id);
}

/* From one reference. */
static void fill_mount(struct source *s, const char *id, const char *platform,
                       const struct mount_dir *d)
{
    guint64 files, bytes = 0;
    g_autoptr(GError) why = NULL;
    g_autoptr(GPtrArray) refs = mount_refs_of(wait_for(s), id, platform);
    if (refs->len == 0)
        return;
    if (!mount_refs_fill(s->backend, d, refs, &files, &bytes, &why)) {
        if (!cancel_is_set(s->reader->stop))
            event_warn(s->reader->env.events, "the cache mount %s is not filled from %s: %s", id,
                       s->backend->label, why->message);
        return;
    }
    g_hash_table_add(s->reader->filled, filled_key(s->backend->label, id, platform));
    g_mutex_lock(&s->reader->lock);
    s->bytes += bytes;
    g_mutex_unlock(&s->reader->lock);
}

void cache_reader_fill_mount(struct cache_reader *r, const char *id, const char *cache_id,
                             const char *platform, int dirfd, const char *dir)
{
    const struct mount_dir d = {.store = r->env.store, .fd = dirfd, .name = dir, .cancel = r->stop};
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&r->filling);
    if (!g_hash_table_add(r->tried, filled_key(dir, id, platform)))
        return;
    for (guint i = 0; i < r->sources->len; i++) {
        struct source *s = g_ptr_array_index(r->sources, i);
        if (mount_refs_wanted(s->spec, cache_id))
            fill_mount(s, id, platform, &d);
    }
}

gboolean cache_reader_filled(struct cache_reader *r, const char *label, const char *id,
                             const char *platform)
{
    g_autofree char *key = filled_key(label, id, platform);
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&r->filling);
    return g_hash_table_contains(r->filled, key);
}

/* How long fetching a blob of the source takes, microseconds. The lock is held. */
static gint64 fetch_time(const struct source *s, guint64 size)
{
    gdouble rate = s->bytes >= MIN_MEASURED && s->spent_us > 0
                       ? (gdouble)s->bytes * G_USEC_PER_SEC / (gdouble)s->spent_us
                       : FIRST_GUESS;
    return (gint64)((gdouble)size * G_USEC_PER_SEC / rate);
}

/* Adds what fetching an absent layer takes; FALSE: it need not be judged, the user wants hits. */
static gboolean add_time(struct cache_reader *r, const struct absent_layer *a, gint64 *us)
{
    struct source *s = holder(r, &a->blob);
    if (s && s->spec->prefer_hit)
        return FALSE;
    g_mutex_lock(&r->lock);
    gint64 fetch = s ? fetch_time(s, a->size) : (gint64)(a->size * G_USEC_PER_SEC / FIRST_GUESS);
    g_mutex_unlock(&r->lock);
    *us += MAX(fetch, (gint64)(a->size * G_USEC_PER_SEC / UNPACK_RATE));
    return TRUE;
}

gboolean cache_reader_is_slower(struct cache_reader *r, const struct chain *c, guint own,
                                gint64 took_us, gint64 *fetch_us)
{
    *fetch_us = 0;
    for (guint i = c->n - MIN(own, c->n); i < c->n; i++) {
        gboolean absent;
        g_auto(absent_layer) a = {.size = 0};
        if (!store_absent_get(r->env.store, c->ids[i], &absent, &a, NULL) ||
            (absent && !add_time(r, &a, fetch_us)))
            return FALSE;
    }
    return *fetch_us > took_us + SHORT_STEP_US;
}

guint cache_reader_count(const struct cache_reader *r)
{
    return r->sources->len;
}

void cache_reader_report(struct cache_reader *r, guint i, struct cache_read_report *out)
{
    const struct source *s = g_ptr_array_index(r->sources, i);
    g_mutex_lock(&r->lock);
    *out = (struct cache_read_report){s->backend->label, s->hits, s->bytes, s->lost};
    g_mutex_unlock(&r->lock);
}
