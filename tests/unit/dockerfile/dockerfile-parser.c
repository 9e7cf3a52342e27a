/* The parser against tests/data/dockerfile: NAME.in is a Dockerfile, NAME.expected its diagnostics
 * and its tree, one instruction a line. VARVE_UPDATE=1 writes the expectations anew. */
#include "base/fs.h"
#include "dockerfile/dump.h"
#include "dockerfile/parser.h"

#include <fcntl.h>
#include <string.h>

static void append_json(GString *out, json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
    g_string_append_printf(out, "%s\n", text);
    free(text);
    json_decref(j);
}

static char *describe(const void *bytes, gsize len)
{
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(bytes, len, "Dockerfile", d);
    GString *out = g_string_new(NULL);
    g_autofree char *text = diags_render(d, 0);
    g_string_append(out, text);
    g_assert_true(df || diags_has_errors(d));
    if (!df)
        return g_string_free(out, FALSE);
    if (df->syntax)
        g_string_append_printf(out, "syntax %s\n", df->syntax);
    if (df->escape != '\\')
        g_string_append_printf(out, "escape %c\n", df->escape);
    for (guint i = 0; df->check && df->check->skip && df->check->skip[i]; i++)
        g_string_append_printf(out, "skip %s\n", df->check->skip[i]);
    for (guint i = 0; i < df->n_instructions; i++)
        append_json(out, instruction_json(df->instructions[i]));
    for (guint i = 0; i < df->n_stages; i++)
        g_string_append_printf(out, "stage %u %s from %s, %u instructions\n", df->stages[i].index,
                               df->stages[i].name ? df->stages[i].name : "-",
                               df->stages[i].base ? df->stages[i].base->text : "?",
                               df->stages[i].n_instructions);
    return g_string_free(out, FALSE);
}

static void test_case(gconstpointer name)
{
    g_autofree char *in = g_strconcat(name, ".in", NULL);
    g_autofree char *out = g_strconcat(name, ".expected", NULL);
    g_autofree char *source = NULL, *expected = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(in, &source, &len, NULL));
    g_autofree char *got = describe(source, len);
    if (g_getenv("VARVE_UPDATE")) {
        g_assert_true(g_file_set_contents(out, got, -1, NULL));
        return;
    }
    g_assert_true(g_file_get_contents(out, &expected, NULL, NULL));
    g_assert_cmpstr(got, ==, expected);
}

static void add_cases(void)
{
    g_autofree char *dir = g_test_build_filename(G_TEST_DIST, "tests/data/dockerfile", NULL);
    g_autoptr(GError) err = NULL;
    g_autoptr(GDir) d = g_dir_open(dir, 0, &err);
    g_assert_no_error(err);
    guint n = 0;
    for (const char *name; (name = g_dir_read_name(d));) {
        if (!g_str_has_suffix(name, ".in"))
            continue;
        g_autofree char *base = g_strndup(name, strlen(name) - 3);
        g_autofree char *path = g_strconcat("/parser/", base, NULL);
        g_test_add_data_func_full(path, g_build_filename(dir, base, NULL), test_case, g_free);
        n++;
    }
    g_assert_cmpuint(n, >, 10);
}

/* What the diagnostics say, for texts too large or too odd for a file. */
static void expect_error(const void *bytes, gsize len, const char *part)
{
    g_autoptr(diags) d = diags_new();
    gint64 start = g_get_monotonic_time();
    g_autoptr(dockerfile) df = dockerfile_parse(bytes, len, "Dockerfile", d);
    g_autofree char *text = diags_render(d, 0);
    double seconds = (g_get_monotonic_time() - start) / 1e6;
    g_assert_true(diags_has_errors(d));
    if (!strstr(text, part))
        g_error("expected \"%s\" in: %s", part, text);
    g_assert_cmpuint(strlen(text), <, 20000);
    g_assert_cmpfloat(seconds, <,
                      5); /* generous: sanitizers, loaded machines; quadratic takes minutes */
}

static GString *repeated(const char *head, const char *part, guint n, const char *tail)
{
    GString *s = g_string_new(head);
    for (guint i = 0; i < n; i++)
        g_string_append(s, part);
    g_string_append(s, tail);
    return s;
}

static void expect_repeated(const char *head, const char *part, guint n, const char *tail,
                            const char *error)
{
    g_autoptr(GString) s = repeated(head, part, n, tail);
    expect_error(s->str, s->len, error);
}

static void test_hostile(void)
{
    static const char nul[] = "FROM a\nRUN echo \0 x\n";
    expect_error(nul, sizeof(nul) - 1,
                 "Dockerfile:2:10: error: a NUL byte in a Dockerfile\n    2 │ RUN echo ␀ x");
    static const char utf16[] = "\xff\xfe"
                                "F\0R\0O\0M\0";
    expect_error(utf16, sizeof(utf16) - 1, "save it as UTF-8");
    expect_error("", 0, "the file is empty");
    expect_error("# only\n\n", 8, "file with no instructions");
    expect_repeated("FROM a\nRUN ", "x", 10 << 20, "\n",
                    "Dockerfile:2:1048577: error: the line is longer than 1048576 bytes");
    expect_repeated("", "FROM a\n", 100000, "", "more than 10000 stages");
    expect_repeated("FROM a\n", "RUN a\n", 200000, "", "more than 100000 instructions");
    expect_repeated("FROM a\nRUN ", "xxxxxxxx\\\n", 600000, "", "longer than 4194304 bytes");
    expect_repeated("FROM a\nEXPOSE", " 1", 200000, "\n", "more than 100000 words");
    expect_repeated("FROM a\nCOPY", " --exclude=x", 80000, "\n", "requires at least two arguments");
    expect_repeated("FROM a\nCOPY ", "<<A ", 50000, "/\n", "unterminated heredoc");
    expect_repeated("FROM a\n", "RUN <<A\n", 2000, "", "unterminated heredoc");
    expect_repeated("FROM a\n", "BAD x\n", 50000, "", "unknown instruction BAD");
    expect_repeated("FROM a\nSHELL ", "[", 500000, "",
                    "SHELL requires the arguments to be in JSON form");
    expect_repeated("FROM a\n", "x", 17 << 20, "", "the file is larger than 16 MiB");
}

static void test_many_heredocs(void)
{
    g_autoptr(GString) s = repeated("FROM a\nCOPY ", "<<A ", 1001, "/\n");
    for (int i = 0; i < 1001; i++)
        g_string_append(s, "A\n");
    expect_error(s->str, s->len, "more than 1000 heredocs");
}

/* Large but legal texts are read, in time. */
static void test_large(void)
{
    g_autoptr(GString) s = repeated("FROM a\nRUN <<E\n", "0123456789abcde\n", 500000, "E\nRUN x\n");
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(s->str, s->len, "Dockerfile", d);
    g_assert_false(diags_has_errors(d));
    g_assert_cmpuint(df->n_instructions, ==, 3);
    g_assert_cmpuint(strlen(df->instructions[1]->heredocs[0].content), ==, 8000000);
    g_assert_cmpuint(df->instructions[2]->first_line, ==, 500004);
}

static void test_many_errors(void)
{
    g_autoptr(GString) s = repeated("FROM a\n", "BAD x\n", 100, "");
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(s->str, s->len, "Dockerfile", d);
    g_assert_cmpuint(d->items->len, ==, DIAG_MAX);
}

static void test_trigger(void)
{
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df =
        dockerfile_parse_trigger("COPY <<A /x\nhello\nA", "a trigger of node", d);
    g_assert_false(diags_has_errors(d));
    g_assert_cmpuint(df->n_instructions, ==, 1);
    g_assert_cmpstr(df->instructions[0]->words[0].heredoc->content, ==, "hello\n");
    g_autoptr(diags) d2 = diags_new();
    g_autoptr(dockerfile) two = dockerfile_parse_trigger("RUN a\nRUN b", "a trigger", d2);
    g_autofree char *text = diags_render(d2, 0);
    g_assert_cmpstr(text, ==, "a trigger: error: an ONBUILD trigger must be one instruction\n");
}

static void test_speed(void)
{
    g_autoptr(GString) s = g_string_new("FROM node AS base\n");
    for (int i = 0; i < 30; i++)
        g_string_append(s, "ENV A=$B C=\"d e\"\nRUN --mount=type=cache,target=/c apt-get update && "
                           "\\\n  x\nCOPY --chown=1:2 a b /c/\n");
    gint64 start = g_get_monotonic_time();
    for (int i = 0; i < 100; i++) {
        g_autoptr(diags) d = diags_new();
        g_autoptr(dockerfile) df = dockerfile_parse(s->str, s->len, "Dockerfile", d);
        g_assert_false(diags_has_errors(d));
    }
    g_test_message("%.1f us for 91 instructions", (g_get_monotonic_time() - start) / 100.0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_cases();
    g_test_add_func("/parser/hostile", test_hostile);
    g_test_add_func("/parser/many-heredocs", test_many_heredocs);
    g_test_add_func("/parser/large", test_large);
    g_test_add_func("/parser/many-errors", test_many_errors);
    g_test_add_func("/parser/trigger", test_trigger);
    g_test_add_func("/parser/speed", test_speed);
    return g_test_run();
}
