#include "bake/evaluating.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

const struct value *eval_fail(struct eval *ev, const struct place *at, GError **err,
                              const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    ev->at = *at;
    error_set(err, VARVE_ERROR_INVALID, "%s", text);
    return NULL;
}

const struct value *eval_place(struct eval *ev, const struct place *at)
{
    ev->at = *at;
    return NULL;
}

/* Names. */

static const struct bake_local *local_find(const struct bake_scope *s, const char *name)
{
    for (guint i = 0; i < s->n_locals; i++)
        if (strcmp(s->locals[i].name, name) == 0)
            return &s->locals[i];
    return NULL;
}

static void fail_unknown(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                         GError **err)
{
    gboolean call = e->kind == EXPR_CALL;
    g_autoptr(GPtrArray) variables = g_ptr_array_new(), functions = g_ptr_array_new();
    for (; scope; scope = scope->parent) {
        for (guint i = 0; i < scope->n_locals; i++)
            g_ptr_array_add(variables, (gpointer)scope->locals[i].name);
        if (scope->names)
            scope->names(scope->self, variables, functions);
    }
    if (call)
        function_names(functions);
    GPtrArray *names = call ? functions : variables;
    const char *near = suggest_nearest(e->name, (const char *const *)names->pdata, names->len);
    eval_fail(ev, &e->at, err, "there is no %s named %s%s%s%s", call ? "function" : "variable",
              e->name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The value of the name that e begins with; *used of its steps belong to the name. */
static const struct value *eval_name(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, guint *used, GError **err)
{
    const struct value *v = NULL;
    *used = 0;
    for (const struct bake_scope *s = scope; s; s = s->parent) {
        const struct bake_local *local = local_find(s, e->name);
        if (local)
            return local->value;
        if (!s->variable)
            continue;
        ev->at.file = NULL;
        enum scope_answer answer = s->variable(s->self, ev, e, used, &v, err);
        if (answer == SCOPE_FAILED && !ev->at.file)
            eval_place(ev, &e->at);
        if (answer != SCOPE_UNKNOWN)
            return answer == SCOPE_FOUND ? v : NULL;
    }
    fail_unknown(ev, e, scope, err);
    return NULL;
}

const struct function *eval_function(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err)
{
    const struct function *f = NULL;
    for (const struct bake_scope *s = scope; s; s = s->parent) {
        if (!s->function)
            continue;
        ev->at.file = NULL;
        enum scope_answer answer = s->function(s->self, ev, e->name, &f, err);
        if (answer == SCOPE_FAILED && !ev->at.file)
            eval_place(ev, &e->at);
        if (answer != SCOPE_UNKNOWN)
            return answer == SCOPE_FOUND ? f : NULL;
    }
    if (!(f = function_find(e->name)))
        fail_unknown(ev, e, scope, err);
    return f;
}

/* Attributes and indexes. */

static const struct value *fail_attribute(struct eval *ev, const struct value *v,
                                          const struct value *key, const struct place *at,
                                          GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < v->n; i++)
        g_ptr_array_add(names, (gpointer)v->keys[i].bytes);
    const char *near =
        suggest_nearest(key->text.bytes, (const char *const *)names->pdata, names->len);
    return eval_fail(ev, at, err, "there is no %s \"%s\" in this %s%s%s%s",
                     v->kind == TYPE_MAP ? "element" : "attribute", key->text.bytes,
                     v->kind == TYPE_MAP ? "map" : "object", near ? "; did you mean \"" : "",
                     near ? near : "", near ? "\"?" : "");
}

static const struct value *eval_attribute(struct eval *ev, const struct value *v,
                                          const struct value *key, const struct place *at,
                                          GError **err)
{
    if (v->null)
        return eval_fail(ev, at, err, "null has no attribute \"%s\"", key->text.bytes);
    if (!value_mapping(v))
        return eval_fail(ev, at, err, "a %s has no attribute \"%s\"", type_name(ev->heap, v->type),
                         key->text.bytes);
    const struct value *item = value_get(v, key->text);
    return item ? item : fail_attribute(ev, v, key, at, err);
}

static const struct value *index_sequence(struct eval *ev, const struct value *v,
                                          const struct value *number, const struct place *at,
                                          GError **err)
{
    gint64 i;
    if (value_fits_int(number, &i) && i >= 0 && i < v->n)
        return v->items[i];
    g_autofree char *text = number_text(number, NULL);
    return eval_fail(ev, at, err, "there is no element %s: this %s has %u, counted from 0",
                     text ? text : "there", v->kind == TYPE_LIST ? "list" : "tuple", v->n);
}

static const struct value *eval_index(struct eval *ev, const struct value *v,
                                      const struct value *key, const struct place *at, GError **err)
{
    if (v->null)
        return eval_fail(ev, at, err, "null has no elements");
    if (key->null)
        return eval_fail(ev, at, err, "null cannot be an index");
    if (v->kind == TYPE_SET)
        return eval_fail(ev, at, err, "elements of a set have no index; convert it to a list");
    if (!value_iterable(v))
        return eval_fail(ev, at, err, "a %s has no elements", type_name(ev->heap, v->type));
    const struct type *wanted = value_mapping(v) ? &type_string : &type_number;
    const struct value *converted = value_convert(ev->heap, key, wanted, err);
    if (!converted) {
        g_prefix_error(err, "this cannot be an index here: ");
        return eval_place(ev, at);
    }
    if (!value_mapping(v))
        return index_sequence(ev, v, converted, at, err);
    const struct value *item = value_get(v, converted->text);
    return item ? item : fail_attribute(ev, v, converted, at, err);
}

static const struct value *eval_steps(struct eval *ev, const struct expr *e, guint from,
                                      const struct value *v, GError **err)
{
    for (guint i = from; v && i < e->n_steps; i++)
        v = e->steps[i].attribute ? eval_attribute(ev, v, e->steps[i].key, &e->steps[i].at, err)
                                  : eval_index(ev, v, e->steps[i].key, &e->steps[i].at, err);
    return v;
}

static const struct value *eval_traversal(struct eval *ev, const struct expr *e,
                                          const struct bake_scope *scope, GError **err)
{
    guint used;
    const struct value *v = eval_name(ev, e, scope, &used, err);
    return v ? eval_steps(ev, e, used, v, err) : NULL;
}

/* Constructors. */

static const struct value **eval_operands(struct eval *ev, const struct expr *e,
                                          const struct bake_scope *scope, GError **err)
{
    const struct value **items = heap_array(ev->heap, const struct value *, e->n_operands + 1);
    for (guint i = 0; i < e->n_operands; i++)
        if (!(items[i] = bake_eval(ev, e->operands[i], scope, err)))
            return NULL;
    return items;
}

static const struct value *eval_tuple(struct eval *ev, const struct expr *e,
                                      const struct bake_scope *scope, GError **err)
{
    const struct value **items = eval_operands(ev, e, scope, err);
    return items ? value_tuple(ev->heap, items, e->n_operands) : NULL;
}

const struct value *eval_key(struct eval *ev, const struct value *v, const struct place *at,
                             GError **err)
{
    if (v->null)
        return eval_fail(ev, at, err, "null cannot be a key");
    const struct value *key = value_convert(ev->heap, v, &type_string, err);
    if (!key) {
        g_prefix_error(err, "this cannot be a key: ");
        return eval_place(ev, at);
    }
    return key;
}

static const struct value *eval_object(struct eval *ev, const struct expr *e,
                                       const struct bake_scope *scope, GError **err)
{
    guint n = e->n_operands / 2;
    struct text *keys = heap_array(ev->heap, struct text, n);
    const struct value **items = heap_array(ev->heap, const struct value *, n);
    for (guint i = 0; i < n; i++) {
        const struct expr *key = e->operands[2 * i];
        const struct value *v = bake_eval(ev, key, scope, err);
        if (!v || !(v = eval_key(ev, v, &key->at, err)))
            return NULL;
        keys[i] = v->text;
        if (!(items[i] = bake_eval(ev, e->operands[2 * i + 1], scope, err)))
            return NULL;
    }
    return value_object(ev->heap, keys, items, n);
}

/* Text. */

static gboolean append_part(struct eval *ev, const struct value *v, const struct place *at,
                            GString *out, GError **err)
{
    if (v->null) {
        eval_fail(ev, at, err, "null cannot be part of a text");
        return FALSE;
    }
    const struct value *text = value_convert(ev->heap, v, &type_string, err);
    if (!text)
        g_prefix_error(err, "this cannot be part of a text: ");
    if (!text || !heap_reserve_string(ev->heap, out->len + text->text.len, err)) {
        eval_place(ev, at);
        return FALSE;
    }
    g_string_append_len(out, text->text.bytes, (gssize)text->text.len);
    return TRUE;
}

static const struct value *eval_template(struct eval *ev, const struct expr *e,
                                         const struct bake_scope *scope, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (guint i = 0; i < e->n_operands; i++) {
        const struct value *v = bake_eval(ev, e->operands[i], scope, err);
        if (!v || !append_part(ev, v, &e->operands[i]->at, out, err))
            return NULL;
    }
    return value_take(ev->heap, out);
}

static const struct value *eval_join(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const struct value *v = bake_eval(ev, e->operands[0], scope, err);
    for (guint i = 0; v && i < v->n; i++)
        if (!append_part(ev, v->items[i], &e->at, out, err))
            return NULL;
    return v ? value_take(ev->heap, out) : NULL;
}

/* Splats: the element is a local without a name that could be written. */
#define ITEM "*"

static const struct value *eval_item(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err)
{
    for (; scope; scope = scope->parent) {
        const struct bake_local *local = local_find(scope, ITEM);
        if (local)
            return local->value;
    }
    return eval_fail(ev, &e->at, err, "\"*\" stands outside of what it belongs to");
}

static const struct value *eval_splat(struct eval *ev, const struct expr *e,
                                      const struct bake_scope *scope, GError **err)
{
    const struct value *source = bake_eval(ev, e->operands[0], scope, err);
    if (!source)
        return NULL;
    enum type_kind kind = source->type->kind;
    gboolean sequence = kind == TYPE_LIST || kind == TYPE_SET || kind == TYPE_TUPLE;
    if (source->null && sequence)
        return eval_fail(ev, &e->at, err, "null has no elements");
    guint n = source->null ? 0 : sequence ? source->n : 1;
    const struct value **items = heap_array(ev->heap, const struct value *, n);
    for (guint i = 0; i < n; i++) {
        struct bake_local item = {ITEM, sequence ? source->items[i] : source};
        struct bake_scope inner = {.parent = scope, .locals = &item, .n_locals = 1};
        if (!(items[i] = bake_eval(ev, e->operands[1], &inner, err)))
            return NULL;
    }
    if (kind != TYPE_LIST && kind != TYPE_SET)
        return value_tuple(ev->heap, items, n);
    return value_list(ev->heap, n ? items[0]->type : &type_any, items, n);
}

static const struct value *eval_form(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err)
{
    const struct value *v;
    switch (e->kind) {
    case EXPR_LITERAL:
        return e->value;
    case EXPR_TRAVERSAL:
        return eval_traversal(ev, e, scope, err);
    case EXPR_STEPS:
        v = bake_eval(ev, e->operands[0], scope, err);
        return v ? eval_steps(ev, e, 0, v, err) : NULL;
    case EXPR_INDEX: {
        const struct value **both = eval_operands(ev, e, scope, err);
        return both ? eval_index(ev, both[0], both[1], &e->at, err) : NULL;
    }
    case EXPR_SPLAT:
        return eval_splat(ev, e, scope, err);
    case EXPR_ITEM:
        return eval_item(ev, e, scope, err);
    case EXPR_CALL:
        return eval_call(ev, e, scope, err);
    case EXPR_CONDITIONAL:
        return eval_conditional(ev, e, scope, err);
    case EXPR_UNARY:
        return eval_unary(ev, e, scope, err);
    case EXPR_BINARY:
        return eval_binary(ev, e, scope, err);
    case EXPR_TUPLE:
        return eval_tuple(ev, e, scope, err);
    case EXPR_OBJECT:
        return eval_object(ev, e, scope, err);
    case EXPR_FOR:
        return eval_for(ev, e, scope, err);
    case EXPR_TEMPLATE:
        return eval_template(ev, e, scope, err);
    case EXPR_JOIN:
        return eval_join(ev, e, scope, err);
    case EXPR_WRAP:
    case EXPR_PAREN:
        return bake_eval(ev, e->operands[0], scope, err);
    }
    g_assert_not_reached();
}

const struct value *bake_eval(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                              GError **err)
{
    struct heap *h = ev->heap;
    const struct value *v = NULL;
    gboolean deep = h->depth >= HEAP_MAX_DEPTH;
    if (deep)
        heap_fail(h, "expressions refer to each other too deeply", err);
    if (deep || !heap_step(h, 1, err))
        return eval_place(ev, &e->at);
    h->depth++;
    v = eval_form(ev, e, scope, err);
    h->depth--;
    if (v && h->over) { /* it may have become too large on the way */
        heap_reserve(h, 0, err);
        return eval_place(ev, &e->at);
    }
    return v;
}

const struct value *bake_eval_as(struct eval *ev, const struct expr *e,
                                 const struct bake_scope *scope, const struct type *type,
                                 GError **err)
{
    const struct value *v = bake_eval(ev, e, scope, err);
    if (!v)
        return NULL;
    v = value_convert(ev->heap, v, type, err);
    return v ? v : eval_place(ev, &e->at);
}
