#include "run/prober.h"

#include "base/cancel.h"
#include "base/error.h"
#include "exec/sandbox.h"

#include <poll.h>
#include <string.h>

#define MAX_OUTPUT 4096 /* of a probe that is kept for messages, as Docker */

struct run_prober {
    struct run_prober_options o;
    struct cancel *cancel; /* ends a probe with the program */
    GThread *thread;
};

static void on_output(gpointer ctx, int fd, const void *bytes, gsize len)
{
    GString *out = ctx;
    g_string_append_len(out, bytes, MIN(len, MAX_OUTPUT - out->len));
}

/* {"CMD", …} is executed as it is, {"CMD-SHELL", text} by the image's shell. */
static char **probe_args(const struct run_prober *p)
{
    char **test = p->o.check->test;
    if (!g_str_equal(test[0], "CMD-SHELL"))
        return g_strdupv(test + 1);
    static const char *const sh[] = {"/bin/sh", "-c", NULL};
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    g_strv_builder_addv(b, p->o.shell && p->o.shell[0] ? (const char **)p->o.shell
                                                       : (const char **)sh);
    g_strv_builder_add(b, test[1] ? test[1] : "");
    return g_strv_builder_end(b);
}

/* Runs one probe. *why gets the reason of a failure, newly allocated. */
static gboolean probe(struct run_prober *p, const struct run_health *h, char **why)
{
    g_auto(GStrv) args = probe_args(p);
    GString *out = g_string_new(NULL);
    struct sandbox_spec spec = {.root_fd = -1,
                                .args = (const char *const *)args,
                                .env = (const char *const *)p->o.process->env,
                                .cwd = p->o.process->cwd,
                                .user = p->o.process->user,
                                .stdin_fd = -1,
                                .output = on_output,
                                .output_ctx = out};
    struct sandbox_result res = {0};
    g_autoptr(GError) err = NULL;
    gboolean ran = sandbox_join(p->o.pid, &spec, h->timeout, p->cancel, &res, &err);
    g_strstrip(out->str);
    g_free(*why);
    *why = !ran        ? error_text(err)
           : *out->str ? g_strdup_printf("exit code %d: %s", res.exit_code, out->str)
                       : g_strdup_printf("exit code %d", res.exit_code);
    g_string_free(out, TRUE);
    return ran && res.exit_code == 0;
}

/* FALSE when the program has ended meanwhile. */
static gboolean sleep_until(struct run_prober *p, gint64 due)
{
    gint64 left = due - g_get_monotonic_time();
    struct pollfd fd = {.fd = cancel_fd(p->cancel), .events = POLLIN};
    if (left > 0)
        poll(&fd, 1, (int)MIN(left / 1000 + 1, G_MAXINT));
    return !cancel_is_set(p->cancel);
}

static gpointer prober_main(gpointer data)
{
    struct run_prober *p = data;
    struct run_health h;
    g_autofree char *why = NULL;
    run_health_init(&h, p->o.check, p->o.started);
    while (sleep_until(p, run_health_due(&h))) {
        gint64 began = g_get_monotonic_time();
        if (began < run_health_due(&h))
            continue;
        enum run_health_state before = h.state;
        gboolean ok = probe(p, &h, &why);
        if (cancel_is_set(p->cancel))
            break;
        enum run_health_state now = run_health_note(&h, began, g_get_monotonic_time(), ok);
        if (now != before && !p->o.changed(p->o.ctx, now, why))
            break;
    }
    return NULL;
}

struct run_prober *run_prober_new(const struct run_prober_options *o)
{
    struct run_prober *p = g_new0(struct run_prober, 1);
    p->o = *o;
    p->cancel = cancel_new();
    p->thread = g_thread_new("health", prober_main, p);
    return p;
}

void run_prober_free(struct run_prober *p)
{
    if (!p)
        return;
    cancel_trigger(p->cancel);
    g_thread_join(p->thread);
    cancel_free(p->cancel);
    g_free(p);
}
