#include "dockerfile/vars.h"

#include <string.h>

void vars_init(struct vars *v)
{
    v->base = NULL;
    v->depth = v->count = 0;
    v->pairs = g_ptr_array_new_with_free_func(g_free);
    v->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void vars_clear(struct vars *v)
{
    g_clear_pointer(&v->pairs, g_ptr_array_unref);
    g_clear_pointer(&v->index, g_hash_table_unref);
}

guint vars_count(const struct vars *v)
{
    return v->count;
}

const char *vars_get(gpointer ctx, const char *name)
{
    for (const struct vars *v = ctx; v; v = v->base) {
        guint at = GPOINTER_TO_UINT(g_hash_table_lookup(v->index, name));
        if (at)
            return (const char *)v->pairs->pdata[at - 1] + strlen(name) + 1;
    }
    return NULL;
}

/* Closes the gaps that moved variables left. */
static void compact(struct vars *v)
{
    guint n = 0;
    for (guint i = 0; i < v->pairs->len; i++) {
        char *pair = v->pairs->pdata[i];
        if (!pair)
            continue;
        g_autofree char *name = g_strndup(pair, strchr(pair, '=') - pair);
        v->pairs->pdata[i] = NULL;
        v->pairs->pdata[n++] = pair;
        g_hash_table_insert(v->index, g_steal_pointer(&name), GUINT_TO_POINTER(n));
    }
    g_ptr_array_set_size(v->pairs, n);
}

void vars_set(struct vars *v, const char *name, const char *value)
{
    char *pair =
        g_strconcat(name, "=", value, NULL); /* value may be the old one: copy before freeing */
    guint at = GPOINTER_TO_UINT(g_hash_table_lookup(v->index, name));
    if (at)
        g_clear_pointer(&v->pairs->pdata[at - 1], g_free);
    else if (!v->base || !vars_get((gpointer)v->base, name))
        v->count++;
    g_ptr_array_add(v->pairs, pair);
    g_hash_table_insert(v->index, g_strdup(name), GUINT_TO_POINTER(v->pairs->len));
    if (v->pairs->len > 64 && v->pairs->len > 2 * g_hash_table_size(v->index))
        compact(v);
}

void vars_copy(struct vars *to, const struct vars *from)
{
    if (from->base)
        vars_copy(to, from->base);
    for (guint i = 0; i < from->pairs->len; i++) {
        const char *pair = from->pairs->pdata[i];
        if (!pair)
            continue;
        const char *eq = strchr(pair, '=');
        g_autofree char *name = g_strndup(pair, eq - pair);
        vars_set(to, name, eq + 1);
    }
}

void vars_inherit(struct vars *v, const struct vars *base)
{
    if (base->depth >= VARS_MAX_DEPTH) {
        vars_copy(v, base);
        return;
    }
    v->base = base;
    v->depth = base->depth + 1;
    v->count = base->count;
}

void vars_flatten(struct vars *v)
{
    if (!v->base)
        return;
    struct vars all;
    vars_init(&all);
    vars_copy(&all, v);
    vars_clear(v);
    *v = all;
}
