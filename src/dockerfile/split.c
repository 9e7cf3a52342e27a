#include "dockerfile/parse.h"
#include "dockerfile/parser.h"
#include "text/space.h"

/* The white space between plain words; others (a no-break space) belong to the words. */
static gboolean is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static gboolean too_many(struct parser *ps, const struct instruction *ins, const GArray *list)
{
    if (list->len < DOCKERFILE_MAX_WORDS)
        return FALSE;
    if (!ps->overfull)
        parse_error(ps, ins, "%s has more than %d words", instruction_name(ins->kind),
                    DOCKERFILE_MAX_WORDS);
    ps->overfull = TRUE;
    return TRUE;
}

void parse_add_word(struct parser *ps, const struct instruction *ins, const char *text,
                    gsize offset, gsize len)
{
    if (too_many(ps, ins, ps->words))
        return;
    struct word w = {.text = text, .span = instruction_span(ins, offset, len)};
    g_array_append_val(ps->words, w);
}

/* Reads one flag word at p without its quotes and escapes; returns what follows it. */
static const char *read_flag(const char *p, const char *end, GString *out)
{
    char quote = 0;
    for (; p < end; p++) {
        if (quote ? *p == quote : *p == '\'' || *p == '"') {
            quote = quote ? 0 : *p;
            continue;
        }
        if (!quote && text_space(p, end))
            break;
        if (*p == '\\' && ++p == end)
            break;
        g_string_append_c(out, *p);
    }
    return p;
}

static void add_flag(struct parser *ps, const struct instruction *ins, const char *word,
                     gsize offset, gsize len)
{
    if (too_many(ps, ins, ps->flags))
        return;
    const char *eq = strchr(word, '=');
    struct flag f = {
        .name = arena_strndup(ps->arena, word + 2, eq ? (gsize)(eq - word) - 2 : strlen(word) - 2),
        .value = eq ? arena_strdup(ps->arena, eq + 1) : NULL,
        .span = instruction_span(ins, offset, len),
    };
    g_array_append_val(ps->flags, f);
}

gsize parse_flags(struct parser *ps, const struct instruction *ins, gsize offset)
{
    const char *end = ins->text + strlen(ins->text);
    g_autoptr(GString) word = NULL;
    for (const char *p = ins->text + offset;;) {
        p = text_skip_space(p, end);
        if (end - p < 2 || p[0] != '-' || p[1] != '-')
            return p - ins->text;
        if (!word)
            word = g_string_new(NULL);
        g_string_truncate(word, 0);
        const char *start = p;
        p = read_flag(p, end, word);
        if (strcmp(word->str, "--") == 0)
            return text_skip_space(p, end) - ins->text;
        if (strncmp(word->str, "--", 2) == 0 && word->str[2] != '=')
            add_flag(ps, ins, word->str, start - ins->text, p - start);
        else
            diags_error(ps->diags, instruction_span(ins, start - ins->text, p - start),
                        "a flag has no name");
    }
}

void parse_plain_words(struct parser *ps, const struct instruction *ins, gsize offset)
{
    for (const char *p = ins->text + offset; *p;) {
        const char *start = p;
        while (*p && !is_blank(*p))
            p++;
        parse_add_word(ps, ins, arena_strndup(ps->arena, start, p - start), start - ins->text,
                       p - start);
        while (is_blank(*p))
            p++;
    }
}

/* End of the quoted word at p; an escape character that ends the text is left out of *stop. */
static const char *quoted_end(const char *p, const char *end, char escape, const char **stop)
{
    char quote = 0;
    while (p < end && (quote || !text_space(p, end))) {
        if (*p == escape && quote != '\'') {
            if (p + 1 == end) {
                *stop = p;
                return end;
            }
            p++;
        } else if (quote ? *p == quote : *p == '\'' || *p == '"') {
            quote = quote ? 0 : *p;
        }
        p += text_char(p, end);
    }
    *stop = p;
    return p;
}

void parse_quoted_words(struct parser *ps, const struct instruction *ins, gsize offset)
{
    const char *end = ins->text + strlen(ins->text), *stop;
    for (const char *p = text_skip_space(ins->text + offset, end); p < end;
         p = text_skip_space(p, end)) {
        const char *start = p;
        p = quoted_end(p, end, ps->df->escape, &stop);
        if (stop > start)
            parse_add_word(ps, ins, arena_strndup(ps->arena, start, stop - start),
                           start - ins->text, stop - start);
    }
}
