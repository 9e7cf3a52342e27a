#include "image/jsonin.h"

#include "base/error.h"

#include <string.h>

#define MAX_MEMBERS 10000 /* of one list or map */

#define MAX_TREE (32 * 1024 * 1024) /* bytes that a document may take once it is parsed */

/* About how much the document takes as a tree: jansson's containers, members and values. Small
 * documents may unpack to gigabytes otherwise. */
static gsize tree_size(const char *text, gsize len)
{
    gsize size = 0;
    gboolean quoted = FALSE;
    for (gsize i = 0; i < len; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            size += text[i] == '[' || text[i] == '{' ? 128
                    : text[i] == ':'                 ? 64
                    : text[i] == ','                 ? 40
                                                     : 0;
    }
    return size;
}

static json_t *load_json(const void *bytes, gsize len, size_t flags, const char *what, GError **err)
{
    if (tree_size(bytes, len) > MAX_TREE) {
        error_set(err, VARVE_ERROR_INVALID, "cannot read the %s: it has too many values", what);
        return NULL;
    }
    json_error_t e;
    json_t *doc = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | flags, &e);
    if (!doc)
        error_set(err, VARVE_ERROR_INVALID, "cannot read the %s: line %d, column %d: %s", what,
                  e.line, e.column, e.text);
    return doc;
}

json_t *jsonin_value(const void *bytes, gsize len, const char *what, GError **err)
{
    return load_json(bytes, len, JSON_DECODE_ANY, what, err);
}

json_t *jsonin_parse(const void *bytes, gsize len, gsize max, const char *what, GError **err)
{
    if (len > max) {
        error_set(err, VARVE_ERROR_INVALID,
                  "cannot read the %s: it has %" G_GSIZE_FORMAT
                  " bytes; the limit is %" G_GSIZE_FORMAT "",
                  what, len, max);
        return NULL;
    }
    json_t *doc = load_json(bytes, len, 0, what, err);
    if (!doc || json_is_object(doc))
        return doc;
    json_decref(doc);
    error_set(err, VARVE_ERROR_INVALID, "cannot read the %s: it is not a JSON object", what);
    return NULL;
}

/* The member, or NULL when it is absent or null (jansson's getters do not modify, but take
 * non-const). */
static const json_t *member(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);
    return v && !json_is_null(v) ? v : NULL;
}

static gboolean wrong_type(GError **err, const char *key, const char *wanted)
{
    return error_set(err, VARVE_ERROR_INVALID, "\"%s\" is not %s", key, wanted);
}

gboolean jsonin_string(const json_t *obj, const char *key, const char **out, GError **err)
{
    const json_t *v = member(obj, key);
    *out = NULL;
    if (!v)
        return TRUE;
    *out = json_string_value(v);
    return *out ? TRUE : wrong_type(err, key, "a string");
}

gboolean jsonin_int(const json_t *obj, const char *key, gint64 *out, GError **err)
{
    const json_t *v = member(obj, key);
    *out = 0;
    if (!v)
        return TRUE;
    if (!json_is_integer(v))
        return wrong_type(err, key, "a whole number");
    *out = json_integer_value(v);
    return TRUE;
}

gboolean jsonin_bool(const json_t *obj, const char *key, gboolean *out, GError **err)
{
    const json_t *v = member(obj, key);
    *out = v && json_is_true(v);
    return !v || json_is_boolean(v) ? TRUE : wrong_type(err, key, "true or false");
}

gboolean jsonin_object(const json_t *obj, const char *key, const json_t **out, GError **err)
{
    *out = member(obj, key);
    return !*out || json_is_object(*out) ? TRUE : wrong_type(err, key, "an object");
}

gboolean jsonin_array(const json_t *obj, const char *key, gsize max, const json_t **out,
                      GError **err)
{
    *out = member(obj, key);
    if (*out && !json_is_array(*out))
        return wrong_type(err, key, "a list");
    if (json_array_size(*out) <= max)
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "\"%s\" has more than %" G_GSIZE_FORMAT " items",
                     key, max);
}

gboolean jsonin_strv(const json_t *obj, const char *key, char ***out, GError **err)
{
    const json_t *list;
    *out = NULL;
    if (!jsonin_array(obj, key, MAX_MEMBERS, &list, err))
        return FALSE;
    if (!list)
        return TRUE;
    gsize n = json_array_size(list);
    g_auto(GStrv) strv = g_new0(char *, n + 1);
    for (gsize i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (!s)
            return wrong_type(err, key, "a list of strings");
        strv[i] = g_strdup(s);
    }
    *out = g_steal_pointer(&strv);
    return TRUE;
}

/* Iterates by hand: json_object_foreach wants a non-const object. */
static gboolean add_members(const json_t *obj, const char *key, gboolean values, GTree *tree,
                            GError **err)
{
    const json_t *map;
    if (!jsonin_object(obj, key, &map, err))
        return FALSE;
    if (json_object_size(map) > MAX_MEMBERS)
        return wrong_type(err, key, "of an acceptable size (10,000 members at most)");
    json_t *m = (json_t *)map;
    for (void *it = json_object_iter(m); it; it = json_object_iter_next(m, it)) {
        const char *value = values ? json_string_value(json_object_iter_value(it)) : "";
        if (!value)
            return wrong_type(err, key, "a map of strings");
        g_tree_insert(tree, g_strdup(json_object_iter_key(it)), g_strdup(value));
    }
    return TRUE;
}

gboolean jsonin_map(const json_t *obj, const char *key, GTree *tree, GError **err)
{
    return add_members(obj, key, TRUE, tree, err);
}

gboolean jsonin_set(const json_t *obj, const char *key, GTree *tree, GError **err)
{
    return add_members(obj, key, FALSE, tree, err);
}

gboolean jsonin_digest(const json_t *obj, const char *key, struct digest *out, GError **err)
{
    const char *text;
    if (!jsonin_string(obj, key, &text, err))
        return FALSE;
    if (!text)
        return error_set(err, VARVE_ERROR_INVALID, "\"%s\" is missing", key);
    return digest_parse(out, text, err);
}
