#include "build/session.h"

#include "cli/commands.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/root.h"
#include "layer/diffid.h"
#include "layer/index.h"
#include "store/gc.h"
#include "ui/text.h"

struct fsck_flags {
    gboolean repair, quick;
};
#define AT(field) G_STRUCT_OFFSET(struct fsck_flags, field)

const struct option_row fsck_option_rows[] = {
    {"repair", 0, OPTION_FLAG, AT(repair), NULL,
     "remove what is damaged; the next build makes it again"},
    {"quick", 0, OPTION_FLAG, AT(quick), NULL,
     "only compare layers with their index, do not read their files"},
    {0},
};

static gboolean check_contents(struct store *s, const char *id, GError **err)
{
    return layer_index_verify(s, id, TRUE, err) && layer_diff_id_verify(s, id, err);
}

static void on_problem(gpointer ctx, const char *problem)
{
    g_autofree char *shown = text_fit(problem, 1000);
    printf("%s\n", shown);
}

static int check_store(const struct fsck_flags *o, GError **err)
{
    guint problems = 0;
    gint64 began = g_get_monotonic_time();
    g_autoptr(store) s = store_open(root_path(), err);
    const struct fsck_options how = {.repair = o->repair,
                                     .check_layer = o->quick ? session_check_sizes : check_contents,
                                     .report = on_problem};
    if (!s || !store_fsck(s, &how, &problems, err))
        return 0;
    g_autofree char *took = text_duration(g_get_monotonic_time() - began);
    const char *plural = problems == 1 ? "" : "s";
    if (problems == 0) {
        printf("%s is intact (%s)\n", store_root(s), took);
        return 0;
    }
    if (o->repair) {
        printf("%u problem%s found and removed from %s (%s)\n", problems, plural, store_root(s),
               took);
        print_next("build or pull again to replace what was removed");
        return 0;
    }
    printf("%u problem%s in %s (%s)\n", problems, plural, store_root(s), took);
    print_next("varve fsck --repair removes what is damaged; the next build makes it again");
    return 1;
}

int cmd_fsck(const struct command *c, int argc, char **argv, GError **err)
{
    struct fsck_flags o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 0, err))
        code = check_store(&o, err);
    command_clear(c, &o);
    return code;
}
