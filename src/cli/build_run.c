#include "cli/build.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/config.h"
#include "cli/report.h"
#include "cli/shared.h"
#include "exec/hostca.h"
#include "text/giturl.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

static struct lower_options lower_options_for(struct build *b)
{
    const struct build_options *o = b->o;
    struct lower_options l = {.build_args = o->build_args,
                              .labels = (const char *const *)o->labels,
                              .target = o->target,
                              .platform = o->platform,
                              .network = o->network,
                              .hosts = (const struct host_ip *)o->hosts->data,
                              .n_hosts = o->hosts->len,
                              .ulimits = (const struct ulimit *)o->ulimits->data,
                              .n_ulimits = o->ulimits->len,
                              .shm_size = o->shm_size,
                              .cgroup_parent = o->cgroup_parent,
                              .contexts = o->contexts,
                              .context_source = b->context_source,
                              .no_cache = o->no_cache,
                              .no_cache_filter = (const char *const *)o->no_cache_filter,
                              .all_stages = o->call == CALL_CHECK,
                              .allow_insecure = o->allow_insecure,
                              .allow_host_network = o->allow_host_network,
                              .resolver = sources_resolver(b->sources)};
    platform_host(&l.build_platform);
    return l;
}

static gboolean lower_build(struct build *b, GError **err)
{
    struct lower_options l = lower_options_for(b);
    b->lowered = lower(b->df, &l, b->diags, err);
    if (b->lowered)
        return TRUE;
    if (err && !*err)
        error_set(err, diags_error_class(b->diags), "%u error%s; nothing was run",
                  b->diags->n_errors, b->diags->n_errors == 1 ? "" : "s");
    return FALSE;
}

static void open_sources(struct build *b)
{
    const struct build_options *o = b->o;
    struct sources_options so = {.store = b->store,
                                 .registry = b->registry,
                                 .events = progress_sink(b->progress),
                                 .cancel = b->cancel,
                                 .context_dir = b->context_dir,
                                 .context_archive = b->context_archive,
                                 .context_ignore = b->ignore,
                                 .contexts = o->contexts,
                                 .secrets = o->secrets,
                                 .ssh = o->ssh,
                                 .pull = o->pull};
    b->sources = sources_new(&so);
}

/* Builds are compared with earlier ones of the same tag, wherever their files were then (a fresh
 * clone); without a tag, of the same Dockerfile and context. */
static char *make_slot_prefix(const struct build *b)
{
    g_autofree char *where =
        g_canonicalize_filename(b->dockerfile_path, b->o->context_dir ? b->o->context_dir : "/");
    g_autofree char *platform = platform_text(&b->o->platform);
    const char *tag = b->o->raw_tags ? b->o->raw_tags[0] : NULL;
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *all = tag ? g_strjoin("\n", tag, platform, NULL)
                               : g_strjoin("\n", where, b->context_name, platform, NULL);
    digest_of_bytes(&d, all, strlen(all));
    return g_strndup(digest_hex(&d, hex), 16);
}

static void begin_history(struct build *b)
{
    const struct build_options *o = b->o;
    b->row.name = g_strdup(o->raw_tags ? o->raw_tags[0] : b->context_label);
    b->row.target = g_strdup(o->target ? o->target : "");
    b->row.platform = platform_text(&o->platform);
    b->row.started_us = g_get_real_time();
    b->row.status = -1;
    b->row.id = store_build_begin(b->store, &b->row, NULL);
}

static gboolean solve(struct build *b, GError **err)
{
    g_autofree char *ca = NULL;
    if (b->o->host_ca && !(ca = hostca_find(err)))
        return FALSE;
    b->slot_prefix = make_slot_prefix(b);
    b->nets = netpool_new(b->network_rule);
    gint64 now_ns =
        b->lowered->epoch >= 0 ? b->lowered->epoch * 1000000000 : g_get_real_time() * 1000;
    struct solver_options so = {.store = b->store,
                                .env = sources_env(b->sources),
                                .events = progress_sink(b->progress),
                                .cancel = b->cancel,
                                .build_id = b->row.id,
                                .now_ns = now_ns,
                                .host_ca = ca,
                                .resources = &b->o->resources,
                                .nets = b->nets,
                                .keep_failed = b->o->debug_on_failure,
                                .slot_prefix = b->slot_prefix};
    b->solver = solver_new(b->lowered->graph, &so);
    gboolean ok =
        !b->lowered->result || solver_run(b->solver, &b->lowered->result, 1, &b->chain, err);
    sources_save(b->sources);
    if (ok && !b->chain)
        b->chain = chain_new();
    return ok;
}

static void annotate(struct output *out, char **annotations)
{
    for (char **a = annotations; a && *a; a++) {
        const char *eq = strchr(*a, '=');
        if (!eq) /* one of another platform */
            continue;
        if (!out->image.annotations)
            out->image.annotations =
                g_tree_new_full((GCompareDataFunc)(gpointer)strcmp, NULL, g_free, g_free);
        g_tree_insert(out->image.annotations, g_strndup(*a, eq - *a), g_strdup(eq + 1));
    }
}

/* Tags the image in the local store, whatever else is asked for: its digest is what users see. */
static gboolean needs_config(const struct build *b)
{
    if (b->o->iidfile)
        return TRUE;
    for (guint i = 0; i < b->o->outputs->len; i++) {
        if (output_makes_image(g_ptr_array_index(b->o->outputs, i)))
            return TRUE;
    }
    return FALSE;
}

static gboolean make_outputs(struct build *b, GError **err)
{
    b->image = built_image_new(b->store, b->chain, b->lowered->conf);
    b->image->cancel = b->cancel;
    b->image->events = progress_sink(b->progress);
    b->image->epoch = b->times.epoch;
    b->image->keep_times = b->times.keep;
    if (needs_config(b) && !built_image_config(b->image, err))
        return FALSE;
    build_compare(b);
    struct output_env env = {.registry = b->registry,
                             .tags = (const char *const *)b->o->tags->pdata,
                             .docker_host = g_getenv("DOCKER_HOST")};
    b->results = g_array_new(FALSE, TRUE, sizeof(struct output_result));
    for (guint i = 0; i < b->o->outputs->len; i++) {
        struct output *out = g_ptr_array_index(b->o->outputs, i);
        annotate(out, b->o->annotations);
        struct output_result r = {0};
        if (!output_run(out, b->image, &env, &r, err))
            return FALSE;
        g_array_append_val(b->results, r);
    }
    return TRUE;
}

static char *make_title(const struct build *b)
{
    g_autofree char *platform = platform_text(&b->o->platform);
    return g_strdup_printf("%s · %s", b->o->raw_tags ? b->o->raw_tags[0] : b->context_label,
                           platform);
}

/* The store, the configuration and the progress display. */
static gboolean open_all(struct build *b, GError **err)
{
    b->store = open_store(b->o->root, err);
    if (!b->store)
        return FALSE;
    b->registry = config_load_registry(&b->network_rule, err);
    if (!b->registry)
        return FALSE;
    g_autofree char *title = make_title(b);
    b->progress =
        progress_new(stderr, b->o->call == CALL_BUILD ? b->o->progress : PROGRESS_QUIET, title);
    show_waits(b->store, progress_sink(b->progress));
    return TRUE;
}

/* A directory is read before anything is opened: a mistake in a Dockerfile needs no store. */
static gboolean open_inputs(struct build *b, GError **err)
{
    gboolean url = b->o->file && giturl_is_web(b->o->file);
    build_name_context(b);
    if (b->o->context_kind == BUILD_CONTEXT_DIR && !url)
        return build_read_inputs(b, err) && open_all(b, err);
    return open_all(b, err) && build_open_context(b, err) &&
           (!url || build_fetch_dockerfile(b, err)) && build_read_inputs(b, err);
}

static gboolean has_stage(const struct dockerfile *df, const char *name)
{
    for (guint i = 0; i < df->n_stages; i++)
        if (df->stages[i].name && g_ascii_strcasecmp(df->stages[i].name, name) == 0)
            return TRUE;
    return FALSE;
}

/* Docker says nothing, so scripts may name stages that only some of their files have. */
static void note_filters(const struct build *b)
{
    for (char **f = b->o->no_cache_filter; f && *f; f++)
        if (!has_stage(b->df, *f))
            report_note("--no-cache-filter %s: there is no stage of this name", *f);
}

gboolean build_prepare(struct build *b, GError **err)
{
    b->started_us = g_get_monotonic_time();
    if (!open_inputs(b, err))
        return FALSE;
    note_filters(b);
    build_note_unused_args(b);
    open_sources(b);
    return lower_build(b, err);
}

/* Nothing shall take the id of an earlier build for this one's, should it fail. */
static void drop_stale_id(const struct build *b)
{
    gboolean in_place = TRUE;
    g_autofree char *path = b->o->iidfile ? fs_destination(b->o->iidfile, &in_place) : NULL;
    if (!in_place)
        unlink(path); /* writing it will tell of what is in the way */
}

gboolean build_run(struct build *b, GError **err)
{
    drop_stale_id(b);
    if (!build_prepare(b, err) || !build_lint(b, err) ||
        !build_settle_times(b->o, b->lowered->epoch, &b->times, err))
        return FALSE;
    begin_history(b);
    return solve(b, err) && make_outputs(b, err) && build_write_files(b, err);
}

void build_clear(struct build *b)
{
    if (b->results)
        g_array_unref(b->results);
    g_clear_pointer(&b->changes, g_ptr_array_unref);
    built_image_free(b->image);
    chain_free(b->chain);
    solver_free(b->solver);
    netpool_free(b->nets);
    lowered_free(b->lowered);
    lint_report_free(b->lint);
    sources_free(b->sources);
    build_free_context_source(b);
    if (b->store)
        show_waits(b->store, NULL);
    progress_free(b->progress);
    dockerfile_free(b->df);
    diags_free(b->diags);
    ignore_free(b->ignore);
    registry_config_free(b->registry);
    store_close(b->store);
    g_free(b->dockerfile_path);
    g_free(b->ignore_name);
    g_free(b->context_name);
    g_free(b->context_label);
    g_free(b->context_dir);
    g_clear_pointer(&b->dockerfile_text, g_bytes_unref);
    g_free(b->slot_prefix);
    g_free(b->row.name);
    g_free(b->row.target);
    g_free(b->row.platform);
    g_free(b->row.image);
    g_free(b->row.error);
}
