/* Values as JSON. */
#include "bake/value.h"

#include "base/error.h"

#include <string.h>

/* Short escapes that Go's encoding/json has. */
static const char *short_escape(gunichar c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    default:
        return NULL;
    }
}

static void json_text(struct text t, GString *out)
{
    g_string_append_c(out, '"');
    for (const char *p = t.bytes, *end = p + t.len; p < end;) {
        gunichar c = (guchar)*p < 0x80 ? (guchar)*p : g_utf8_get_char(p);
        const char *next = p + ((guchar)*p < 0x80 ? 1 : g_utf8_skip[(guchar)*p]);
        const char *escape = short_escape(c);
        if (escape)
            g_string_append(out, escape);
        else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_len(out, p, next - p);
        p = next;
    }
    g_string_append_c(out, '"');
}

static gboolean json_number(const struct value *v, GString *out, GError **err)
{
    g_autofree char *text = NULL;
    if (mpfr_inf_p(v->number))
        return error_set(err, VARVE_ERROR_INVALID, "infinity has no form in JSON");
    if (!(text = number_text(v, err)))
        return FALSE;
    g_string_append(out, text);
    return TRUE;
}

static gboolean json_items(struct heap *h, const struct value *v, GString *out, GError **err)
{
    gboolean mapping = value_mapping(v);
    g_string_append_c(out, mapping ? '{' : '[');
    for (guint i = 0; i < v->n; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        if (mapping) {
            json_text(v->keys[i], out);
            g_string_append_c(out, ':');
        }
        if (!value_json(h, v->items[i], out, err))
            return FALSE;
    }
    g_string_append_c(out, mapping ? '}' : ']');
    return TRUE;
}

gboolean value_json(struct heap *h, const struct value *v, GString *out, GError **err)
{
    if (!heap_step(h, 1, err) || !heap_reserve_string(h, out->len, err))
        return FALSE;
    if (v->null)
        g_string_append(out, "null");
    else if (v->kind == TYPE_BOOL)
        g_string_append(out, v->boolean ? "true" : "false");
    else if (v->kind == TYPE_STRING)
        json_text(v->text, out);
    else if (v->kind == TYPE_NUMBER)
        return json_number(v, out, err);
    else
        return json_items(h, v, out, err);
    return TRUE;
}
