/* Templates: text with ${…} and %{…}. First they are read as a row of parts, in which strip marks
 * and
 * "<<-" change the literal ones next to them; then the parts become a tree. As in HCL, a literal
 * part of a heredoc ends with its line, so a strip mark works on one line only. */
#include "bake/lexer.h"

#include "text/space.h"

#include <string.h>

enum part_kind { PART_TEXT, PART_VALUE, PART_IF, PART_ELSE, PART_ENDIF, PART_FOR, PART_ENDFOR };

struct part {
    enum part_kind kind;
    GString *text;           /* TEXT */
    const struct expr *expr; /* VALUE, IF */
    struct for_expr *loop;   /* FOR */
    struct span at;
};

struct template
{
    struct parser *parser;
    enum template_form form;
    GArray *parts;      /* struct part */
    guint at;           /* the next part, while the tree is made */
    const char *marker; /* HEREDOC: the word that ends it */
    gsize marker_len;
    gboolean flush;      /* "<<-" */
    gboolean strip;      /* the text that follows loses its blanks at the beginning */
    gboolean fresh_line; /* HEREDOC: at the start of a line, where the marker may stand */
    struct span start;   /* of the opening quote or marker, for errors */
};

static void part_clear(gpointer p)
{
    struct part *part = p;
    if (part->text)
        g_string_free(part->text, TRUE);
}

static struct part *part_add(struct template *t, enum part_kind kind, struct span at)
{
    g_array_set_size(t->parts, t->parts->len + 1);
    struct part *part = &g_array_index(t->parts, struct part, t->parts->len - 1);
    part->kind = kind;
    part->at = at;
    return part;
}

static void text_strip_end(GString *s)
{
    g_string_truncate(s, (gsize)(text_trim_end(s->str, s->str + s->len) - s->str));
}

static void text_strip_start(GString *s)
{
    g_string_erase(s, 0, text_skip_space(s->str, s->str + s->len) - s->str);
}

static int hex_value(const char *s, guint n, gunichar *out)
{
    *out = 0;
    for (guint i = 0; i < n; i++) {
        int digit = g_ascii_xdigit_value(s[i]);
        if (digit < 0)
            return FALSE;
        *out = *out * 16 + (gunichar)digit;
    }
    return TRUE;
}

/* "\n" and the like at p->p; appends what it stands for. */
static void take_escape(struct parser *p, GString *out)
{
    static const char FROM[] = "nrt\"\\", TO[] = "\n\r\t\"\\";
    char c = p->p[1];
    const char *known = c ? strchr(FROM, c) : NULL;
    guint digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    gunichar code;
    if (known) {
        g_string_append_c(out, TO[known - FROM]);
        p->p += 2;
    } else if (digits && hex_value(p->p + 2, digits, &code)) {
        g_string_append_unichar(out,
                                code < 0x110000 && (code & 0xfffff800) != 0xd800 ? code : 0xfffd);
        p->p += 2 + digits;
    } else {
        parser_fail(p, parser_span(p, p->p, 2),
                    digits ? "\"\\%c\" needs %u hexadecimal digits"
                           : "\"\\%c\" is no escape sequence; a backslash itself is \"\\\\\"",
                    c, digits);
    }
}

/* Whether the text ends at p->p, which is not the start of a sequence. */
static gboolean text_ends(const struct template *t, const char *s)
{
    return t->form == TEMPLATE_QUOTED && (*s == '"' || *s == '\n');
}

/* Literal text up to a sequence or the end, one line of it at most. */
static void take_text(struct template *t)
{
    struct parser *p = t->parser;
    struct part *part = part_add(t, PART_TEXT, parser_span(p, p->p, 1));
    GString *out = part->text = g_string_new(NULL);
    gboolean line = FALSE;
    while (!p->failed && p->p < p->end && !line && !text_ends(t, p->p)) {
        const char *s = p->p;
        gboolean sequence = (*s == '$' || *s == '%') && s[1] == '{';
        if (sequence)
            break;
        if ((*s == '$' || *s == '%') && s[1] == *s && s[2] == '{') {
            g_string_append_len(out, s + 1, 2);
            p->p += 3;
        } else if (*s == '\\' && t->form == TEMPLATE_QUOTED) {
            take_escape(p, out);
        } else {
            g_string_append_c(out, *s);
            parser_move(p, s + 1);
            line = *s == '\n';
        }
    }
    t->fresh_line = line;
    if (t->strip)
        text_strip_start(out);
    t->strip = FALSE;
}

static gboolean take_for(struct template *t, struct part *part)
{
    struct parser *p = t->parser;
    struct for_expr *f = part->loop = heap_alloc(p->file->heap, sizeof(*f));
    do {
        parser_next(p);
        if (p->token.kind != TOKEN_IDENT || f->key) {
            parser_expected(p, f->key ? "\"in\"" : "the name of a variable after \"for\"");
            return FALSE;
        }
        f->key = f->value;
        f->value = parser_text(p, &p->token);
        parser_next(p);
    } while (parser_is(p, ","));
    if (!parser_is_word(p, "in")) {
        parser_expected(p, "\"in\" and what is iterated over");
        return FALSE;
    }
    parser_next(p);
    return (f->collection = parse_expression(p)) != NULL;
}

/* The word of "%{…}", its next token, and what belongs to it. */
static gboolean take_directive(struct template *t, struct span at)
{
    static const struct {
        const char *word;
        enum part_kind kind;
    } WORDS[] = {{"if", PART_IF},
                 {"else", PART_ELSE},
                 {"endif", PART_ENDIF},
                 {"for", PART_FOR},
                 {"endfor", PART_ENDFOR}};
    struct parser *p = t->parser;
    guint i = 0;
    while (i < G_N_ELEMENTS(WORDS) && !parser_is_word(p, WORDS[i].word))
        i++;
    if (i == G_N_ELEMENTS(WORDS)) {
        parser_expected(p, "if, else, endif, for or endfor after \"%{\"; where \"%{\" is text, "
                           "\"%%{\"");
        return FALSE;
    }
    struct part *part = part_add(t, WORDS[i].kind, at);
    if (part->kind == PART_FOR)
        return take_for(t, part);
    parser_next(p);
    if (part->kind == PART_IF)
        part->expr = parse_expression(p);
    return part->kind != PART_IF || part->expr;
}

/* "~}" or "}" is the next token. parser_next() must not be called: text follows. */
static void take_close(struct template *t)
{
    struct parser *p = t->parser;
    t->strip = parser_is(p, "~}");
    if (t->strip || parser_is(p, "}"))
        return;
    if (parser_is(p, ":"))
        parser_fail(p, p->token.span,
                    "\"${name:-default}\" is the shell's; here it is a conditional: "
                    "\"${name != \"\" ? name : \"default\"}\"");
    parser_expected(p, "\"}\" at the end of the sequence");
}

/* "${" or "%{" at p->p. The parser's settings are those of the text around it again afterwards. */
static void take_sequence(struct template *t)
{
    struct parser *p = t->parser;
    const char *s = p->p;
    gboolean mark = s[2] == '~', value = *s == '$';
    struct span at = parser_span(p, s, 2);
    if (mark && t->parts->len > 0) {
        struct part *before = &g_array_index(t->parts, struct part, t->parts->len - 1);
        if (before->text)
            text_strip_end(before->text);
    }
    gboolean lines = parser_lines(p, FALSE);
    p->p += mark ? 3 : 2;
    parser_next(p);
    if (value) {
        const struct expr *e = parse_expression(p);
        part_add(t, PART_VALUE, at)->expr = e;
    } else {
        take_directive(t, at);
    }
    if (!p->failed)
        take_close(t);
    parser_lines(p, lines);
    t->fresh_line = FALSE;
}

/* Whether the line at p->p is the one that ends the heredoc; *after: behind it, without newline. */
static gboolean heredoc_ends(const struct template *t, const char **after)
{
    const char *s = t->parser->p, *nl = memchr(s, '\n', t->parser->end - s);
    const char *end = nl ? nl : t->parser->end;
    s = text_skip_space(s, end);
    const char *stop = text_trim_end(s, end);
    if (!t->fresh_line || (gsize)(stop - s) != t->marker_len ||
        memcmp(s, t->marker, t->marker_len) != 0)
        return FALSE;
    *after = end > t->parser->p && end[-1] == '\r' ? end - 1 : end;
    return TRUE;
}

/* At the end: p->p is moved behind it. */
static gboolean template_ends(struct template *t)
{
    struct parser *p = t->parser;
    const char *after;
    if (t->form == TEMPLATE_HEREDOC && heredoc_ends(t, &after)) {
        p->p = after;
        return TRUE;
    }
    if (t->form == TEMPLATE_QUOTED && *p->p == '"') {
        p->p++;
        return TRUE;
    }
    if (t->form == TEMPLATE_QUOTED && *p->p == '\n')
        parser_fail(p, t->start,
                    "this string is not closed: it may not go on in the next line; "
                    "for longer texts there are heredocs (<<EOT)");
    else if (p->p == p->end && t->form != TEMPLATE_BARE)
        parser_fail(p, t->start,
                    t->form == TEMPLATE_QUOTED
                        ? "this string is not closed: '\"' is missing"
                        : "this heredoc is not closed: \"%.*s\" alone on a line is missing",
                    (int)t->marker_len, t->marker);
    return p->failed || p->p == p->end;
}

static void template_read(struct template *t)
{
    struct parser *p = t->parser;
    while (!template_ends(t)) {
        if ((*p->p == '$' || *p->p == '%') && p->p[1] == '{')
            take_sequence(t);
        else
            take_text(t);
    }
}

/* White space characters at the beginning of s. */
static guint leading_blanks(const GString *s)
{
    const char *end = text_skip_space(s->str, s->str + s->len);
    return (guint)g_utf8_strlen(s->str, end - s->str);
}

static gboolean blank_line(const GString *s)
{
    return s->len > 0 && s->str[s->len - 1] == '\n' &&
           text_skip_space(s->str, s->str + s->len) == s->str + s->len;
}

/* "<<-": each line loses as many blanks as the one with fewest has; empty lines do not count. */
static void template_flush(struct template *t)
{
    g_autoptr(GPtrArray) adjust = g_ptr_array_new();
    guint fewest = G_MAXUINT;
    gboolean line = TRUE;
    for (guint i = 0; i < t->parts->len; i++) {
        const struct part *part = &g_array_index(t->parts, struct part, i);
        if (line && !part->text) {
            fewest = 0;
        } else if (line && !blank_line(part->text)) {
            fewest = MIN(fewest, leading_blanks(part->text));
            g_ptr_array_add(adjust, part->text);
        }
        line = part->text && part->text->len > 0 && part->text->str[part->text->len - 1] == '\n';
    }
    for (guint i = 0; i < adjust->len; i++) {
        GString *text = g_ptr_array_index(adjust, i);
        g_string_erase(text, 0, g_utf8_offset_to_pointer(text->str, fewest) - text->str);
    }
}

static const struct expr *template_tree(struct template *t, guint stop);

static const struct part *part_next(const struct template *t)
{
    return t->at < t->parts->len ? &g_array_index(t->parts, struct part, t->at) : NULL;
}

/* Reads over the part that must come next. */
static gboolean part_take(struct template *t, enum part_kind kind, const struct part *open,
                          const char *word)
{
    const struct part *next = part_next(t);
    if (!t->parser->failed && (!next || next->kind != kind))
        parser_fail(t->parser, open->at, "\"%%{%s}\" is missing for this one", word);
    t->at++;
    return !t->parser->failed;
}

static const struct expr *tree_if(struct template *t, const struct part *open)
{
    struct parser *p = t->parser;
    const struct expr *yes = template_tree(t, 1u << PART_ELSE | 1u << PART_ENDIF), *no = NULL;
    const struct part *next = part_next(t);
    if (next && next->kind == PART_ELSE) {
        t->at++;
        no = template_tree(t, 1u << PART_ENDIF);
    } else {
        no = expr_literal(p, value_cstring(p->file->heap, ""), open->at);
    }
    if (!part_take(t, PART_ENDIF, open, "endif"))
        return NULL;
    const struct expr *operands[] = {open->expr, yes, no};
    return expr_with(p, expr_new(p, EXPR_CONDITIONAL, open->at), operands, 3);
}

static const struct expr *tree_for(struct template *t, const struct part *open)
{
    struct parser *p = t->parser;
    open->loop->result = template_tree(t, 1u << PART_ENDFOR);
    if (!part_take(t, PART_ENDFOR, open, "endfor") || !open->loop->result)
        return NULL;
    struct expr *e = expr_new(p, EXPR_FOR, open->at);
    e->loop = open->loop;
    e->height = MAX(e->loop->result->height, e->loop->collection->height) + 1;
    const struct expr *operand = e;
    return expr_with(p, expr_new(p, EXPR_JOIN, open->at), &operand, 1);
}

static const struct expr *tree_part(struct template *t, const struct part *part)
{
    struct parser *p = t->parser;
    t->at++;
    switch (part->kind) {
    case PART_TEXT:
        return expr_literal(p, value_string(p->file->heap, part->text->str, part->text->len),
                            part->at);
    case PART_VALUE:
        return part->expr;
    case PART_IF:
        return tree_if(t, part);
    case PART_FOR:
        return tree_for(t, part);
    default:
        parser_fail(p, part->at, "there is nothing open that this could belong to");
        return NULL;
    }
}

/* Parts up to one of the kinds in stop (bits), as a template. */
static const struct expr *template_tree(struct template *t, guint stop)
{
    struct parser *p = t->parser;
    g_autoptr(GPtrArray) operands = g_ptr_array_new();
    struct span at = part_next(t) ? part_next(t)->at : t->start;
    gboolean deep = !parser_enter(p);
    for (const struct part *part; !deep && !p->failed && (part = part_next(t));) {
        if (stop & 1u << part->kind)
            break;
        g_ptr_array_add(operands, (gpointer)tree_part(t, part));
    }
    parser_leave(p);
    return p->failed ? NULL
                     : expr_with(p, expr_new(p, EXPR_TEMPLATE, at),
                                 (const struct expr *const *)operands->pdata, operands->len);
}

/* Literal parts next to each other become one. */
static void template_meld(struct template *t)
{
    guint kept = 0;
    for (guint i = 0; i < t->parts->len; i++) {
        struct part *part = &g_array_index(t->parts, struct part, i);
        struct part *before = kept ? &g_array_index(t->parts, struct part, kept - 1) : NULL;
        if (before && before->text && part->text) {
            g_string_append_len(before->text, part->text->str, part->text->len);
            part_clear(part);
        } else {
            g_array_index(t->parts, struct part, kept++) = *part;
        }
    }
    for (guint i = kept; i < t->parts->len; i++) /* moved or freed above */
        g_array_index(t->parts, struct part, i).text = NULL;
    g_array_set_size(t->parts, kept);
}

/* The simplest form: a literal for text alone, the value itself for "${x}". */
static const struct expr *template_finish(struct template *t)
{
    struct parser *p = t->parser;
    template_meld(t);
    const struct part *first = part_next(t);
    if (t->parts->len == 1 && first->kind == PART_VALUE)
        return expr_with(p, expr_new(p, EXPR_WRAP, t->start), &first->expr, 1);
    if (t->parts->len == 0)
        return expr_literal(p, value_cstring(p->file->heap, ""), t->start);
    if (t->parts->len == 1 && first->text)
        return expr_literal(p, value_string(p->file->heap, first->text->str, first->text->len),
                            t->start);
    return template_tree(t, 0);
}

static void template_marker(struct template *t)
{
    const struct token *token = &t->parser->token;
    const char *end = token->start + token->len;
    t->flush = token->start[2] == '-';
    t->marker = token->start + (t->flush ? 3 : 2);
    t->marker_len = lexer_identifier(t->marker, end);
    t->start.len = (guint)(t->marker + t->marker_len - token->start);
    t->fresh_line = TRUE;
    if (end[-1] != '\n')
        parser_fail(t->parser, t->start,
                    "the text of a heredoc begins on the next line: nothing "
                    "may follow \"%.*s\"",
                    (int)t->start.len, token->start);
}

const struct expr *parse_template(struct parser *p, enum template_form form)
{
    struct template t = {.parser = p, .form = form};
    const struct expr *e = NULL;
    t.parts = g_array_new(FALSE, TRUE, sizeof(struct part));
    g_array_set_clear_func(t.parts, part_clear);
    t.start = form == TEMPLATE_BARE ? parser_span(p, p->p, p->end - p->p) : p->token.span;
    if (form == TEMPLATE_HEREDOC)
        template_marker(&t);
    if (parser_enter(p))
        template_read(&t);
    parser_leave(p);
    if (!p->failed) {
        if (t.flush)
            template_flush(&t);
        e = template_finish(&t);
    }
    g_array_unref(t.parts);
    parser_next(p);
    return p->failed ? NULL : e;
}
