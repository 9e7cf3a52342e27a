/* BuildKit's JSON shape (client.SolveStatus): one object a line with "vertexes", "statuses",
 * "logs", "warnings". */
#include "base/jsonset.h"
#include "ui/view.h"

#include <jansson.h>
#include <string.h>

static json_t *time_json(gint64 us)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
    g_autofree char *day = g_date_time_format(t, "%Y-%m-%dT%H:%M:%S");
    g_autofree char *all = g_strdup_printf("%s.%06dZ", day, (int)(us % G_USEC_PER_SEC));
    return json_string(all);
}

static void put_line(struct progress *p, const char *key, json_t *item)
{
    json_t *line = json_pack("{s:[o]}", key, item);
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    fprintf(p->out, "%s\n", text);
    fflush(p->out);
    free(text);
    json_decref(line);
}

/* The name in the shape that BuildKit gives it, "[build 2/5] RUN make", but with the number that
 * the step has everywhere else in varve. */
static char *full_name(struct progress *p, const struct step *s)
{
    g_autofree char *number = progress_number(p, s), *stage = progress_stage(p, s);
    int width =
        2 * (int)strlen(strchr(number, '/')) - 1; /* "[b  9/10]" is as wide as "[b 10/10]" */
    return g_strdup_printf("[%s%s%*s] %s", stage ? stage : "", stage ? " " : "", width, number,
                           s->name);
}

/* Not a field of BuildKit, whose readers ignore it: what a RUN used. */
static json_t *usage_json(const struct step *s)
{
    json_t *u = json_pack("{s:f}", "cpuSeconds", s->cpu_us / 1e6);
    if (s->memory_peak)
        json_object_set_new(u, "memoryPeak", json_integer((json_int_t)s->memory_peak));
    return u;
}

static json_t *vertex_json(struct progress *p, const struct step *s)
{
    json_t *v = json_object();
    json_object_set_new(v, "digest", json_string(s->id ? s->id : ""));
    json_t *inputs = json_array();
    for (int i = 0; i < s->n_inputs; i++) {
        struct step *in = progress_step(p, s->inputs[i]);
        if (in && in->id)
            json_array_append_new(inputs, json_string(in->id));
    }
    if (json_array_size(inputs) > 0)
        json_object_set(v, "inputs", inputs);
    json_decref(inputs);
    g_autofree char *name = full_name(p, s);
    jsonset_text(v, "name", name);
    if (s->started_us)
        json_object_set_new(v, "started", time_json(s->started_us));
    if (s->state != STEP_DONE)
        return v;
    if (!s->started_us)
        json_object_set_new(v, "started", time_json(s->ended_us));
    json_object_set_new(v, "completed", time_json(s->ended_us));
    jsonset_true(v, "cached", s->outcome == OUTCOME_CACHED || s->outcome == OUTCOME_CUT);
    if (s->cpu_us)
        json_object_set_new(v, "usage", usage_json(s));
    if (s->outcome == OUTCOME_FAILED || s->outcome == OUTCOME_CANCELLED)
        json_object_set_new(v, "error", jsonset_value(s->why ? s->why : "failed"));
    return v;
}

static json_t *log_json(const struct event *ev, const struct step *s)
{
    g_autofree char *data = g_base64_encode(ev->bytes, ev->n_bytes);
    json_t *l = json_object();
    json_object_set_new(l, "vertex", json_string(s->id ? s->id : ""));
    json_object_set_new(l, "stream", json_integer(ev->fd));
    json_object_set_new(l, "data", json_string(data));
    json_object_set_new(l, "timestamp", time_json(ev->time_us));
    return l;
}

static json_t *status_json(const struct event *ev, const struct step *s)
{
    json_t *t = json_object();
    json_object_set_new(t, "id", jsonset_value(ev->name));
    json_object_set_new(t, "vertex", json_string(s && s->id ? s->id : ""));
    json_object_set_new(t, "current", json_integer(ev->current));
    if (ev->target)
        json_object_set_new(t, "total", json_integer(ev->target));
    json_object_set_new(t, "timestamp", time_json(ev->time_us));
    if (ev->finished)
        json_object_set_new(t, "completed", time_json(ev->time_us));
    return t;
}

/* Names count all steps, so nothing is shown before these are known. */
static void put_vertices(struct progress *p)
{
    for (guint i = 0; i < p->steps->len; i++)
        put_line(p, "vertexes", vertex_json(p, g_ptr_array_index(p->steps, i)));
}

static json_t *base64_json(const void *bytes, gsize len)
{
    g_autofree char *text = g_base64_encode(bytes, len);
    return json_string(text);
}

/* What has no position: level 1 is a warning that does not end the build. */
static json_t *warning_json(const char *text)
{
    return json_pack("{s:i,s:o}", "level", 1, "short", base64_json(text, strlen(text)));
}

/* The step that findings belong to: BuildKit's, which reads the file. */
static void put_reading(struct progress *p, const struct diags *d, const char *id)
{
    g_autofree char *name = g_strdup_printf("[internal] load build definition from %s", d->name);
    gint64 now = g_get_real_time();
    json_t *v = json_pack("{s:s}", "digest", id);
    jsonset_text(v, "name", name);
    json_object_set_new(v, "started", time_json(now));
    json_object_set_new(v, "completed", time_json(now));
    put_line(p, "vertexes", v);
}

#define MAX_REPEATED (64 * 1024) /* bytes of a Dockerfile that every finding repeats */

static json_t *source_json(const struct diags *d, gboolean first)
{
    gsize len;
    const char *text = g_bytes_get_data(d->source, &len);
    json_t *o = json_pack("{s:s}", "language", "Dockerfile");
    jsonset_text(o, "filename", d->name);
    if (first || len <= MAX_REPEATED)
        json_object_set_new(o, "data", base64_json(text, len));
    return o;
}

static json_t *finding_json(const struct lint_finding *f, const char *id)
{
    const char *rule = lint_rule_name(f->rule), *asks = lint_rule_summary(f->rule);
    g_autofree char *text = g_strdup_printf("%s: %s (line %u)", rule, f->message, f->first_line);
    g_autofree char *url = lint_rule_url(f->rule);
    json_t *w = warning_json(text);
    json_object_set_new(w, "vertex", json_string(id));
    json_object_set_new(w, "detail", json_pack("[o]", base64_json(asks, strlen(asks))));
    jsonset_text(w, "url", url);
    json_object_set_new(w, "range",
                        json_pack("[{s:{s:i},s:{s:i}}]", "start", "line", (int)f->first_line, "end",
                                  "line", (int)f->last_line));
    return w;
}

static void rawjson_findings(struct progress *p, const struct lint_report *r, const struct diags *d)
{
    struct digest of_text;
    gsize len;
    const char *text = g_bytes_get_data(d->source, &len);
    digest_of_bytes(&of_text, text, len);
    g_autofree char *id = digest_text(&of_text);
    put_reading(p, d, id);
    for (guint i = 0; i < r->findings->len; i++) {
        json_t *w = finding_json(g_ptr_array_index(r->findings, i), id);
        json_object_set_new(w, "sourceInfo", source_json(d, i == 0));
        put_line(p, "warnings", w);
    }
}

static void rawjson_event(struct progress *p, const struct event *ev, struct step *s)
{
    if (ev->type == EVENT_PLAN)
        put_vertices(p);
    else if (ev->type == EVENT_TRANSFER)
        put_line(p, "statuses", status_json(ev, s));
    else if (ev->type == EVENT_WARNING || ev->type == EVENT_NOTE)
        put_line(p, "warnings", warning_json(ev->text));
    else if (s && ev->type == EVENT_LOG)
        put_line(p, "logs", log_json(ev, s));
    else if (s && ev->type != EVENT_VERTEX)
        put_line(p, "vertexes", vertex_json(p, s));
}

const struct view view_rawjson = {.event = rawjson_event, .findings = rawjson_findings};
