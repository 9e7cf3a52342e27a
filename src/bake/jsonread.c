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
static gint hex_unit(const struct reader *r, const char *p)
{
    gint unit = 0;
    if (r->end - p < 4)
        return -1;
    for (guint i = 0; i < 4; i++) {
        if (!g_ascii_isxdigit(p[i]))
            return -1;
        unit = unit * 16 + g_ascii_xdigit_value(p[i]);
    }
    return unit;
}

/* Behind "\u". */
static gboolean decode_unicode(struct reader *r, GString *out)
{
    gint unit = hex_unit(r, r->p), low = -1;
    if (unit < 0)
        return json_fail(r, "\\u needs four hexadecimal digits") != NULL;
    r->p += 4;
    if (unit >= 0xd800 && unit < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u')
        low = hex_unit(r, r->p + 2);
    if (low >= 0xdc00 && low < 0xe000) {
        r->p += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    } else if (unit >= 0xd800 && unit < 0xe000) {
        unit = 0xfffd;
    }
    if (unit == 0) /* g_string_append_unichar() stops at it */
        g_string_append_c(out, '\0');
    else
        g_string_append_unichar(out, (gunichar)unit);
    return TRUE;
}

/* Behind a backslash. */
static gboolean decode_escape(struct reader *r, GString *out)
{
    static const char LETTERS[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    const char *letter = r->p < r->end && *r->p ? strchr(LETTERS, *r->p) : NULL;
    if (!letter && !(r->p < r->end && *r->p == 'u'))
        return json_fail(r, "no such escape") != NULL;
    r->p++;
    if (!letter)
        return decode_unicode(r, out);
    g_string_append_c(out, MEANT[letter - LETTERS]);
    return TRUE;
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
        else if (r->p++, !decode_escape(r, out))
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
