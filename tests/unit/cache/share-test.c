/* Builders that share a reference (cache/share.h), with a fake of the place. */
#include "base/error.h"
#include "base/event.h"
#include "cache/claim.h"
#include "cache/share.h"

#include <string.h>

#define MS ((gint64)G_USEC_PER_SEC / 1000)
#define BUILDERS 8
#define PATIENCE (20 * (gint64)G_USEC_PER_SEC)

/* In proportion as SHARE_TIMES: a turn comes round only after what counts as a pause. */
static const struct share_times quick = {.renew_us = 300 * MS,
                                         .look_us = 50 * MS,
                                         .contest_us = 20 * MS,
                                         .settle_us = 1000 * MS,
                                         .dead_us = 1500 * MS,
                                         .reply_us = 10 * 1000 * MS,
                                         .wait_us = 60 * 1000 * MS};

/* The place, which all builders' backends have in common. */
struct place {
    GMutex lock;           /* guards all */
    GHashTable *documents; /* id → GBytes */
    guint requests, puts;
    gboolean refuses_puts, keeps, stalls, turns; /* what it does wrong */
    guint turn;
};

struct fake {
    struct cache_backend base; /* first */
    struct place *place;
    struct cancel *cancel;
};

static struct place *place_new(void)
{
    struct place *p = g_new0(struct place, 1);
    g_mutex_init(&p->lock);
    p->documents =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    return p;
}

static void place_drop(struct place *p)
{
    g_hash_table_unref(p->documents);
    g_mutex_clear(&p->lock);
    g_free(p);
}

static GPtrArray *fake_claims(struct cache_backend *b, GError **err)
{
    struct place *p = ((struct fake *)b)->place;
    GHashTableIter it;
    gpointer name;
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
    p->requests++;
    g_hash_table_iter_init(&it, p->documents);
    while (g_hash_table_iter_next(&it, &name, NULL))
        g_ptr_array_add(out, g_strdup(name));
    return out;
}

/* The same with another turn, as somebody would write it who renews for ever. */
static GBytes *renewed(struct place *p, const char *name, GBytes *bytes)
{
    g_autoptr(cache_claim) c = claim_parse(bytes, name, NULL);
    g_assert_nonnull(c);
    c->turn = p->turn++ % CLAIM_TURNS;
    return claim_write(c);
}

static GBytes *fake_claim_get(struct cache_backend *b, const char *name, GError **err)
{
    struct place *p = ((struct fake *)b)->place;
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    GBytes *bytes = g_hash_table_lookup(p->documents, name);
    p->requests++;
    if (bytes && p->turns)
        return renewed(p, name, bytes);
    if (bytes)
        return g_bytes_ref(bytes);
    error_set(err, VARVE_ERROR_NOT_FOUND, "gone");
    return NULL;
}

static gboolean fake_claim_put(struct cache_backend *b, const char *name, GBytes *bytes,
                               GError **err)
{
    struct fake *f = (struct fake *)b;
    while (f->place->stalls && !cancel_is_set(f->cancel))
        g_usleep(1000);
    if (!cancel_check(f->cancel, err))
        return FALSE;
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&f->place->lock);
    f->place->requests++;
    f->place->puts++;
    if (f->place->refuses_puts)
        return error_set(err, VARVE_ERROR_DENIED, "you may only read");
    g_hash_table_insert(f->place->documents, g_strdup(name), g_bytes_ref(bytes));
    return TRUE;
}

static gboolean fake_claim_remove(struct cache_backend *b, const char *name, GError **err)
{
    struct place *p = ((struct fake *)b)->place;
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    p->requests++;
    if (p->keeps)
        return error_set(err, VARVE_ERROR_UNSUPPORTED, "nothing is removed here");
    g_hash_table_remove(p->documents, name);
    return TRUE;
}

static void fake_free(struct cache_backend *b)
{
    g_free(b);
}

static struct cache_share *builder(struct place *p, const struct share_times *t,
                                   struct event_sink *events)
{
    struct fake *f = g_new0(struct fake, 1);
    f->base = (struct cache_backend){.label = "fake",
                                     .claims = fake_claims,
                                     .claim_get = fake_claim_get,
                                     .claim_put = fake_claim_put,
                                     .claim_remove = fake_claim_remove,
                                     .free = fake_free};
    f->place = p;
    f->cancel = cancel_new();
    return cache_share_new(&f->base, f->cancel, events, "host", t);
}

static struct digest key_of(const char *text)
{
    struct digest d;
    digest_of_bytes(&d, text, strlen(text));
    return d;
}

static enum share_turn ask(struct cache_share *sh, const char *key)
{
    const struct digest d = key_of(key);
    g_autofree char *who = NULL;
    enum share_turn turn = cache_share_claim(sh, &d, 0, &who);
    g_assert_true(turn == SHARE_RUN || who);
    return turn;
}

/* Counts waits that are over. */
static void count_over(gpointer owner, gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

static void await(gint *over, gint n)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;
    while (g_atomic_int_get(over) < n) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(2000);
    }
    g_assert_cmpint(g_atomic_int_get(over), ==, n);
}

static void watch(struct cache_share *sh, const char *key, gint *over)
{
    const struct digest d = key_of(key);
    if (!cache_share_watch(sh, &d, count_over, over, over))
        g_atomic_int_inc(over);
}

static void release(struct cache_share *sh, const char *key)
{
    const struct digest d = key_of(key);
    g_assert_true(cache_share_holds(sh, &d));
    cache_share_release(sh, &d);
    g_assert_false(cache_share_holds(sh, &d));
}

struct asking {
    struct cache_share *sh;
    const char *key;
    gboolean runs;
};

static gpointer ask_thread(gpointer data)
{
    struct asking *a = data;
    a->runs = ask(a->sh, a->key) == SHARE_RUN;
    return NULL;
}

/* All ask at once. The number of the one that is to run. */
static guint ask_all(struct cache_share *const *all, const char *key)
{
    struct asking asks[BUILDERS];
    GThread *threads[BUILDERS];
    guint winner = 0, winners = 0;
    for (guint i = 0; i < BUILDERS; i++) {
        asks[i] = (struct asking){all[i], key, FALSE};
        threads[i] = g_thread_new("ask", ask_thread, &asks[i]);
    }
    for (guint i = 0; i < BUILDERS; i++) {
        g_thread_join(threads[i]);
        winners += asks[i].runs;
        winner = asks[i].runs ? i : winner;
    }
    g_assert_cmpuint(winners, ==, 1);
    return winner;
}

static void test_one_of_many(void)
{
    struct place *p = place_new();
    struct cache_share *all[BUILDERS];
    gint over = 0;
    for (guint i = 0; i < BUILDERS; i++)
        all[i] = builder(p, &quick, NULL);
    guint winner = ask_all(all, "a");
    for (guint i = 0; i < BUILDERS; i++)
        if (i != winner)
            watch(all[i], "a", &over);
    g_usleep(2 * (gulong)quick.dead_us); /* the winner lives, and is waited for */
    g_assert_cmpint(g_atomic_int_get(&over), ==, 0);
    release(all[winner], "a");
    await(&over, BUILDERS - 1);
    ask_all(all, "b");
    for (guint i = 0; i < BUILDERS; i++)
        cache_share_free(all[i]);
    g_assert_cmpuint(g_hash_table_size(p->documents), ==, 0);
    place_drop(p);
}

/* What another builder claims, who never writes again. */
static void leave_claim(struct place *p, const char *name, const char *key)
{
    g_autoptr(cache_claim) c = claim_new(name, "elsewhere");
    const struct claim_key k = {key_of(key), TRUE};
    g_array_append_val(c->keys, k);
    g_hash_table_insert(p->documents, g_strdup(name), claim_write(c));
}

static void wait_for_left(gboolean keeps, const struct share_times *t, gboolean turns)
{
    struct place *p = place_new();
    g_autofree char *name = claim_name();
    p->keeps = keeps;
    p->turns = turns;
    leave_claim(p, name, "a");
    struct cache_share *sh = builder(p, t, NULL);
    gint over = 0;
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_WAIT);
    gint64 begun = g_get_monotonic_time();
    watch(sh, "a", &over);
    await(&over, 1);
    g_assert_cmpint(g_get_monotonic_time() - begun, >=, 1000 * MS);
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_RUN);
    GBytes *left = g_hash_table_lookup(p->documents, name);
    g_autoptr(cache_claim) c = left ? claim_parse(left, name, NULL) : NULL;
    g_assert_true(turns || (keeps ? c && c->ended : !left));
    cache_share_free(sh);
    g_assert_cmpuint(g_hash_table_size(p->documents), ==, turns ? 1 : keeps ? 2 : 0);
    place_drop(p);
}

static void test_dead_builder(void)
{
    wait_for_left(FALSE, &quick, FALSE);
}

static void test_dead_where_nothing_is_removed(void)
{
    wait_for_left(TRUE, &quick, FALSE);
}

static void test_renewed_for_ever(void)
{
    struct share_times t = quick;
    t.wait_us = 2000 * MS;
    wait_for_left(FALSE, &t, TRUE);
}

struct notes {
    struct event_sink sink; /* first */
    gint n;
};

static void count_note(struct event_sink *self, const struct event *ev)
{
    g_atomic_int_add(&((struct notes *)self)->n, ev->type == EVENT_NOTE);
}

static void test_not_writable(void)
{
    struct place *p = place_new();
    struct notes notes = {.sink = {count_note}};
    p->refuses_puts = TRUE;
    struct cache_share *sh = builder(p, &quick, &notes.sink);
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_RUN);
    g_assert_cmpint(notes.n, ==, 1);
    guint before = p->requests;
    g_assert_cmpint(ask(sh, "b"), ==, SHARE_RUN);
    g_assert_cmpuint(p->requests, ==, before);
    g_assert_cmpint(notes.n, ==, 1);
    cache_share_free(sh);
    place_drop(p);
}

static void test_stalled(void)
{
    struct place *p = place_new();
    struct notes notes = {.sink = {count_note}};
    struct share_times t = quick;
    t.reply_us = 300 * MS;
    p->stalls = TRUE;
    struct cache_share *sh = builder(p, &t, &notes.sink);
    gint64 begun = g_get_monotonic_time();
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_RUN);
    g_assert_cmpint(notes.n, ==, 1);
    cache_share_free(sh); /* what it was asking is given up */
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 4000 * MS);
    place_drop(p);
}

static void test_nothing_asked_nothing_sent(void)
{
    struct place *p = place_new();
    struct cache_share *sh = builder(p, &quick, NULL);
    cache_share_free(sh);
    g_assert_cmpuint(p->requests, ==, 0);
    place_drop(p);
}

/* What is no claim claims nothing, and old leftovers go. */
static void test_hostile_documents(void)
{
    struct place *p = place_new();
    static const char *const bad[] = {"", "x", "{}", "{\"version\":1}"};
    for (guint i = 0; i < 40; i++)
        g_hash_table_insert(p->documents, claim_name(),
                            g_bytes_new_static(bad[i % 4], strlen(bad[i % 4])));
    leave_claim(p, "00000000020000000000000000000002", "a");
    struct cache_share *sh = builder(p, &quick, NULL);
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_RUN);
    g_assert_null(g_hash_table_lookup(p->documents, "00000000020000000000000000000002"));
    cache_share_free(sh);
    place_drop(p);
}

/* Watches of one owner are dropped; those that are left are called when the build ends. */
static void test_forget(void)
{
    struct place *p = place_new();
    struct cache_share *holder = builder(p, &quick, NULL), *sh = builder(p, &quick, NULL);
    gint kept = 0, dropped = 0;
    g_assert_cmpint(ask(holder, "a"), ==, SHARE_RUN);
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_WAIT);
    watch(sh, "a", &kept);
    watch(sh, "a", &dropped);
    cache_share_forget(sh, &dropped);
    cache_share_end(sh);
    g_assert_cmpint(kept, ==, 1);
    g_assert_cmpint(dropped, ==, 0);
    const struct digest d = key_of("a");
    g_assert_false(cache_share_watch(sh, &d, count_over, &kept, &kept));
    cache_share_free(sh);
    cache_share_free(holder);
    place_drop(p);
}

/* 1: it began, 2: it ended. */
static void slow_over(gpointer owner, gpointer data)
{
    g_atomic_int_set((gint *)data, 1);
    g_usleep(300 * MS);
    g_atomic_int_set((gint *)data, 2);
}

static void test_forget_waits_for_a_call(void)
{
    struct place *p = place_new();
    struct cache_share *holder = builder(p, &quick, NULL), *sh = builder(p, &quick, NULL);
    const struct digest d = key_of("a");
    gint step = 0;
    g_assert_cmpint(ask(holder, "a"), ==, SHARE_RUN);
    g_assert_cmpint(ask(sh, "a"), ==, SHARE_WAIT);
    g_assert_true(cache_share_watch(sh, &d, slow_over, &step, &step));
    release(holder, "a");
    await(&step, 1);
    cache_share_forget(sh, &step);
    g_assert_cmpint(g_atomic_int_get(&step), ==, 2);
    cache_share_free(sh);
    cache_share_free(holder);
    place_drop(p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/share/one-of-many", test_one_of_many);
    g_test_add_func("/share/dead-builder", test_dead_builder);
    g_test_add_func("/share/dead-where-nothing-is-removed", test_dead_where_nothing_is_removed);
    g_test_add_func("/share/renewed-for-ever", test_renewed_for_ever);
    g_test_add_func("/share/not-writable", test_not_writable);
    g_test_add_func("/share/stalled", test_stalled);
    g_test_add_func("/share/nothing-asked-nothing-sent", test_nothing_asked_nothing_sent);
    g_test_add_func("/share/hostile-documents", test_hostile_documents);
    g_test_add_func("/share/forget", test_forget);
    g_test_add_func("/share/forget-waits-for-a-call", test_forget_waits_for_a_call);
    return g_test_run();
}
