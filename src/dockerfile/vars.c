#include "dockerfile/vars.h"

#include <string.h>

void vars_init(struct vars *v)
{
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
    return g_hash_table_size(v->index);
}

const char *vars_get(gpointer ctx, const char *name)
{
    struct vars *v = ctx;
    guint at = GPOINTER_TO_UINT(g_hash_table_lookup(v->index, name));
    return at ? (const char *)v->pairs->pdata[at - 1] + strlen(name) + 1 : NULL;
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
    g_ptr_array_add(v->pairs, pair);
    g_hash_table_insert(v->index, g_strdup(name), GUINT_TO_POINTER(v->pairs->len));
    if (v->pairs->len > 64 && v->pairs->len > 2 * vars_count(v))
        compact(v);
}

void vars_copy(struct vars *to, const struct vars *from)
{
    for (guint i = 0; i < from->pairs->len; i++) {
        const char *pair = from->pairs->pdata[i];
        if (!pair)
            continue;
        const char *eq = strchr(pair, '=');
        g_autofree char *name = g_strndup(pair, eq - pair);
        vars_set(to, name, eq + 1);
    }
}
