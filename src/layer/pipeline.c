#include "layer/pipeline.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/work.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORKERS 6
#define SPARE 3 /* batches beyond one per worker: being filled, hashed, written */

/* A batch goes through: filled by the caller, pushed; then in any order hashed (for the diff ID)
 * and made (by a worker); then written. All but raw and member are under the pipeline's lock. */
struct batch {
    GByteArray *raw;
    GByteArray *member;
    struct digest digest; /* of raw; set with made */
    gboolean made, reused;
};

struct pipeline {
    struct store *store;
    struct encoder encoder;
    struct blob_writer *writer;
    struct cancel *cancel;
    GMutex lock;
    GCond changed;
    guint n_slots, n_workers;
    struct batch *slots; /* batch number i lives in slots[i % n_slots] */
    guint64 pushed;      /* batches given by the caller */
    guint64 taken;       /* begun by workers */
    guint64 hashed;      /* done by the hashing thread */
    guint64 written;     /* done by the writing thread */
    gboolean ended;      /* no more will be pushed */
    gboolean stop;       /* an error, or given up */
    GError *err;         /* the first */
    GThread *workers[MAX_WORKERS], *hashing, *writing;
    struct digest diff_id;
    GArray *raw, *members; /* filled by the writing thread */
    guint64 raw_bytes, reused;
};

static struct batch *slot(struct pipeline *p, guint64 number)
{
    return &p->slots[number % p->n_slots];
}

static void pipeline_fail(struct pipeline *p, GError *err)
{
    g_mutex_lock(&p->lock);
    if (p->err)
        g_error_free(err);
    else
        p->err = err;
    p->stop = TRUE;
    g_cond_broadcast(&p->changed);
    g_mutex_unlock(&p->lock);
}

/* Copies the member of an older blob, when there is one and it is sound: the blob lay on a disk. */
static gboolean reuse_member(struct pipeline *p, struct member_maker *maker, struct batch *b)
{
    struct member_info m;
    if (!store_member_find(p->store, &b->digest, p->encoder.variant, &m) ||
        m.raw_size != b->raw->len || m.size > 2 * (guint64)b->raw->len + 4096)
        return FALSE;
    fd_auto int fd = store_blob_open(p->store, &m.blob, NULL);
    if (fd < 0)
        return FALSE;
    g_byte_array_set_size(b->member, (guint)m.size);
    ssize_t n = io_pread_full(fd, b->member->data, m.size, (off_t)m.offset);
    return n == (ssize_t)m.size && member_holds(maker, b->member, b->raw);
}

static gboolean make_member(struct pipeline *p, struct member_maker *maker, struct batch *b,
                            GError **err)
{
    digest_of_bytes(&b->digest, b->raw->data, b->raw->len);
    b->reused = reuse_member(p, maker, b);
    return b->reused || member_make(maker, b->raw, b->member, err);
}

static gpointer pipeline_worker(gpointer data)
{
    struct pipeline *p = data;
    g_autoptr(member_maker) maker = member_maker_new(&p->encoder);
    g_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && !p->ended && p->taken == p->pushed)
            g_cond_wait(&p->changed, &p->lock);
        if (p->stop || p->taken == p->pushed)
            break;
        struct batch *b = slot(p, p->taken++);
        g_mutex_unlock(&p->lock);
        GError *err = NULL;
        if (!make_member(p, maker, b, &err))
            pipeline_fail(p, err);
        g_mutex_lock(&p->lock);
        b->made = TRUE;
        g_cond_broadcast(&p->changed);
    }
    g_mutex_unlock(&p->lock);
    return NULL;
}

static gpointer hashing_main(gpointer data)
{
    struct pipeline *p = data;
    g_autoptr(hasher) h = hasher_new();
    g_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && !p->ended && p->hashed == p->pushed)
            g_cond_wait(&p->changed, &p->lock);
        if (p->stop || p->hashed == p->pushed)
            break;
        struct batch *b = slot(p, p->hashed);
        g_mutex_unlock(&p->lock);
        hasher_update(h, b->raw->data, b->raw->len);
        g_mutex_lock(&p->lock);
        p->hashed++;
        g_cond_broadcast(&p->changed);
    }
    g_mutex_unlock(&p->lock);
    hasher_final(h, &p->diff_id);
    return NULL;
}

/* Without compression there are no members: the raw bytes are the blob. */
static gboolean write_member(struct pipeline *p, const struct batch *b, GError **err)
{
    gboolean plain = p->encoder.compression == COMPRESS_NONE;
    const GByteArray *bytes = plain ? b->raw : b->member;
    struct member_info m = {
        .offset = blob_writer_size(p->writer), .size = bytes->len, .raw_size = b->raw->len};
    p->raw_bytes += b->raw->len;
    if (!plain) {
        p->reused += b->reused ? 1 : 0;
        g_array_append_val(p->raw, b->digest);
        g_array_append_val(p->members, m);
    }
    return blob_writer_write(p->writer, bytes->data, bytes->len, err);
}

static gboolean ready_to_write(struct pipeline *p)
{
    gboolean made = p->encoder.compression == COMPRESS_NONE || slot(p, p->written)->made;
    return p->written < p->pushed && p->written < p->hashed && made;
}

static gpointer writing_main(gpointer data)
{
    struct pipeline *p = data;
    g_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && !ready_to_write(p) && !(p->ended && p->written == p->pushed))
            g_cond_wait(&p->changed, &p->lock);
        if (p->stop || p->written == p->pushed)
            break;
        struct batch *b = slot(p, p->written);
        g_mutex_unlock(&p->lock);
        GError *err = NULL;
        if (!write_member(p, b, &err))
            pipeline_fail(p, err);
        g_mutex_lock(&p->lock);
        b->made = FALSE;
        p->written++;
        g_cond_broadcast(&p->changed);
    }
    g_mutex_unlock(&p->lock);
    return NULL;
}

/* One of each kind is needed; further compressors only help. */
static void start_threads(struct pipeline *p)
{
    GError *err = NULL;
    gboolean ok = TRUE;
    if (p->n_workers > 0)
        ok = (p->workers[0] = work_thread("varve-compress", pipeline_worker, p, &err)) != NULL;
    ok = ok && (p->hashing = work_thread("varve-hash", hashing_main, p, &err)) &&
         (p->writing = work_thread("varve-write", writing_main, p, &err));
    for (guint i = 1; ok && i < p->n_workers; i++)
        p->workers[i] = work_helper("varve-compress", pipeline_worker, p);
    if (!ok)
        pipeline_fail(p, err);
}

struct pipeline *pipeline_new(struct store *s, const struct encoder *e, struct blob_writer *w,
                              struct cancel *c)
{
    struct pipeline *p = g_new0(struct pipeline, 1);
    p->store = s;
    p->encoder = *e;
    p->writer = w;
    p->cancel = c;
    g_mutex_init(&p->lock);
    g_cond_init(&p->changed);
    p->n_workers = e->compression == COMPRESS_NONE ? 0 : MIN(pool_cpus(), MAX_WORKERS);
    p->n_slots = p->n_workers + SPARE;
    p->slots = g_new0(struct batch, p->n_slots);
    for (guint i = 0; i < p->n_slots; i++)
        p->slots[i] = (struct batch){.raw = g_byte_array_new(), .member = g_byte_array_new()};
    p->raw = g_array_new(FALSE, FALSE, sizeof(struct digest));
    p->members = g_array_new(FALSE, FALSE, sizeof(struct member_info));
    start_threads(p);
    return p;
}

static void join_one(GThread **t)
{
    if (*t)
        g_thread_join(g_steal_pointer(t));
}

/* Lets the threads run out (or, with stop set, run away) and waits for them. */
static void join_threads(struct pipeline *p)
{
    g_mutex_lock(&p->lock);
    p->ended = TRUE;
    g_cond_broadcast(&p->changed);
    g_mutex_unlock(&p->lock);
    for (guint i = 0; i < p->n_workers; i++)
        join_one(&p->workers[i]);
    join_one(&p->hashing);
    join_one(&p->writing);
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    g_mutex_lock(&p->lock);
    p->stop = TRUE;
    g_mutex_unlock(&p->lock);
    join_threads(p);
    for (guint i = 0; i < p->n_slots; i++) {
        g_byte_array_unref(p->slots[i].raw);
        g_byte_array_unref(p->slots[i].member);
    }
    g_free(p->slots);
    g_clear_pointer(&p->raw, g_array_unref);
    g_clear_pointer(&p->members, g_array_unref);
    g_clear_error(&p->err);
    g_mutex_clear(&p->lock);
    g_cond_clear(&p->changed);
    g_free(p);
}

static gboolean take_error(struct pipeline *p, GError **err)
{
    if (!p->err)
        return FALSE;
    g_propagate_error(err, g_steal_pointer(&p->err));
    return TRUE;
}

GByteArray *pipeline_batch(struct pipeline *p, GError **err)
{
    if (!cancel_check(p->cancel, err))
        return NULL;
    g_mutex_lock(&p->lock);
    while (!p->stop && p->pushed - p->written == p->n_slots)
        g_cond_wait(&p->changed, &p->lock);
    gboolean stopped = p->stop;
    if (stopped)
        take_error(p, err);
    GByteArray *raw = slot(p, p->pushed)->raw;
    g_mutex_unlock(&p->lock);
    if (stopped)
        return NULL;
    g_byte_array_set_size(raw, 0);
    return raw;
}

void pipeline_push(struct pipeline *p)
{
    g_mutex_lock(&p->lock);
    p->pushed++;
    g_cond_broadcast(&p->changed);
    g_mutex_unlock(&p->lock);
}

gboolean pipeline_finish(struct pipeline *p, struct pipeline_result *out, GError **err)
{
    join_threads(p);
    if (take_error(p, err))
        return FALSE;
    *out = (struct pipeline_result){.diff_id = p->diff_id,
                                    .raw = g_steal_pointer(&p->raw),
                                    .members = g_steal_pointer(&p->members),
                                    .raw_bytes = p->raw_bytes,
                                    .reused = p->reused};
    return TRUE;
}
