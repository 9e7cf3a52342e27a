#include "bake/regexsyntax.h"

#include "base/error.h"
#include "text/space.h"

#include <string.h>

#define GROUPS_MAX 200  /* within each other */
#define REPEAT_MAX 1000 /* of {n}, also of one within another */

/* What is known of the group that is being read. */
struct level {
    gboolean lazy;  /* flag U */
    gboolean lines; /* flag m */
    gboolean dots;  /* flag s */
    guint repeats;  /* the greatest product of counts so far within it */
};

struct reader {
    const char *start, *p, *end; /* the pattern, the next byte, behind the last */
    GString *out;                /* for PCRE2 */
    GPtrArray *names;            /* of groups */
    struct level level[GROUPS_MAX + 1];
    guint depth;        /* the current level */
    gboolean item;      /* there is something that can be repeated */
    gboolean repeated;  /* it is repeated already */
    gsize item_at;      /* where it begins in out */
    guint item_repeats; /* the greatest product of counts within it */
    GError **err;
};

static gboolean regex_fail(struct reader *r, const char *from, const char *why)
{
    gsize len = (gsize)(r->p - from);
    return error_set(r->err, VARVE_ERROR_INVALID, "invalid regular expression: %s: \"%.*s\"", why,
                     (int)MIN(len, 100), from);
}

static gboolean peek(const struct reader *r, const char *s)
{
    gsize n = strlen(s);
    return (gsize)(r->end - r->p) >= n && memcmp(r->p, s, n) == 0;
}

static gunichar pattern_char(struct reader *r)
{
    gunichar c = (guchar)*r->p < 0x80 ? (guchar)*r->p : g_utf8_get_char(r->p);
    r->p += text_char(r->p, r->end);
    return c;
}

/* A new item begins in out. */
static void item_begin(struct reader *r)
{
    r->item = TRUE;
    r->repeated = FALSE;
    r->item_at = r->out->len;
    r->item_repeats = 1;
}

/* An item that is written for PCRE2 already. */
static void item_put(struct reader *r, const char *pcre)
{
    item_begin(r);
    g_string_append(r->out, pcre);
}

static void char_put(GString *out, gunichar c)
{
    if (c < 0x80 && g_ascii_isalnum((char)c))
        g_string_append_c(out, (char)c);
    else
        g_string_append_printf(out, "\\x{%x}", c);
}

static gboolean hex_read(struct reader *r, const char *from, gunichar *c)
{
    gboolean braces = peek(r, "{");
    gsize n = 0;
    *c = 0;
    r->p += braces;
    for (; r->p < r->end && g_ascii_isxdigit(*r->p) && (braces || n < 2); n++, r->p++) {
        *c = *c * 16 + (gunichar)g_ascii_xdigit_value(*r->p);
        if (*c > 0x10ffff)
            return regex_fail(r, from, "invalid escape sequence");
    }
    if (n == 0 || (!braces && n < 2) || (braces && !peek(r, "}")))
        return regex_fail(r, from, "invalid escape sequence");
    r->p += braces;
    if (*c >= 0xd800 && *c < 0xe000)
        return regex_fail(r, from, "no text has a surrogate");
    return TRUE;
}

static gboolean octal_read(struct reader *r, const char *from, gunichar first, gunichar *c)
{
    gboolean more = r->p < r->end && *r->p >= '0' && *r->p <= '7';
    if (first != '0' && !more)
        return regex_fail(r, from, "backreferences are not supported");
    *c = first - '0';
    for (guint i = 0; i < 2 && r->p < r->end && *r->p >= '0' && *r->p <= '7'; i++)
        *c = *c * 8 + (gunichar)(*r->p++ - '0');
    return TRUE;
}

/* The character that an escape means; r->p is behind the backslash, at from. */
static gboolean escape_read(struct reader *r, const char *from, gunichar *c)
{
    static const char LETTERS[] = "afnrtv", MEANT[] = "\a\f\n\r\t\v";
    if (r->p == r->end)
        return regex_fail(r, from, "a backslash at the end");
    gunichar ch = pattern_char(r);
    const char *letter = ch && ch < 0x80 ? strchr(LETTERS, (int)ch) : NULL;
    if (letter)
        *c = (gunichar)MEANT[letter - LETTERS];
    else if (ch == 'x')
        return hex_read(r, from, c);
    else if (ch >= '0' && ch <= '7')
        return octal_read(r, from, ch, c);
    else if (ch < 0x80 && !g_ascii_isalnum((char)ch))
        *c = ch;
    else
        return regex_fail(r, from,
                          ch == '8' || ch == '9' ? "backreferences are not supported"
                                                 : "invalid escape sequence");
    return TRUE;
}

/* What \d, \w and \s are within a class of PCRE2, and what their opposites are; NULL: no such. */
static const char *perl_class(char c)
{
    switch (c) {
    case 'd':
        return "0-9";
    case 'D':
        return "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}";
    case 'w':
        return "0-9A-Za-z_";
    case 'W':
        return "\\x{0}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{5e}\\x{60}\\x{7b}-\\x{10ffff}";
    case 's':
        return "\\x{9}\\x{a}\\x{c}\\x{d}\\x{20}";
    case 'S':
        return "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}";
    default:
        return NULL;
    }
}

/* Whether it may be "Any", a general category such as "L" or "Lu", or a script's name, which only
 * PCRE2 knows all of. */
static gboolean property_known(const char *word)
{
    gsize len = strlen(word), letters = 0;
    while (g_ascii_isalpha(word[letters]) || (letters > 0 && word[letters] == '_'))
        letters++;
    return len > 0 && letters == len && (len > 2 || strchr("CLMNPSZclmnpsz", *word));
}

/* "\pL", "\p{Greek}", "\P{^Lu}": a category or a script. At the 'p' or 'P'. */
static gboolean property_read(struct reader *r, GString *out)
{
    const char *from = r->p - 1;
    gboolean negated = *r->p++ == 'P';
    g_autofree char *name = NULL;
    if (peek(r, "{")) {
        const char *close = memchr(r->p, '}', (gsize)(r->end - r->p));
        if (!close)
            return regex_fail(r, from, "invalid character class range");
        name = g_strndup(r->p + 1, (gsize)(close - r->p - 1));
        r->p = close + 1;
    } else if (r->p < r->end) {
        name = g_strndup(r->p, 1);
        pattern_char(r);
    }
    const char *word = name ? name : "";
    if (*word == '^') {
        negated = !negated;
        word++;
    }
    if (!property_known(word))
        return regex_fail(r, from, "no such character class");
    gboolean script = strlen(word) > 2 && g_ascii_strcasecmp(word, "Any") != 0;
    g_string_append_printf(out, "\\%c{%s%s}", negated ? 'P' : 'p', script ? "sc:" : "", word);
    return TRUE;
}

/* "[:alpha:]" or "[:^alpha:]" within a class: ASCII only. FALSE: it is none (then no error), or
 * there is no such. */
static gboolean posix_read(struct reader *r, GString *out, gboolean *is)
{
    static const char *const NAMES[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                        "digit", "graph", "lower", "print", "punct",
                                        "space", "upper", "word",  "xdigit"};
    const char *close = memmem(r->p + 2, (gsize)(r->end - r->p - 2), ":]", 2);
    *is = close != NULL;
    if (!close)
        return TRUE;
    const char *from = r->p, *name = r->p + 2;
    gboolean negated = *name == '^';
    name += negated;
    r->p = close + 2;
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        if (strlen(NAMES[i]) == (gsize)(close - name) && g_str_has_prefix(name, NAMES[i])) {
            g_string_append_printf(out, "[:%s%s:]", negated ? "^" : "", NAMES[i]);
            return TRUE;
        }
    return regex_fail(r, from, "no such character class");
}

static gboolean class_char(struct reader *r, const char *from, gunichar *c)
{
    if (r->p == r->end)
        return regex_fail(r, from, "missing closing ]");
    if (*r->p == '\\') {
        const char *escape = r->p++;
        return escape_read(r, escape, c);
    }
    *c = pattern_char(r);
    return TRUE;
}

/* One character or a range. */
static gboolean class_range(struct reader *r, const char *from, GString *out)
{
    const char *at = r->p;
    gunichar low, high;
    if (!class_char(r, from, &low))
        return FALSE;
    high = low;
    if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
        r->p++;
        if (!class_char(r, from, &high))
            return FALSE;
        if (high < low)
            return regex_fail(r, at, "invalid character class range");
    }
    char_put(out, low);
    if (high != low) {
        g_string_append_c(out, '-');
        char_put(out, high);
    }
    return TRUE;
}

static gboolean class_part(struct reader *r, const char *from, GString *out)
{
    gboolean posix = FALSE;
    if (peek(r, "[:") && !posix_read(r, out, &posix))
        return FALSE;
    if (posix)
        return TRUE;
    if (*r->p == '\\' && r->end - r->p >= 2) {
        const char *perl = perl_class(r->p[1]);
        if (perl) {
            g_string_append(out, perl);
            r->p += 2;
            return TRUE;
        }
        if (r->p[1] == 'p' || r->p[1] == 'P') {
            r->p++;
            return property_read(r, out);
        }
    }
    return class_range(r, from, out);
}

/* "[…]"; r->p is at the bracket. */
static gboolean class_read(struct reader *r)
{
    const char *from = r->p++;
    gboolean negated = peek(r, "^");
    r->p += negated;
    item_put(r, negated ? "[^" : "[");
    for (gboolean first = TRUE; first || !peek(r, "]"); first = FALSE) {
        if (r->p == r->end)
            return regex_fail(r, from, "missing closing ]");
        if (!class_part(r, from, r->out))
            return FALSE;
    }
    r->p++;
    g_string_append_c(r->out, ']');
    return TRUE;
}

/* The flags themselves; *fold is what PCRE2 needs for 'i'. r->p stops at ')' or ':'. */
static gboolean flags_letters(struct reader *r, const char *from, struct level *l,
                              const char **fold)
{
    gboolean on = TRUE, some = FALSE;
    for (; r->p < r->end && *r->p != ')' && *r->p != ':'; r->p++) {
        char c = *r->p;
        gboolean *flag = c == 'm' ? &l->lines : c == 's' ? &l->dots : c == 'U' ? &l->lazy : NULL;
        if (flag)
            *flag = on;
        else if (c == 'i')
            *fold = on ? "i" : "-i";
        else if (c != '-' || !on)
            return regex_fail(r, from, "invalid or unsupported Perl syntax");
        on = on && c != '-';
        some = c != '-';
    }
    if (r->p == r->end || (!on && !some))
        return regex_fail(r, from, "missing flag or closing )");
    return TRUE;
}

/* "(?i-s)" or "(?i-s:", behind the '?'. */
static gboolean flags_read(struct reader *r, const char *from)
{
    struct level now = r->level[r->depth];
    const char *fold = "";
    if (!flags_letters(r, from, &now, &fold))
        return FALSE;
    gboolean group = *r->p++ == ':';
    if (group && r->depth == GROUPS_MAX)
        return regex_fail(r, from, "groups nest too deeply");
    if (group || *fold)
        g_string_append_printf(r->out, "(?%s%c", fold, group ? ':' : ')');
    r->depth += group;
    now.repeats = group ? 1 : now.repeats;
    r->level[r->depth] = now;
    r->item = FALSE;
    return TRUE;
}

/* The name of "(?P<name>" or "(?<name>"; r->p is at it. */
static gboolean name_read(struct reader *r, const char *from)
{
    const char *name = r->p;
    while (r->p < r->end && (g_ascii_isalnum(*r->p) || *r->p == '_'))
        r->p++;
    if (r->p == name || !peek(r, ">"))
        return regex_fail(r, from, "invalid named capture");
    g_autofree char *copy = g_strndup(name, (gsize)(r->p++ - name));
    g_ptr_array_add(r->names, g_steal_pointer(&copy));
    return TRUE;
}

/* A group, a flag, or what is refused. begins takes where the group begins in out, by its level. */
static gboolean group_open(struct reader *r, gsize *begins)
{
    const char *from = r->p++;
    gboolean named = peek(r, "?P<") || (peek(r, "?<") && !peek(r, "?<=") && !peek(r, "?<!"));
    begins[r->depth + 1] = r->out->len;
    if (named) {
        r->p = (const char *)memchr(r->p, '<', (gsize)(r->end - r->p)) + 1;
        if (!name_read(r, from))
            return FALSE;
    } else if (peek(r, "?")) {
        r->p++;
        if (peek(r, "=") || peek(r, "!") || peek(r, "<")) {
            r->p++;
            return regex_fail(r, from, "look-around is not supported");
        }
        return flags_read(r, from);
    } else {
        g_ptr_array_add(r->names, NULL);
    }
    if (r->depth == GROUPS_MAX)
        return regex_fail(r, from, "groups nest too deeply");
    r->level[r->depth + 1] = r->level[r->depth];
    r->level[++r->depth].repeats = 1;
    g_string_append_c(r->out, '(');
    r->item = FALSE;
    return TRUE;
}

static gboolean group_close(struct reader *r, const gsize *begins)
{
    const char *from = r->p++;
    if (r->depth == 0)
        return regex_fail(r, from, "unexpected )");
    guint repeats = r->level[r->depth].repeats;
    g_string_append_c(r->out, ')');
    item_begin(r);
    r->item_at = begins[r->depth--];
    r->item_repeats = repeats;
    r->level[r->depth].repeats = MAX(r->level[r->depth].repeats, repeats);
    return TRUE;
}

/* "{n}", "{n,}" or "{n,m}" at r->p; FALSE when it is not one, and means itself. */
static gboolean count_read(struct reader *r, gint64 *low, gint64 *high)
{
    const char *p = r->p + 1;
    char *behind;
    if (p == r->end || !g_ascii_isdigit(*p) || (*p == '0' && g_ascii_isdigit(p[1])))
        return FALSE;
    *high = *low = g_ascii_strtoll(p, &behind, 10);
    if (*behind == ',') {
        p = behind + 1;
        *high = -1;
        behind = (char *)p;
        if (g_ascii_isdigit(*p) && !(*p == '0' && g_ascii_isdigit(p[1])))
            *high = g_ascii_strtoll(p, &behind, 10);
    }
    if (*behind != '}')
        return FALSE;
    r->p = behind + 1;
    return TRUE;
}

static gboolean repeat_check(struct reader *r, const char *from, gint64 low, gint64 high)
{
    if (low > REPEAT_MAX || high > REPEAT_MAX || (high >= 0 && high < low))
        return regex_fail(r, from, "invalid repeat count");
    r->item_repeats *= (guint)MAX(MAX(low, high), 1);
    if (r->item_repeats > REPEAT_MAX)
        return regex_fail(r, from, "invalid repeat count");
    return TRUE;
}

/* '*', '+', '?' or a count, as it is for PCRE2, and what makes it lazy. */
static gboolean repeat_read(struct reader *r)
{
    const char *from = r->p;
    gint64 low = -1, high = -1;
    if (*r->p != '{')
        r->p++;
    else if (!count_read(r, &low, &high))
        return FALSE;
    gsize len = (gsize)(r->p - from);
    gboolean lazy = peek(r, "?");
    r->p += lazy;
    if (!r->item)
        return regex_fail(r, from, "missing argument to repetition operator");
    if (r->repeated)
        return regex_fail(r, from, "invalid nested repetition operator");
    if (!repeat_check(r, from, low, high))
        return FALSE;
    g_string_append_len(r->out, from, (gssize)len);
    if (lazy != r->level[r->depth].lazy)
        g_string_append_c(r->out, '?');
    r->repeated = TRUE;
    struct level *l = &r->level[r->depth];
    l->repeats = MAX(l->repeats, r->item_repeats);
    return TRUE;
}

static void literal_put(struct reader *r, gunichar c)
{
    item_begin(r);
    char_put(r->out, c);
}

/* "\Q…\E", behind the Q; without \E up to the end. */
static void quoted_read(struct reader *r)
{
    while (r->p < r->end && !peek(r, "\\E"))
        literal_put(r, pattern_char(r));
    if (r->p < r->end)
        r->p += 2;
}

#define WORD "[0-9A-Za-z_]"

static gboolean backslash_read(struct reader *r)
{
    const char *from = r->p++;
    char next = r->p < r->end ? *r->p : '\0';
    const char *perl = perl_class(next);
    gunichar c;
    if (perl) {
        item_begin(r);
        g_string_append_printf(r->out, "[%s]", perl);
    } else if (next == 'p' || next == 'P') {
        item_begin(r);
        return property_read(r, r->out);
    } else if (next == 'b') {
        item_put(r, "(?:(?<!" WORD ")(?=" WORD ")|(?<=" WORD ")(?!" WORD "))");
    } else if (next == 'B') {
        item_put(r, "(?:(?<!" WORD ")(?!" WORD ")|(?<=" WORD ")(?=" WORD "))");
    } else if (next == 'A' || next == 'z') {
        item_put(r, next == 'A' ? "(?:\\A)" : "(?:\\z)");
    } else if (next == 'Q') {
        r->p++;
        quoted_read(r);
        return TRUE;
    } else if (escape_read(r, from, &c)) {
        literal_put(r, c);
        return TRUE;
    } else {
        return FALSE;
    }
    r->p++;
    return TRUE;
}

/* One item, operator or bracket of the pattern. */
static gboolean piece_read(struct reader *r, gsize *begins)
{
    const struct level *l = &r->level[r->depth];
    gunichar c;
    switch (*r->p) {
    case '(':
        return group_open(r, begins);
    case ')':
        return group_close(r, begins);
    case '[':
        return class_read(r);
    case '\\':
        return backslash_read(r);
    case '*':
    case '+':
    case '?':
        return repeat_read(r);
    case '{':
        if (repeat_read(r) || *r->err)
            return *r->err == NULL;
        break;
    case '|':
        g_string_append_c(r->out, *r->p++);
        r->item = FALSE;
        return TRUE;
    default:
        break;
    }
    c = pattern_char(r);
    if (c == '.')
        item_put(r, l->dots ? "(?s:.)" : "[^\\n]");
    else if (c == '^')
        item_put(r, l->lines ? "(?:(?<![^\\n]))" : "(?:\\A)");
    else if (c == '$')
        item_put(r, l->lines ? "(?:(?![^\\n]))" : "(?:\\z)");
    else
        literal_put(r, c);
    return TRUE;
}

char *regex_translate(struct text pattern, GPtrArray *names, GError **err)
{
    gsize begins[GROUPS_MAX + 2];
    GError *why = NULL;
    g_autoptr(GString) out = g_string_sized_new(pattern.len);
    struct reader r = {.start = pattern.bytes,
                       .p = pattern.bytes,
                       .end = pattern.bytes + pattern.len,
                       .out = out,
                       .names = names,
                       .err = &why};
    r.level[0].repeats = 1;
    while (!why && r.p < r.end)
        if (!piece_read(&r, begins))
            break;
    if (!why && r.depth > 0)
        regex_fail(&r, r.start, "missing closing )");
    if (why) {
        g_propagate_error(err, why);
        return NULL;
    }
    return g_strdup(out->str);
}
