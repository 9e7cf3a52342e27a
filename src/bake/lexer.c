#include "bake/lexer.h"

#include <string.h>

struct span parser_span(const struct parser *p, const char *s, gsize len)
{
    if (p->embedded)
        return (struct span){p->at.line, p->at.col + (guint)(s - p->base), (guint)len};
    return (struct span){p->line, (guint)(s - p->line_start) + 1, (guint)len};
}

void parser_move(struct parser *p, const char *to)
{
    for (const char *nl; (nl = memchr(p->p, '\n', to - p->p));) {
        p->p = nl + 1;
        p->line_start = p->p;
        p->line++;
    }
    p->p = to;
}

void parser_fail(struct parser *p, struct span at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (!p->failed)
        diags_error(p->file->diags, at, "%s", text);
    p->failed = TRUE;
    p->p = p->end;
    p->token = (struct token){TOKEN_END, p->end, 0, at};
}

void parser_expected(struct parser *p, const char *what)
{
    const struct token *t = &p->token;
    struct span at = t->span;
    if (t->kind == TOKEN_END)
        parser_fail(p, at, "expected %s before the end of the %s", what,
                    p->embedded ? "string" : "file");
    else if (t->kind == TOKEN_NEWLINE)
        parser_fail(p, at, "expected %s before the end of the line", what);
    else if (t->kind == TOKEN_QUOTE || t->kind == TOKEN_HEREDOC)
        parser_fail(p, at, "expected %s, found a string", what);
    else
        parser_fail(p, at, "expected %s, found %.*s", what, (int)MIN(t->len, 60), t->start);
}

static gboolean identifier_char(gunichar c, gboolean first)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_OTHER_LETTER:
    case G_UNICODE_LETTER_NUMBER:
        return TRUE;
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_SPACING_MARK:
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_CONNECT_PUNCTUATION:
        return !first || c == '_';
    default:
        return c == '-' && !first;
    }
}

gsize lexer_identifier(const char *s, const char *end)
{
    const char *p = s;
    while (p < end && identifier_char(g_utf8_get_char(p), p == s))
        p = g_utf8_next_char(p);
    return (gsize)(p - s);
}

static void token_set(struct parser *p, enum token_kind kind, const char *start, gsize len)
{
    p->token = (struct token){kind, start, len, parser_span(p, start, len)};
    parser_move(p, start + len);
}

/* Blanks and comments. TRUE when a newline that counts was among them: it is the token then. */
static gboolean skip_blank(struct parser *p)
{
    for (;;) {
        const char *s = p->p;
        gsize newline = *s == '\n' ? 1 : *s == '\r' && s[1] == '\n' ? 2 : 0;
        if (*s == '#' || (*s == '/' && s[1] == '/')) {
            const char *nl = memchr(s, '\n', p->end - s);
            p->p = nl ? nl : p->end;
        } else if (*s == '/' && s[1] == '*') {
            const char *close = strstr(s + 2, "*/");
            if (!close)
                parser_fail(p, parser_span(p, s, 2),
                            "this comment is not closed: \"*/\" is missing");
            else
                parser_move(p, close + 2);
        } else if (newline && p->lines) {
            token_set(p, TOKEN_NEWLINE, s, newline);
            return TRUE;
        } else if (newline || *s == ' ' || *s == '\t') {
            parser_move(p, s + (newline ? newline : 1));
        } else {
            return FALSE;
        }
    }
}

static gsize number_length(const char *s)
{
    static const char DIGITS[] = "0123456789";
    gsize n = strspn(s, DIGITS);
    if (s[n] == '.' && g_ascii_isdigit(s[n + 1]))
        n += 1 + strspn(s + n + 1, DIGITS);
    if (s[n] == 'e' || s[n] == 'E') {
        gsize sign = s[n + 1] == '+' || s[n + 1] == '-';
        if (g_ascii_isdigit(s[n + 1 + sign]))
            n += 1 + sign + strspn(s + n + 1 + sign, DIGITS);
    }
    return n;
}

static gsize operator_length(const char *s)
{
    static const char *const LONG[] = {"...", "&&", "||", "==", "!=", "<=", ">=", "=>", "::", "~}"};
    for (guint i = 0; i < G_N_ELEMENTS(LONG); i++)
        if (g_str_has_prefix(s, LONG[i]))
            return strlen(LONG[i]);
    return *s && strchr("{}[]().,?:=<>!+-*/%", *s) ? 1 : 0;
}

/* Bytes of "<<-EOT" and its newline, 0 when there is none. */
static gsize heredoc_length(const char *s, const char *end)
{
    if (s[0] != '<' || s[1] != '<')
        return 0;
    const char *name = s + 2 + (s[2] == '-');
    gsize n = lexer_identifier(name, end);
    const char *after = name + n;
    if (n == 0)
        return 0;
    return (gsize)(after - s) + (*after == '\n' ? 1 : after[0] == '\r' && after[1] == '\n' ? 2 : 0);
}

static void fail_character(struct parser *p, const char *s)
{
    gsize n = (gsize)(g_utf8_next_char(s) - s);
    struct span at = parser_span(p, s, n);
    if (*s == '\'')
        parser_fail(p, at, "strings stand in double quotes, not in single ones");
    else if (*s == ';')
        parser_fail(p, at, "\";\" separates nothing here: put each attribute on a line of its own");
    else if (*s == '&' || *s == '|')
        parser_fail(p, at, "there are no operators on bits; did you mean \"%c%c\"?", *s, *s);
    else
        parser_fail(p, at, "this character is not allowed here: %.*s", (int)n, s);
}

void parser_next(struct parser *p)
{
    if (p->failed || skip_blank(p) || p->failed)
        return;
    const char *s = p->p;
    gsize n;
    if (s == p->end)
        token_set(p, TOKEN_END, s, 0);
    else if ((n = lexer_identifier(s, p->end)))
        token_set(p, TOKEN_IDENT, s, n);
    else if (g_ascii_isdigit(*s))
        token_set(p, TOKEN_NUMBER, s, number_length(s));
    else if (*s == '"')
        token_set(p, TOKEN_QUOTE, s, 1);
    else if ((n = heredoc_length(s, p->end)))
        token_set(p, TOKEN_HEREDOC, s, n);
    else if ((n = operator_length(s)))
        token_set(p, TOKEN_OPERATOR, s, n);
    else
        fail_character(p, s);
}

gboolean parser_is(const struct parser *p, const char *operator)
{
    return p->token.kind == TOKEN_OPERATOR && p->token.len == strlen(operator) &&
           memcmp(p->token.start, operator, p->token.len) == 0;
}

gboolean parser_is_word(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_IDENT && p->token.len == strlen(word) &&
           memcmp(p->token.start, word, p->token.len) == 0;
}

gboolean parser_take(struct parser *p, const char *operator)
{
    if (!parser_is(p, operator))
        return FALSE;
    parser_next(p);
    return TRUE;
}

gboolean parser_lines(struct parser *p, gboolean lines)
{
    gboolean before = p->lines;
    p->lines = lines;
    return before;
}

void parser_skip_newlines(struct parser *p)
{
    while (p->token.kind == TOKEN_NEWLINE)
        parser_next(p);
}

gboolean parser_enter(struct parser *p)
{
    if (p->depth++ >= HCL_MAX_DEPTH)
        parser_fail(p, p->token.span, "too much is nested here: more than %d levels",
                    HCL_MAX_DEPTH);
    return !p->failed;
}

void parser_leave(struct parser *p)
{
    p->depth--;
}

const char *parser_text(struct parser *p, const struct token *t)
{
    return value_string(p->file->heap, t->start, t->len)->text.bytes;
}
