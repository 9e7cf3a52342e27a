#include "cli/shared.h"

#include "base/error.h"
#include "base/event.h"
#include "base/jsonset.h"
#include "cli/report.h"
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
    gboolean json; /* format, parsed */
};
#define AT(field) G_STRUCT_OFFSET(struct history_options, field)

const struct option_row history_option_rows[] = {
    {"limit", 'n', OPTION_INT, AT(limit), "N", "list at most N builds (default 20)"},
    {"no-trunc", 0, OPTION_FLAG, AT(no_trunc), NULL, "do not shorten names and reasons"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the builds' numbers"},
    {"format", 0, OPTION_STRING, AT(format), "json|table", "json prints an object per line"},
    {0},
};

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
        return g_strdup("running, or ended without a word");
    if (b->status == 130)
        return g_strdup("interrupted");
    if (b->status > 0)
        return g_strdup_printf("failed: %s", b->error ? b->error : "?");
    if (!b->image)
        return g_strdup("done");
    return no_trunc ? g_strdup(b->image) : g_strdup_printf("%.19s", b->image);
}

static void print_build_object(const struct build_row *b)
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
    print_json(o, FALSE);
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

static int list_builds(struct store *s, const struct history_options *o)
{
    static const char *const heads[] = {"BUILD",  "STARTED", "TOOK",   "RAN",
                                        "CACHED", "NAME",    "RESULT", NULL};
    g_autoptr(GPtrArray) builds = store_build_list(s, o->limit);
    g_autoptr(table) t = table_new(heads, "r-rrr--");
    for (guint i = 0; i < builds->len; i++) {
        const struct build_row *b = g_ptr_array_index(builds, i);
        if (o->quiet)
            printf("%" G_GINT64_FORMAT "\n", b->id);
        else if (o->json)
            print_build_object(b);
        else
            add_build(t, b, o->no_trunc);
    }
    if (o->quiet || o->json)
        return 0;
    if (builds->len == 0) {
        fprintf(stderr, "no builds yet\n");
        print_next("varve build -t NAME .");
        return 0;
    }
    table_print(t, stdout);
    print_next_after_list("varve history BUILD shows its steps · varve logs BUILD");
    return 0;
}

static void print_step_object(const struct step_row *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "Step", json_integer(r->number));
    jsonset_text(o, "Name", r->name);
    jsonset_text(o, "Stage", r->stage);
    jsonset_text(o, "Outcome", outcome_word(r->outcome));
    json_object_set_new(o, "Seconds", json_real(r->duration_us / 1e6));
    json_object_set_new(o, "Bytes", json_integer(r->layer_bytes));
    if (r->cpu_us)
        json_object_set_new(o, "CpuSeconds", json_real(r->cpu_us / 1e6));
    if (r->memory_peak)
        json_object_set_new(o, "MemoryPeak", json_integer(r->memory_peak));
    jsonset_text(o, "Why", r->why);
    jsonset_text(o, "Key", r->key);
    print_json(o, FALSE);
}

static void add_step(struct table *t, const struct step_row *r, gboolean no_trunc)
{
    g_autofree char *number = g_strdup_printf("%d", r->number);
    g_autofree char *took = text_duration(r->duration_us);
    g_autofree char *size = r->layer_bytes ? text_size(r->layer_bytes) : NULL;
    g_autofree char *name = fit_unless(no_trunc, r->name ? r->name : "", NAME_COLUMNS);
    const char *cells[] = {number, outcome_word(r->outcome), took, size, r->stage, name, r->why,
                           NULL};
    table_row(t, cells);
}

static int list_steps(struct store *s, gint64 id, const struct history_options *o, GError **err)
{
    static const char *const heads[] = {"STEP",  "OUTCOME", "TIME", "ADDED",
                                        "STAGE", "WHAT",    "WHY",  NULL};
    struct build_row *b = store_build_get(s, id);
    if (!b) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "there is no build %" G_GINT64_FORMAT, id);
        error_add_next(err, "varve history lists the builds");
        return 0;
    }
    g_autoptr(GPtrArray) steps = store_build_steps(s, b->id);
    g_autoptr(table) t = table_new(heads, "r-rr---");
    for (guint i = 0; i < steps->len; i++)
        o->json ? print_step_object(g_ptr_array_index(steps, i))
                : add_step(t, g_ptr_array_index(steps, i), o->no_trunc);
    if (!o->json) {
        g_autofree char *age = text_age(b->started_us / G_USEC_PER_SEC);
        g_autofree char *result = result_text(b, o->no_trunc);
        g_autofree char *head = g_strdup_printf("build %" G_GINT64_FORMAT " · %s · %s · %s", b->id,
                                                b->name, age, result);
        print_wrapped(head, 0);
        table_print(t, stdout);
        print_next_after_list("varve logs %" G_GINT64_FORMAT " --step N", b->id);
    }
    build_row_free(b);
    return 0;
}

static void print_entry_object(const struct history *h, guint64 size)
{
    json_t *o = json_object();
    jsonset_text(o, "CreatedAt", h->created);
    jsonset_text(o, "CreatedBy", h->created_by);
    json_object_set_new(o, "Size", json_integer(size));
    jsonset_text(o, "Comment", h->comment);
    print_json(o, FALSE);
}

static void add_entry(struct table *t, const struct history *h, guint64 size, gboolean no_trunc)
{
    g_autoptr(GDateTime) at = h->created ? g_date_time_new_from_iso8601(h->created, NULL) : NULL;
    g_autofree char *age = at ? text_age(g_date_time_to_unix(at)) : NULL;
    g_autofree char *bytes = h->empty_layer ? NULL : text_size(size);
    g_autofree char *by = no_trunc ? g_strdup(h->created_by) : created_by_text(h->created_by);
    const char *cells[] = {age, bytes, by, NULL};
    table_row(t, cells);
}

/* As docker history: newest first. */
static int list_entries(struct store *s, const char *name, const struct history_options *o,
                        GError **err)
{
    static const char *const heads[] = {"CREATED", "SIZE", "CREATED BY", NULL};
    g_autoptr(built_image) b = built_image_open(s, name, NULL, err);
    if (!b)
        return 0;
    g_autoptr(table) t = table_new(heads, "-r-");
    guint layer = b->chain->n;
    for (guint i = b->conf->history->len; i-- > 0;) {
        const struct history *h = g_ptr_array_index(b->conf->history, i);
        struct layer_info info = {0};
        if (!h->empty_layer && layer > 0 && !store_layer_get(s, b->chain->ids[--layer], &info, err))
            return 0;
        o->json ? print_entry_object(h, info.size) : add_entry(t, h, info.size, o->no_trunc);
    }
    if (!o->json)
        table_print(t, stdout);
    return 0;
}

static int show_history(struct history_options *o, const char *what, GError **err)
{
    if (!format_is_json(o->format, &o->json, err))
        return 0;
    if (o->limit <= 0) {
        error_set(err, VARVE_ERROR_USAGE, "--limit %d: not a number above 0", o->limit);
        return 0;
    }
    g_autoptr(store) s = open_store(err);
    if (!s)
        return 0;
    if (!what)
        return list_builds(s, o);
    gboolean number = strlen(what) < 18 && strspn(what, "0123456789") == strlen(what);
    return number ? list_steps(s, g_ascii_strtoll(what, NULL, 10), o, err)
                  : list_entries(s, what, o, err);
}

int cmd_history(const struct command *c, int argc, char **argv, GError **err)
{
    struct history_options o = {.limit = DEFAULT_LIMIT};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 1, err))
        code = show_history(&o, argv[1], err);
    command_clear(c, &o);
    return code;
}
