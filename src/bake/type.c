#include "bake/type.h"

#include <string.h>

const struct type type_any = {.kind = TYPE_ANY, .open = TRUE};
const struct type type_bool = {.kind = TYPE_BOOL};
const struct type type_number = {.kind = TYPE_NUMBER};
const struct type type_string = {.kind = TYPE_STRING};

const struct type type_list_any = {
    .kind = TYPE_LIST, .element = &type_any, .open = TRUE, .depth = 1};
const struct type type_list_string = {.kind = TYPE_LIST, .element = &type_string, .depth = 1};
const struct type type_list_number = {.kind = TYPE_LIST, .element = &type_number, .depth = 1};
const struct type type_set_any = {.kind = TYPE_SET, .element = &type_any, .open = TRUE, .depth = 1};
const struct type type_map_any = {.kind = TYPE_MAP, .element = &type_any, .open = TRUE, .depth = 1};
const struct type type_map_string = {.kind = TYPE_MAP, .element = &type_string, .depth = 1};

static const struct type *const CONSTANTS[] = {&type_list_any, &type_list_string, &type_list_number,
                                               &type_set_any,  &type_map_any,     &type_map_string};

int text_compare(struct text a, struct text b)
{
    int c = memcmp(a.bytes, b.bytes, MIN(a.len, b.len));
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static guint text_hash(struct text t)
{
    guint hash = 5381;
    for (gsize i = 0; i < t.len; i++)
        hash = hash * 33 + (guchar)t.bytes[i];
    return hash;
}

static guint type_hash(gconstpointer p)
{
    const struct type *t = p;
    guint hash = t->kind * 31 + t->n + g_direct_hash(t->element);
    for (guint i = 0; i < t->n; i++) {
        hash = hash * 31 + g_direct_hash(t->fields[i]);
        hash = hash * 31 + (t->keys ? text_hash(t->keys[i]) : 0);
    }
    return hash;
}

/* The same parts: types that they consist of are compared as pointers. */
static gboolean type_same(gconstpointer x, gconstpointer y)
{
    const struct type *a = x, *b = y;
    if (a->kind != b->kind || a->n != b->n || a->element != b->element)
        return FALSE;
    for (guint i = 0; i < a->n; i++) {
        gboolean same = a->fields[i] == b->fields[i] &&
                        (!a->keys || text_compare(a->keys[i], b->keys[i]) == 0) &&
                        (a->optional && a->optional[i]) == (b->optional && b->optional[i]);
        if (!same)
            return FALSE;
    }
    return TRUE;
}

/* The one type of this heap that is like t. */
static const struct type *type_intern(struct heap *h, const struct type *t)
{
    if (!h->types) {
        h->types = g_hash_table_new(type_hash, type_same);
        for (guint i = 0; i < G_N_ELEMENTS(CONSTANTS); i++)
            g_hash_table_add(h->types, (gpointer)CONSTANTS[i]);
    }
    const struct type *known = g_hash_table_lookup(h->types, t);
    if (known)
        return known;
    struct type *kept = heap_alloc(h, sizeof(*kept));
    *kept = *t;
    kept->depth = t->element ? t->element->depth + 1 : 1;
    kept->open = t->element && t->element->open;
    for (guint i = 0; i < t->n; i++) {
        kept->depth = MAX(kept->depth, t->fields[i]->depth + 1);
        kept->open |= t->fields[i]->open;
    }
    if (kept->depth > HEAP_MAX_DEPTH)
        heap_fail(h, "values are nested too deeply", NULL);
    g_hash_table_add(h->types, kept);
    return kept;
}

const struct type *type_collection(struct heap *h, enum type_kind kind, const struct type *element)
{
    return type_intern(h, &(struct type){.kind = kind, .element = element});
}

const struct type *type_tuple(struct heap *h, const struct type *const *fields, guint n)
{
    return type_intern(h, &(struct type){.kind = TYPE_TUPLE, .fields = fields, .n = n});
}

const struct type *type_object(struct heap *h, const struct text *keys,
                               const struct type *const *fields, const gboolean *optional, guint n)
{
    return type_intern(
        h, &(struct type){
               .kind = TYPE_OBJECT, .fields = fields, .keys = keys, .optional = optional, .n = n});
}

gint type_field(const struct type *t, struct text key)
{
    guint low = 0, high = t->n;
    while (low < high) {
        guint middle = (low + high) / 2;
        int c = text_compare(key, t->keys[middle]);
        if (c == 0)
            return (gint)middle;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static const char *kind_text(enum type_kind kind)
{
    static const char *const NAMES[] = {"any", "bool", "number", "string", "list",
                                        "set", "map",  "tuple",  "object"};
    return NAMES[kind];
}

#define TEXT_MAX 500 /* bytes of a type in a message; deeper parts are "…" beyond */

static void type_append(const struct type *t, GString *out)
{
    if (out->len > TEXT_MAX) {
        g_string_append(out, "…");
        return;
    }
    g_string_append(out, kind_text(t->kind));
    if (t->element) {
        g_string_append_c(out, '(');
        type_append(t->element, out);
        g_string_append_c(out, ')');
    } else if (t->kind == TYPE_TUPLE || t->kind == TYPE_OBJECT) {
        g_string_append(out, t->kind == TYPE_TUPLE ? "([" : "({");
        for (guint i = 0; i < t->n && out->len <= TEXT_MAX; i++) {
            g_string_append(out, i ? ", " : "");
            if (t->keys)
                g_string_append_printf(out, "%s=", t->keys[i].bytes);
            type_append(t->fields[i], out);
        }
        g_string_append(out, t->kind == TYPE_TUPLE ? "])" : "})");
    }
}

char *type_text(const struct type *t)
{
    GString *out = g_string_new(NULL);
    type_append(t, out);
    return g_string_free(out, FALSE);
}

const char *type_name(struct heap *h, const struct type *t)
{
    if (!t->element)
        return t->kind == TYPE_ANY ? "value of any type" : kind_text(t->kind);
    g_autofree char *name =
        g_strdup_printf("%s of %s", kind_text(t->kind), type_name(h, t->element));
    return arena_strdup(h->arena, name);
}
