#include "bake/function.h"

#include "base/error.h"

#include <string.h>

static const struct function *const TABLES[] = {
    functions_character, functions_csv,    functions_digest, functions_encode, functions_format,
    functions_lazy,      functions_list,   functions_logic,  functions_map,    functions_net,
    functions_number,    functions_path,   functions_regex,  functions_set,    functions_text,
    functions_time,      functions_version};

const struct function *function_find(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(TABLES); i++)
        for (const struct function *f = TABLES[i]; f->name; f++)
            if (strcmp(f->name, name) == 0)
                return f;
    return NULL;
}

void function_names(GPtrArray *names)
{
    for (guint i = 0; i < G_N_ELEMENTS(TABLES); i++)
        for (const struct function *f = TABLES[i]; f->name; f++)
            g_ptr_array_add(names, (gpointer)f->name);
}

gboolean function_takes(const struct function *f, guint n, GError **err)
{
    if (n < f->n_params)
        return error_set(err, VARVE_ERROR_INVALID, "%s() needs %s%u argument%s, not %u", f->name,
                         f->variadic ? "at least " : "", f->n_params, f->n_params == 1 ? "" : "s",
                         n);
    if (n > f->n_params && !f->variadic)
        return error_set(err, VARVE_ERROR_INVALID, "%s() takes only %u argument%s, not %u", f->name,
                         f->n_params, f->n_params == 1 ? "" : "s", n);
    return TRUE;
}

static const struct param *param_of(const struct function *f, guint i)
{
    return i < f->n_params ? &f->params[i] : f->variadic;
}

/* Converts argument i. NULL with an error that names it. */
static const struct value *argument_prepare(struct heap *h, const struct function *f, guint i,
                                            const struct value *arg, GError **err)
{
    const struct param *p = param_of(f, i);
    const struct value *v = value_convert(h, arg, p->type, err);
    if (v && v->null && !p->allow_null) {
        error_set(err, VARVE_ERROR_INVALID, "must not be null");
        v = NULL;
    }
    if (!v)
        g_prefix_error(err, "%s: argument \"%s\": ", f->name, p->name);
    return v;
}

const struct value *function_call(struct heap *h, const struct function *f, gint64 now,
                                  const struct value *const *args, guint n, int *bad, GError **err)
{
    struct call c = {.heap = h, .function = f, .now = now, .bad_arg = -1};
    const struct value *result = NULL;
    GError *why = NULL;
    if (function_takes(f, n, err)) {
        const struct value **ready = heap_array(h, const struct value *, n);
        guint i = 0;
        while (i < n && (ready[i] = argument_prepare(h, f, i, args[i], err)))
            i++;
        if (i < n)
            c.bad_arg = (int)i;
        else if (!(result = f->call(&c, ready, n, &why))) {
            g_propagate_prefixed_error(err, why, "%s: ", f->name);
        } else if (!heap_step(h, 1, err))
            result = NULL;
    }
    if (bad)
        *bad = c.bad_arg;
    return result;
}

const struct value *call_bad_arg(struct call *c, int i, GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    c->bad_arg = i;
    error_set(err, VARVE_ERROR_INVALID, "argument \"%s\": %s",
              param_of(c->function, (guint)i)->name, text);
    return NULL;
}

const struct value *const *call_items(struct heap *h, const GPtrArray *items)
{
    const struct value **kept = heap_array(h, const struct value *, items->len);
    if (items->len)
        memcpy(kept, items->pdata, items->len * sizeof(*kept));
    return kept;
}

const struct value *call_fail(GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VARVE_ERROR_INVALID, "%s", text);
    return NULL;
}

gboolean call_int(struct call *c, const struct value *const *args, guint i, gint64 min, gint64 max,
                  gint64 *out, GError **err)
{
    if (!value_fits_int(args[i], out))
        call_bad_arg(c, (int)i, err, "a whole number is needed");
    else if (*out < min)
        call_bad_arg(c, (int)i, err, "must not be less than %" G_GINT64_FORMAT, min);
    else if (*out > max)
        call_bad_arg(c, (int)i, err, "must not be greater than %" G_GINT64_FORMAT, max);
    else
        return TRUE;
    return FALSE;
}
