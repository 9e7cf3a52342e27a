/* The graph as JSON. Fields that say nothing are left out. */
#include "graph/graph.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_of(const char *s)
{
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    return json_string(valid);
}

static void set_text(json_t *o, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(o, key, text_of(value));
}

static void set_number(json_t *o, const char *key, gint64 value)
{
    if (value)
        json_object_set_new(o, key, json_integer(value));
}

static void set_true(json_t *o, const char *key, gboolean value)
{
    if (value)
        json_object_set_new(o, key, json_true());
}

static void set_list(json_t *o, const char *key, const char *const *list)
{
    if (!list)
        return;
    json_t *out = json_array();
    for (; *list; list++)
        json_array_append_new(out, text_of(*list));
    json_object_set_new(o, key, out);
}

static void add_source(json_t *o, const struct source_op *s)
{
    g_autofree char *platform = *s->platform.os ? platform_text(&s->platform) : NULL;
    set_text(o, "identifier", s->identifier);
    set_text(o, "digest", s->digest);
    set_text(o, "platform", platform);
    set_text(o, "checksum", s->checksum);
    set_text(o, "filename", s->filename);
    set_text(o, "ref", s->ref);
    set_text(o, "subdir", s->subdir);
    set_true(o, "keepGitDir", s->keep_git_dir);
}

static json_t *mount_json(const struct exec_mount *m)
{
    static const char *const types[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
    static const char *const sharing[] = {"shared", "private", "locked"};
    json_t *o = json_object();
    set_text(o, "type", types[m->type]);
    json_object_set_new(o, "input", json_integer(m->input));
    set_text(o, "selector", m->selector);
    set_text(o, "dest", m->dest);
    set_true(o, "readonly", m->readonly);
    set_true(o, "output", m->output);
    set_text(o, "cacheId", m->cache_id);
    set_text(o, "sharing", m->type == MOUNT_CACHE ? sharing[m->sharing] : NULL);
    set_text(o, "id", m->id);
    set_text(o, "env", m->env);
    set_true(o, "optional", m->optional);
    set_number(o, "size", (gint64)m->size);
    return o;
}

static void add_exec(json_t *o, const struct exec_op *e)
{
    static const char *const networks[] = {NULL, "none", "host"};
    set_list(o, "args", e->args);
    set_list(o, "env", e->env);
    set_text(o, "cwd", e->cwd);
    set_text(o, "user", e->user);
    set_text(o, "network", networks[e->network]);
    set_true(o, "insecure", e->insecure);
    json_t *mounts = json_array();
    for (guint i = 0; i < e->n_mounts; i++)
        json_array_append_new(mounts, mount_json(&e->mounts[i]));
    json_object_set_new(o, "mounts", mounts);
}

static json_t *action_json(const struct file_action *a)
{
    static const char *const types[] = {"copy", "mkfile", "mkdir", "rm", "symlink"};
    json_t *o = json_object();
    set_text(o, "type", types[a->type]);
    json_object_set_new(o, "input", json_integer(a->input));
    if (a->type == FILE_COPY)
        json_object_set_new(o, "secondary", json_integer(a->secondary));
    set_text(o, "src", a->src);
    set_text(o, "dest", a->dest);
    set_text(o, "owner", a->owner);
    set_text(o, "mode", a->mode_text);
    set_true(o, "unpack", a->attempt_unpack);
    set_true(o, "contents", a->dir_contents);
    set_true(o, "parents", a->parents);
    set_list(o, "includes", a->includes);
    set_list(o, "excludes", a->excludes);
    set_number(o, "bytes", (gint64)a->data_len);
    set_text(o, "target", a->target);
    return o;
}

static void add_file(json_t *o, const struct file_op *f)
{
    json_t *actions = json_array();
    for (guint i = 0; i < f->n_actions; i++)
        json_array_append_new(actions, action_json(&f->actions[i]));
    json_object_set_new(o, "actions", actions);
}

static void add_meta(json_t *o, const struct vertex_meta *m)
{
    set_text(o, "name", m->name);
    set_text(o, "stage", m->stage);
    set_number(o, "line", m->line);
    set_number(o, "lineEnd", m->line_end != m->line ? m->line_end : 0);
    set_true(o, "noCache", m->no_cache);
    set_true(o, "internal", m->internal);
}

static json_t *vertex_json(const struct vertex *v)
{
    json_t *o = json_object(), *inputs = json_array();
    char hex[DIGEST_HEX_LEN + 1];
    json_object_set_new(o, "number", json_integer(v->number));
    set_text(o, "id", digest_hex(&v->id, hex));
    set_text(o, "op", op_kind_name(&v->op));
    add_meta(o, &v->meta);
    for (guint i = 0; i < v->n_inputs; i++)
        json_array_append_new(inputs, json_integer(v->inputs[i]->number));
    json_object_set_new(o, "inputs", inputs);
    if (v->op.type == OP_SOURCE)
        add_source(o, &v->op.source);
    else if (v->op.type == OP_EXEC)
        add_exec(o, &v->op.exec);
    else if (v->op.type == OP_FILE)
        add_file(o, &v->op.file);
    return o;
}

char *graph_dump_json(const struct graph *g)
{
    json_t *doc = json_object(), *list = json_array();
    for (guint i = 0; i < g->vertices->len; i++)
        json_array_append_new(list, vertex_json(g_ptr_array_index(g->vertices, i)));
    json_object_set_new(doc, "vertices", list);
    char *dumped = json_dumps(doc, JSON_INDENT(2));
    char *out = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    json_decref(doc);
    return out;
}
