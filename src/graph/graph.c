#include "graph/graph.h"

#include <string.h>

struct graph *graph_new(void)
{
    struct graph *g = g_new0(struct graph, 1);
    g->refs = 1;
    g->vertices = g_ptr_array_new();
    g->by_id = g_hash_table_new(digest_ghash, digest_gequal);
    g->strings = g_string_chunk_new(4096);
    g->blocks = g_ptr_array_new_with_free_func(g_free);
    return g;
}

struct graph *graph_ref(struct graph *g)
{
    g_atomic_int_inc(&g->refs);
    return g;
}

void graph_unref(struct graph *g)
{
    if (!g || !g_atomic_int_dec_and_test(&g->refs))
        return;
    g_ptr_array_unref(g->vertices);
    g_hash_table_unref(g->by_id);
    g_string_chunk_free(g->strings);
    g_ptr_array_unref(g->blocks);
    g_free(g);
}

const char *graph_str(struct graph *g, const char *s)
{
    return s ? g_string_chunk_insert_const(g->strings, s) : NULL;
}

gpointer graph_alloc0(struct graph *g, gsize size)
{
    gpointer p = g_malloc0(MAX(size, 1));
    g_ptr_array_add(g->blocks, p);
    return p;
}

const char *const *graph_strv(struct graph *g, const char *const *v)
{
    if (!v)
        return NULL;
    guint n = g_strv_length((char **)v);
    const char **copy = graph_alloc0(g, (n + 1) * sizeof *copy);
    for (guint i = 0; i < n; i++)
        copy[i] = graph_str(g, v[i]);
    return copy;
}

/* What a RUN is started with but is not in keys. */
static void hash_surroundings(const struct exec_op *e, struct hasher *h)
{
    hasher_add_strv(h, e->proxy_env);
    if (*e->platform.os) {
        hasher_add_str(h, e->platform.arch);
        hasher_add_str(h, e->platform.variant);
    }
}

static void make_id(const struct op *op, struct vertex *const *inputs, guint n_inputs,
                    const struct vertex_meta *meta, struct digest *out)
{
    g_autoptr(hasher) h = hasher_new();
    op_hash(op, h);
    if (op->type == OP_EXEC) /* not in keys, but two such steps must stay separate */
        hash_surroundings(&op->exec, h);
    if (op->type == OP_SOURCE && op->source.context)
        hasher_add_str(h, op->source.context);
    hasher_add_u64(h, meta->no_cache);
    hasher_add_u64(h, n_inputs);
    for (guint i = 0; i < n_inputs; i++)
        hasher_add_digest(h, &inputs[i]->id);
    hasher_final(h, out);
}

struct vertex *graph_add(struct graph *g, const struct op *op, struct vertex *const *inputs,
                         guint n_inputs, const struct vertex_meta *meta)
{
    struct digest id;
    make_id(op, inputs, n_inputs, meta, &id);
    struct vertex *known = g_hash_table_lookup(g->by_id, &id);
    if (known) {
        if (g_strcmp0(known->meta.platform, meta->platform) != 0)
            known->meta.platform = NULL;
        if (g_strcmp0(known->meta.target, meta->target) != 0)
            known->meta.target = NULL;
        return known;
    }
    struct vertex *v = graph_alloc0(g, sizeof *v);
    v->number = g->vertices->len;
    v->op = *op;
    v->inputs = graph_alloc0(g, n_inputs * sizeof *inputs);
    if (n_inputs > 0)
        memcpy(v->inputs, inputs, n_inputs * sizeof *inputs);
    v->n_inputs = n_inputs;
    v->meta = *meta;
    v->id = id;
    g_ptr_array_add(g->vertices, v);
    g_hash_table_insert(g->by_id, &v->id, v);
    return v;
}

void graph_set_build(struct graph *g, struct vertex *v, const char *build, int owner)
{
    v->meta.build = graph_str(g, build);
    v->meta.owner = owner;
}

char *vertex_platform_text(const struct vertex *v)
{
    const char *platform = v->meta.platform, *target = v->meta.target;
    if (!platform || !target)
        return g_strdup(platform);
    gsize os = strcspn(platform, "/") + 1;
    return g_strdup_printf("%s->%s", platform,
                           strncmp(platform, target, os) == 0 ? target + os : target);
}

gboolean graph_has_platforms(const struct graph *g)
{
    const char *first = NULL;
    for (guint i = 0; i < g->vertices->len; i++) {
        const struct vertex *v = g_ptr_array_index(g->vertices, i);
        if (v->meta.internal || !v->meta.platform)
            continue;
        if (v->meta.target || (first && !g_str_equal(first, v->meta.platform)))
            return TRUE;
        first = v->meta.platform;
    }
    return FALSE;
}
