#include "cache/writing.h"

#include "cache/describe.h"
#include "cache/differ.h"
#include "cache/mountref.h"
#include "store/absent.h"
#include "store/blob.h"
#include "store/images.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "text/fit.h"

#include <string.h>

#define UPLOADS 4                    /* at the same time */
#define MAX_STEP 2000                /* bytes of a step's name: no more is shown anywhere */
#define SMALL_INPUTS 1024            /* bytes of a step's inputs that stand in its record */
#define LONG_US (2 * G_USEC_PER_SEC) /* a step's time that is worth a segment of its own */

/* A step on its way; owned copies. */
struct job {
    struct cache_step step;
    struct chain *chain;
    char *name, *platform, *slot, *inputs, *from;
    char *volume, *cache_id;     /* a cache mount instead: no step then */
    struct cache_reader *reader; /* whom to ask; or NULL */
};

/* A blob to be sent to a place. */
struct upload {
    struct place *place;
    struct descriptor d;
};

static void job_free(struct job *j)
{
    chain_free(j->chain);
    g_free(j->name);
    g_free(j->platform);
    g_free(j->slot);
    g_free(j->inputs);
    g_free(j->from);
    g_free(j->volume);
    g_free(j->cache_id);
    g_free(j);
}

static struct job *job_new(const struct cache_step *step)
{
    struct job *j = g_new0(struct job, 1);
    j->step = *step;
    if (step->chain)
        j->step.chain = j->chain = chain_copy(step->chain);
    j->step.name = j->name = g_strdup(step->name);
    j->step.platform = j->platform = g_strdup(step->platform);
    j->step.slot = j->slot = g_strdup(step->slot);
    j->step.inputs = j->inputs = g_strdup(step->inputs);
    j->step.from = j->from = g_strdup(step->from);
    return j;
}

static gboolean has_failed(struct place *p)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->writer->lock);
    return p->failed != NULL;
}

/* Takes why; the first counts. */
static void fail_place(struct place *p, GError *why)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->writer->lock);
    if (p->failed)
        g_error_free(why);
    else
        p->failed = why;
}

/* A blob of an absent layer comes from where it is first; registries see to both. *missing: it
 * cannot be had, which is no fault of the place. */
static gboolean send_blob(struct place *p, const struct descriptor *d, guint64 *sent,
                          gboolean *missing, GError **err)
{
    struct store *s = p->writer->env.store;
    gboolean there;
    GError *why = NULL;
    *sent = 0;
    *missing = FALSE;
    if (!p->backend->host && !p->backend->has(p->backend, d, &there, err))
        return FALSE;
    if (!p->backend->host && there)
        return TRUE;
    if (!p->backend->host && !store_blob_need(s, &d->digest, d->size, d->media_type, &why))
        *missing = !g_error_matches(why, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    else if (!p->backend->put(p->backend, d, sent, &why))
        *missing = p->backend->host && g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) &&
                   !store_blob_has(s, &d->digest, NULL);
    if (why)
        g_propagate_error(err, why);
    return !why;
}

/* Takes why. */
static void note_missing(struct place *p, const struct digest *d, GError *why)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->writer->lock);
    g_hash_table_add(p->missing, g_memdup2(d, sizeof *d));
    if (!p->why_missing)
        p->why_missing = g_strdup(why->message);
    g_error_free(why);
}

static void upload_thread(gpointer data, gpointer ctx)
{
    struct upload *u = data;
    struct place *p = u->place;
    struct cache_writer *w = p->writer;
    GError *why = NULL;
    guint64 sent = 0;
    gint64 begun = g_get_monotonic_time();
    work_enter(&w->work);
    gboolean missing = FALSE;
    if (!has_failed(p) && !send_blob(p, &u->d, &sent, &missing, &why) && !missing)
        fail_place(p, why);
    else if (missing)
        note_missing(p, &u->d.digest, why);
    work_enter(NULL);
    g_mutex_lock(&w->lock);
    p->blobs += sent > 0;
    p->bytes += sent;
    p->busy_us += g_get_monotonic_time() - begun;
    w->pending--;
    g_cond_broadcast(&w->sent);
    g_mutex_unlock(&w->lock);
    g_free(u->d.media_type);
    g_free(u);
}

/* Sends what the place lacks, in another thread. */
static void put_later(struct place *p, const struct descriptor *d)
{
    struct cache_writer *w = p->writer;
    if (!d->media_type || segment_holds(p->theirs.all, &d->digest) ||
        g_hash_table_contains(p->put, &d->digest))
        return;
    g_hash_table_add(p->put, g_memdup2(&d->digest, sizeof d->digest));
    struct upload *u = g_new0(struct upload, 1);
    u->place = p;
    u->d = (struct descriptor){
        .media_type = g_strdup(d->media_type), .digest = d->digest, .size = d->size};
    g_mutex_lock(&w->lock);
    w->pending++;
    g_mutex_unlock(&w->lock);
    g_thread_pool_push(w->uploads, u, NULL);
}

/* The layer as this place has it; made once. NULL with *err. */
static const struct cache_layer *layer_of(struct place *p, const char *id, GError **err)
{
    struct cache_writer *w = p->writer;
    const struct export_options *o = &p->spec->layers;
    g_autofree char *key = g_strdup_printf("%s %d %d %d", id, o->compression, o->level, o->force);
    struct cache_layer *l = g_hash_table_lookup(w->layers, key);
    if (l)
        return l;
    l = describe_layer(w->env.store, id, o, w->env.cancel, err);
    if (l)
        g_hash_table_insert(w->layers, g_steal_pointer(&key), l);
    return l;
}

static gboolean add_step_layers(struct place *p, const struct chain *c, struct cache_record *r,
                                GError **err)
{
    r->layers = g_new0(guint, c->n + 1);
    for (guint i = 0; i < c->n; i++) {
        const struct cache_layer *l = layer_of(p, c->ids[i], err);
        if (!l)
            return FALSE;
        r->layers[r->n_layers++] = segment_add_layer(p->mine, l);
        if (!l->base || !l->origins)
            put_later(p, &l->blob);
        put_later(p, &l->index);
    }
    return TRUE;
}

static gboolean add_inputs(struct place *p, const char *inputs, struct cache_record *r,
                           GError **err)
{
    if (!inputs || strlen(inputs) <= SMALL_INPUTS) {
        r->inputs = g_strdup(inputs);
        return TRUE;
    }
    if (!describe_text(p->writer->env.store, inputs, CACHE_INPUTS_TYPE, &r->inputs_blob, err))
        return FALSE;
    put_later(p, &r->inputs_blob);
    return TRUE;
}

/* A result is younger than other results that were there under its key before: the first one stays
 * what is found. */
static void order_behind(const struct place *p, const struct digest *key, struct cache_record *r)
{
    const GPtrArray *all = segment_find(p->theirs.all, key);
    for (guint i = 0; all && i < all->len; i++) {
        const struct cache_record *old = g_ptr_array_index(all, i);
        if (digest_cmp(&old->content, &r->content) != 0)
            r->created = MAX(r->created, old->created + 1);
    }
}

static gboolean add_record(struct place *p, const struct cache_step *step, GError **err)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(cache_record) r = g_new0(struct cache_record, 1);
    r->definition = step->definition;
    r->content_key = step->content_key;
    r->content = step->content;
    r->created = step->created ? step->created : now;
    order_behind(p, &step->definition, r);
    order_behind(p, &step->content_key, r);
    r->duration_us = step->duration_us;
    r->step =
        strlen(step->name) > MAX_STEP ? text_one_line(step->name, MAX_STEP) : g_strdup(step->name);
    r->platform = g_strdup(step->platform);
    r->slot = g_strdup(step->slot);
    r->used = now;
    if (!add_step_layers(p, step->chain, r, err) || !add_inputs(p, step->inputs, r, err))
        return FALSE;
    segment_add_record(p->mine, g_steal_pointer(&r));
    p->records++;
    return TRUE;
}

/* Theirs for the same step; *same: with the same result. */
static struct cache_record *find_theirs(struct place *p, const struct cache_step *step,
                                        gboolean *same)
{
    const GPtrArray *all = segment_find(p->theirs.all, &step->definition);
    *same = FALSE;
    for (guint i = 0; all && i < all->len; i++) {
        struct cache_record *r = g_ptr_array_index(all, i);
        *same = digest_cmp(&r->definition, &step->definition) == 0 &&
                digest_cmp(&r->content, &step->content) == 0 &&
                (digest_is_zero(&step->content_key) ||
                 digest_cmp(&r->content_key, &step->content_key) == 0);
        if (*same)
            return r;
    }
    return all && all->len > 0 ? g_ptr_array_index(all, 0) : NULL;
}

static void tell_irreproducible(struct place *p, const struct cache_step *step,
                                const struct cache_record *r)
{
    const struct cache_layer *top =
        r->n_layers ? segment_layer(p->theirs.all, r->layers[r->n_layers - 1]) : NULL;
    g_autofree char *files =
        top && step->chain->n
            ? differing_files(p->backend, p->writer->env.store, top,
                              step->chain->ids[step->chain->n - 1], p->writer->env.cancel)
            : NULL;
    if (files && !*files) /* what it stands on differs, which was told of that */
        return;
    event_note(p->writer->env.events,
               "%s is not reproducible: %s has another result for it, which stays%s%s%s",
               step->name, p->backend->label, files ? " (different: " : "", files ? files : "",
               files ? ")" : "");
}

/* A layer that this machine cannot make into its blob again (of an image whose blobs are lost) is
 * no fault of the cache: the step is left out. */
static void skip_or_fail(struct place *p, const struct cache_step *step, GError *why)
{
    if (!g_error_matches(why, VARVE_ERROR, VARVE_ERROR_FAILED)) {
        fail_place(p, why);
        return;
    }
    event_note(p->writer->env.events, "%s is not written to %s: %s", step->name, p->backend->label,
               why->message);
    g_error_free(why);
}

static void write_step(struct place *p, const struct cache_step *step)
{
    GError *why = NULL;
    gboolean same;
    gint64 begun = g_get_monotonic_time();
    if (has_failed(p) || (!p->spec->max && !step->of_image))
        return;
    struct cache_record *r = find_theirs(p, step, &same);
    if (r && same) {
        g_hash_table_add(p->used, r);
    } else if (!r && g_strcmp0(step->from, p->backend->label) == 0) {
        return; /* another builder published it meanwhile */
    } else if (!add_record(p, step, &why)) {
        skip_or_fail(p, step, why);
    } else if (r && step->ran) {
        tell_irreproducible(p, step, r);
    }
    g_mutex_lock(&p->writer->lock);
    p->busy_us += g_get_monotonic_time() - begun;
    g_mutex_unlock(&p->writer->lock);
}

/* Mounts that did not change are in use all the same: once a day that is written, so that prune
 * keeps them. */
static void keep_used(struct place *p, const GPtrArray *refs)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    for (guint i = 0; i < refs->len; i++) {
        const struct cache_mount_ref *old = g_ptr_array_index(refs, i);
        if (old->created + USED_ANEW >= now)
            continue;
        segment_adopt_mount(p->mine, old);
        ((struct cache_mount_ref *)g_ptr_array_index(p->mine->mounts, p->mine->mounts->len - 1))
            ->created = now;
    }
}

/* Exports the volume to p. */
static gboolean export_volume(struct place *p, const struct job *j, const struct mount_dir *d,
                              GError **err)
{
    struct cache_mount_ref *ref;
    guint64 left_out = 0;
    const struct mount_volume v = {
        j->volume, j->platform,
        j->reader && cache_reader_filled(j->reader, p->backend->label, j->volume, j->platform)};
    g_autoptr(GPtrArray) refs = mount_refs_of(p->theirs.all, j->volume, j->platform);
    if (!mount_refs_export(p->backend, &v, d, refs, p->spec->mounts_max, &ref, &left_out, err))
        return FALSE;
    if (left_out > 0)
        event_note(p->writer->env.events,
                   "mounts-max: %" G_GUINT64_FORMAT
                   " MB of the cache mount %s, used least recently, were left out",
                   left_out / 1000000, j->cache_id);
    if (!ref) {
        keep_used(p, refs);
        return TRUE;
    }
    put_later(p, &ref->manifest);
    for (guint i = 0; i < ref->packs->len; i++)
        put_later(p, g_ptr_array_index(ref->packs, i));
    segment_add_mount(p->mine, ref);
    p->mounts++;
    return TRUE;
}

/* The volume's directory, held until release; NULL without error: there is none. */
static struct volume *hold_volume(struct store *s, const char *id, struct cancel *c, GError **err)
{
    g_autoptr(GPtrArray) ids = store_volume_ids(s, err);
    if (!ids || !g_ptr_array_find_with_equal_func(ids, id, g_str_equal, NULL))
        return NULL;
    struct volume *v = store_volume_take(s, id, SHARING_SHARED, c, err);
    if (v && v->fresh) { /* removed meanwhile */
        store_volume_discard(v);
        return NULL;
    }
    return v;
}

static gboolean export_held(struct place *p, const struct job *j, GError **err)
{
    struct cache_env *env = &p->writer->env;
    GError *why = NULL;
    g_autoptr(volume) v = hold_volume(env->store, j->volume, env->cancel, &why);
    if (!v && why)
        g_propagate_error(err, why);
    if (!v)
        return !why;
    fd_auto int fd = fs_open_dir(store_fd(env->store), v->dir, err);
    const struct mount_dir d = {
        .store = env->store, .fd = fd, .name = v->dir, .cancel = env->cancel};
    return fd >= 0 && export_volume(p, j, &d, err);
}

static void write_mount(struct place *p, const struct job *j)
{
    GError *why = NULL;
    gint64 begun = g_get_monotonic_time();
    if (has_failed(p) || !mount_refs_wanted(p->spec, j->cache_id))
        return;
    if (!export_held(p, j, &why))
        fail_place(p, why);
    g_mutex_lock(&p->writer->lock);
    p->busy_us += g_get_monotonic_time() - begun;
    g_mutex_unlock(&p->writer->lock);
}

/* A step that nobody looked at. */
static void write_unseen(struct place *p, struct job *j)
{
    gboolean same;
    if (has_failed(p) || (!p->spec->max && !j->step.of_image))
        return;
    struct cache_record *theirs = find_theirs(p, &j->step, &same);
    if (theirs) { /* what was found instead stands on it */
        g_hash_table_add(p->used, theirs);
        return;
    }
    g_autoptr(record) r = cache_reader_peek(j->reader, &j->step.definition);
    if (!r)
        return;
    struct cache_step step = j->step;
    step.content_key = r->content_key;
    step.chain = r->chain;
    step.content = r->content;
    step.created = r->created;
    step.duration_us = r->duration_us;
    step.inputs = r->inputs;
    write_step(p, &step);
}

static void read_theirs(struct place *p)
{
    GError *why = NULL;
    if (collect(p->backend, p->writer->env.cancel, &p->theirs, &why))
        return;
    /* what another program has there stays; damaged segments are not merged, lost ones replaced */
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED) ||
        g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
        g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID)) {
        event_warn(p->writer->env.events, "the cache %s: %s", p->backend->label, why->message);
        g_error_free(why);
    } else {
        fail_place(p, why);
    }
}

static void write_job(struct place *p, struct job *j)
{
    if (j->chain)
        write_step(p, &j->step);
    else if (j->volume)
        write_mount(p, j);
    else
        write_unseen(p, j);
}

static void wait_for_uploads(struct cache_writer *w)
{
    g_mutex_lock(&w->lock);
    while (w->pending > 0)
        g_cond_wait(&w->sent, &w->lock);
    g_mutex_unlock(&w->lock);
}

/* Leaves out what needs a blob that is nowhere. */
static void drop_missing(struct place *p)
{
    if (g_hash_table_size(p->missing) == 0)
        return;
    struct cache_segment *rest = segment_without(p->mine, p->missing);
    guint gone = p->mine->records->len - rest->records->len;
    p->records -= MIN(gone, p->records);
    segment_free(p->mine);
    p->mine = rest;
    if (gone == 0)
        return;
    event_warn(p->writer->env.events,
               "%u %s not written to %s, as layers of theirs are not here: %s (building with "
               "--no-cache makes them again)",
               gone, gone == 1 ? "step is" : "steps are", p->backend->label, p->why_missing);
}

/* Lets other builders have what is finished. Where that fails they run the step, too. */
static void publish_part(struct place *p)
{
    GError *why = NULL;
    wait_for_uploads(p->writer);
    drop_missing(p);
    if (has_failed(p) || place_publish_part(p, &why))
        return;
    event_note(p->writer->env.events, "what is finished is not shared through the cache %s yet: %s",
               p->backend->label, why->message);
    g_error_free(why);
}

/* A step that others may wait for is published at once, and so is one that took long; others with
 * the next. */
static void share_step(struct cache_writer *w, const struct cache_step *step)
{
    gboolean holds = w->share && cache_share_holds(w->share, &step->content_key);
    if (w->share && (holds || (step->ran && step->duration_us >= LONG_US)))
        publish_part(w->shared);
    if (holds)
        cache_share_release(w->share, &step->content_key);
}

static gpointer write_thread(gpointer data)
{
    struct cache_writer *w = data;
    work_enter(&w->work);
    for (guint i = 0; i < w->places->len; i++)
        read_theirs(g_ptr_array_index(w->places, i));
    for (gboolean more = TRUE; more;) {
        struct job *j = g_async_queue_pop(w->jobs);
        more = j->chain || j->volume || j->reader;
        for (guint i = 0; more && i < w->places->len; i++)
            write_job(g_ptr_array_index(w->places, i), j);
        if (j->chain)
            share_step(w, &j->step);
        job_free(j);
    }
    work_enter(NULL);
    return NULL;
}

void cache_writer_share(struct cache_writer *w, const struct cache_spec *spec,
                        struct cache_share *share)
{
    for (guint i = 0; i < w->places->len; i++) {
        struct place *p = g_ptr_array_index(w->places, i);
        if (p->spec != spec)
            continue;
        w->shared = p;
        w->share = share;
    }
}

void cache_writer_add(struct cache_writer *w, const struct cache_step *step)
{
    g_async_queue_push(w->jobs, job_new(step));
}

void cache_writer_add_unseen(struct cache_writer *w, const struct cache_step *step,
                             struct cache_reader *reader)
{
    struct job *j = job_new(step);
    j->reader = reader;
    g_async_queue_push(w->jobs, j);
}

void cache_writer_add_mount(struct cache_writer *w, const char *id, const char *cache_id,
                            const char *platform, struct cache_reader *reader)
{
    struct job *j = g_new0(struct job, 1);
    j->volume = g_strdup(id);
    j->cache_id = g_strdup(cache_id);
    j->platform = g_strdup(platform);
    j->reader = reader;
    g_async_queue_push(w->jobs, j);
}

static void end_threads(struct cache_writer *w)
{
    if (w->ended)
        return;
    w->ended = TRUE;
    g_async_queue_push(w->jobs, g_new0(struct job, 1));
    if (w->thread)
        g_thread_join(w->thread);
    wait_for_uploads(w);
}

/* Parts that were published, by this build or by others meanwhile, become one segment; when they
 * cannot be read now, at the end of the next build. */
static gboolean publish_all(struct place *p, GError **err)
{
    if (p->published > 0)
        place_read_anew(p);
    return place_publish(p, err);
}

static void finish_place(struct place *p, GError **err)
{
    GError *why = NULL;
    drop_missing(p);
    if (!p->failed && !publish_all(p, &why))
        p->failed = why;
    if (!p->failed)
        return;
    p->why = error_text(p->failed);
    if (p->spec->ignore_error)
        event_warn(p->writer->env.events, "the cache %s was not written: %s", p->backend->label,
                   p->why);
    else if (err && !*err) {
        *err = g_error_copy(p->failed);
        if (!g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
            (*err)->code = VARVE_ERROR_OUTSIDE;
        g_prefix_error(err, "the cache %s was not written: ", p->backend->label);
    }
}

gboolean cache_writer_finish(struct cache_writer *w, GError **err)
{
    GError *first = NULL;
    gint64 begun = g_get_monotonic_time();
    end_threads(w);
    for (guint i = 0; i < w->places->len; i++)
        finish_place(g_ptr_array_index(w->places, i), &first);
    w->waited_us = g_get_monotonic_time() - begun;
    if (first)
        g_propagate_error(err, first);
    return !first;
}

static void place_free(struct place *p)
{
    cache_close(p->backend);
    collected_clear(&p->theirs);
    collected_clear(&p->first);
    segment_free(p->mine);
    g_hash_table_unref(p->put);
    g_hash_table_unref(p->used);
    g_hash_table_unref(p->missing);
    g_free(p->why_missing);
    g_clear_error(&p->failed);
    g_free(p->why);
    g_free(p);
}

static gboolean add_place(struct cache_writer *w, const struct cache_spec *spec, GError **err)
{
    struct cache_backend *b = cache_open(spec, &w->env, err);
    if (!b)
        return FALSE;
    struct place *p = g_new0(struct place, 1);
    p->writer = w;
    p->spec = spec;
    p->backend = b;
    p->mine = segment_new();
    p->put = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    p->used = g_hash_table_new(NULL, NULL);
    p->missing = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    g_ptr_array_add(w->places, p);
    return TRUE;
}

struct cache_writer *cache_writer_new(const GPtrArray *specs, const struct cache_env *env,
                                      GError **err)
{
    struct cache_writer *w = g_new0(struct cache_writer, 1);
    w->env = *env;
    quiet_sink_init(&w->quiet, env->events);
    w->env.events = &w->quiet.sink;
    w->work = (struct work){env->cancel, NULL, -1, env->events};
    w->places = g_ptr_array_new_with_free_func((GDestroyNotify)place_free);
    w->jobs = g_async_queue_new();
    w->layers =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)cache_layer_free);
    g_mutex_init(&w->lock);
    g_cond_init(&w->sent);
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < specs->len; i++)
        ok = add_place(w, g_ptr_array_index(specs, i), err);
    if (ok)
        w->uploads = g_thread_pool_new(upload_thread, NULL, UPLOADS, FALSE, err);
    if (ok && w->uploads)
        w->thread = g_thread_try_new("cache-write", write_thread, w, err);
    if (w->thread)
        return w;
    w->ended = TRUE;
    cache_writer_free(w);
    return NULL;
}

guint cache_writer_count(const struct cache_writer *w)
{
    return w->places->len;
}

void cache_writer_report(const struct cache_writer *w, guint i, struct cache_write_report *out)
{
    const struct place *p = g_ptr_array_index(w->places, i);
    *out = (struct cache_write_report){p->backend->label, p->records, p->mounts,    p->blobs,
                                       p->bytes,          p->busy_us, w->waited_us, p->why};
}

void cache_writer_free(struct cache_writer *w)
{
    if (!w)
        return;
    for (guint i = 0; !w->ended && i < w->places->len; i++)
        fail_place(g_ptr_array_index(w->places, i),
                   g_error_new(VARVE_ERROR, VARVE_ERROR_CANCELLED, "the build failed"));
    end_threads(w);
    if (w->uploads)
        g_thread_pool_free(w->uploads, FALSE, TRUE);
    g_ptr_array_unref(w->places);
    g_async_queue_unref(w->jobs);
    g_hash_table_unref(w->layers);
    g_mutex_clear(&w->lock);
    g_cond_clear(&w->sent);
    g_free(w);
}
