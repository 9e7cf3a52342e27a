#include "build/building.h"

#include "base/error.h"

#include <string.h>

static struct step_row *step_row_for(const struct build *b, const struct build_step *s)
{
    const struct vertex_result *r = s->result;
    char hex[DIGEST_HEX_LEN + 1];
    struct step_row *row = g_new0(struct step_row, 1);
    row->number = r->step;
    row->name = g_strdup(s->vertex->meta.name);
    row->stage = g_strdup(s->stage);
    row->level = g_strdup(s->vertex->meta.level);
    row->outcome = r->outcome;
    row->started_us = r->started_us;
    row->duration_us = r->duration_us;
    row->layer_bytes = r->layer_bytes;
    row->cpu_us = r->cpu_us;
    row->memory_peak = r->memory_peak;
    row->why = g_strdup(r->why);
    row->key = g_strdup(digest_hex(&r->key, hex));
    row->slot = solver_slot(b->batch->solver, s->vertex);
    row->platform = g_strdup(s->vertex->meta.platform);
    return row;
}

/* A step that several builds of the batch share has its log with each. */
static void share_log(const struct build *b, const struct build_step *s)
{
    gint64 owner = build_log_id(b, s->vertex);
    if (owner != 0 && owner != b->row.id && s->result->started_us)
        store_log_share(b->batch->store, owner, b->row.id, s->result->step);
}

void build_record(struct build *b, const GError *err)
{
    if (!b->batch->store || b->row.id == 0)
        return;
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)step_row_free);
    for (guint i = 0; i < b->result.steps->len; i++) {
        const struct build_step *s = g_ptr_array_index(b->result.steps, i);
        if (!s->result->done)
            continue;
        g_ptr_array_add(steps, step_row_for(b, s));
        share_log(b, s);
    }
    const struct digest *id = b->result.images ? imageset_id(b->result.images) : NULL;
    b->row.steps_ran = b->result.ran;
    b->row.steps_cached = b->result.cached;
    b->row.duration_us = g_get_monotonic_time() - b->result.started_us;
    b->row.status = varve_error_exit_code(err);
    if (err)
        b->row.error = error_text(err);
    else if (id)
        b->row.image = digest_text(id);
    GError *local = NULL;
    if (!store_build_end(b->batch->store, &b->row, steps, &local)) {
        g_autofree char *why = error_text(local);
        event_warn(b->ports.events, "this build could not be recorded: %s", why);
        g_error_free(local);
    }
}
