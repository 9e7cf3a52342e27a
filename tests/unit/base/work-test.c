#include "base/error.h"
#include "base/event.h"
#include "base/meter.h"
#include "base/pool.h"
#include "base/work.h"

#include <stdatomic.h>

static void test_slots(void)
{
    g_autoptr(slots) s = slots_new(2);
    g_assert_true(slots_take(s) && slots_take(s));
    g_assert_false(slots_take(s));
    slots_give(s);
    g_assert_true(slots_take(s));
    g_assert_false(slots_take(s));
    g_assert_true(slots_take(NULL));
    slots_give(NULL);
}

static gpointer whose(gpointer unused)
{
    return (gpointer)work_current();
}

static gboolean check_whose(gpointer ctx, gsize i, GError **err)
{
    g_assert_true(work_current() == ctx);
    return TRUE;
}

static void test_inherited(void)
{
    struct work w = {0}, inner = {0};
    g_assert_null(work_enter(&w));
    g_assert_true(g_thread_join(work_thread("test", whose, NULL, NULL)) == &w);
    g_assert_true(work_enter(&inner) == &w);
    g_assert_true(g_thread_join(work_helper("test", whose, NULL)) == &inner);
    g_assert_true(pool_for_each(100, check_whose, &inner, NULL));
    g_assert_true(work_enter(NULL) == &inner);
    g_assert_null(g_thread_join(work_thread("test", whose, NULL, NULL)));
    g_assert_true(pool_for_each(100, check_whose, NULL, NULL));
}

static void test_check(void)
{
    g_autoptr(cancel) command = cancel_new();
    g_autoptr(cancel) mine = cancel_new_child(command);
    struct work w = {.cancel = mine}, other = {0};
    cancel_set_command(command);
    cancel_trigger(mine);
    g_assert_true(work_check(NULL));
    work_enter(&w);
    g_autoptr(GError) err = NULL;
    g_assert_false(work_check(&err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    work_enter(&other);
    cancel_trigger(command);
    g_assert_true(work_check(NULL));
    work_enter(NULL);
    g_assert_false(work_check(NULL));
    cancel_set_command(NULL);
}

static void note_vertex(struct event_sink *self, const struct event *ev)
{
    ((int *)(self + 1))[0] = ev->vertex;
}

/* Events that name no vertex are about the one whose work the thread does. */
static void test_vertex(void)
{
    struct {
        struct event_sink sink;
        int vertex;
    } noted = {{note_vertex}, -2};
    struct work w = {.vertex = 7}, whole = {.vertex = -1};
    const struct event transfer = {.type = EVENT_TRANSFER, .vertex = -1, .name = "x"};
    const struct event log = {.type = EVENT_LOG, .vertex = 3};
    event_emit(&noted.sink, &transfer);
    g_assert_cmpint(noted.vertex, ==, -1);
    work_enter(&w);
    event_emit(&noted.sink, &transfer);
    g_assert_cmpint(noted.vertex, ==, 7);
    event_emit(&noted.sink, &log);
    g_assert_cmpint(noted.vertex, ==, 3);
    work_enter(&whole);
    event_emit(&noted.sink, &transfer);
    g_assert_cmpint(noted.vertex, ==, -1);
    work_enter(NULL);
}

/* How far it was when told last. */
struct told {
    struct event_sink sink;
    guint64 current, target;
    guint n;
    gboolean finished;
};

static void note_transfer(struct event_sink *self, const struct event *ev)
{
    struct told *t = (struct told *)self;
    g_assert_cmpstr(ev->name, ==, "hashing f");
    t->current = ev->current;
    t->target = ev->target;
    t->finished = ev->finished;
    t->n++;
}

/* What is quick is not told of; what lasts is, and cancelling ends it. */
static void test_meter(void)
{
    struct told t = {.sink = {note_transfer}};
    g_autoptr(GError) err = NULL;
    g_autoptr(cancel) mine = cancel_new();
    struct work w = {.cancel = mine, .vertex = 7, .events = &t.sink};
    struct meter m;
    work_enter(&w);
    meter_init(&m, "hashing", "f", 100);
    g_assert_true(meter_add(&m, 10, NULL));
    meter_end(&m);
    g_assert_cmpuint(t.n, ==, 0);
    m.first_us = 0; /* a second is over */
    g_assert_true(meter_add(&m, 20, NULL));
    g_assert_true(meter_add(&m, 30, NULL)); /* too soon again */
    g_assert_cmpuint(t.n, ==, 1);
    g_assert_cmpuint(t.current, ==, 30);
    g_assert_cmpuint(t.target, ==, 100);
    meter_end(&m);
    g_assert_true(t.finished);
    g_assert_cmpuint(t.current, ==, 60);
    cancel_trigger(mine);
    g_assert_false(meter_add(&m, 1, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    work_enter(NULL);
}

#define SLOTS 5

static atomic_int running, most;

static gpointer helper_main(gpointer unused)
{
    int now = atomic_fetch_add(&running, 1) + 1;
    for (int seen = atomic_load(&most); seen < now;)
        if (atomic_compare_exchange_weak(&most, &seen, now))
            break;
    g_thread_yield();
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* A build that wants eight helpers, again and again. */
static gpointer build_main(gpointer slots)
{
    struct work w = {.slots = slots, .vertex = -1};
    work_enter(&w);
    for (guint round = 0; round < 50; round++) {
        GThread *helpers[8];
        for (guint i = 0; i < G_N_ELEMENTS(helpers); i++)
            helpers[i] = work_helper("helper", helper_main, NULL);
        for (guint i = 0; i < G_N_ELEMENTS(helpers); i++)
            if (helpers[i])
                g_thread_join(helpers[i]);
    }
    return NULL;
}

static void test_bound(void)
{
    g_autoptr(slots) s = slots_new(SLOTS);
    GThread *builds[8];
    for (guint i = 0; i < G_N_ELEMENTS(builds); i++)
        builds[i] = g_thread_new("build", build_main, s);
    for (guint i = 0; i < G_N_ELEMENTS(builds); i++)
        g_thread_join(builds[i]);
    g_assert_cmpint(atomic_load(&most), >=, 1);
    g_assert_cmpint(atomic_load(&most), <=, SLOTS);
    for (guint i = 0; i < SLOTS; i++)
        g_assert_true(slots_take(s));
    g_assert_false(slots_take(s));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/work/slots", test_slots);
    g_test_add_func("/work/inherited", test_inherited);
    g_test_add_func("/work/check", test_check);
    g_test_add_func("/work/vertex", test_vertex);
    g_test_add_func("/work/meter", test_meter);
    g_test_add_func("/work/bound", test_bound);
    return g_test_run();
}
