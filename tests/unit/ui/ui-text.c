#include "ui/text.h"

#include <string.h>

static void test_sizes(void)
{
    static const struct {
        guint64 n;
        const char *text;
    } cases[] = {{0, "0 B"},         {999, "999 B"},        {1000, "1.0 kB"},
                 {1849, "1.8 kB"},   {40000, "40 kB"},      {999499, "999 kB"},
                 {999600, "1.0 MB"}, {182000000, "182 MB"}, {2310000000, "2.3 GB"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *s = text_size(cases[i].n);
        g_assert_cmpstr(s, ==, cases[i].text);
    }
}

static void test_durations(void)
{
    static const struct {
        gint64 us;
        const char *text;
    } cases[] = {{-5, "0.0 ms"},          {900, "0.9 ms"},          {9000, "9.0 ms"},
                 {12000, "12 ms"},        {2100000, "2.1 s"},       {59990000, "1 min 0 s"},
                 {64000000, "1 min 4 s"}, {7380000000, "2 h 3 min"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *s = text_duration(cases[i].us);
        g_assert_cmpstr(s, ==, cases[i].text);
    }
}

static void test_fit(void)
{
    static const struct {
        const char *in;
        int columns;
        const char *out;
    } cases[] = {{"hello", 5, "hello"},
                 {"hello", 4, "hel…"},
                 {"a\x1b[31mb", 20, "a\xef\xbf\xbd[31mb"},
                 {"日本語", 6, "日本語"},
                 {"日本語", 5, "日本…"},
                 {"\xff", 3, "\xef\xbf\xbd"},
                 {"a\tb", 3, "a b"},
                 {"ab\xe2\x80\xae"
                  "c",
                  9,
                  "ab\xef\xbf\xbd"
                  "c"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *s = text_fit(cases[i].in, cases[i].columns);
        g_assert_cmpstr(s, ==, cases[i].out);
        g_assert_cmpint(text_width(s), <=, cases[i].columns);
    }
}

static void test_one_line(void)
{
    g_autofree char *clean = text_one_line("a\r\n\x1b[31mb\xff", 100);
    g_assert_cmpstr(clean, ==, "a [31mb\xef\xbf\xbd");
    g_autofree char *cut = text_one_line("\nabcdef\n", 3);
    g_assert_cmpstr(cut, ==, "abc");
}

static void test_escapes(void)
{
    static const struct {
        const char *in, *out;
    } cases[] = {{"plain", "plain"},
                 {"\x1b[1;32mok\x1b[0m done", "ok done"},
                 {"\x1b[?25l\x1b[2K50%", "50%"},
                 {"\x1b]0;title\aa\x1b]8;;http://x\x1b\\b", "ab"},
                 {"\x1b(Bx\x1b=y\x1bMz", "xyz"},
                 {"cut\x1b[3", "cut"},
                 {"cut\x1b", "cut"},
                 {"cut\x1b]0;ti", "cut"},
                 {"\x1b[3日", "日"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *s = text_without_escapes(cases[i].in);
        g_assert_cmpstr(s, ==, cases[i].out);
    }
}

static char *printed_table(void)
{
    static const char *const heads[] = {"name", "size", "what", NULL};
    static const char *const rows[][4] = {{"a", "1 B", "x", NULL},
                                          {"long name", "100 MB", NULL, NULL}};
    g_autoptr(table) t = table_new(heads, "lrl");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        table_row(t, rows[i]);
    char *out = NULL;
    gsize len;
    FILE *f = open_memstream(&out, &len);
    table_print(t, f);
    fclose(f);
    return out;
}

static void test_table(void)
{
    char *out = printed_table();
    g_assert_cmpstr(out, ==,
                    "name         size  what\n"
                    "a             1 B  x\n"
                    "long name  100 MB  -\n");
    free(out);
}

static void test_wrap(void)
{
    static const struct {
        const char *text, *wrapped;
        int columns, indent;
    } cases[] = {{"one two three", "one two three", 0, 4},
                 {"one two three", "one two\n    three", 9, 4},
                 {"one\n\n  two\n", "one\n\n   two\n", 20, 1},
                 {"overlong word", "overlong\nword", 4, 0},
                 {"", "", 10, 2},
                 {"日本 語", "日本\n語", 5, 0}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *s = text_wrap(cases[i].text, cases[i].columns, cases[i].indent);
        g_assert_cmpstr(s, ==, cases[i].wrapped);
    }
    g_autofree char *narrow = text_wrap_message("error: words that go on", 22);
    g_autofree char *piped = text_wrap_message("error: words that go on", 0);
    g_assert_cmpstr(narrow, ==, "error: words that go\n  on");
    g_assert_cmpstr(piped, ==, "error: words that go on");
}

static void test_step(void)
{
    static const struct {
        const char *step, *text;
        int columns;
    } cases[] = {{"RUN --network=none make", "RUN --network=none make", 40},
                 {"RUN --network=none --mount=type=tmpfs,target=/t make", "RUN make", 40},
                 {"RUN --network=none make all of it", "RUN make …", 10},
                 {"COPY --from=a /x /y", "COPY --fr…", 10},
                 {"RUN --network=none", "RUN ", 10}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *s = text_step(cases[i].step, cases[i].columns);
        g_assert_cmpstr(s, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/text/sizes", test_sizes);
    g_test_add_func("/ui/text/durations", test_durations);
    g_test_add_func("/ui/text/fit", test_fit);
    g_test_add_func("/ui/text/one-line", test_one_line);
    g_test_add_func("/ui/text/escapes", test_escapes);
    g_test_add_func("/ui/text/wrap", test_wrap);
    g_test_add_func("/ui/text/step", test_step);
    g_test_add_func("/ui/table", test_table);
    return g_test_run();
}
