/* The graph as JSON. Empty fields are left out. */
#include "base/jsonset.h"
#include "graph/graph.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void set_list(json_t *o, const char *key, const char *const *list)
{
    if (!list)
        return;
    json_t *out = json_array();
    for (; *list; list++)
        json_array_append_new(out, jsonset_value(*list));
    json_object_set_new(o, key, out);
}

static void add_source(json_t *o, const struct source_op *s)
{
    g_autofree char *platform = *s->platform.os ? platform_text(&s->platform) : NULL;
    g_autofree char *digest = digest_is_zero(&s->digest) ? NULL : digest_text(&s->digest);
    g_autofree char *checksum = s->has_checksum ? digest_text(&s->checksum) : g_strdup(s->commit);
    jsonset_filled(o, "identifier", s->identifier);
    jsonset_filled(o, "digest", digest);
    jsonset_filled(o, "platform", platform);
    jsonset_filled(o, "checksum", checksum);
    jsonset_filled(o, "filename", s->filename);
    jsonset_filled(o, "ref", s->ref);
    jsonset_filled(o, "subdir", s->subdir);
    jsonset_true(o, "keepGitDir", s->keep_git_dir);
    jsonset_true(o, "commitTimes", s->commit_times);
    jsonset_true(o, "fetchByCommit", s->by_commit);
}

static json_t *mount_json(const struct exec_mount *m)
{
    json_t *o = json_object();
    jsonset_filled(o, "type", mount_type_names[m->type]);
    json_object_set_new(o, "input", json_integer(m->input));
    jsonset_filled(o, "selector", m->selector);
    jsonset_filled(o, "dest", m->dest);
    jsonset_true(o, "readonly", m->readonly);
    jsonset_true(o, "output", m->output);
    jsonset_filled(o, "cacheId", m->cache_id);
    jsonset_filled(o, "sharing", m->type == MOUNT_CACHE ? cache_sharing_names[m->sharing] : NULL);
    jsonset_filled(o, "id", m->id);
    jsonset_filled(o, "env", m->env);
    jsonset_true(o, "optional", m->optional);
    jsonset_int(o, "size", (gint64)m->size);
    return o;
}

static void add_exec(json_t *o, const struct exec_op *e)
{
    static const char *const networks[] = {NULL, "none", "host"};
    set_list(o, "args", e->args);
    set_list(o, "env", e->env);
    jsonset_filled(o, "cwd", e->cwd);
    jsonset_filled(o, "user", e->user);
    jsonset_filled(o, "network", networks[e->network]);
    jsonset_true(o, "insecure", e->insecure);
    json_t *mounts = json_array();
    for (guint i = 0; i < e->n_mounts; i++)
        json_array_append_new(mounts, mount_json(&e->mounts[i]));
    json_object_set_new(o, "mounts", mounts);
}

static json_t *action_json(const struct file_action *a)
{
    static const char *const types[] = {"copy", "mkfile", "mkdir", "rm", "symlink"};
    json_t *o = json_object();
    jsonset_filled(o, "type", types[a->type]);
    json_object_set_new(o, "input", json_integer(a->input));
    if (a->type == FILE_COPY)
        json_object_set_new(o, "secondary", json_integer(a->secondary));
    jsonset_filled(o, "src", a->src);
    jsonset_filled(o, "dest", a->dest);
    jsonset_filled(o, "owner", a->owner);
    jsonset_filled(o, "mode", a->mode_text);
    jsonset_true(o, "unpack", a->attempt_unpack);
    jsonset_true(o, "contents", a->dir_contents);
    jsonset_true(o, "parents", a->parents);
    set_list(o, "includes", a->includes);
    set_list(o, "excludes", a->excludes);
    jsonset_int(o, "bytes", (gint64)a->data_len);
    jsonset_filled(o, "target", a->target);
    return o;
}

static void dump_file_op(json_t *o, const struct file_op *f)
{
    json_t *actions = json_array();
    for (guint i = 0; i < f->n_actions; i++)
        json_array_append_new(actions, action_json(&f->actions[i]));
    json_object_set_new(o, "actions", actions);
}

static void add_meta(json_t *o, const struct vertex_meta *m)
{
    jsonset_filled(o, "name", m->name);
    jsonset_filled(o, "stage", m->stage);
    jsonset_filled(o, "platform", m->platform);
    jsonset_filled(o, "level", m->level);
    jsonset_int(o, "line", m->line);
    jsonset_int(o, "lineEnd", m->line_end != m->line ? m->line_end : 0);
    jsonset_true(o, "noCache", m->no_cache);
    jsonset_true(o, "internal", m->internal);
}

static json_t *vertex_json(const struct vertex *v)
{
    json_t *o = json_object(), *inputs = json_array();
    char hex[DIGEST_HEX_LEN + 1];
    json_object_set_new(o, "number", json_integer(v->number));
    jsonset_filled(o, "id", digest_hex(&v->id, hex));
    jsonset_filled(o, "op", op_kind_name(&v->op));
    add_meta(o, &v->meta);
    for (guint i = 0; i < v->n_inputs; i++)
        json_array_append_new(inputs, json_integer(v->inputs[i]->number));
    json_object_set_new(o, "inputs", inputs);
    if (v->op.type == OP_SOURCE)
        add_source(o, &v->op.source);
    else if (v->op.type == OP_EXEC)
        add_exec(o, &v->op.exec);
    else if (v->op.type == OP_FILE)
        dump_file_op(o, &v->op.file);
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
