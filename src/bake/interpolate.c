#include "bake/interpolate.h"

#include "base/error.h"

#include <string.h>

/* A reference that begins at a '$'. */
struct reference {
    char *name;
    char op;            /* '-', '+', '?', or '\0' */
    gboolean not_empty; /* ':' stands before op: an empty value counts as unset */
    char *word;         /* behind op, or NULL */
    gsize len;          /* of the whole reference */
};

static void reference_clear(struct reference *r)
{
    g_free(r->name);
    g_free(r->word);
}

static gboolean add(struct interpolation *in, GString *out, const char *s, gssize len, GError **err)
{
    gsize n = len < 0 ? strlen(s) : (gsize)len;
    in->bytes += n;
    if (in->bytes > INTERPOLATE_MAX_BYTES)
        return error_set(err, VARVE_ERROR_INVALID, "variables make this file larger than %u MiB",
                         (guint)(INTERPOLATE_MAX_BYTES >> 20));
    g_string_append_len(out, s, (gssize)n);
    return TRUE;
}

static gsize name_length(const char *s)
{
    gsize n = 0;
    while (g_ascii_isalpha(s[n]) || s[n] == '_' || (n && g_ascii_isdigit(s[n])))
        n++;
    return n;
}

/* The '}' that closes the '{' at s: brackets are counted, whatever they belong to. When they do not
 * balance, the last one of the line. NULL: there is none. */
static const char *closing_brace(const char *s)
{
    gsize open = 0;
    const char *last = NULL;
    for (; *s && *s != '\n'; s++) {
        if (*s == '}') {
            last = s;
            if (open-- == 1)
                return s;
        }
        if (*s == '{') {
            open++;
            if (s[1] == '}')
                last = s + 1;
            if (s[1] && s[1] != '\n')
                s++;
        }
    }
    return last;
}

/* Reads "${…}" at s. FALSE: it is malformed. */
static gboolean read_braced(const char *s, struct reference *r)
{
    gsize n = name_length(s + 2);
    const char *op = s + 2 + n;
    if (!n)
        return FALSE;
    if (*op != '}') {
        r->not_empty = *op == ':';
        op += r->not_empty;
        if (!*op || !strchr("-+?", *op))
            return FALSE;
    }
    const char *end = *op == '}' ? op : closing_brace(s + 1);
    if (!end || end < op)
        return FALSE;
    r->name = g_strndup(s + 2, n);
    if (*op != '}') {
        r->op = *op;
        r->word = g_strndup(op + 1, (gsize)(end - op - 1));
    }
    r->len = (gsize)(end - s) + 1;
    return TRUE;
}

static gboolean expand(struct interpolation *in, const char *text, guint depth, GString *out,
                       GError **err);

static gboolean required(struct interpolation *in, const struct reference *r, guint depth,
                         GError **err)
{
    g_autoptr(GString) message = g_string_new(NULL);
    if (!expand(in, r->word, depth, message, err))
        return FALSE;
    error_set(err, VARVE_ERROR_INVALID, "required variable %s is missing a value%s%s", r->name,
              message->len ? ": " : "", message->str);
    error_add_next(err, "set it in the environment or in .env: %s=…", r->name);
    return FALSE;
}

/* The word of a reference that takes no part: it must be right all the same. */
static gboolean check_unused_word(struct interpolation *in, const struct reference *r, guint depth,
                                  GError **err)
{
    g_autoptr(GString) unused = g_string_new(NULL);
    struct interpolation quiet = *in;
    quiet.unset = NULL;
    gboolean ok = expand(&quiet, r->word, depth, unused, err);
    in->bytes = quiet.bytes;
    return ok;
}

static gboolean replace_reference(struct interpolation *in, const struct reference *r, guint depth,
                                  GString *out, GError **err)
{
    const char *value = in->lookup(in->self, r->name);
    gboolean counts = value && (*value || !r->not_empty);
    if (r->op == '-' && !counts)
        return expand(in, r->word, depth + 1, out, err);
    if (r->op == '?' && !counts)
        return required(in, r, depth + 1, err);
    if (r->op == '+' && counts)
        return expand(in, r->word, depth + 1, out, err);
    if (r->op && !check_unused_word(in, r, depth + 1, err))
        return FALSE;
    if (r->op == '+')
        return TRUE;
    if (!value && in->unset)
        in->unset(in->self, r->name);
    return !value || add(in, out, value, -1, err);
}

static gboolean malformed(GError **err)
{
    error_set(err, VARVE_ERROR_INVALID, "malformed variable");
    error_add_next(err, "write ${NAME} or ${NAME:-default}; a dollar sign itself is $$");
    return FALSE;
}

/* What the '$' at *s stands for; moves *s behind it. */
static gboolean expand_dollar(struct interpolation *in, const char **s, guint depth, GString *out,
                              GError **err)
{
    struct reference r = {0};
    const char *dollar = *s;
    gsize n = name_length(dollar + 1);
    if (depth == 0)
        in->wrong = dollar;
    if (dollar[1] == '$' || (dollar[1] != '{' && !n)) {
        *s += dollar[1] == '$' ? 2 : 1;
        return add(in, out, "$", 1, err);
    }
    if (n) {
        r.name = g_strndup(dollar + 1, n);
        r.len = n + 1;
    } else if (!read_braced(dollar, &r)) {
        return malformed(err);
    }
    *s += r.len;
    gboolean ok = replace_reference(in, &r, depth, out, err);
    reference_clear(&r);
    return ok;
}

static gboolean expand(struct interpolation *in, const char *text, guint depth, GString *out,
                       GError **err)
{
    if (depth > INTERPOLATE_MAX_DEPTH)
        return error_set(err, VARVE_ERROR_INVALID, "more than %d defaults within one another",
                         INTERPOLATE_MAX_DEPTH);
    for (const char *s = text; *s;) {
        gsize plain = strcspn(s, "$");
        if (!add(in, out, s, (gssize)plain, err))
            return FALSE;
        s += plain;
        if (*s && !expand_dollar(in, &s, depth, out, err))
            return FALSE;
    }
    return TRUE;
}

char *interpolate(struct interpolation *in, const char *text, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    in->wrong = NULL;
    if (!expand(in, text, 0, out, err))
        return NULL;
    return g_string_free(g_steal_pointer(&out), FALSE);
}
