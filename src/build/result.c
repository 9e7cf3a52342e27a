/* The result of a build, collected for its caller. */
#include "build/building.h"

#include "base/error.h"

static const struct vertex *vertex_at(const struct build *b, guint i)
{
    return g_ptr_array_index(b->result.graph->vertices, i);
}

static gboolean is_step(const struct build *b, const struct vertex *v)
{
    return build_needs(b, v) && !v->meta.internal;
}

/* What the labels of all steps have in common. */
struct labelling {
    const struct vertex *any; /* one of them; NULL: there is none */
    gboolean one_stage;       /* all are of its stage */
    gboolean platforms;       /* they are for several platforms */
};

static struct labelling labelling_of(const struct build *b)
{
    struct labelling l = {NULL, TRUE, graph_has_platforms(b->result.graph)};
    for (guint i = 0; l.one_stage && i < b->result.graph->vertices->len; i++) {
        const struct vertex *v = vertex_at(b, i);
        if (!is_step(b, v))
            continue;
        l.one_stage = !l.any || g_strcmp0(v->meta.stage, l.any->meta.stage) == 0;
        l.any = v;
    }
    return l;
}

/* NULL for the only one there is, when it has no name. */
static char *stage_label(const struct labelling *l, const struct vertex *v)
{
    const char *stage = v->meta.stage;
    gboolean alone = stage && g_ascii_isdigit(*stage) && l->one_stage &&
                     (!l->any || g_strcmp0(l->any->meta.stage, stage) == 0);
    g_autofree char *platform = l->platforms ? vertex_platform_text(v) : NULL;
    return event_step_label(NULL, platform, alone ? NULL : stage);
}

void build_step_free(gpointer data)
{
    struct build_step *s = data;
    g_free(s->stage);
    g_free(s);
}

static void count_step(struct build_result *r, const struct vertex_result *v)
{
    if (!v->done)
        return;
    r->ran += v->outcome == OUTCOME_RAN;
    r->cached += v->outcome == OUTCOME_CACHED || v->outcome == OUTCOME_CUT;
}

void build_collect_steps(struct build *b)
{
    const struct labelling labels = labelling_of(b);
    g_ptr_array_set_size(b->result.steps, 0);
    b->result.ran = b->result.cached = 0;
    for (guint i = 0; i < b->result.graph->vertices->len; i++) {
        const struct vertex *v = vertex_at(b, i);
        if (!is_step(b, v))
            continue;
        struct build_step *s = g_new(struct build_step, 1);
        *s = (struct build_step){v, solver_result(b->batch->solver, v), stage_label(&labels, v)};
        g_ptr_array_add(b->result.steps, s);
        count_step(&b->result, s->result);
    }
}

static const struct build_step *step_of(const struct build *b, const struct vertex *v)
{
    for (guint i = 0; i < b->result.steps->len; i++) {
        const struct build_step *s = g_ptr_array_index(b->result.steps, i);
        if (s->vertex == v)
            return s;
    }
    return NULL;
}

void build_collect_failure(struct build *b, const struct vertex *failed, const GError *err)
{
    struct build_failure *f = b->result.failure = g_new0(struct build_failure, 1);
    f->error = g_error_copy(err);
    f->step = step_of(b, failed);
    if (!f->step) { /* a part of an instruction */
        const struct labelling labels = labelling_of(b);
        f->own = (struct build_step){failed, solver_result(b->batch->solver, failed),
                                     stage_label(&labels, failed)};
        f->step = &f->own;
    }
    if (f->step->result->exit_code == 0)
        f->place = build_explain_missing(b, failed, &f->error);
    else
        f->hint = build_hint(b, f->step);
}

static void failure_free(struct build_failure *f)
{
    if (!f)
        return;
    g_clear_error(&f->error);
    g_free(f->hint);
    g_free(f->own.stage);
    g_free(f);
}

void build_result_clear(struct build_result *r)
{
    failure_free(r->failure);
    g_ptr_array_unref(r->steps);
    if (r->cache_reads)
        g_array_unref(r->cache_reads);
    if (r->cache_writes)
        g_array_unref(r->cache_writes);
    if (r->outputs)
        g_array_unref(r->outputs);
    imageset_free(r->images);
    g_ptr_array_unref(r->legs);
    lint_report_free(r->lint);
    dockerfile_free(r->df);
    diags_free(r->diags);
    g_free(r->network);
}
