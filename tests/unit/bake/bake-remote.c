/* Paths of a definition that is elsewhere: what a build takes for them, and that none leads out. */
#include "bake/bake.h"
#include "base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* A definition with app/, a link to it, and one that leads to / and so to itself. */
static void make_definition(struct bake_remote *r)
{
    r->url = g_strdup("https://h.test/r.git#main:sub");
    r->shown = g_strdup(r->url);
    r->dir = g_dir_make_tmp("varve-remote-XXXXXX", NULL);
    g_autofree char *app = g_build_filename(r->dir, "app", NULL);
    g_autofree char *link = g_build_filename(r->dir, "link", NULL);
    g_autofree char *out = g_build_filename(r->dir, "out", NULL);
    g_autofree char *file = g_build_filename(r->dir, "file", NULL);
    g_assert_cmpint(g_mkdir(app, 0755) | symlink("app", link) | symlink("/", out), ==, 0);
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
}

static void remove_definition(struct bake_remote *r)
{
    static const char *const names[] = {"app", "link", "out", "file"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(r->dir, names[i], NULL);
        g_remove(path);
    }
    g_rmdir(r->dir);
    bake_remote_free(r);
}

static void assert_context(const struct bake_remote *r, const char *path, const char *expected)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *got = bake_remote_context(r, path, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(got, ==, expected);
}

static void assert_no_context(const struct bake_remote *r, const char *path, enum varve_error code)
{
    g_autoptr(GError) err = NULL;
    g_assert_null(bake_remote_context(r, path, &err));
    g_assert_error(err, VARVE_ERROR, (gint)code);
}

static void a_repository_is_named_at_its_commit(void)
{
    struct bake_remote *r = g_new0(struct bake_remote, 1);
    make_definition(r);
    g_assert_cmpint(giturl_parse(r->url, &r->git, NULL), ==, GITURL_OK);
    r->commit = g_strdup("0123");
    assert_context(r, ".", "https://h.test/r.git#0123:sub");
    assert_context(r, "./app/", "https://h.test/r.git#0123:sub/app");
    assert_context(r, "/app", "https://h.test/r.git#0123:sub/app");
    g_clear_pointer(&r->git->subdir, g_free);
    assert_context(r, "/", "https://h.test/r.git#0123");
    assert_context(r, "x/../app", "https://h.test/r.git#0123:app");
    assert_no_context(r, "../x", VARVE_ERROR_INVALID);
    assert_no_context(r, "..", VARVE_ERROR_INVALID);
    assert_no_context(r, "none", VARVE_ERROR_NOT_FOUND);
    assert_no_context(r, "file", VARVE_ERROR_FAILED);
    remove_definition(r);
}

static void an_archive_is_a_directory_in_the_store(void)
{
    struct bake_remote *r = g_new0(struct bake_remote, 1);
    make_definition(r);
    g_autofree char *app = g_build_filename(r->dir, "app", NULL);
    assert_context(r, ".", r->dir);
    assert_context(r, "link", app);
    assert_context(r, "out/app", app);
    assert_context(r, "out", r->dir);
    assert_no_context(r, "out/usr", VARVE_ERROR_NOT_FOUND);
    remove_definition(r);
}

static void files_are_read_inside(void)
{
    struct bake_remote *r = g_new0(struct bake_remote, 1);
    g_autoptr(GError) err = NULL;
    make_definition(r);
    g_autoptr(GBytes) bytes = bake_remote_read(r, "out/file", 10, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(g_bytes_get_size(bytes), ==, 1);
    g_assert_true(bake_remote_has(r, "out/app"));
    g_assert_false(bake_remote_has(r, "../../../../etc/passwd"));
    g_assert_null(bake_remote_read(r, "app", 10, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    remove_definition(r);
}

static void words_that_are_remote(void)
{
    static const char *const yes[] = {"https://h/x", "git@h:o/r.git", "github.com/o/r",
                                      "ssh://h/r"};
    static const char *const no[] = {"default", "a.b", "x-*", ""};
    for (guint i = 0; i < G_N_ELEMENTS(yes); i++)
        g_assert_true(bake_remote_is(yes[i]));
    for (guint i = 0; i < G_N_ELEMENTS(no); i++)
        g_assert_false(bake_remote_is(no[i]));
}

/* What bake_build_context() gives for the context (name NULL) of the only target, or one of its
 * contexts. */
static char *build_context(const char *hcl, const struct bake_remote *r, const char *name)
{
    g_autofree char *dir = g_dir_make_tmp("varve-remote-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "b.hcl", NULL);
    g_autofree char *file = g_strconcat("cwd://", path, NULL);
    g_autoptr(GHashTable) environment = bake_map_new();
    GError *err = NULL;
    char *files[] = {file, NULL};
    struct bake_options o = {.files = files, .environment = environment, .in_fd = -1, .remote = r};
    g_assert_true(g_file_set_contents(path, hcl, -1, NULL));
    g_autoptr(bake) b = bake_new(&o);
    g_assert_true(bake_read(b, &err) && bake_make_plan(b, &err));
    char *got = bake_build_context(b, b->plan->targets->pdata[0], name, &err);
    g_assert_no_error(err);
    g_remove(path);
    g_rmdir(dir);
    return got;
}

static void contexts_are_of_the_definition_or_of_here(void)
{
    static const char hcl[] =
        "target \"default\" {\n context = \"link\"\n contexts = { a = \"app\", "
        "b = \"cwd://l/\", c = \"docker-image://i\" }\n}";
    struct bake_remote *r = g_new0(struct bake_remote, 1);
    make_definition(r);
    g_autofree char *app = g_build_filename(r->dir, "app", NULL);
    g_autofree char *own = build_context(hcl, r, NULL), *a = build_context(hcl, r, "a"),
                    *b = build_context(hcl, r, "b"), *c = build_context(hcl, r, "c"),
                    *here = build_context(hcl, NULL, "a");
    g_autofree char *cwd =
        build_context("target \"default\" {\n context = \"cwd://app\"\n}", r, NULL);
    g_autofree char *whole = build_context("target \"default\" {}", r, NULL);
    g_assert_cmpstr(own, ==, app);
    g_assert_cmpstr(a, ==, app);
    g_assert_cmpstr(b, ==, "l");
    g_assert_cmpstr(c, ==, "docker-image://i");
    g_assert_cmpstr(here, ==, "app");
    g_assert_cmpstr(cwd, ==, "app");
    g_assert_cmpstr(whole, ==, r->url);
    remove_definition(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bake/remote/repository", a_repository_is_named_at_its_commit);
    g_test_add_func("/bake/remote/archive", an_archive_is_a_directory_in_the_store);
    g_test_add_func("/bake/remote/files", files_are_read_inside);
    g_test_add_func("/bake/remote/words", words_that_are_remote);
    g_test_add_func("/bake/remote/contexts", contexts_are_of_the_definition_or_of_here);
    return g_test_run();
}
