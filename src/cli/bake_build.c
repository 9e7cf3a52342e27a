#include "cli/bake_shown.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/arguments.h"
#include "cli/bake_request.h"
#include "cli/outside.h"
#include "cli/report.h"

#include <string.h>
#include <unistd.h>

/* One run. */
struct baking {
    const struct bake *bake;
    const struct bake_plan *plan; /* bake's */
    const struct bake_run *how;
    char **env;
    GPtrArray *all; /* struct baked*, what others need first */
    struct session *session;
    struct progress *progress;
    struct batch *batch;
};

static void baked_free(gpointer data)
{
    struct baked *t = data;
    build_request_free(t->options.request);
    g_free(t);
}

static struct baked *find_baked(const struct baking *k, const char *name)
{
    for (guint i = 0; i < k->all->len; i++) {
        struct baked *t = g_ptr_array_index(k->all, i);
        if (strcmp(t->target->name, name) == 0)
            return t;
    }
    return NULL;
}

static gboolean add_target(struct baking *k, const struct bake_target *t, GError **err)
{
    const struct bake_common common = {.bake = k->bake,
                                       .env = k->env,
                                       .parallel = k->how->parallel,
                                       .wants_sizes = k->how->summary_file != NULL,
                                       .secrets = k->how->secrets,
                                       .events = report_sink()};
    struct build_request *r = bake_request_new(t, &common, err);
    if (!r)
        return FALSE;
    r->out_fd = STDOUT_FILENO;
    r->call_json |= k->how->call_json;
    struct baked *b = g_new0(struct baked, 1);
    b->target = t;
    b->options = (struct build_options){.request = r,
                                        .progress = k->how->progress,
                                        .explain = k->how->explain,
                                        .summary_file = k->how->summary_file};
    g_ptr_array_add(k->all, b);
    return TRUE;
}

/* Whether all targets that t links to are added. A plan has no loops of them. */
static gboolean is_due(const struct baking *k, const struct bake_target *t)
{
    GHashTableIter it;
    gpointer value;
    if (!t->contexts)
        return TRUE;
    g_hash_table_iter_init(&it, t->contexts);
    while (g_hash_table_iter_next(&it, NULL, &value))
        if (g_str_has_prefix(value, BAKE_LINK) &&
            !find_baked(k, (const char *)value + strlen(BAKE_LINK)))
            return FALSE;
    return TRUE;
}

/* In the order of the plan, but what others need before them. */
static gboolean add_targets(struct baking *k, GError **err)
{
    const GPtrArray *targets = k->plan->targets;
    guint before;
    do {
        before = k->all->len;
        for (guint i = 0; i < targets->len; i++) {
            const struct bake_target *t = g_ptr_array_index(targets, i);
            if (!find_baked(k, t->name) && is_due(k, t) && !add_target(k, t, err))
                return FALSE;
        }
    } while (k->all->len > before && k->all->len < targets->len);
    return TRUE;
}

/* Notes an output's destination; FALSE if another target has it. Directories are shared. */
static gboolean add_place(GHashTable *places, const struct baked *t, const struct output *o,
                          GError **err)
{
    if (!o->dest || o->type == OUTPUT_LOCAL)
        return TRUE;
    gboolean out = strcmp(o->dest, "-") == 0;
    if (out && !stdout_takes_archive(err)) {
        g_prefix_error(err, "%s: output: ", t->target->name);
        return FALSE;
    }
    char *place = out ? g_strdup("-") : g_canonicalize_filename(o->dest, NULL);
    const char *other = g_hash_table_lookup(places, place);
    if (!other) {
        g_hash_table_insert(places, place, t->target->name);
        return TRUE;
    }
    g_free(place);
    error_set(err, VARVE_ERROR_USAGE, "%s and %s both write %s", other, t->target->name,
              out ? "to stdout" : o->dest);
    error_add_next(err, "give each its own: --set %s.output=type=…,dest=FILE", t->target->name);
    return FALSE;
}

/* Two images cannot have one name; the peer lets the one that ends last have it. */
static void note_names(GHashTable *names, const struct baked *t)
{
    const GPtrArray *tags = t->options.request->tags;
    for (guint i = 0; i + 1 < tags->len; i++) {
        const char *tag = g_ptr_array_index(tags, i), *other = g_hash_table_lookup(names, tag);
        if (other)
            report_warning("%s and %s have the same name, %s: it will be %s", other,
                           t->target->name, tag, t->target->name);
        g_hash_table_insert(names, (gpointer)tag, t->target->name);
    }
}

static gboolean makes_image(const struct build_request *r)
{
    for (guint i = 0; i < r->outputs->len; i++)
        if (output_makes_image(g_ptr_array_index(r->outputs, i)))
            return TRUE;
    return FALSE;
}

/* What two targets must not both have. */
static gboolean check_together(const struct baking *k, GError **err)
{
    g_autoptr(GHashTable) places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < k->all->len; i++) {
        const struct baked *t = g_ptr_array_index(k->all, i);
        const GPtrArray *outputs = t->options.request->outputs;
        for (guint o = 0; o < outputs->len; o++)
            if (!add_place(places, t, g_ptr_array_index(outputs, o), err))
                return FALSE;
        if (makes_image(t->options.request))
            note_names(names, t);
    }
    return TRUE;
}

static char *make_title(const struct baking *k)
{
    g_autoptr(GString) out = g_string_new(NULL);
    guint asked = 0;
    for (guint i = 0; i < k->all->len; i++) {
        const struct baked *t = g_ptr_array_index(k->all, i);
        if (t->target->linked)
            continue;
        if (asked++ < 3)
            g_string_append_printf(out, "%s%s", out->len ? ", " : "", t->target->name);
    }
    return asked <= 3 ? g_strdup(out->str) : g_strdup_printf("%s and %u more", out->str, asked - 3);
}

static gboolean open_batch(struct baking *k, gboolean quiet, GError **err)
{
    const struct batch_options bo = {.fail_fast = k->how->fail_fast};
    g_autofree char *title = make_title(k);
    k->session = shown_session(k->env);
    k->progress = progress_new(stderr, quiet ? PROGRESS_QUIET : k->how->progress, title);
    const struct build_ports ports = shown_ports(k->progress);
    k->batch = batch_new(k->session, &ports, &bo);
    for (guint i = 0; i < k->all->len; i++) {
        struct baked *t = g_ptr_array_index(k->all, i);
        struct build *b = batch_add(k->batch, t->options.request, t->target->name, err);
        if (!b)
            return FALSE;
        t->shown = (struct shown_build){.o = &t->options,
                                        .r = t->options.request,
                                        .session = k->session,
                                        .progress = k->progress,
                                        .build = b,
                                        .res = build_result(b)};
    }
    return TRUE;
}

static json_t *metadata_of(const struct baking *k)
{
    json_t *all = json_object();
    for (guint i = 0; i < k->all->len; i++) {
        const struct baked *t = g_ptr_array_index(k->all, i);
        if (!build_error(t->shown.build))
            json_object_set_new(all, t->target->name, build_metadata(&t->shown));
    }
    return all;
}

static gboolean write_metadata(const struct baking *k, GError **err)
{
    if (!k->how->metadata_file)
        return TRUE;
    json_t *all = metadata_of(k);
    gboolean ok = build_write_metadata(all, k->how->metadata_file, err);
    json_decref(all);
    return ok;
}

static int build_all(struct baking *k)
{
    g_autoptr(GError) err = NULL;
    batch_run(k->batch);
    gboolean written = write_metadata(k, &err);
    int code = bake_report(k->all, k->how);
    for (guint i = 0; i < k->all->len; i++) {
        const struct baked *t = g_ptr_array_index(k->all, i);
        const GError *failure = build_error(t->shown.build);
        if (!t->target->linked)
            build_write_summary(&t->shown, failure);
        build_record(t->shown.build, failure);
    }
    return written ? code : report_error(err);
}

/* Checks, outlines and the like, one target after the other; of what is only linked nothing is
 * shown. */
static int call_all(struct baking *k)
{
    int code = 0;
    guint shown = 0;
    for (guint i = 0; i < k->all->len; i++) {
        struct baked *t = g_ptr_array_index(k->all, i);
        g_autoptr(GError) err = NULL;
        int one = 0;
        if (t->target->linked) {
            if (!build_prepare(t->shown.build, &err))
                one = build_report_failure(&t->shown, err);
            code = code ? code : one;
            continue;
        }
        if (!t->options.request->call_json && k->plan->targets->len > 1)
            printf("%s%s\n", shown++ ? "\n" : "", t->target->name);
        fflush(stdout);
        one = build_call(&t->shown, &err);
        if (err)
            one = build_report_failure(&t->shown, err);
        code = code ? code : one;
    }
    return code;
}

/* The call of the targets that were asked for, which must agree. */
static gboolean find_call(const struct baking *k, enum build_call *call, GError **err)
{
    gboolean any = FALSE;
    guint json = 0;
    *call = CALL_BUILD;
    for (guint i = 0; i < k->all->len; i++) {
        const struct baked *t = g_ptr_array_index(k->all, i);
        const struct build_request *r = t->options.request;
        if (t->target->linked)
            continue;
        json += r->call_json && r->call != CALL_BUILD;
        if (any && r->call != *call)
            return error_set(err, VARVE_ERROR_USAGE,
                             "%s: targets with different values of call cannot be built together",
                             t->target->name);
        *call = r->call;
        any = TRUE;
    }
    return json < 2 || error_set(err, VARVE_ERROR_UNSUPPORTED,
                                 "--call with format=json is for one target at a time");
}

static int run_batch(struct baking *k, GError **err)
{
    enum build_call call;
    if (!add_targets(k, err) || !check_together(k, err) || !find_call(k, &call, err) ||
        !destination_option("--metadata-file", k->how->metadata_file, err) ||
        !destination_option("--summary-file", k->how->summary_file, err))
        return 0;
    if (!open_batch(k, call != CALL_BUILD, err))
        return 0;
    return call == CALL_BUILD ? build_all(k) : call_all(k);
}

int bake_build(const struct bake *b, const struct bake_run *how, GError **err)
{
    g_auto(GStrv) env = g_get_environ();
    struct baking k = {.bake = b,
                       .plan = b->plan,
                       .how = how,
                       .env = env,
                       .all = g_ptr_array_new_with_free_func(baked_free)};
    int code = run_batch(&k, err);
    batch_free(k.batch);
    progress_free(k.progress);
    session_free(k.session);
    g_ptr_array_unref(k.all);
    return code;
}
