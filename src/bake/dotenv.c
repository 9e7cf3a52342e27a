#include "bake/dotenv.h"

#include "bake/interpolate.h"
#include "base/error.h"

#include <string.h>

struct envfile {
    const char *s; /* what is left */
    guint line;    /* of s */
    GHashTable *vars;
    const char *(*lookup)(gpointer self, const char *name);
    gpointer self;
    struct interpolation in;
};

static const char *envfile_lookup(gpointer self, const char *name)
{
    struct envfile *f = self;
    const char *value = f->lookup(f->self, name);
    return value ? value : g_hash_table_lookup(f->vars, name);
}

/* Blanks within a line. */
static gboolean is_blank(gunichar c)
{
    return c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == ' ' || c == 0x85 || c == 0xa0;
}

static void envfile_skip_blanks(struct envfile *f)
{
    while (is_blank(g_utf8_get_char(f->s)))
        f->s = g_utf8_next_char(f->s);
}

/* To the next statement: over blanks, empty lines and comments. */
static void skip_to_statement(struct envfile *f)
{
    for (;; f->s = g_utf8_next_char(f->s)) {
        if (*f->s == '#')
            f->s += strcspn(f->s, "\n");
        if (*f->s == '\n')
            f->line++;
        else if (!g_unichar_isspace(g_utf8_get_char(f->s)) || !*f->s)
            return;
    }
}

static gboolean is_name_char(gunichar c)
{
    return g_unichar_isalnum(c) || (c < 0x80 && strchr("_.-[]", (int)c));
}

static gboolean bad_name(const struct envfile *f, const char *at, GError **err)
{
    g_autofree char *c = g_strndup(at, (gsize)(g_utf8_next_char(at) - at));
    error_set(err, VARVE_ERROR_INVALID, "\"%s\" in the name of a variable", c);
    error_add_next(err, "lines are NAME=value, and comments begin with #");
    return FALSE;
}

/* Reads the name and what ends it: '=', ':', or a newline (or the text's end): '\n'. */
static gboolean read_name(struct envfile *f, char **name, char *end, GError **err)
{
    if (g_str_has_prefix(f->s, "export") && is_blank(g_utf8_get_char(f->s + 6))) {
        f->s += 6;
        envfile_skip_blanks(f);
    }
    const char *from = f->s, *c = from;
    for (; *c && !strchr("=:\n", *c); c = g_utf8_next_char(c))
        if (!is_blank(g_utf8_get_char(c)) && !is_name_char(g_utf8_get_char(c)))
            return bad_name(f, c, err);
    *end = *c && *c != '\n' ? *c : '\n';
    *name = g_strchomp(g_strndup(from, (gsize)(c - from)));
    f->s = *c ? c + 1 : c;
    if (strchr(*name, ' '))
        return error_set(err, VARVE_ERROR_INVALID, "blank in the name of a variable: \"%s\"",
                         *name);
    return TRUE;
}

static char *read_plain_value(struct envfile *f, GError **err)
{
    gsize len = strcspn(f->s, "\n");
    g_autofree char *value = g_strndup(f->s, len);
    f->s += len;
    char *comment = strstr(value, " #");
    if (comment)
        *comment = '\0';
    return interpolate(&f->in, g_strchomp(value), err);
}

/* \n, \t … and \0 with up to three octal digits; \$ becomes $$, for interpolate(). */
static char *unescape(const char *s)
{
    static const char letters[] = "abfnrtv\"\\", meaning[] = "\a\b\f\n\r\t\v\"\\";
    GString *out = g_string_new(NULL);
    for (; *s; s++) {
        const char *letter = *s == '\\' && s[1] ? strchr(letters, s[1]) : NULL;
        if (letter) {
            g_string_append_c(out, meaning[letter - letters]);
            s++;
        } else if (*s == '\\' && s[1] == '$') {
            g_string_append(out, "$$");
            s++;
        } else if (*s == '\\' && s[1] == '0' && strspn(s + 2, "01234567") >= 3 && s[2] < '4') {
            gunichar c = (gunichar)((s[2] - '0') * 64 + (s[3] - '0') * 8 + (s[4] - '0'));
            g_string_append_unichar(out, c ? c : 0xfffd);
            s += 4;
        } else {
            g_string_append_c(out, *s);
        }
    }
    return g_string_free(out, FALSE);
}

/* From a quotation mark on, to behind its partner. */
static char *read_quoted_value(struct envfile *f, GError **err)
{
    g_autoptr(GString) value = g_string_new(NULL);
    guint first = f->line;
    char quote = *f->s;
    const char *c = f->s + 1;
    for (; *c && *c != quote; c++) {
        f->line += *c == '\n';
        if (*c != '\\' || !c[1]) {
            g_string_append_c(value, *c);
            continue;
        }
        c++;
        f->line += *c == '\n';
        if (*c != quote)
            g_string_append_c(value, '\\');
        g_string_append_c(value, *c);
    }
    if (!*c) {
        f->line = first;
        error_set(err, VARVE_ERROR_INVALID, "a quotation mark (%c) without its partner", quote);
        return NULL;
    }
    f->s = c + 1;
    if (quote == '\'')
        return g_string_free(g_steal_pointer(&value), FALSE);
    g_autofree char *text = unescape(value->str);
    return interpolate(&f->in, text, err);
}

static gboolean read_statement(struct envfile *f, GError **err)
{
    g_autofree char *name = NULL;
    char end;
    if (!read_name(f, &name, &end, err))
        return FALSE;
    if (end == '\n') {
        const char *value = f->lookup(f->self, name);
        if (value)
            g_hash_table_replace(f->vars, g_steal_pointer(&name), g_strdup(value));
        f->line++;
        return TRUE;
    }
    envfile_skip_blanks(f);
    char *value =
        *f->s == '"' || *f->s == '\'' ? read_quoted_value(f, err) : read_plain_value(f, err);
    if (!value)
        return FALSE;
    g_hash_table_replace(f->vars, g_steal_pointer(&name), value);
    return TRUE;
}

gboolean dotenv_parse(GHashTable *vars, const void *bytes, gsize len,
                      const char *(*lookup)(gpointer self, const char *name), gpointer self,
                      guint *line, GError **err)
{
    *line = 0;
    if (len > DOTENV_MAX_BYTES)
        return error_set(err, VARVE_ERROR_INVALID, "larger than %d MiB", DOTENV_MAX_BYTES >> 20);
    if (len && !g_utf8_validate_len(bytes, len, NULL))
        return error_set(err, VARVE_ERROR_INVALID, "not UTF-8, or with a NUL character");
    g_autoptr(GString) text = g_string_new_len(bytes, (gssize)len);
    g_string_replace(text, "\r\n", "\n", 0);
    struct envfile f = {text->str, 1, vars, lookup, self, {envfile_lookup, NULL, NULL, 0, NULL}};
    f.in.self = &f;
    if (g_str_has_prefix(f.s, "\xef\xbb\xbf"))
        f.s += 3;
    for (skip_to_statement(&f); *f.s; skip_to_statement(&f)) {
        if (!read_statement(&f, err)) {
            *line = f.line;
            return FALSE;
        }
    }
    return TRUE;
}
