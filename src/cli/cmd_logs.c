#include "cli/shared.h"

#include "base/error.h"
#include "base/event.h"
#include "base/fs.h"
#include "base/io.h"
#include "store/history.h"
#include "ui/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536

struct logs_options {
    int step;
};
#define NO_STEP (-1)

const struct option_row logs_option_rows[] = {
    {"step", 0, OPTION_INT, G_STRUCT_OFFSET(struct logs_options, step), "N",
     "only this step's log"},
    {0},
};

/* Passes a log on to a terminal: of escape sequences only colours, of control characters only line
 * ends and tabs. A log is what a stranger's program printed. */
struct filter {
    enum { PLAIN, ESCAPE, SEQUENCE } state;
    GString *sequence; /* of an unfinished escape sequence */
    GString *out;
};
#define MAX_SEQUENCE 32

static void filter_byte(struct filter *f, char c)
{
    if (f->state == ESCAPE) {
        f->state = c == '[' ? SEQUENCE : PLAIN;
        g_string_assign(f->sequence, "\x1b[");
    } else if (f->state == SEQUENCE) {
        gboolean more = (g_ascii_isdigit(c) || c == ';') && f->sequence->len < MAX_SEQUENCE;
        g_string_append_c(f->sequence, c);
        if (c == 'm')
            g_string_append(f->out, f->sequence->str);
        f->state = more ? SEQUENCE : PLAIN;
    } else if (c == '\x1b') {
        f->state = ESCAPE;
    } else if (c == '\r') {
        g_string_append_c(f->out, '\n');
    } else if ((guchar)c >= ' ' || c == '\n' || c == '\t') {
        g_string_append_c(f->out, c);
    }
}

static void copy_filtered(struct filter *f, const char *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++)
        filter_byte(f, bytes[i]);
    fwrite(f->out->str, 1, f->out->len, stdout);
    g_string_truncate(f->out, 0);
}

static gboolean copy_log(int fd, GError **err)
{
    gboolean terminal = isatty(STDOUT_FILENO);
    struct filter f = {PLAIN, g_string_new(NULL), g_string_new(NULL)};
    g_autofree char *buf = g_malloc(CHUNK);
    char last = '\n';
    ssize_t n;
    while ((n = io_read(fd, buf, CHUNK)) > 0) {
        last = buf[n - 1];
        if (terminal)
            copy_filtered(&f, buf, n);
        else
            fwrite(buf, 1, n, stdout);
    }
    if (last != '\n')
        putchar('\n');
    if (terminal && text_colours(stdout))
        fputs("\x1b[0m", stdout);
    g_string_free(f.sequence, TRUE);
    g_string_free(f.out, TRUE);
    return n == 0 || error_set_errno(err, errno, "reading the log");
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
    fprintf(stderr,
            "build %" G_GINT64_FORMAT " ran nothing that has a log: all its steps were cached\n",
            build);
    return TRUE;
}

static int show_logs(const struct logs_options *o, const char *what, GError **err)
{
    gint64 id = 0;
    if (what && !g_ascii_string_to_signed(what, 10, 1, G_MAXINT64, &id, NULL)) {
        error_set(err, VARVE_ERROR_USAGE, "%s is not a build's number", what);
        error_add_next(err, "varve history lists the builds");
        return 0;
    }
    g_autoptr(store) s = open_store(err);
    if (!s)
        return 0;
    struct build_row *b = store_build_get(s, id);
    if (!b) {
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  what ? "there is no build %s" : "there are no builds yet%s", what ? what : "");
        error_add_next(err, what ? "varve history lists the builds" : "varve build -t NAME .");
        return 0;
    }
    print_logs(s, b->id, o->step, err);
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
