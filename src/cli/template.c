#include "base/suggest.h"
#include "cli/template_tree.h"

#include <string.h>

#define SHOWN_FIELDS 40

struct variable {
    const char *name;
    json_t *value;
};
struct render {
    const struct template *t;
    GString *out;
    GArray *vars; /* struct variable, those of inner blocks last; "" is the value itself */
    guint steps;
    gboolean heads;
    const char *const (*special)[2];
    GError **err;
};

static gboolean wrong_value(struct render *r, const char *at, const char *what)
{
    template_wrong(r->t, at, VARVE_ERROR_USAGE, r->err, "%s", what);
    error_add_next(r->err, "man varve, TEMPLATES; or use --format json and jq");
    return FALSE;
}

static gboolean count_step(struct render *r, const char *at)
{
    return (r->steps++ < TEMPLATE_MAX_STEPS && r->out->len < TEMPLATE_MAX_OUTPUT) ||
           wrong_value(r, at, "this repeats too often or makes too much output");
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean no_field(struct render *r, const struct field *f, json_t *of)
{
    if (!json_is_object(of)) {
        static const char *const types[] = {"an object", "a list", "a string", "a number",
                                            "a number",  "true",   "false",    "empty"};
        template_wrong(r->t, f->at, VARVE_ERROR_NOT_FOUND, r->err,
                       "there is no field %s: the value before it is %s", f->name,
                       of ? types[json_typeof(of)] : "empty");
        error_add_next(r->err, "{{json .}} shows the fields there are");
        return FALSE;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *name;
    json_t *value;
    json_object_foreach(of, name, value) g_ptr_array_add(names, (gpointer)name);
    g_ptr_array_sort(names, by_name);
    const char *near = suggest_nearest(f->name, (const char *const *)names->pdata, names->len);
    template_wrong(r->t, f->at, VARVE_ERROR_NOT_FOUND, r->err, "there is no field %s%s%s%s",
                   f->name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    g_ptr_array_set_size(names, MIN(names->len, SHOWN_FIELDS));
    g_ptr_array_add(names, NULL);
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    error_add_next(r->err, "the fields here are %s", all);
    return FALSE;
}

/* "CreatedAt" is "CREATED AT". */
static json_t *heading(const struct render *r, const char *name)
{
    for (guint i = 0; r->special && r->special[i][0]; i++)
        if (g_str_equal(r->special[i][0], name))
            return json_string(r->special[i][1]);
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *c = name; *c; c++) {
        if (c > name && g_ascii_isupper(*c) && g_ascii_islower(c[-1]))
            g_string_append_c(out, ' ');
        g_string_append_c(out, g_ascii_toupper(*c));
    }
    return json_string(out->str);
}

/* Objects with arbitrary keys of users: a missing key is not an error. */
static gboolean has_users_keys(const char *name)
{
    static const char *const maps[] = {"Labels", "ExposedPorts", "Volumes", "Annotations", NULL};
    return name && g_strv_contains(maps, name);
}

/* Replaces *v by its field. */
static gboolean take_field(struct render *r, const struct field *f, const char *before, json_t **v)
{
    json_t *next = r->heads ? heading(r, f->name) : json_incref(json_object_get(*v, f->name));
    if (!next && !(json_is_object(*v) && has_users_keys(before)))
        return no_field(r, f, *v);
    json_decref(*v);
    *v = next;
    return TRUE;
}

static struct variable *find_variable(struct render *r, const char *name)
{
    for (guint i = r->vars->len; i-- > 0;) {
        struct variable *v = &g_array_index(r->vars, struct variable, i);
        if (g_str_equal(v->name, name))
            return v;
    }
    return NULL;
}

static void drop_variables(struct render *r, guint n)
{
    while (r->vars->len > n) {
        json_decref(g_array_index(r->vars, struct variable, r->vars->len - 1).value);
        g_array_set_size(r->vars, r->vars->len - 1);
    }
}

static void declare(struct render *r, const char *name, json_t *value)
{
    struct variable v = {name, json_incref(value)};
    g_array_append_val(r->vars, v);
}

static gboolean eval_pipe(struct render *r, const struct pipe *p, json_t *dot, json_t **out);

static gboolean eval_operand(struct render *r, const struct operand *o, json_t *dot, json_t **out)
{
    json_auto_t *v = NULL;
    const struct variable *var = o->kind == OPERAND_VARIABLE ? find_variable(r, o->name) : NULL;
    if (o->kind == OPERAND_VARIABLE && !var)
        return wrong_value(r, o->at, "there is no such variable");
    if (o->kind == OPERAND_PIPE && !eval_pipe(r, o->pipe, dot, &v))
        return FALSE;
    if (o->kind != OPERAND_PIPE)
        v = json_incref(o->kind == OPERAND_LITERAL ? o->literal : var ? var->value : dot);
    const char *before = NULL;
    for (const struct field *f = o->fields; f; f = f->next) {
        if (!take_field(r, f, before, &v))
            return FALSE;
        before = f->name;
    }
    *out = g_steal_pointer(&v);
    return TRUE;
}

/* The heading for a call: functions of a value do not change the heading. */
static json_t *head_of_call(const struct call *c, const struct template_args *a)
{
    if (c->function->kind == FUNCTION_TEST)
        return json_true();
    guint i = 0;
    for (const struct operand *o = c->args; o && o->kind == OPERAND_LITERAL; o = o->next)
        i++;
    return i < a->n ? json_incref(a->values[i]) : json_string("");
}

static gboolean apply(struct render *r, const struct call *c, struct template_args *a, json_t **out)
{
    if (r->heads && c->function->kind != FUNCTION_TEXT) {
        *out = head_of_call(c, a);
        return TRUE;
    }
    const char *why = c->function->call(a, out);
    if (!why && json_string_length(*out) > TEMPLATE_MAX_OUTPUT)
        why = "the text is too long";
    if (!why)
        return TRUE;
    json_decref(g_steal_pointer(out));
    if (a->code != VARVE_ERROR_NOT_FOUND)
        return wrong_value(r, c->at, why);
    template_wrong(r->t, c->at, a->code, r->err, "%s", why);
    error_add_next(r->err, "{{if …}} or {{with …}} around it skips empty values");
    return FALSE;
}

/* Whether "and" and "or" know their value from this argument. */
static gboolean decides(const struct template_function *f, const json_t *v)
{
    return f->kind == FUNCTION_LAZY && template_truth(v) == g_str_equal(f->name, "or");
}

/* piped: the value from before, NULL: none there. */
static gboolean eval_call(struct render *r, const struct call *c, json_t *dot, gboolean is_piped,
                          json_t *piped, json_t **out)
{
    if (!c->function)
        return eval_operand(r, c->args, dot, out);
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    gboolean ok = count_step(r, c->at), done = FALSE;
    for (const struct operand *o = c->args; ok && !done && o; o = o->next) {
        json_t *v = NULL;
        ok = eval_operand(r, o, dot, &v);
        g_ptr_array_add(values, v);
        done = ok && !r->heads && decides(c->function, v);
    }
    if (is_piped && !done)
        g_ptr_array_add(values, json_incref(piped));
    struct template_args a = {(json_t **)values->pdata, values->len, VARVE_ERROR_USAGE};
    return ok && apply(r, c, &a, out);
}

static gboolean eval_pipe(struct render *r, const struct pipe *p, json_t *dot, json_t **out)
{
    json_auto_t *v = NULL;
    for (const struct call *c = p->calls; c; c = c->next) {
        json_t *next = NULL;
        if (!eval_call(r, c, dot, c != p->calls, v, &next))
            return FALSE;
        json_decref(v);
        v = next;
    }
    *out = g_steal_pointer(&v);
    return TRUE;
}

/* A variable that is set alone, outside of a range. */
static gboolean set_variable(struct render *r, const struct pipe *p, json_t *value)
{
    if (!p->assign) {
        declare(r, p->vars[0], value);
        return TRUE;
    }
    struct variable *v = find_variable(r, p->vars[0]);
    if (!v)
        return wrong_value(r, p->calls->at, "this variable is not declared; declare it with :=");
    json_decref(v->value);
    v->value = json_incref(value);
    return TRUE;
}

static gboolean render_list(struct render *r, const struct node *n, json_t *dot);

static gboolean render_block(struct render *r, const struct node *n, json_t *dot)
{
    guint outer = r->vars->len;
    gboolean ok = render_list(r, n, dot);
    drop_variables(r, outer);
    return ok;
}

static gboolean render_element(struct render *r, const struct node *n, json_t *key, json_t *value)
{
    guint outer = r->vars->len;
    gboolean two = n->pipe->vars[1] != NULL;
    if (two)
        declare(r, n->pipe->vars[0], key);
    if (n->pipe->vars[0])
        declare(r, n->pipe->vars[two], value);
    gboolean ok = count_step(r, n->pipe->calls->at) && render_block(r, n->body, value);
    drop_variables(r, outer);
    return ok;
}

static gboolean render_object(struct render *r, const struct node *n, json_t *object)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) g_ptr_array_add(names, (gpointer)name);
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++) {
        json_auto_t *key = json_string(g_ptr_array_index(names, i));
        if (!render_element(r, n, key, json_object_get(object, g_ptr_array_index(names, i))))
            return FALSE;
    }
    return TRUE;
}

static gboolean render_range(struct render *r, const struct node *n, json_t *over, json_t *dot)
{
    if (r->heads)
        return render_element(r, n, over, over);
    if (!template_truth(over))
        return render_block(r, n->otherwise, dot);
    if (json_is_object(over))
        return render_object(r, n, over);
    if (!json_is_array(over))
        return wrong_value(r, n->pipe->calls->at, "range needs a list or an object");
    for (gsize i = 0; i < json_array_size(over); i++) {
        json_auto_t *key = json_integer(i);
        if (!render_element(r, n, key, json_array_get(over, i)))
            return FALSE;
    }
    return TRUE;
}

static gboolean render_node(struct render *r, const struct node *n, json_t *dot)
{
    json_auto_t *v = NULL;
    if (n->kind == NODE_TEXT) {
        g_string_append(r->out, n->text);
        return TRUE;
    }
    if (!count_step(r, n->pipe->calls->at) || !eval_pipe(r, n->pipe, dot, &v))
        return FALSE;
    if (n->kind == NODE_RANGE)
        return render_range(r, n, v, dot);
    guint outer = r->vars->len;
    if (n->pipe->vars[0] && !set_variable(r, n->pipe, v))
        return FALSE;
    if (n->kind == NODE_VALUE) {
        if (!n->pipe->vars[0])
            template_print(r->out, v);
        return TRUE;
    }
    gboolean truth = template_truth(v);
    gboolean ok =
        render_block(r, truth ? n->body : n->otherwise, truth && n->kind == NODE_WITH ? v : dot);
    if (!n->pipe->assign)
        drop_variables(r, outer);
    return ok;
}

static gboolean render_list(struct render *r, const struct node *n, json_t *dot)
{
    for (; n; n = n->next)
        if (!render_node(r, n, dot))
            return FALSE;
    return TRUE;
}

static char *render(struct render *r, json_t *value)
{
    r->out = g_string_new(NULL);
    r->vars = g_array_new(FALSE, FALSE, sizeof(struct variable));
    declare(r, "", value);
    gboolean ok = render_list(r, r->t->first, value);
    if (ok && r->out->len > TEMPLATE_MAX_OUTPUT)
        ok = wrong_value(r, r->t->text, "the output is too long");
    drop_variables(r, 0);
    g_array_unref(r->vars);
    return g_string_free(r->out, !ok);
}

char *template_render(const struct template *t, json_t *value, GError **err)
{
    struct render r = {.t = t, .err = err};
    return render(&r, value);
}

char *template_heads(const struct template *t, const char *const (*special)[2], GError **err)
{
    struct render r = {.t = t, .heads = TRUE, .special = special, .err = err};
    json_auto_t *nothing = json_string("");
    return render(&r, nothing);
}
