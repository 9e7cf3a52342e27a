/* BuildKit's JSON shape (client.SolveStatus): one object a line with "vertexes", "statuses",
 * "logs", "warnings". */
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

static json_t *text_json(const char *s)
{
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    return json_string(valid);
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
    json_object_set_new(v, "name", text_json(s->name));
    if (s->started_us)
        json_object_set_new(v, "started", time_json(s->started_us));
    if (s->state != STEP_DONE)
        return v;
    if (!s->started_us)
        json_object_set_new(v, "started", time_json(s->ended_us));
    json_object_set_new(v, "completed", time_json(s->ended_us));
    if (s->outcome == OUTCOME_CACHED || s->outcome == OUTCOME_CUT)
        json_object_set_new(v, "cached", json_true());
    if (s->outcome == OUTCOME_FAILED || s->outcome == OUTCOME_CANCELLED)
        json_object_set_new(v, "error", text_json(s->why ? s->why : "failed"));
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
    json_object_set_new(t, "id", text_json(ev->name));
    json_object_set_new(t, "vertex", json_string(s && s->id ? s->id : ""));
    json_object_set_new(t, "current", json_integer(ev->current));
    if (ev->target)
        json_object_set_new(t, "total", json_integer(ev->target));
    json_object_set_new(t, "timestamp", time_json(ev->time_us));
    if (ev->finished)
        json_object_set_new(t, "completed", time_json(ev->time_us));
    return t;
}

static void rawjson_event(struct progress *p, const struct event *ev, struct step *s)
{
    if (ev->type == EVENT_TRANSFER)
        put(p, "statuses", status_json(ev, s));
    else if (ev->type == EVENT_WARNING)
        put(p, "warnings", json_pack("{s:o}", "short", text_json(ev->text)));
    else if (s && ev->type == EVENT_LOG)
        put(p, "logs", log_json(ev, s));
    else if (s)
        put(p, "vertexes", vertex_json(p, s));
}

const struct view view_rawjson = {.event = rawjson_event};
