#include "base/error.h"
#include "base/event.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "cli/logcopy.h"
#include "cli/outside.h"
#include "store/history.h"
#include "ui/text.h"

#include <stdlib.h>

struct logs_options {
    int step;
    struct runlog_options run;
};
#define AT(field) G_STRUCT_OFFSET(struct logs_options, field)
#define NO_STEP (-1)

const struct option_row logs_option_rows[] = {
    {"step", 0, OPTION_INT, AT(step), "N", "of a build: only this step's log"},
    {"follow", 'f', OPTION_FLAG, AT(run.follow), NULL, "of a run: follow it until it ends"},
    {"tail", 'n', OPTION_STRING, AT(run.tail), "N", "of a run: only the last N lines"},
    {0},
};

static gboolean copy_log(int fd, GError **err)
{
    struct logcopy copy;
    logcopy_init(&copy);
    gboolean ok = logcopy_pass(&copy, fd, err);
    logcopy_clear(&copy);
    return ok;
}

static const struct step_row *find_step(GPtrArray *steps, int number)
{
    for (guint i = 0; i < steps->len; i++) {
        const struct step_row *r = g_ptr_array_index(steps, i);
        if (r->number == number)
            return r;
    }
    return NULL;
}

static void print_head(int number, const struct step_row *r)
{
    g_autofree char *name =
        r && r->name ? text_fit(r->name, 200) : g_strdup("(this build has not ended)");
    g_autofree char *head =
        g_strdup_printf("step %d · %s%s%s", number, r && r->stage ? r->stage : "",
                        r && r->stage ? " · " : "", name);
    g_autofree char *shown = text_styled(head, STYLE_BOLD, text_colours(stdout));
    printf("%s\n", shown);
}

static int by_number(gconstpointer a, gconstpointer b)
{
    return *(const int *)a - *(const int *)b;
}

/* Numbers of the steps that have a log (logs/<build>/<step>), ascending. */
static GArray *logged_steps(struct store *s, gint64 build)
{
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(int));
    g_autofree char *dir = g_strdup_printf("logs/%" G_GINT64_FORMAT, build);
    fd_auto int fd = fs_open_dir(store_fd(s), dir, NULL);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : fs_list(fd, NULL);
    for (guint i = 0; names && i < names->len; i++) {
        int number = atoi(g_ptr_array_index(names, i));
        g_array_append_val(numbers, number);
    }
    g_array_sort(numbers, by_number);
    return numbers;
}

static gboolean print_step(struct store *s, gint64 build, int number, GPtrArray *steps,
                           gboolean with_head, GError **err)
{
    fd_auto int fd = store_log_open(s, build, number, err);
    if (fd < 0)
        return FALSE;
    if (with_head)
        print_head(number, find_step(steps, number));
    return copy_log(fd, err);
}

static gboolean no_log(gint64 build, int number, const struct step_row *r, GError **err)
{
    if (r && r->outcome != OUTCOME_RAN && r->outcome != OUTCOME_FAILED)
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  "step %d of build %" G_GINT64_FORMAT " has no log: it came from the cache",
                  number, build);
    else
        error_set(err, VARVE_ERROR_NOT_FOUND, "build %" G_GINT64_FORMAT " has no log of a step %d",
                  build, number);
    error_add_next(err, "varve history %" G_GINT64_FORMAT " lists its steps", build);
    return FALSE;
}

static gboolean print_logs(struct store *s, gint64 build, int step, GError **err)
{
    g_autoptr(GPtrArray) steps = store_build_steps(s, build);
    g_autoptr(GArray) numbers = logged_steps(s, build);
    gboolean any = FALSE;
    for (guint i = 0; i < numbers->len; i++) {
        int number = g_array_index(numbers, int, i);
        if (step != NO_STEP && step != number)
            continue;
        if (any)
            putchar('\n');
        if (!print_step(s, build, number, steps, step == NO_STEP, err))
            return FALSE;
        any = TRUE;
    }
    if (any)
        return TRUE;
    if (step != NO_STEP)
        return no_log(build, step, find_step(steps, step), err);
    fprintf(stderr, "build %" G_GINT64_FORMAT " has no logs: all its steps were cached\n", build);
    return TRUE;
}

static gboolean show_build(struct store *s, const struct build_row *b, const struct logs_options *o,
                           GError **err)
{
    if (o->run.follow || o->run.tail) {
        error_set(err, VARVE_ERROR_USAGE, "-f and -n apply to the log of a run, not of a build");
        error_add_next(err, "varve logs %" G_GINT64_FORMAT " | tail", b->id);
        return FALSE;
    }
    return print_logs(s, b->id, o->step, err);
}

static gboolean show_run(struct store *s, const char *what, const struct logs_options *o,
                         GError **err)
{
    g_autoptr(run_row) r = store_run_find(s, what, NULL);
    if (r)
        return runlog_show(s, r, &o->run, err);
    error_set(err, VARVE_ERROR_NOT_FOUND, "no such build or run: %s", what);
    error_add_next(err, "varve history lists the builds, varve ps -a the runs");
    return FALSE;
}

/* A number is a build's, or where there is none a process's; a name or an id is a run's. */
static int show_logs(const struct logs_options *o, const char *what, GError **err)
{
    gint64 id = 0;
    gboolean number = !what || g_ascii_string_to_signed(what, 10, 1, G_MAXINT64, &id, NULL);
    g_autoptr(store) s = open_store(err);
    if (!s)
        return 0;
    struct build_row *b = number ? store_build_get(s, id) : NULL;
    if (b) {
        show_build(s, b, o, err);
    } else if (what) {
        show_run(s, what, o, err);
    } else {
        error_set(err, VARVE_ERROR_NOT_FOUND, "there are no builds yet");
        error_add_next(err, "varve build -t NAME .");
    }
    build_row_free(b);
    return 0;
}

int cmd_logs(const struct command *c, int argc, char **argv, GError **err)
{
    struct logs_options o = {.step = NO_STEP};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 1, err))
        code = show_logs(&o, argv[1], err);
    command_clear(c, &o);
    return code;
}
