/* Functions of encodings: JSON, base64, URLs, bytes. */
#include "bake/function.h"
#include "bake/jsonread.h"

#include <string.h>

static const struct param ANY[] = {{"val", &type_any, TRUE}};
static const struct param ONE_STRING[] = {{"str", &type_string, FALSE}};
static const struct param BYTES[] = {{"buf", &type_any, FALSE}};
static const struct param BYTES_SLICE[] = {
    {"buf", &type_any, FALSE}, {"offset", &type_number, FALSE}, {"length", &type_number, FALSE}};

static const struct value *call_jsonencode(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    return value_json(c->heap, args[0], out, err) ? value_take(c->heap, out) : NULL;
}

static const struct value *call_jsondecode(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    return json_read(c->heap, args[0]->text, err);
}

static const struct value *call_base64encode(struct call *c, const struct value *const *args,
                                             guint n, GError **err)
{
    struct text t = args[0]->text;
    if (!heap_reserve_string(c->heap, t.len / 3 * 4 + 4, err))
        return NULL;
    g_autofree char *encoded = g_base64_encode((const guchar *)t.bytes, t.len);
    return value_cstring(c->heap, encoded);
}

/* The text without the newlines that may be in it; NULL when it is no base64. */
static char *base64_checked(struct text t)
{
    g_autoptr(GString) out = g_string_sized_new(t.len);
    for (gsize i = 0; i < t.len; i++) {
        char ch = t.bytes[i];
        if (ch == '\r' || ch == '\n')
            continue;
        if (!g_ascii_isalnum(ch) && ch != '+' && ch != '/' && ch != '=')
            return NULL;
        g_string_append_c(out, ch);
    }
    const char *padding = strchr(out->str, '=');
    gsize pads = padding ? strlen(padding) : 0;
    if (out->len % 4 != 0 || pads > 2 || (pads > 0 && strspn(padding, "=") != pads))
        return NULL;
    return g_strdup(out->str);
}

/* UTF-8; NUL is a character of HCL, but not of GLib's check. */
static gboolean text_valid(const char *p, gsize len)
{
    const char *end = p + len;
    while (p < end && !g_utf8_validate(p, end - p, &p)) {
        if (p == end || *p != '\0')
            return FALSE;
        p++;
    }
    return TRUE;
}

static const struct value *call_base64decode(struct call *c, const struct value *const *args,
                                             guint n, GError **err)
{
    gsize len;
    g_autofree char *checked = base64_checked(args[0]->text);
    if (!checked)
        return call_bad_arg(c, 0, err, "is not base64 (the standard alphabet, with padding)");
    g_autofree guchar *decoded = g_base64_decode(checked, &len);
    if (!text_valid((const char *)decoded, len))
        return call_bad_arg(c, 0, err, "what is encoded is not UTF-8 text");
    return value_string(c->heap, (const char *)decoded, len);
}

static const struct value *call_urlencode(struct call *c, const struct value *const *args, guint n,
                                          GError **err)
{
    struct text t = args[0]->text;
    g_autoptr(GString) out = g_string_sized_new(t.len);
    if (!heap_reserve_string(c->heap, t.len * 3, err))
        return NULL;
    for (gsize i = 0; i < t.len; i++) {
        char ch = t.bytes[i];
        if (g_ascii_isalnum(ch) || (ch && strchr("-_.~", ch)))
            g_string_append_c(out, ch);
        else if (ch == ' ')
            g_string_append_c(out, '+');
        else
            g_string_append_printf(out, "%%%02X", (guchar)ch);
    }
    return value_take(c->heap, out);
}

/* cty has a type for bytes, but nothing in a bake file makes a value of it. */
static const struct value *call_bytes(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    return call_bad_arg(c, 0, err,
                        "bytes are needed, which nothing in a bake file yields; for text "
                        "use strlen() and substr()");
}

const struct function functions_encode[] = {
    FUNCTION("base64decode", ONE_STRING, NULL, call_base64decode),
    FUNCTION("base64encode", ONE_STRING, NULL, call_base64encode),
    FUNCTION("byteslen", BYTES, NULL, call_bytes),
    FUNCTION("bytesslice", BYTES_SLICE, NULL, call_bytes),
    FUNCTION("jsondecode", ONE_STRING, NULL, call_jsondecode),
    FUNCTION("jsonencode", ANY, NULL, call_jsonencode),
    FUNCTION("urlencode", ONE_STRING, NULL, call_urlencode),
    {0},
};
