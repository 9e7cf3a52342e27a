#include "cli/template_tree.h"

#include <string.h>

#define MAX_ARGUMENTS 64
#define MAX_WIDTH 1000 /* of what is padded */

gboolean template_truth(const json_t *v)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        return json_object_size(v) > 0;
    case JSON_ARRAY:
        return json_array_size(v) > 0;
    case JSON_STRING:
        return json_string_length(v) > 0;
    case JSON_INTEGER:
    case JSON_REAL:
        return json_number_value(v) != 0;
    default:
        return json_is_true(v);
    }
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_object(GString *out, json_t *v)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *name;
    json_t *value;
    json_object_foreach(v, name, value) g_ptr_array_add(names, (gpointer)name);
    g_ptr_array_sort(names, by_name);
    g_string_append(out, "map[");
    for (guint i = 0; i < names->len; i++) {
        name = g_ptr_array_index(names, i);
        g_string_append_printf(out, "%s%s:", i ? " " : "", name);
        template_print(out, json_object_get(v, name));
    }
    g_string_append_c(out, ']');
}

static void print_list(GString *out, json_t *v)
{
    g_string_append_c(out, '[');
    for (gsize i = 0; i < json_array_size(v); i++) {
        g_string_append(out, i ? " " : "");
        template_print(out, json_array_get(v, i));
    }
    g_string_append_c(out, ']');
}

void template_print(GString *out, json_t *v)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    if (!v)
        g_string_append(out, "<no value>");
    else if (json_is_string(v))
        g_string_append(out, json_string_value(v));
    else if (json_is_integer(v))
        g_string_append_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        g_string_append(out, g_ascii_formatd(digits, sizeof digits, "%.15g", json_real_value(v)));
    else if (json_is_boolean(v))
        g_string_append(out, json_is_true(v) ? "true" : "false");
    else if (json_is_object(v))
        print_object(out, v);
    else if (json_is_array(v))
        print_list(out, v);
    else
        g_string_append(out, "<nil>");
}

/* Takes the string. */
static const char *give(GString *text, json_t **out)
{
    *out = json_string(text->str);
    g_string_free(text, TRUE);
    return NULL;
}

/* Takes the text. */
static const char *give_text(char *text, json_t **out)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_free(text);
    *out = json_string(valid);
    return NULL;
}

static const char *text_of(const struct template_args *a, guint i)
{
    return i < a->n ? json_string_value(a->values[i]) : NULL;
}

#define NOT_TEXT "the function needs a string"
#define NOT_NUMBER "the function needs a number"

static const char *call_json(struct template_args *a, json_t **out)
{
    g_autofree char *text =
        json_dumps(a->values[0], JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    *out = json_string(text ? text : "null");
    return NULL;
}

static const char *index_list(struct template_args *a, guint i, json_t **out)
{
    json_t *at = a->values[i];
    if (!json_is_integer(at))
        return "the index of a list must be a number";
    if (json_integer_value(at) < 0 || (gsize)json_integer_value(at) >= json_array_size(*out)) {
        a->code = VARVE_ERROR_NOT_FOUND;
        return json_array_size(*out) ? "the list is shorter than that" : "the list is empty";
    }
    *out = json_array_get(*out, json_integer_value(at));
    return NULL;
}

/* An absent key of an object gives the empty string, as in Docker's maps of strings. */
static const char *call_index(struct template_args *a, json_t **out)
{
    json_t *v = a->values[0];
    for (guint i = 1; i < a->n; i++) {
        const char *why = NULL;
        if (json_is_array(v))
            why = index_list(a, i, &v);
        else if (!v || json_is_null(v) || json_is_object(v))
            v = json_object_get(v, text_of(a, i) ? text_of(a, i) : "");
        else
            why = "index needs a list or an object";
        if (why)
            return why;
    }
    *out = v ? json_incref(v) : json_string("");
    return NULL;
}

static gsize length_of(const json_t *v)
{
    return json_is_string(v)   ? json_string_length(v)
           : json_is_object(v) ? json_object_size(v)
                               : json_array_size(v);
}

static const char *call_len(struct template_args *a, json_t **out)
{
    const json_t *v = a->values[0];
    if (json_is_number(v) || json_is_boolean(v))
        return "len needs a list, an object or a string";
    *out = json_integer(length_of(v));
    return NULL;
}

/* Bounds of "slice V FROM TO", in bytes or elements. */
static const char *slice_bounds(struct template_args *a, gsize *from, gsize *to)
{
    gsize *bounds[] = {from, to};
    gsize length = length_of(a->values[0]);
    *to = length;
    for (guint i = 1; i < a->n; i++) {
        json_int_t n = json_integer_value(a->values[i]);
        if (!json_is_integer(a->values[i]))
            return NOT_NUMBER;
        a->code = VARVE_ERROR_NOT_FOUND;
        if (n < 0 || (gsize)n > length)
            return "it is shorter than that";
        *bounds[i - 1] = n;
    }
    return *from > *to ? "it is shorter than that" : NULL;
}

static const char *call_slice(struct template_args *a, json_t **out)
{
    gsize from = 0, to;
    json_t *v = a->values[0];
    if (!json_is_string(v) && !json_is_array(v))
        return "slice needs a string or a list";
    const char *why = slice_bounds(a, &from, &to);
    if (why)
        return why;
    if (json_is_string(v))
        return give_text(g_strndup(json_string_value(v) + from, to - from), out);
    *out = json_array();
    for (gsize i = from; i < to; i++)
        json_array_append(*out, json_array_get(v, i));
    return NULL;
}

static const char *call_join(struct template_args *a, json_t **out)
{
    const char *between = text_of(a, 1);
    if (!between || (a->values[0] && !json_is_array(a->values[0]) && !json_is_null(a->values[0])))
        return "join needs a list and a string";
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < json_array_size(a->values[0]); i++) {
        g_string_append(text, i ? between : "");
        template_print(text, json_array_get(a->values[0], i));
    }
    return give(text, out);
}

static const char *call_split(struct template_args *a, json_t **out)
{
    if (!text_of(a, 0) || !text_of(a, 1) || !*text_of(a, 1))
        return "split needs two strings";
    g_auto(GStrv) parts = g_strsplit(text_of(a, 0), text_of(a, 1), -1);
    *out = json_array();
    for (char **p = parts; *p; p++)
        json_array_append_new(*out, json_string(*p));
    if (!*parts)
        json_array_append_new(*out, json_string(""));
    return NULL;
}

static const char *call_upper(struct template_args *a, json_t **out)
{
    return text_of(a, 0) ? give_text(g_utf8_strup(text_of(a, 0), -1), out) : NOT_TEXT;
}

static const char *call_lower(struct template_args *a, json_t **out)
{
    return text_of(a, 0) ? give_text(g_utf8_strdown(text_of(a, 0), -1), out) : NOT_TEXT;
}

static const char *call_title(struct template_args *a, json_t **out)
{
    if (!text_of(a, 0))
        return NOT_TEXT;
    char *text = g_strdup(text_of(a, 0));
    for (char *c = text; *c; c++)
        if (c == text || g_ascii_isspace(c[-1]))
            *c = g_ascii_toupper(*c);
    return give_text(text, out);
}

/* "pad V BEFORE BEHIND": so many spaces around what is not empty. */
static const char *call_pad(struct template_args *a, json_t **out)
{
    json_int_t before = json_integer_value(a->values[1]), behind = json_integer_value(a->values[2]);
    if (!text_of(a, 0) || before < 0 || behind < 0 || before > MAX_WIDTH || behind > MAX_WIDTH)
        return "pad needs a string and two numbers";
    gboolean empty = !*text_of(a, 0);
    return give_text(g_strdup_printf("%*s%s%*s", empty ? 0 : (int)before, "", text_of(a, 0),
                                     empty ? 0 : (int)behind, ""),
                     out);
}

static const char *call_truncate(struct template_args *a, json_t **out)
{
    if (!text_of(a, 0) || !json_is_integer(a->values[1]) || json_integer_value(a->values[1]) < 0)
        return "truncate needs a string and a number";
    return give_text(g_strndup(text_of(a, 0), json_integer_value(a->values[1])), out);
}

static GString *printed(const struct template_args *a, gboolean always_spaced)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < a->n; i++) {
        gboolean words = i && (text_of(a, i) || text_of(a, i - 1));
        if (i && (always_spaced || !words))
            g_string_append_c(text, ' ');
        template_print(text, a->values[i]);
    }
    return text;
}

static const char *call_print(struct template_args *a, json_t **out)
{
    return give(printed(a, FALSE), out);
}

static const char *call_println(struct template_args *a, json_t **out)
{
    return give(g_string_append_c(printed(a, TRUE), '\n'), out);
}

/* One directive of printf: "%-20.12s". */
struct directive {
    gboolean left, zero;
    gint64 width, precision; /* precision -1: none */
    char verb;
};

static const char *parse_directive(const char *at, struct directive *d)
{
    *d = (struct directive){.precision = -1};
    for (; *at == '-' || *at == '0' || *at == '+' || *at == ' '; at++) {
        d->left = d->left || *at == '-';
        d->zero = d->zero || *at == '0';
    }
    d->width = g_ascii_strtoll(at, (char **)&at, 10);
    if (*at == '.')
        d->precision = g_ascii_strtoll(at + 1, (char **)&at, 10);
    d->verb = *at;
    gboolean small = d->width >= 0 && d->width <= MAX_WIDTH && d->precision <= MAX_WIDTH;
    return *at && small ? at + 1 : NULL;
}

/* The value as the verb prints it, newly allocated; NULL when it cannot. */
static char *directive_text(const struct directive *d, json_t *v)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (d->verb == 'f' && json_is_number(v))
        return g_strdup_printf("%.*f", d->precision < 0 ? 6 : (int)d->precision,
                               json_number_value(v));
    if (d->verb == 'q' && json_is_string(v))
        return json_dumps(v, JSON_ENCODE_ANY);
    if (d->verb != 'v' && d->verb != (json_is_integer(v) ? 'd' : json_is_boolean(v) ? 't' : 's'))
        return NULL;
    template_print(text, v);
    if (d->precision >= 0 && g_utf8_strlen(text->str, -1) > d->precision)
        g_string_truncate(text, g_utf8_offset_to_pointer(text->str, d->precision) - text->str);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static const char *add_directive(GString *out, const struct directive *d, json_t *v)
{
    g_autofree char *text = directive_text(d, v);
    if (!text)
        return "printf: %s takes a string, %d a number, %t true or false, %f a number, %q a "
               "string, %v all";
    int pad = (int)(d->width - g_utf8_strlen(text, -1));
    gboolean zeros = d->zero && !d->left && json_is_integer(v) && json_integer_value(v) >= 0;
    for (int i = 0; i < pad && !d->left; i++)
        g_string_append_c(out, zeros ? '0' : ' ');
    g_string_append(out, text);
    g_string_append_printf(out, "%*s", d->left && pad > 0 ? pad : 0, "");
    return out->len > TEMPLATE_MAX_OUTPUT ? "the text is too long" : NULL;
}

static const char *call_printf(struct template_args *a, json_t **out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char *at = text_of(a, 0), *why = NULL;
    for (guint next = 1; at && *at && !why;) {
        gsize plain = strcspn(at, "%");
        g_string_append_len(text, at, plain);
        at += plain;
        if (g_str_has_prefix(at, "%%")) {
            g_string_append_c(text, '%');
            at += 2;
        } else if (*at) {
            struct directive d;
            at = parse_directive(at + 1, &d);
            if (!at || next >= a->n)
                return at ? "printf: more %… than arguments" : "printf: malformed %…";
            why = add_directive(text, &d, a->values[next++]);
        }
    }
    if (!at)
        return NOT_TEXT;
    return why ? why : give(g_steal_pointer(&text), out);
}

static const char *call_not(struct template_args *a, json_t **out)
{
    *out = json_boolean(!template_truth(a->values[0]));
    return NULL;
}

/* The argument that decided, which is the last that was evaluated. */
static const char *call_last(struct template_args *a, json_t **out)
{
    *out = json_incref(a->values[a->n - 1]);
    return NULL;
}

/* -1, 0, 1; FALSE when the two cannot be compared. */
static gboolean compare(const json_t *x, const json_t *y, int *order)
{
    if (json_is_string(x) && json_is_string(y))
        *order = strcmp(json_string_value(x), json_string_value(y));
    else if (json_is_integer(x) && json_is_integer(y))
        *order = (json_integer_value(x) > json_integer_value(y)) -
                 (json_integer_value(x) < json_integer_value(y));
    else if (json_is_number(x) && json_is_number(y))
        *order = (json_number_value(x) > json_number_value(y)) -
                 (json_number_value(x) < json_number_value(y));
    else if ((json_is_boolean(x) && json_is_boolean(y)) || !x || !y || json_is_null(x) ||
             json_is_null(y))
        *order = !json_equal((json_t *)x, (json_t *)y) && x != y;
    else
        return FALSE;
    return TRUE;
}

#define NOT_COMPARABLE "values of different kinds cannot be compared"

/* Whether the first equals any of the others. */
static const char *call_eq(struct template_args *a, json_t **out)
{
    gboolean any = FALSE;
    int order;
    for (guint i = 1; i < a->n; i++) {
        if (!compare(a->values[0], a->values[i], &order))
            return NOT_COMPARABLE;
        any = any || order == 0;
    }
    *out = json_boolean(any);
    return NULL;
}

static const char *call_ne(struct template_args *a, json_t **out)
{
    int order;
    if (!compare(a->values[0], a->values[1], &order))
        return NOT_COMPARABLE;
    *out = json_boolean(order != 0);
    return NULL;
}

static const char *ordered(struct template_args *a, int *order)
{
    const json_t *x = a->values[0], *y = a->values[1];
    gboolean alike =
        (json_is_string(x) && json_is_string(y)) || (json_is_number(x) && json_is_number(y));
    return alike && compare(x, y, order) ? NULL : NOT_COMPARABLE;
}

static const char *call_lt(struct template_args *a, json_t **out)
{
    int order = 0;
    const char *why = ordered(a, &order);
    *out = why ? NULL : json_boolean(order < 0);
    return why;
}

static const char *call_le(struct template_args *a, json_t **out)
{
    int order = 0;
    const char *why = ordered(a, &order);
    *out = why ? NULL : json_boolean(order <= 0);
    return why;
}

static const char *call_gt(struct template_args *a, json_t **out)
{
    int order = 0;
    const char *why = ordered(a, &order);
    *out = why ? NULL : json_boolean(order > 0);
    return why;
}

static const char *call_ge(struct template_args *a, json_t **out)
{
    int order = 0;
    const char *why = ordered(a, &order);
    *out = why ? NULL : json_boolean(order >= 0);
    return why;
}

static const struct template_function functions[] = {
    {"and", 1, MAX_ARGUMENTS, FUNCTION_LAZY, call_last},
    {"eq", 2, MAX_ARGUMENTS, FUNCTION_TEST, call_eq},
    {"ge", 2, 2, FUNCTION_TEST, call_ge},
    {"gt", 2, 2, FUNCTION_TEST, call_gt},
    {"index", 1, MAX_ARGUMENTS, FUNCTION_PLAIN, call_index},
    {"join", 2, 2, FUNCTION_PLAIN, call_join},
    {"json", 1, 1, FUNCTION_PLAIN, call_json},
    {"le", 2, 2, FUNCTION_TEST, call_le},
    {"len", 1, 1, FUNCTION_PLAIN, call_len},
    {"lower", 1, 1, FUNCTION_PLAIN, call_lower},
    {"lt", 2, 2, FUNCTION_TEST, call_lt},
    {"ne", 2, 2, FUNCTION_TEST, call_ne},
    {"not", 1, 1, FUNCTION_TEST, call_not},
    {"or", 1, MAX_ARGUMENTS, FUNCTION_LAZY, call_last},
    {"pad", 3, 3, FUNCTION_PLAIN, call_pad},
    {"print", 0, MAX_ARGUMENTS, FUNCTION_TEXT, call_print},
    {"printf", 1, MAX_ARGUMENTS, FUNCTION_TEXT, call_printf},
    {"println", 0, MAX_ARGUMENTS, FUNCTION_TEXT, call_println},
    {"slice", 1, 3, FUNCTION_PLAIN, call_slice},
    {"split", 2, 2, FUNCTION_PLAIN, call_split},
    {"title", 1, 1, FUNCTION_PLAIN, call_title},
    {"truncate", 2, 2, FUNCTION_PLAIN, call_truncate},
    {"upper", 1, 1, FUNCTION_PLAIN, call_upper},
};

const struct template_function *template_function_find(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(functions); i++)
        if (g_str_equal(functions[i].name, name))
            return &functions[i];
    return NULL;
}

const char *const *template_function_names(void)
{
    static const char *names[G_N_ELEMENTS(functions) + 1];
    for (guint i = 0; i < G_N_ELEMENTS(functions); i++)
        names[i] = functions[i].name;
    return names;
}
