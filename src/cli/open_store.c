#include "cli/shared.h"

#include "cli/report.h"
#include "cli/root.h"
#include "layer/index.h"
#include "store/gc.h"

gboolean check_layer_sizes(struct store *s, const char *id, GError **err)
{
    return layer_index_verify(s, id, FALSE, err);
}

#define MAX_SHOWN 3

/* A power loss may cost what half a minute made: nobody reads a hundred lines of it. */
static void on_problem(gpointer ctx, const char *problem)
{
    guint *left = ctx;
    if (*left == 0)
        return;
    (*left)--;
    report_warning("lost when the machine stopped: %s", problem);
}

struct store *open_store(const char *root, GError **err)
{
    struct store *s = store_open(root ? root : root_path(), err);
    if (!s || !store_is_unsettled(s))
        return s;
    /* Sizes tell what power loss does: a file that was not written yet is short or empty. */
    guint problems = 0, left = MAX_SHOWN;
    const struct fsck_options how = {
        .check_layer = check_layer_sizes, .report = on_problem, .ctx = &left};
    if (!store_settle(s, &how, &problems, err)) {
        store_close(s);
        return NULL;
    }
    if (problems > MAX_SHOWN)
        report_warning("and %u more layers and blobs", problems - MAX_SHOWN);
    if (problems)
        report_warning("the next build makes %s again; fsck verifies everything else",
                       problems == 1 ? "it" : "them");
    return s;
}

static void on_wait(gpointer ctx, int pid)
{
    g_autofree char *who = pid ? g_strdup_printf(", process %d,", pid) : g_strdup("");
    g_autofree char *text =
        g_strdup_printf("waiting for another varve%s that is doing the same", who);
    event_emit(ctx, &(struct event){.type = EVENT_WARNING, .vertex = -1, .text = text});
}

void show_waits(struct store *s, struct event_sink *events)
{
    store_tell_waits(s, events ? on_wait : NULL, events);
}
