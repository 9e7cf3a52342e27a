/* Attributes of targets and groups, evaluated when they are needed. */
#include "bake/moduling.h"

#include "bake/contextpath.h"
#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

static struct bake_where where_of(const struct place *at)
{
    return (struct bake_where){at->file ? at->file->diags : NULL, at->span};
}

static struct cell *find_cell(const struct instance *in, const char *name)
{
    for (guint i = in->block->body->n_attributes; i > 0; i--)
        if (strcmp(in->cells[i - 1].attribute->name, name) == 0)
            return &in->cells[i - 1];
    return NULL;
}

static const struct value *cell_value(struct module *m, struct instance *in, struct cell *c,
                                      const struct place *from, GError **err)
{
    if (c->state == STATE_DONE)
        return c->value;
    if (c->state == STATE_RUNNING) {
        module_fail(m, from ? from : &c->attribute->at, err, "%s.%s.%s refers to itself",
                    in->block->type, in->name, c->attribute->name);
        error_add_next(err, "break the cycle of references");
        return NULL;
    }
    c->state = STATE_RUNNING;
    c->value = module_eval(m, c->attribute->value, &in->scope, err);
    c->state = c->value ? STATE_DONE : STATE_NEW;
    return c->value;
}

/* Reads an attribute of an instance into t; nothing if it is null or not there. */
static gboolean instance_read(struct module *m, struct instance *in, enum bake_attr_id id,
                              struct bake_target *t, const struct place *from, GError **err)
{
    struct cell *c = find_cell(in, bake_attrs[id].name);
    if (!c)
        return TRUE;
    const struct value *v = cell_value(m, in, c, from, err);
    if (!v)
        return FALSE;
    if (v->null)
        return TRUE;
    if (!decode_value(m, id, v, t, err)) {
        m->eval.at = c->attribute->value->at;
        return FALSE;
    }
    t->where[id] = where_of(&c->attribute->value->at);
    return TRUE;
}

/* References. */

static const struct value *group_value(struct module *m, struct instance *in, const char *name,
                                       const struct place *from, GError **err)
{
    struct cell *c = find_cell(in, name);
    const struct value *v = c ? cell_value(m, in, c, from, err) : &value_null;
    if (!v || strcmp(name, "targets") != 0)
        return v;
    return value_convert(m->heap, v, &type_list_string, err);
}

/* What the blocks of a target say of an attribute, merged. */
static const struct value *target_value(struct module *m, GPtrArray *all, enum bake_attr_id id,
                                        const struct place *from, GError **err)
{
    g_autoptr(bake_target) t = bake_target_new("");
    for (guint i = 0; i < all->len; i++) {
        g_autoptr(bake_target) one = bake_target_new("");
        if (!instance_read(m, all->pdata[i], id, one, from, err))
            return NULL;
        bake_target_merge(t, one);
    }
    return decode_back(m, id, t);
}

static const struct value *whole_target(struct module *m, GPtrArray *all, const struct place *from,
                                        GError **err)
{
    const struct value **items = heap_array(m->heap, const struct value *, BAKE_WITHOUT + 1);
    struct text *keys = heap_array(m->heap, struct text, BAKE_WITHOUT + 1);
    struct instance *last = all->pdata[all->len - 1];
    for (guint i = 0; i < BAKE_WITHOUT; i++) {
        keys[i] = (struct text){bake_attrs[i].name, strlen(bake_attrs[i].name)};
        items[i] = target_value(m, all, i, from, err);
        if (!items[i])
            return NULL;
    }
    keys[BAKE_WITHOUT] = (struct text)TEXT("name");
    items[BAKE_WITHOUT] = value_cstring(m->heap, last->name);
    return value_object(m->heap, keys, items, BAKE_WITHOUT + 1);
}

static const struct value *whole_group(struct module *m, struct instance *in,
                                       const struct place *from, GError **err)
{
    const struct value **items = heap_array(m->heap, const struct value *, 3);
    struct text *keys = heap_array(m->heap, struct text, 3);
    keys[0] = (struct text)TEXT("description");
    keys[1] = (struct text)TEXT("name");
    keys[2] = (struct text)TEXT("targets");
    items[0] = group_value(m, in, "description", from, err);
    if (items[0] && items[0]->null)
        items[0] = value_cstring(m->heap, "");
    items[1] = value_cstring(m->heap, in->name);
    items[2] = items[0] ? group_value(m, in, "targets", from, err) : NULL;
    return items[2] ? value_object(m->heap, keys, items, 3) : NULL;
}

static void fail_attribute(struct module *m, const struct instance *in, const char *name,
                           const struct place *from, GError **err)
{
    const char *names[BAKE_N_ATTRS];
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        names[i] = bake_attrs[i].name;
    const char *near = in->group ? "targets" : suggest_nearest(name, names, BAKE_N_ATTRS);
    module_fail(m, from, err, "a %s has no attribute %s%s%s", in->block->type, name,
                near ? "; did you mean " : "", near ? near : "");
}

const struct value *instances_value(struct module *m, GPtrArray *all, const char *attribute,
                                    const struct place *from, GError **err)
{
    struct instance *last = all->pdata[all->len - 1];
    if (!attribute)
        return last->group ? whole_group(m, last, from, err) : whole_target(m, all, from, err);
    if (strcmp(attribute, "name") == 0)
        return value_cstring(m->heap, last->name);
    if (last->group && (strcmp(attribute, "targets") == 0 || strcmp(attribute, "description") == 0))
        return group_value(m, last, attribute, from, err);
    gint id = last->group ? -1 : bake_attr_find(attribute);
    if (id >= 0)
        return target_value(m, all, (enum bake_attr_id)id, from, err);
    fail_attribute(m, last, attribute, from, err);
    return NULL;
}

/* Into definitions. */

static gboolean read_group(struct module *m, struct instance *in, struct bake_group *g,
                           GError **err)
{
    const struct body *body = in->block->body;
    const struct attribute *a = body_attribute(body, "targets");
    const struct value *text =
        module_eval_as(m, body_attribute(body, "description"), &in->scope, &type_string, err);
    const struct value *list =
        text ? module_eval_as(m, a, &in->scope, &type_list_string, err) : NULL;
    if (!list)
        return FALSE;
    if (!a) {
        module_fail(m, &in->block->at, err, "group \"%s\" has no targets", in->name);
        error_add_next(err, "add targets = [\"NAME\", …]");
        return FALSE;
    }
    g->description = text->null ? NULL : g_strdup(text->text.bytes);
    g->unlisted = list->null;
    for (guint i = 0; !list->null && i < list->n; i++) {
        if (list->items[i]->null)
            return module_fail(m, &a->value->at, err, "targets: element %u is null", i);
        g_ptr_array_add(g->targets, g_strdup(list->items[i]->text.bytes));
    }
    return TRUE;
}

static gboolean group_to_defs(struct module *m, struct instance *in, struct bake_defs *defs,
                              GError **err)
{
    g_autoptr(bake_group) g = bake_group_new(in->name);
    const struct attribute *a = body_attribute(in->block->body, "targets");
    g->at = where_of(a ? &a->value->at : &in->block->labels[0].at);
    if (!read_group(m, in, g, err))
        return FALSE;
    bake_defs_group(defs, g_steal_pointer(&g));
    return TRUE;
}

/* The group that the label of a matrix names. */
static void add_to_matrix(const struct instance *in, struct bake_defs *defs)
{
    struct bake_group *g = g_hash_table_lookup(defs->group_names, in->matrix_label);
    struct bake_where at = where_of(&in->block->labels[0].at);
    if (strcmp(in->name, in->matrix_label) == 0)
        return;
    if (!g || g->at.diags != at.diags || g->at.span.line != at.span.line) {
        g = bake_group_new(in->matrix_label);
        g->at = at;
        bake_defs_group(defs, g);
    }
    g_ptr_array_add(g->targets, g_strdup(in->name));
}

gboolean instance_to_defs(struct module *m, struct instance *in, struct bake_defs *defs,
                          GError **err)
{
    if (in->group)
        return group_to_defs(m, in, defs, err);
    g_autoptr(bake_target) t = bake_target_new(in->name);
    t->at = where_of(&in->block->labels[0].at);
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        if (!instance_read(m, in, i, t, NULL, err))
            return FALSE;
    if (in->dir)
        bake_target_rebase(t, in->dir);
    bake_defs_target(defs, g_steal_pointer(&t));
    if (in->matrix_label)
        add_to_matrix(in, defs);
    return TRUE;
}
