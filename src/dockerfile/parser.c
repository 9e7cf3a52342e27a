#include "dockerfile/parser.h"

#include "dockerfile/parse.h"
#include "text/space.h"

static const char bom[] = "\xef\xbb\xbf";

/* Refuses texts whose size, bytes or lines are impossible in a Dockerfile. */
static gboolean check_text(struct diags *d, const char *text, gsize len)
{
    if (len > DOCKERFILE_MAX_BYTES) {
        diags_error(d, (struct span){0}, "the file is larger than %d MiB",
                    DOCKERFILE_MAX_BYTES >> 20);
        return FALSE;
    }
    const char *nul = memchr(text, '\0', len);
    struct reader r = {.p = text, .end = text + len};
    struct line l;
    while (reader_next(&r, &l)) {
        if (nul && nul < l.next) {
            diags_error(d, (struct span){l.number, nul - l.start + 1, 1},
                        "a NUL byte in a Dockerfile");
            diags_hint(d, "the file is not text, or it is UTF-16: save it as UTF-8");
            return FALSE;
        }
        if (l.stop - l.start > DOCKERFILE_MAX_LINE) {
            diags_error(d, (struct span){l.number, DOCKERFILE_MAX_LINE + 1, 1},
                        "the line is longer than %d bytes", DOCKERFILE_MAX_LINE);
            return FALSE;
        }
    }
    return TRUE;
}

static void parser_init(struct parser *ps, const char *name, struct diags *d)
{
    struct arena *a = arena_new();
    *ps = (struct parser){
        .arena = a,
        .diags = d,
        .df = arena_new_of(a, struct dockerfile),
        .instructions = g_ptr_array_new(),
        .comments = g_ptr_array_new(),
        .joined = g_string_new(NULL),
        .segments = g_array_new(FALSE, FALSE, sizeof(struct segment)),
        .flags = g_array_new(FALSE, FALSE, sizeof(struct flag)),
        .words = g_array_new(FALSE, FALSE, sizeof(struct word)),
        .pairs = g_array_new(FALSE, FALSE, sizeof(struct pair)),
        .heredocs = g_array_new(FALSE, FALSE, sizeof(struct heredoc)),
    };
    ps->df->arena = a;
    ps->df->name = arena_strdup(a, name);
    ps->df->escape = '\\';
}

/* All but the tree. */
static void parser_clear(struct parser *ps)
{
    g_ptr_array_unref(ps->instructions);
    g_ptr_array_unref(ps->comments);
    g_string_free(ps->joined, TRUE);
    g_array_unref(ps->segments);
    g_array_unref(ps->flags);
    g_array_unref(ps->words);
    g_array_unref(ps->pairs);
    g_array_unref(ps->heredocs);
}

/* As in BuildKit, comments belong to the instruction below them despite empty lines; an empty
 * comment separates them. */
static void add_comment(struct parser *ps, const struct line *l, const char *sign)
{
    const char *start = text_skip_space(sign + 1, l->stop);
    const char *end = text_trim_end(start, l->stop);
    if (start == end)
        g_ptr_array_set_size(ps->comments, 0);
    else if (ps->comments->len < 1000)
        g_ptr_array_add(ps->comments, arena_strndup(ps->arena, start, end - start));
}

/* Joins and parses the instruction that begins with l. */
static void read_instruction(struct parser *ps, const struct line *l)
{
    struct instruction *ins = arena_new_of(ps->arena, struct instruction);
    if (!parse_join(ps, l, ins))
        return;
    ins->comments = arena_copy(ps->arena, ps->comments->pdata, ps->comments->len, sizeof(char *));
    ins->n_comments = ps->comments->len;
    g_ptr_array_set_size(ps->comments, 0);
    parse_instruction(ps, ins);
    g_ptr_array_add(ps->instructions, ins);
    if (ps->instructions->len > DOCKERFILE_MAX_INSTRUCTIONS)
        parse_error(ps, ins, "more than %d instructions", DOCKERFILE_MAX_INSTRUCTIONS);
}

static void read_lines(struct parser *ps)
{
    struct line l;
    gboolean slashes = ps->df->syntax != NULL; /* "// syntax=" lines are directives too */
    while (!ps->foreign && !diags_full(ps->diags) &&
           ps->instructions->len <= DOCKERFILE_MAX_INSTRUCTIONS && reader_next(&ps->reader, &l)) {
        const char *p = text_skip_space(l.start, l.stop);
        if (p < l.stop && *p == '#') {
            if (ps->directives_done || !parse_directive(ps, &l, p)) {
                ps->directives_done = TRUE;
                add_comment(ps, &l, p);
            }
            continue;
        }
        ps->directives_done = TRUE;
        if (slashes && ps->instructions->len == 0 && l.stop - p >= 2 && p[0] == '/' && p[1] == '/')
            continue;
        if (p < l.stop)
            read_instruction(ps, &l);
    }
}

static void begin_stage(struct parser *ps, GArray *stages, const struct instruction *ins,
                        guint position)
{
    struct stage stage = {
        .name = ins->n_words == 3 ? ins->words[2].text : NULL,
        .index = stages->len,
        .from = ins,
        .base = ins->words,
        .platform =
            instruction_flag(ins, "platform") ? instruction_flag_value(ins, "platform") : NULL,
        .instructions = ps->df->instructions + position + 1,
    };
    g_array_append_val(stages, stage);
}

static void group_stages(struct parser *ps)
{
    struct dockerfile *df = ps->df;
    g_autoptr(GArray) stages = g_array_new(FALSE, FALSE, sizeof(struct stage));
    g_autoptr(GPtrArray) meta = g_ptr_array_new();
    gboolean stray = FALSE;
    for (guint i = 0; i < df->n_instructions; i++) {
        const struct instruction *ins = df->instructions[i];
        if (ins->kind == INSTRUCTION_FROM) {
            if (stages->len == DOCKERFILE_MAX_STAGES) {
                parse_error(ps, ins, "more than %d stages", DOCKERFILE_MAX_STAGES);
                break;
            }
            begin_stage(ps, stages, ins, i);
        } else if (stages->len) {
            g_array_index(stages, struct stage, stages->len - 1).n_instructions++;
        } else if (ins->kind == INSTRUCTION_ARG) {
            g_ptr_array_add(meta, (gpointer)ins);
        } else if (!stray && ins->kind != INSTRUCTION_UNKNOWN) {
            stray = TRUE;
            parse_error(ps, ins,
                        "no build stage in current context: %s comes before the first FROM",
                        instruction_name(ins->kind));
            diags_hint(ps->diags, "only ARG may come before FROM");
        }
    }
    df->stages = arena_copy(df->arena, stages->data, stages->len, sizeof(struct stage));
    df->n_stages = stages->len;
    df->meta_args = arena_copy(df->arena, meta->pdata, meta->len, sizeof(gpointer));
    df->n_meta_args = meta->len;
    if (stages->len > 0 || diags_has_errors(ps->diags))
        return;
    diags_error(ps->diags, (struct span){0}, "%s",
                df->n_instructions     ? "the file has no FROM: there is nothing to build"
                : ps->reader.line == 0 ? "the file is empty"
                                       : "file with no instructions");
    diags_hint(ps->diags, "start it with the image to build on: FROM debian:12");
}

static struct dockerfile *parse_dockerfile_text(const char *text, gsize len, const char *name,
                                                struct diags *d, gboolean trigger)
{
    diags_set_source(d, name, text, len);
    if (len >= 3 && memcmp(text, bom, 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (!check_text(d, text, len))
        return NULL;
    struct parser ps;
    parser_init(&ps, name, d);
    ps.reader = (struct reader){.p = text, .end = text + len};
    ps.directives_done = trigger;
    if (!trigger)
        parse_detect_syntax(&ps, text, len);
    read_lines(&ps);
    ps.df->instructions =
        arena_copy(ps.arena, ps.instructions->pdata, ps.instructions->len, sizeof(gpointer));
    ps.df->n_instructions = ps.instructions->len;
    if (!trigger && !ps.foreign)
        group_stages(&ps);
    parser_clear(&ps);
    return ps.df;
}

struct dockerfile *dockerfile_parse(const void *bytes, gsize len, const char *name, struct diags *d)
{
    return parse_dockerfile_text(bytes, len, name, d, FALSE);
}

struct dockerfile *dockerfile_parse_trigger(const char *text, const char *name, struct diags *d)
{
    struct dockerfile *df = parse_dockerfile_text(text, strlen(text), name, d, TRUE);
    if (df && df->n_instructions != 1 && !diags_has_errors(d))
        diags_error(d, (struct span){0}, "an ONBUILD trigger must be one instruction");
    return df;
}

gboolean dockerfile_has_stage(const struct dockerfile *df, const char *name)
{
    for (guint i = 0; i < df->n_stages; i++)
        if (df->stages[i].name && g_ascii_strcasecmp(df->stages[i].name, name) == 0)
            return TRUE;
    return FALSE;
}

void dockerfile_free(struct dockerfile *df)
{
    if (df)
        arena_free(df->arena);
}
