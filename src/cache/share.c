#include "cache/share.h"

#include "base/error.h"
#include "base/work.h"
#include "cache/claim.h"

#define MS (G_USEC_PER_SEC / 1000)
#define WAKE_US (250 * MS)          /* between two looks at the build's cancellation */
#define END_US (5 * G_USEC_PER_SEC) /* that the end of a build waits for requests */
#define LEFTOVER_S (24 * 60 * 60)   /* age of a document that a killed builder left */
#define LEFTOVERS_MAX 4             /* of them that are removed in one look */
#define WAIT_FACTOR 4               /* of the time that a step is known to take */
#define WAIT_MIN_US (60 * G_USEC_PER_SEC)
#define WAIT_MAX_US (2 * 60 * 60 * (gint64)G_USEC_PER_SEC)

const struct share_times SHARE_TIMES = {.renew_us = 3 * G_USEC_PER_SEC,
                                        .look_us = 1500 * MS,
                                        .contest_us = 200 * MS,
                                        .settle_us = 1500 * MS,
                                        .dead_us = 15 * G_USEC_PER_SEC,
                                        .reply_us = 10 * G_USEC_PER_SEC,
                                        .wait_us = 30 * 60 * (gint64)G_USEC_PER_SEC};

enum key_state {
    KEY_IDLE,   /* nothing is asked */
    KEY_ASKED,  /* who has it is to be looked at */
    KEY_WANTED, /* the same; others can see that we want it */
    KEY_HELD,   /* we run it */
};

/* A step's key that this build asked for. */
struct shared_key {
    struct digest key;
    enum key_state state;
    gint64 due_us;    /* ASKED, WANTED: when to look next */
    gint64 wanted_us; /* WANTED: since when; 0: not written yet */
    gint64 since_us;  /* when it was asked for first */
    gint64 limit_us;  /* how long others are waited for */
    char *holder;     /* the writer that is waited for; or NULL */
};

struct watch {
    struct shared_key *k;
    gint64 due_us; /* when to look next */
    share_over_fn fn;
    gpointer owner, data;
};

struct cache_share {
    struct cache_backend *backend;
    struct cancel *cancel;
    struct event_sink *events;
    const struct share_times *times;
    struct work work; /* of the thread */
    GThread *thread;  /* or NULL: nothing was claimed yet */
    GMutex lock;      /* guards all that follows */
    GCond changed;
    struct cache_claim *mine;
    struct claimboard *board;
    GHashTable *keys;   /* struct digest* → struct shared_key* */
    GPtrArray *watches; /* struct watch* */
    gint64 put_us;      /* when the document was written last; 0: never */
    gboolean dirty;     /* the document has to be written */
    gboolean firing;    /* watches are being called */
    gboolean off;       /* nothing is shared any more */
    gboolean ending;    /* the build is over */
    gboolean ended;     /* the thread is */
};

static void shared_key_free(gpointer p)
{
    g_free(((struct shared_key *)p)->holder);
    g_free(p);
}

struct cache_share *cache_share_new(struct cache_backend *b, struct cancel *cancel,
                                    struct event_sink *events, const char *builder,
                                    const struct share_times *times)
{
    struct cache_share *sh = g_new0(struct cache_share, 1);
    g_autofree char *name = claim_name();
    sh->backend = b;
    sh->cancel = cancel;
    sh->events = events;
    sh->times = times;
    sh->work = (struct work){cancel, NULL, -1, NULL};
    sh->mine = claim_new(name, builder);
    sh->board = claimboard_new(name, times->dead_us, times->settle_us);
    sh->keys = g_hash_table_new_full(digest_ghash, digest_gequal, NULL, shared_key_free);
    sh->watches = g_ptr_array_new_with_free_func(g_free);
    g_mutex_init(&sh->lock);
    g_cond_init(&sh->changed);
    return sh;
}

struct cache_share *cache_share_open(const struct cache_spec *spec, const struct cache_env *env,
                                     GError **err)
{
    struct cancel *cancel = cancel_new_child(env->cancel);
    struct cache_env own = *env;
    own.cancel = cancel;
    own.events = NULL;
    struct cache_backend *b = cache_open(spec, &own, err);
    if (b && b->claims)
        return cache_share_new(b, cancel, env->events, g_get_host_name(), &SHARE_TIMES);
    cache_close(b);
    cancel_free(cancel);
    return NULL;
}

const char *cache_share_label(const struct cache_share *sh)
{
    return sh->backend->label;
}

/* The rest, up to the next heading, is called with the lock held; requests are made without it. */

static void stop_sharing(struct cache_share *sh, const char *why)
{
    if (sh->off)
        return;
    sh->off = TRUE;
    if (!sh->ending && !cancel_is_set(sh->cancel))
        event_note(sh->events, "steps are not shared through the cache %s any more: %s",
                   sh->backend->label, why);
    g_cond_broadcast(&sh->changed);
}

/* Brings the document up to date. */
static void update_mine(struct cache_share *sh)
{
    GHashTableIter it;
    gpointer value;
    g_array_set_size(sh->mine->keys, 0);
    g_hash_table_iter_init(&it, sh->keys);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        const struct shared_key *k = value;
        const struct claim_key c = {k->key, k->state == KEY_HELD};
        if (k->state >= KEY_WANTED && sh->mine->keys->len < CLAIM_KEYS_MAX)
            g_array_append_val(sh->mine->keys, c);
    }
    sh->mine->turn = (sh->mine->turn + 1) % CLAIM_TURNS;
}

static void put_mine(struct cache_share *sh)
{
    GError *why = NULL;
    update_mine(sh);
    sh->dirty = FALSE;
    sh->put_us = g_get_monotonic_time();
    g_autoptr(GBytes) bytes = claim_write(sh->mine);
    g_mutex_unlock(&sh->lock);
    gboolean ok = sh->backend->claim_put(sh->backend, sh->mine->writer, bytes, &why);
    g_mutex_lock(&sh->lock);
    if (!ok)
        stop_sharing(sh, why->message);
    g_clear_error(&why);
}

/* Looks at the document of one builder. What is malformed claims nothing. */
static void look_at_one(struct cache_share *sh, const char *writer)
{
    GError *why = NULL;
    g_mutex_unlock(&sh->lock);
    g_autoptr(GBytes) bytes = sh->backend->claim_get(sh->backend, writer, &why);
    struct cache_claim *c = bytes ? claim_parse(bytes, writer, &why) : NULL;
    g_mutex_lock(&sh->lock);
    if (!c && !g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) &&
        !g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID))
        stop_sharing(sh, why->message);
    g_clear_error(&why);
    claimboard_see(sh->board, writer, c, g_get_monotonic_time());
}

/* The document of a builder goes, or where nothing can be removed says that it is over. */
static void drop_document(struct cache_share *sh, const char *writer)
{
    GError *why = NULL;
    g_mutex_unlock(&sh->lock);
    gboolean gone = sh->backend->claim_remove(sh->backend, writer, &why);
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED)) {
        g_autoptr(cache_claim) c = claim_new(writer, NULL);
        c->ended = TRUE;
        g_autoptr(GBytes) bytes = claim_write(c);
        sh->backend->claim_put(sh->backend, writer, bytes, NULL);
    }
    g_clear_error(&why);
    g_mutex_lock(&sh->lock);
    if (gone)
        claimboard_see(sh->board, writer, NULL, g_get_monotonic_time());
}

/* Looks at all builders. */
static void look_at_all(struct cache_share *sh)
{
    GError *why = NULL;
    guint removed = 0;
    g_mutex_unlock(&sh->lock);
    g_autoptr(GPtrArray) names = sh->backend->claims(sh->backend, &why);
    g_mutex_lock(&sh->lock);
    if (!names)
        stop_sharing(sh, why->message);
    g_clear_error(&why);
    for (guint i = 0; names && i < names->len && !sh->off; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (g_str_equal(name, sh->mine->writer) || claimboard_is_over(sh->board, name))
            continue;
        if (claim_age(name) < LEFTOVER_S)
            look_at_one(sh, name);
        else if (removed++ < LEFTOVERS_MAX)
            drop_document(sh, name);
    }
}

static void set_state(struct cache_share *sh, struct shared_key *k, enum key_state state)
{
    sh->dirty |= k->state >= KEY_WANTED || state >= KEY_WANTED;
    k->state = state;
    g_cond_broadcast(&sh->changed);
}

/* What a look means for a key that is asked for. */
static void judge_asked(struct cache_share *sh, struct shared_key *k)
{
    const char *who;
    gint64 now = g_get_monotonic_time();
    gint64 seen = k->state == KEY_WANTED ? k->wanted_us : 0;
    if (now - k->since_us >= k->limit_us) {
        set_state(sh, k, KEY_HELD);
        return;
    }
    enum claim_state is = claimboard_judge(sh->board, &k->key, seen, now, &who);
    if (is == CLAIM_TAKEN) {
        g_free(k->holder);
        k->holder = g_strdup(who);
        set_state(sh, k, KEY_IDLE);
    } else if (k->state == KEY_ASKED) {
        set_state(sh, k, KEY_WANTED);
        k->wanted_us = 0;
    } else if (is == CLAIM_FREE) {
        set_state(sh, k, KEY_HELD);
    } else {
        k->due_us = now + sh->times->contest_us;
    }
}

/* The keys that are asked for and due; those written meanwhile are wanted from now on. */
static GPtrArray *due_keys(struct cache_share *sh, gint64 now)
{
    GHashTableIter it;
    gpointer value;
    GPtrArray *out = g_ptr_array_new();
    g_hash_table_iter_init(&it, sh->keys);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        struct shared_key *k = value;
        if ((k->state != KEY_ASKED && k->state != KEY_WANTED) || k->due_us > now)
            continue;
        if (k->state == KEY_WANTED && !k->wanted_us)
            k->wanted_us = now;
        g_ptr_array_add(out, k);
    }
    return out;
}

static gboolean serve_asked(struct cache_share *sh, gint64 now)
{
    g_autoptr(GPtrArray) due = due_keys(sh, now);
    if (due->len == 0)
        return FALSE;
    look_at_all(sh);
    for (guint i = 0; i < due->len && !sh->off; i++) {
        struct shared_key *k = g_ptr_array_index(due, i);
        if (k->state == KEY_ASKED || k->state == KEY_WANTED)
            judge_asked(sh, k);
    }
    return TRUE;
}

/* Calls those of over (struct watch*), which are no longer in the list. */
static void fire(struct cache_share *sh, GPtrArray *over)
{
    sh->firing = TRUE;
    g_mutex_unlock(&sh->lock);
    for (guint i = 0; i < over->len; i++) {
        struct watch *w = g_ptr_array_index(over, i);
        w->fn(w->owner, w->data);
    }
    g_mutex_lock(&sh->lock);
    sh->firing = FALSE;
    g_cond_broadcast(&sh->changed);
}

/* Takes the watches whose wait is over out of the list. */
static GPtrArray *take_over(struct cache_share *sh, gboolean all)
{
    gint64 now = g_get_monotonic_time();
    GPtrArray *over = g_ptr_array_new_with_free_func(g_free);
    for (guint i = sh->watches->len; i-- > 0;) {
        const struct shared_key *k = ((struct watch *)g_ptr_array_index(sh->watches, i))->k;
        if (all || !k->holder || now - k->since_us >= k->limit_us ||
            !claimboard_has(sh->board, k->holder, &k->key, now))
            g_ptr_array_add(over, g_ptr_array_steal_index(sh->watches, i));
    }
    return over;
}

/* Looks at whom is waited for, each once, and calls whose wait is over. */
static gboolean serve_watches(struct cache_share *sh, gint64 now)
{
    g_autoptr(GHashTable) whom = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter it;
    gpointer writer;
    for (guint i = 0; i < sh->watches->len; i++) {
        struct watch *w = g_ptr_array_index(sh->watches, i);
        if (w->due_us > now)
            continue;
        w->due_us = now + sh->times->look_us;
        if (w->k->holder)
            g_hash_table_add(whom, g_strdup(w->k->holder));
    }
    if (g_hash_table_size(whom) == 0)
        return FALSE;
    g_hash_table_iter_init(&it, whom);
    while (g_hash_table_iter_next(&it, &writer, NULL) && !sh->off) {
        look_at_one(sh, writer);
        if (claimboard_is_dead(sh->board, writer, g_get_monotonic_time()))
            drop_document(sh, writer);
    }
    g_autoptr(GPtrArray) over = take_over(sh, FALSE);
    if (over->len > 0)
        fire(sh, over);
    return TRUE;
}

static gboolean holds_any(struct cache_share *sh)
{
    GHashTableIter it;
    gpointer k;
    g_hash_table_iter_init(&it, sh->keys);
    while (g_hash_table_iter_next(&it, NULL, &k))
        if (((struct shared_key *)k)->state >= KEY_WANTED)
            return TRUE;
    return FALSE;
}

/* One thing that is to be done now; FALSE: there is none. */
static gboolean serve_one(struct cache_share *sh)
{
    gint64 now = g_get_monotonic_time();
    if (sh->dirty || (now - sh->put_us >= sh->times->renew_us && holds_any(sh))) {
        put_mine(sh);
        return TRUE;
    }
    return serve_asked(sh, now) || serve_watches(sh, now);
}

static gpointer share_thread(gpointer data)
{
    struct cache_share *sh = data;
    work_enter(&sh->work);
    g_mutex_lock(&sh->lock);
    while (!sh->ending && !sh->off) {
        if (cancel_is_set(sh->cancel))
            stop_sharing(sh, "it was cancelled");
        else if (!serve_one(sh))
            g_cond_wait_until(&sh->changed, &sh->lock,
                              g_get_monotonic_time() + MIN(WAKE_US, sh->times->contest_us));
    }
    sh->off = TRUE;
    g_autoptr(GPtrArray) over = take_over(sh, TRUE);
    fire(sh, over);
    if (sh->put_us)
        drop_document(sh, sh->mine->writer);
    sh->ended = TRUE;
    g_cond_broadcast(&sh->changed);
    g_mutex_unlock(&sh->lock);
    work_enter(NULL);
    return NULL;
}

/* For everybody else. */

static gint64 wait_limit(const struct cache_share *sh, gint64 known_us)
{
    if (known_us <= 0)
        return sh->times->wait_us;
    return CLAMP(known_us, WAIT_MIN_US / WAIT_FACTOR, WAIT_MAX_US / WAIT_FACTOR) * WAIT_FACTOR;
}

static struct shared_key *ask_for(struct cache_share *sh, const struct digest *key, gint64 known_us)
{
    gint64 now = g_get_monotonic_time();
    struct shared_key *k = g_hash_table_lookup(sh->keys, key);
    if (!k) {
        k = g_new0(struct shared_key, 1);
        k->key = *key;
        k->since_us = now;
        k->limit_us = wait_limit(sh, known_us);
        g_hash_table_insert(sh->keys, &k->key, k);
    }
    if (k->state == KEY_IDLE) {
        k->state = KEY_ASKED;
        k->due_us = now;
    }
    return k;
}

/* Whether the thread runs. */
static gboolean begin_sharing(struct cache_share *sh)
{
    GError *why = NULL;
    if (!sh->thread && !sh->off && !sh->ending)
        sh->thread = g_thread_try_new("cache-share", share_thread, sh, &why);
    if (why)
        stop_sharing(sh, why->message);
    g_clear_error(&why);
    return sh->thread && !sh->off && !sh->ending;
}

enum share_turn cache_share_claim(struct cache_share *sh, const struct digest *key, gint64 known_us,
                                  char **builder)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&sh->lock);
    gint64 end = g_get_monotonic_time() + sh->times->reply_us;
    *builder = NULL;
    if (!begin_sharing(sh))
        return SHARE_RUN;
    struct shared_key *k = ask_for(sh, key, known_us);
    g_cond_broadcast(&sh->changed);
    while (!sh->off && (k->state == KEY_ASKED || k->state == KEY_WANTED))
        if (!g_cond_wait_until(&sh->changed, &sh->lock, end)) {
            stop_sharing(sh, "it answers too slowly");
            cancel_trigger(sh->cancel);
        }
    if (sh->off || k->state == KEY_HELD)
        return SHARE_RUN;
    *builder = g_strdup(claimboard_builder(sh->board, k->holder));
    return SHARE_WAIT;
}

gboolean cache_share_holds(struct cache_share *sh, const struct digest *key)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&sh->lock);
    const struct shared_key *k = g_hash_table_lookup(sh->keys, key);
    return k && k->state == KEY_HELD;
}

void cache_share_release(struct cache_share *sh, const struct digest *key)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&sh->lock);
    struct shared_key *k = g_hash_table_lookup(sh->keys, key);
    if (k && k->state != KEY_IDLE)
        set_state(sh, k, KEY_IDLE);
}

gboolean cache_share_watch(struct cache_share *sh, const struct digest *key, share_over_fn fn,
                           gpointer owner, gpointer data)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&sh->lock);
    struct shared_key *k = g_hash_table_lookup(sh->keys, key);
    if (!k || sh->off || sh->ending)
        return FALSE;
    struct watch *w = g_new0(struct watch, 1);
    *w = (struct watch){.k = k, .fn = fn, .owner = owner, .data = data};
    w->due_us = g_get_monotonic_time() + sh->times->look_us;
    g_ptr_array_add(sh->watches, w);
    g_cond_broadcast(&sh->changed);
    return TRUE;
}

void cache_share_forget(struct cache_share *sh, gpointer owner)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&sh->lock);
    for (guint i = sh->watches->len; i-- > 0;)
        if (((struct watch *)g_ptr_array_index(sh->watches, i))->owner == owner)
            g_ptr_array_remove_index(sh->watches, i);
    while (sh->firing)
        g_cond_wait(&sh->changed, &sh->lock);
}

void cache_share_end(struct cache_share *sh)
{
    gint64 end = g_get_monotonic_time() + END_US;
    g_mutex_lock(&sh->lock);
    sh->ending = TRUE;
    g_cond_broadcast(&sh->changed);
    while (sh->thread && !sh->ended)
        if (!g_cond_wait_until(&sh->changed, &sh->lock, end))
            break;
    g_mutex_unlock(&sh->lock);
    if (sh->thread && !sh->ended)
        cancel_trigger(sh->cancel);
    if (sh->thread)
        g_thread_join(g_steal_pointer(&sh->thread));
}

void cache_share_free(struct cache_share *sh)
{
    if (!sh)
        return;
    cache_share_end(sh);
    cache_close(sh->backend);
    cancel_free(sh->cancel);
    claim_free(sh->mine);
    claimboard_free(sh->board);
    g_hash_table_unref(sh->keys);
    g_ptr_array_unref(sh->watches);
    g_mutex_clear(&sh->lock);
    g_cond_clear(&sh->changed);
    g_free(sh);
}
