/* Ignore patterns and COPY wildcards. */
#include "text/ignore.h"
#include "text/pattern.h"

#include <string.h>

static const struct {
    const char *file;    /* a .dockerignore */
    const char *ignored; /* paths, blank separated */
    const char *kept;
    const char *skipped; /* directories that need not be entered */
    const char *entered; /* directories that must be */
} cases[] = {
    {"a\n", "a a/b a/b/c", "b ab b/a x/a/y", "a a/b", "b x"},
    {"/a\n b/c/ \n", "a a/x b/c b/c/d", "b b/d c", "a b/c", "b"},
    {"*\n", "a .a a/b", "", "a", ""},
    {"*\n!a\n", "b c/a", "a a/x", "b c", "a"},
    {"*\n!a/b\n", "a b a/c a/c/d", "a/b a/b/c", "b a/c", "a"},
    {"**\n!**/*.md\n", "a a/b", "x.md a/x.md a/b/x.md", "", "a a/b"},
    {"**/node_modules\n", "node_modules node_modules/x a/node_modules a/b/node_modules/c",
     "node_modules2 a/x_node_modules a", "node_modules a/node_modules", "a"},
    {"**/*.o\n!keep.o\n", "a.o x/a.o x/keep.o", "keep.o a.c x", "", "x"},
    {"a/**\n", "a/b a/b/c", "a", "a/b", "a"},
    {"a/**/b\n", "a/b a/x/b a/x/y/b a/b/c", "a b a/bc", "a/b", "a a/x"},
    {"a**b\n", "ab ax/b a/x/b", "axb b", "", ""},
    {"**foo\n", "foo xfoo a/xfoo a/foo/b", "foox", "", ""},
    {"a?c\n",
     "abc axc a\xc3\xa4"
     "c",
     "ac a/c abbc", "", ""},
    {"[a-c]x\n[^a-c]y\n", "ax cx dy zy", "dx ay", "", ""},
    {"[\\]]z\n", "]z", "z az", "", ""},
    {"v[[:digit:]]\n[^[:alnum:]_]w\nx[[:upper:]a-c-]\n", "v0 v9 -w .w xA xb x-",
     "v va v[ v: aw _w 0w xd xx", "", ""},
    {"[[:punct:]]a\n[[:space:][:xdigit:]]b\n", "!a ~a @a `a /a", "aa 0a", "", ""},
    {"a\\*b\n", "a*b", "axb", "", ""},
    {"*.txt\n", "a.txt .txt", "x/a.txt a.txtx", "", ""},
    {"x/*.txt\n", "x/a.txt", "a.txt x/y/a.txt", "", ""},
    {"# comment\n#x\n \n\n  a  \r\n", "a", "#x comment", "", ""},
    {" #x\n", "#x", "x", "", ""},
    {"\xef\xbb\xbf"
     "a\n",
     "a", "b", "", ""},
    {"./a/../b//c\n", "b/c b/c/d", "b a", "", ""},
    {"a\n!a/b\na/b/c\n", "a a/x a/b/c a/b/c/d", "a/b a/b/d", "a/x a/b/c", "a"},
    {"!a\na\n", "a a/b", "", "a", ""},
    {"!  a\n", "", "a", "", ""},
    {"a\n!**\n", "", "a a/b", "", ""},
    {"secret*\n!secret-public*\n", "secret secret1/x", "secret-public secret-public2/x", "secret1",
     ""},
    {"a\n!*/b\n", "a a/c", "a/b x/b", "a/c", "a"},
    {"a\n!a/b/c/d\n", "a a/b a/b/c a/x", "a/b/c/d", "a/x a/b/x", "a a/b a/b/c"},
    {"**/a/**/b/*.c\n", "a/b/x.c q/a/z/b/x.c", "a/b/c/x.c b/x.c", "", ""},
    {".\n", "", "a", "", ""},
    {"a/*\n!a/?\n", "a/xx", "a/x a a/x/y", "a/xx", "a/x"},
    /* What is not ignored is not saved, and neither is what lies in it. */
    {"a/*\n!a\n", "a/x a/x/y", "a", "a/x", "a"},
    {"**/*.log\n!logs\n", "logs/x.log x.log", "logs logs/x", "", "logs"},
    {"a/b\n!a\na/c/d\n", "a/b a/b/x a/c/d", "a a/c a/c/e", "a/b", "a a/c"},
    {"a\n!a\na/b\n", "a/b", "a a/x", "a/b", "a"},
    {"a/*/*\n!a/b\n!a/c/x\n", "a/b/x a/c/y", "a a/b a/c a/c/x", "a/b/x", "a/b a/c"},
};

static void check_all(const struct ignore *ig, const char *paths,
                      gboolean (*fn)(const struct ignore *, const char *), gboolean want,
                      const char *file)
{
    if (!paths)
        return;
    g_auto(GStrv) list = g_strsplit(paths, " ", -1);
    for (char **p = list; *p && **p; p++)
        if (fn(ig, *p) != want)
            g_error("\"%s\" with patterns \"%s\": not %d", *p, file, want);
}

static void test_ignore(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(ignore) ig = ignore_parse(cases[i].file, strlen(cases[i].file), &err);
        g_assert_no_error(err);
        check_all(ig, cases[i].ignored, ignore_match, TRUE, cases[i].file);
        check_all(ig, cases[i].kept, ignore_match, FALSE, cases[i].file);
        check_all(ig, cases[i].skipped, ignore_can_skip_dir, TRUE, cases[i].file);
        check_all(ig, cases[i].entered, ignore_can_skip_dir, FALSE, cases[i].file);
        g_assert_false(ignore_match(ig, ""));
        g_assert_false(ignore_match(ig, "."));
    }
}

static void expect_error(const char *file, const char *part)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(ignore) ig = ignore_parse(file, strlen(file), &err);
    g_assert_null(ig);
    g_assert_nonnull(strstr(err->message, part));
}

static void test_errors(void)
{
    expect_error("a\n!\n", "line 2: illegal exclusion pattern");
    expect_error("[-x]\n", "line 1: malformed pattern \"[-x]\"");
    expect_error("[z-a]\n", "ends before it begins");
    expect_error("a\\\n", "nothing follows the last");
    expect_error("[[:digits:]]\n", "no such class of characters");
    expect_error("[[:]]\n", "no such class of characters");
    expect_error("[[:digit:]\n", "a [class] is not closed");
    expect_error("[[:digit:]a-\n", "a [class] is not closed");
    expect_error("a[b\n", "line 1: malformed pattern \"a[b\"");
    g_autofree char *big = g_strnfill(5000, 'a');
    expect_error(big, "longer than 4096");
    g_autoptr(GString) many = g_string_new(NULL);
    for (int i = 0; i < 10001; i++)
        g_string_append(many, "a\n");
    expect_error(many->str, "more than 10000");
}

static void test_list(void)
{
    const char *const patterns[] = {" a/ ", "", "!b", "/c", NULL};
    g_autoptr(ignore) ig = ignore_new(patterns, NULL);
    g_autofree char *joined = g_strjoinv("|", (char **)ignore_patterns(ig));
    g_assert_cmpstr(joined, ==, "a|!b|/c");
    g_autoptr(ignore) none = ignore_new(NULL, NULL);
    g_assert_true(ignore_is_empty(none));
    g_assert_false(ignore_match(none, "a"));
}

/* A pattern that makes backtracking matchers exponential, and one with more than 64 states. */
static void test_time(void)
{
    g_autoptr(GString) p = g_string_new(NULL), path = g_string_new(NULL);
    for (int i = 0; i < 300; i++)
        g_string_append(p, i % 3 ? "*a" : "**/a");
    g_string_append(p, "b");
    for (int i = 0; i < 2000; i++)
        g_string_append(path, i % 7 ? "a" : "/");
    g_autoptr(ignore) ig = ignore_parse(p->str, p->len, NULL);
    gint64 start = g_get_monotonic_time();
    for (int i = 0; i < 20; i++)
        g_assert_false(ignore_match(ig, path->str + 1));
    g_assert_cmpint(g_get_monotonic_time() - start, <, 1000000);
    g_string_append(path, "b");
    g_autoptr(ignore) long_one = ignore_parse(
        "**/*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n",
        87, NULL);
    g_autofree char *name = g_strconcat(
        "x/y/zz",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        NULL);
    g_assert_true(ignore_match(long_one, name));
    name[8] = 'c';
    g_assert_true(ignore_match(long_one, name));
    name[60] = 'c';
    g_assert_false(ignore_match(long_one, name));
}

static const struct {
    const char *pattern, *name;
    gboolean match;
} globs[] = {
    {"abc", "abc", TRUE},
    {"*", "abc", TRUE},
    {"*c", "abc", TRUE},
    {"a*", "a", TRUE},
    {"a*", "ab/c", FALSE},
    {"a*/b", "abc/b", TRUE},
    {"a*b*c*d*e*", "axbxcxdxexxx", TRUE},
    {"a*b?c*x", "abxbbxdbxebxczzx", TRUE},
    {"a*b?c*x", "abxbbxdbxebxczzy", FALSE},
    {"ab[c]", "abc", TRUE},
    {"ab[b-d]", "abc", TRUE},
    {"ab[e-g]", "abc", FALSE},
    {"ab[^c]", "abc", FALSE},
    {"ab[^b-d]", "abx", TRUE},
    {"a\\*b", "a*b", TRUE},
    {"a\\*b", "ab", FALSE},
    {"a?b",
     "a\xe2\x98\xba"
     "b",
     TRUE},
    {"a[^a]b",
     "a\xe2\x98\xba"
     "b",
     TRUE},
    {"a???b",
     "a\xe2\x98\xba"
     "b",
     FALSE},
    {"[a-\xce\xb6]*", "\xce\xb1", TRUE},
    {"a?b", "a/b", FALSE},
    {"a*b", "a/b", FALSE},
    {"[\\]a]", "]", TRUE},
    {"[\\-x]", "-", TRUE},
    {"*x", "xxx", TRUE},
    {"", "", TRUE},
    {"a/*/c", "a/b/c", TRUE},
    {"a/*", "a/", TRUE},
    {"[^/]", "/", FALSE},
    {"*", "", TRUE},
};

static void test_pattern(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(globs); i++) {
        g_assert_true(pattern_check(globs[i].pattern, NULL));
        if (pattern_match(globs[i].pattern, globs[i].name) != globs[i].match)
            g_error("%s against %s is not %d", globs[i].pattern, globs[i].name, globs[i].match);
    }
    static const char *const bad[] = {"[",    "a[",   "[]a]", "[a",  "[a-",
                                      "[a-]", "[-x]", "a\\",  "[\\", "[^"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        if (pattern_check(bad[i], NULL))
            g_error("%s is accepted", bad[i]);
    g_assert_true(pattern_has_wildcards("a*") && pattern_has_wildcards("a[b]") &&
                  pattern_has_wildcards("?"));
    g_assert_false(pattern_has_wildcards("a\\*b") || pattern_has_wildcards("a]b"));
    g_autofree char *plain = pattern_unescape("a\\*b\\\\");
    g_assert_cmpstr(plain, ==, "a*b\\");
    g_autofree char *many = g_strnfill(20000, 'a');
    g_assert_false(pattern_match("*a*a*a*a*a*a*a*a*a*a*a*b", many));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ignore/match", test_ignore);
    g_test_add_func("/ignore/errors", test_errors);
    g_test_add_func("/ignore/list", test_list);
    g_test_add_func("/ignore/time", test_time);
    g_test_add_func("/ignore/pattern", test_pattern);
    return g_test_run();
}
