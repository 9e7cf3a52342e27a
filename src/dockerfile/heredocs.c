#include "dockerfile/expand.h"
#include "dockerfile/parse.h"
#include "dockerfile/parser.h"
#include "text/space.h"

static guint count_quotes(const char *s)
{
    guint n = 0;
    for (; *s; s++)
        n += *s == '\'' || *s == '"';
    return n;
}

/* Reads a word of the form "[fd]<<[-]NAME" or "[fd]<< NAME". FALSE if it is not; nor is one with
 * malformed quoting of NAME. */
static gboolean read_announcement(struct parser *ps, const char *word, struct heredoc *h)
{
    gsize digits = strspn(word, "0123456789");
    const char *p = word + digits;
    if (p[0] != '<' || p[1] != '<')
        return FALSE;
    p += 2;
    gboolean chomp = *p == '-';
    p = text_skip_space(p + chomp, p + strlen(p));
    if (!*p || strchr(p, '<'))
        return FALSE;
    struct expand x = {.escape = '\\', .keep_unset = TRUE};
    g_auto(GStrv) plain = expand_words(&x, p, NULL);
    x.raw_quotes = TRUE;
    g_auto(GStrv) quoted = expand_words(&x, p, NULL);
    if (!plain || !quoted || g_strv_length(plain) != 1 || g_strv_length(quoted) != 1)
        return FALSE;
    *h = (struct heredoc){
        .name = arena_strdup(ps->arena, plain[0]),
        .expand = count_quotes(plain[0]) == count_quotes(quoted[0]),
        .chomp = chomp,
        .fd = digits && digits < 9 ? (guint)g_ascii_strtoull(word, NULL, 10) : 0,
    };
    return TRUE;
}

/* Reads lines up to the one that is the heredoc's name. */
static gboolean read_content(struct parser *ps, struct heredoc *h)
{
    struct line l;
    gsize n = strlen(h->name);
    const char *start = ps->reader.p;
    while (reader_next(&ps->reader, &l)) {
        const char *p = l.start;
        while (h->chomp && p < l.stop && *p == '\t')
            p++;
        if ((gsize)(l.stop - p) == n && memcmp(p, h->name, n) == 0) {
            h->content = arena_strndup(ps->arena, start, l.start - start);
            return TRUE;
        }
    }
    h->content = "";
    return FALSE;
}

/* FALSE when no further one can be read: too many, or the text has ended inside this one. */
static gboolean add_heredoc(struct parser *ps, struct heredoc *h)
{
    if (ps->heredocs->len == DOCKERFILE_MAX_HEREDOCS) {
        diags_error(ps->diags, h->span, "more than %d heredocs in one instruction",
                    DOCKERFILE_MAX_HEREDOCS);
        return FALSE;
    }
    gboolean closed = read_content(ps, h);
    g_array_append_val(ps->heredocs, *h);
    if (closed)
        return TRUE;
    diags_error(ps->diags, h->span, "unterminated heredoc: no line \"%s\" follows", h->name);
    if (strchr(h->name, ')'))
        diags_hint(ps->diags, "quote it if it is arithmetic, not a heredoc: \"$((1 << 3))\"");
    else if (!h->chomp)
        diags_hint(
            ps->diags,
            "the end must be alone on its line, without white space; <<-%s allows tabs before it",
            h->name);
    return FALSE;
}

void parse_heredocs(struct parser *ps, struct instruction *ins)
{
    gboolean allowed = ins->kind == INSTRUCTION_RUN || ins->kind == INSTRUCTION_COPY ||
                       ins->kind == INSTRUCTION_ADD;
    if (!allowed || ins->json || !strstr(ins->text, "<<"))
        return;
    struct expand x = {.escape = '\\',
                       .raw_quotes = TRUE,
                       .raw_escapes = TRUE,
                       .heredocs = TRUE,
                       .keep_unset = TRUE,
                       .max = 2 * DOCKERFILE_MAX_INSTRUCTION};
    g_auto(GStrv) words = expand_words(&x, ins->text, NULL);
    const char *from = ins->text;
    for (char **w = words; w && *w; w++) {
        struct heredoc h;
        if (!read_announcement(ps, *w, &h))
            continue;
        const char *at = strstr(from, *w);
        if (at)
            from = at + strlen(*w);
        h.span = at ? instruction_span(ins, at - ins->text, strlen(*w)) : ins->span;
        if (!add_heredoc(ps, &h))
            break;
    }
    ins->heredocs =
        arena_copy(ps->arena, ps->heredocs->data, ps->heredocs->len, sizeof(struct heredoc));
    ins->n_heredocs = ps->heredocs->len;
    ins->last_line = ps->reader.line;
}
