#include "bake/moduling.h"

#include "base/error.h"

#include <string.h>

static const struct block_schema variable_schema[] = {{"validation", 0, NULL}, {0}};
const struct block_schema module_schema[] = {{"target", 1, NULL},
                                             {"group", 1, NULL},
                                             {"variable", 1, variable_schema},
                                             {"function", 1, NULL},
                                             {0}};

static void free_list(gpointer p)
{
    g_ptr_array_unref(p);
}

static enum scope_answer find_variable(gpointer self, struct eval *ev, const struct expr *t,
                                       guint *used, const struct value **v, GError **err);
static enum scope_answer find_function(gpointer self, struct eval *ev, const char *name,
                                       const struct function **f, GError **err);
static void list_names(gpointer self, GPtrArray *variables, GPtrArray *functions);

struct module *module_new(const struct module_env *env)
{
    struct module *m = g_new0(struct module, 1);
    m->env = env;
    m->heap = heap_new();
    m->eval.heap = m->heap;
    m->eval.now = g_get_real_time() / G_USEC_PER_SEC;
    m->root = (struct bake_scope){
        .self = m, .variable = find_variable, .function = find_function, .names = list_names};
    m->files = g_ptr_array_new();
    m->bindings = g_ptr_array_new_with_free_func(g_free);
    m->functions = g_ptr_array_new_with_free_func(g_free);
    m->blocks = g_ptr_array_new_with_free_func(g_free);
    m->instances = g_ptr_array_new();
    m->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    m->by_call = g_hash_table_new(g_str_hash, g_str_equal);
    m->targets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_list);
    m->groups = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_list);
    return m;
}

void module_free(struct module *m)
{
    if (!m)
        return;
    g_hash_table_unref(m->targets);
    g_hash_table_unref(m->groups);
    g_hash_table_unref(m->by_name);
    g_hash_table_unref(m->by_call);
    g_ptr_array_unref(m->instances);
    g_ptr_array_unref(m->blocks);
    g_ptr_array_unref(m->functions);
    g_ptr_array_unref(m->bindings);
    g_ptr_array_unref(m->files);
    heap_free(m->heap);
    g_free(m);
}

struct heap *module_heap(struct module *m)
{
    return m->heap;
}

gboolean module_fail(struct module *m, const struct place *at, GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    m->eval.at = *at;
    return error_set(err, VARVE_ERROR_INVALID, "%s", text);
}

/* What the files say. */

static struct binding *binding_get(struct module *m, const char *name)
{
    struct binding *b = g_hash_table_lookup(m->by_name, name);
    if (!b) {
        b = g_new0(struct binding, 1);
        b->name = name;
        g_ptr_array_add(m->bindings, b);
        g_hash_table_insert(m->by_name, (gpointer)name, b);
    }
    return b;
}

/* Of two variables of a name the last counts as a whole; a constant is its default. */
static void add_variable(struct module *m, const struct block *block)
{
    struct binding *b = binding_get(m, block->labels[0].text);
    gboolean constant = b->attribute && !b->block;
    b->block = block;
    b->at = block->labels[0].at;
    if (!constant)
        b->attribute = body_attribute(block->body, "default");
}

static void add_function(struct module *m, const struct block *block)
{
    struct definition *d = g_new0(struct definition, 1);
    d->block = block;
    g_ptr_array_add(m->functions, d);
    g_hash_table_insert(m->by_call, (gpointer)block->labels[0].text, d);
}

static void add_instance(struct module *m, const struct block *block, const char *dir)
{
    struct instance *in = g_new0(struct instance, 1);
    in->name = block->labels[0].text;
    in->block = block;
    in->dir = dir;
    in->group = strcmp(block->type, "group") == 0;
    in->scope = (struct bake_scope){.parent = &m->root};
    in->cells = heap_array(m->heap, struct cell, block->body->n_attributes);
    for (guint i = 0; i < block->body->n_attributes; i++)
        in->cells[i].attribute = &block->body->attributes[i];
    g_ptr_array_add(m->blocks, in);
}

static void add_block(struct module *m, const struct block *block, const char *dir)
{
    if (block->n_labels != 1)
        return; /* module_check_names() says what is wrong */
    if (strcmp(block->type, "variable") == 0)
        add_variable(m, block);
    else if (strcmp(block->type, "function") == 0)
        add_function(m, block);
    else if (strcmp(block->type, "target") == 0 || strcmp(block->type, "group") == 0)
        add_instance(m, block, dir);
}

void module_add(struct module *m, const struct hclfile *f, const char *dir)
{
    g_ptr_array_add(m->files, (gpointer)f);
    const char *kept = dir ? arena_strdup(m->heap->arena, dir) : NULL;
    for (guint i = 0; i < f->body->n_blocks; i++)
        add_block(m, &f->body->blocks[i], kept);
    for (guint i = 0; i < f->body->n_attributes; i++) {
        const struct attribute *a = &f->body->attributes[i];
        struct binding *b = binding_get(m, a->name);
        b->attribute = a;
        if (!b->block)
            b->at = a->at;
    }
}

/* Names. */

static const struct value *builtin_value(struct module *m, const char *name)
{
    if (strcmp(name, "BAKE_CMD_CONTEXT") == 0)
        return value_cstring(m->heap, m->env->cmd_context);
    if (strcmp(name, "BAKE_LOCAL_PLATFORM") == 0)
        return value_cstring(m->heap, m->env->local_platform);
    return NULL;
}

/* target.NAME.ATTRIBUTE: the names in t, NULL where there are no such steps. */
static const char *step_name(const struct expr *t, guint i)
{
    return i < t->n_steps && t->steps[i].attribute ? t->steps[i].key->text.bytes : NULL;
}

static gboolean is_block_type(const char *name)
{
    return strcmp(name, "target") == 0 || strcmp(name, "group") == 0;
}

static gboolean fail_no_block(struct module *m, const struct expr *t, const char *name,
                              GError **err)
{
    if (!name)
        return module_fail(m, &t->at, err, "%s must be followed by a name, as in %s.app.%s",
                           t->name, t->name, strcmp(t->name, "group") == 0 ? "targets" : "tags");
    return module_fail(m, &t->at, err, "there is no %s named %s in the HCL and JSON files", t->name,
                       name);
}

static const struct value *block_value(struct module *m, const struct expr *t, guint *used,
                                       GError **err)
{
    const char *name = step_name(t, 0), *attribute = step_name(t, 1);
    GHashTable *table = strcmp(t->name, "group") == 0 ? m->groups : m->targets;
    GPtrArray *all = name ? g_hash_table_lookup(table, name) : NULL;
    if (!all) {
        fail_no_block(m, t, name, err);
        return NULL;
    }
    *used = attribute ? 2 : 1;
    return instances_value(m, all, attribute, &t->at, err);
}

static enum scope_answer find_variable(gpointer self, struct eval *ev, const struct expr *t,
                                       guint *used, const struct value **v, GError **err)
{
    struct module *m = self;
    struct binding *b;
    *v = builtin_value(m, t->name);
    if (*v)
        return SCOPE_FOUND;
    if (is_block_type(t->name))
        *v = block_value(m, t, used, err);
    else if ((b = g_hash_table_lookup(m->by_name, t->name)))
        *v = binding_value(m, b, &t->at, err);
    else {
        m->unresolved = t->name;
        return SCOPE_UNKNOWN;
    }
    return *v ? SCOPE_FOUND : SCOPE_FAILED;
}

static enum scope_answer find_function(gpointer self, struct eval *ev, const char *name,
                                       const struct function **f, GError **err)
{
    struct module *m = self;
    struct definition *d = g_hash_table_lookup(m->by_call, name);
    if (!d || function_find(name))
        return SCOPE_UNKNOWN;
    if (!definition_prepare(m, d, NULL, err))
        return SCOPE_FAILED;
    *f = &d->function;
    return SCOPE_FOUND;
}

static void list_names(gpointer self, GPtrArray *variables, GPtrArray *functions)
{
    struct module *m = self;
    for (guint i = 0; i < m->bindings->len; i++)
        g_ptr_array_add(variables, (gpointer)((struct binding *)m->bindings->pdata[i])->name);
    for (guint i = 0; i < m->functions->len; i++)
        g_ptr_array_add(
            functions,
            (gpointer)((struct definition *)m->functions->pdata[i])->block->labels[0].text);
}

/* Evaluation. */

static gboolean is_local(const struct bake_scope *s, const char *name)
{
    for (; s; s = s->parent)
        for (guint i = 0; i < s->n_locals; i++)
            if (strcmp(s->locals[i].name, name) == 0)
                return TRUE;
    return FALSE;
}

static gboolean load_traversal(struct module *m, const struct expr *t,
                               const struct bake_scope *scope, GError **err)
{
    struct binding *b;
    if (is_local(scope, t->name) || builtin_value(m, t->name))
        return TRUE;
    if (is_block_type(t->name)) {
        guint used;
        return block_value(m, t, &used, err) != NULL;
    }
    b = g_hash_table_lookup(m->by_name, t->name);
    return !b || binding_value(m, b, &t->at, err);
}

static gboolean load_references(struct module *m, const struct expr *e,
                                const struct bake_scope *scope, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new(), calls = g_ptr_array_new();
    expr_references(e, names, calls);
    for (guint i = 0; i < calls->len; i++) {
        const struct expr *call = calls->pdata[i];
        struct definition *d = g_hash_table_lookup(m->by_call, call->name);
        if (d && !function_find(call->name) && !definition_prepare(m, d, &call->at, err))
            return FALSE;
    }
    for (guint i = 0; i < names->len; i++)
        if (!load_traversal(m, names->pdata[i], scope, err))
            return FALSE;
    return TRUE;
}

/* What an expression refers to is evaluated before it, in whichever branch it stands: a cycle is
 * one whether or not it would be run through. */
gboolean module_load_references(struct module *m, const struct expr *e,
                                const struct bake_scope *scope, GError **err)
{
    if (m->depth >= MODULE_MAX_DEPTH)
        return module_fail(m, &e->at, err, "more than %d references lead to one another",
                           MODULE_MAX_DEPTH);
    m->depth++;
    gboolean ok = load_references(m, e, scope, err);
    m->depth--;
    return ok;
}

/* Names that people expect to be there: a Dockerfile's own variables, and what they forgot to
 * declare. */
static void hint_unresolved(struct module *m, GError **err)
{
    static const char *const dockerfile[] = {
        "TARGETPLATFORM", "TARGETOS",  "TARGETARCH",   "TARGETVARIANT", "BUILDPLATFORM",
        "BUILDOS",        "BUILDARCH", "BUILDVARIANT", "TARGETSTAGE",   NULL};
    const char *name = m->unresolved;
    m->unresolved = NULL;
    if (!name || !err || !*err || !strstr((*err)->message, "variable") ||
        !strstr((*err)->message, name))
        return;
    if (g_strv_contains(dockerfile, name))
        error_add_next(err, "write $${%s} to leave it to the Dockerfile", name);
    else
        error_add_next(err, "declare it (variable \"%s\" {}), or write $${%s} for the text itself",
                       name, name);
}

const struct value *module_eval(struct module *m, const struct expr *e,
                                const struct bake_scope *scope, GError **err)
{
    const struct value *v = NULL;
    if (module_load_references(m, e, scope, err))
        v = bake_eval(&m->eval, e, scope, err);
    if (!v)
        hint_unresolved(m, err);
    return v;
}

const struct value *module_eval_as(struct module *m, const struct attribute *a,
                                   const struct bake_scope *scope, const struct type *type,
                                   GError **err)
{
    if (!a)
        return value_null_of(m->heap, type);
    const struct value *v = module_eval(m, a->value, scope, err);
    const struct value *as = v ? value_convert(m->heap, v, type, err) : NULL;
    if (v && !as) {
        g_prefix_error(err, "%s: ", a->name);
        m->eval.at = a->value->at;
    }
    return as;
}

static gboolean load_all(struct module *m, struct bake_defs *defs, GError **err)
{
    for (guint i = 0; i < m->bindings->len; i++) {
        struct binding *b = m->bindings->pdata[i];
        if (b->block && !binding_value(m, b, &b->at, err))
            return FALSE;
    }
    for (guint i = 0; i < m->bindings->len; i++)
        if (!binding_validate(m, m->bindings->pdata[i], err))
            return FALSE;
    for (guint i = 0; i < m->functions->len; i++)
        if (!definition_prepare(m, m->functions->pdata[i], NULL, err))
            return FALSE;
    if (!module_expand(m, err))
        return FALSE;
    for (guint i = 0; i < m->instances->len; i++)
        if (!instance_to_defs(m, m->instances->pdata[i], defs, err))
            return FALSE;
    for (guint i = 0; i < m->bindings->len; i++) {
        struct binding *b = m->bindings->pdata[i];
        if (!binding_value(m, b, &b->at, err))
            return FALSE;
    }
    return TRUE;
}

gboolean module_load(struct module *m, struct bake_defs *defs, struct place *at, GError **err)
{
    m->eval.at = (struct place){0};
    gboolean ok = module_check_names(m, err) && load_all(m, defs, err);
    *at = m->eval.at;
    return ok;
}
