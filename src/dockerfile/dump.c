#include "dockerfile/dump.h"

#include "base/jsonset.h"
#include "dockerfile/mount.h"

#include <string.h>

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
        jsonset_text(f, "name", ins->flags[i].name);
        jsonset_text(f, "value", ins->flags[i].value);
        json_array_append_new(list, f);
    }
    return list;
}

static json_t *fields_json(const struct pair *fields, guint n)
{
    json_t *list = json_array();
    for (guint i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("[o,o]", jsonset_value(fields[i].key), jsonset_value(fields[i].value)));
    return list;
}

/* Each mount is a list of fields. */
static json_t *mounts_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_mounts; i++)
        json_array_append_new(list, fields_json(ins->mounts[i].fields, ins->mounts[i].n_fields));
    return list;
}

static json_t *words_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_words; i++)
        json_array_append_new(list, jsonset_value(ins->words[i].text));
    return list;
}

static json_t *heredocs_json(const struct instruction *ins)
{
    json_t *list = json_array();
    for (guint i = 0; i < ins->n_heredocs; i++) {
        const struct heredoc *h = &ins->heredocs[i];
        json_t *o = json_object();
        jsonset_text(o, "name", h->name);
        jsonset_text(o, "content", h->content);
        jsonset_true(o, "expand", h->expand);
        jsonset_true(o, "chomp", h->chomp);
        jsonset_int(o, "fd", h->fd);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *health_json(const struct health_flags *h)
{
    json_t *o = json_object();
    jsonset_int(o, "interval", h->interval);
    jsonset_int(o, "timeout", h->timeout);
    jsonset_int(o, "startPeriod", h->start_period);
    jsonset_int(o, "startInterval", h->start_interval);
    jsonset_int(o, "retries", h->retries);
    return o;
}

json_t *instruction_json(const struct instruction *ins)
{
    json_t *o = json_object();
    jsonset_text(o, "kind", instruction_name(ins->kind));
    json_object_set_new(o, "line", json_integer(ins->first_line));
    if (ins->last_line != ins->first_line)
        jsonset_int(o, "lastLine", ins->last_line);
    set_list(o, "flags", flags_json(ins));
    set_list(o, "mounts", mounts_json(ins));
    if (ins->trigger)
        json_object_set_new(o, "trigger", instruction_json(ins->trigger));
    jsonset_text(o, "triggerText", ins->trigger_text);
    set_list(o, "words", words_json(ins));
    set_list(o, "pairs", fields_json(ins->pairs, ins->n_pairs));
    set_list(o, "heredocs", heredocs_json(ins));
    jsonset_true(o, "json", ins->json);
    jsonset_true(o, "jsonLike", ins->json_like);
    jsonset_true(o, "legacy", ins->legacy);
    jsonset_int(o, "blankLine", ins->blank_line);
    if (ins->health)
        json_object_set_new(o, "health", health_json(ins->health));
    json_t *comments = json_array();
    for (guint i = 0; i < ins->n_comments; i++)
        json_array_append_new(comments, jsonset_value(ins->comments[i]));
    set_list(o, "comments", comments);
    return o;
}

static json_t *stage_json(const struct stage *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(s->index));
    jsonset_text(o, "name", s->name);
    jsonset_text(o, "base", s->base ? s->base->text : NULL);
    jsonset_text(o, "platform", s->platform);
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
    jsonset_text(o, "name", df->name);
    jsonset_text(o, "syntax", df->syntax);
    jsonset_text(o, "escape", escape);
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
