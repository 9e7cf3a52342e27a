#include "bake/value.h"

#include <string.h>

const struct value value_null = {.kind = TYPE_ANY, .null = TRUE, .type = &type_any};
const struct value value_true = {.kind = TYPE_BOOL, .type = &type_bool, .boolean = TRUE};
const struct value value_false = {.kind = TYPE_BOOL, .type = &type_bool, .boolean = FALSE};

static struct value *value_new(struct heap *h, const struct type *t)
{
    struct value *v = heap_alloc(h, sizeof(*v));
    v->kind = t->kind;
    v->type = t;
    return v;
}

const struct value *value_null_of(struct heap *h, const struct type *t)
{
    if (t->kind == TYPE_ANY)
        return &value_null;
    struct value *v = value_new(h, t);
    v->null = TRUE;
    return v;
}

static gboolean text_ascii(const char *bytes, gsize len)
{
    guchar all = 0;
    for (gsize i = 0; i < len; i++)
        all |= (guchar)bytes[i];
    return all < 0x80;
}

/* GLib's functions end at a NUL, so each part between two is brought into the normal form alone. */
static void normalize_append(const char *part, GString *out)
{
    g_autofree char *valid = g_utf8_make_valid(part, -1);
    g_autofree char *normal = g_utf8_normalize(valid, -1, G_NORMALIZE_NFC);
    g_string_append(out, normal);
}

static struct text text_normal(struct heap *h, const char *bytes, gsize len)
{
    if (text_ascii(bytes, len)) {
        char *copy = heap_alloc(h, len + 1);
        memcpy(copy, bytes, len);
        return (struct text){copy, len};
    }
    g_autofree char *terminated = g_malloc(len + 1);
    memcpy(terminated, bytes, len);
    terminated[len] = '\0';
    g_autoptr(GString) out = g_string_sized_new(len);
    for (gsize at = 0; at <= len; at += strlen(terminated + at) + 1) {
        if (at > 0)
            g_string_append_c(out, '\0');
        normalize_append(terminated + at, out);
    }
    char *copy = heap_alloc(h, out->len + 1);
    memcpy(copy, out->str, out->len);
    return (struct text){copy, out->len};
}

const struct value *value_string(struct heap *h, const char *bytes, gsize len)
{
    struct value *v = value_new(h, &type_string);
    v->text = text_normal(h, bytes, len);
    return v;
}

const struct value *value_cstring(struct heap *h, const char *s)
{
    return value_string(h, s, strlen(s));
}

const struct value *value_take(struct heap *h, GString *b)
{
    const struct value *v = value_string(h, b->str, b->len);
    g_string_truncate(b, 0);
    return v;
}

static const struct value *value_with_items(struct heap *h, const struct type *t,
                                            const struct text *keys,
                                            const struct value *const *items, guint n)
{
    struct value *v = value_new(h, t);
    v->items = items;
    v->keys = keys;
    v->n = n;
    return v;
}

const struct value *value_list(struct heap *h, const struct type *element,
                               const struct value *const *items, guint n)
{
    return value_with_items(h, type_collection(h, TYPE_LIST, element), NULL, items, n);
}

static const struct type **types_of(struct heap *h, const struct value *const *items, guint n)
{
    const struct type **types = heap_array(h, const struct type *, n);
    for (guint i = 0; i < n; i++)
        types[i] = items[i]->type;
    return types;
}

const struct value *value_tuple(struct heap *h, const struct value *const *items, guint n)
{
    return value_with_items(h, type_tuple(h, types_of(h, items, n), n), NULL, items, n);
}

/* An element of a set beside what it is ordered by. */
struct member {
    const struct value *value; /* the element */
    char *order;               /* of what has elements: a text, as cty orders by hash; else NULL */
};

static void order_string(struct text t, GString *out)
{
    g_string_append_c(out, '"');
    for (gsize i = 0; i < t.len; i++) {
        guchar c = (guchar)t.bytes[i];
        if (c == '"' || c == '\\')
            g_string_append_c(out, '\\');
        if (c)
            g_string_append_c(out, (char)c);
        else
            g_string_append(out, "\\x00");
    }
    g_string_append_c(out, '"');
}

static void order_number(const struct value *v, GString *out)
{
    g_autofree char *text = number_text(v, NULL);
    g_string_append(out, text ? text : "");
}

/* The bytes by which cty orders compound elements of sets, without NUL. */
static void order_append(const struct value *v, GString *out)
{
    if (out->len > HEAP_MAX_STRING)
        return;
    if (v->null)
        g_string_append_c(out, '~');
    else if (v->kind == TYPE_BOOL)
        g_string_append_c(out, v->boolean ? 'T' : 'F');
    else if (v->kind == TYPE_NUMBER)
        order_number(v, out);
    else if (v->kind == TYPE_STRING)
        order_string(v->text, out);
    if (!value_iterable(v))
        return;
    g_string_append_c(out, v->kind == TYPE_MAP ? '{' : v->type->element ? '[' : '<');
    for (guint i = 0; i < v->n; i++) {
        if (v->kind == TYPE_MAP) {
            order_string(v->keys[i], out);
            g_string_append_c(out, ':');
        }
        order_append(v->items[i], out);
        g_string_append_c(out, ';');
    }
    g_string_append_c(out, v->kind == TYPE_MAP ? '}' : v->type->element ? ']' : '>');
}

static char *order_text(const struct value *v)
{
    if (!value_iterable(v))
        return NULL;
    GString *out = g_string_new(NULL);
    order_append(v, out);
    return g_string_free(out, FALSE);
}

static int compare_scalars(const struct value *a, const struct value *b)
{
    if (a->null || b->null)
        return (int)a->null - (int)b->null;
    if (a->kind == TYPE_STRING)
        return text_compare(a->text, b->text);
    if (a->kind == TYPE_NUMBER)
        return mpfr_cmp(a->number, b->number);
    return (int)a->boolean - (int)b->boolean;
}

static int member_compare(gconstpointer x, gconstpointer y)
{
    const struct member *a = x, *b = y;
    if (a->order && b->order)
        return strcmp(a->order, b->order);
    return compare_scalars(a->value, b->value);
}

int value_compare(const struct value *a, const struct value *b)
{
    g_autofree char *x = order_text(a), *y = order_text(b);
    return member_compare(&(struct member){a, x}, &(struct member){b, y});
}

const struct value *value_set(struct heap *h, const struct type *element,
                              const struct value *const *items, guint n)
{
    const struct value **kept = heap_array(h, const struct value *, n);
    struct member *members = g_new(struct member, n + 1);
    guint unique = 0;
    for (guint i = 0; i < n; i++)
        members[i] = (struct member){items[i], order_text(items[i])};
    qsort(members, n, sizeof(*members), member_compare);
    for (guint i = 0; i < n; i++)
        if (i == 0 || member_compare(&members[i - 1], &members[i]) != 0)
            kept[unique++] = members[i].value;
    for (guint i = 0; i < n; i++)
        g_free(members[i].order);
    g_free(members);
    return value_with_items(h, type_collection(h, TYPE_SET, element), NULL, kept, unique);
}

struct pair {
    struct text key;
    const struct value *value;
    guint place; /* the last of equal keys wins */
};

static int pair_compare(gconstpointer x, gconstpointer y)
{
    const struct pair *a = x, *b = y;
    int c = text_compare(a->key, b->key);
    return c ? c : (a->place > b->place) - (a->place < b->place);
}

/* Sorts both arrays into *keys and *items; the number that is left of n. */
static guint pairs_sort(struct heap *h, const struct text **keys, const struct value *const **items,
                        guint n)
{
    g_autofree struct pair *pairs = g_new(struct pair, n + 1);
    struct text *sorted = heap_array(h, struct text, n);
    const struct value **values = heap_array(h, const struct value *, n);
    guint kept = 0;
    for (guint i = 0; i < n; i++)
        pairs[i] = (struct pair){(*keys)[i], (*items)[i], i};
    qsort(pairs, n, sizeof(*pairs), pair_compare);
    for (guint i = 0; i < n; i++) {
        if (i + 1 < n && text_compare(pairs[i].key, pairs[i + 1].key) == 0)
            continue;
        sorted[kept] = pairs[i].key;
        values[kept++] = pairs[i].value;
    }
    *keys = sorted;
    *items = values;
    return kept;
}

const struct value *value_map(struct heap *h, const struct type *element, const struct text *keys,
                              const struct value *const *items, guint n)
{
    n = pairs_sort(h, &keys, &items, n);
    return value_with_items(h, type_collection(h, TYPE_MAP, element), keys, items, n);
}

const struct value *value_object(struct heap *h, const struct text *keys,
                                 const struct value *const *items, guint n)
{
    n = pairs_sort(h, &keys, &items, n);
    const struct type *t = type_object(h, keys, types_of(h, items, n), NULL, n);
    return value_with_items(h, t, keys, items, n);
}

gboolean value_iterable(const struct value *v)
{
    return value_sequence(v) || value_mapping(v);
}

const struct value *value_get(const struct value *v, struct text key)
{
    guint low = 0, high = v->n;
    while (low < high) {
        guint middle = (low + high) / 2;
        int c = text_compare(key, v->keys[middle]);
        if (c == 0)
            return v->items[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

gboolean value_equal(struct heap *h, const struct value *a, const struct value *b)
{
    if (a == b || (a->null && b->null))
        return TRUE;
    if (a->null || b->null || a->type != b->type || !heap_step(h, 1, NULL))
        return FALSE;
    if (!value_iterable(a))
        return compare_scalars(a, b) == 0;
    if (a->n != b->n)
        return FALSE;
    for (guint i = 0; i < a->n; i++) {
        if (a->kind == TYPE_MAP && text_compare(a->keys[i], b->keys[i]) != 0)
            return FALSE;
        if (!value_equal(h, a->items[i], b->items[i]))
            return FALSE;
    }
    return TRUE;
}
