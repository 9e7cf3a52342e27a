/* Compose files: the cases compose-*.txt of tests/bake, compared with what docker buildx bake
 * --print printed, and hostile files. */
#include "casefile.h"
#include "printed.h"

#include "bake/compose.h"
#include "bake/interpolate.h"
#include "base/error.h"

#include <string.h>

/* A Compose project whose files are in memory. */
struct project {
    GPtrArray *sections; /* struct section*: those named "file" are the files */
    GArray *files;       /* struct compose_file: the main ones */
    GHashTable *env;
    struct compose *compose;
    struct bake_defs *defs;
    GError *err; /* how loading failed, or NULL */
};

static const struct section *project_file(const struct project *p, const char *path)
{
    for (guint i = 0; i < p->sections->len; i++) {
        const struct section *s = g_ptr_array_index(p->sections, i);
        if (!strcmp(s->name, "file") && !strcmp(s->argument, path))
            return s;
    }
    return NULL;
}

static GBytes *project_read(gpointer self, const char *path, GError **err)
{
    const struct section *s = project_file(self, path);
    if (s)
        return g_bytes_new(s->text->str, s->text->len);
    error_set(err, VARVE_ERROR_NOT_FOUND, "cannot read %s: No such file or directory", path);
    return NULL;
}

static void project_add(struct project *p, const char *name)
{
    const struct section *s = project_file(p, name);
    g_assert_nonnull(s);
    struct compose_file f = {s->argument, g_bytes_new(s->text->str, s->text->len)};
    g_array_append_val(p->files, f);
}

/* Takes sections. The main files are those of -f, else compose.yaml. */
static struct project *project_load(GPtrArray *sections)
{
    struct project *p = g_new0(struct project, 1);
    p->sections = sections;
    p->files = g_array_new(FALSE, FALSE, sizeof(struct compose_file));
    p->env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    const struct section *args = casefile_section(sections, "args");
    const struct section *env = casefile_section(sections, "env");
    g_auto(GStrv) words = g_strsplit(args ? args->text->str : "", "\n", -1);
    g_auto(GStrv) variables = g_strsplit(env ? env->text->str : "", "\n", -1);
    for (guint i = 0; words[i]; i++)
        if (!strcmp(words[i], "-f"))
            project_add(p, words[++i]);
    if (!p->files->len)
        project_add(p, "compose.yaml");
    for (char **v = variables; *v && **v; v++) {
        char *eq = strchr(*v, '=');
        g_hash_table_insert(p->env, g_strndup(*v, (gsize)(eq - *v)), g_strdup(eq + 1));
    }
    struct compose_source source = {
        (struct compose_file *)p->files->data, p->files->len, p->env, "/root", project_read, p};
    p->compose = compose_new();
    p->defs = bake_defs_new();
    gboolean ok = compose_load(p->compose, &source, p->defs, &p->err);
    g_assert_true(ok == (p->err == NULL));
    return p;
}

static void project_free(struct project *p)
{
    for (guint i = 0; i < p->files->len; i++)
        g_bytes_unref(g_array_index(p->files, struct compose_file, i).bytes);
    g_array_unref(p->files);
    g_hash_table_unref(p->env);
    bake_defs_free(p->defs);
    compose_free(p->compose);
    g_clear_error(&p->err);
    g_ptr_array_unref(p->sections);
    g_free(p);
}

/* The error as the user sees it; the caller's. */
static char *project_error(struct project *p)
{
    struct bake_where at = p->compose->pool->at;
    if (!at.diags)
        return error_text(p->err);
    diags_gerror(at.diags, at.span, p->err);
    return diags_render(at.diags, 0);
}

static void compare_json(const char *what, json_t *got, json_t *wanted)
{
    if (json_equal(got, wanted))
        return;
    g_autofree char *a = json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    g_autofree char *b = json_dumps(wanted, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    g_test_message("%s: got %s, not %s", what, a, b ? b : "nothing");
    g_test_fail();
}

static void compare_project(struct project *p, const char *expect)
{
    json_t *root = json_loads(expect, 0, NULL);
    json_t *targets = printed_targets(p->defs), *group = printed_group(p->defs, "default");
    json_t *wanted =
        json_object_get(json_object_get(json_object_get(root, "group"), "default"), "targets");
    g_assert_nonnull(root);
    compare_json("targets", targets, json_object_get(root, "target"));
    if (json_array_size(wanted) || json_array_size(group))
        compare_json("group", group, wanted);
    json_decref(root);
    json_decref(targets);
    json_decref(group);
}

/* All lines of says are in text. */
static void compare_text(const char *text, const char *says)
{
    g_auto(GStrv) lines = g_strsplit(says, "\n", -1);
    g_test_message("%s", text);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    for (char **line = lines; *line; line++)
        if (!strstr(text, *line)) {
            g_test_message("does not say: %s", *line);
            g_test_fail();
        }
}

static void test_case(gconstpointer path)
{
    GPtrArray *sections = casefile_read(path);
    const struct section *expect = casefile_section(sections, "expect");
    const struct section *says = casefile_section(sections, "says");
    struct project *p = project_load(sections);
    g_autofree char *error = p->err ? project_error(p) : NULL;
    if (error && expect) {
        compare_text(error, "");
        g_test_fail();
    } else if (!error && !expect) {
        g_test_message("this should fail");
        g_test_fail();
    } else if (error) {
        compare_text(error, says ? says->text->str : "");
    } else {
        compare_project(p, expect->text->str);
    }
    project_free(p);
}

/* Projects in memory. */

static void add_section(GPtrArray *sections, const char *name, const char *argument,
                        const char *text, gssize len)
{
    struct section *s = g_new0(struct section, 1);
    s->name = g_strdup(name);
    s->argument = g_strdup(argument);
    s->text = g_string_new_len(text, len < 0 ? (gssize)strlen(text) : len);
    g_ptr_array_add(sections, s);
}

static void free_section(gpointer p)
{
    struct section *s = p;
    g_free(s->name);
    g_free(s->argument);
    g_string_free(s->text, TRUE);
    g_free(s);
}

/* A project of files, path and text in turn, up to NULL; the first is the main one. */
static struct project *project_of(const char *path, ...) G_GNUC_NULL_TERMINATED;
static struct project *project_of(const char *path, ...)
{
    GPtrArray *sections = g_ptr_array_new_with_free_func(free_section);
    va_list args;
    va_start(args, path);
    add_section(sections, "args", "", "-f\n", -1);
    struct section *first = g_ptr_array_index(sections, 0);
    g_string_append(first->text, path);
    for (const char *p = path; p; p = va_arg(args, const char *))
        add_section(sections, "file", p, va_arg(args, const char *), -1);
    va_end(args);
    return project_load(sections);
}

/* The file fails with an error that says all lines of says. */
static void assert_fails(const char *text, gssize len, const char *says)
{
    GPtrArray *sections = g_ptr_array_new_with_free_func(free_section);
    add_section(sections, "file", "compose.yaml", text, len);
    struct project *p = project_load(sections);
    g_assert_nonnull(p->err);
    g_autofree char *error = project_error(p);
    compare_text(error, says);
    project_free(p);
}

static const struct bake_target *target_of(const struct project *p, const char *name)
{
    if (p->err)
        g_test_message("%s", p->err->message);
    g_assert_no_error(p->err);
    const struct bake_target *t = g_hash_table_lookup(p->defs->target_names, name);
    g_assert_nonnull(t);
    return t;
}

static void test_aliases_that_multiply(void)
{
    g_autoptr(GString) text = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++) {
        g_string_append_printf(text, "a%d: &a%d [", i, i);
        for (int n = 0; n < 10; n++)
            g_string_append_printf(text, "*a%d,", i - 1);
        g_string_append(text, "]\n");
    }
    assert_fails(text->str, -1, "more than 200000 values, those of aliases included");
}

static void test_merges_that_multiply(void)
{
    g_autoptr(GString) text = g_string_new("m0: &m0 {a: 1}\n");
    for (int i = 1; i < 40; i++)
        g_string_append_printf(text, "m%d: &m%d {x: *m%d, y: *m%d, <<: *m%d}\n", i, i, i - 1, i - 1,
                               i - 1);
    assert_fails(text->str, -1, "more than 200000 values");
}

static void assert_deep_fails(const char *open, int times)
{
    g_autoptr(GString) text = g_string_new("a: ");
    for (int i = 0; i < times; i++)
        g_string_append(text, open);
    assert_fails(text->str, -1, "compose.yaml:1:");
}

static void test_depth(void)
{
    assert_deep_fails("[", 100000);
    assert_deep_fails("{a: ", 100000);
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 1000; i++)
        g_string_append_printf(text, "%*sa:\n", i, "");
    assert_fails(text->str, -1, "compose.yaml:101:101: error: more than 100 lists and maps");
    g_string_truncate(text, 0);
    for (int i = 0; i < 5000; i++)
        g_string_append(text, "- ");
    assert_fails(text->str, -1, "more than 100 lists and maps");
}

static void test_large_file(void)
{
    gsize len = 100 << 20;
    g_autofree char *text = g_malloc(len);
    memset(text, ' ', len);
    assert_fails(text, (gssize)len, "larger than 8 MiB");
}

static void test_many_keys(void)
{
    g_autoptr(GString) text = g_string_new("services:\n  a:\n    build:\n      args:\n");
    for (int i = 0; i < 90000; i++)
        g_string_append_printf(text, "        k%d: %d\n", i, i);
    struct project *p = project_of("compose.yaml", text->str, NULL);
    g_assert_cmpuint(g_hash_table_size(target_of(p, "a")->args), ==, 90000);
    project_free(p);
    g_string_append(text, "        k77777: x\n");
    assert_fails(text->str, -1,
                 "90005:9: error: key \"k77777\" is here twice (first in line 77782)");
}

static void test_bytes(void)
{
    assert_fails("services:\n  a: {build: \"\xff\"}\n", -1,
                 "compose.yaml:2:15: error: invalid leading UTF-8 octet");
    assert_fails("services:\n  a: \0b", 16, "compose.yaml:2:6: error: control characters");
    assert_fails("services: {a: {image: \"x\\0y\"}}", -1,
                 "compose.yaml:1:23: error: a string with a NUL character");
    assert_fails("\xff\xfe"
                 "a\0:\0",
                 6, "compose.yaml:1:1: error:");
    assert_fails("", 0, "no services in this Compose file");
    assert_fails("ä: ü\nöö: {ß: [*x]}\n", -1, "compose.yaml:2:10: error: unknown anchor \"x\"");
}

/* Bytes of a length of 0 may be NULL. */
static void test_empty_files(void)
{
    struct project *p =
        project_of("compose.yaml", "include: [i.yaml]\nservices: {a: {env_file: e, build: .}}",
                   "i.yaml", "", ".env", "", "e", "", NULL);
    g_assert_cmpstr(target_of(p, "a")->context, ==, ".");
    project_free(p);
}

static void test_anchor_within_itself(void)
{
    struct project *p = project_of("compose.yaml",
                                   "x: &a {y: &a {context: inner}, z: *a}\n"
                                   "services: {a: {build: *a}}",
                                   NULL);
    g_assert_cmpstr(target_of(p, "a")->context, ==, "inner");
    project_free(p);
}

static void test_bom(void)
{
    struct project *p = project_of("c.yaml", "\xef\xbb\xbfservices: {a: {build: x}}\r\n", NULL);
    g_assert_cmpstr(target_of(p, "a")->context, ==, "x");
    project_free(p);
}

/* Services that extend one another, down to a last one. */
static char *chain_of_services(int n)
{
    GString *text = g_string_new("services:\n");
    for (int i = 0; i < n; i++)
        g_string_append_printf(text, "  s%d: {extends: s%d}\n", i, i + 1);
    g_string_append_printf(text, "  s%d: {build: deep}\n", n);
    return g_string_free(text, FALSE);
}

static void test_chain_of_services(void)
{
    g_autofree char *text = chain_of_services(COMPOSE_MAX_DEPTH);
    struct project *p = project_of("compose.yaml", text, NULL);
    g_assert_cmpstr(target_of(p, "s0")->context, ==, "deep");
    project_free(p);
    g_autofree char *longer = chain_of_services(10000);
    assert_fails(longer, -1, "more than 50 services extend one another");
}

static void test_chain_of_files(void)
{
    GPtrArray *sections = g_ptr_array_new_with_free_func(free_section);
    add_section(sections, "args", "", "-f\nf0.yaml", -1);
    for (int i = 0; i < 200; i++) {
        g_autofree char *name = g_strdup_printf("f%d.yaml", i);
        g_autofree char *text = g_strdup_printf("include: [f%d.yaml, f%d.yaml]\n", i + 1, i + 1);
        add_section(sections, "file", name, text, -1);
    }
    struct project *p = project_load(sections);
    g_autofree char *error = project_error(p);
    compare_text(error, "f50.yaml:1:11: error: more than 50 files include one another");
    project_free(p);
}

/* Each file is included twice by the one before. */
static void test_files_that_multiply(void)
{
    GPtrArray *sections = g_ptr_array_new_with_free_func(free_section);
    add_section(sections, "args", "", "-f\nf0.yaml", -1);
    for (int i = 0; i < 40; i++) {
        g_autofree char *name = g_strdup_printf("f%d.yaml", i);
        g_autofree char *text = g_strdup_printf("include: [f%d.yaml, f%d.yaml]\n", i + 1, i + 1);
        add_section(sections, "file", name, i < 39 ? text : "services: {a: {build: .}}", -1);
    }
    struct project *p = project_load(sections);
    g_autofree char *error = project_error(p);
    compare_text(error, "more than 200000 values");
    project_free(p);
}

static void test_variables_that_multiply(void)
{
    g_autofree char *value = g_strnfill(100000, 'v');
    g_autofree char *env = g_strconcat("BIG=", value, NULL);
    g_autoptr(GString) text = g_string_new("x: \"");
    for (int i = 0; i < 10000; i++)
        g_string_append(text, "$BIG");
    g_string_append(text, "\"\n");
    GPtrArray *sections = g_ptr_array_new_with_free_func(free_section);
    add_section(sections, "file", "compose.yaml", text->str, -1);
    add_section(sections, "env", "", env, -1);
    struct project *p = project_load(sections);
    g_autofree char *error = project_error(p);
    compare_text(error, "variables make this file larger than 64 MiB");
    project_free(p);
}

static void test_deep_defaults(void)
{
    g_autoptr(GString) text = g_string_new("x: ");
    for (int i = 0; i < 100000; i++)
        g_string_append(text, "${A:-");
    for (int i = 0; i < 100000; i++)
        g_string_append(text, "}");
    assert_fails(text->str, -1, "more than 50 defaults within one another");
}

static void test_unset_variable(void)
{
    struct project *p = project_of(
        "compose.yaml", "services:\n  a: {image: \"x:$TAG\", build: \"$DIR/$TAG\"}\n", NULL);
    g_assert_cmpstr(target_of(p, "a")->context, ==, "/");
    g_assert_cmpuint(p->compose->warnings->len, ==, 2);
    const struct compose_warning *w = g_ptr_array_index(p->compose->warnings, 0);
    g_assert_cmpstr(w->message, ==, "variable TAG is not set; an empty string takes its place");
    g_assert_cmpuint(w->at.span.line, ==, 2);
    g_assert_cmpuint(w->at.span.col, ==, 17);
    g_assert_cmpuint(w->at.span.len, ==, 4);
    project_free(p);
}

static void test_unknown_keys(void)
{
    struct project *p = project_of("compose.yaml",
                                   "services:\n  a: {image: x, biuld: ., volumes: []}\n"
                                   "  b: {build: {context: ., x-bake: {tag: x}}}\n",
                                   NULL);
    g_assert_no_error(p->err);
    g_assert_cmpuint(p->compose->warnings->len, ==, 2);
    const struct compose_warning *w = g_ptr_array_index(p->compose->warnings, 0);
    g_assert_cmpstr(w->message, ==, "unknown key biuld; did you mean build?");
    w = g_ptr_array_index(p->compose->warnings, 1);
    g_assert_cmpstr(w->message, ==, "unknown key tag in x-bake is ignored; did you mean tags?");
    project_free(p);
}

/* docker buildx 0.29 makes 0:0 of a single number; later versions do as here. */
static void test_single_ulimit(void)
{
    struct project *p = project_of(
        "compose.yaml", "services: {a: {build: {ulimits: {nofile: 1024, core: \"5\"}}}}", NULL);
    const GPtrArray *u = target_of(p, "a")->ulimits;
    g_assert_cmpuint(u->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(u, 0), ==, "nofile=1024:1024");
    g_assert_cmpstr(g_ptr_array_index(u, 1), ==, "core=5:5");
    project_free(p);
}

/* Directories of an included file that includes another count once: buildx counts them twice. */
static void test_nested_include(void)
{
    struct project *p = project_of(
        "compose.yaml", "include: [a/a.yaml]\n", "a/a.yaml", "include: [b/b.yaml]\n", "a/b/b.yaml",
        "services: {s: {build: {context: ../x, additional_contexts: [q=./q]}}}", NULL);
    g_assert_cmpstr(target_of(p, "s")->context, ==, "a/x");
    g_assert_cmpstr(g_hash_table_lookup(target_of(p, "s")->contexts, "q"), ==, "a/b/q");
    project_free(p);
}

/* Keys and files need no stat: ssh is checked by who prints. */
static void test_ssh(void)
{
    struct project *p = project_of("compose.yaml",
                                   "services:\n  a: {build: {ssh: [k=./key, default]}}\n"
                                   "  b: {build: {ssh: {z: ~/x, d: }}}\n",
                                   NULL);
    const struct bake_ssh *s = g_ptr_array_index(target_of(p, "a")->ssh, 0);
    g_assert_cmpstr(s->id, ==, "default");
    g_assert_cmpuint(s->paths->len, ==, 0);
    s = g_ptr_array_index(target_of(p, "a")->ssh, 1);
    g_assert_cmpstr(g_ptr_array_index(s->paths, 0), ==, "key");
    s = g_ptr_array_index(target_of(p, "b")->ssh, 1);
    g_assert_cmpstr(g_ptr_array_index(s->paths, 0), ==, "/root/x");
    project_free(p);
}

/* What extends took away stays away from what an earlier file says. */
static void test_reset_through_extends(void)
{
    GPtrArray *sections = g_ptr_array_new_with_free_func(free_section);
    add_section(sections, "args", "", "-f\na.yaml\n-f\nb.yaml", -1);
    add_section(sections, "file", "a.yaml", "services: {a: {build: {target: x, args: {A: 1}}}}",
                -1);
    add_section(sections, "file", "b.yaml",
                "services:\n  a: {extends: b, build: {target: !reset x, args: !override {B: 1}}}\n"
                "  b: {build: {target: y}}\n",
                -1);
    struct project *p = project_load(sections);
    g_assert_null(target_of(p, "a")->target);
    g_assert_cmpuint(g_hash_table_size(target_of(p, "a")->args), ==, 1);
    project_free(p);
}

static void add_cases(void)
{
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "tests", "bake", "cases", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(dir);
    for (const char *name; (name = g_dir_read_name(dir));) {
        if (!g_str_has_prefix(name, "compose-"))
            continue;
        g_autofree char *test = g_strconcat("/compose/cases/", name, NULL);
        g_test_add_data_func_full(test, g_build_filename(folder, name, NULL), test_case, g_free);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    add_cases();
    g_test_add_func("/compose/aliases-that-multiply", test_aliases_that_multiply);
    g_test_add_func("/compose/merges-that-multiply", test_merges_that_multiply);
    g_test_add_func("/compose/depth", test_depth);
    g_test_add_func("/compose/large-file", test_large_file);
    g_test_add_func("/compose/many-keys", test_many_keys);
    g_test_add_func("/compose/bytes", test_bytes);
    g_test_add_func("/compose/empty-files", test_empty_files);
    g_test_add_func("/compose/anchor-within-itself", test_anchor_within_itself);
    g_test_add_func("/compose/bom", test_bom);
    g_test_add_func("/compose/chain-of-services", test_chain_of_services);
    g_test_add_func("/compose/chain-of-files", test_chain_of_files);
    g_test_add_func("/compose/files-that-multiply", test_files_that_multiply);
    g_test_add_func("/compose/variables-that-multiply", test_variables_that_multiply);
    g_test_add_func("/compose/deep-defaults", test_deep_defaults);
    g_test_add_func("/compose/unset-variable", test_unset_variable);
    g_test_add_func("/compose/unknown-keys", test_unknown_keys);
    g_test_add_func("/compose/single-ulimit", test_single_ulimit);
    g_test_add_func("/compose/nested-include", test_nested_include);
    g_test_add_func("/compose/ssh", test_ssh);
    g_test_add_func("/compose/reset-through-extends", test_reset_through_extends);
    return g_test_run();
}
