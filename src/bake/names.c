/* Attributes and blocks that nobody reads: Docker's bake is silent about them, so that a typing
 * error goes unnoticed. */
#include "bake/moduling.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

#define MAX_NAMES 40

static const struct kind {
    const char *type;
    const char *const *attributes; /* NULL-terminated; NULL: those of a target */
    const char *const *blocks;     /* NULL-terminated */
} kinds[] = {
    {"target", NULL, (const char *const[]){NULL}},
    {"group", (const char *const[]){"targets", "description", "name", "matrix", NULL},
     (const char *const[]){NULL}},
    {"variable", (const char *const[]){"default", "type", "description", NULL},
     (const char *const[]){"validation", NULL}},
    {"validation", (const char *const[]){"condition", "error_message", NULL},
     (const char *const[]){NULL}},
    {"function", (const char *const[]){"params", "variadic_params", "result", NULL},
     (const char *const[]){NULL}},
};
static const char *const top[] = {"target", "group", "variable", "function", NULL};
/* What newer versions of Docker's bake have and varve does not. */
static const char *const unsupported[] = {"policy", "resources", NULL};

static gboolean complain(struct module *m, const struct place *at, GError **err, const char *fmt,
                         ...) G_GNUC_PRINTF(4, 5);
static gboolean complain(struct module *m, const struct place *at, GError **err, const char *fmt,
                         ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (m->env->strict)
        return module_fail(m, at, err, "%s", text);
    diags_warning(at->file->diags, at->span, "%s", text);
    return TRUE;
}

static const struct kind *kind_by_type(const char *type)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}

static guint attribute_names(const struct kind *k, const char **names)
{
    guint n = 0;
    for (; k->attributes && k->attributes[n]; n++)
        names[n] = k->attributes[n];
    if (k->attributes)
        return n;
    for (; n < BAKE_N_ATTRS; n++)
        names[n] = bake_attrs[n].name;
    names[n++] = "name";
    names[n++] = "matrix";
    return n;
}

static gboolean check_attribute(struct module *m, const struct kind *k, const struct attribute *a,
                                GError **err)
{
    const char *names[MAX_NAMES];
    guint n = attribute_names(k, names);
    for (guint i = 0; i < n; i++)
        if (strcmp(names[i], a->name) == 0)
            return TRUE;
    if (!k->attributes && g_strv_contains(unsupported, a->name))
        return complain(m, &a->at, err, "varve does not support %s yet; it has no effect", a->name);
    const char *near = suggest_nearest(a->name, names, n);
    return complain(m, &a->at, err, "a %s has no attribute %s, so it has no effect%s%s%s", k->type,
                    a->name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static gboolean check_body(struct module *m, const struct kind *k, const struct body *body,
                           GError **err);

static gboolean check_inner(struct module *m, const struct kind *k, const struct block *b,
                            GError **err)
{
    if (g_strv_contains(k->blocks, b->type))
        return check_body(m, kind_by_type(b->type), b->body, err);
    gint id = k->attributes ? -1 : bake_attr_find(b->type);
    if (id >= 0)
        return complain(m, &b->at, err,
                        "%s is an attribute, not a block, so this has no effect; write %s = …",
                        b->type, b->type);
    return complain(m, &b->at, err, "a %s has no block %s, so it has no effect", k->type, b->type);
}

static gboolean check_body(struct module *m, const struct kind *k, const struct body *body,
                           GError **err)
{
    for (guint i = 0; i < body->n_attributes; i++)
        if (!check_attribute(m, k, &body->attributes[i], err))
            return FALSE;
    for (guint i = 0; i < body->n_blocks; i++)
        if (!check_inner(m, k, &body->blocks[i], err))
            return FALSE;
    return TRUE;
}

static gboolean check_top(struct module *m, const struct block *b, GError **err)
{
    if (!g_strv_contains(top, b->type)) {
        const char *near = suggest_nearest(b->type, top, G_N_ELEMENTS(top) - 1);
        return complain(m, &b->at, err, "there is no block %s, so it has no effect%s%s%s", b->type,
                        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    if (b->n_labels == 0)
        return module_fail(m, &b->at, err, "a %s needs a name: %s \"NAME\" { … }", b->type,
                           b->type);
    if (b->n_labels > 1)
        return module_fail(m, &b->labels[1].at, err, "a %s has one name, not %u", b->type,
                           b->n_labels);
    return check_body(m, kind_by_type(b->type), b->body, err);
}

gboolean module_check_names(struct module *m, GError **err)
{
    for (guint i = 0; i < m->files->len; i++) {
        const struct hclfile *f = m->files->pdata[i];
        for (guint j = 0; j < f->body->n_blocks; j++)
            if (!check_top(m, &f->body->blocks[j], err))
                return FALSE;
    }
    return TRUE;
}
