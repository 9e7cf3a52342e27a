/* format() and formatlist(): sequences of '%' flags, width, '.' precision, '[' argument ']' and a
 * letter. */
#include "bake/cluster.h"
#include "bake/formatnumber.h"
#include "bake/function.h"
#include "base/error.h"

#include <string.h>

static const struct param FORMAT[] = {{"format", &type_string, FALSE}};
static const struct param ARGS = {"args", &type_any, TRUE};

/* What is written, and from what. */
struct formatting {
    struct heap *heap;
    struct text format;
    const struct value *const *args; /* n */
    guint n;
    guint next, used; /* the next argument, from 0; how many are used at least */
    GString *out;
};

/* A sequence in the format. */
struct sequence {
    struct format_verb verb;
    const char *from, *end; /* its text */
    gint64 argument;        /* from 0 */
};

static gboolean format_fail(const struct formatting *f, const struct sequence *s, const char *why,
                            GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "unsupported value for \"%.*s\" at %u: %s",
                     (int)(s->end - s->from), s->from, (guint)(s->from - f->format.bytes), why);
}

static gboolean pad_append(const struct formatting *f, const struct format_verb *verb,
                           struct text t, GError **err)
{
    gsize len = verb->width > 0 ? cluster_count(t) : 0;
    gsize pad = verb->width > 0 && (gsize)verb->width > len ? (gsize)verb->width - len : 0;
    if (!heap_reserve_string(f->heap, f->out->len + t.len + pad, err))
        return FALSE;
    for (gsize i = 0; !verb->minus && i < pad; i++)
        g_string_append_c(f->out, verb->zero ? '0' : ' ');
    g_string_append_len(f->out, t.bytes, (gssize)t.len);
    for (gsize i = 0; verb->minus && i < pad; i++)
        g_string_append_c(f->out, verb->zero ? '0' : ' ');
    return TRUE;
}

static gboolean json_append(const struct formatting *f, const struct format_verb *verb,
                            const struct value *v, GError **err)
{
    g_autoptr(GString) json = g_string_new(NULL);
    return value_json(f->heap, v, json, err) &&
           pad_append(f, verb, (struct text){json->str, json->len}, err);
}

static gboolean string_append(const struct formatting *f, const struct format_verb *verb,
                              const struct value *v, GError **err)
{
    struct text t = v->text;
    if (verb->precision > 0)
        t.len = cluster_prefix(t, (gsize)verb->precision);
    if (verb->mode == 's')
        return pad_append(f, verb, t, err);
    return json_append(f, verb, value_string(f->heap, t.bytes, t.len), err);
}

/* %v: strings as they are, numbers short, all else as JSON. */
static gboolean default_append(const struct formatting *f, const struct format_verb *verb,
                               const struct value *v, GError **err)
{
    if (verb->sharp || v->null || (v->kind != TYPE_STRING && v->kind != TYPE_NUMBER))
        return json_append(f, verb, v, err);
    if (v->kind == TYPE_STRING)
        return pad_append(f, verb, v->text, err);
    g_autoptr(GString) text = g_string_new(NULL);
    const struct format_verb general = {.mode = 'g', .width = -1, .precision = -1};
    return format_float(f->heap, &general, v, text, err) &&
           pad_append(f, verb, (struct text){text->str, text->len}, err);
}

static gboolean number_append(const struct formatting *f, const struct sequence *s,
                              const struct value *v, GError **err)
{
    if (strchr("eEfgG", s->verb.mode))
        return format_float(f->heap, &s->verb, v, f->out, err);
    if (!mpfr_integer_p(v->number))
        return format_fail(f, s, "a whole number is needed", err);
    return format_whole(f->heap, &s->verb, v, f->out, err);
}

/* Converts the argument as the letter needs it, and appends it. */
static gboolean converted_append(const struct formatting *f, const struct sequence *s,
                                 const struct type *type, const struct value *v, GError **err)
{
    g_autoptr(GError) why = NULL;
    const struct value *as = value_convert(f->heap, v, type, &why);
    if (!as)
        return format_fail(f, s, why->message, err);
    if (type == &type_bool) {
        g_string_append(f->out, as->boolean ? "true" : "false");
        return TRUE;
    }
    return type == &type_string ? string_append(f, &s->verb, as, err)
                                : number_append(f, s, as, err);
}

static gboolean sequence_append(struct formatting *f, const struct sequence *s, GError **err)
{
    char mode = s->verb.mode;
    if (s->argument >= f->n)
        return error_set(
            err, VARVE_ERROR_INVALID,
            "not enough arguments for \"%.*s\" at %u: it needs argument %" G_GINT64_FORMAT
            ", there are %u",
            (int)(s->end - s->from), s->from, (guint)(s->from - f->format.bytes), s->argument + 1,
            f->n);
    const struct value *v = f->args[s->argument];
    f->next = (guint)s->argument + 1;
    f->used = MAX(f->used, f->next);
    if (mode == 'v')
        return default_append(f, &s->verb, v, err);
    if (v->null)
        return format_fail(f, s, "null cannot be formatted", err);
    const struct type *type = mode == 't'                  ? &type_bool
                              : mode == 's' || mode == 'q' ? &type_string
                              : strchr("bdoxXeEfgG", mode) ? &type_number
                                                           : NULL;
    if (!type)
        return error_set(err, VARVE_ERROR_INVALID, "unsupported verb \"%c\" in \"%.*s\" at %u",
                         mode, (int)(s->end - s->from), s->from,
                         (guint)(s->from - f->format.bytes));
    return converted_append(f, s, type, v, err);
}

/* Digits up to end as a number, or default_; not above G_MAXINT / 16. */
static gint sequence_number(const char **p, const char *end, gint default_)
{
    gint64 n = 0;
    const char *from = *p;
    for (; *p < end && g_ascii_isdigit(**p); (*p)++)
        n = MIN(n * 10 + (**p - '0'), G_MAXINT / 16);
    return *p > from ? (gint)n : default_;
}

static const char *sequence_flags(struct format_verb *verb, const char *p, const char *end)
{
    for (; p < end; p++) {
        gboolean *flag = *p == '0'   ? &verb->zero
                         : *p == '#' ? &verb->sharp
                         : *p == '+' ? &verb->plus
                         : *p == '-' ? &verb->minus
                         : *p == ' ' ? &verb->space
                                     : NULL;
        if (!flag)
            break;
        *flag = TRUE;
    }
    return p;
}

/* Reads a sequence from its '%' on. */
static gboolean sequence_read(const struct formatting *f, struct sequence *s, GError **err)
{
    const char *end = f->format.bytes + f->format.len,
               *p = sequence_flags(&s->verb, s->from + 1, end);
    s->verb.width = sequence_number(&p, end, -1);
    s->verb.precision = -1;
    if (p < end && *p == '.') {
        p++;
        s->verb.precision = sequence_number(&p, end, 0);
    }
    if (p + 1 < end && *p == '[' && p[1] >= '1' && p[1] <= '9') {
        p++;
        s->argument = sequence_number(&p, end, 1) - 1;
        if (p == end || *p++ != ']')
            p = end;
    }
    if (p == end)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the sequence at %u of the format has no end; a percent sign is \"%%%%\"",
                         (guint)(s->from - f->format.bytes));
    if (!g_ascii_isalpha(*p))
        return error_set(err, VARVE_ERROR_INVALID,
                         "unexpected character \"%.*s\" at %u of the format; a percent sign is "
                         "\"%%%%\"",
                         (int)g_utf8_skip[(guchar)*p], p, (guint)(p - f->format.bytes));
    s->verb.mode = *p;
    s->end = p + 1;
    return TRUE;
}

/* Writes all of the format. */
static gboolean format_all(struct formatting *f, GError **err)
{
    const char *end = f->format.bytes + f->format.len;
    for (const char *p = f->format.bytes; p < end;) {
        const char *percent = memchr(p, '%', (gsize)(end - p));
        g_string_append_len(f->out, p, (percent ? percent : end) - p);
        if (!percent)
            break;
        if (percent + 1 < end && percent[1] == '%') {
            g_string_append_c(f->out, '%');
            p = percent + 2;
            continue;
        }
        struct sequence s = {.from = percent, .argument = f->next};
        if (!heap_step(f->heap, 1, err) || !sequence_read(f, &s, err) ||
            !sequence_append(f, &s, err))
            return FALSE;
        p = s.end;
    }
    if (f->used < f->n)
        return error_set(err, VARVE_ERROR_INVALID,
                         f->used ? "too many arguments: the format uses only %u"
                                 : "too many arguments: the format uses none",
                         f->used);
    return TRUE;
}

static const struct value *format_value(struct heap *h, struct text format,
                                        const struct value *const *args, guint n, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct formatting f = {.heap = h, .format = format, .args = args, .n = n, .out = out};
    return format_all(&f, err) ? value_take(h, out) : NULL;
}

static const struct value *call_format(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    return format_value(c->heap, args[0]->text, args + 1, n - 1, err);
}

/* The length that all lists among the arguments share; 1 without lists. */
static gboolean common_length(struct call *c, const struct value *const *args, guint n,
                              guint *length, GError **err)
{
    guint chooser = 0;
    *length = 1;
    for (guint i = 1; i < n; i++) {
        if (!value_sequence(args[i]))
            continue;
        if (!chooser) {
            chooser = i;
            *length = args[i]->n;
        } else if (args[i]->n != *length) {
            call_bad_arg(c, (int)i, err, "argument %u has length %u, but argument %u has length %u",
                         i, args[i]->n, chooser, *length);
            return FALSE;
        }
    }
    return TRUE;
}

static const struct value *call_formatlist(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    guint length;
    if (!common_length(c, args, n, &length, err))
        return NULL;
    const struct value **items = heap_array(c->heap, const struct value *, length);
    const struct value **row = heap_array(c->heap, const struct value *, n);
    for (guint k = 0; k < length; k++) {
        for (guint i = 1; i < n; i++)
            row[i] = value_sequence(args[i]) ? args[i]->items[k] : args[i];
        if (!(items[k] = format_value(c->heap, args[0]->text, row + 1, n - 1, err))) {
            g_prefix_error(err, "element %u: ", k);
            return NULL;
        }
    }
    return value_list(c->heap, &type_string, items, length);
}

const struct function functions_format[] = {
    FUNCTION("format", FORMAT, &ARGS, call_format),
    FUNCTION("formatlist", FORMAT, &ARGS, call_formatlist),
    {0},
};
