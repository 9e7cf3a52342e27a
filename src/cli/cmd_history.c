#include "base/error.h"
#include "base/event.h"
#include "base/jsonset.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "output/image.h"
#include "store/history.h"
#include "ui/text.h"

#include <string.h>

#define DEFAULT_LIMIT 20
#define NAME_COLUMNS 44 /* of a step's name in a table */

struct history_options {
    gboolean no_trunc, quiet;
    int limit;
    char *format;
    struct format *f; /* format, parsed */
};
#define AT(field) G_STRUCT_OFFSET(struct history_options, field)

const struct option_row history_option_rows[] = {
    {"limit", 'n', OPTION_INT, AT(limit), "N", "list at most N builds (default 20)"},
    {"no-trunc", 0, OPTION_FLAG, AT(no_trunc), NULL, "do not shorten names and reasons"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the builds' numbers"},
    {"format", 0, OPTION_STRING, AT(format), FORMAT_ARG, FORMAT_HELP},
    {0},
};

static gboolean is_table(const struct history_options *o)
{
    return o->f->kind == FORMAT_TABLE;
}

static gboolean is_quiet(const struct history_options *o)
{
    return o->quiet && o->f->kind != FORMAT_TEMPLATE;
}

static const char *outcome_word(int outcome)
{
    static const char *const words[] = {[OUTCOME_RAN] = "ran",
                                        [OUTCOME_CACHED] = "cached",
                                        [OUTCOME_CUT] = "cut",
                                        [OUTCOME_FAILED] = "failed",
                                        [OUTCOME_CANCELLED] = "stopped"};
    return outcome >= 0 && outcome < (int)G_N_ELEMENTS(words) ? words[outcome] : "?";
}

static char *result_text(const struct build_row *b, gboolean no_trunc)
{
    if (b->status < 0)
        return g_strdup("running or killed");
    if (b->status == 130)
        return g_strdup("interrupted");
    if (b->status > 0) {
        g_autofree char *error = text_first_line(b->error ? b->error : "?");
        return g_strdup_printf("failed: %s", error);
    }
    if (!b->image)
        return g_strdup("done");
    return no_trunc ? g_strdup(b->image) : g_strdup_printf("%.19s", b->image);
}

static json_t *build_object(const struct build_row *b)
{
    g_autofree char *started = time_text(b->started_us / G_USEC_PER_SEC);
    json_t *o = json_object();
    json_object_set_new(o, "Build", json_integer(b->id));
    jsonset_text(o, "Name", b->name);
    jsonset_text(o, "Target", b->target);
    jsonset_text(o, "Platform", b->platform);
    jsonset_text(o, "StartedAt", started);
    json_object_set_new(o, "Seconds", json_real(b->duration_us / 1e6));
    json_object_set_new(o, "Status", json_integer(b->status));
    json_object_set_new(o, "StepsRan", json_integer(b->steps_ran));
    json_object_set_new(o, "StepsCached", json_integer(b->steps_cached));
    jsonset_text(o, "Image", b->image);
    jsonset_text(o, "Error", b->error);
    return o;
}

static void add_build(struct table *t, const struct build_row *b, gboolean no_trunc)
{
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, b->id);
    g_autofree char *age = text_age(b->started_us / G_USEC_PER_SEC);
    g_autofree char *took = b->status < 0 ? NULL : text_duration(b->duration_us);
    g_autofree char *ran = g_strdup_printf("%d", b->steps_ran);
    g_autofree char *cached = g_strdup_printf("%d", b->steps_cached);
    g_autofree char *result = result_text(b, no_trunc);
    const char *cells[] = {id, age, took, ran, cached, b->name, result, NULL};
    table_row(t, cells);
}

static void list_builds(struct store *s, const struct history_options *o, GError **err)
{
    static const char *const heads[] = {"BUILD",  "STARTED", "TOOK",   "RAN",
                                        "CACHED", "NAME",    "RESULT", NULL};
    static const char *const optional[] = {"Name", "Target", "Platform", "Image", "Error", NULL};
    o->f->optional = optional;
    g_autoptr(GPtrArray) builds = store_build_list(s, o->limit);
    struct build_row none = {0};
    if (builds->len == 0 && !is_quiet(o) && !format_check(o->f, build_object(&none), err))
        return;
    g_autoptr(table) t = table_new(heads, "r-rrr--");
    for (guint i = 0; i < builds->len; i++) {
        const struct build_row *b = g_ptr_array_index(builds, i);
        if (is_quiet(o))
            printf("%" G_GINT64_FORMAT "\n", b->id);
        else if (is_table(o))
            add_build(t, b, o->no_trunc);
        else if (!format_row(o->f, build_object(b), err))
            return;
    }
    if (is_quiet(o))
        return;
    if (!is_table(o)) {
        format_end(o->f, NULL, err);
    } else if (builds->len == 0) {
        fprintf(stderr, "no builds yet\n");
        print_next("varve build -t NAME .");
    } else {
        table_print(t, stdout);
        print_next_after_list("varve history BUILD shows its steps · varve logs BUILD");
    }
}

static json_t *step_object(const struct step_row *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "Step", json_integer(r->number));
    jsonset_text(o, "Name", r->name);
    jsonset_text(o, "Stage", r->stage);
    if (r->level)
        jsonset_text(o, "Level", r->level);
    jsonset_text(o, "Outcome", outcome_word(r->outcome));
    json_object_set_new(o, "Seconds", json_real(r->duration_us / 1e6));
    json_object_set_new(o, "Bytes", json_integer(r->layer_bytes));
    if (r->cpu_us)
        json_object_set_new(o, "CpuSeconds", json_real(r->cpu_us / 1e6));
    if (r->memory_peak)
        json_object_set_new(o, "MemoryPeak", json_integer(r->memory_peak));
    jsonset_text(o, "Why", r->why);
    jsonset_text(o, "Key", r->key);
    return o;
}

static void add_step_row(struct table *t, const struct step_row *r, gboolean no_trunc)
{
    g_autofree char *number = g_strdup_printf("%d", r->number);
    g_autofree char *took = text_duration(r->duration_us);
    g_autofree char *size = r->layer_bytes ? text_size(r->layer_bytes) : NULL;
    g_autofree char *name = fit_unless(no_trunc, r->name ? r->name : "", NAME_COLUMNS);
    g_autofree char *why = r->why ? text_first_line(r->why) : NULL;
    const char *cells[] = {number, outcome_word(r->outcome), took, size, r->stage, name, why, NULL};
    table_row(t, cells);
}

static void print_steps(const struct build_row *b, GPtrArray *steps, gboolean no_trunc)
{
    static const char *const heads[] = {"STEP",  "OUTCOME", "TIME", "ADDED",
                                        "STAGE", "WHAT",    "WHY",  NULL};
    g_autoptr(table) t = table_new(heads, "r-rr---");
    for (guint i = 0; i < steps->len; i++)
        add_step_row(t, g_ptr_array_index(steps, i), no_trunc);
    g_autofree char *age = text_age(b->started_us / G_USEC_PER_SEC);
    g_autofree char *result = result_text(b, no_trunc);
    g_autofree char *head =
        g_strdup_printf("build %" G_GINT64_FORMAT " · %s · %s · %s", b->id, b->name, age, result);
    print_wrapped(head, 0);
    table_print(t, stdout);
    print_next_after_list("varve logs %" G_GINT64_FORMAT " --step N", b->id);
}

static void list_steps(struct store *s, gint64 id, const struct history_options *o, GError **err)
{
    struct build_row *b = store_build_get(s, id);
    if (!b) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "there is no build %" G_GINT64_FORMAT, id);
        error_add_next(err, "varve history lists the builds");
        return;
    }
    static const char *const optional[] = {"Name", "Stage", "Why", "Key", NULL};
    o->f->optional = optional;
    g_autoptr(GPtrArray) steps = store_build_steps(s, b->id);
    gboolean ok = TRUE;
    for (guint i = 0; ok && !is_table(o) && i < steps->len; i++)
        ok = format_row(o->f, step_object(g_ptr_array_index(steps, i)), err);
    if (is_table(o))
        print_steps(b, steps, o->no_trunc);
    else if (ok)
        format_end(o->f, NULL, err);
    build_row_free(b);
}

/* With docker's names, and in templates in docker's way. */
static json_t *entry_object(const struct history *h, guint64 size, const struct history_options *o)
{
    json_t *row = json_object();
    jsonset_text(row, "CreatedAt", h->created);
    jsonset_text(row, "CreatedBy", h->created_by);
    json_object_set_new(row, "Size", json_integer(size));
    jsonset_text(row, "Comment", h->comment);
    if (o->f->kind != FORMAT_TEMPLATE)
        return row;
    g_autoptr(GDateTime) at = h->created ? g_date_time_new_from_iso8601(h->created, NULL) : NULL;
    g_autofree char *age = at ? text_age(g_date_time_to_unix(at)) : g_strdup("N/A");
    g_autofree char *text = format_size(size);
    g_autofree char *by = text_fit(h->created_by ? h->created_by : "", o->no_trunc ? G_MAXINT : 45);
    jsonset_text(row, "ID", "<missing>");
    jsonset_text(row, "CreatedSince", age);
    jsonset_text(row, "CreatedAt", h->created ? h->created : "");
    jsonset_text(row, "CreatedBy", by);
    jsonset_text(row, "Comment", h->comment ? h->comment : "");
    jsonset_text(row, "Size", text);
    return row;
}

static void add_history_row(struct table *t, const struct history *h, guint64 size,
                            gboolean no_trunc)
{
    g_autoptr(GDateTime) at = h->created ? g_date_time_new_from_iso8601(h->created, NULL) : NULL;
    g_autofree char *age = at ? text_age(g_date_time_to_unix(at)) : NULL;
    g_autofree char *bytes = h->empty_layer ? NULL : text_size(size);
    g_autofree char *by = no_trunc ? g_strdup(h->created_by) : created_by_text(h->created_by);
    const char *cells[] = {age, bytes, by, NULL};
    table_row(t, cells);
}

/* As docker history: newest first. */
static void list_entries(struct store *s, const char *name, const struct history_options *o,
                         GError **err)
{
    static const char *const heads[] = {"CREATED", "SIZE", "CREATED BY", NULL};
    static const char *const special[][2] = {
        {"ID", "IMAGE"}, {"CreatedSince", "CREATED"}, {NULL, NULL}};
    g_autoptr(built_image) b = built_image_open_any(s, name, NULL, err);
    if (!b)
        return;
    g_autoptr(table) t = table_new(heads, "-r-");
    guint layer = b->chain->n;
    for (guint i = b->conf->history->len; i-- > 0;) {
        const struct history *h = g_ptr_array_index(b->conf->history, i);
        struct layer_info info = {0};
        if (!h->empty_layer && layer > 0 && !store_layer_get(s, b->chain->ids[--layer], &info, err))
            return;
        if (is_table(o))
            add_history_row(t, h, info.size, o->no_trunc);
        else if (!format_row(o->f, entry_object(h, info.size, o), err))
            return;
    }
    if (is_table(o))
        table_print(t, stdout);
    else
        format_end(o->f, special, err);
}

static void show_history(const struct history_options *o, const char *what, GError **err)
{
    if (o->limit <= 0) {
        error_set(err, VARVE_ERROR_USAGE, "--limit %d: must be a number above 0", o->limit);
        return;
    }
    g_autoptr(store) s = open_store(err);
    gboolean number = what && strlen(what) < 18 && strspn(what, "0123456789") == strlen(what);
    if (!s)
        return;
    if (!what)
        list_builds(s, o, err);
    else if (number)
        list_steps(s, g_ascii_strtoll(what, NULL, 10), o, err);
    else
        list_entries(s, what, o, err);
}

int cmd_history(const struct command *c, int argc, char **argv, GError **err)
{
    struct format f = {0};
    struct history_options o = {.limit = DEFAULT_LIMIT, .f = &f};
    if (command_begin(c, &o, &argc, &argv, 0, 1, err) && format_parse(&f, o.format, err))
        show_history(&o, argv[1], err);
    format_clear(&f);
    command_clear(c, &o);
    return 0;
}
