/* Substitution, word splitting, quotes. */
#include "dockerfile/expand.h"

#include <string.h>

static const char *lookup(gpointer ctx, const char *name)
{
    static const char *const vars[][2] = {
        {"A", "one"},
        {"EMPTY", ""},
        {"SPACES", " a  b "},
        {"PATH", "/bin:/usr/bin"},
        {"F", "archive.tar.gz"},
        {"D", "/a/b/c"},
        {"UTF", "äöü"},
        {"_x9", "under"},
        {"STAR", "a*b"},
        {"QUOTED", "'q'"},
        {"1", "digit"},
        {"NL", "a\nb"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(vars); i++)
        if (strcmp(vars[i][0], name) == 0)
            return vars[i][1];
    return NULL;
}

static const struct {
    const char *in, *out; /* out NULL: an error that holds err */
    const char *err;
} words[] = {
    {"plain", "plain"},
    {"$A", "one"},
    {"${A}x", "onex"},
    {"x$A-y", "xone-y"},
    {"$_x9.", "under."},
    {"$NOPE", ""},
    {"a$", "a$"},
    {"$.", "$."},
    {"$1", "digit"},
    {"$12", ""},
    {"\\$A", "$A"},
    {"'$A'", "$A"},
    {"\"$A\"", "one"},
    {"\"\\$A \\\" \\\\ \\n\"", "$A \" \\ \\n"},
    {"'a\\'", "a\\"},
    {"a\\ b", "a b"},
    {"a\\", "a"},
    {"\"a'b\"'c\"d'", "a'bc\"d"},
    {"$QUOTED", "'q'"},
    {"$SPACES|", " a  b |"},
    {"${A:-w}", "one"},
    {"${EMPTY:-w}", "w"},
    {"${EMPTY-w}", ""},
    {"${NOPE-w}", "w"},
    {"${NOPE:-}", ""},
    {"${A:+w}", "w"},
    {"${EMPTY:+w}", ""},
    {"${EMPTY+w}", "w"},
    {"${NOPE+w}", ""},
    {"${A:?m}", "one"},
    {"${EMPTY?m}", ""},
    {"${EMPTY:?}", NULL, "EMPTY: is not allowed to be empty"},
    {"${NOPE?}", NULL, "NOPE: is not allowed to be unset"},
    {"${NOPE:?give me}", NULL, "NOPE: give me"},
    {"${NOPE:-${A}}", "one"},
    {"${NOPE:-$A$A}", "oneone"},
    {"${NOPE:-${NOPE:-'} '}}", "} "},
    {"${NOPE:-\"a b\"}", "a b"},
    {"${NOPE:-a\\}b}", "a}b"},
    {"${F#*.}", "tar.gz"},
    {"${F##*.}", "gz"},
    {"${F%.*}", "archive.tar"},
    {"${F%%.*}", "archive"},
    {"${F#archive}", ".tar.gz"},
    {"${F#nope}", "archive.tar.gz"},
    {"${F%gz}", "archive.tar."},
    {"${D##*/}", "c"},
    {"${D%/*}", "/a/b"},
    {"${D#/?}", "/b/c"},
    {"${D%%/*}", ""},
    {"${D##*}", ""},
    {"${D#*}", "/a/b/c"},
    {"${D%%*b*}", ""},
    {"${D%b*}", "/a/"},
    {"${D#*b}", "/c"},
    {"${NOPE#x}", ""},
    {"${STAR#a\\*}", "b"},
    {"${STAR#a\\?}", "a*b"},
    {"${UTF#?}", "öü"},
    {"${UTF%?}", "äö"},
    {"${UTF/ö/o}", "äoü"},
    {"${F/a/A}", "Archive.tar.gz"},
    {"${F//a/A}", "Archive.tAr.gz"},
    {"${F//./}", "archivetargz"},
    {"${D//\\//-}", "-a-b-c"},
    {"${D/\\/a/x}", "x/b/c"},
    {"${F/a*r/X}", "X.gz"},
    {"${F/*/X}", "X"},
    {"${F//*/X}", "X"},
    {"${F/nope/X}", "archive.tar.gz"},
    {"${F/archive/$A}", "one.tar.gz"},
    {"${A//?/x}", "xxx"},
    {"${A///-}", "-o-n-e-"},
    {"${A///}", "one"},
    {"${NOPE/a/b}", ""},
    {"${A:#o}", NULL, "unsupported modifier (:#)"},
    {"${A", NULL, "missing '}'"},
    {"${", NULL, "missing '}'"},
    {"${}", NULL, "bad substitution"},
    {"${{A}}", NULL, "bad substitution"},
    {"${:-x}", NULL, "bad substitution"},
    {"${A:-x", NULL, "missing '}'"},
    {"${A^^}", NULL, "unsupported modifier (^)"},
    {"${A:x}", NULL, "unsupported modifier (:x)"},
    {"${A:#x}", NULL, "unsupported modifier (:#)"},
    {"${A:%%x}", NULL, "unsupported modifier (:%)"},
    {"${NOPE:%}", NULL, "unsupported modifier (:%)"},
    {"${A/x}", NULL, "missing '/'"},
    {"${A#\\n}", NULL, "invalid escape '\\n'"},
    {"'open", NULL, "single-quote"},
    {"\"open", NULL, "double-quote"},
    {"${NOPE:-'}", NULL, "single-quote"},
    {"$((1))", "$((1))"},
    {"$(x)", "$(x)"},
    {"\xff$A\xc3", "\xffone\xc3"},
};

static void test_word(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        struct expand x = {.lookup = lookup, .escape = '\\'};
        g_autoptr(GError) err = NULL;
        g_autofree char *got = expand_word(&x, words[i].in, &err);
        if (g_strcmp0(got, words[i].out) != 0)
            g_error("%s gives %s (%s), not %s", words[i].in, got, err ? err->message : "",
                    words[i].out);
        if (!words[i].out && !strstr(err->message, words[i].err))
            g_error("%s fails with: %s", words[i].in, err->message);
    }
}

static const struct {
    const char *in, *out; /* words joined by | */
} splits[] = {
    {"a b", "a|b"},
    {"  a\tb  ", "a|b"},
    {"'a b' c", "a b|c"},
    {"a\\ b c", "a b|c"},
    {"$SPACES", "a|b"},
    {"\"$SPACES\"", " a  b "},
    {"x$SPACES", "x|a|b"},
    {"$NOPE", ""},
    {"'' a", "a"},
    {"80 $A/tcp", "80|one/tcp"},
    {"${NOPE:-a b} c", "a|b|c"},
    {"a\xc2\xa0"
     "b",
     "a|b"},
};

static void test_words(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(splits); i++) {
        struct expand x = {.lookup = lookup, .escape = '\\'};
        g_autoptr(GError) err = NULL;
        g_auto(GStrv) got = expand_words(&x, splits[i].in, &err);
        g_assert_no_error(err);
        g_autofree char *joined = g_strjoinv("|", got);
        g_assert_cmpstr(joined, ==, splits[i].out);
    }
}

static void check(const struct expand *x, const char *in, const char *out)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *got = expand_word(x, in, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(got, ==, out);
}

static void test_options(void)
{
    struct expand x = {.lookup = lookup, .escape = '`'};
    check(&x, "a\\b`$A$A", "a\\b$Aone");
    x = (struct expand){.lookup = lookup,
                        .escape = '\\',
                        .raw_quotes = TRUE,
                        .raw_escapes = TRUE,
                        .keep_unset = TRUE};
    check(&x, "'a' \"b\" \\c $A $NOPE ${NOPE} ${NOPE:-x} ${NOPE/a/b}",
          "'a' \"b\" \\c one $NOPE ${NOPE} ${NOPE:-x} ${NOPE/a/b}");
    x = (struct expand){.lookup = lookup, .escape = '\\', .ignore_quotes = TRUE};
    check(&x, "it's \"$A\" \\$A", "it's \"one\" $A");
}

static void test_names(void)
{
    g_autoptr(GHashTable) used = expand_names_new(), unset = expand_names_new();
    struct expand x = {.lookup = lookup, .escape = '\\', .used = used, .unset = unset};
    check(&x, "$A $NOPE ${ALSO:-$PATH}${THIS%x} '$QUOTED'", "one  /bin:/usr/bin $QUOTED");
    g_assert_true(g_hash_table_contains(used, "A") && g_hash_table_contains(used, "PATH"));
    g_assert_true(g_hash_table_contains(unset, "NOPE") && g_hash_table_contains(unset, "THIS"));
    g_assert_false(g_hash_table_contains(unset, "ALSO")); /* the text says what then */
    g_assert_cmpuint(g_hash_table_size(used), ==, 2);
}

static const char *lookup_big(gpointer ctx, const char *name)
{
    return ctx;
}

static void expect_failure(const struct expand *x, const char *text, const char *part)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *got = expand_word(x, text, &err);
    g_assert_null(got);
    g_assert_nonnull(strstr(err->message, part));
}

static void test_limits(void)
{
    g_autofree char *big = g_strnfill(1000, 'x');
    struct expand x = {.lookup = lookup_big, .ctx = big, .escape = '\\', .max = 5000};
    expect_failure(&x, "$A$A$A$A$A$A", "larger than 5000 bytes");
    expect_failure(&x, "\"$A$A$A$A$A$A\"", "larger than 5000 bytes");
    expect_failure(&x, "${A//x/0123456789}", "larger than 5000 bytes");
    g_autoptr(GString) deep = g_string_new(NULL);
    for (int i = 0; i < 100000; i++)
        g_string_append(deep, "${a:-");
    expect_failure(&x, deep->str, "too deeply");
    g_autoptr(GString) pattern = g_string_new("${A#");
    for (int i = 0; i < 2000; i++)
        g_string_append(pattern, "*");
    g_string_append(pattern, "}");
    expect_failure(&x, pattern->str, "pattern");
}

/* Patterns with many stars must not explode. */
static void test_pattern_time(void)
{
    g_autofree char *value = g_strnfill(100000, 'a');
    struct expand x = {.lookup = lookup_big, .ctx = value, .escape = '\\'};
    gint64 start = g_get_monotonic_time();
    g_autofree char *a = expand_word(&x, "${A##*a*a*a*a*a*a*a*a*a*b}", NULL);
    g_autofree char *b = expand_word(&x, "${A%%*a*a*a*a*a*a*a*a*a*b*}", NULL);
    g_autofree char *c = expand_word(&x, "${A//a*a*a*a*b/x}", NULL);
    g_assert_cmpstr(a, ==, value);
    g_assert_cmpstr(b, ==, value);
    g_assert_cmpstr(c, ==, value);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2000000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/expand/word", test_word);
    g_test_add_func("/expand/words", test_words);
    g_test_add_func("/expand/options", test_options);
    g_test_add_func("/expand/names", test_names);
    g_test_add_func("/expand/limits", test_limits);
    g_test_add_func("/expand/pattern-time", test_pattern_time);
    return g_test_run();
}
