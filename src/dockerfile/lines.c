#include "dockerfile/parse.h"
#include "dockerfile/parser.h"
#include "text/space.h"

gboolean reader_next(struct reader *r, struct line *out)
{
    if (r->p >= r->end)
        return FALSE;
    const char *nl = memchr(r->p, '\n', r->end - r->p);
    out->start = r->p;
    out->next = nl ? nl + 1 : r->end;
    out->stop = out->next;
    while (out->stop > out->start && (out->stop[-1] == '\n' || out->stop[-1] == '\r'))
        out->stop--;
    out->number = ++r->line;
    r->p = out->next;
    return TRUE;
}

/* A line continues if its last character (apart from blanks) is one escape character, not two. *cut
 * gets where the escape character is. */
static gboolean continues(const char *start, const char *stop, char escape, const char **cut)
{
    const char *p = stop;
    while (p > start && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    if (p == start || p[-1] != escape || (p - start >= 2 && p[-2] == escape)) {
        *cut = stop;
        return FALSE;
    }
    *cut = p - 1;
    return TRUE;
}

static void join_piece(struct parser *ps, const struct line *l, const char *start, const char *cut)
{
    if (ps->joined->len > DOCKERFILE_MAX_INSTRUCTION)
        return; /* reported when the end is reached */
    struct segment s = {ps->joined->len, l->number, start - l->start + 1};
    g_array_append_val(ps->segments, s);
    g_string_append_len(ps->joined, start, cut - start);
}

/* Drops the first n bytes of the text from the segments. */
static void shift_segments(GArray *segments, gsize n)
{
    guint keep = 0;
    for (guint i = 1; i < segments->len; i++)
        if (g_array_index(segments, struct segment, i).offset <= n)
            keep = i;
    g_array_remove_range(segments, 0, keep);
    for (guint i = 0; i < segments->len; i++) {
        struct segment *s = &g_array_index(segments, struct segment, i);
        s->col += n > s->offset ? n - s->offset : 0;
        s->offset = s->offset > n ? s->offset - n : 0;
    }
}

/* Ends the joined text: trims it and gives it to ins. */
static gboolean finish_text(struct parser *ps, struct instruction *ins)
{
    const char *text = ps->joined->str, *end = text + ps->joined->len;
    const char *start = text_skip_space(text, end);
    end = text_trim_end(start, end);
    if (start == end)
        return FALSE;
    if (start > text)
        shift_segments(ps->segments, start - text);
    ins->text = arena_strndup(ps->arena, start, end - start);
    ins->segments =
        arena_copy(ps->arena, ps->segments->data, ps->segments->len, sizeof(struct segment));
    ins->n_segments = ps->segments->len;
    if (ps->joined->len > DOCKERFILE_MAX_INSTRUCTION) {
        diags_error(ps->diags, instruction_span(ins, 0, 1), "instruction is longer than %d bytes",
                    DOCKERFILE_MAX_INSTRUCTION);
        return FALSE;
    }
    return TRUE;
}

gboolean parse_join(struct parser *ps, const struct line *l, struct instruction *ins)
{
    struct line cur = *l;
    const char *start = text_skip_space(cur.start, cur.stop), *cut;
    g_string_truncate(ps->joined, 0);
    g_array_set_size(ps->segments, 0);
    ins->first_line = l->number;
    gboolean more = continues(start, cur.stop, ps->df->escape, &cut);
    join_piece(ps, &cur, start, cut);
    while (more && reader_next(&ps->reader, &cur)) {
        const char *p = text_skip_space(cur.start, cur.stop);
        if (p < cur.stop && *p == '#')
            continue;
        if (p == cur.stop) {
            ins->blank_line = ins->blank_line ? ins->blank_line : cur.number;
            continue;
        }
        more = continues(cur.start, cur.stop, ps->df->escape, &cut);
        join_piece(ps, &cur, cur.start, cut);
    }
    ins->last_line = ps->reader.line;
    return finish_text(ps, ins);
}
