#include "lint/jsonform.h"

#include <string.h>

#define MAX_WORDS 1000

static gboolean takes_array(const struct instruction *ins)
{
    switch (ins->kind) {
    case INSTRUCTION_RUN:
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
    case INSTRUCTION_VOLUME:
    case INSTRUCTION_COPY:
    case INSTRUCTION_ADD:
        return TRUE;
    default:
        return FALSE;
    }
}

static const char *const quotes[][2] = {{"'", "'"}, {"\"", "\""}, {"“", "”"}, {"‘", "’"}};

/* Takes one word of any quotes, or none, and what is behind it up to the next. */
static char *take_word(const char **p)
{
    const char *s = *p + strspn(*p, " \t,"), *end = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(quotes); i++) {
        if (!g_str_has_prefix(s, quotes[i][0]))
            continue;
        s += strlen(quotes[i][0]);
        end = strstr(s, quotes[i][1]);
        *p = end ? end + strlen(quotes[i][1]) : s + strlen(s);
        return g_strndup(s, end ? (gsize)(end - s) : strlen(s));
    }
    gsize n = strcspn(s, ", \t");
    *p = s + n;
    return g_strndup(s, n);
}

static gboolean begins_quoted(const char *s)
{
    for (guint i = 0; i < G_N_ELEMENTS(quotes); i++)
        if (g_str_has_prefix(s, quotes[i][0]))
            return TRUE;
    return FALSE;
}

/* "[ x ]" is the shell's test, unless a comma follows its first word, which has quotes; but "[x" is
 * the name of no program. */
static gboolean is_test(const char *text)
{
    const char *p = text + 1 + strspn(text + 1, " \t");
    if (p == text + 1)
        return *p == '[';
    if (!begins_quoted(p))
        return TRUE;
    g_free(take_word(&p));
    return p[strspn(p, " \t")] != ',';
}

/* What stands between the brackets, newly allocated; NULL: the shell's test, or no brackets. */
static char *inner_text(const struct instruction *ins)
{
    const char *text = ins->rest;
    gsize len = strlen(text);
    if (!takes_array(ins) || ins->json || len < 3 || text[0] != '[' || text[len - 1] != ']' ||
        strpbrk(text, "\n;|&") || is_test(text))
        return NULL;
    return g_strstrip(g_strndup(text + 1, len - 2));
}

char *jsonform_fix(const struct instruction *ins)
{
    g_autofree char *inner = inner_text(ins);
    if (!inner)
        return NULL;
    GString *out = g_string_new("[");
    const char *p = inner;
    for (guint n = 0; n < MAX_WORDS && p[strspn(p, " \t,")]; n++) {
        g_autofree char *word = take_word(&p);
        g_string_append(out, n > 0 ? ", \"" : "\"");
        for (const char *c = word; *c; c++)
            g_string_append_printf(out, "%s%c", *c == '"' ? "\\" : "", *c);
        g_string_append_c(out, '"');
    }
    g_string_append_c(out, ']');
    return g_string_free(out, FALSE);
}

const char *jsonform_fault(const struct instruction *ins)
{
    if (strchr(ins->rest, '\''))
        return "single quotes";
    if (strstr(ins->rest, "“") || strstr(ins->rest, "”"))
        return "curly quotes";
    return strchr(ins->rest, '"') ? "a comma or quote is wrong" : "no quotes";
}
