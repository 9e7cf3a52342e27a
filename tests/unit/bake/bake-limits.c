/* Hostile bake files: each ends with a clear error at a place, in bounded time and memory. */
#include "bake/eval.h"
#include "bake/hcl.h"

#include <string.h>
#include <time.h>

/* Attributes of the file by name, each evaluated once; in user functions, too. */
struct world {
    struct hclfile *file;
    struct bake_scope scope;
    const struct value **known; /* per attribute */
    struct function recursive;  /* "f", which calls itself */
    struct user_function user;
};

static enum scope_answer limit_variable(gpointer self, struct eval *ev, const struct expr *t,
                                        guint *used, const struct value **v, GError **err)
{
    struct world *w = self;
    const struct attribute *a = body_attribute(w->file->body, t->name);
    if (!a)
        return SCOPE_UNKNOWN;
    gsize i = (gsize)(a - w->file->body->attributes);
    if (!w->known[i])
        w->known[i] = bake_eval(ev, a->value, &w->scope, err);
    return (*v = w->known[i]) ? SCOPE_FOUND : SCOPE_FAILED;
}

static enum scope_answer limit_function(gpointer self, struct eval *ev, const char *name,
                                        const struct function **f, GError **err)
{
    struct world *w = self;
    *f = &w->recursive;
    return strcmp(name, "f") == 0 ? SCOPE_FOUND : SCOPE_UNKNOWN;
}

/* Evaluates the last attribute; it must fail with what. "f" is a function whose result is the first
 * attribute. */
static void check_limit(const char *text, const char *what)
{
    struct world w = {.file = hclfile_parse("docker-bake.hcl", text, strlen(text))};
    struct eval ev = {.heap = heap_new()};
    static const char *const PARAMS[] = {"x"};
    GError *err = NULL;
    clock_t start = clock(); /* the machine may have other things to do */
    if (w.file->body) {
        const struct body *b = w.file->body;
        w.known = g_new0(const struct value *, b->n_attributes);
        w.scope =
            (struct bake_scope){.self = &w, .variable = limit_variable, .function = limit_function};
        w.user = (struct user_function){PARAMS, 1, NULL, b->attributes[0].value, &w.scope};
        w.recursive = (struct function){.name = "f", .user = &w.user};
        for (guint i = 0; i < b->n_attributes && !err; i++)
            bake_eval(&ev, b->attributes[i].value, &w.scope, &err);
        g_assert_nonnull(err);
        diags_gerror(w.file->diags, ev.at.span, err);
        g_clear_error(&err);
    }
    g_autofree char *shown = diags_render(w.file->diags, 0);
    g_test_message("%.300s", shown);
    g_assert_nonnull(strstr(shown, what));
    g_assert_true(g_str_has_prefix(shown, "docker-bake.hcl:"));
    g_assert_cmpint(clock() - start, <, 20 * CLOCKS_PER_SEC);
    g_free(w.known);
    heap_free(ev.heap);
    hclfile_free(w.file);
}

static char *repeat(const char *before, const char *middle, guint n, const char *after)
{
    GString *s = g_string_new(before);
    for (guint i = 0; i < n; i++)
        g_string_append(s, middle);
    g_string_append(s, after);
    return g_string_free(s, FALSE);
}

static void test_nesting(void)
{
    static const struct {
        const char *before, *middle, *after;
    } DEEP[] = {{"a = ", "[", "\n"},    {"a = ", "{a=", "\n"},
                {"a = ", "(", "\n"},    {"a = ", "-", "1\n"},
                {"a = ", "!", "\n"},    {"a = ", "f(", "\n"},
                {"a = ", "\"${", "\n"}, {"a = ", "true ? 1 : ", "1\n"},
                {"", "b {\n", "\n"},    {"a = b", "[*]", "\n"},
                {"a = b", "[b", "\n"},  {"a = \"", "%{if true}", "\"\n"}};
    for (guint i = 0; i < G_N_ELEMENTS(DEEP); i++) {
        g_autofree char *text = repeat(DEEP[i].before, DEEP[i].middle, 100000, DEEP[i].after);
        check_limit(text, "nested");
    }
    g_autofree char *row = repeat("a = 1", " + 1", 100000, "\n");
    check_limit(row, "operators in a row");
}

/* What is in the limit is evaluated, with the stack that threads of the program have. */
static gpointer evaluate_deep(gpointer unused)
{
    g_autofree char *text = repeat("a = 1", " + 1", 790, "\n");
    g_autoptr(hclfile) f = hclfile_parse("x", text, strlen(text));
    g_autoptr(heap) h = heap_new();
    struct eval ev = {.heap = h};
    g_autoptr(GError) err = NULL;
    gint64 sum = 0;
    g_assert_nonnull(f->body);
    const struct value *v = bake_eval(&ev, f->body->attributes[0].value, NULL, &err);
    g_assert_no_error(err);
    g_assert_true(value_fits_int(v, &sum));
    g_assert_cmpint(sum, ==, 791);
    return NULL;
}

static void test_deep_enough(void)
{
    g_thread_join(g_thread_new("deep", evaluate_deep, NULL));
}

static void test_text(void)
{
    g_autoptr(GString) s = g_string_new("a0 = \"0123456789\"\n");
    for (guint i = 1; i < 40; i++)
        g_string_append_printf(s, "a%u = \"${a%u}${a%u}\"\n", i, i - 1, i - 1);
    check_limit(s->str, "a string would be longer than 16 MiB");
}

static void test_many_texts(void)
{
    g_autoptr(GString) s = g_string_new("a0 = \"0123456789\"\n");
    for (guint i = 1; i < 20; i++)
        g_string_append_printf(s, "a%u = \"${a%u}${a%u}\"\n", i, i - 1, i - 1);
    for (guint i = 20; i < 90; i++)
        g_string_append_printf(s, "a%u = \"x${a19}\"\n", i);
    check_limit(s->str, "too much memory (more than 256 MiB)");
}

/* Lists that share: small in memory, too large for whoever walks over all of them. */
static void test_shared_lists(void)
{
    g_autoptr(GString) s = g_string_new("a0 = [1, \"x\"]\n");
    for (guint i = 1; i < 60; i++)
        g_string_append_printf(s, "a%u = [a%u, a%u]\n", i, i - 1, i - 1);
    g_string_append(s, "b0 = [\"y\", 1]\n");
    for (guint i = 1; i < 60; i++)
        g_string_append_printf(s, "b%u = [b%u, b%u]\n", i, i - 1, i - 1);
    g_autofree char *unified = g_strconcat(s->str, "c = true ? a59 : b59\n", NULL);
    check_limit(unified, "too long (more than 20 million steps)");
}

static void test_loops(void)
{
    g_autofree char *list = repeat("a = [", "1,", 1000, "]\n");
    g_autofree char *text =
        g_strconcat(list, "b = [for x in a : [for y in a : [for z in a : x]]]\n", NULL);
    check_limit(text, "more than");
}

static void test_recursion(void)
{
    check_limit("a = f(1)\n", "too deeply");
    check_limit("a = can(f(1)) ? 1 : 2\n", "too deeply");
    check_limit("a = b\nb = a\n", "too deeply");
}

static void test_nested_values(void)
{
    g_autoptr(GString) s = g_string_new("a0 = []\n");
    for (guint i = 1; i < 3000; i++)
        g_string_append_printf(s, "a%u = [a%u]\n", i, i - 1);
    check_limit(s->str, "nested too deeply");
}

static void test_digits(void)
{
    check_limit("a = \"x${1e99999999}\"\n", "too many digits");
    check_limit("a = 1e99999999999999\n", "too large");
}

static void test_size(void)
{
    g_autofree char *text = repeat("", "# comment\n", HCL_MAX_BYTES / 10 + 1, "");
    check_limit(text, "larger than 8 MiB");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bake/limits/nesting", test_nesting);
    g_test_add_func("/bake/limits/deep-enough", test_deep_enough);
    g_test_add_func("/bake/limits/text", test_text);
    g_test_add_func("/bake/limits/many-texts", test_many_texts);
    g_test_add_func("/bake/limits/shared-lists", test_shared_lists);
    g_test_add_func("/bake/limits/loops", test_loops);
    g_test_add_func("/bake/limits/recursion", test_recursion);
    g_test_add_func("/bake/limits/nested-values", test_nested_values);
    g_test_add_func("/bake/limits/digits", test_digits);
    g_test_add_func("/bake/limits/size", test_size);
    return g_test_run();
}
