#include "dockerfile/parse.h"
#include "dockerfile/parser.h"
#include "text/space.h"

/* Links w to the heredoc h if w is the word `<<NAME` that opens it. */
static void link_heredoc(struct parser *ps, const struct instruction *ins, struct word *w,
                         const struct heredoc *h)
{
    if (h->span.line != w->span.line || h->span.col != w->span.col)
        return;
    w->heredoc = h;
    if (h->span.len == w->span.len)
        return;
    diags_error(ps->diags, h->span, "the name of a heredoc must immediately follow << in %s",
                instruction_name(ins->kind));
    diags_hint(ps->diags, "write <<%s%s", h->chomp ? "-" : "", h->name);
}

/* Gives COPY's and ADD's heredoc sources their contents; a destination cannot be one. */
static void link_heredocs(struct parser *ps, struct instruction *ins)
{
    gboolean copies = ins->kind == INSTRUCTION_COPY || ins->kind == INSTRUCTION_ADD;
    if (!copies || ins->n_heredocs == 0)
        return;
    struct word *words = (struct word *)ps->words->data;
    for (guint i = 0; i < ps->words->len; i++)
        for (guint k = 0; k < ins->n_heredocs && strstr(words[i].text, "<<"); k++)
            link_heredoc(ps, ins, &words[i], &ins->heredocs[k]);
    struct word *last = &words[ps->words->len - 1];
    if (last->heredoc)
        diags_error(ps->diags, last->span, "%s cannot accept a heredoc as a destination",
                    instruction_name(ins->kind));
}

static void split_keyword(struct parser *ps, struct instruction *ins)
{
    gsize n = strcspn(ins->text, " \t\v\f\r");
    ins->keyword = arena_strndup(ps->arena, ins->text, n);
    ins->span = instruction_span(ins, 0, n);
    ins->kind = parse_kind(ins->keyword);
    gsize rest = ins->kind == INSTRUCTION_UNKNOWN ? n : parse_flags(ps, ins, n);
    ins->rest = text_skip_space(ins->text + rest, ins->text + strlen(ins->text));
}

static void reset(struct parser *ps)
{
    g_array_set_size(ps->flags, 0);
    g_array_set_size(ps->words, 0);
    g_array_set_size(ps->pairs, 0);
    g_array_set_size(ps->heredocs, 0);
    ps->overfull = FALSE;
}

void parse_instruction(struct parser *ps, struct instruction *ins)
{
    reset(ps);
    split_keyword(ps, ins);
    ins->flags = arena_copy(ps->arena, ps->flags->data, ps->flags->len, sizeof(struct flag));
    ins->n_flags = ps->flags->len;
    parse_form(ps, ins);
    if (ins->trigger)
        return; /* the lists are the trigger's */
    parse_heredocs(ps, ins);
    link_heredocs(ps, ins);
    if (ins->kind != INSTRUCTION_ARG && ins->kind != INSTRUCTION_ENV &&
        ins->kind != INSTRUCTION_LABEL) {
        ins->words = arena_copy(ps->arena, ps->words->data, ps->words->len, sizeof(struct word));
        ins->n_words = ps->words->len;
    }
    ins->pairs = arena_copy(ps->arena, ps->pairs->data, ps->pairs->len, sizeof(struct pair));
    ins->n_pairs = ps->pairs->len;
}
