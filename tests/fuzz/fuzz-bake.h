/* What the targets hcl and hcljson do with a file. */
#ifndef VARVE_TESTS_FUZZ_BAKE_H
#define VARVE_TESTS_FUZZ_BAKE_H

#include "bake/eval.h"
#include "bake/hcl.h"
#include "base/error.h"

#include <string.h>

/* A file's top-level attributes as variables: a name is evaluated wherever it is used. */
static enum scope_answer fuzz_variable(gpointer self, struct eval *ev, const struct expr *t,
                                       guint *used, const struct value **v, GError **err)
{
    struct bake_scope *scope = self;
    const struct hclfile *f = t->at.file;
    const struct attribute *a = body_attribute(f->body, t->name);
    if (!a)
        return SCOPE_UNKNOWN;
    *v = bake_eval(ev, a->value, scope, err);
    return *v ? SCOPE_FOUND : SCOPE_FAILED;
}

static void fuzz_value(struct heap *h, const struct value *v)
{
    g_autoptr(GString) json = g_string_new(NULL);
    if (value_json(h, v, json, NULL))
        g_assert_true(g_utf8_validate(json->str, (gssize)json->len, NULL));
    g_free(type_text(v->type));
    const struct value *text = value_convert(h, v, &type_string, NULL);
    g_assert_true(!text || text->type == &type_string);
    g_assert_true(h->over || value_equal(h, v, v));
}

static void fuzz_expr(struct eval *ev, const struct expr *e, struct bake_scope *scope)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GPtrArray) traversals = g_ptr_array_new(), calls = g_ptr_array_new();
    struct place at;
    guint n;
    expr_references(e, traversals, calls);
    expr_keyword(e);
    expr_list(e, &n);
    expr_type(ev->heap, e, &at, NULL);
    ev->at.file = NULL;
    const struct value *v = bake_eval(ev, e, scope, &err);
    g_assert_true((v == NULL) == (err != NULL));
    g_assert_true(v || ev->at.file);
    if (v)
        fuzz_value(ev->heap, v);
}

static void fuzz_body(struct eval *ev, const struct body *b, struct bake_scope *scope)
{
    for (guint i = 0; i < b->n_attributes; i++)
        fuzz_expr(ev, b->attributes[i].value, scope);
    for (guint i = 0; i < b->n_blocks; i++)
        fuzz_body(ev, b->blocks[i].body, scope);
}

/* Takes f. */
static inline void fuzz_bake(struct hclfile *f)
{
    g_assert_true((f->body == NULL) == diags_has_errors(f->diags));
    if (f->body) {
        struct eval ev = {.heap = heap_new()};
        struct bake_scope scope = {.variable = fuzz_variable};
        scope.self = &scope;
        ev.heap->max_bytes = 16 << 20;
        ev.heap->max_steps = 200000;
        fuzz_body(&ev, f->body, &scope);
        heap_free(ev.heap);
    }
    g_autofree char *text = diags_render(f->diags, DIAG_RENDER_CONTEXT);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    hclfile_free(f);
}

#endif
