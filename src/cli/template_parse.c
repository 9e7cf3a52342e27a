#include "base/suggest.h"
#include "cli/template_tree.h"

#include <stdarg.h>
#include <string.h>

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
#define SHOWN_TEXT 24 /* bytes of the text that an error repeats */

struct parser {
    struct template *t;
    const char *at;
    guint depth;
    gboolean trim; /* the action before ended with -}} */
    GError **err;
};
enum stop { STOP_TEXT_END, STOP_END, STOP_ELSE };

gboolean template_wrong(const struct template *t, const char *at, enum varve_error code,
                        GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    gsize len = MIN(strcspn(at, "}\n"), SHOWN_TEXT);
    while (len > 0 && ((guchar)at[len] & 0xc0) == 0x80)
        len--;
    g_autofree char *near = len ? g_strdup_printf(", \"%.*s\"", (int)len, at) : g_strdup("");
    return error_set(err, code, "--format: at character %ld%s: %s",
                     g_utf8_strlen(t->text, at - t->text) + 1, near, what);
}

static gboolean bad_at(struct parser *p, const char *at, const char *what)
{
    template_wrong(p->t, at, VARVE_ERROR_USAGE, p->err, "%s", what);
    error_add_next(
        p->err,
        "man varve, TEMPLATES lists what a template may contain; or use --format json and jq");
    return FALSE;
}

static gboolean bad_template(struct parser *p, const char *what)
{
    return bad_at(p, p->at, what);
}

static void skip_space(struct parser *p)
{
    p->at += strspn(p->at, " \t\r\n");
}

static gboolean at_action_end(struct parser *p)
{
    skip_space(p);
    return g_str_has_prefix(p->at, "}}") || g_str_has_prefix(p->at, "-}}");
}

static gboolean end_action(struct parser *p)
{
    if (!at_action_end(p))
        return bad_template(p, *p->at ? "expected }}" : "{{ is not closed");
    p->trim = *p->at == '-';
    p->at += p->trim ? 3 : 2;
    return TRUE;
}

static gboolean take_word(struct parser *p, const char *word)
{
    gsize n = strlen(word);
    skip_space(p);
    if (strncmp(p->at, word, n) != 0 || strspn(p->at + n, WORD) > 0)
        return FALSE;
    p->at += n;
    return TRUE;
}

static char *take_name(struct parser *p)
{
    gsize n = strspn(p->at, WORD);
    char *name = arena_strndup(p->t->arena, p->at, n);
    p->at += n;
    return name;
}

static void parse_fields(struct parser *p, struct operand *o)
{
    struct field **last = &o->fields;
    while (*p->at == '.' && strspn(p->at + 1, WORD) > 0) {
        struct field *f = arena_new_of(p->t->arena, struct field);
        f->at = p->at++;
        f->name = take_name(p);
        *last = f;
        last = &f->next;
    }
}

static void set_literal(struct parser *p, struct operand *o, json_t *value)
{
    o->literal = value;
    g_ptr_array_add(p->t->literals, value);
}

static gboolean parse_string(struct parser *p, struct operand *o)
{
    const char *close = p->at + 1;
    for (; *close && *close != *p->at; close++)
        if (*p->at == '"' && *close == '\\' && close[1])
            close++;
    if (!*close)
        return bad_template(p, "the string is not closed");
    g_autofree char *raw = g_strndup(p->at + 1, close - p->at - 1);
    g_autofree char *plain = *p->at == '"' ? g_strcompress(raw) : g_strdup(raw);
    g_autofree char *text = g_utf8_make_valid(plain, -1);
    set_literal(p, o, json_string(text));
    p->at = close + 1;
    return TRUE;
}

static gboolean parse_number(struct parser *p, struct operand *o)
{
    char *end;
    gint64 n = g_ascii_strtoll(p->at, &end, 10);
    if (end == p->at || strspn(end, WORD ".") > 0)
        return bad_template(p, "not a whole number");
    p->at = end;
    set_literal(p, o, json_integer(n));
    return TRUE;
}

static struct pipe *parse_pipe(struct parser *p);

static gboolean deeper(struct parser *p)
{
    return ++p->depth <= TEMPLATE_MAX_DEPTH ||
           bad_template(p, "blocks and brackets are nested too deeply");
}

static gboolean parse_brackets(struct parser *p, struct operand *o)
{
    p->at++;
    o->kind = OPERAND_PIPE;
    if (!deeper(p) || !(o->pipe = parse_pipe(p)))
        return FALSE;
    p->depth--;
    skip_space(p);
    if (*p->at != ')')
        return bad_template(p, "expected )");
    p->at++;
    return TRUE;
}

static gboolean parse_word(struct parser *p, struct operand *o)
{
    if (take_word(p, "true"))
        set_literal(p, o, json_true());
    else if (take_word(p, "false"))
        set_literal(p, o, json_false());
    else if (take_word(p, "nil"))
        set_literal(p, o, json_null());
    else
        return bad_template(
            p,
            "not a field, variable, string or number (put a call used as an argument in brackets)");
    return TRUE;
}

/* What stands before the fields. */
static gboolean parse_base(struct parser *p, struct operand *o)
{
    if (*p->at == '(')
        return parse_brackets(p, o);
    if (*p->at == '"' || *p->at == '`')
        return parse_string(p, o);
    if (g_ascii_isdigit(*p->at) || (*p->at == '-' && g_ascii_isdigit(p->at[1])))
        return parse_number(p, o);
    if (*p->at == '$') {
        p->at++;
        o->kind = OPERAND_VARIABLE;
        o->name = take_name(p);
        return TRUE;
    }
    if (*p->at != '.')
        return parse_word(p, o);
    o->kind = OPERAND_DOT;
    p->at += strspn(p->at + 1, WORD) == 0;
    return TRUE;
}

static struct operand *parse_operand(struct parser *p)
{
    struct operand *o = arena_new_of(p->t->arena, struct operand);
    skip_space(p);
    o->at = p->at;
    if (!parse_base(p, o))
        return NULL;
    parse_fields(p, o);
    if (*p->at && !strchr(" \t\r\n|)},:=", *p->at)) {
        bad_template(p, "a space is missing here");
        return NULL;
    }
    return o;
}

static const struct template_function *parse_function(struct parser *p)
{
    const char *at = p->at;
    const char *name = take_name(p);
    const struct template_function *f = template_function_find(name);
    if (f)
        return f;
    const char *const *names = template_function_names();
    const char *near = suggest_nearest(name, names, g_strv_length((char **)names));
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    template_wrong(p->t, at, VARVE_ERROR_USAGE, p->err, "there is no function %s%s%s%s", name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    error_add_next(p->err, "fields begin with a dot; the functions are %s", all);
    return NULL;
}

/* "NAME ARGUMENT…", or a value alone. piped: one more argument comes from before. */
static struct call *parse_call(struct parser *p, gboolean piped)
{
    static const char *const values[] = {"true", "false", "nil", NULL};
    struct call *c = arena_new_of(p->t->arena, struct call);
    skip_space(p);
    c->at = p->at;
    g_autofree char *word = g_strndup(p->at, strspn(p->at, WORD));
    if (g_ascii_isalpha(*word) && !g_strv_contains(values, word) &&
        !(c->function = parse_function(p)))
        return NULL;
    guint n = 0;
    for (struct operand **last = &c->args; !at_action_end(p) && !strchr("|)", *p->at); n++) {
        if (!c->function && n > 0)
            return bad_template(p, "only functions take arguments"), NULL;
        if (!(*last = parse_operand(p)))
            return NULL;
        last = &(*last)->next;
    }
    if (!c->function && (n == 0 || piped))
        return bad_at(p, c->at, piped ? "expected a function after |" : "this is empty"), NULL;
    if (c->function && (n + piped < c->function->min || n + piped > c->function->max))
        return bad_at(p, c->at, "wrong number of arguments for the function"), NULL;
    return c;
}

/* "$v :=", "$v =", "$i, $v :=" in front of a pipe; takes nothing when there is none of them. */
static void parse_declaration(struct parser *p, struct pipe *pipe)
{
    skip_space(p);
    const char *begin = p->at;
    for (guint i = 0; i < 2 && *p->at == '$'; i++) {
        p->at++;
        pipe->vars[i] = take_name(p);
        skip_space(p);
        if (*p->at != ',')
            break;
        p->at++;
        skip_space(p);
    }
    pipe->assign = *p->at == '=';
    if (pipe->vars[0] && *pipe->vars[0] && (pipe->assign || g_str_has_prefix(p->at, ":="))) {
        p->at += pipe->assign ? 1 : 2;
        return;
    }
    p->at = begin;
    pipe->vars[0] = pipe->vars[1] = NULL;
    pipe->assign = FALSE;
}

/* NULL after an error. */
static struct pipe *parse_pipe(struct parser *p)
{
    struct pipe *pipe = arena_new_of(p->t->arena, struct pipe);
    parse_declaration(p, pipe);
    struct call **last = &pipe->calls;
    do {
        p->at += last != &pipe->calls;
        *last = parse_call(p, last != &pipe->calls);
        if (!*last)
            return NULL;
        last = &(*last)->next;
        skip_space(p);
    } while (*p->at == '|');
    return pipe;
}

static struct node *parse_block(struct parser *p, enum stop *stop);

/* From behind "if", "with" or "range" up to behind its end; *stop as of parse_block(), for "else
 * if". */
static gboolean parse_branches(struct parser *p, struct node *n, const char *begin)
{
    enum stop stop;
    if (!deeper(p) || !(n->pipe = parse_pipe(p)))
        return FALSE;
    if (n->pipe->vars[1] && n->kind != NODE_RANGE)
        return bad_at(p, begin, "only range can set two variables");
    if (!end_action(p))
        return FALSE;
    n->body = parse_block(p, &stop);
    if (p->err && *p->err)
        return FALSE;
    if (stop == STOP_ELSE && (take_word(p, "if") || take_word(p, "with"))) {
        n->otherwise = arena_new_of(p->t->arena, struct node);
        n->otherwise->kind = p->at[-1] == 'f' ? NODE_IF : NODE_WITH;
        p->depth--;
        return parse_branches(p, n->otherwise, begin);
    }
    if (stop == STOP_ELSE) {
        if (!end_action(p))
            return FALSE;
        n->otherwise = parse_block(p, &stop);
        if (p->err && *p->err)
            return FALSE;
    }
    p->depth--;
    if (stop != STOP_END)
        return bad_at(p, begin, stop == STOP_ELSE ? "a second else" : "the block has no {{end}}");
    return end_action(p);
}

static gboolean refuse_keyword(struct parser *p)
{
    static const char *const unknown[] = {"define", "template", "block", "break", "continue"};
    const char *begin = p->at;
    for (guint i = 0; i < G_N_ELEMENTS(unknown); i++)
        if (take_word(p, unknown[i]))
            return !bad_at(p, begin, "not supported");
    return FALSE;
}

/* Behind "{{": the action's node, or NULL for a comment (and after an error). */
static struct node *parse_action(struct parser *p)
{
    const char *begin = p->at;
    if (g_str_has_prefix(p->at, "/*")) {
        const char *close = strstr(p->at, "*/");
        p->at = close ? close + 2 : p->at;
        if (!close)
            bad_template(p, "the comment is not closed");
        else
            end_action(p);
        return NULL;
    }
    struct node *n = arena_new_of(p->t->arena, struct node);
    n->kind = take_word(p, "if")      ? NODE_IF
              : take_word(p, "with")  ? NODE_WITH
              : take_word(p, "range") ? NODE_RANGE
                                      : NODE_VALUE;
    if (n->kind != NODE_VALUE)
        return parse_branches(p, n, begin) ? n : NULL;
    if (refuse_keyword(p) || !(n->pipe = parse_pipe(p)))
        return NULL;
    if (n->pipe->vars[1])
        return bad_at(p, begin, "only range can set two variables"), NULL;
    return end_action(p) ? n : NULL;
}

/* The text up to the next action, without what the actions around it trim; NULL: empty. */
static struct node *parse_text(struct parser *p)
{
    if (p->trim)
        skip_space(p);
    p->trim = FALSE;
    const char *open = strstr(p->at, "{{");
    gsize len = open ? (gsize)(open - p->at) : strlen(p->at);
    const char *begin = p->at;
    p->at += len;
    if (open && open[2] == '-' && open[3] && strchr(" \t\r\n", open[3]))
        while (len > 0 && strchr(" \t\r\n", begin[len - 1]))
            len--;
    if (len == 0)
        return NULL;
    struct node *n = arena_new_of(p->t->arena, struct node);
    n->kind = NODE_TEXT;
    n->text = arena_strndup(p->t->arena, begin, len);
    return n;
}

/* Up to the text's end, or behind the word "end" or "else". */
static struct node *parse_block(struct parser *p, enum stop *stop)
{
    struct node *first = NULL, **last = &first;
    for (;;) {
        if ((*last = parse_text(p)))
            last = &(*last)->next;
        *stop = STOP_TEXT_END;
        if (!*p->at)
            return first;
        p->at += 2;
        if (*p->at == '-' && p->at[1] && strchr(" \t\r\n", p->at[1]))
            p->at++;
        skip_space(p);
        *stop = STOP_END;
        if (take_word(p, "end"))
            return first;
        *stop = STOP_ELSE;
        if (take_word(p, "else"))
            return first;
        if ((*last = parse_action(p)))
            last = &(*last)->next;
        if (*p->err)
            return NULL;
    }
}

struct template *template_new(const char *text, GError **err)
{
    g_autoptr(template) t = g_new0(struct template, 1);
    GError *why = NULL;
    enum stop stop = STOP_TEXT_END;
    t->text = g_utf8_make_valid(text, -1);
    t->arena = arena_new();
    t->literals = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    struct parser p = {.t = t, .at = t->text, .err = &why};
    if (strlen(text) > TEMPLATE_MAX_TEXT)
        bad_template(&p, "the template is too long");
    else
        t->first = parse_block(&p, &stop);
    if (!why && stop != STOP_TEXT_END)
        bad_template(&p, stop == STOP_END ? "this {{end}} has no block to end"
                                          : "this {{else}} belongs to no block");
    if (!why)
        return g_steal_pointer(&t);
    g_propagate_error(err, why);
    return NULL;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    g_ptr_array_unref(t->literals);
    arena_free(t->arena);
    g_free(t->text);
    g_free(t);
}
