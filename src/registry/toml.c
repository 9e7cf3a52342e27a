#include "registry/toml.h"

#include "base/error.h"

#include <string.h>

#define MAX_BYTES (1024 * 1024)
#define MAX_DEPTH 16

struct reader {
    const char *p, *end;
    guint line;
    const char *what;
};

static gboolean toml_fail(struct reader *r, const char *why, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "%s:%u: %s", r->what, r->line, why);
}

static char peek(const struct reader *r)
{
    return r->p < r->end ? *r->p : '\0';
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->p++;
}

/* Blanks, line ends and comments. */
static void skip_space(struct reader *r)
{
    for (; r->p < r->end; r->p++) {
        if (*r->p == '#')
            while (r->p + 1 < r->end && r->p[1] != '\n')
                r->p++;
        else if (*r->p == '\n')
            r->line++;
        else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r')
            return;
    }
}

static gboolean end_of_line(struct reader *r, GError **err)
{
    skip_blanks(r);
    if (peek(r) == '#' || peek(r) == '\r' || peek(r) == '\n' || r->p >= r->end)
        return TRUE;
    return toml_fail(r, "unexpected text at the end of the line", err);
}

static gboolean append_unicode(struct reader *r, guint digits, GString *out)
{
    gunichar c = 0;
    for (guint i = 0; i < digits; i++) {
        int v = r->p + 1 < r->end ? g_ascii_xdigit_value(r->p[1]) : -1;
        if (v < 0)
            return FALSE;
        c = c * 16 + v;
        r->p++;
    }
    if (!c || !g_unichar_validate(c))
        return FALSE;
    g_string_append_unichar(out, c);
    return TRUE;
}

/* r stands on the character after the backslash. */
static gboolean append_escape(struct reader *r, GString *out)
{
    static const char FROM[] = "btnfr\"\\", TO[] = "\b\t\n\f\r\"\\";
    char c = peek(r);
    if (c == 'u' || c == 'U')
        return append_unicode(r, c == 'u' ? 4 : 8, out);
    const char *at = c ? strchr(FROM, c) : NULL;
    if (at)
        g_string_append_c(out, TO[at - FROM]);
    return at != NULL;
}

/* "basic" or 'literal'; newly allocated, NULL on error. */
static char *take_string(struct reader *r, GError **err)
{
    g_autoptr(GString) s = g_string_new(NULL);
    char quote = *r->p;
    if (r->end - r->p >= 3 && r->p[1] == quote && r->p[2] == quote) {
        toml_fail(r, "multi-line strings are not supported here", err);
        return NULL;
    }
    for (r->p++; r->p < r->end && *r->p != '\n'; r->p++) {
        if (*r->p == quote) {
            r->p++;
            return g_string_free(g_steal_pointer(&s), FALSE);
        }
        gboolean escape = quote == '"' && *r->p == '\\';
        r->p += escape;
        if (escape ? !append_escape(r, s) : ((guchar)*r->p < ' ' && *r->p != '\t')) {
            toml_fail(r, "malformed string", err);
            return NULL;
        }
        if (!escape)
            g_string_append_c(s, *r->p);
    }
    toml_fail(r, "the string does not end on its line", err);
    return NULL;
}

static char *take_bare(struct reader *r)
{
    const char *start = r->p;
    while (g_ascii_isalnum(peek(r)) || peek(r) == '_' || peek(r) == '-')
        r->p++;
    return r->p > start ? g_strndup(start, r->p - start) : NULL;
}

/* A dotted key; newly allocated, NULL on error. */
static char *read_dotted_key(struct reader *r, GError **err)
{
    g_autoptr(GString) key = g_string_new(NULL);
    for (;;) {
        skip_blanks(r);
        gboolean quoted = peek(r) == '"' || peek(r) == '\'';
        g_autofree char *part = quoted ? take_string(r, err) : take_bare(r);
        if (!part && !quoted)
            toml_fail(r, "expected a key", err);
        if (!part)
            return NULL;
        g_string_append(key, part);
        skip_blanks(r);
        if (peek(r) != '.')
            return g_string_free(g_steal_pointer(&key), FALSE);
        g_string_append_c(key, '.');
        r->p++;
    }
}

static gboolean skip_value(struct reader *r, guint depth, GError **err);

/* Values (or "key = value" pairs) between r's opening bracket and close. */
static gboolean skip_list(struct reader *r, char close, guint depth, GError **err)
{
    if (depth >= MAX_DEPTH)
        return toml_fail(r, "nested too deeply", err);
    for (r->p++;;) {
        skip_space(r);
        if (peek(r) == close)
            break;
        g_autofree char *key = close == '}' ? read_dotted_key(r, err) : NULL;
        if (close == '}' && (!key || peek(r) != '='))
            return key ? toml_fail(r, "'=' was expected", err) : FALSE;
        r->p += close == '}';
        skip_blanks(r);
        if (!skip_value(r, depth + 1, err))
            return FALSE;
        skip_space(r);
        if (peek(r) != ',' && peek(r) != close)
            return toml_fail(r, "expected ',' or the end of the list", err);
        r->p += peek(r) == ',';
    }
    r->p++;
    return TRUE;
}

/* Anything else: numbers, dates, booleans. */
static gboolean skip_word(struct reader *r, GError **err)
{
    const char *start = r->p;
    while (g_ascii_isalnum(peek(r)) || (peek(r) && strchr("+-_.:", peek(r))))
        r->p++;
    return r->p > start ? TRUE : toml_fail(r, "expected a value", err);
}

static gboolean skip_value(struct reader *r, guint depth, GError **err)
{
    char c = peek(r);
    if (c == '[' || c == '{')
        return skip_list(r, c == '[' ? ']' : '}', depth, err);
    if (c != '"' && c != '\'')
        return skip_word(r, err);
    g_autofree char *s = take_string(r, err);
    return s != NULL;
}

static gboolean read_value(struct reader *r, const char *key, struct toml_handler *h, GError **err)
{
    const char *start = r->p;
    if (peek(r) == '"' || peek(r) == '\'') {
        g_autofree char *s = take_string(r, err);
        if (!s || !end_of_line(r, err))
            return FALSE;
        h->value(h, key, TOML_STRING, s);
        return TRUE;
    }
    if (!skip_value(r, 0, err) || !end_of_line(r, err))
        return FALSE;
    gboolean yes = g_str_has_prefix(start, "true"), no = g_str_has_prefix(start, "false");
    h->value(h, key, yes || no ? TOML_BOOL : TOML_OTHER, yes ? "true" : no ? "false" : NULL);
    return TRUE;
}

static gboolean read_pair(struct reader *r, struct toml_handler *h, GError **err)
{
    g_autofree char *key = read_dotted_key(r, err);
    if (!key)
        return FALSE;
    if (peek(r) != '=')
        return toml_fail(r, "'=' was expected", err);
    r->p++;
    skip_blanks(r);
    return read_value(r, key, h, err);
}

static gboolean read_header(struct reader *r, struct toml_handler *h, GError **err)
{
    gboolean array = r->end - r->p >= 2 && r->p[1] == '[';
    r->p += 1 + array;
    g_autofree char *name = read_dotted_key(r, err);
    if (!name)
        return FALSE;
    if (peek(r) != ']' || (array && (r->end - r->p < 2 || r->p[1] != ']')))
        return toml_fail(r, "the table's name does not end with ']'", err);
    r->p += 1 + array;
    if (!end_of_line(r, err))
        return FALSE;
    if (h->table)
        h->table(h, name, array);
    return TRUE;
}

gboolean toml_read(const char *bytes, gsize len, const char *what, struct toml_handler *h,
                   GError **err)
{
    if (len > MAX_BYTES)
        return error_set(err, VARVE_ERROR_INVALID, "%s is larger than 1 MiB", what);
    /* A copy that ends with a NUL, so that no look-ahead leaves it. */
    g_autofree char *text = g_strndup(bytes, len);
    struct reader r = {text, text + strlen(text), 1, what};
    if (strlen(text) != len)
        return error_set(err, VARVE_ERROR_INVALID, "%s holds NUL bytes", what);
    for (;;) {
        skip_space(&r);
        if (r.p >= r.end)
            return TRUE;
        if (!(*r.p == '[' ? read_header(&r, h, err) : read_pair(&r, h, err)))
            return FALSE;
    }
}
