#include "bake/lexer.h"

#include <string.h>

/* A body while its parts are collected. */
struct draft {
    GArray *attributes, *blocks;
    GHashTable *names; /* of the attributes */
};

static struct body *parse_body(struct parser *p, const char *close);

static gboolean parse_attribute(struct parser *p, struct draft *d, const struct token *name)
{
    struct attribute a = {.name = parser_text(p, name), .at = {p->file, name->span}};
    if (!g_hash_table_add(d->names, (gpointer)a.name))
        parser_fail(p, name->span, "\"%s\" is set twice in this block", a.name);
    parser_next(p);
    a.value = parse_expression(p);
    if (a.value)
        g_array_append_val(d->attributes, a);
    return a.value != NULL;
}

static gboolean parse_label(struct parser *p, GArray *labels)
{
    struct label l = {.at = {p->file, p->token.span}};
    if (p->token.kind == TOKEN_IDENT) {
        l.text = parser_text(p, &p->token);
        parser_next(p);
    } else {
        const struct expr *e = parse_template(p, TEMPLATE_QUOTED);
        if (e && (e->kind != EXPR_LITERAL || strlen(e->value->text.bytes) != e->value->text.len))
            parser_fail(p, l.at.span, "the name of a block is plain text: no \"${…}\" in it");
        if (p->failed)
            return FALSE;
        l.at.span.len = (guint)e->value->text.len + 2;
        l.text = e->value->text.bytes;
    }
    g_array_append_val(labels, l);
    return TRUE;
}

/* "{ name = value }" in one line; the next token is behind the bracket. */
static struct body *parse_line_body(struct parser *p)
{
    struct draft d = {.names = g_hash_table_new(g_str_hash, g_str_equal),
                      .attributes = g_array_new(FALSE, FALSE, sizeof(struct attribute))};
    struct body *body = heap_alloc(p->file->heap, sizeof(*body));
    if (!parser_is(p, "}")) {
        struct token name = p->token;
        parser_next(p);
        if (name.kind != TOKEN_IDENT || !parser_is(p, "="))
            parser_expected(p, "an attribute or a new line in this block");
        else
            parse_attribute(p, &d, &name);
        if (!p->failed && !parser_is(p, "}"))
            parser_fail(p, p->token.span,
                        "a block in one line holds one attribute; put each on a "
                        "line of its own");
    }
    body->end = (struct place){p->file, p->token.span};
    body->n_attributes = d.attributes->len;
    body->attributes = arena_copy(p->file->heap->arena, d.attributes->data, d.attributes->len,
                                  sizeof(struct attribute));
    g_array_unref(d.attributes);
    g_hash_table_unref(d.names);
    return p->failed ? NULL : body;
}

static gboolean parse_block(struct parser *p, struct draft *d, const struct token *type)
{
    struct block b = {.type = parser_text(p, type), .at = {p->file, type->span}};
    g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(struct label));
    while (p->token.kind == TOKEN_IDENT || p->token.kind == TOKEN_QUOTE)
        if (!parse_label(p, labels))
            return FALSE;
    b.n_labels = labels->len;
    b.labels = arena_copy(p->file->heap->arena, labels->data, labels->len, sizeof(struct label));
    if (!parser_is(p, "{")) {
        parser_expected(p, labels->len ? "\"{\" after the name of the block" : "\"=\" or a block");
        return FALSE;
    }
    parser_next(p);
    if (p->token.kind == TOKEN_NEWLINE)
        b.body = parser_enter(p) ? parse_body(p, "}") : NULL;
    else
        b.body = parser_enter(p) ? parse_line_body(p) : NULL;
    parser_leave(p);
    parser_take(p, "}");
    if (b.body)
        g_array_append_val(d->blocks, b);
    return b.body != NULL;
}

/* One attribute or block, with the newline behind it. */
static void parse_item(struct parser *p, struct draft *d)
{
    struct token name = p->token;
    if (name.kind != TOKEN_IDENT) {
        if (name.kind == TOKEN_QUOTE)
            parser_fail(p, name.span, "the name of an attribute or block stands without quotes");
        else
            parser_expected(p, "an attribute or a block");
        return;
    }
    parser_next(p);
    gboolean attribute = parser_is(p, "=");
    gboolean done = attribute ? parse_attribute(p, d, &name) : parse_block(p, d, &name);
    if (done && p->token.kind != TOKEN_NEWLINE && p->token.kind != TOKEN_END)
        parser_expected(p, attribute ? "a new line after the value" : "a new line after \"}\"");
}

/* Up to close, which is left as the next token ("": up to the end). */
static struct body *parse_body(struct parser *p, const char *close)
{
    struct draft d = {.attributes = g_array_new(FALSE, FALSE, sizeof(struct attribute)),
                      .blocks = g_array_new(FALSE, FALSE, sizeof(struct block)),
                      .names = g_hash_table_new(g_str_hash, g_str_equal)};
    struct body *body = heap_alloc(p->file->heap, sizeof(*body));
    for (parser_skip_newlines(p); !p->failed && !parser_is(p, close); parser_skip_newlines(p)) {
        if (p->token.kind != TOKEN_END)
            parse_item(p, &d);
        else if (*close)
            parser_expected(p, "\"}\" at the end of a block");
        else
            break;
    }
    body->attributes = arena_copy(p->file->heap->arena, d.attributes->data, d.attributes->len,
                                  sizeof(struct attribute));
    body->n_attributes = d.attributes->len;
    body->blocks =
        arena_copy(p->file->heap->arena, d.blocks->data, d.blocks->len, sizeof(struct block));
    body->n_blocks = d.blocks->len;
    body->end = (struct place){p->file, p->token.span};
    g_array_unref(d.attributes);
    g_array_unref(d.blocks);
    g_hash_table_unref(d.names);
    return p->failed ? NULL : body;
}

struct hclfile *hclfile_new(const char *name, const void *bytes, gsize len)
{
    struct hclfile *f = g_new0(struct hclfile, 1);
    char *copy = g_malloc(len + 1);
    memcpy(copy, bytes, len);
    copy[len] = '\0'; /* behind the bytes: who reads them may look one further */
    f->name = g_strdup(name);
    f->bytes = g_bytes_new_take(copy, len);
    f->heap = heap_new();
    f->diags = diags_new();
    diags_set_source(f->diags, name, bytes, len);
    return f;
}

void hclfile_free(struct hclfile *f)
{
    if (!f)
        return;
    g_free(f->name);
    g_bytes_unref(f->bytes);
    diags_free(f->diags);
    heap_free(f->heap);
    g_free(f);
}

gboolean hclfile_check(struct hclfile *f)
{
    gsize len;
    const char *text = g_bytes_get_data(f->bytes, &len), *bad;
    if (len > HCL_MAX_BYTES) {
        diags_error(f->diags, (struct span){0}, "the file is larger than %d MiB",
                    HCL_MAX_BYTES >> 20);
        return FALSE;
    }
    if (len == 0 || g_utf8_validate_len(text, len, &bad))
        return TRUE;
    struct span at = {.line = 1, .len = 1};
    const char *line = text;
    for (const char *nl; (nl = memchr(line, '\n', bad - line)); line = nl + 1)
        at.line++;
    at.col = (guint)(bad - line) + 1;
    diags_error(f->diags, at,
                *bad ? "the file is not UTF-8 text from here on"
                     : "a NUL byte is not allowed here");
    return FALSE;
}

void parser_start(struct parser *p, struct hclfile *f)
{
    gsize len;
    const char *text = g_bytes_get_data(f->bytes, &len);
    gsize bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *p = (struct parser){.file = f,
                         .base = text,
                         .p = text + bom,
                         .end = text + len,
                         .line_start = text + bom,
                         .line = 1,
                         .lines = TRUE};
}

struct hclfile *hclfile_parse(const char *name, const void *bytes, gsize len)
{
    struct hclfile *f = hclfile_new(name, bytes, len);
    struct parser p;
    if (!hclfile_check(f))
        return f;
    parser_start(&p, f);
    parser_next(&p);
    f->body = parse_body(&p, "");
    return f;
}

static const struct expr *parse_embedded(struct hclfile *f, const char *text, gsize len,
                                         struct span at, gboolean template)
{
    char *copy = arena_strndup(f->heap->arena, text, len);
    struct parser p = {.file = f,
                       .base = copy,
                       .p = copy,
                       .end = copy + len,
                       .line_start = copy,
                       .line = 1,
                       .embedded = TRUE,
                       .at = at};
    if (strlen(copy) != len) {
        diags_error(f->diags, at, "a NUL byte is not allowed here");
        return NULL;
    }
    if (template)
        return parse_template(&p, TEMPLATE_BARE);
    parser_next(&p);
    const struct expr *e = parse_expression(&p);
    if (e && p.token.kind != TOKEN_END)
        parser_expected(&p, "the end of the expression");
    return p.failed ? NULL : e;
}

const struct expr *hcl_parse_expr(struct hclfile *f, const char *text, gsize len, struct span at)
{
    return parse_embedded(f, text, len, at, FALSE);
}

const struct expr *hcl_parse_template(struct hclfile *f, const char *text, gsize len,
                                      struct span at)
{
    return parse_embedded(f, text, len, at, TRUE);
}

const struct attribute *body_attribute(const struct body *b, const char *name)
{
    for (guint i = b->n_attributes; i-- > 0;)
        if (strcmp(b->attributes[i].name, name) == 0)
            return &b->attributes[i];
    return NULL;
}
