#include "base/error.h"
#include "base/jsonset.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "store/runs.h"
#include "ui/text.h"

#include <string.h>

struct ps_options {
    gboolean all, quiet, no_trunc, latest;
    int last;
    char *format;
    char **filters;
};
#define AT(field) G_STRUCT_OFFSET(struct ps_options, field)

const struct option_row ps_option_rows[] = {
    {"all", 'a', OPTION_FLAG, AT(all), NULL, "also list ended runs"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the ids"},
    {"last", 'n', OPTION_INT, AT(last), "N", "only the last N started, including ended ones"},
    {"latest", 'l', OPTION_FLAG, AT(latest), NULL, "only the last one started"},
    {"filter", 'f', OPTION_LIST, AT(filters), "KEY=VALUE",
     "filter by id, name, status (running, exited, dead) or label (repeatable)"},
    {"no-trunc", 0, OPTION_FLAG, AT(no_trunc), NULL, "print commands in full"},
    {"format", 0, OPTION_STRING, AT(format), FORMAT_ARG, FORMAT_HELP},
    {0},
};

static const char *state_of(const struct run_row *r)
{
    return r->alive ? "running" : r->ended ? "exited" : "dead";
}

/* Newly allocated. */
static char *status_of(const struct run_row *r)
{
    g_autofree char *age = text_age(r->at);
    g_autofree char *up = text_duration(MAX(g_get_real_time() - r->created * G_USEC_PER_SEC, 0));
    if (r->alive)
        return g_strdup_printf(r->program ? "up %s" : "starting", up);
    return r->ended ? g_strdup_printf("exited (%d) %s", r->exit_code, age)
                    : g_strdup("killed together with varve");
}

static gboolean has_label(const struct run_row *r, const char *wanted)
{
    gsize len = strlen(wanted);
    for (char **label = r->labels; label && *label; label++)
        if (g_str_equal(*label, wanted) ||
            (strncmp(*label, wanted, len) == 0 && (*label)[len] == '='))
            return TRUE;
    return FALSE;
}

static gboolean passes(const struct run_row *r, const char *filter)
{
    const char *value = strchr(filter, '=') + 1;
    if (g_str_has_prefix(filter, "id="))
        return g_str_has_prefix(r->id, value);
    if (g_str_has_prefix(filter, "name="))
        return strstr(r->name, value) != NULL;
    if (g_str_has_prefix(filter, "label="))
        return has_label(r, value);
    return g_str_equal(state_of(r), value);
}

/* Docker's states that runs of varve never have are not errors. */
static gboolean check_status(const char *filter, const char *status, GError **err)
{
    static const char *const states[] = {"running", "exited",     "dead",    "created",
                                         "paused",  "restarting", "removing"};
    for (guint i = 0; i < G_N_ELEMENTS(states); i++)
        if (g_str_equal(states[i], status))
            return TRUE;
    const char *near = suggest_nearest(status, states, 3);
    error_set(err, VARVE_ERROR_USAGE, "--filter %s: must be running, exited or dead", filter);
    error_add_next(err, near ? "did you mean status=%s?" : "for example --filter status=%s",
                   near ? near : "exited");
    return FALSE;
}

static gboolean check_filters(const struct ps_options *o, GError **err)
{
    static const char *const keys[] = {"id=", "name=", "label=", "status="};
    for (char **f = o->filters; f && *f; f++) {
        gboolean known = FALSE;
        for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
            known = known || g_str_has_prefix(*f, keys[i]);
        if (g_str_has_prefix(*f, "status=") && !check_status(*f, strchr(*f, '=') + 1, err))
            return FALSE;
        if (known)
            continue;
        error_set(err, VARVE_ERROR_USAGE, "--filter %s: must be id, name, label or status", *f);
        error_add_next(err, "for example --filter status=exited");
        return FALSE;
    }
    return TRUE;
}

/* Ended ones are shown where somebody asked for them. */
static gboolean is_wanted(const struct run_row *r, const struct ps_options *o)
{
    gboolean ended = o->all || o->last > 0 || o->latest;
    for (char **f = o->filters; f && *f; f++) {
        ended = ended || g_str_has_prefix(*f, "status=");
        if (!passes(r, *f))
            return FALSE;
    }
    return r->alive || (ended && r->kept);
}

static json_t *run_object(const struct run_row *r)
{
    g_autofree char *status = status_of(r);
    g_autofree char *created = time_text(r->created);
    g_autofree char *ended = r->ended ? time_text(r->at) : NULL;
    g_autofree char *since = text_age(r->created);
    g_autofree char *labels = g_strjoinv(",", r->labels);
    json_t *o = json_object();
    jsonset_text(o, "ID", r->id);
    jsonset_text(o, "Names", *r->name ? r->name : r->id);
    jsonset_text(o, "Image", r->image);
    jsonset_text(o, "Command", r->command);
    jsonset_text(o, "State", state_of(r));
    jsonset_text(o, "Status", status);
    json_object_set_new(o, "ExitCode", r->ended ? json_integer(r->exit_code) : json_null());
    json_object_set_new(o, "Pid", r->alive ? json_integer(r->pid) : json_null());
    jsonset_text(o, "CreatedAt", created);
    jsonset_text(o, "RunningFor", since);
    jsonset_text(o, "FinishedAt", ended);
    jsonset_text(o, "Labels", labels);
    jsonset_text(o, "Ports", r->ports);
    json_object_set_new(o, "Detached", json_boolean(r->detached));
    return o;
}

static void add_run_row(struct table *t, const struct run_row *r, const struct ps_options *o,
                        gboolean ports)
{
    g_autofree char *status = status_of(r);
    g_autofree char *age = text_age(r->created);
    g_autofree char *pid = r->alive ? g_strdup_printf("%d", r->pid) : NULL;
    g_autofree char *command = text_fit(r->command, o->no_trunc ? G_MAXINT : 40);
    const char *name = *r->name ? r->name : NULL;
    const char *cells[] = {r->id, name, r->image, status, age, pid, command, NULL, NULL};
    if (ports) {
        cells[6] = *r->ports ? r->ports : NULL;
        cells[7] = command;
    }
    table_row(t, cells);
}

/* With a column of ports where any are published. */
static void print_run_table(GPtrArray *rows, const struct ps_options *o)
{
    static const char *const plain[] = {"ID",      "NAME", "IMAGE",   "STATUS",
                                        "CREATED", "PID",  "COMMAND", NULL};
    static const char *const published[] = {"ID",  "NAME",  "IMAGE",   "STATUS", "CREATED",
                                            "PID", "PORTS", "COMMAND", NULL};
    gboolean ports = FALSE;
    for (guint i = 0; i < rows->len; i++)
        ports |= *((const struct run_row *)g_ptr_array_index(rows, i))->ports != '\0';
    g_autoptr(table) t = table_new(ports ? published : plain, "-----r--");
    for (guint i = 0; i < rows->len; i++)
        add_run_row(t, g_ptr_array_index(rows, i), o, ports);
    table_print(t, stdout);
}

/* In templates "\"command\"" and times are as docker writes them. */
static gboolean print_run_objects(GPtrArray *rows, const struct ps_options *o, struct format *f,
                                  GError **err)
{
    static const char *const heads[][2] = {{"RunningFor", "CREATED"}, {NULL, NULL}};
    static const char *const optional[] = {"Image", "FinishedAt", "Labels", NULL};
    f->optional = optional;
    struct run_row none = {.id = (char *)"",
                           .name = (char *)"",
                           .command = (char *)"",
                           .ports = (char *)"",
                           .labels = (char *[]){NULL}};
    if (rows->len == 0 && !format_check(f, run_object(&none), err))
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        const struct run_row *r = g_ptr_array_index(rows, i);
        json_t *row = run_object(r);
        if (f->kind == FORMAT_TEMPLATE) {
            g_autofree char *command = text_fit(r->command, o->no_trunc ? G_MAXINT : 20);
            g_autofree char *quoted = g_strdup_printf("\"%s\"", command);
            g_autofree char *created = format_time(r->created);
            jsonset_text(row, "Command", quoted);
            jsonset_text(row, "CreatedAt", created);
        }
        if (!format_row(f, row, err))
            return FALSE;
    }
    return format_end(f, heads, err);
}

static void print_runs(GPtrArray *rows, const struct ps_options *o, struct format *f, GError **err)
{
    gboolean ids = o->quiet && f->kind != FORMAT_TEMPLATE;
    for (guint i = 0; i < rows->len && ids; i++)
        printf("%s\n", ((const struct run_row *)g_ptr_array_index(rows, i))->id);
    if (ids)
        return;
    if (f->kind != FORMAT_TABLE) {
        print_run_objects(rows, o, f, err);
        return;
    }
    if (rows->len == 0)
        fprintf(stderr, o->all ? "no runs\n" : "nothing is running\n");
    else
        print_run_table(rows, o);
    if (rows->len == 0 && !o->all)
        print_next("varve ps -a lists ended runs · varve run -d --name NAME IMAGE");
}

static int list_runs(const struct ps_options *o, struct format *f, GError **err)
{
    if (!check_filters(o, err))
        return 0;
    g_autoptr(store) s = open_store(err);
    if (!s)
        return 0;
    guint most = o->latest ? 1 : o->last > 0 ? (guint)o->last : G_MAXUINT;
    g_autoptr(GPtrArray) all = store_run_list(s);
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    for (guint i = 0; i < all->len && rows->len < most; i++)
        if (is_wanted(g_ptr_array_index(all, i), o))
            g_ptr_array_add(rows, g_ptr_array_index(all, i));
    print_runs(rows, o, f, err);
    return 0;
}

int cmd_ps(const struct command *c, int argc, char **argv, GError **err)
{
    struct ps_options o = {0};
    struct format f = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 0, err) && format_parse(&f, o.format, err))
        code = list_runs(&o, &f, err);
    format_clear(&f);
    command_clear(c, &o);
    return code;
}
