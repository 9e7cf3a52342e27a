#include "cli/prune_volumes.h"

#include "base/boolean.h"
#include "base/error.h"
#include "base/suggest.h"
#include "run/volume_name.h"

#include <string.h>

gboolean prune_volumes_init(struct prune_volumes *v, const char *value, GError **err)
{
    gboolean on = TRUE;
    memset(v, 0, sizeof *v);
    v->present = g_ptr_array_new_with_free_func(g_free);
    v->taken = g_ptr_array_new_with_free_func(g_free);
    if (!value || (*value && boolean_parse(value, &on) && !on))
        return TRUE;
    v->caches = TRUE;
    v->all_named = g_str_equal(value, "all");
    if (!*value || v->all_named || boolean_parse(value, &on))
        return TRUE;
    v->names = g_strsplit(value, ",", -1);
    for (char **name = v->names; *name; name++)
        if (!volume_name_is_valid(*name))
            return error_set(err, VARVE_ERROR_USAGE,
                             "--volumes=%s: \"%s\" is not the name of a volume", value, *name);
    return TRUE;
}

void prune_volumes_clear(struct prune_volumes *v)
{
    g_strfreev(v->names);
    g_ptr_array_unref(v->present);
    g_ptr_array_unref(v->taken);
}

static gboolean has_name(GPtrArray *names, const char *name)
{
    return g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL);
}

static gboolean is_missing(const struct prune_volumes *v, const char *name, GError **err)
{
    const char *near =
        suggest_nearest(name, (const char *const *)v->present->pdata, v->present->len);
    error_set(err, VARVE_ERROR_NOT_FOUND, "no volume is named %s%s%s%s", name,
              near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    error_add_next(err, "varve prune --volumes=all --dry-run lists the unused volumes");
    return FALSE;
}

gboolean prune_volumes_load(struct prune_volumes *v, struct store *s, GError **err)
{
    g_autoptr(GPtrArray) ids = store_volume_ids(s, err);
    for (guint i = 0; ids && i < ids->len; i++) {
        const char *name = volume_name_of_id(g_ptr_array_index(ids, i));
        if (name)
            g_ptr_array_add(v->present, g_strdup(name));
    }
    for (char **name = v->names; ids && name && *name; name++)
        if (!has_name(v->present, *name))
            return is_missing(v, *name, err);
    return ids != NULL;
}

static gboolean is_wanted(const struct prune_volumes *v, const char *name)
{
    return v->all_named || (v->names && g_strv_contains((const char *const *)v->names, name));
}

static char *join_ids(const struct prune_volumes *v, gboolean wanted)
{
    GString *list = g_string_new(NULL);
    for (guint i = 0; i < v->present->len; i++) {
        const char *name = g_ptr_array_index(v->present, i);
        if (is_wanted(v, name) == wanted)
            g_string_append_printf(list, "%s%s", list->len ? ", " : "", name);
    }
    return g_string_free(list, list->len == 0);
}

char *prune_volumes_wanted(const struct prune_volumes *v)
{
    return join_ids(v, TRUE);
}

char *prune_volumes_kept(const struct prune_volumes *v)
{
    return v->caches ? join_ids(v, FALSE) : NULL;
}

gboolean prune_volumes_take(gpointer ctx, const char *id)
{
    struct prune_volumes *v = ctx;
    const char *name = id ? volume_name_of_id(id) : NULL;
    if (!name)
        return v->caches;
    if (!is_wanted(v, name))
        return FALSE;
    g_ptr_array_add(v->taken, g_strdup(name));
    return TRUE;
}
