#include "cli/shared.h"

#include "cli/report.h"
#include "layer/index.h"
#include "store/gc.h"

gboolean check_layer_sizes(struct store *s, const char *id, GError **err)
{
    return layer_index_verify(s, id, FALSE, err);
}

static void on_problem(gpointer ctx, const char *problem)
{
    report_warning("lost when the machine stopped: %s", problem);
}

struct store *open_store(GError **err)
{
    struct store *s = store_open(NULL, err);
    if (!s || !store_is_unsettled(s))
        return s;
    /* Sizes tell what power loss does: a file that was not written yet is short or empty. */
    const struct fsck_options how = {.check_layer = check_layer_sizes, .report = on_problem};
    guint problems = 0;
    if (!store_settle(s, &how, &problems, err)) {
        store_close(s);
        return NULL;
    }
    if (problems)
        report_warning("the next build makes %s again; fsck verifies everything else",
                       problems == 1 ? "it" : "them");
    return s;
}
