#include "dockerfile/expand.h"

#include "base/error.h"
#include "dockerfile/shellpattern.h"
#include "text/space.h"

/* The words found so far, when splitting. */
struct words {
    GPtrArray *list; /* char*, done */
    GString *word;   /* the one being read */
    gboolean open;   /* word has begun, though it may be empty */
};

struct lexer {
    const struct expand *x;
    const char *p, *end;  /* what is left */
    gboolean raw_escapes; /* like x->raw_escapes, and inside patterns */
    gsize max;            /* limit of any result */
    guint depth;          /* of ${ } nesting */
    GError **err;         /* filled once */
};

GHashTable *expand_names_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static gboolean expand_fail(struct lexer *lx, const char *message)
{
    return error_set(lx->err, VARVE_ERROR_INVALID, "%s", message);
}

static gboolean fail_open(struct lexer *lx, const char *message, const char *next)
{
    expand_fail(lx, message);
    error_add_next(lx->err, "%s", next);
    return FALSE;
}

static gboolean fail_brace(struct lexer *lx)
{
    return fail_open(lx, "syntax error: missing '}'",
                     "write ${NAME}; a backslash before the $ makes it an ordinary character");
}

static gboolean check_size(struct lexer *lx, const GString *s)
{
    if (s->len <= lx->max)
        return TRUE;
    return error_set(lx->err, VARVE_ERROR_INVALID,
                     "the result is larger than %" G_GSIZE_FORMAT " bytes", lx->max);
}

/* Adds n bytes that are not split. */
static void words_raw(struct words *w, const char *s, gsize n)
{
    if (!w)
        return;
    g_string_append_len(w->word, s, n);
    w->open = TRUE;
}

static void words_close(struct words *w)
{
    if (w->word->len == 0)
        return;
    g_ptr_array_add(w->list, g_strndup(w->word->str, w->word->len));
    g_string_truncate(w->word, 0);
    w->open = FALSE;
}

/* Adds n bytes, splitting at white space. */
static void words_split(struct words *w, const char *s, gsize n)
{
    if (!w)
        return;
    for (const char *p = s, *end = s + n; p < end;) {
        gsize space = text_space(p, end);
        if (space) {
            words_close(w);
            p += space;
        } else {
            gsize c = text_char(p, end);
            words_raw(w, p, c);
            p += c;
        }
    }
}

/* For operators that handle an unset variable: it is not reported then. */
static const char *look_up_handled(struct lexer *lx, const char *name)
{
    const char *value = lx->x->lookup ? lx->x->lookup(lx->x->ctx, name) : NULL;
    if (value && lx->x->used)
        g_hash_table_add(lx->x->used, g_strdup(name));
    return value;
}

static const char *look_up(struct lexer *lx, const char *name)
{
    const char *value = lx->x->lookup ? lx->x->lookup(lx->x->ctx, name) : NULL;
    GHashTable *set = value ? lx->x->used : lx->x->unset;
    if (set)
        g_hash_table_add(set, g_strdup(name));
    return value;
}

/* Reads a variable's name: digits, one special parameter, or letters, digits and '_'; may be empty.
 */
static char *read_name(struct lexer *lx)
{
    const char *start = lx->p;
    if (lx->p < lx->end && g_ascii_isdigit(*lx->p)) {
        while (lx->p < lx->end && g_ascii_isdigit(*lx->p))
            lx->p++;
    } else if (lx->p < lx->end && strchr("@*#?-$!", *lx->p)) {
        lx->p++;
    } else {
        while (lx->p < lx->end) {
            gunichar c = g_utf8_get_char_validated(lx->p, lx->end - lx->p);
            if (c != '_' && (c >= 0x110000 || !g_unichar_isalnum(c)))
                break;
            lx->p += g_utf8_skip[(guchar)*lx->p];
        }
    }
    return g_strndup(start, lx->p - start);
}

static gboolean read_until(struct lexer *lx, char stop, GString *out, struct words *w);

/* Reads up to stop as a result of its own. */
static GString *read_part(struct lexer *lx, char stop, gboolean raw_escapes)
{
    g_autoptr(GString) part = g_string_new(NULL);
    gboolean before = lx->raw_escapes;
    lx->raw_escapes = raw_escapes;
    gboolean ok = read_until(lx, stop, part, NULL);
    lx->raw_escapes = before;
    return ok ? g_steal_pointer(&part) : NULL;
}

/* Appends value without the prefix or suffix that pattern names. */
static gboolean trim(struct lexer *lx, char op, const char *pattern, const char *value,
                     GString *out)
{
    gboolean longest = *pattern == op;
    g_autoptr(shellpattern) p = shellpattern_new(pattern + longest, lx->err);
    if (!p)
        return FALSE;
    gsize len = strlen(value);
    gssize at =
        op == '#' ? shellpattern_prefix(p, value, longest) : shellpattern_suffix(p, value, longest);
    if (at < 0)
        g_string_append_len(out, value, len);
    else if (op == '#')
        g_string_append(out, value + at);
    else
        g_string_append_len(out, value, at);
    return TRUE;
}

/* An empty match counts only where no match has just ended, as in Go's regexp. */
static gboolean replace(struct lexer *lx, const char *pattern, const char *with, gboolean all,
                        const char *value, GString *out)
{
    g_autoptr(shellpattern) p = shellpattern_new(pattern, lx->err);
    if (!p)
        return FALSE;
    gsize len = strlen(value), from = 0, copied = 0, s, e;
    while (from <= len && shellpattern_find(p, value, from, &s, &e)) {
        g_string_append_len(out, value + copied, s - copied);
        if (e > copied || s == 0)
            g_string_append(out, with);
        copied = e;
        if (!all)
            break;
        from = e > from ? e : from + (from < len ? text_char(value + from, value + len) : 1);
        if (!check_size(lx, out))
            return FALSE;
    }
    g_string_append_len(out, value + copied, len - copied);
    return TRUE;
}

/* "/p/r}" or "//p/r}" behind a name; the first '/' is already read. */
static gboolean read_replace(struct lexer *lx, const char *name, GString *out)
{
    gboolean all = lx->p < lx->end && *lx->p == '/';
    lx->p += all;
    g_autoptr(GString) pattern = read_part(lx, '/', TRUE);
    if (!pattern) {
        /* Quotes and braces behind were read as a part of the pattern: they are not to blame. */
        if (lx->err)
            g_clear_error(lx->err);
        expand_fail(lx, "syntax error: missing '/' in ${}");
        error_add_next(lx->err, "write ${%s/PATTERN/REPLACEMENT}", name);
        return FALSE;
    }
    g_autoptr(GString) with = read_part(lx, '}', TRUE);
    if (!with)
        return FALSE;
    const char *value = look_up(lx, name);
    if (!value && lx->x->keep_unset) {
        g_string_append_printf(out, "${%s/%s/%s}", name, pattern->str, with->str);
        return TRUE;
    }
    return replace(lx, pattern->str, with->str, all, value ? value : "", out);
}

static gboolean refuse_unset(struct lexer *lx, const char *name, const char *message, gboolean set)
{
    error_set(lx->err, VARVE_ERROR_INVALID, "%s: %s", name,
              *message ? message
              : set    ? "is not allowed to be empty"
                       : "is not allowed to be unset");
    error_add_next(lx->err,
                   "give it a value: --build-arg %s=VALUE for an ARG, or ENV %s=VALUE above", name,
                   name);
    return FALSE;
}

static gboolean fail_modifier(struct lexer *lx, const char *name, const char *op)
{
    error_set(lx->err, VARVE_ERROR_INVALID, "unsupported modifier (%s) in substitution", op);
    error_add_next(lx->err, "close it (${%s}), or use one of :- - :+ + :? ? # ## %% %%%% / //",
                   name);
    return FALSE;
}

/* What follows "${name": an operator other than '/', its word and '}'; op is already read. */
static gboolean read_operator(struct lexer *lx, const char *name, const char *op_start,
                              GString *out)
{
    gboolean colon = *op_start == ':';
    if (colon && lx->p == lx->end)
        return fail_brace(lx);
    char op = colon ? *lx->p : *op_start;
    lx->p += colon ? text_char(lx->p, lx->end) : 0;
    g_autofree char *op_text = g_strndup(op_start, lx->p - op_start);
    if (!strchr(colon ? "+-?" : "+-?#%", op))
        return fail_modifier(lx, name, op_text);
    g_autoptr(GString) word = read_part(lx, '}', op == '#' || op == '%');
    if (!word)
        return FALSE;
    gboolean handled = strchr("+-?", op) != NULL;
    const char *value = handled ? look_up_handled(lx, name) : look_up(lx, name);
    gboolean filled = value && (*value || !colon);
    if (!value && lx->x->keep_unset)
        g_string_append_printf(out, "${%s%s%s}", name, op_text, word->str);
    else if (op == '-')
        g_string_append(out, filled ? value : word->str);
    else if (op == '+')
        g_string_append(out, filled ? word->str : "");
    else if (op == '?' && !filled)
        return refuse_unset(lx, name, word->str, value != NULL);
    else if (op == '?')
        g_string_append(out, value);
    else
        return trim(lx, op, word->str, value ? value : "", out);
    return TRUE;
}

static gboolean read_braced(struct lexer *lx, GString *out)
{
    if (lx->p == lx->end)
        return fail_brace(lx);
    if (strchr("{}:", *lx->p))
        return expand_fail(lx, "syntax error: bad substitution");
    g_autofree char *name = read_name(lx);
    if (lx->p == lx->end)
        return fail_brace(lx);
    const char *op = lx->p;
    lx->p += text_char(lx->p, lx->end);
    if (*op == '}') {
        const char *value = look_up(lx, name);
        if (value || !lx->x->keep_unset)
            g_string_append(out, value ? value : "");
        else
            g_string_append_printf(out, "${%s}", name);
        return TRUE;
    }
    return *op == '/' ? read_replace(lx, name, out) : read_operator(lx, name, op, out);
}

/* At '$'. Appends the value to out. */
static gboolean read_dollar(struct lexer *lx, GString *out)
{
    lx->p++;
    if (lx->p < lx->end && *lx->p == '{') {
        lx->p++;
        if (++lx->depth > EXPAND_MAX_DEPTH)
            return expand_fail(lx, "substitutions are nested too deeply");
        gboolean ok = read_braced(lx, out);
        lx->depth--;
        return ok;
    }
    g_autofree char *name = read_name(lx);
    if (!*name) {
        g_string_append_c(out, '$');
        return TRUE;
    }
    const char *value = look_up(lx, name);
    if (value || !lx->x->keep_unset)
        g_string_append(out, value ? value : "");
    else
        g_string_append_printf(out, "$%s", name);
    return TRUE;
}

static gboolean read_single_quoted(struct lexer *lx, GString *out)
{
    const char *close = memchr(lx->p + 1, '\'', lx->end - lx->p - 1);
    if (!close)
        return fail_open(lx, "unexpected end of statement while looking for matching single-quote",
                         "close the quote; put a literal quote in double quotes");
    gboolean raw = lx->x->raw_quotes;
    g_string_append_len(out, raw ? lx->p : lx->p + 1, close - lx->p - 1 + (raw ? 2 : 0));
    lx->p = close + 1;
    return TRUE;
}

static gboolean read_double_quoted(struct lexer *lx, GString *out)
{
    char escape = lx->x->escape;
    if (lx->x->raw_quotes)
        g_string_append_c(out, '"');
    lx->p++;
    while (lx->p < lx->end && *lx->p != '"') {
        if (!check_size(lx, out))
            return FALSE;
        if (*lx->p == '$') {
            if (!read_dollar(lx, out))
                return FALSE;
            continue;
        }
        char c = *lx->p++;
        if (c == escape) {
            if (lx->raw_escapes)
                g_string_append_c(out, c);
            if (lx->p == lx->end)
                break;
            if (*lx->p == '"' || *lx->p == '$' || *lx->p == escape)
                c = *lx->p++;
        }
        g_string_append_c(out, c);
    }
    if (lx->p == lx->end)
        return fail_open(lx, "unexpected end of statement while looking for matching double-quote",
                         "close the quote; put a literal quote in single quotes");
    if (lx->x->raw_quotes)
        g_string_append_c(out, '"');
    lx->p++;
    return TRUE;
}

/* An escape character and what follows it. */
static void read_escaped(struct lexer *lx, GString *out, struct words *w)
{
    gsize at = out->len;
    if (lx->raw_escapes)
        g_string_append_c(out, *lx->p);
    lx->p++;
    if (lx->p < lx->end) {
        gsize n = text_char(lx->p, lx->end);
        g_string_append_len(out, lx->p, n);
        lx->p += n;
    }
    if (out->len > at)
        words_raw(w, out->str + at, out->len - at);
}

/* "<<" and the white space behind it belong to the name that follows. */
static void read_heredoc_sign(struct lexer *lx, GString *out, struct words *w)
{
    const char *stop = text_skip_space(lx->p + 2, lx->end);
    g_string_append_len(out, lx->p, stop - lx->p);
    words_raw(w, lx->p, stop - lx->p);
    lx->p = stop;
}

/* Reads one item: a quoted text, a substitution, an escaped or a plain character. */
static gboolean read_item(struct lexer *lx, GString *out, struct words *w)
{
    gsize at = out->len;
    char c = *lx->p;
    gboolean quotes = !lx->x->ignore_quotes;
    if (c == '$') {
        if (!read_dollar(lx, out))
            return FALSE;
        words_split(w, out->str + at, out->len - at);
    } else if (quotes && (c == '\'' || c == '"')) {
        if (!(c == '"' ? read_double_quoted(lx, out) : read_single_quoted(lx, out)))
            return FALSE;
        words_raw(w, out->str + at, out->len - at);
    } else if (c == lx->x->escape) {
        read_escaped(lx, out, w);
    } else if (lx->x->heredocs && c == '<' && lx->end - lx->p > 1 && lx->p[1] == '<') {
        read_heredoc_sign(lx, out, w);
    } else {
        gsize n = text_char(lx->p, lx->end);
        g_string_append_len(out, lx->p, n);
        words_split(w, lx->p, n);
        lx->p += n;
    }
    return check_size(lx, out);
}

/* Reads up to an unquoted stop, which is consumed, or to the end when stop is 0. */
static gboolean read_until(struct lexer *lx, char stop, GString *out, struct words *w)
{
    while (lx->p < lx->end) {
        if (stop && *lx->p == stop) {
            lx->p++;
            return TRUE;
        }
        if (!read_item(lx, out, w))
            return FALSE;
    }
    if (!stop)
        return TRUE;
    return fail_brace(lx);
}

static gboolean run_expansion(const struct expand *x, const char *text, GString *out,
                              struct words *w, GError **err)
{
    struct lexer lx = {.x = x,
                       .p = text,
                       .end = text + strlen(text),
                       .raw_escapes = x->raw_escapes,
                       .max = x->max ? x->max : EXPAND_MAX_WORD,
                       .err = err};
    if (read_until(&lx, 0, out, w))
        return TRUE;
    g_autofree char *shown = g_strndup(text, MIN(strlen(text), 100));
    g_prefix_error(err, "failed to process \"%s\": ", shown);
    return FALSE;
}

char *expand_word(const struct expand *x, const char *word, GError **err)
{
    /* Most words have nothing to do. */
    const char special[] = {'$', '\'', '"', x->escape, '\0'};
    gsize plain = strcspn(word, special);
    if (!word[plain] && plain <= (x->max ? x->max : EXPAND_MAX_WORD))
        return g_strdup(word);
    g_autoptr(GString) out = g_string_new(NULL);
    if (!run_expansion(x, word, out, NULL, err))
        return NULL;
    return g_string_free(g_steal_pointer(&out), FALSE);
}

char **expand_words(const struct expand *x, const char *text, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GString) word = g_string_new(NULL);
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    struct words w = {.list = list, .word = word};
    if (!run_expansion(x, text, out, &w, err))
        return NULL;
    words_close(&w);
    g_ptr_array_add(list, NULL);
    char **words = (char **)g_ptr_array_steal(list, NULL);
    return words;
}
