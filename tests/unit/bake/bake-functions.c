/* The functions of bake files against what buildx answered: tests/data/bake/functions, whose ask.py
 * says what a case looks like. */
#include "bake/eval.h"
#include "bake/hcl.h"
#include "dockerfile/diag.h"

#include <locale.h>
#include <string.h>
#include <time.h>

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */

/* The value of an expression as JSON, or "!" and the error; after max_steps at most. */
static char *evaluate(const char *expression, guint64 max_steps)
{
    g_autofree char *text = g_strconcat("x = ", expression, "\n", NULL);
    g_autoptr(hclfile) file = hclfile_parse("case.hcl", text, strlen(text));
    g_autoptr(heap) h = heap_new();
    g_autoptr(GError) err = NULL;
    g_autoptr(GString) json = g_string_new(NULL);
    struct eval ev = {.heap = h, .now = NOW};
    h->max_steps = max_steps;
    if (!file->body)
        return g_strdup("!syntax");
    const struct attribute *a = body_attribute(file->body, "x");
    const struct value *v = bake_eval(&ev, a->value, &(struct bake_scope){0}, &err);
    if (!v || !value_json(h, v, json, &err))
        return g_strconcat("!", err->message, NULL);
    return g_strdup(json->str);
}

/* A case: "EXPRESSION<tab>RESULT", or "=RESULT" when buildx did not say so. */
static gboolean check_case(const char *name, guint line, const char *text)
{
    const char *tab = strchr(text, '\t');
    if (!tab) {
        g_test_message("%s:%u: no tab", name, line);
        return FALSE;
    }
    const char *want = tab + 1 + (tab[1] == '=');
    g_autofree char *expression = g_strndup(text, (gsize)(tab - text));
    g_autofree char *got = evaluate(expression, HEAP_MAX_STEPS);
    gboolean both_fail = *want == '!' && *got == '!' && !g_str_has_prefix(got, "!syntax");
    if (g_getenv("VERBOSE") && both_fail)
        g_test_message("%s\n   %s\n   %s", expression, want, got);
    if (both_fail || strcmp(want, got) == 0)
        return TRUE;
    g_test_message("%s:%u: %s: %s, not %s", name, line, expression, got, want);
    return FALSE;
}

static void test_file(gconstpointer data)
{
    const char *name = data;
    g_autofree char *text = NULL;
    guint failed = 0, cases = 0;
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "tests/data/bake/functions", name, NULL);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        if (lines[i][0] && lines[i][0] != '#') {
            failed += !check_case(name, i + 1, lines[i]);
            cases++;
        }
    g_assert_cmpuint(cases, >, 0);
    g_assert_cmpuint(failed, ==, 0);
}

#define AS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG "join(\"\", [for i in range(1024) : format(\"%1024s\", \"x\")])" /* 1 MiB */

/* What a hostile file may ask for ends soon, in an error. */
static void test_limits(void)
{
    static const struct {
        const char *expression, *error;
    } cases[] = {
        {"regex(\"(a+)+$\", \"" AS "b\")", "takes too long for this text"},
        {"regex(\"(a|aa)+$\", \"" AS AS "b\")", "takes too long for this text"},
        {"regexall(\"(x+x+)+[yz]\", replace(\"" AS AS "\", \"a\", \"x\"))",
         "takes too long for this text"},
        {"regexall(\"[^b]*b\", " LONG ")", "the evaluation takes too long"},
        {"regex(\"(a{1000}){1000}\", \"a\")", "invalid repeat count"},
        {"replace(" LONG ", \"\", " LONG ")", "a string would be longer"},
        {"regex_replace(" LONG ", \".\", \"" AS "\")", "the evaluation takes too long"},
        {"indent(10000000, \"\\n\\n\")", "a string would be longer"},
        {"join(" LONG ", range(20))", "a string would be longer"},
        {"format(\"%134217727d\", 1)", "a string would be longer"},
        {"format(\"%.134217727f\", 1)", "a string would be longer"},
        {"format(\"%99999999999999s\", \"\")", "a string would be longer"},
        {"format(\"%d\", 1e9999999)", "too many digits"},
        {"format(\"%f\", 1e9999999)", "too many digits"},
        {"format(\"%v\", 1e99999999)", "too many digits"},
        {"setproduct(range(1024), range(1024), range(1024))", "the evaluation takes too"},
        {"[for i in range(1024) : setproduct(range(1024), range(1024))]",
         "the evaluation takes too"},
        {"bcrypt(\"x\", 31)", "the evaluation takes too long"},
        {"jsondecode(replace(format(\"%99999s\", \"\"), \" \", \"[\"))", "nests too deeply"},
        {"parseint(replace(format(\"%9999s\", \"\"), \" \", \"9\"), 10)", "more than 1024 bits"},
        {"regex(replace(format(\"%999s\", \"\"), \" \", \"(\"), \"\")", "groups nest too deeply"},
        {"regex(" LONG ", \"\")", "longer than 65536 bytes"},
        {"trim(" LONG ", " LONG ")", "the evaluation takes too long"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        clock_t start = clock();
        g_autofree char *got = evaluate(cases[i].expression, HEAP_MAX_STEPS / 10);
        clock_t ms = (clock() - start) / (CLOCKS_PER_SEC / 1000);
        if (!strstr(got, cases[i].error) || ms > 20000)
            g_error("%.80s: %.200s after %d ms", cases[i].expression, got, (int)ms);
        g_test_message("%.40s: %d ms", cases[i].expression, (int)ms);
    }
}

/* Each function has a row only once, and cases. */
static void test_table(void)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    function_names(names);
    for (guint i = 0; i < names->len; i++)
        g_assert_true(g_hash_table_add(seen, names->pdata[i]));
    g_assert_cmpuint(names->len, ==, 106);
    g_assert_null(function_find("nothing"));
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C.UTF-8"); /* for messages */
    g_test_init(&argc, &argv, NULL);
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "tests/data/bake/functions", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_assert_nonnull(dir);
    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".txt"))
            g_ptr_array_add(names, g_strdup(name));
    g_assert_cmpuint(names->len, >, 0);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_strconcat("/bake/functions/", (char *)names->pdata[i], NULL);
        g_test_add_data_func(path, names->pdata[i], test_file);
    }
    g_test_add_func("/bake/functions/limits", test_limits);
    g_test_add_func("/bake/functions/table", test_table);
    return g_test_run();
}
