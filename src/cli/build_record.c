#include "cli/build.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/report.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

static struct step_row *step_row_for(struct build *b, const struct vertex *v)
{
    const struct vertex_result *r = solver_result(b->solver, v);
    if (!r->needed || v->meta.internal || !r->done)
        return NULL;
    char hex[DIGEST_HEX_LEN + 1];
    struct step_row *row = g_new0(struct step_row, 1);
    row->number = r->step;
    row->name = g_strdup(v->meta.name);
    row->stage = build_stage_label(b, v);
    row->outcome = r->outcome;
    row->started_us = r->started_us;
    row->duration_us = r->duration_us;
    row->layer_bytes = r->layer_bytes;
    row->cpu_us = r->cpu_us;
    row->memory_peak = r->memory_peak;
    row->why = g_strdup(r->why);
    row->key = g_strdup(digest_hex(&r->key, hex));
    return row;
}

void build_record(struct build *b, const GError *err)
{
    if (!b->store || b->row.id == 0)
        return;
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)step_row_free);
    for (guint i = 0; b->solver && i < b->lowered->graph->vertices->len; i++) {
        struct step_row *row = step_row_for(b, g_ptr_array_index(b->lowered->graph->vertices, i));
        if (row)
            g_ptr_array_add(steps, row);
    }
    build_count_steps(b, &b->row.steps_ran, &b->row.steps_cached);
    b->row.duration_us = g_get_monotonic_time() - b->started_us;
    b->row.status = varve_error_exit_code(err);
    if (err)
        b->row.error = g_strndup(err->message, strcspn(err->message, "\n"));
    else if (b->image && b->image->has_config)
        b->row.image = digest_text(&b->image->config);
    GError *local = NULL;
    if (!store_build_end(b->store, &b->row, steps, &local)) {
        report_warning("this build could not be recorded: %s", local->message);
        g_error_free(local);
    }
}

static void set_digest(json_t *o, const char *key, const struct digest *d)
{
    g_autofree char *text = digest_text(d);
    json_object_set_new(o, key, json_string(text));
}

static char *metadata_text(struct build *b)
{
    json_t *o = json_object();
    g_autofree char *names = g_strjoinv(",", (char **)b->o->tags->pdata);
    g_autofree char *ref = g_strdup_printf("varve/%" G_GINT64_FORMAT, b->row.id);
    json_object_set_new(o, "buildx.build.ref", json_string(ref));
    if (b->image->has_config)
        set_digest(o, "containerimage.config.digest", &b->image->config);
    if (b->image->has_manifest) {
        json_t *d = json_object();
        json_object_set_new(d, "mediaType", json_string(b->image->manifest_type));
        set_digest(d, "digest", &b->image->manifest);
        json_object_set_new(d, "size", json_integer(b->image->manifest_size));
        json_object_set_new(o, "containerimage.descriptor", d);
        set_digest(o, "containerimage.digest", &b->image->manifest);
    } else if (b->image->has_config) {
        set_digest(o, "containerimage.digest", &b->image->config);
    }
    if (*names)
        json_object_set_new(o, "image.name", json_string(names));
    char *text = json_dumps(o, JSON_INDENT(2));
    char *out = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(o);
    return out;
}

gboolean build_write_files(struct build *b, GError **err)
{
    if (b->o->metadata_file) {
        g_autofree char *text = metadata_text(b);
        if (!fs_write_file(b->o->metadata_file, text, strlen(text), 0644, err))
            return FALSE;
    }
    if (b->o->iidfile) {
        g_autofree char *id = digest_text(&b->image->config);
        if (!fs_write_file(b->o->iidfile, id, strlen(id), 0644, err))
            return FALSE;
    }
    return TRUE;
}
