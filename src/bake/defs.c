#include "bake/defs.h"

struct bake_group *bake_group_new(const char *name)
{
    struct bake_group *g = g_new0(struct bake_group, 1);
    g->name = g_strdup(name);
    g->targets = bake_list_new();
    return g;
}

void bake_group_free(struct bake_group *g)
{
    if (!g)
        return;
    g_free(g->name);
    g_free(g->description);
    g_ptr_array_unref(g->targets);
    g_free(g);
}

static void free_target(gpointer p)
{
    bake_target_free(p);
}

static void free_group(gpointer p)
{
    bake_group_free(p);
}

struct bake_defs *bake_defs_new(void)
{
    struct bake_defs *d = g_new0(struct bake_defs, 1);
    d->targets = g_ptr_array_new_with_free_func(free_target);
    d->groups = g_ptr_array_new_with_free_func(free_group);
    d->target_names = g_hash_table_new(g_str_hash, g_str_equal);
    d->group_names = g_hash_table_new(g_str_hash, g_str_equal);
    return d;
}

void bake_defs_free(struct bake_defs *d)
{
    if (!d)
        return;
    g_hash_table_unref(d->target_names);
    g_hash_table_unref(d->group_names);
    g_ptr_array_unref(d->targets);
    g_ptr_array_unref(d->groups);
    g_free(d);
}

void bake_defs_target(struct bake_defs *d, struct bake_target *t)
{
    struct bake_target *old = g_hash_table_lookup(d->target_names, t->name);
    if (old) {
        bake_target_merge(old, t);
        old->at = t->at;
        bake_target_free(t);
        return;
    }
    g_ptr_array_add(d->targets, t);
    g_hash_table_insert(d->target_names, t->name, t);
}

void bake_defs_group(struct bake_defs *d, struct bake_group *g)
{
    struct bake_group *old = g_hash_table_lookup(d->group_names, g->name);
    guint i;
    if (old && g_ptr_array_find(d->groups, old, &i)) {
        g_hash_table_remove(d->group_names, old->name);
        d->groups->pdata[i] = g;
        bake_group_free(old);
    } else {
        g_ptr_array_add(d->groups, g);
    }
    g_hash_table_insert(d->group_names, g->name, g);
}
