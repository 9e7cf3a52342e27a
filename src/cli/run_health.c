#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/health.h"
#include "cli/report.h"
#include "ui/text.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MAX_OUTPUT 4096 /* of a probe that is kept for messages, as Docker */

static void on_output(gpointer ctx, int fd, const void *bytes, gsize len)
{
    GString *out = ctx;
    g_string_append_len(out, bytes, MIN(len, MAX_OUTPUT - out->len));
}

/* {"CMD", …} is executed as it is, {"CMD-SHELL", text} by the image's shell. */
static char **probe_args(const struct run *r)
{
    char **test = r->health->test;
    if (!g_str_equal(test[0], "CMD-SHELL"))
        return g_strdupv(test + 1);
    static const char *const sh[] = {"/bin/sh", "-c", NULL};
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    g_strv_builder_addv(b, r->conf->shell && r->conf->shell[0] ? (const char **)r->conf->shell
                                                               : (const char **)sh);
    g_strv_builder_add(b, test[1] ? test[1] : "");
    return g_strv_builder_end(b);
}

/* Runs one probe. *why gets the reason of a failure, newly allocated. */
static gboolean probe(struct run *r, const struct health *h, char **why)
{
    g_auto(GStrv) args = probe_args(r);
    GString *out = g_string_new(NULL);
    struct sandbox_spec spec = {.root_fd = -1,
                                .args = (const char *const *)args,
                                .env = (const char *const *)r->env,
                                .cwd = r->cwd,
                                .user = r->user,
                                .stdin_fd = -1,
                                .output = on_output,
                                .output_ctx = out};
    struct sandbox_result res = {0};
    g_autoptr(GError) err = NULL;
    gboolean ran =
        sandbox_join(g_atomic_int_get(&r->pid), &spec, h->timeout, r->probe_cancel, &res, &err);
    g_strstrip(out->str);
    g_free(*why);
    *why = !ran        ? g_strdup(err->message)
           : *out->str ? g_strdup_printf("exit code %d: %s", res.exit_code, out->str)
                       : g_strdup_printf("exit code %d", res.exit_code);
    g_string_free(out, TRUE);
    return ran && res.exit_code == 0;
}

static void say_healthy(struct run *r)
{
    g_autofree char *took = text_duration(g_get_monotonic_time() - r->started_us);
    fprintf(stderr, "%s is healthy after %s\n", r->name, took);
    g_atomic_int_set(&r->healthy, 1);
    run_report_ready(r);
}

/* TRUE when there is no use in going on. */
static gboolean on_change(struct run *r, enum health_state now, const char *why)
{
    gboolean first = !g_atomic_int_get(&r->healthy);
    if (now == HEALTH_HEALTHY && first)
        say_healthy(r);
    else if (now == HEALTH_HEALTHY)
        report_note("%s is healthy again", r->name);
    else if (!first)
        report_warning("%s is unhealthy: %s", r->name, why);
    else
        r->complaint = g_strdup(why);
    if (!r->complaint)
        return FALSE;
    run_stop(r);
    return TRUE;
}

/* FALSE when the program has ended meanwhile. */
static gboolean sleep_until(struct run *r, gint64 due)
{
    gint64 left = due - g_get_monotonic_time();
    struct pollfd fd = {.fd = cancel_fd(r->probe_cancel), .events = POLLIN};
    if (left > 0)
        poll(&fd, 1, (int)MIN(left / 1000 + 1, G_MAXINT));
    return !cancel_is_set(r->probe_cancel);
}

static gpointer health_main(gpointer data)
{
    struct run *r = data;
    struct health h;
    g_autofree char *why = NULL;
    health_init(&h, r->health, r->started_us);
    while (sleep_until(r, health_due(&h))) {
        gint64 began = g_get_monotonic_time();
        if (began < health_due(&h))
            continue;
        enum health_state before = h.state;
        gboolean ok = probe(r, &h, &why);
        if (cancel_is_set(r->probe_cancel))
            break;
        enum health_state now = health_note(&h, began, g_get_monotonic_time(), ok);
        if (now != before && on_change(r, now, why))
            break;
    }
    return NULL;
}

void run_health_start(struct run *r)
{
    r->probe_cancel = cancel_new();
    r->prober = g_thread_new("health", health_main, r);
}

void run_health_end(struct run *r)
{
    if (!r->prober)
        return;
    cancel_trigger(r->probe_cancel);
    g_thread_join(g_steal_pointer(&r->prober));
    cancel_free(r->probe_cancel);
}
