/* The expressions of HCL's native syntax, by recursive descent. */
#include "bake/lexer.h"

#include <string.h>

struct expr *expr_new(struct parser *p, enum expr_kind kind, struct span at)
{
    struct expr *e = heap_alloc(p->file->heap, sizeof(*e));
    e->kind = kind;
    e->at = (struct place){p->file, at};
    e->height = 1;
    GError *err = NULL;
    if (!heap_step(p->file->heap, 1, &err)) {
        parser_fail(p, at, "%s", err->message);
        g_error_free(err);
    }
    return e;
}

/* e is one higher than below. FALSE when below is missing or too high. */
static gboolean expr_raise(struct parser *p, struct expr *e, const struct expr *below)
{
    if (!below)
        return FALSE;
    e->height = MAX(e->height, below->height + 1);
    if (e->height > EXPR_MAX_HEIGHT)
        parser_fail(p, e->at.span, "this expression is too long: more than %d operators in a row",
                    EXPR_MAX_HEIGHT);
    return !p->failed;
}

const struct expr *expr_with(struct parser *p, struct expr *e, const struct expr *const *operands,
                             guint n)
{
    for (guint i = 0; i < n; i++)
        if (!expr_raise(p, e, operands[i]))
            return NULL;
    const struct expr **copy = heap_array(p->file->heap, const struct expr *, n);
    for (guint i = 0; i < n; i++)
        copy[i] = operands[i];
    e->operands = copy;
    e->n_operands = n;
    return p->failed ? NULL : e;
}

const struct expr *expr_literal(struct parser *p, const struct value *v, struct span at)
{
    struct expr *e = expr_new(p, EXPR_LITERAL, at);
    e->value = v;
    return e;
}

static const struct expr *expr_of_pointers(struct parser *p, struct expr *e, GPtrArray *operands)
{
    return expr_with(p, e, (const struct expr *const *)operands->pdata, operands->len);
}

static const struct expr *parse_unary(struct parser *p);

/* "(a, b, list...)": the next token is the opening bracket. */
static const struct expr *parse_call(struct parser *p, const struct token *name)
{
    struct expr *e = expr_new(p, EXPR_CALL, name->span);
    e->name = parser_text(p, name);
    gboolean lines = parser_lines(p, FALSE);
    g_autoptr(GPtrArray) args = g_ptr_array_new();
    parser_next(p);
    while (!p->failed && !parser_is(p, ")")) {
        const struct expr *arg = parse_expression(p);
        g_ptr_array_add(args, (gpointer)arg);
        e->expand = arg && parser_take(p, "...");
        if ((e->expand || !parser_take(p, ",")) && !parser_is(p, ")"))
            parser_expected(p,
                            e->expand ? "\")\" after \"...\"" : "\",\" or \")\" in the arguments");
    }
    parser_lines(p, lines);
    parser_take(p, ")");
    return expr_of_pointers(p, e, args);
}

static const struct value *keyword_value(const struct parser *p)
{
    return parser_is_word(p, "true")    ? &value_true
           : parser_is_word(p, "false") ? &value_false
           : parser_is_word(p, "null")  ? &value_null
                                        : NULL;
}

static const struct expr *parse_name(struct parser *p)
{
    struct token name = p->token;
    const struct value *v = keyword_value(p);
    parser_next(p);
    if (parser_is(p, "("))
        return parse_call(p, &name);
    if (parser_is(p, "::")) {
        parser_fail(p, name.span, "functions have no namespaces here");
        return NULL;
    }
    if (v)
        return expr_literal(p, v, name.span);
    struct expr *e = expr_new(p, EXPR_TRAVERSAL, name.span);
    e->name = parser_text(p, &name);
    return e;
}

static const struct expr *parse_number(struct parser *p)
{
    struct token t = p->token;
    g_autofree char *digits = g_strndup(t.start, t.len);
    const struct value *v = value_number_parse(p->file->heap, (struct text){digits, t.len});
    if (!v) {
        parser_fail(p, t.span, "this number is too large");
        return NULL;
    }
    parser_next(p);
    return expr_literal(p, v, t.span);
}

static const struct expr *parse_paren(struct parser *p)
{
    struct span at = p->token.span;
    gboolean lines = parser_lines(p, FALSE);
    parser_next(p);
    const struct expr *inner = parse_expression(p);
    if (inner && !parser_is(p, ")"))
        parser_expected(p, "\")\"");
    parser_lines(p, lines);
    parser_take(p, ")");
    return inner ? expr_with(p, expr_new(p, EXPR_PAREN, at), &inner, 1) : NULL;
}

/* "for k, v in collection :", the next token being "for". */
static gboolean parse_for_head(struct parser *p, struct for_expr *f)
{
    const char *names[2] = {0};
    guint n = 0;
    do {
        parser_next(p);
        if (p->token.kind != TOKEN_IDENT || n == 2) {
            parser_expected(p, n == 2 ? "\"in\"" : "the name of a variable after \"for\"");
            return FALSE;
        }
        names[n++] = parser_text(p, &p->token);
        parser_next(p);
    } while (parser_is(p, ","));
    f->key = n == 2 ? names[0] : NULL;
    f->value = names[n - 1];
    if (!parser_is_word(p, "in")) {
        parser_expected(p, "\"in\" and what is iterated over");
        return FALSE;
    }
    parser_next(p);
    return (f->collection = parse_expression(p)) != NULL;
}

static gboolean parse_for_results(struct parser *p, struct for_expr *f, gboolean object)
{
    if (!parser_take(p, ":")) {
        parser_expected(p, "\":\" after what is iterated over");
        return FALSE;
    }
    f->result = parse_expression(p);
    if (object && f->result) {
        if (!parser_take(p, "=>")) {
            parser_expected(p, "\"=>\" between key and value");
            return FALSE;
        }
        f->key_result = f->result;
        f->result = parse_expression(p);
        f->group = parser_take(p, "...");
    }
    if (f->result && parser_is_word(p, "if")) {
        parser_next(p);
        f->condition = parse_expression(p);
        return f->condition != NULL;
    }
    return f->result != NULL;
}

/* The inside of "[for …]" or "{for …}"; the next token is "for". */
static const struct expr *parse_for(struct parser *p, struct span at, const char *close)
{
    struct expr *e = expr_new(p, EXPR_FOR, at);
    struct for_expr *f = heap_alloc(p->file->heap, sizeof(*f));
    if (!parse_for_head(p, f) || !parse_for_results(p, f, *close == '}'))
        return NULL;
    if (!parser_is(p, close))
        parser_expected(p, *close == '}' ? "\"}\" at the end of the for expression"
                                         : "\"]\" at the end of the for expression");
    e->loop = f;
    gboolean low = expr_raise(p, e, f->collection) && expr_raise(p, e, f->result) &&
                   (!f->key_result || expr_raise(p, e, f->key_result)) &&
                   (!f->condition || expr_raise(p, e, f->condition));
    return low ? e : NULL;
}

static const struct expr *parse_tuple_items(struct parser *p, struct span at)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    while (!p->failed && !parser_is(p, "]")) {
        g_ptr_array_add(items, (gpointer)parse_expression(p));
        if (!parser_take(p, ",") && !parser_is(p, "]"))
            parser_expected(p, "\",\" or \"]\" after an element");
    }
    return expr_of_pointers(p, expr_new(p, EXPR_TUPLE, at), items);
}

static const struct expr *parse_tuple(struct parser *p)
{
    struct span at = p->token.span;
    gboolean lines = parser_lines(p, FALSE);
    parser_next(p);
    const struct expr *e =
        parser_is_word(p, "for") ? parse_for(p, at, "]") : parse_tuple_items(p, at);
    parser_lines(p, lines);
    parser_take(p, "]");
    return e;
}

/* A name alone is a key as it is; in round brackets it is a variable. */
static const struct expr *parse_key(struct parser *p)
{
    const struct expr *e = parse_expression(p);
    if (e && e->kind == EXPR_LITERAL && e->value == &value_null)
        return expr_literal(p, value_cstring(p->file->heap, "null"), e->at.span);
    if (!e || e->kind != EXPR_TRAVERSAL)
        return e;
    if (e->n_steps > 0) {
        parser_fail(p, e->at.span,
                    "a key that is an expression stands in round brackets, and one "
                    "with a dot in quotes");
        return NULL;
    }
    return expr_literal(p, value_cstring(p->file->heap, e->name), e->at.span);
}

static const struct expr *parse_object_items(struct parser *p, struct span at)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    parser_skip_newlines(p);
    while (!p->failed && !parser_is(p, "}")) {
        g_ptr_array_add(items, (gpointer)parse_key(p));
        if (!parser_take(p, "=") && !parser_take(p, ":"))
            parser_expected(p, "\"=\" or \":\" after the key");
        g_ptr_array_add(items, (gpointer)parse_expression(p));
        if (!parser_take(p, ",") && p->token.kind != TOKEN_NEWLINE && !parser_is(p, "}"))
            parser_expected(p, "\",\", a newline or \"}\" after the value");
        parser_skip_newlines(p);
    }
    return expr_of_pointers(p, expr_new(p, EXPR_OBJECT, at), items);
}

/* Whether "for" is the next word after blanks and newlines. */
static gboolean for_follows(const struct parser *p)
{
    struct parser ahead = *p;
    ahead.lines = FALSE;
    ahead.failed = FALSE;
    const char *s = p->p;
    while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')
        s++;
    return lexer_identifier(s, ahead.end) == 3 && memcmp(s, "for", 3) == 0;
}

static const struct expr *parse_object(struct parser *p)
{
    struct span at = p->token.span;
    gboolean is_for = for_follows(p);
    gboolean lines = parser_lines(p, !is_for);
    parser_next(p);
    const struct expr *e = is_for ? parse_for(p, at, "}") : parse_object_items(p, at);
    parser_lines(p, lines);
    parser_take(p, "}");
    return e;
}

static const struct expr *parse_term(struct parser *p)
{
    switch (p->token.kind) {
    case TOKEN_IDENT:
        return parse_name(p);
    case TOKEN_NUMBER:
        return parse_number(p);
    case TOKEN_QUOTE:
        return parse_template(p, TEMPLATE_QUOTED);
    case TOKEN_HEREDOC:
        return parse_template(p, TEMPLATE_HEREDOC);
    default:
        break;
    }
    if (parser_is(p, "("))
        return parse_paren(p);
    if (parser_is(p, "["))
        return parse_tuple(p);
    if (parser_is(p, "{"))
        return parse_object(p);
    parser_expected(p, "an expression");
    return NULL;
}

/* e with one more step behind it: the same node, longer, where that is possible. */
static const struct expr *add_step(struct parser *p, const struct expr *e, struct step step)
{
    gboolean longer = e->kind == EXPR_TRAVERSAL || e->kind == EXPR_STEPS;
    struct expr *result = longer ? (struct expr *)e : expr_new(p, EXPR_STEPS, e->at.span);
    if (!longer && !expr_with(p, result, &e, 1))
        return NULL;
    /* room for steps doubles at each power of two */
    guint n = result->n_steps;
    if ((n & (n - 1)) == 0) {
        struct step *steps = heap_array(p->file->heap, struct step, MAX(n * 2, 1));
        for (guint i = 0; i < n; i++)
            steps[i] = result->steps[i];
        result->steps = steps;
    }
    ((struct step *)result->steps)[result->n_steps++] = step;
    if (result->kind == EXPR_TRAVERSAL)
        result->at.span.len =
            MAX(result->at.span.len, step.at.span.line == result->at.span.line
                                         ? step.at.span.col + step.at.span.len - result->at.span.col
                                         : 0);
    return result;
}

/* ".0": old syntax of an index. p->p is at its first digit. */
static const struct expr *add_old_index(struct parser *p, const struct expr *e)
{
    gsize n = strspn(p->p, "0123456789");
    struct span at = parser_span(p, p->p, n);
    g_autofree char *digits = g_strndup(p->p, n);
    const struct value *v = value_number_parse(p->file->heap, (struct text){digits, n});
    p->p += n;
    if (p->p[0] == '.' && g_ascii_isdigit(p->p[1]))
        parser_fail(p, at, "only one index may be written like this in a row; use [0][1]");
    parser_next(p);
    return add_step(p, e, (struct step){v, FALSE, {p->file, at}});
}

/* ".name" or ".0"; the next token is the dot. NULL with p not failed: it was ".*". */
static const struct expr *add_attribute(struct parser *p, const struct expr *e)
{
    if (g_ascii_isdigit(*p->p))
        return add_old_index(p, e);
    parser_next(p);
    if (parser_is(p, "*"))
        return NULL;
    struct token name = p->token;
    if (name.kind != TOKEN_IDENT) {
        parser_expected(p, "the name of an attribute after \".\"");
        return NULL;
    }
    parser_next(p);
    const struct value *key = value_string(p->file->heap, name.start, name.len);
    return add_step(p, e, (struct step){key, TRUE, {p->file, name.span}});
}

static const struct expr *splat_make(struct parser *p, const struct expr *source,
                                     const struct expr *each, struct span at)
{
    const struct expr *operands[] = {source, each};
    return expr_with(p, expr_new(p, EXPR_SPLAT, at), operands, 2);
}

/* What follows ".*": attributes only. The next token is the star. */
static const struct expr *parse_attribute_splat(struct parser *p, const struct expr *source)
{
    struct span at = p->token.span;
    const struct expr *each = expr_new(p, EXPR_ITEM, at);
    parser_next(p);
    while (each && parser_is(p, ".")) {
        each = add_attribute(p, each);
        if (!each && !p->failed)
            parser_fail(p, p->token.span, "\".*\" cannot follow \".*\"; use \"[*]\"");
    }
    return each ? splat_make(p, source, each, at) : NULL;
}

static const struct expr *parse_steps(struct parser *p, const struct expr *e);

/* "*]" and all steps behind it; the next token is the star. */
static const struct expr *parse_full_splat(struct parser *p, const struct expr *source,
                                           gboolean lines)
{
    struct span at = p->token.span;
    parser_next(p);
    if (!parser_is(p, "]"))
        parser_expected(p, "\"]\" after \"[*\"");
    parser_lines(p, lines);
    parser_take(p, "]");
    const struct expr *each = parser_enter(p) ? parse_steps(p, expr_new(p, EXPR_ITEM, at)) : NULL;
    parser_leave(p);
    return each ? splat_make(p, source, each, at) : NULL;
}

/* A literal key, number or string, or NULL. */
static const struct value *literal_key(const struct expr *key)
{
    return key->kind == EXPR_LITERAL && !key->value->null && key->value->kind != TYPE_BOOL
               ? key->value
               : NULL;
}

/* "[key]"; the next token is the bracket. */
static const struct expr *parse_index(struct parser *p, const struct expr *e)
{
    struct span at = p->token.span;
    gboolean lines = parser_lines(p, FALSE);
    parser_next(p);
    if (parser_is(p, "*"))
        return parse_full_splat(p, e, lines);
    const struct expr *key = parse_expression(p);
    if (key && !parser_is(p, "]"))
        parser_expected(p, "\"]\" after the index");
    parser_lines(p, lines);
    parser_take(p, "]");
    if (!key || p->failed)
        return NULL;
    if (literal_key(key))
        return add_step(p, e, (struct step){key->value, FALSE, {p->file, at}});
    const struct expr *operands[] = {e, key};
    return expr_with(p, expr_new(p, EXPR_INDEX, at), operands, 2);
}

static const struct expr *parse_steps(struct parser *p, const struct expr *e)
{
    while (e && !p->failed) {
        if (parser_is(p, ".")) {
            const struct expr *longer = add_attribute(p, e);
            e = longer || p->failed ? longer : parse_attribute_splat(p, e);
        } else if (parser_is(p, "[")) {
            e = parse_index(p, e);
        } else {
            return e;
        }
    }
    return NULL;
}

static const struct expr *parse_unary(struct parser *p)
{
    gboolean negate = parser_is(p, "-");
    if (!negate && !parser_is(p, "!"))
        return parse_steps(p, parse_term(p));
    struct span at = p->token.span;
    const struct expr *operand = NULL;
    parser_next(p);
    if (parser_enter(p))
        operand = parse_unary(p);
    parser_leave(p);
    if (!operand)
        return NULL;
    struct expr *e = expr_new(p, EXPR_UNARY, at);
    e->op = negate ? OP_NEGATE : OP_NOT;
    return expr_with(p, e, &operand, 1);
}

static const struct {
    const char *text;
    enum expr_op op;
    guint level; /* higher binds closer */
} OPERATORS[] = {
    {"||", OP_OR, 1},        {"&&", OP_AND, 2},           {"==", OP_EQUAL, 3},
    {"!=", OP_NOT_EQUAL, 3}, {"<", OP_LESS, 4},           {"<=", OP_LESS_EQUAL, 4},
    {">", OP_GREATER, 4},    {">=", OP_GREATER_EQUAL, 4}, {"+", OP_ADD, 5},
    {"-", OP_SUBTRACT, 5},   {"*", OP_MULTIPLY, 6},       {"/", OP_DIVIDE, 6},
    {"%", OP_MODULO, 6},
};

/* The operator that is the next token, if it binds at least so close; or -1. */
static int next_operator(const struct parser *p, guint level)
{
    for (guint i = 0; i < G_N_ELEMENTS(OPERATORS); i++)
        if (OPERATORS[i].level >= level && parser_is(p, OPERATORS[i].text))
            return (int)i;
    return -1;
}

static const struct expr *parse_binary(struct parser *p, guint level)
{
    const struct expr *left = parse_unary(p);
    for (int i; left && (i = next_operator(p, level)) >= 0;) {
        struct expr *e = expr_new(p, EXPR_BINARY, p->token.span);
        e->op = OPERATORS[i].op;
        parser_next(p);
        const struct expr *operands[] = {left, parse_binary(p, OPERATORS[i].level + 1)};
        left = expr_with(p, e, operands, 2);
    }
    return left;
}

static const struct expr *parse_conditional(struct parser *p)
{
    const struct expr *condition = parse_binary(p, 1);
    if (!condition || !parser_is(p, "?"))
        return condition;
    struct expr *e = expr_new(p, EXPR_CONDITIONAL, p->token.span);
    parser_next(p);
    const struct expr *yes = parse_expression(p);
    if (yes && !parser_take(p, ":")) {
        parser_expected(p, "\":\" and what counts when the condition is false");
        return NULL;
    }
    const struct expr *no = yes ? parse_expression(p) : NULL;
    const struct expr *operands[] = {condition, yes, no};
    return expr_with(p, e, operands, 3);
}

const struct expr *parse_expression(struct parser *p)
{
    const struct expr *e = parser_enter(p) ? parse_conditional(p) : NULL;
    parser_leave(p);
    return p->failed ? NULL : e;
}
