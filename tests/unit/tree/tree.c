/* Resolving and selecting in trees made of text. */
#include "tree/tree.h"
#include "tree/resolve.h"
#include "fixture.h"

#include <stdlib.h>

/* Each line: type (f d l h), path, and a file's content, a symlink's target or a hard link's first
 * name. */
static struct tree *tree_of(const char *const *lines)
{
    struct entry_list *l = entry_list_new();
    entry_list_add(l, &(struct entry){.path = "", .type = ENTRY_DIR, .mode = 0755});
    for (; *lines; lines++) {
        g_auto(GStrv) w = g_strsplit(*lines, " ", 3);
        struct entry e = {.path = w[1], .mode = 0644};
        if (*w[0] == 'd') {
            e.type = ENTRY_DIR;
            e.mode = 0755;
        } else if (*w[0] == 'l') {
            e.type = ENTRY_SYMLINK;
            e.target = w[2];
            e.size = strlen(w[2]);
        } else {
            e.type = ENTRY_FILE;
            e.hardlink = *w[0] == 'h' ? w[2] : NULL;
            const char *text = *w[0] == 'h' ? "linked" : w[2];
            e.size = strlen(text);
            e.has_digest = TRUE;
            digest_of_bytes(&e.digest, text, e.size);
        }
        entry_list_add(l, &e);
    }
    entry_list_sort(l);
    return tree_new(l, "the test tree");
}

static const char *const sample[] = {"d a",
                                     "f a/x.txt one",
                                     "f a/y.md two",
                                     "d a/sub",
                                     "f a/sub/z.txt three",
                                     "d a/sub/deep",
                                     "f a/sub/deep/w.md four",
                                     "f a-b five",
                                     "f a.txt six",
                                     "f b.txt seven",
                                     "l up /a/sub",
                                     "l loop loop",
                                     "l rel a/x.txt",
                                     "l out ../../../a.txt",
                                     "l broken nowhere",
                                     "d n",
                                     "f n/f eight",
                                     NULL};

static void test_clean(void)
{
    static const char *const cases[][2] = {{"", ""},      {"/", ""},          {"a//b/./c", "a/b/c"},
                                           {"../a", "a"}, {"a/../../b", "b"}, {"/a/b/..", "a"},
                                           {"./", ""},    {"a/b/", "a/b"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *got = resolve_clean(cases[i][0]);
        g_assert_cmpstr(got, ==, cases[i][1]);
    }
}

static void test_resolve(void)
{
    static const struct {
        const char *path;
        gboolean follow;
        const char *want; /* NULL: an error */
        gboolean exists;
    } cases[] = {
        {"a/x.txt", TRUE, "a/x.txt", TRUE},
        {"/up/z.txt", FALSE, "a/sub/z.txt", TRUE},
        {"up", FALSE, "up", TRUE},
        {"up", TRUE, "a/sub", TRUE},
        {"up/../x.txt", TRUE, "a/x.txt", TRUE},
        {"rel", TRUE, "a/x.txt", TRUE},
        {"out", TRUE, "a.txt", TRUE},
        {"broken", TRUE, "nowhere", FALSE},
        {"no/such/thing", TRUE, "no/such/thing", FALSE},
        {"loop", TRUE, NULL, FALSE},
        {"loop", FALSE, "loop", TRUE},
        {"a.txt/x", TRUE, NULL, FALSE},
        {"../../..", TRUE, "", TRUE},
        {"no/../a.txt", TRUE, "a.txt", TRUE},
    };
    g_autoptr(tree) t = tree_of(sample);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct entry *e = NULL;
        g_autoptr(GError) err = NULL;
        g_autofree char *got = tree_resolve(t, cases[i].path, cases[i].follow, &e, &err);
        g_assert_cmpstr(got, ==, cases[i].want);
        g_assert_true((err != NULL) == (got == NULL));
        g_assert_cmpint(got && e, ==, cases[i].exists);
    }
}

static void test_range(void)
{
    g_autoptr(tree) t = tree_of(sample);
    guint lo, hi;
    g_assert_true(tree_range(t, "a", &lo, &hi));
    g_assert_cmpuint(hi - lo, ==, 7);
    g_assert_cmpstr(entry_list_at(t->entries, hi)->path, ==, "a-b");
    g_assert_true(tree_range(t, "", &lo, &hi));
    g_assert_cmpuint(hi - lo, ==, entry_list_len(t->entries));
    g_assert_false(tree_range(t, "a/nothing", &lo, &hi));
}

/* "name=path:rel,rel;…" */
static char *show(GPtrArray *selected)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < selected->len; i++) {
        const struct selected *s = g_ptr_array_index(selected, i);
        g_string_append_printf(out, "%s%s=%s:", i ? ";" : "", s->name, s->path);
        for (guint k = 1; k < s->entries->len; k++)
            g_string_append_printf(out, "%s%s", k > 1 ? "," : "",
                                   selected_rel(s, g_ptr_array_index(s->entries, k)));
    }
    return g_string_free(out, FALSE);
}

static void test_select(void)
{
    static const struct {
        const char *pattern, *includes, *excludes; /* one pattern each, or two with a blank */
        const char *want;                          /* NULL: an error that holds message */
        const char *message;
    } cases[] = {
        {"a/x.txt", NULL, NULL, "x.txt=a/x.txt:"},
        {"a", NULL, NULL, "a=a:sub,sub/deep,sub/deep/w.md,sub/z.txt,x.txt,y.md"},
        {"up", NULL, NULL, "up=a/sub:deep,deep/w.md,z.txt"},
        {"up/deep/w.md", NULL, NULL, "w.md=a/sub/deep/w.md:"},
        {"*.txt", NULL, NULL, "a.txt=a.txt:;b.txt=b.txt:"},
        {"?.txt", NULL, NULL, "a.txt=a.txt:;b.txt=b.txt:"},
        {"*/*.txt", NULL, NULL, "x.txt=a/x.txt:"},
        {"up/*.txt", NULL, NULL, "z.txt=a/sub/z.txt:"},
        {"[an]", NULL, NULL, "a=a:sub,sub/deep,sub/deep/w.md,sub/z.txt,x.txt,y.md;n=n:f"},
        {"a", NULL, "*.md", "a=a:sub,sub/deep,sub/deep/w.md,sub/z.txt,x.txt"},
        {"a", NULL, "**/*.md", "a=a:sub,sub/deep,sub/z.txt,x.txt"},
        {"a", NULL, "sub", "a=a:x.txt,y.md"},
        {"a", NULL, "sub !sub/deep/w.md", "a=a:sub,sub/deep,sub/deep/w.md,x.txt,y.md"},
        {"a", NULL, "** !sub/deep/w.md", "a=a:sub,sub/deep,sub/deep/w.md"},
        {"a.txt", NULL, "*.txt", "a.txt=a.txt:"},
        {"", "a/sub/deep/w.md", NULL, "=:a,a/sub,a/sub/deep,a/sub/deep/w.md"},
        {"a", "*/z.txt", NULL, "a=a:sub,sub/z.txt"},
        {"../a/../n/./f", NULL, NULL, "f=n/f:"},
        {"nothing", NULL, NULL, NULL, "\"nothing\" was not found in the test tree"},
        {"*.zip", NULL, NULL, NULL, "\"*.zip\" was not found"},
        {"a/x.tx", NULL, NULL, NULL, "; did you mean \"a/x.txt\"?"},
        {"no/w.md", NULL, NULL, NULL, "; did you mean \"a/sub/deep/w.md\"?"},
        {"A/sub/z.txt", NULL, NULL, NULL, "; did you mean \"a/sub/z.txt\"?"},
        {"n/quite-other", NULL, NULL, NULL, "; it has n/f"},
        {"broken", NULL, NULL, NULL, "a dangling symlink"},
        {"loop", NULL, NULL, NULL, "more than 40 symlinks"},
        {"a.txt/x", NULL, NULL, NULL, "is not a directory"},
        {"[", NULL, NULL, NULL, "["},
    };
    g_autoptr(tree) t = tree_of(sample);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) in = cases[i].includes ? g_strsplit(cases[i].includes, " ", -1) : NULL;
        g_auto(GStrv) ex = cases[i].excludes ? g_strsplit(cases[i].excludes, " ", -1) : NULL;
        struct selection sel = {cases[i].pattern,        TRUE,  TRUE, (const char *const *)in,
                                (const char *const *)ex, FALSE, TRUE};
        g_autoptr(GError) err = NULL;
        g_autoptr(GPtrArray) got = tree_select(t, &sel, &err);
        g_autofree char *text = got ? show(got) : NULL;
        g_assert_cmpstr(text, ==, cases[i].want);
        if (!got)
            g_assert_nonnull(strstr(err->message, cases[i].message));
    }
}

static void test_select_optional(void)
{
    g_autoptr(tree) t = tree_of(sample);
    struct selection sel = {.pattern = "*.zip", .wildcard = TRUE};
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    g_assert_cmpuint(got->len, ==, 0);
    sel.pattern = "up";
    g_autoptr(GPtrArray) link = tree_select(t, &sel, NULL);
    const struct selected *s = g_ptr_array_index(link, 0);
    g_assert_cmpstr(s->path, ==, "up");
}

static struct digest digest_of(struct tree *t, const char *pattern)
{
    struct selection sel = {.pattern = pattern, .follow = TRUE, .required = TRUE};
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    struct digest d;
    g_assert_true(tree_selection_digest(t, got, &d, NULL));
    return d;
}

/* The same files elsewhere have the same digest; any difference that matters gives another. */
static void test_digest(void)
{
    static const char *const base[] = {"d p", "d p/q",        "f p/q/f linked", "h p/q/g p/q/f",
                                       "d q", "f q/f linked", "h q/g q/f",      NULL};
    static const char *const other[][8] = {
        {"d q", "f q/f linkeD", "h q/g q/f", NULL},
        {"d q", "f q/f linked", "f q/g linked", NULL},
        {"d q", "f q/f linked", "h q/h q/f", NULL},
        {"d q", "f q/f linked", NULL},
        {"d q", "f q/f linked", "h q/g q/f", "d q/d", NULL},
    };
    g_autoptr(tree) t = tree_of(base);
    struct digest here = digest_of(t, "q"), there = digest_of(t, "p/q");
    g_assert_cmpint(digest_cmp(&here, &there), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(other); i++) {
        g_autoptr(tree) o = tree_of(other[i]);
        struct digest d = digest_of(o, "q");
        g_assert_cmpint(digest_cmp(&here, &d), !=, 0);
    }
    entry_list_find(t->entries, "q/f")->mtime_ns = 7;
    struct digest later = digest_of(t, "q");
    g_assert_cmpint(digest_cmp(&here, &later), ==, 0);
}

/* A link whose first name is left out becomes the file itself. */
static void test_links(void)
{
    static const char *const lines[] = {"f a linked", "d d", "h d/b a", "h d/c a", NULL};
    g_autoptr(tree) t = tree_of(lines);
    struct selection sel = {.pattern = "d"};
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    const struct selected *s = g_ptr_array_index(got, 0);
    g_assert_null(selected_link(s, g_ptr_array_index(s->entries, 1)));
    g_assert_true(selected_link(s, g_ptr_array_index(s->entries, 2)) ==
                  g_ptr_array_index(s->entries, 1));
}

static void test_manifest(void)
{
    static const char *const lines[] = {"d d", "f d/a one", "f d/b two", "l d/l a", NULL};
    g_autoptr(tree) t = tree_of(lines);
    struct selection sel = {.pattern = "d"};
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    g_assert_null(tree_selection_manifest(got, 2));
    g_autofree char *before = tree_selection_manifest(got, 3);
    g_auto(GStrv) rows = g_strsplit(before, "\n", -1);
    g_assert_cmpuint(g_strv_length(rows), ==, 4);
    g_assert_true(g_str_has_prefix(rows[1], "d/b\t"));
    g_assert_cmpuint(strlen(rows[1]), ==, 4 + DIGEST_HEX_LEN);
    digest_of_bytes(&entry_list_find(t->entries, "d/b")->digest, "TWO", 3);
    g_autofree char *after = tree_selection_manifest(got, 3);
    g_auto(GStrv) later = g_strsplit(after, "\n", -1);
    g_assert_cmpstr(rows[0], ==, later[0]);
    g_assert_cmpstr(rows[1], !=, later[1]);
    g_assert_cmpstr(rows[2], ==, later[2]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tree/tree/clean", test_clean);
    g_test_add_func("/tree/tree/resolve", test_resolve);
    g_test_add_func("/tree/tree/range", test_range);
    g_test_add_func("/tree/tree/select", test_select);
    g_test_add_func("/tree/tree/select-optional", test_select_optional);
    g_test_add_func("/tree/tree/digest", test_digest);
    g_test_add_func("/tree/tree/links", test_links);
    g_test_add_func("/tree/tree/manifest", test_manifest);
    return g_test_run();
}
