#include "bake/target.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

#define AT(field) G_STRUCT_OFFSET(struct bake_target, field)

const struct bake_attr bake_attrs[BAKE_N_ATTRS] = {
    [BAKE_DESCRIPTION] = {"description", BAKE_KIND_TEXT, BAKE_REPLACE, AT(description), NULL},
    [BAKE_INHERITS] = {"inherits", BAKE_KIND_LIST, BAKE_APPEND, AT(inherits), NULL},
    [BAKE_ANNOTATIONS] = {"annotations", BAKE_KIND_LIST, BAKE_APPEND, AT(annotations), NULL},
    [BAKE_ATTEST] = {"attest", BAKE_KIND_ENTRIES, BAKE_IDENTITY, AT(attest), "type"},
    [BAKE_CONTEXT] = {"context", BAKE_KIND_TEXT, BAKE_REPLACE, AT(context), NULL},
    [BAKE_CONTEXTS] = {"contexts", BAKE_KIND_MAP, BAKE_BY_KEY, AT(contexts), NULL},
    [BAKE_DOCKERFILE] = {"dockerfile", BAKE_KIND_TEXT, BAKE_REPLACE, AT(dockerfile), NULL},
    [BAKE_DOCKERFILE_INLINE] = {"dockerfile-inline", BAKE_KIND_TEXT, BAKE_REPLACE,
                                AT(dockerfile_inline), NULL},
    [BAKE_ARGS] = {"args", BAKE_KIND_MAP, BAKE_BY_KEY, AT(args), NULL},
    [BAKE_LABELS] = {"labels", BAKE_KIND_MAP, BAKE_BY_KEY, AT(labels), NULL},
    [BAKE_TAGS] = {"tags", BAKE_KIND_LIST, BAKE_REPLACE, AT(tags), NULL},
    [BAKE_CACHE_FROM] = {"cache-from", BAKE_KIND_ENTRIES, BAKE_APPEND, AT(cache_from), NULL},
    [BAKE_CACHE_TO] = {"cache-to", BAKE_KIND_ENTRIES, BAKE_REPLACE, AT(cache_to), NULL},
    [BAKE_TARGET] = {"target", BAKE_KIND_TEXT, BAKE_REPLACE, AT(target), NULL},
    [BAKE_SECRET] = {"secret", BAKE_KIND_ENTRIES, BAKE_IDENTITY, AT(secret), "id"},
    [BAKE_SSH] = {"ssh", BAKE_KIND_SSH, BAKE_IDENTITY, AT(ssh), NULL},
    [BAKE_PLATFORMS] = {"platforms", BAKE_KIND_LIST, BAKE_REPLACE, AT(platforms), NULL},
    [BAKE_OUTPUT] = {"output", BAKE_KIND_ENTRIES, BAKE_REPLACE, AT(output), NULL},
    [BAKE_PULL] = {"pull", BAKE_KIND_BOOL, BAKE_REPLACE, AT(pull), NULL},
    [BAKE_NO_CACHE] = {"no-cache", BAKE_KIND_BOOL, BAKE_REPLACE, AT(no_cache), NULL},
    [BAKE_NETWORK] = {"network", BAKE_KIND_TEXT, BAKE_REPLACE, AT(network), NULL},
    [BAKE_NO_CACHE_FILTER] = {"no-cache-filter", BAKE_KIND_LIST, BAKE_APPEND, AT(no_cache_filter),
                              NULL},
    [BAKE_SHM_SIZE] = {"shm-size", BAKE_KIND_TEXT, BAKE_REPLACE, AT(shm_size), NULL},
    [BAKE_ULIMITS] = {"ulimits", BAKE_KIND_LIST, BAKE_APPEND, AT(ulimits), NULL},
    [BAKE_CALL] = {"call", BAKE_KIND_TEXT, BAKE_REPLACE, AT(call), NULL},
    [BAKE_ENTITLEMENTS] = {"entitlements", BAKE_KIND_LIST, BAKE_APPEND, AT(entitlements), NULL},
    [BAKE_EXTRA_HOSTS] = {"extra-hosts", BAKE_KIND_MAP, BAKE_BY_KEY, AT(extra_hosts), NULL},
    [BAKE_WITHOUT] = {"unset", BAKE_KIND_LIST, BAKE_REPLACE, AT(without), NULL},
};

gint bake_attr_find(const char *name)
{
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        if (g_str_equal(bake_attrs[i].name, name))
            return (gint)i;
    return -1;
}

GPtrArray *bake_list_new(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

GList *bake_map_names(GHashTable *map)
{
    return map ? g_list_sort(g_hash_table_get_keys(map), (GCompareFunc)strcmp) : NULL;
}

GHashTable *bake_map_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void entry_unref(gpointer p)
{
    g_hash_table_unref(p);
}

GPtrArray *bake_entries_new(void)
{
    return g_ptr_array_new_with_free_func(entry_unref);
}

static void ssh_free(gpointer p)
{
    struct bake_ssh *s = p;
    g_free(s->id);
    g_ptr_array_unref(s->paths);
    g_free(s);
}

GPtrArray *bake_sshs_new(void)
{
    return g_ptr_array_new_with_free_func(ssh_free);
}

struct bake_ssh *bake_ssh_new(const char *id)
{
    struct bake_ssh *s = g_new0(struct bake_ssh, 1);
    s->id = g_strdup(id);
    s->paths = bake_list_new();
    return s;
}

static gpointer copy_text(gconstpointer p, gpointer unused)
{
    return g_strdup(p);
}

static GHashTable *map_copy(GHashTable *from)
{
    GHashTable *to = bake_map_new();
    GHashTableIter it;
    gpointer key, value;
    g_hash_table_iter_init(&it, from);
    while (g_hash_table_iter_next(&it, &key, &value))
        g_hash_table_insert(to, g_strdup(key), g_strdup(value));
    return to;
}

static gpointer entry_copy(gconstpointer p, gpointer unused)
{
    return map_copy((GHashTable *)p);
}

static gpointer copy_ssh(gconstpointer p, gpointer unused)
{
    const struct bake_ssh *from = p;
    struct bake_ssh *to = bake_ssh_new(from->id);
    for (guint i = 0; i < from->paths->len; i++)
        g_ptr_array_add(to->paths, g_strdup(from->paths->pdata[i]));
    return to;
}

/* How elements of a list are copied. */
static GCopyFunc element_copy(enum bake_kind kind)
{
    return kind == BAKE_KIND_LIST ? copy_text : kind == BAKE_KIND_SSH ? copy_ssh : entry_copy;
}

static GPtrArray *elements_new(enum bake_kind kind)
{
    return kind == BAKE_KIND_LIST  ? bake_list_new()
           : kind == BAKE_KIND_SSH ? bake_sshs_new()
                                   : bake_entries_new();
}

static void append_copies(GPtrArray *to, const GPtrArray *from, enum bake_kind kind)
{
    GCopyFunc copy = element_copy(kind);
    for (guint i = 0; i < from->len; i++)
        g_ptr_array_add(to, copy(from->pdata[i], NULL));
}

static gpointer field_copy(const struct bake_attr *a, gpointer from)
{
    if (!from)
        return NULL;
    if (a->kind == BAKE_KIND_TEXT)
        return g_strdup(from);
    if (a->kind == BAKE_KIND_MAP)
        return map_copy(from);
    GPtrArray *to = elements_new(a->kind);
    append_copies(to, from, a->kind);
    return to;
}

static void field_free(const struct bake_attr *a, gpointer field)
{
    if (!field)
        return;
    if (a->kind == BAKE_KIND_TEXT)
        g_free(field);
    else if (a->kind == BAKE_KIND_MAP)
        g_hash_table_unref(field);
    else
        g_ptr_array_unref(field);
}

struct bake_target *bake_target_new(const char *name)
{
    struct bake_target *t = g_new0(struct bake_target, 1);
    t->name = g_strdup(name);
    return t;
}

void bake_target_free(struct bake_target *t)
{
    if (!t)
        return;
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        if (bake_attrs[i].kind != BAKE_KIND_BOOL)
            field_free(&bake_attrs[i], G_STRUCT_MEMBER(gpointer, t, bake_attrs[i].offset));
    g_free(t->name);
    g_free(t->dir);
    g_free(t);
}

gboolean bake_target_has(const struct bake_target *t, enum bake_attr_id id)
{
    const struct bake_attr *a = &bake_attrs[id];
    return a->kind == BAKE_KIND_BOOL ? G_STRUCT_MEMBER(enum bake_bool, t, a->offset) != BAKE_UNSET
                                     : G_STRUCT_MEMBER(gpointer, t, a->offset) != NULL;
}

void bake_target_unset(struct bake_target *t, enum bake_attr_id id)
{
    const struct bake_attr *a = &bake_attrs[id];
    t->where[id] = (struct bake_where){0};
    if (a->kind == BAKE_KIND_BOOL) {
        G_STRUCT_MEMBER(enum bake_bool, t, a->offset) = BAKE_UNSET;
        return;
    }
    gpointer *field = G_STRUCT_MEMBER_P(t, a->offset);
    field_free(a, *field);
    *field = NULL;
}

static void merge_map(GHashTable *to, GHashTable *from)
{
    GHashTableIter it;
    gpointer key, value;
    g_hash_table_iter_init(&it, from);
    while (g_hash_table_iter_next(&it, &key, &value))
        if (value)
            g_hash_table_insert(to, g_strdup(key), g_strdup(value));
}

/* Both fields are set. */
static void merge_field(const struct bake_attr *a, gpointer *to, gpointer from)
{
    if (a->rule == BAKE_REPLACE) {
        gpointer copy = field_copy(a, from);
        field_free(a, *to);
        *to = copy;
    } else if (a->rule == BAKE_BY_KEY) {
        merge_map(*to, from);
    } else {
        append_copies(*to, from, a->kind);
    }
}

static void merge_attr(struct bake_target *t, const struct bake_target *from, guint id)
{
    const struct bake_attr *a = &bake_attrs[id];
    if (!bake_target_has(from, id))
        return;
    t->where[id] = from->where[id];
    if (a->kind == BAKE_KIND_BOOL) {
        G_STRUCT_MEMBER(enum bake_bool, t, a->offset) =
            G_STRUCT_MEMBER(enum bake_bool, from, a->offset);
        return;
    }
    gpointer *to = G_STRUCT_MEMBER_P(t, a->offset);
    gpointer value = G_STRUCT_MEMBER(gpointer, from, a->offset);
    if (*to)
        merge_field(a, to, value);
    else
        *to = field_copy(a, value);
}

void bake_target_merge(struct bake_target *t, const struct bake_target *from)
{
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        merge_attr(t, from, i);
    if (from->dir) {
        g_free(t->dir);
        t->dir = g_strdup(from->dir);
    }
}

/* What identifies an element among those of its list: elements of one identity are duplicates. */
static char *element_identity(const struct bake_attr *a, gconstpointer element)
{
    if (a->kind == BAKE_KIND_LIST)
        return g_strdup(element);
    if (a->kind == BAKE_KIND_SSH)
        return g_strdup(((const struct bake_ssh *)element)->id);
    GHashTable *entry = (GHashTable *)element;
    if (a->identity)
        return g_strdup(g_hash_table_lookup(entry, a->identity));
    g_autoptr(GList) keys = bake_map_names(entry);
    GString *all = g_string_new(NULL);
    for (GList *l = keys; l; l = l->next)
        g_string_append_printf(all, "%zu:%s=%s\n", strlen(l->data), (char *)l->data,
                               (char *)g_hash_table_lookup(entry, l->data));
    return g_string_free(all, FALSE);
}

static gboolean fail_drop(const char *what, const char *name, gint id, GError **err)
{
    const char *names[BAKE_N_ATTRS];
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        names[i] = bake_attrs[i].name;
    const char *near = id < 0 ? suggest_nearest(name, names, BAKE_N_ATTRS) : NULL;
    if (id >= 0)
        error_set(err, VARVE_ERROR_INVALID, "unset: %s has no elements, as %s names one", name,
                  what);
    else
        error_set(err, VARVE_ERROR_INVALID, "unset: there is no attribute %s%s%s%s", name,
                  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return FALSE;
}

static void drop_element(const struct bake_attr *a, GPtrArray *list, const char *identity)
{
    for (guint i = list->len; i-- > 0;) {
        g_autofree char *id = element_identity(a, list->pdata[i]);
        if (g_strcmp0(id, identity) == 0)
            g_ptr_array_remove_index(list, i);
    }
}

gboolean bake_target_drop(struct bake_target *t, const char *what, GError **err)
{
    const char *dot = strchr(what, '.');
    g_autofree char *name = dot ? g_strndup(what, (gsize)(dot - what)) : g_strdup(what);
    gint id = bake_attr_find(name);
    const struct bake_attr *a = id < 0 ? NULL : &bake_attrs[id];
    if (!a || (dot && (a->kind == BAKE_KIND_TEXT || a->kind == BAKE_KIND_BOOL)))
        return fail_drop(what, name, id, err);
    gpointer field = dot ? G_STRUCT_MEMBER(gpointer, t, a->offset) : NULL;
    if (!dot)
        bake_target_unset(t, (enum bake_attr_id)id);
    else if (field && a->kind == BAKE_KIND_MAP)
        g_hash_table_remove(field, dot + 1);
    else if (field)
        drop_element(a, field, dot + 1);
    return TRUE;
}

/* Leaves one element of each identity, at the place of the first; of those with an identity of
 * their own the last, of equal ones it does not matter. Empty texts go. */
static void drop_duplicates(const struct bake_attr *a, GPtrArray *list)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GPtrArray *kept = elements_new(a->kind);
    GCopyFunc copy = element_copy(a->kind);
    for (guint i = 0; i < list->len; i++) {
        g_autofree char *id = element_identity(a, list->pdata[i]);
        gpointer place;
        if (a->kind == BAKE_KIND_LIST && !*id)
            continue;
        if (!id || !g_hash_table_lookup_extended(seen, id, NULL, &place)) {
            if (id)
                g_hash_table_insert(seen, g_steal_pointer(&id), GUINT_TO_POINTER(kept->len));
            g_ptr_array_add(kept, copy(list->pdata[i], NULL));
        } else {
            guint at = GPOINTER_TO_UINT(place);
            GDestroyNotify destroy = a->kind == BAKE_KIND_LIST  ? g_free
                                     : a->kind == BAKE_KIND_SSH ? ssh_free
                                                                : entry_unref;
            destroy(kept->pdata[at]);
            kept->pdata[at] = copy(list->pdata[i], NULL);
        }
    }
    g_ptr_array_set_size(list, 0);
    g_ptr_array_extend_and_steal(list, kept);
}

static gboolean is_empty_value(gpointer key, gpointer value, gpointer unused)
{
    return !value || !*(char *)value;
}

static gboolean is_null_value(gpointer key, gpointer value, gpointer unused)
{
    return !value;
}

void bake_target_normalise(struct bake_target *t)
{
    if (t->network && g_str_equal(t->network, "host")) {
        if (!t->entitlements)
            t->entitlements = bake_list_new();
        g_ptr_array_add(t->entitlements, g_strdup("network.host"));
    }
    for (guint i = 0; i < BAKE_N_ATTRS; i++) {
        const struct bake_attr *a = &bake_attrs[i];
        if (a->kind == BAKE_KIND_TEXT || a->kind == BAKE_KIND_BOOL || i == BAKE_INHERITS ||
            !bake_target_has(t, i))
            continue;
        gpointer field = G_STRUCT_MEMBER(gpointer, t, a->offset);
        if (a->kind == BAKE_KIND_MAP)
            g_hash_table_foreach_remove(field, i == BAKE_CONTEXTS ? is_empty_value : is_null_value,
                                        NULL);
        else
            drop_duplicates(a, field);
    }
}
