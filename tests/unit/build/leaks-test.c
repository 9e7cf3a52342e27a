/* What a thousand builds leave behind in their process and their store: nothing. */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define N_BUILDS 120
#define MEMORY_COUNTS FALSE /* theirs keeps what was freed */
#else
#define N_BUILDS 1000
#define MEMORY_COUNTS TRUE
#endif
#define WARM_UP (N_BUILDS / 4) /* builds until caches have their size */
#define MAX_GROWTH (6 << 20)   /* bytes of memory since then */

/* What there is of what could leak. */
struct holdings {
    guint fds, mounts, owners, threads;
    gint64 memory; /* bytes */
};

static guint count_names(const char *dir)
{
    guint n = 0;
    GDir *d = g_dir_open(dir, 0, NULL);
    while (d && g_dir_read_name(d))
        n++;
    if (d)
        g_dir_close(d);
    return n;
}

static guint count_lines(const char *path)
{
    g_autofree char *text = NULL;
    guint n = 0;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

static gint64 memory_used(void)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
    const char *resident = strchr(text, ' ');
    return g_ascii_strtoll(resident + 1, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static struct holdings take_stock(const struct fixture *f)
{
    g_autofree char *tmp = g_build_filename(f->store, "tmp", NULL);
    return (struct holdings){count_names("/proc/self/fd"), count_lines("/proc/self/mountinfo"),
                             count_names(tmp), count_names("/proc/self/task"), memory_used()};
}

static void ignore_event(struct event_sink *self, const struct event *ev)
{
    (void)self;
    (void)ev;
}

/* One that hits, one that makes a layer, fails, is given up, or runs a program. */
static void build_some(const struct fixture *f, int i)
{
    static const char *const ends[] = {"", "COPY b /%d\n", "COPY nothing /%d\n", "COPY b /%d\n"};
    struct event_sink sink = {ignore_event};
    g_autofree char *end = g_strdup_printf(ends[i % 4], i);
    g_autofree char *say = g_strdup_printf("echo %d", i);
    g_autofree char *run =
        f->runs && i % 20 == 5 ? g_strdup_printf(RUN_BUSYBOX, say) : g_strdup("");
    g_autofree char *text = g_strconcat("FROM scratch\nCOPY a /\nCOPY bin /bin\n", end, run, NULL);
    g_autoptr(cancel) c = cancel_new();
    g_autoptr(GError) err = NULL;
    g_autoptr(build_request) r = fixture_request(f, "same", text, NULL);
    const struct build_ports ports = {.events = &sink, .cancel = c};
    if (i % 4 == 3)
        cancel_trigger(c);
    g_autoptr(build) b = build_new(r, f->session, &ports);
    gboolean ok = build_run(b, &err);
    build_record(b, err);
    g_assert_true(ok == (i % 4 < 2));
    if (i % 4 == 2)
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    if (i % 4 == 3)
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
}

static void test_leaks(void)
{
    struct fixture f;
    struct holdings before = {0};
    fixture_init(&f);
    for (int i = 0; i < N_BUILDS; i++) {
        build_some(&f, i);
        if (i == WARM_UP)
            before = take_stock(&f);
    }
    struct holdings after = take_stock(&f);
    g_test_message("%u descriptors, %u mounts, %u threads, memory %" G_GINT64_FORMAT
                   " KiB and then %" G_GINT64_FORMAT,
                   after.fds, after.mounts, after.threads, before.memory / 1024,
                   after.memory / 1024);
    g_assert_cmpuint(after.fds, ==, before.fds);
    g_assert_cmpuint(after.mounts, ==, before.mounts);
    g_assert_cmpuint(after.threads, <=, before.threads);
    g_assert_cmpuint(after.owners, ==, 0);
    if (MEMORY_COUNTS)
        g_assert_cmpint(after.memory - before.memory, <, MAX_GROWTH);
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/build/leaks", test_leaks);
    return g_test_run();
}
