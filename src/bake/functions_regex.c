/* Functions of regular expressions (regex.h). */
#include "bake/function.h"
#include "bake/regex.h"
#include "text/space.h"

#include <string.h>

static const struct param PATTERN[] = {{"pattern", &type_string, FALSE},
                                       {"string", &type_string, FALSE}};
static const struct param REPLACE[] = {{"str", &type_string, FALSE},
                                       {"pattern", &type_string, FALSE},
                                       {"replace", &type_string, FALSE}};

static struct regex *arg_regex(struct call *c, const struct value *const *args, guint i,
                               GError **err)
{
    struct regex *r = regex_new(args[i]->text, err);
    if (!r)
        c->bad_arg = (int)i;
    return r;
}

/* The same, and that either all groups have names or none has. */
static struct regex *arg_pattern(struct call *c, const struct value *const *args, GError **err)
{
    g_autoptr(regex) r = arg_regex(c, args, 0, err);
    guint named = 0;
    for (guint i = 0; r && i < regex_groups(r); i++)
        named += regex_group_name(r, i) != NULL;
    if (r && named > 0 && named < regex_groups(r)) {
        call_bad_arg(c, 0, err, "cannot mix named and unnamed capture groups");
        return NULL;
    }
    return g_steal_pointer(&r);
}

static const struct value *span_value(struct heap *h, struct text t, const gsize *span)
{
    if (span[0] == REGEX_UNSET)
        return value_null_of(h, &type_string);
    return value_string(h, t.bytes + span[0], span[1] - span[0]);
}

/* The whole match as a string, or the groups as a tuple or an object. */
static const struct value *match_value(struct heap *h, const struct regex *r, struct text t,
                                       const gsize *spans)
{
    guint n = regex_groups(r);
    if (n == 0)
        return span_value(h, t, spans);
    const struct value **items = heap_array(h, const struct value *, n);
    struct text *keys = heap_array(h, struct text, n);
    for (guint i = 0; i < n; i++) {
        const char *name = regex_group_name(r, i);
        items[i] = span_value(h, t, spans + 2 * (i + 1));
        if (name)
            keys[i] = value_cstring(h, name)->text;
    }
    return keys[0].bytes ? value_object(h, keys, items, n) : value_tuple(h, items, n);
}

static const struct value *call_regex(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    GError *why = NULL;
    const gsize *spans;
    g_autoptr(regex) r = arg_pattern(c, args, err);
    if (!r)
        return NULL;
    if (regex_find(r, c->heap, args[1]->text, 0, &spans, &why))
        return match_value(c->heap, r, args[1]->text, spans);
    if (!why)
        return call_fail(err, "the pattern did not match any part of the string; regexall() gives "
                              "an empty list then");
    g_propagate_error(err, why);
    return NULL;
}

/* The type of match_value() for a pattern. */
static const struct type *match_type(struct heap *h, const struct regex *r)
{
    gsize *unset = heap_array(h, gsize, 2 * (regex_groups(r) + 1));
    for (guint i = 0; i < 2 * (regex_groups(r) + 1); i++)
        unset[i] = REGEX_UNSET;
    return match_value(h, r, TEXT(""), unset)->type;
}

/* Where to look after a match that begins at or behind from. */
static gsize next_place(struct text t, gsize from, const gsize *spans)
{
    if (spans[1] > from)
        return spans[1];
    return from < t.len ? from + text_char(t.bytes + from, t.bytes + t.len) : t.len + 1;
}

static const struct value *call_regexall(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    GError *why = NULL;
    struct text t = args[1]->text;
    const gsize *spans;
    gsize last = REGEX_UNSET; /* end of the match before */
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_autoptr(regex) r = arg_pattern(c, args, err);
    if (!r)
        return NULL;
    for (gsize at = 0; at <= t.len && regex_find(r, c->heap, t, at, &spans, &why);) {
        if (spans[1] > at || spans[0] != last) /* no empty one right behind another */
            g_ptr_array_add(found, (gpointer)match_value(c->heap, r, t, spans));
        last = spans[1];
        at = next_place(t, at, spans);
    }
    if (why) {
        g_propagate_error(err, why);
        return NULL;
    }
    return value_list(c->heap, match_type(c->heap, r), call_items(c->heap, found), found->len);
}

/* The name behind a '$' at p, with or without braces; *behind is what follows. 0: it is none. */
static gsize template_name(const char *p, const char *end, const char **name, const char **behind)
{
    gboolean braces = p < end && *p == '{';
    *name = p += braces;
    while (p < end) {
        gunichar c = g_utf8_get_char(p);
        if (!g_unichar_isalpha(c) && g_unichar_type(c) != G_UNICODE_DECIMAL_NUMBER && c != '_')
            break;
        p += text_char(p, end);
    }
    gsize len = (gsize)(p - *name);
    if (braces && (p == end || *p++ != '}'))
        return 0;
    *behind = p;
    return len;
}

/* The number of the group that a template names, of several the first that took part; -1: none. */
static gint template_group(const struct regex *r, const gsize *spans, const char *name, gsize len)
{
    if (strspn(name, "0123456789") >= len) {
        gint64 n = len < 9 && (len == 1 || *name != '0') ? g_ascii_strtoll(name, NULL, 10) : -1;
        return n <= regex_groups(r) ? (gint)n : -1;
    }
    for (guint i = 1; i <= regex_groups(r); i++) {
        const char *own = regex_group_name(r, i - 1);
        if (own && strlen(own) == len && memcmp(own, name, len) == 0 && spans[2 * i] != REGEX_UNSET)
            return (gint)i;
    }
    return -1;
}

/* Appends the template with "$1", "${1}", "$name" and "$$" replaced. */
static gboolean template_append(struct call *c, const struct regex *r, struct text t,
                                const gsize *spans, struct text with, GString *out, GError **err)
{
    const char *end = with.bytes + with.len, *name, *behind;
    for (const char *p = with.bytes; p < end;) {
        const char *dollar = memchr(p, '$', (gsize)(end - p));
        gsize len = dollar ? template_name(dollar + 1, end, &name, &behind) : 0;
        gint group = len ? template_group(r, spans, name, len) : -1;
        const char *stop = dollar ? dollar + (len ? 0 : 1) : end;
        g_string_append_len(out, p, stop - p);
        p = len ? behind : dollar && dollar + 1 < end && dollar[1] == '$' ? stop + 1 : stop;
        if (group >= 0 && spans[2 * group] != REGEX_UNSET)
            g_string_append_len(out, t.bytes + spans[2 * group],
                                (gssize)(spans[2 * group + 1] - spans[2 * group]));
        if (!heap_reserve_string(c->heap, out->len, err))
            return FALSE;
    }
    return TRUE;
}

static const struct value *call_regex_replace(struct call *c, const struct value *const *args,
                                              guint n, GError **err)
{
    GError *why = NULL;
    struct text t = args[0]->text;
    const gsize *spans;
    gsize last = 0; /* end of the match before */
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(regex) r = arg_regex(c, args, 1, err);
    if (!r)
        return NULL;
    for (gsize at = 0; at <= t.len && !why && regex_find(r, c->heap, t, at, &spans, &why);) {
        g_string_append_len(out, t.bytes + last, (gssize)(spans[0] - last));
        if (spans[1] > last || spans[0] == 0) /* no empty one right behind another */
            template_append(c, r, t, spans, args[2]->text, out, &why);
        last = spans[1];
        at = next_place(t, at, spans);
    }
    if (why) {
        g_propagate_error(err, why);
        return NULL;
    }
    g_string_append_len(out, t.bytes + last, (gssize)(t.len - last));
    return value_take(c->heap, out);
}

const struct function functions_regex[] = {
    FUNCTION("regex", PATTERN, NULL, call_regex),
    FUNCTION("regex_replace", REPLACE, NULL, call_regex_replace),
    FUNCTION("regexall", PATTERN, NULL, call_regexall),
    {0},
};
