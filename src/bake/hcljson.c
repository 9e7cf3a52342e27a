/* JSON with places → syntax tree. The text is read into nodes first, since what a property means
 * depends on the schema; strings are parsed as templates only where they are expressions. */
#include "bake/hcljson.h"

#include "bake/jsonread.h"
#include "bake/lexer.h"

#include <string.h>

enum node_kind { NODE_WORD, NODE_NUMBER, NODE_STRING, NODE_ARRAY, NODE_OBJECT };

struct property;
struct node {
    enum node_kind kind;
    struct span at;                    /* of the value, quotes included */
    const struct value *value;         /* WORD, NUMBER */
    struct text text;                  /* STRING, decoded */
    const struct node *const *items;   /* ARRAY: n */
    const struct property *properties; /* OBJECT: n, in order */
    guint n;
};

struct property {
    struct node key; /* a string */
    const struct node *value;
};

static const struct node *read_node(struct parser *p);

static void skip_json_blanks(struct parser *p)
{
    parser_move(p, p->p + strspn(p->p, " \t\r\n"));
}

static void fail_json(struct parser *p, const char *what)
{
    if (p->p == p->end)
        parser_fail(p, parser_span(p, p->p, 0), "expected %s before the end of the file", what);
    else
        parser_fail(p, parser_span(p, p->p, 1), "expected %s, found %.*s", what,
                    (int)g_utf8_skip[(guchar)*p->p], p->p);
}

/* After blanks: skips c, or reports that what is missing. */
static gboolean take_char(struct parser *p, char c, const char *what)
{
    skip_json_blanks(p);
    if (*p->p == c)
        p->p++;
    else
        fail_json(p, what);
    return !p->failed;
}

static gboolean next_is(struct parser *p, char c)
{
    skip_json_blanks(p);
    return *p->p == c;
}

static void read_json_escape(struct parser *p, GString *out)
{
    gunichar c;
    gsize n = json_escape(p->p, p->end, &c);
    p->p += n;
    if (n)
        g_string_append_unichar(out, c);
    else
        parser_fail(p, parser_span(p, p->p, 2),
                    p->p[1] == 'u' ? "\"\\u\" needs four hexadecimal digits"
                                   : "JSON has no such escape sequence");
}

static void read_json_string(struct parser *p, struct node *node)
{
    const char *start = p->p++;
    g_autoptr(GString) out = g_string_new(NULL);
    while (!p->failed && *p->p != '"') {
        if (*p->p == '\\') {
            read_json_escape(p, out);
        } else if ((guchar)*p->p < 0x20) {
            parser_fail(p, parser_span(p, start, 1),
                        p->p == p->end ? "this string is not closed: '\"' is missing"
                                       : "a string goes on in the next line, or has a control "
                                         "character: write \\n and the like");
        } else {
            g_string_append_c(out, *p->p++);
        }
    }
    if (p->failed)
        return;
    p->p++;
    node->kind = NODE_STRING;
    node->at = parser_span(p, start, (gsize)(p->p - start));
    node->text = value_string(p->file->heap, out->str, out->len)->text;
}

static void read_json_number(struct parser *p, struct node *node)
{
    gsize n = strspn(p->p, "+-.0123456789eE");
    g_autofree char *digits = g_strndup(p->p, n);
    const char *first = digits + (*digits == '-');
    gboolean shape = g_ascii_isdigit(*first) && (*first != '0' || !g_ascii_isdigit(first[1])) &&
                     n < 10000 && digits[n - 1] != '.';
    node->kind = NODE_NUMBER;
    node->at = parser_span(p, p->p, n);
    node->value = shape ? value_number_parse(p->file->heap, (struct text){digits, n}) : NULL;
    if (!node->value)
        parser_fail(p, node->at, "this is no number of JSON");
    else
        p->p += n;
}

static void read_word(struct parser *p, struct node *node)
{
    static const struct {
        const char *word;
        const struct value *value;
    } WORDS[] = {{"true", &value_true}, {"false", &value_false}, {"null", &value_null}};
    gsize n = lexer_identifier(p->p, p->end);
    for (guint i = 0; i < G_N_ELEMENTS(WORDS); i++)
        if (n == strlen(WORDS[i].word) && memcmp(p->p, WORDS[i].word, n) == 0)
            node->value = WORDS[i].value;
    node->at = parser_span(p, p->p, n);
    if (node->value)
        p->p += n;
    else if (n)
        parser_fail(p, node->at, "text stands in quotes in JSON: \"%.*s\"", (int)MIN(n, 60), p->p);
    else
        fail_json(p, "a value");
}

static void read_array(struct parser *p, struct node *node)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    node->kind = NODE_ARRAY;
    p->p++;
    while (!p->failed && (items->len > 0 || !next_is(p, ']'))) {
        g_ptr_array_add(items, (gpointer)read_node(p));
        if (next_is(p, ']'))
            break;
        take_char(p, ',', "\",\" or \"]\"");
    }
    take_char(p, ']', "\"]\"");
    node->n = items->len;
    node->items = arena_copy(p->file->heap->arena, items->pdata, items->len, sizeof(gpointer));
}

static gboolean read_property(struct parser *p, GArray *properties)
{
    struct property property = {0};
    skip_json_blanks(p);
    if (*p->p != '"') {
        fail_json(p, "a name in double quotes");
        return FALSE;
    }
    read_json_string(p, &property.key);
    if (p->failed || !take_char(p, ':', "\":\" after the name"))
        return FALSE;
    property.value = read_node(p);
    g_array_append_val(properties, property);
    return !p->failed;
}

static void read_object(struct parser *p, struct node *node)
{
    g_autoptr(GArray) properties = g_array_new(FALSE, FALSE, sizeof(struct property));
    node->kind = NODE_OBJECT;
    p->p++;
    while (!p->failed && (properties->len > 0 || !next_is(p, '}'))) {
        if (!read_property(p, properties) || next_is(p, '}'))
            break;
        take_char(p, ',', "\",\" or \"}\"");
    }
    take_char(p, '}', "\"}\"");
    node->n = properties->len;
    node->properties = arena_copy(p->file->heap->arena, properties->data, properties->len,
                                  sizeof(struct property));
}

static const struct node *read_node(struct parser *p)
{
    struct node *node = heap_alloc(p->file->heap, sizeof(*node));
    skip_json_blanks(p);
    node->at = p->token.span = parser_span(p, p->p, 1);
    if (!heap_reserve(p->file->heap, 0, NULL))
        parser_fail(p, node->at, "the file has too many values");
    if (!parser_enter(p)) {
        parser_leave(p);
        return node;
    }
    if (*p->p == '"')
        read_json_string(p, node);
    else if (*p->p == '[')
        read_array(p, node);
    else if (*p->p == '{')
        read_object(p, node);
    else if (*p->p == '-' || g_ascii_isdigit(*p->p))
        read_json_number(p, node);
    else
        read_word(p, node);
    parser_leave(p);
    return node;
}

/* Nodes as expressions. */

static const struct expr *json_string_expr(struct parser *p, const struct node *node)
{
    struct span at = node->at;
    at.col++;
    at.len = MAX(at.len, 3) - 2;
    struct expr *e =
        (struct expr *)hcl_parse_template(p->file, node->text.bytes, node->text.len, at);
    if (!e) {
        p->failed = TRUE;
        return NULL;
    }
    e->json_string = TRUE;
    e->source = node->text.bytes;
    return e;
}

static const struct expr *json_expr(struct parser *p, const struct node *node)
{
    if (node->kind == NODE_STRING)
        return json_string_expr(p, node);
    if (node->kind == NODE_WORD || node->kind == NODE_NUMBER)
        return expr_literal(p, node->value, node->at);
    g_autoptr(GPtrArray) operands = g_ptr_array_new();
    for (guint i = 0; i < node->n && !p->failed; i++) {
        if (node->kind == NODE_OBJECT)
            g_ptr_array_add(operands, (gpointer)json_string_expr(p, &node->properties[i].key));
        if (!p->failed)
            g_ptr_array_add(operands, (gpointer)json_expr(p, node->kind == NODE_OBJECT
                                                                 ? node->properties[i].value
                                                                 : node->items[i]));
    }
    if (p->failed)
        return NULL;
    struct expr *e = expr_new(p, node->kind == NODE_OBJECT ? EXPR_OBJECT : EXPR_TUPLE, node->at);
    return expr_with(p, e, (const struct expr *const *)operands->pdata, operands->len);
}

/* Nodes as bodies. */

struct json_draft {
    GArray *attributes, *blocks;
    GHashTable *names; /* of the attributes */
};

static const struct body *json_body(struct parser *p, const struct node *node,
                                    const struct block_schema *schema);

static const struct block_schema *schema_find(const struct block_schema *schema, const char *type)
{
    for (; schema && schema->type; schema++)
        if (strcmp(schema->type, type) == 0)
            return schema;
    return NULL;
}

/* Blocks of one property: levels of objects whose keys are labels, then a body or several. */
static void json_blocks(struct parser *p, const struct node *node, struct block *b,
                        struct label *labels, const struct block_schema *schema, GArray *blocks)
{
    if (node->kind == NODE_ARRAY) {
        for (guint i = 0; i < node->n && !p->failed; i++)
            json_blocks(p, node->items[i], b, labels, schema, blocks);
        return;
    }
    if (node->kind == NODE_WORD && node->value->null)
        return;
    if (node->kind != NODE_OBJECT) {
        parser_fail(p, node->at, "\"%s\" needs an object here", schema->type);
        return;
    }
    if (b->n_labels == schema->n_labels) {
        struct block done = *b;
        done.labels = arena_copy(p->file->heap->arena, labels, b->n_labels, sizeof(*labels));
        done.body = json_body(p, node, schema->blocks);
        g_array_append_val(blocks, done);
        return;
    }
    b->n_labels++;
    for (guint i = 0; i < node->n && !p->failed; i++) {
        const struct property *q = &node->properties[i];
        labels[b->n_labels - 1] = (struct label){q->key.text.bytes, {p->file, q->key.at}};
        json_blocks(p, q->value, b, labels, schema, blocks);
    }
    b->n_labels--;
}

static void json_property(struct parser *p, const struct property *q,
                          const struct block_schema *schema, struct json_draft *d)
{
    const char *name = q->key.text.bytes;
    const struct block_schema *known = schema_find(schema, name);
    struct place at = {p->file, q->key.at};
    if (strcmp(name, "//") == 0)
        return;
    if (known) {
        struct block b = {.type = known->type, .at = at};
        g_autofree struct label *labels = g_new0(struct label, known->n_labels + 1);
        json_blocks(p, q->value, &b, labels, known, d->blocks);
        return;
    }
    if (!g_hash_table_add(d->names, (gpointer)name))
        parser_fail(p, q->key.at, "\"%s\" is set twice in this block", name);
    struct attribute a = {.name = name, .at = at};
    if (!p->failed && (a.value = json_expr(p, q->value)))
        g_array_append_val(d->attributes, a);
}

static void json_properties(struct parser *p, const struct node *node,
                            const struct block_schema *schema, struct json_draft *d)
{
    if (node->kind != NODE_OBJECT)
        parser_fail(p, node->at, "an object is needed here");
    for (guint i = 0; i < node->n && !p->failed; i++)
        json_property(p, &node->properties[i], schema, d);
}

static const struct body *json_body(struct parser *p, const struct node *node,
                                    const struct block_schema *schema)
{
    struct json_draft d = {g_array_new(FALSE, FALSE, sizeof(struct attribute)),
                           g_array_new(FALSE, FALSE, sizeof(struct block)),
                           g_hash_table_new(g_str_hash, g_str_equal)};
    struct body *body = heap_alloc(p->file->heap, sizeof(*body));
    struct arena *arena = p->file->heap->arena;
    json_properties(p, node, schema, &d);
    body->n_attributes = d.attributes->len;
    body->attributes =
        arena_copy(arena, d.attributes->data, d.attributes->len, sizeof(struct attribute));
    body->n_blocks = d.blocks->len;
    body->blocks = arena_copy(arena, d.blocks->data, d.blocks->len, sizeof(struct block));
    body->end = (struct place){p->file, node->at};
    g_array_unref(d.attributes);
    g_array_unref(d.blocks);
    g_hash_table_unref(d.names);
    return p->failed ? NULL : body;
}

struct hclfile *hcljson_parse(const char *name, const void *bytes, gsize len,
                              const struct block_schema *schema)
{
    struct hclfile *f = hclfile_new(name, bytes, len);
    struct parser p;
    if (!hclfile_check(f))
        return f;
    parser_start(&p, f);
    const struct node *root = read_node(&p);
    skip_json_blanks(&p);
    if (!p.failed && p.p != p.end)
        fail_json(&p, "the end of the file");
    f->body = p.failed ? NULL : json_body(&p, root, schema);
    return f;
}
