#include "dockerfile/dump.h"

#include <string.h>

static json_t *text(const char *s)
{
    g_autofree char *valid = s ? g_utf8_make_valid(s, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

static void set_text(json_t *o, const char *key, const char *value)
{
    if (value)
        json_object_set_new(o, key, text(value));
}

static void set_int(json_t *o, const char *key, gint64 value)
{
    if (value)
        json_object_set_new(o, key, json_integer(value));
}

static void set_true(json_t *o, const char *key, gboolean value)
{
    if (value)
        json_object_set_new(o, key, json_true());
}

/* Sets a list that is not empty; takes the reference. */
static void set_list(json_t *o, const char *key, json_t *list)
{
    if (json_array_size(list))
        json_object_set(o, key, list);
    json_decref(list);
}

static json_t *flags_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_flags; i++) {
        json_t *f = json_object();
        set_text(f, "name", ins->flags[i].name);
        set_text(f, "value", ins->flags[i].value);
        json_array_append_new(list, f);
    }
    return list;
}

static json_t *words_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_words; i++)
        json_array_append_new(list, text(ins->words[i].text));
    return list;
}

static json_t *pairs_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_pairs; i++)
        json_array_append_new(
            list, json_pack("[o,o]", text(ins->pairs[i].key), text(ins->pairs[i].value)));
    return list;
}

static json_t *heredocs_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_heredocs; i++) {
        const struct heredoc *h = &ins->heredocs[i];
        json_t *o = json_object();
        set_text(o, "name", h->name);
        set_text(o, "content", h->content);
        set_true(o, "expand", h->expand);
        set_true(o, "chomp", h->chomp);
        set_int(o, "fd", h->fd);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *health_json(const struct health_flags *h)
{
    json_t *o = json_object();
    set_int(o, "interval", h->interval);
    set_int(o, "timeout", h->timeout);
    set_int(o, "startPeriod", h->start_period);
    set_int(o, "startInterval", h->start_interval);
    set_int(o, "retries", h->retries);
    return o;
}

json_t *instruction_json(const struct instruction *ins)
{
    json_t *o = json_object();
    set_text(o, "kind", instruction_name(ins->kind));
    json_object_set_new(o, "line", json_integer(ins->first_line));
    if (ins->last_line != ins->first_line)
        set_int(o, "lastLine", ins->last_line);
    set_list(o, "flags", flags_json(ins));
    if (ins->trigger)
        json_object_set_new(o, "trigger", instruction_json(ins->trigger));
    set_text(o, "triggerText", ins->trigger_text);
    set_list(o, "words", words_json(ins));
    set_list(o, "pairs", pairs_json(ins));
    set_list(o, "heredocs", heredocs_json(ins));
    set_true(o, "json", ins->json);
    set_true(o, "jsonLike", ins->json_like);
    set_true(o, "legacy", ins->legacy);
    set_int(o, "blankLine", ins->blank_line);
    if (ins->health)
        json_object_set_new(o, "health", health_json(ins->health));
    json_t *comments = json_array();
    for (guint i = 0; i < ins->n_comments; i++)
        json_array_append_new(comments, text(ins->comments[i]));
    set_list(o, "comments", comments);
    return o;
}

static json_t *stage_json(const struct stage *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(s->index));
    set_text(o, "name", s->name);
    set_text(o, "base", s->base ? s->base->text : NULL);
    set_text(o, "platform", s->platform);
    json_object_set_new(o, "line", json_integer(s->from->first_line));
    json_t *list = json_array();
    for (guint i = 0; i < s->n_instructions; i++)
        json_array_append_new(list, instruction_json(s->instructions[i]));
    json_object_set_new(o, "instructions", list);
    return o;
}

json_t *dockerfile_json(const struct dockerfile *df)
{
    json_t *o = json_object();
    char escape[] = {df->escape, '\0'};
    set_text(o, "name", df->name);
    set_text(o, "syntax", df->syntax);
    set_text(o, "escape", escape);
    json_t *meta = json_array();
    for (guint i = 0; i < df->n_meta_args; i++)
        json_array_append_new(meta, instruction_json(df->meta_args[i]));
    set_list(o, "metaArgs", meta);
    json_t *stages = json_array();
    for (guint i = 0; i < df->n_stages; i++)
        json_array_append_new(stages, stage_json(&df->stages[i]));
    json_object_set_new(o, "stages", stages);
    return o;
}
