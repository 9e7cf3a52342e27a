#include "build/building.h"

#include "base/error.h"
#include "base/fs.h"
#include "text/giturl.h"

#include <string.h>

char *build_title(const struct build_request *r)
{
    g_autofree char *platform = build_platforms_text(r, ", ");
    g_autofree char *label = r->name ? g_strdup(r->name) : build_context_label(r);
    return g_strdup_printf("%s · %s", label, platform);
}

/* The same context of an earlier build of the batch, or NULL. */
static const struct build *same_context(const struct build *b)
{
    for (int i = 0; i < b->number; i++) {
        const struct build *other = g_ptr_array_index(b->batch->builds, i);
        if (!other->error && other->input.context_dir && !other->input.context_of &&
            other->r->context_kind == b->r->context_kind &&
            g_strcmp0(other->r->context, b->r->context) == 0)
            return other;
    }
    return NULL;
}

/* What is fetched once serves all builds. */
static gboolean open_context(struct build *b, GError **err)
{
    const struct build *other = b->r->context_kind == BUILD_CONTEXT_DIR ? NULL : same_context(b);
    if (!other)
        return build_open_context(b, err);
    b->input.context_of = other;
    b->input.context_dir = g_strdup(other->input.context_dir);
    b->input.context_archive = other->input.context_archive;
    b->input.context_source = other->input.context_source;
    return TRUE;
}

static gboolean reads_url(const struct build *b)
{
    return b->r->file && !b->r->dockerfile_inline && giturl_is_web(b->r->file);
}

static gboolean has_own_files(const struct build *b)
{
    return b->r->context_kind == BUILD_CONTEXT_DIR && !reads_url(b);
}

gboolean build_read_own(struct build *b, GError **err)
{
    return !has_own_files(b) || build_read(b, err);
}

gboolean build_read_far(struct build *b, GError **err)
{
    if (has_own_files(b))
        return TRUE;
    return open_context(b, err) && (!reads_url(b) || build_fetch_dockerfile(b, err)) &&
           build_read(b, err);
}

/* Docker does not report it, so scripts may name stages that only some of their files have. */
static void note_filters(const struct build *b)
{
    for (char **f = b->r->no_cache_filter; f && *f; f++)
        if (!dockerfile_has_stage(b->result.df, *f))
            event_note(b->ports.events, "--no-cache-filter %s: there is no stage of this name", *f);
}

static gboolean lower_build(struct build *b, GError **err)
{
    note_filters(b);
    build_note_unused_args(b);
    if (!build_lower_legs(b, err))
        return FALSE;
    build_mark_needs(b);
    return TRUE;
}

gboolean build_plan(struct build *b, GError **err)
{
    if (!lower_build(b, err))
        return FALSE;
    const struct build_leg *first = g_ptr_array_index(b->result.legs, 0);
    return build_lint(b, err) && build_settle_times(b->r, first->lowered->epoch, &b->times, err);
}

void build_begin_history(struct build *b)
{
    const struct build_request *r = b->r;
    b->row.name = g_strdup(r->name ? r->name : b->name ? b->name : b->input.context_label);
    b->row.target = g_strdup(r->target ? r->target : "");
    b->row.platform = build_platforms_text(r, ",");
    b->row.started_us = g_get_real_time();
    b->row.status = -1;
    b->row.id = store_build_begin(b->batch->store, &b->row, NULL);
    b->result.id = b->row.id;
    b->result.name = b->row.name;
}

gint64 build_log_id(const struct build *b, const struct vertex *v)
{
    return b->batch->build_ids ? b->batch->build_ids[v->meta.owner] : 0;
}

gboolean build_prepare(struct build *b, GError **err)
{
    return build_read_own(b, err) && batch_open(b->batch, err) && build_read_far(b, err) &&
           batch_open_sources(b->batch, err) && lower_build(b, err);
}

gboolean build_run(struct build *b, GError **err)
{
    if (batch_run(b->batch))
        return TRUE;
    g_propagate_error(err, g_error_copy(b->error));
    return FALSE;
}

const GError *build_error(const struct build *b)
{
    return b->error;
}

struct build *build_new(const struct build_request *r, struct session *s,
                        const struct build_ports *ports)
{
    return batch_new_build(batch_new(s, ports, NULL), r, NULL);
}

const struct build_result *build_result(struct build *b)
{
    return &b->result;
}

struct store *build_store(struct build *b)
{
    return b->batch->store;
}

char *build_log_tail(struct build *b, const struct build_step *step, guint n)
{
    gint64 id = build_log_id(b, step->vertex);
    return id ? store_log_tail(b->batch->store, id, step->result->step, n) : g_strdup("");
}

const struct vertex *build_kept(const struct build *b)
{
    return b->batch->solver ? solver_kept(b->batch->solver) : NULL;
}

gboolean build_debug(struct build *b, void (*terminal)(gpointer ctx, int master_fd), gpointer ctx,
                     const char *term, int *exit_code, GError **err)
{
    return solver_debug(b->batch->solver, terminal, ctx, term, exit_code, err);
}

static void free_names(struct build *b)
{
    g_free(b->name);
    g_free(b->input.context_id);
    g_free(b->input.dockerfile_path);
    g_free(b->input.ignore_name);
    g_free(b->input.context_name);
    g_free(b->input.context_label);
    g_free(b->input.context_dir);
    g_clear_pointer(&b->input.dockerfile_text, g_bytes_unref);
    g_free(b->row.name);
    g_free(b->row.target);
    g_free(b->row.platform);
    g_free(b->row.image);
    g_free(b->row.error);
}

void build_clear(struct build *b)
{
    cache_writer_free(b->cache_writer);
    build_result_clear(&b->result);
    build_free_context_source(b);
    ignore_free(b->input.ignore);
    free_names(b);
    g_clear_error(&b->error);
    g_ptr_array_unref(b->uses);
    g_free(b->needs);
    g_free(b);
}

/* A build has its batch of one. */
void build_free(struct build *b)
{
    if (b)
        batch_free(b->batch);
}
