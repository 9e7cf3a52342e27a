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

static void put(struct progress *p, const char *key, json_t *item)
{
    json_t *line = json_pack("{s:[o]}", key, item);
    char *text = json_dumps(line, JSON_COMPACT);
    fprintf(p->out, "%s\n", text);
    fflush(p->out);
    free(text);
    json_decref(line);
}

/* The name as BuildKit shows it: "[build 2/5] RUN make", "[stage-1 2/5]" for a stage without a name
 * (it has a number) and "[2/5]" where there is no other stage. */
static char *full_name(struct progress *p, const struct step *s)
{
    if (!s->stage)
        return g_strdup(s->name);
    int at = 0, count = 0, width = 1;
    gboolean unnamed = g_ascii_isdigit(*s->stage), alone = unnamed;
    for (guint i = 0; i < p->steps->len; i++) {
        const struct step *other = g_ptr_array_index(p->steps, i);
        if (g_strcmp0(other->stage, s->stage) == 0)
            count++;
        else
            alone = FALSE;
        if (other == s)
            at = count;
    }
    for (int n = count; n >= 10; n /= 10)
        width++;
    if (alone)
        return g_strdup_printf("[%*d/%d] %s", width, at, count, s->name);
    return g_strdup_printf("[%s%s %*d/%d] %s", unnamed ? "stage-" : "", s->stage, width, at, count,
                           s->name);
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

/* Names count the steps of their stage, so nothing is shown before all are known. */
static void put_all(struct progress *p)
{
    for (guint i = 0; i < p->steps->len; i++)
        put(p, "vertexes", vertex_json(p, g_ptr_array_index(p->steps, i)));
}

static void rawjson_event(struct progress *p, const struct event *ev, struct step *s)
{
    if (ev->type == EVENT_PLAN)
        put_all(p);
    else if (ev->type == EVENT_TRANSFER)
        put(p, "statuses", status_json(ev, s));
    else if (ev->type == EVENT_WARNING)
        put(p, "warnings", json_pack("{s:o}", "short", jsonset_value(ev->text)));
    else if (s && ev->type == EVENT_LOG)
        put(p, "logs", log_json(ev, s));
    else if (s && ev->type != EVENT_VERTEX)
        put(p, "vertexes", vertex_json(p, s));
}

const struct view view_rawjson = {.event = rawjson_event};
