/* Names of blocks, and matrices: one instance of a block for each combination of values. */
#include "bake/moduling.h"

#include "base/error.h"

#include <string.h>

struct axis {
    const char *name;
    const struct value *values; /* iterable */
};

static gboolean valid_name(const char *name)
{
    return *name &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               strlen(name);
}

static gboolean check_name(struct module *m, const struct instance *in, const char *name,
                           GError **err)
{
    if (valid_name(name))
        return TRUE;
    module_fail(m, &in->block->labels[0].at, err, "\"%s\" cannot be the name of a %s", name,
                in->block->type);
    error_add_next(err, "names consist of a-z, A-Z, 0-9, _ and -");
    return FALSE;
}

static void register_instance(struct module *m, struct instance *in)
{
    GHashTable *table = in->group ? m->groups : m->targets;
    GPtrArray *all = g_hash_table_lookup(table, in->name);
    if (!all) {
        all = g_ptr_array_new();
        g_hash_table_insert(table, (gpointer)in->name, all);
    }
    g_ptr_array_add(all, in);
}

/* A copy of in with values of its own for the axes' names. */
static struct instance *combine(struct module *m, const struct instance *in,
                                const struct axis *axes, const guint *at, guint n)
{
    struct instance *copy = heap_alloc(m->heap, sizeof *copy);
    struct bake_local *locals = heap_array(m->heap, struct bake_local, n + 1);
    guint cells = in->block->body->n_attributes;
    *copy = *in;
    copy->matrix_label = in->name;
    copy->cells = heap_array(m->heap, struct cell, cells);
    for (guint i = 0; i < cells; i++)
        copy->cells[i].attribute = in->cells[i].attribute;
    for (guint i = 0; i < n; i++)
        locals[i] = (struct bake_local){axes[i].name, axes[i].values->items[at[i]]};
    copy->scope.locals = locals;
    copy->scope.n_locals = n;
    return copy;
}

static gboolean name_combination(struct module *m, struct instance *in, GHashTable *seen,
                                 GError **err)
{
    const struct attribute *a = body_attribute(in->block->body, "name");
    if (a) {
        const struct value *v = module_eval_as(m, a, &in->scope, &type_string, err);
        if (!v)
            return FALSE;
        if (v->null)
            return module_fail(m, &a->value->at, err, "the name of a target cannot be null");
        in->name = v->text.bytes;
    }
    if (!check_name(m, in, in->name, err)) {
        if (a)
            m->eval.at = a->value->at;
        return FALSE;
    }
    if (g_hash_table_add(seen, (gpointer)in->name))
        return TRUE;
    module_fail(m, a ? &a->value->at : &in->block->labels[0].at, err,
                "two combinations of this matrix have the name \"%s\"", in->name);
    error_add_next(err,
                   a ? "use all of the matrix's values in name"
                     : "give each combination a name: name = \"%s-${…}\"",
                   in->name);
    return FALSE;
}

/* The next combination, the last axis first. FALSE after the last. */
static gboolean next_combination(const struct axis *axes, guint *at, guint n)
{
    for (guint i = n; i > 0; i--) {
        if (++at[i - 1] < axes[i - 1].values->n)
            return TRUE;
        at[i - 1] = 0;
    }
    return FALSE;
}

/* Axes in the order in which they are written, if it can be told, else by name. */
static void order_axes(const struct expr *e, struct axis *axes, guint n)
{
    if (e->kind != EXPR_OBJECT || e->n_operands != 2 * n)
        return;
    for (guint i = 0; i < n; i++) {
        const char *key = expr_keyword(e->operands[2 * i]);
        for (guint j = i; key && j < n; j++)
            if (strcmp(axes[j].name, key) == 0) {
                struct axis found = axes[j];
                memmove(&axes[i + 1], &axes[i], (j - i) * sizeof *axes);
                axes[i] = found;
                break;
            }
    }
}

/* n axes in the heap, or NULL. *total: how many combinations there are. */
static struct axis *read_axes(struct module *m, const struct instance *in, guint *n, guint *total,
                              GError **err)
{
    const struct attribute *a = body_attribute(in->block->body, "matrix");
    const struct place *at = &a->value->at;
    const struct value *v = module_eval(m, a->value, &m->root, err);
    guint64 product = 1;
    if (!v)
        return NULL;
    if (!value_mapping(v)) {
        module_fail(m, at, err, "matrix must be a map of lists: { NAME = [VALUE, VALUE] }");
        return NULL;
    }
    struct axis *axes = heap_array(m->heap, struct axis, v->n + 1);
    for (guint i = 0; i < v->n; i++) {
        axes[i] = (struct axis){v->keys[i].bytes, v->items[i]};
        if (!value_iterable(v->items[i])) {
            module_fail(m, at, err, "the values of \"%s\" in matrix must be a list", axes[i].name);
            return NULL;
        }
        product = MIN(product * v->items[i]->n, G_MAXUINT);
    }
    if (product + m->instances->len > MODULE_MAX_TARGETS) {
        module_fail(m, at, err,
                    "this matrix has %" G_GUINT64_FORMAT
                    " combinations; there can be at most %d targets",
                    product, MODULE_MAX_TARGETS);
        return NULL;
    }
    order_axes(a->value, axes, v->n);
    *n = v->n;
    *total = (guint)product;
    return axes;
}

static gboolean expand_matrix(struct module *m, struct instance *in, GError **err)
{
    guint n, total;
    struct axis *axes = read_axes(m, in, &n, &total, err);
    if (!axes)
        return FALSE;
    g_autofree guint *at = g_new0(guint, n + 1);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < total; i++) {
        struct instance *copy = combine(m, in, axes, at, n);
        if (!name_combination(m, copy, seen, err))
            return FALSE;
        g_ptr_array_add(m->instances, copy);
        next_combination(axes, at, n);
    }
    return TRUE;
}

static gboolean has_matrix(const struct instance *in)
{
    return body_attribute(in->block->body, "matrix") != NULL;
}

static gboolean check_plain(struct module *m, const struct instance *in, GError **err)
{
    const struct attribute *name = body_attribute(in->block->body, "name");
    const struct attribute *matrix = body_attribute(in->block->body, "matrix");
    if (in->group && (matrix || name))
        return module_fail(m, matrix ? &matrix->at : &name->at, err,
                           "a group has no %s; only targets do", matrix ? "matrix" : "name");
    if (name && !matrix) {
        module_fail(m, &name->at, err, "name is for targets with a matrix");
        error_add_next(err, "the name of this target is \"%s\"; rename the block", in->name);
        return FALSE;
    }
    return check_name(m, in, in->name, err);
}

static gboolean expand_block(struct module *m, struct instance *in, GError **err)
{
    if (has_matrix(in))
        return expand_matrix(m, in, err);
    if (m->instances->len >= MODULE_MAX_TARGETS)
        return module_fail(m, &in->block->at, err, "there are more than %d targets and groups",
                           MODULE_MAX_TARGETS);
    g_ptr_array_add(m->instances, in);
    return TRUE;
}

gboolean module_expand(struct module *m, GError **err)
{
    for (guint i = 0; i < m->blocks->len; i++) {
        struct instance *in = m->blocks->pdata[i];
        if (!check_plain(m, in, err))
            return FALSE;
        if (!has_matrix(in))
            register_instance(m, in);
    }
    for (guint i = 0; i < m->blocks->len; i++)
        if (!expand_block(m, m->blocks->pdata[i], err))
            return FALSE;
    /* Now all names are known: once more, in the order of the files. */
    g_hash_table_remove_all(m->targets);
    g_hash_table_remove_all(m->groups);
    for (guint i = 0; i < m->instances->len; i++)
        register_instance(m, m->instances->pdata[i]);
    return TRUE;
}
