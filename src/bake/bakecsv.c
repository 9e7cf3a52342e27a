#include "bake/bakecsv.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

/* Splits "Key = value" at the first '=': *key in lower case, without blanks around it. FALSE: there
 * is no '='. */
static gboolean split_field(const char *field, char **key, const char **value)
{
    const char *eq = strchr(field, '=');
    if (!eq)
        return FALSE;
    g_autofree char *name = g_strndup(field, (gsize)(eq - field));
    *key = g_ascii_strdown(g_strstrip(name), -1);
    *value = eq + 1;
    return TRUE;
}

/* The fields as a table, "key=value" each. */
static GHashTable *fields_table(char **fields, GError **err)
{
    g_autoptr(GHashTable) entry = bake_map_new();
    for (char **f = fields; *f; f++) {
        g_autofree char *key = NULL;
        const char *value;
        if (!split_field(*f, &key, &value)) {
            error_set(err, VARVE_ERROR_INVALID, "\"%s\" is not a key=value pair", *f);
            return NULL;
        }
        g_hash_table_insert(entry, g_steal_pointer(&key), g_strdup(value));
    }
    return g_steal_pointer(&entry);
}

static const char *entry_get(GHashTable *entry, const char *key)
{
    const char *value = g_hash_table_lookup(entry, key);
    return value ? value : "";
}

static void entry_set(GHashTable *entry, const char *key, const char *value)
{
    g_hash_table_insert(entry, g_strdup(key), g_strdup(value));
}

/* A key that says nothing is the same as none. */
static void drop_if_empty(GHashTable *entry, const char *key)
{
    if (!*entry_get(entry, key))
        g_hash_table_remove(entry, key);
}

static gboolean check_type(GHashTable *entry, const char *what, GError **err)
{
    if (*entry_get(entry, "type"))
        return TRUE;
    error_set(err, VARVE_ERROR_INVALID, "%s needs a type", what);
    error_add_next(err, "write type=…, as in \"type=registry,ref=NAME\"");
    return FALSE;
}

static gboolean complete_attest(GHashTable *entry, GError **err)
{
    const char *said = g_hash_table_lookup(entry, "disabled");
    gboolean disabled = FALSE;
    if (!check_type(entry, "an attestation", err))
        return FALSE;
    if (said && !boolean_parse(said, &disabled))
        return error_set(err, VARVE_ERROR_INVALID, "disabled=%s is neither true nor false", said);
    if (disabled)
        entry_set(entry, "disabled", "true");
    else
        g_hash_table_remove(entry, "disabled");
    return TRUE;
}

static gboolean complete_secret(GHashTable *entry, GError **err)
{
    static const char *const keys[] = {"id", "src", "env", "type", "source"};
    g_autofree char *type = g_strdup(entry_get(entry, "type"));
    const char *source = g_hash_table_lookup(entry, "source");
    GHashTableIter it;
    gpointer key;
    g_hash_table_iter_init(&it, entry);
    while (g_hash_table_iter_next(&it, &key, NULL))
        if (!g_strv_contains((const char *const[]){"id", "src", "env", "type", "source", NULL},
                             key)) {
            const char *near = suggest_nearest(key, keys, 3);
            error_set(err, VARVE_ERROR_INVALID, "a secret has no key \"%s\"%s%s", (char *)key,
                      near ? "; did you mean " : "", near ? near : "");
            return FALSE;
        }
    if (*type && !g_str_equal(type, "file") && !g_str_equal(type, "env"))
        return error_set(err, VARVE_ERROR_INVALID,
                         "unsupported secret type \"%s\": must be file or env", type);
    if (source)
        entry_set(entry, "src", source);
    g_hash_table_remove(entry, "source");
    g_hash_table_remove(entry, "type");
    if (g_str_equal(type, "env") && !*entry_get(entry, "env") && *entry_get(entry, "src")) {
        entry_set(entry, "env", entry_get(entry, "src"));
        g_hash_table_remove(entry, "src");
    }
    drop_if_empty(entry, "src");
    drop_if_empty(entry, "env");
    drop_if_empty(entry, "id");
    return TRUE;
}

gboolean bakecsv_object(GPtrArray *entries, enum bake_attr_id id, GHashTable *object, GError **err)
{
    g_autoptr(GHashTable) entry = object;
    gboolean ok = id == BAKE_SECRET   ? complete_secret(entry, err)
                  : id == BAKE_ATTEST ? complete_attest(entry, err)
                  : id == BAKE_OUTPUT ? check_type(entry, "an output", err)
                                      : check_type(entry, "a cache", err);
    if (!ok)
        return FALSE;
    if (id == BAKE_OUTPUT)
        drop_if_empty(entry, "dest");
    g_ptr_array_add(entries, g_steal_pointer(&entry));
    return TRUE;
}

static gboolean contains_equals(char **fields)
{
    for (char **f = fields; *f; f++)
        if (strchr(*f, '='))
            return TRUE;
    return FALSE;
}

/* Names alone: a registry cache each. */
static void add_references(GPtrArray *entries, char **fields)
{
    for (char **f = fields; *f; f++) {
        GHashTable *entry = bake_map_new();
        entry_set(entry, "type", "registry");
        entry_set(entry, "ref", *f);
        g_ptr_array_add(entries, entry);
    }
}

/* "./out", "-" */
static GHashTable *path_output(const char *path)
{
    GHashTable *entry = bake_map_new();
    entry_set(entry, "type", g_str_equal(path, "-") ? "tar" : "local");
    entry_set(entry, "dest", path);
    return entry;
}

gboolean bakecsv_entry(GPtrArray *entries, enum bake_attr_id id, const char *text, GError **err)
{
    if (!*text)
        return TRUE;
    g_auto(GStrv) fields = csv_split(text, err);
    if (!fields)
        return FALSE;
    gboolean alone = !fields[1] && g_str_equal(fields[0], text);
    if (id == BAKE_OUTPUT && alone && !g_str_has_prefix(text, "type=")) {
        g_ptr_array_add(entries, path_output(text));
        return TRUE;
    }
    if ((id == BAKE_CACHE_FROM || id == BAKE_CACHE_TO) && !contains_equals(fields) &&
        !strchr(text, '"')) {
        add_references(entries, fields);
        return TRUE;
    }
    GHashTable *entry = fields_table(fields, err);
    return entry && bakecsv_object(entries, id, entry, err);
}

gboolean bakecsv_ssh(GPtrArray *list, const char *text, GError **err)
{
    if (!*text)
        return TRUE;
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    struct bake_ssh *s = bake_ssh_new(parts[0]);
    g_auto(GStrv) paths = parts[1] ? g_strsplit(parts[1], ",", -1) : NULL;
    for (char **p = paths; p && *p; p++)
        g_ptr_array_add(s->paths, g_strdup(*p));
    g_ptr_array_add(list, s);
    return TRUE;
}
