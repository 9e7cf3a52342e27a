#include "dockerfile/parse.h"
#include "text/space.h"

#define JSON_MAX_DEPTH 64

/* A reader of JSON that only needs to tell what it sees and to decode the strings of the outer
 * array. */
struct json {
    const char *p;
    GString *string; /* the string read last */
    gboolean nul;    /* a string held \u0000 */
};

static void skip_blanks(struct json *j)
{
    while (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r')
        j->p++;
}

/* Four hex digits; -1 when there are not. */
static int read_hex4(struct json *j)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int d = g_ascii_xdigit_value(*j->p);
        if (d < 0)
            return -1;
        v = v << 4 | d;
        j->p++;
    }
    return v;
}

/* Behind "\u". Lone halves of surrogate pairs become U+FFFD, as in Go. */
static gboolean read_unicode(struct json *j)
{
    int hi = read_hex4(j);
    if (hi < 0)
        return FALSE;
    gunichar c = hi;
    if (hi >= 0xd800 && hi < 0xe000) {
        struct json ahead = *j;
        int lo = -1;
        if (hi < 0xdc00 && ahead.p[0] == '\\' && ahead.p[1] == 'u') {
            ahead.p += 2;
            lo = read_hex4(&ahead);
        }
        c = 0xfffd;
        if (lo >= 0xdc00 && lo < 0xe000) {
            c = 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
            j->p = ahead.p;
        }
    }
    j->nul |= c == 0;
    g_string_append_unichar(j->string, c);
    return TRUE;
}

static gboolean read_escape(struct json *j)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *j->p;
    if (c == 'u') {
        j->p++;
        return read_unicode(j);
    }
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return FALSE;
    g_string_append_c(j->string, to[at - from]);
    j->p++;
    return TRUE;
}

/* At the opening quote. */
static gboolean read_string(struct json *j)
{
    g_string_truncate(j->string, 0);
    j->p++;
    while (*j->p != '"') {
        if ((guchar)*j->p < 0x20)
            return FALSE;
        if (*j->p == '\\') {
            j->p++;
            if (!read_escape(j))
                return FALSE;
            continue;
        }
        gsize n = text_char(j->p, j->p + strnlen(j->p, 6));
        if (n == 1 && (guchar)*j->p >= 0x80)
            g_string_append_unichar(j->string, 0xfffd);
        else
            g_string_append_len(j->string, j->p, n);
        j->p += n;
    }
    j->p++;
    return TRUE;
}

static gboolean read_number(struct json *j)
{
    j->p += *j->p == '-';
    gsize n = strspn(j->p, "0123456789");
    if (n == 0 || (*j->p == '0' && n > 1))
        return FALSE;
    j->p += n;
    if (*j->p == '.') {
        n = strspn(j->p + 1, "0123456789");
        if (n == 0)
            return FALSE;
        j->p += 1 + n;
    }
    if (*j->p == 'e' || *j->p == 'E') {
        j->p += 1 + (j->p[1] == '+' || j->p[1] == '-');
        n = strspn(j->p, "0123456789");
        if (n == 0)
            return FALSE;
        j->p += n;
    }
    return TRUE;
}

static gboolean read_literal(struct json *j, const char *word)
{
    if (strncmp(j->p, word, strlen(word)) != 0)
        return FALSE;
    j->p += strlen(word);
    return TRUE;
}

static gboolean skip_value(struct json *j, guint depth);

/* At '[' or '{'. */
static gboolean skip_list(struct json *j, guint depth)
{
    gboolean object = *j->p++ == '{';
    char close = object ? '}' : ']';
    skip_blanks(j);
    if (*j->p == close) {
        j->p++;
        return TRUE;
    }
    for (;;) {
        skip_blanks(j);
        if (object) {
            if (*j->p != '"' || !read_string(j))
                return FALSE;
            skip_blanks(j);
            if (*j->p++ != ':')
                return FALSE;
        }
        if (!skip_value(j, depth))
            return FALSE;
        skip_blanks(j);
        if (*j->p == close) {
            j->p++;
            return TRUE;
        }
        if (*j->p++ != ',')
            return FALSE;
    }
}

static gboolean skip_value(struct json *j, guint depth)
{
    if (depth == 0)
        return FALSE;
    skip_blanks(j);
    switch (*j->p) {
    case '"':
        return read_string(j);
    case '[':
    case '{':
        return skip_list(j, depth - 1);
    case 't':
        return read_literal(j, "true");
    case 'f':
        return read_literal(j, "false");
    case 'n':
        return read_literal(j, "null");
    default:
        return read_number(j);
    }
}

/* Reads one element of the outer array; strings go to ps->words. */
static gboolean read_element(struct parser *ps, const struct instruction *ins, struct json *j,
                             gboolean *others)
{
    skip_blanks(j);
    const char *start = j->p;
    gboolean is_string = *start == '"';
    if (is_string ? !read_string(j) : !skip_value(j, JSON_MAX_DEPTH))
        return FALSE;
    *others |= !is_string;
    if (is_string && !j->nul)
        parse_add_word(ps, ins, arena_strndup(ps->arena, j->string->str, j->string->len),
                       start - ins->text, j->p - start);
    return TRUE;
}

enum json_result parse_json(struct parser *ps, const struct instruction *ins, gsize offset)
{
    guint before = ps->words->len;
    struct json j = {.p = ins->text + offset};
    if (*j.p != '[')
        return JSON_NONE;
    g_autoptr(GString) string = g_string_new(NULL);
    j.string = string;
    j.p++;
    skip_blanks(&j);
    gboolean others = FALSE, ok = TRUE, empty = *j.p == ']';
    while (ok && !empty) {
        ok = read_element(ps, ins, &j, &others);
        skip_blanks(&j);
        if (*j.p != ',')
            break;
        j.p++;
    }
    ok = ok && *j.p == ']';
    j.p += ok;
    skip_blanks(&j);
    if (!ok || *j.p) {
        g_array_set_size(ps->words, before);
        return JSON_NONE;
    }
    return others ? JSON_OTHER : j.nul ? JSON_NUL : JSON_STRINGS;
}
