/* For-expressions. */
#include "bake/evaluating.h"

#include "base/error.h"

#include <string.h>

/* A for-expression while it runs. */
struct looping {
    struct eval *ev;
    const struct expr *e;
    struct bake_local locals[2]; /* value, and key if it is asked for */
    struct bake_scope scope;
    GPtrArray *results; /* const struct value* */
    GPtrArray *keys;    /* const struct value*, strings; of objects */
    GHashTable *places; /* key → GPtrArray* of values ("...") or the key itself */
};

static const struct value *iteration_key(struct eval *ev, const struct value *v, guint i)
{
    if (value_mapping(v)) {
        struct value *key = heap_alloc(ev->heap, sizeof(*key));
        *key = (struct value){.kind = TYPE_STRING, .type = &type_string, .text = v->keys[i]};
        return key;
    }
    return v->kind == TYPE_SET ? v->items[i] : value_int(ev->heap, i);
}

/* 1: go on with this element; 0: it is left out; -1: error. */
static int condition_holds(struct looping *l, GError **err)
{
    const struct expr *condition = l->e->loop->condition;
    if (!condition)
        return 1;
    const struct value *v = bake_eval(l->ev, condition, &l->scope, err);
    if (v && v->null)
        v = eval_fail(l->ev, &condition->at, err, "the condition is null");
    if (v && !(v = value_convert(l->ev->heap, v, &type_bool, err)))
        eval_place(l->ev, &condition->at);
    return v ? v->boolean : -1;
}

static guint key_hash(gconstpointer p)
{
    const struct value *v = p;
    guint hash = 5381;
    for (gsize i = 0; i < v->text.len; i++)
        hash = hash * 33 + (guchar)v->text.bytes[i];
    return hash;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return text_compare(((const struct value *)a)->text, ((const struct value *)b)->text) == 0;
}

static gboolean add_keyed(struct looping *l, const struct value *key, const struct value *v,
                          GError **err)
{
    const struct for_expr *f = l->e->loop;
    GPtrArray *group = g_hash_table_lookup(l->places, key);
    if (group && !f->group) {
        eval_fail(l->ev, &f->key_result->at, err,
                  "the key \"%s\" results twice; \"...\" behind the value collects what has the "
                  "same key",
                  key->text.bytes);
        return FALSE;
    }
    if (!group) {
        group = g_ptr_array_new();
        g_hash_table_insert(l->places, (gpointer)key, group);
        g_ptr_array_add(l->keys, (gpointer)key);
    }
    g_ptr_array_add(group, (gpointer)v);
    return TRUE;
}

static gboolean run_element(struct looping *l, GError **err)
{
    const struct for_expr *f = l->e->loop;
    const struct value *key = NULL;
    int holds = condition_holds(l, err);
    if (holds <= 0)
        return holds == 0;
    if (f->key_result) {
        key = bake_eval(l->ev, f->key_result, &l->scope, err);
        if (!key || !(key = eval_key(l->ev, key, &f->key_result->at, err)))
            return FALSE;
    }
    const struct value *v = bake_eval(l->ev, f->result, &l->scope, err);
    if (v && key)
        return add_keyed(l, key, v, err);
    if (v)
        g_ptr_array_add(l->results, (gpointer)v);
    return v != NULL;
}

static const struct value *tuple_of(struct heap *h, const GPtrArray *values)
{
    const struct value **items = heap_array(h, const struct value *, values->len);
    for (guint i = 0; i < values->len; i++)
        items[i] = g_ptr_array_index(values, i);
    return value_tuple(h, items, values->len);
}

static const struct value *looping_object(struct looping *l)
{
    struct heap *h = l->ev->heap;
    guint n = l->keys->len;
    struct text *keys = heap_array(h, struct text, n);
    const struct value **items = heap_array(h, const struct value *, n);
    for (guint i = 0; i < n; i++) {
        const struct value *key = g_ptr_array_index(l->keys, i);
        const GPtrArray *group = g_hash_table_lookup(l->places, key);
        keys[i] = key->text;
        items[i] = l->e->loop->group ? tuple_of(h, group) : g_ptr_array_index(group, 0);
    }
    return value_object(h, keys, items, n);
}

static gboolean looping_run(struct looping *l, const struct value *collection, GError **err)
{
    for (guint i = 0; i < collection->n; i++) {
        l->locals[0].value = collection->items[i];
        if (l->scope.n_locals == 2)
            l->locals[1].value = iteration_key(l->ev, collection, i);
        if (!run_element(l, err))
            return FALSE;
    }
    return TRUE;
}

const struct value *eval_for(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                             GError **err)
{
    const struct for_expr *f = e->loop;
    const struct value *collection = bake_eval(ev, f->collection, scope, err);
    if (!collection)
        return NULL;
    if (collection->null)
        return eval_fail(ev, &f->collection->at, err, "null cannot be iterated over");
    if (!value_iterable(collection))
        return eval_fail(ev, &f->collection->at, err, "a %s cannot be iterated over",
                         type_name(ev->heap, collection->type));
    struct looping l = {.ev = ev, .e = e, .locals = {{f->value, NULL}, {f->key, NULL}}};
    l.scope = (struct bake_scope){.parent = scope, .locals = l.locals, .n_locals = f->key ? 2 : 1};
    l.results = g_ptr_array_new();
    l.keys = g_ptr_array_new();
    l.places = g_hash_table_new_full(key_hash, key_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    const struct value *v = NULL;
    if (looping_run(&l, collection, err))
        v = f->key_result ? looping_object(&l) : tuple_of(ev->heap, l.results);
    g_ptr_array_unref(l.results);
    g_ptr_array_unref(l.keys);
    g_hash_table_unref(l.places);
    return v;
}
