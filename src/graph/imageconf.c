#include "graph/imageconf.h"

#include <string.h>

static int compare_conf_keys(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static GTree *map_new(void)
{
    return g_tree_new_full(compare_conf_keys, NULL, g_free, g_free);
}

static gboolean copy_pair(gpointer key, gpointer value, gpointer to)
{
    g_tree_insert(to, g_strdup(key), g_strdup(value));
    return FALSE;
}

static void map_copy(GTree *to, GTree *from)
{
    g_tree_foreach(from, copy_pair, to);
}

static void history_free(gpointer p)
{
    struct history *h = p;
    g_free(h->created);
    g_free(h->created_by);
    g_free(h->comment);
    g_free(h->author);
    g_free(h);
}

static struct history *history_copy(const struct history *h)
{
    struct history *n = g_new0(struct history, 1);
    n->created = g_strdup(h->created);
    n->created_by = g_strdup(h->created_by);
    n->comment = g_strdup(h->comment);
    n->author = g_strdup(h->author);
    n->empty_layer = h->empty_layer;
    return n;
}

void healthcheck_free(struct healthcheck *h)
{
    if (!h)
        return;
    g_strfreev(h->test);
    g_free(h);
}

struct healthcheck *healthcheck_copy(const struct healthcheck *h)
{
    if (!h)
        return NULL;
    struct healthcheck *n = g_memdup2(h, sizeof *h);
    n->test = g_strdupv(h->test);
    return n;
}

struct image_conf *image_conf_new(const struct platform *p)
{
    struct image_conf *c = g_new0(struct image_conf, 1);
    c->platform = *p;
    c->env = g_ptr_array_new_with_free_func(g_free);
    c->labels = map_new();
    c->volumes = map_new();
    c->ports = map_new();
    c->onbuild = g_ptr_array_new_with_free_func(g_free);
    c->history = g_ptr_array_new_with_free_func(history_free);
    c->diff_ids = g_array_new(FALSE, FALSE, sizeof(struct digest));
    return c;
}

static void copy_strings(GPtrArray *to, const GPtrArray *from)
{
    for (guint i = 0; i < from->len; i++)
        g_ptr_array_add(to, g_strdup(from->pdata[i]));
}

struct image_conf *image_conf_copy(const struct image_conf *c)
{
    struct image_conf *n = image_conf_new(&c->platform);
    n->author = g_strdup(c->author);
    n->created = g_strdup(c->created);
    n->user = g_strdup(c->user);
    n->entrypoint = g_strdupv(c->entrypoint);
    n->cmd = g_strdupv(c->cmd);
    n->workdir = g_strdup(c->workdir);
    n->stop_signal = g_strdup(c->stop_signal);
    n->shell = g_strdupv(c->shell);
    n->health = healthcheck_copy(c->health);
    n->args_escaped = c->args_escaped;
    copy_strings(n->env, c->env);
    copy_strings(n->onbuild, c->onbuild);
    map_copy(n->labels, c->labels);
    map_copy(n->volumes, c->volumes);
    map_copy(n->ports, c->ports);
    for (guint i = 0; i < c->history->len; i++)
        g_ptr_array_add(n->history, history_copy(c->history->pdata[i]));
    g_array_append_vals(n->diff_ids, c->diff_ids->data, c->diff_ids->len);
    n->base = c->base;
    return n;
}

void image_conf_free(struct image_conf *c)
{
    if (!c)
        return;
    g_free(c->author);
    g_free(c->inline_cache);
    g_free(c->created);
    g_free(c->user);
    g_ptr_array_unref(c->env);
    g_strfreev(c->entrypoint);
    g_strfreev(c->cmd);
    g_free(c->workdir);
    g_free(c->stop_signal);
    g_strfreev(c->shell);
    g_tree_unref(c->labels);
    g_tree_unref(c->volumes);
    g_tree_unref(c->ports);
    g_ptr_array_unref(c->onbuild);
    healthcheck_free(c->health);
    g_ptr_array_unref(c->history);
    g_array_unref(c->diff_ids);
    g_free(c);
}

const char *image_conf_getenv(const struct image_conf *c, const char *name)
{
    return envlist_get(c->env, name);
}

void image_conf_setenv(struct image_conf *c, const char *name, const char *value)
{
    envlist_set(c->env, name, value);
}

void image_conf_add_history(struct image_conf *c, const char *created_by, gboolean empty_layer)
{
    struct history *h = g_new0(struct history, 1);
    h->created_by = g_strdup(created_by);
    h->comment = g_strdup("buildkit.dockerfile.v0");
    h->empty_layer = empty_layer;
    g_ptr_array_add(c->history, h);
}
