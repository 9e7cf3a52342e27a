#include "bake/jsonread.h"

#include "base/error.h"

#include <string.h>

#define DEPTH_MAX 500

struct reader {
    struct heap *heap;
    const char *start, *p, *end; /* the text, the next byte, behind the last */
    guint depth;                 /* of the value that is being read */
    GError **err;
};

static gconstpointer json_fail(struct reader *r, const char *why)
{
    error_set(r->err, VARVE_ERROR_INVALID, "invalid JSON at byte %" G_GSIZE_FORMAT ": %s",
              (gsize)(r->p - r->start), r->p == r->end ? "it ends too early" : why);
    return NULL;
}

static void decode_blanks(struct reader *r)
{
    while (r->p < r->end && *r->p && strchr(" \t\r\n", *r->p))
        r->p++;
}

/* Whether the next byte but blanks is c, which is taken then. */
static gboolean decode_take(struct reader *r, char c)
{
    decode_blanks(r);
    if (r->p == r->end || *r->p != c)
        return FALSE;
    r->p++;
    return TRUE;
}

/* Four hexadecimal digits at p; -1: there are none. */
static gint hex_unit(const char *p, const char *end)
{
    gint unit = 0;
    if (end - p < 4)
        return -1;
    for (guint i = 0; i < 4; i++) {
        if (!g_ascii_isxdigit(p[i]))
            return -1;
        unit = unit * 16 + g_ascii_xdigit_value(p[i]);
    }
    return unit;
}

/* "\u1234", or two of them for one character. */
static gsize json_unicode(const char *p, const char *end, gunichar *c)
{
    gint unit = hex_unit(p + 2, end), low = -1;
    if (unit < 0)
        return 0;
    if (unit >= 0xd800 && unit < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u')
        low = hex_unit(p + 8, end);
    if (low >= 0xdc00 && low < 0xe000) {
        *c = 0x10000 + ((gunichar)(unit - 0xd800) << 10) + (gunichar)(low - 0xdc00);
        return 12;
    }
    *c = unit >= 0xd800 && unit < 0xe000 ? 0xfffd : (gunichar)unit;
    return 6;
}

gsize json_escape(const char *p, const char *end, gunichar *c)
{
    static const char LETTERS[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    const char *letter = end - p > 1 && p[1] ? strchr(LETTERS, p[1]) : NULL;
    if (letter)
        *c = (guchar)MEANT[letter - LETTERS];
    return letter ? 2 : end - p > 1 && p[1] == 'u' ? json_unicode(p, end, c) : 0;
}

/* At a backslash. */
static gboolean decode_escape(struct reader *r, GString *out)
{
    gunichar c;
    gsize n = json_escape(r->p, r->end, &c);
    if (n) {
        g_string_append_unichar(out, c);
        r->p += n;
        return TRUE;
    }
    gboolean unicode = r->end - r->p > 1 && r->p[1] == 'u';
    r->p += unicode ? 2 : 1;
    return json_fail(r, unicode ? "\\u needs four hexadecimal digits" : "no such escape") != NULL;
}

/* At the opening quote. */
static const struct value *decode_string(struct reader *r)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (r->p++; r->p < r->end && *r->p != '"';) {
        if ((guchar)*r->p < 0x20)
            return json_fail(r, "a control character in a string");
        if (*r->p != '\\')
            g_string_append_c(out, *r->p++);
        else if (!decode_escape(r, out))
            return NULL;
    }
    if (r->p == r->end)
        return json_fail(r, "");
    r->p++;
    return value_take(r->heap, out);
}

static gsize take_digits(struct reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && g_ascii_isdigit(*r->p))
        r->p++;
    return (gsize)(r->p - from);
}

static const struct value *decode_number(struct reader *r)
{
    const char *from = r->p;
    r->p += *r->p == '-';
    gboolean zero = r->p < r->end && *r->p == '0';
    gsize whole = take_digits(r);
    if (whole == 0 || (zero && whole > 1))
        return json_fail(r, "a value is expected");
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (take_digits(r) == 0)
            return json_fail(r, "a digit is expected");
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (take_digits(r) == 0)
            return json_fail(r, "a digit is expected");
    }
    g_autofree char *text = g_strndup(from, (gsize)(r->p - from));
    const struct value *v = value_number_parse(r->heap, (struct text){text, strlen(text)});
    return v ? v : json_fail(r, "the number is too large");
}

static const struct value *decode_any(struct reader *r);

/* Behind '['. */
static const struct value *decode_array(struct reader *r)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    gboolean more = !decode_take(r, ']');
    while (more) {
        const struct value *item = decode_any(r);
        if (!item)
            return NULL;
        g_ptr_array_add(items, (gpointer)item);
        more = decode_take(r, ',');
        if (!more && !decode_take(r, ']'))
            return json_fail(r, "',' or ']' is expected");
    }
    const struct value **kept = heap_array(r->heap, const struct value *, items->len);
    if (items->len)
        memcpy(kept, items->pdata, items->len * sizeof(*kept));
    return value_tuple(r->heap, kept, items->len);
}

static gboolean decode_member(struct reader *r, GArray *keys, GPtrArray *items)
{
    decode_blanks(r);
    if (r->p == r->end || *r->p != '"')
        return json_fail(r, "a quoted key is expected") != NULL;
    const struct value *key = decode_string(r);
    if (!key)
        return FALSE;
    if (!decode_take(r, ':'))
        return json_fail(r, "':' is expected") != NULL;
    const struct value *item = decode_any(r);
    if (!item)
        return FALSE;
    g_array_append_val(keys, key->text);
    g_ptr_array_add(items, (gpointer)item);
    return TRUE;
}

/* Behind '{'. */
static const struct value *decode_object(struct reader *r)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct text));
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    gboolean more = !decode_take(r, '}');
    while (more) {
        if (!decode_member(r, keys, items))
            return NULL;
        more = decode_take(r, ',');
        if (!more && !decode_take(r, '}'))
            return json_fail(r, "',' or '}' is expected");
    }
    return value_object(r->heap, (const struct text *)(gconstpointer)keys->data,
                        (const struct value *const *)items->pdata, items->len);
}

static const struct value *decode_word(struct reader *r)
{
    static const struct {
        const char *word;
        const struct value *value;
    } WORDS[] = {{"true", &value_true}, {"false", &value_false}, {"null", &value_null}};
    for (guint i = 0; i < G_N_ELEMENTS(WORDS); i++) {
        gsize len = strlen(WORDS[i].word);
        if ((gsize)(r->end - r->p) >= len && memcmp(r->p, WORDS[i].word, len) == 0) {
            r->p += len;
            return WORDS[i].value;
        }
    }
    return json_fail(r, "a value is expected");
}

static const struct value *decode_any(struct reader *r)
{
    const struct value *v;
    decode_blanks(r);
    if (r->p == r->end)
        return json_fail(r, "");
    if (!heap_step(r->heap, 1, r->err))
        return NULL;
    if (r->depth == DEPTH_MAX)
        return json_fail(r, "it nests too deeply");
    r->depth++;
    if (*r->p == '"')
        v = decode_string(r);
    else if (*r->p == '-' || g_ascii_isdigit(*r->p))
        v = decode_number(r);
    else if (*r->p == '[')
        v = (r->p++, decode_array(r));
    else if (*r->p == '{')
        v = (r->p++, decode_object(r));
    else
        v = decode_word(r);
    r->depth--;
    return v;
}

const struct value *json_read(struct heap *h, struct text json, GError **err)
{
    struct reader r = {
        .heap = h, .start = json.bytes, .p = json.bytes, .end = json.bytes + json.len, .err = err};
    const struct value *v = decode_any(&r);
    decode_blanks(&r);
    if (v && r.p < r.end)
        return json_fail(&r, "something follows the value");
    return v;
}
