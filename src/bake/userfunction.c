/* Functions that files define. */
#include "bake/moduling.h"

#include "base/error.h"

#include <string.h>

static gboolean read_params(struct module *m, const struct block *block, struct user_function *u,
                            GError **err)
{
    const struct attribute *a = body_attribute(block->body, "params");
    const struct attribute *rest = body_attribute(block->body, "variadic_params");
    if (!a)
        return module_fail(m, &block->body->end, err, "function %s has no params",
                           block->labels[0].text);
    const struct expr *const *list = expr_list(a->value, &u->n_params);
    if (!list)
        return module_fail(m, &a->value->at, err, "params must be a list of names: [a, b]");
    const char **names = heap_array(m->heap, const char *, u->n_params + 1);
    for (guint i = 0; i < u->n_params; i++) {
        names[i] = expr_keyword(list[i]);
        if (!names[i])
            return module_fail(m, &list[i]->at, err, "a parameter must be a name, without quotes");
    }
    u->params = names;
    if (rest && !(u->variadic = expr_keyword(rest->value)))
        return module_fail(m, &rest->value->at, err,
                           "variadic_params must be a name, without quotes");
    return TRUE;
}

/* The parameters as a scope, so that they hide variables of their names. */
static void params_scope(struct module *m, const struct user_function *u, struct bake_scope *scope)
{
    guint n = u->n_params + (u->variadic != NULL);
    struct bake_local *locals = heap_array(m->heap, struct bake_local, n + 1);
    for (guint i = 0; i < u->n_params; i++)
        locals[i].name = u->params[i];
    if (u->variadic)
        locals[u->n_params].name = u->variadic;
    *scope = (struct bake_scope){.parent = &m->root, .locals = locals, .n_locals = n};
}

static gboolean prepare_function(struct module *m, struct definition *d, GError **err)
{
    static const struct param any = {"argument", &type_any, TRUE};
    const struct attribute *result = body_attribute(d->block->body, "result");
    struct user_function *u = &d->user;
    struct bake_scope scope;
    const char *name = d->block->labels[0].text;
    if (!read_params(m, d->block, u, err))
        return FALSE;
    if (!result)
        return module_fail(m, &d->block->body->end, err, "function %s has no result", name);
    u->result = result->value;
    u->scope = &m->root;
    params_scope(m, u, &scope);
    struct param *params = heap_array(m->heap, struct param, u->n_params + 1);
    for (guint i = 0; i < u->n_params; i++)
        params[i] = (struct param){u->params[i], &type_any, TRUE};
    d->function = (struct function){.name = name,
                                    .params = params,
                                    .n_params = u->n_params,
                                    .variadic = u->variadic ? &any : NULL,
                                    .user = u};
    return module_load_references(m, u->result, &scope, err);
}

gboolean definition_prepare(struct module *m, struct definition *d, const struct place *from,
                            GError **err)
{
    if (d->state == STATE_DONE)
        return TRUE;
    if (d->state == STATE_RUNNING)
        return module_fail(m, from ? from : &d->block->labels[0].at, err,
                           "function %s calls itself; functions cannot be recursive",
                           d->block->labels[0].text);
    d->state = STATE_RUNNING;
    gboolean ok = prepare_function(m, d, err);
    d->state = ok ? STATE_DONE : STATE_NEW;
    return ok;
}
