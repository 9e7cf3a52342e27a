/* Variables: default, type, what overrides them, validation. */
#include "bake/moduling.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

/* What a user gave for a variable. */
struct given {
    const char *text;
    gboolean json; /* text is JSON, from NAME_JSON */
};

static const char *look_up(struct module *m, const char *name)
{
    const char *text = m->env->variables ? g_hash_table_lookup(m->env->variables, name) : NULL;
    if (!text && m->env->environment)
        text = g_hash_table_lookup(m->env->environment, name);
    return text;
}

/* --var NAME, then NAME_JSON for typed variables, the environment's NAME, NAME_JSON. */
static gboolean find_given(struct module *m, const char *name, gboolean typed, struct given *g)
{
    g_autofree char *json_name = g_strconcat(name, "_JSON", NULL);
    struct binding *other = g_hash_table_lookup(m->by_name, json_name);
    const char *json = other && other->block ? NULL : look_up(m, json_name);
    const char *said = m->env->variables ? g_hash_table_lookup(m->env->variables, name) : NULL;
    const char *plain = said ? said : look_up(m, name);
    *g = (struct given){plain, FALSE};
    if (json && !said && (typed || !plain))
        *g = (struct given){json, TRUE};
    return g->text != NULL;
}

static const struct value *parse_primitive(struct module *m, const char *name, const char *text,
                                           const struct type *type, GError **err)
{
    gboolean b;
    char *end;
    if (type->kind == TYPE_STRING)
        return value_cstring(m->heap, text);
    if (type->kind == TYPE_BOOL) {
        if (boolean_parse(text, &b))
            return value_bool(b);
        error_set(err, VARVE_ERROR_INVALID, "%s is \"%s\", which is neither true nor false", name,
                  text);
        return NULL;
    }
    double d = g_ascii_strtod(text, &end);
    if (*text && !*end && isfinite(d) && !g_ascii_isspace(*text))
        return value_double(m->heap, d);
    error_set(err, VARVE_ERROR_INVALID, "%s is \"%s\", which is not a number", name, text);
    return NULL;
}

static gboolean is_primitive(const struct type *t)
{
    return t->kind == TYPE_STRING || t->kind == TYPE_BOOL || t->kind == TYPE_NUMBER;
}

/* Whether a text of comma-separated values can be of type t. */
static gboolean csv_type(const struct type *t)
{
    if (t->kind == TYPE_TUPLE) {
        for (guint i = 0; i < t->n; i++)
            if (!is_primitive(t->fields[i]))
                return FALSE;
        return TRUE;
    }
    return (t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP) &&
           is_primitive(t->element);
}

static const struct value *csv_map(struct module *m, const char *name, char **fields,
                                   const struct type *type, GError **err)
{
    guint n = g_strv_length(fields);
    const struct value **items = heap_array(m->heap, const struct value *, n);
    struct text *keys = heap_array(m->heap, struct text, n);
    for (guint i = 0; i < n; i++) {
        g_auto(GStrv) pair = g_strsplit(fields[i], ":", -1);
        if (g_strv_length(pair) != 2) {
            error_set(err, VARVE_ERROR_INVALID, "%s: \"%s\" is not KEY:VALUE", name, fields[i]);
            return NULL;
        }
        keys[i] = value_cstring(m->heap, pair[0])->text;
        items[i] = parse_primitive(m, name, pair[1], type->element, err);
        if (!items[i])
            return NULL;
    }
    return value_map(m->heap, type->element, keys, items, n);
}

static const struct value *csv_items(struct module *m, const char *name, char **fields,
                                     const struct type *type, GError **err)
{
    guint n = g_strv_length(fields);
    const struct value **items = heap_array(m->heap, const struct value *, n);
    if (type->kind == TYPE_TUPLE && n != type->n) {
        error_set(err, VARVE_ERROR_INVALID,
                  "%s must have %u elements, but \"%s\" begins a list of "
                  "%u",
                  name, type->n, fields[0], n);
        return NULL;
    }
    for (guint i = 0; i < n; i++) {
        const struct type *of = type->kind == TYPE_TUPLE ? type->fields[i] : type->element;
        items[i] = parse_primitive(m, name, fields[i], of, err);
        if (!items[i])
            return NULL;
    }
    return type->kind == TYPE_TUPLE  ? value_tuple(m->heap, items, n)
           : type->kind == TYPE_LIST ? value_list(m->heap, type->element, items, n)
                                     : value_set(m->heap, type->element, items, n);
}

static const struct value *parse_csv(struct module *m, const char *name, const char *text,
                                     const struct type *type, GError **err)
{
    if (!*text) {
        error_set(err, VARVE_ERROR_INVALID, "%s is empty, but its type is %s", name,
                  type_name(m->heap, type));
        return NULL;
    }
    g_auto(GStrv) fields = csv_split(text, err);
    if (!fields) {
        g_prefix_error(err, "%s: ", name);
        return NULL;
    }
    return type->kind == TYPE_MAP ? csv_map(m, name, fields, type, err)
                                  : csv_items(m, name, fields, type, err);
}

static const struct value *parse_json(struct module *m, const char *name, const char *text,
                                      const struct type *type, GError **err)
{
    const struct value *arg = value_cstring(m->heap, text);
    const struct value *v =
        function_call(m->heap, function_find("jsondecode"), m->eval.now, &arg, 1, NULL, err);
    v = v ? value_convert(m->heap, v, type, err) : NULL;
    if (!v)
        g_prefix_error(err, "%s_JSON: ", name);
    return v;
}

/* The given text as the variable's value. dflt: of its default; untyped variables take its type. */
static const struct value *parse_given(struct module *m, const struct binding *b,
                                       const struct given *g, const struct value *dflt,
                                       GError **err)
{
    const struct type *type = b->type;
    if (type && g->json)
        return parse_json(m, b->name, g->text, type, err);
    if (type && csv_type(type))
        return parse_csv(m, b->name, g->text, type, err);
    if (!type)
        type = !b->attribute || dflt->kind == TYPE_ANY ? &type_string
               : dflt->null                            ? dflt->type
                                                       : dflt->type;
    if (is_primitive(type))
        return parse_primitive(m, b->name, g->text, type, err);
    error_set(err, VARVE_ERROR_INVALID,
              "%s cannot be set from outside: a text cannot be of its type, %s", b->name,
              type_name(m->heap, type));
    error_add_next(err,
                   b->type ? "give it as JSON, in %s_JSON"
                           : "declare its type (type = list(string)) in variable \"%s\"",
                   b->name);
    return NULL;
}

static gboolean read_type(struct module *m, struct binding *b, GError **err)
{
    const struct attribute *a = b->block ? body_attribute(b->block->body, "type") : NULL;
    struct place at;
    if (!a)
        return TRUE;
    b->type = expr_type(m->heap, a->value, &at, err);
    if (!b->type)
        m->eval.at = at;
    return b->type != NULL;
}

static const struct value *default_value(struct module *m, struct binding *b, GError **err)
{
    if (!b->attribute)
        return b->type ? value_null_of(m->heap, b->type) : value_cstring(m->heap, "");
    const struct value *v = module_eval(m, b->attribute->value, &m->root, err);
    if (!v || !b->type)
        return v;
    const struct value *as = value_convert(m->heap, v, b->type, err);
    if (!as) {
        m->eval.at = b->attribute->value->at;
        g_prefix_error(err, "the default of %s is not of its type: ", b->name);
    }
    return as;
}

static const struct value *evaluate_binding(struct module *m, struct binding *b, GError **err)
{
    struct given given;
    if (!read_type(m, b, err))
        return NULL;
    const struct value *v = default_value(m, b, err);
    if (!v || !b->block || !find_given(m, b->name, b->type != NULL, &given))
        return v;
    v = parse_given(m, b, &given, v, err);
    if (!v)
        m->eval.at = b->at;
    return v;
}

const struct value *binding_value(struct module *m, struct binding *b, const struct place *from,
                                  GError **err)
{
    if (b->state == STATE_RUNNING) {
        module_fail(m, from, err, "the value of %s depends on itself", b->name);
        error_add_next(err, "break the cycle of variables");
        return NULL;
    }
    if (b->state == STATE_DONE)
        return b->value;
    b->state = STATE_RUNNING;
    b->value = evaluate_binding(m, b, err);
    b->state = b->value ? STATE_DONE : STATE_NEW;
    return b->value;
}

static gboolean validate(struct module *m, const struct binding *b, const struct body *body,
                         GError **err)
{
    const struct attribute *condition = body_attribute(body, "condition");
    const struct attribute *message = body_attribute(body, "error_message");
    const struct place *at = condition ? &condition->value->at : &body->end;
    const struct value *v = module_eval_as(m, condition, &m->root, &type_bool, err);
    if (!v)
        return FALSE;
    if (v->null)
        return module_fail(m, at, err, "the condition must be true or false, not null");
    if (v->boolean)
        return TRUE;
    const struct value *text = module_eval_as(m, message, &m->root, &type_string, NULL);
    if (text && !text->null && text->text.len)
        return module_fail(m, at, err, "%s is not valid: %s", b->name, text->text.bytes);
    return module_fail(m, at, err, "%s is not valid: this condition does not hold", b->name);
}

gboolean binding_validate(struct module *m, const struct binding *b, GError **err)
{
    if (!b->block)
        return TRUE;
    for (guint i = 0; i < b->block->body->n_blocks; i++) {
        const struct block *block = &b->block->body->blocks[i];
        if (strcmp(block->type, "validation") == 0 && !validate(m, b, block->body, err))
            return FALSE;
    }
    return TRUE;
}

static void free_variable(gpointer p)
{
    struct module_variable *v = p;
    g_free(v->type);
    g_free(v);
}

GPtrArray *module_variables(struct module *m)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(free_variable);
    for (guint i = 0; i < m->bindings->len; i++) {
        const struct binding *b = m->bindings->pdata[i];
        if (!b->block)
            continue;
        struct module_variable *v = g_new0(struct module_variable, 1);
        const struct value *text = module_eval_as(m, body_attribute(b->block->body, "description"),
                                                  &m->root, &type_string, NULL);
        v->name = b->name;
        v->description = text && !text->null ? text->text.bytes : NULL;
        v->type = b->type ? g_strdup(type_name(m->heap, b->type)) : NULL;
        v->value = b->value;
        g_ptr_array_add(all, v);
    }
    return all;
}
