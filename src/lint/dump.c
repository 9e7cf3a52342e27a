#include "lint/dump.h"

#include "base/jsonset.h"

#define MAX_RANGES 1000 /* of one place; the last one holds the rest */

static json_t *base64_of(GBytes *source)
{
    gsize len;
    const guchar *bytes = g_bytes_get_data(source, &len);
    g_autofree char *text = g_base64_encode(bytes, len);
    return json_string(text);
}

/* A range for each line, as BuildKit has them. */
static void set_lines(json_t *o, guint first, guint last)
{
    json_t *ranges = json_array();
    for (guint line = first; line <= last; line++) {
        guint end = json_array_size(ranges) + 1 < MAX_RANGES ? line : last;
        json_array_append_new(ranges, json_pack("{s:{s:i},s:{s:i}}", "start", "line", (int)line,
                                                "end", "line", (int)end));
        line = end;
    }
    json_object_set_new(o, "location", json_pack("{s:o}", "ranges", ranges));
}

static json_t *finding_json(const struct lint_finding *f)
{
    json_t *w = json_object();
    jsonset_filled(w, "ruleName", lint_rule_name(f->rule));
    jsonset_filled(w, "description", lint_rule_summary(f->rule));
    g_autofree char *url = lint_rule_url(f->rule);
    jsonset_filled(w, "url", url);
    jsonset_filled(w, "detail", f->message);
    set_lines(w, f->first_line, f->last_line);
    return w;
}

/* The place is the whole instruction that it is about. */
static json_t *error_json(const struct diag *error, const struct dockerfile *df)
{
    json_t *o = json_object();
    guint line = error->span.line, first = line, last = line;
    for (guint i = 0; df && i < df->n_instructions; i++) {
        const struct instruction *ins = df->instructions[i];
        if (ins->first_line <= line && line <= ins->last_line) {
            first = ins->first_line;
            last = ins->last_line;
        }
    }
    jsonset_filled(o, "message", error->message);
    if (line)
        set_lines(o, first, last);
    return o;
}

json_t *lint_report_json(const struct lint_report *r, const struct dockerfile *df,
                         const struct diags *d, const struct diag *error)
{
    json_t *doc = json_object(), *warnings = json_array(), *from = json_object();
    for (guint i = 0; r && i < r->findings->len; i++)
        json_array_append_new(warnings, finding_json(g_ptr_array_index(r->findings, i)));
    jsonset_filled(from, "filename", d->name);
    jsonset_filled(from, "language", "Dockerfile");
    json_object_set_new(from, "data", base64_of(d->source));
    json_object_set_new(doc, "warnings", warnings);
    json_object_set_new(doc, "sources", json_pack("[o]", from));
    if (error)
        json_object_set_new(doc, "buildError", error_json(error, df));
    return doc;
}

static void set_items(json_t *doc, const char *key, const GPtrArray *items, const char *name_key)
{
    if (items->len == 0)
        return;
    json_t *list = json_array();
    for (guint i = 0; i < items->len; i++) {
        const struct outline_item *x = g_ptr_array_index(items, i);
        json_t *o = json_object();
        jsonset_filled(o, name_key, x->name);
        jsonset_filled(o, "description", x->description);
        jsonset_filled(o, "value", x->value);
        jsonset_true(o, "required", x->required);
        set_lines(o, x->line, x->last_line);
        json_array_append_new(list, o);
    }
    json_object_set_new(doc, key, list);
}

json_t *outline_json(const struct outline *x, GBytes *source)
{
    json_t *doc = json_object();
    jsonset_filled(doc, "name", x->name);
    jsonset_filled(doc, "description", x->description);
    set_items(doc, "args", x->args, "name");
    set_items(doc, "secrets", x->secrets, "name");
    set_items(doc, "ssh", x->ssh, "name");
    set_items(doc, "cache", x->caches, "ID");
    json_object_set_new(doc, "sources", json_pack("[o]", base64_of(source)));
    return doc;
}

json_t *targets_json(const struct dockerfile *df, GBytes *source)
{
    json_t *doc = json_object(), *targets = json_array();
    for (guint i = 0; i < df->n_stages; i++) {
        const struct stage *st = &df->stages[i];
        g_autofree char *description = st->name ? outline_description(st->from, st->name) : NULL;
        json_t *o = json_object();
        jsonset_filled(o, "name", st->name);
        jsonset_true(o, "default", i + 1 == df->n_stages);
        jsonset_filled(o, "description", description);
        jsonset_filled(o, "base", st->base->text);
        jsonset_filled(o, "platform", st->platform);
        set_lines(o, st->from->first_line, st->from->last_line);
        json_array_append_new(targets, o);
    }
    json_object_set_new(doc, "targets", targets);
    json_object_set_new(doc, "sources", json_pack("[o]", base64_of(source)));
    return doc;
}
