/* Merging and normalising of targets, and what a plan needs to be allowed. */
#include "bake/allow.h"
#include "bake/bake.h"
#include "base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *directory;

static void merging_shares_nothing(void)
{
    g_autoptr(bake_target) base = bake_target_new("base");
    g_autoptr(bake_target) t = bake_target_new("t");
    base->tags = bake_list_new();
    g_ptr_array_add(base->tags, g_strdup("a"));
    base->args = bake_map_new();
    g_hash_table_insert(base->args, g_strdup("A"), g_strdup("1"));
    g_hash_table_insert(base->args, g_strdup("N"), NULL);
    bake_target_merge(t, base);
    g_assert_true(t->tags != base->tags && t->args != base->args);
    g_ptr_array_add(t->tags, g_strdup("a"));
    bake_target_normalise(t);
    bake_target_normalise(t);
    g_assert_cmpuint(t->tags->len, ==, 1);
    g_assert_cmpuint(g_hash_table_size(t->args), ==, 1);
    g_assert_cmpuint(g_hash_table_size(base->args), ==, 2);
}

static void an_unset_attribute_is_not_there(void)
{
    g_autoptr(bake_target) t = bake_target_new("t");
    t->pull = BAKE_FALSE;
    t->context = g_strdup("");
    g_assert_true(bake_target_has(t, BAKE_PULL) && bake_target_has(t, BAKE_CONTEXT));
    bake_target_unset(t, BAKE_PULL);
    bake_target_unset(t, BAKE_CONTEXT);
    g_assert_false(bake_target_has(t, BAKE_PULL) || bake_target_has(t, BAKE_CONTEXT));
    g_assert_cmpint(bake_attr_find("no-cache-filter"), ==, BAKE_NO_CACHE_FILTER);
    g_assert_cmpint(bake_attr_find("tag"), ==, -1);
}

/* The flags that a definition needs, joined by blanks. */
static char *needs_of(const char *hcl, char **sets, char **allowed, gboolean paths)
{
    g_autofree char *file = g_build_filename(directory, "docker-bake.hcl", NULL);
    g_autoptr(GHashTable) environment = bake_map_new();
    char *files[] = {file, NULL};
    struct bake_options o = {.files = files, .sets = sets, .environment = environment, .in_fd = -1};
    GError *err = NULL;
    g_hash_table_insert(environment, g_strdup("SSH_AUTH_SOCK"), g_strdup("/s"));
    g_assert_true(g_file_set_contents(file, hcl, -1, NULL));
    g_autoptr(bake) b = bake_new(&o);
    g_assert_true(bake_read(b, &err) && bake_make_plan(b, &err));
    g_assert_no_error(err);
    g_autoptr(GPtrArray) needs = bake_needs(b->plan, directory, allowed, paths, &err);
    g_assert_no_error(err);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < needs->len; i++)
        g_string_append_printf(out, "%s%s", i > 0 ? " " : "",
                               ((struct bake_need *)needs->pdata[i])->flag);
    return g_string_free(out, FALSE);
}

static void assert_needs(const char *hcl, char **sets, char **allowed, const char *expected)
{
    g_autofree char *got = needs_of(hcl, sets, allowed, TRUE);
    g_assert_cmpstr(got, ==, expected);
}
#define LIST(...) ((char *[]){__VA_ARGS__, NULL})
#define WORD(s) ((char *)(s))

static void what_is_below_the_working_directory_is_free(void)
{
    assert_needs("target \"default\" {\n context = \"a\"\n output = [\"b/c\"]\n}", NULL, NULL, "");
    assert_needs("target \"default\" {\n context = \"..\"\n}", NULL, LIST(WORD("fs.read=*")), "");
    g_autofree char *up = needs_of("target \"default\" {\n context = \"..\"\n}", NULL, NULL, TRUE);
    g_assert_true(g_str_has_prefix(up, "fs.read=/"));
    g_autofree char *off =
        needs_of("target \"default\" {\n context = \"..\"\n}", NULL, NULL, FALSE);
    g_assert_cmpstr(off, ==, "");
}

static void paths_of_all_kinds_are_wanted(void)
{
    const char *hcl =
        "target \"default\" {\n contexts = { a = \"/etc\", b = \"oci-layout:///usr:x\","
        " c = \"docker-image://x\" }\n secret = [\"id=s,src=/etc/hostname\"]\n"
        " cache-from = [\"type=local,src=/bin/x\"]\n"
        " cache-to = [\"type=local,dest=/no/c\"]\n output = [\"/no/o\"]\n}";
    assert_needs(hcl, NULL,
                 LIST(WORD("fs.read=/etc"), WORD("fs.read=/usr"), WORD("fs=/no"), WORD("fs=/bin")),
                 "");
    assert_needs(hcl, NULL, LIST(WORD("fs.read=*")), "fs.write=/no/c fs.write=/no/o");
    assert_needs(hcl, NULL, LIST(WORD("fs.read=*"), WORD("fs.write=/no/c")), "fs.write=/no/o");
    assert_needs(hcl, LIST(WORD("default.output=/no/o")),
                 LIST(WORD("fs.read=*"), WORD("fs.write=/no/c")), "");
}

static void a_link_leads_where_it_leads(void)
{
    g_autofree char *link = g_build_filename(directory, "link", NULL);
    g_assert_cmpint(symlink("/no/where", link), ==, 0);
    assert_needs("target \"default\" {\n output = [\"link/x/y\"]\n}", NULL, NULL,
                 "fs.write=/no/where/x/y");
    g_unlink(link);
    g_assert_cmpint(symlink("/etc", link), ==, 0);
    assert_needs("target \"default\" {\n output = [\"link/no\"]\n}", NULL, NULL,
                 "fs.write=/etc/no");
    g_unlink(link);
}

static void entitlements_are_wanted_once(void)
{
    const char *hcl =
        "target \"a\" {\n network = \"host\"\n}\n"
        "target \"default\" {\n contexts = { a = \"target:a\" }\n ssh = [\"default\"]\n"
        " entitlements = [\"device=gpu\", \"security.insecure\"]\n}";
    assert_needs(hcl, NULL, NULL, "network.host device=gpu security.insecure ssh");
    assert_needs(hcl, NULL, LIST(WORD("device"), WORD("ssh"), WORD("network.host")),
                 "security.insecure");
    assert_needs(hcl, LIST(WORD("default.ssh=default")),
                 LIST(WORD("device=gpu"), WORD("security.insecure")), "network.host");
}

static void a_wrong_word_is_refused(void)
{
    static const char *const wrong[] = {"network", "fs", "ssh=x", "fs.raed=/x", ""};
    g_autoptr(bake_plan) p = g_new0(struct bake_plan, 1);
    p->targets = g_ptr_array_new();
    p->groups = g_ptr_array_new();
    p->names = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) err = NULL;
        g_assert_null(bake_needs(p, "/", LIST(WORD(wrong[i])), TRUE, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    directory = g_dir_make_tmp("varve-bake-XXXXXX", NULL);
    g_assert_nonnull(directory);
    g_test_add_func("/bake/targets/merge", merging_shares_nothing);
    g_test_add_func("/bake/targets/unset", an_unset_attribute_is_not_there);
    g_test_add_func("/bake/allow/free", what_is_below_the_working_directory_is_free);
    g_test_add_func("/bake/allow/paths", paths_of_all_kinds_are_wanted);
    g_test_add_func("/bake/allow/links", a_link_leads_where_it_leads);
    g_test_add_func("/bake/allow/entitlements", entitlements_are_wanted_once);
    g_test_add_func("/bake/allow/words", a_wrong_word_is_refused);
    int code = g_test_run();
    g_autofree char *file = g_build_filename(directory, "docker-bake.hcl", NULL);
    g_unlink(file);
    g_rmdir(directory);
    return code;
}
