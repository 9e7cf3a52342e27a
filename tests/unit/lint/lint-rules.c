/* Rules against tests/data/lint: NAME.in is a Dockerfile that may hold a line "# options: …" with
 * --build-arg=K=V, --ignore=PATTERN, --base=N:K=V (a variable of the image that stage N starts
 * from; "N:" alone says that its config is known; it is for the platform so far) --platform=P,
 * --context=NAME (a named context) and --target=STAGE (other stages are left out); NAME.expected
 * has a line per finding. VARVE_UPDATE=1 writes the expectations anew. */
#include "graph/imageconf.h"
#include "graph/lower.h"
#include "lint/lint.h"

#include <stdlib.h>
#include <string.h>

struct given {
    struct lint_options o;
    GPtrArray *bases;
    GPtrArray *patterns;
    GPtrArray *contexts; /* struct named_context* */
};

static void add_base(struct given *g, const char *text)
{
    char *rest;
    guint n = strtoul(text, &rest, 10);
    while (g->bases->len <= n)
        g_ptr_array_add(g->bases, NULL);
    if (!g->bases->pdata[n])
        g->bases->pdata[n] = image_conf_new(&g->o.platform);
    g_auto(GStrv) pair = g_strsplit(rest + 1, "=", 2);
    if (pair[0] && pair[1])
        image_conf_setenv(g->bases->pdata[n], pair[0], pair[1]);
    if (strcmp(rest, ":shell") == 0)
        ((struct image_conf *)g->bases->pdata[n])->shell = g_strsplit("/bin/bash -c", " ", -1);
}

static void read_option(struct given *g, const char *text)
{
    const char *value = strchr(text, '=') + 1;
    if (g_str_has_prefix(text, "--base="))
        add_base(g, value);
    else if (g_str_has_prefix(text, "--ignore="))
        g_ptr_array_add(g->patterns, g_strdup(value));
    else if (g_str_has_prefix(text, "--context=")) {
        struct named_context *c = g_new0(struct named_context, 1);
        c->name = g_strdup(value);
        g_ptr_array_add(g->contexts, c);
    } else if (g_str_has_prefix(text, "--target=")) {
        g_free((char *)g->o.target);
        g->o.target = g_strdup(value);
        g->o.all_stages = FALSE;
    } else if (g_str_has_prefix(text, "--platform="))
        g_assert_true(platform_parse(&g->o.platform, value, NULL));
    else if (g_str_has_prefix(text, "--build-arg="))
        g_hash_table_insert(g->o.build_args, g_strndup(value, strchr(value, '=') - value),
                            g_strdup(strchr(value, '=') + 1));
    else
        g_assert_not_reached();
}

static void read_options(struct given *g, const char *text)
{
    *g = (struct given){.bases = g_ptr_array_new_with_free_func((GDestroyNotify)image_conf_free),
                        .patterns = g_ptr_array_new_with_free_func(g_free),
                        .contexts = g_ptr_array_new()};
    g->o.all_stages = TRUE;
    platform_parse(&g->o.platform, "linux/amd64", NULL);
    platform_parse(&g->o.build_platform, "linux/amd64", NULL);
    g->o.build_args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    const char *mark = "# options: ", *at = strstr(text, mark);
    if (at) {
        at += strlen(mark);
        g_autofree char *line = g_strndup(at, strcspn(at, "\n"));
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        for (char **w = words; *w; w++)
            read_option(g, *w);
    }
    g_ptr_array_add(g->patterns, NULL);
    g->o.bases = g->bases;
    g->o.contexts = g->contexts;
    g->o.ignore = ignore_new((const char *const *)g->patterns->pdata, NULL);
}

static void clear(struct given *g)
{
    g_hash_table_unref(g->o.build_args);
    g_free((char *)g->o.target);
    for (guint i = 0; i < g->contexts->len; i++) {
        struct named_context *c = g_ptr_array_index(g->contexts, i);
        g_free(c->name);
        g_free(c);
    }
    g_ptr_array_unref(g->contexts);
    g_ptr_array_unref(g->bases);
    g_ptr_array_unref(g->patterns);
    ignore_free((struct ignore *)g->o.ignore);
}

static char *lint_text(const char *text)
{
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(text, strlen(text), "Dockerfile", d);
    g_assert_false(diags_has_errors(d));
    struct given g;
    read_options(&g, text);
    g_autoptr(GError) err = NULL;
    g_autoptr(lint_report) r = lint_run(df, &g.o, &err);
    GString *out = g_string_new(NULL);
    for (guint i = 0; r && i < r->findings->len; i++) {
        const struct lint_finding *f = g_ptr_array_index(r->findings, i);
        g_string_append_printf(out, "%u:%u+%u %s: %s\n", f->span.line, f->span.col, f->span.len,
                               lint_rule_name(f->rule), f->message);
    }
    if (r && r->error)
        g_string_append(out, "error\n");
    if (err)
        g_string_append_printf(out, "%s\n", err->message);
    clear(&g);
    return g_string_free(out, FALSE);
}

static void test_file(gconstpointer data)
{
    g_autofree char *in = NULL, *want = NULL;
    g_autofree char *path = g_strconcat(data, ".expected", NULL);
    g_autofree char *source = g_strconcat(data, ".in", NULL);
    g_assert_true(g_file_get_contents(source, &in, NULL, NULL));
    g_autofree char *got = lint_text(in);
    if (g_getenv("VARVE_UPDATE"))
        g_file_set_contents(path, got, -1, NULL);
    g_file_get_contents(path, &want, NULL, NULL);
    g_assert_cmpstr(got, ==, want);
}

/* More findings than are kept are still counted. */
static void test_many(void)
{
    g_autoptr(GString) text = g_string_new("FROM scratch\n");
    for (guint i = 0; i < LINT_MAX_FINDINGS + 5; i++)
        g_string_append(text, "MAINTAINER x\n");
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(text->str, text->len, "Dockerfile", d);
    struct lint_options o = {0};
    g_autoptr(lint_report) r = lint_run(df, &o, NULL);
    g_assert_cmpuint(r->n_findings, ==, LINT_MAX_FINDINGS + 5);
    g_assert_cmpuint(r->findings->len, ==, LINT_MAX_FINDINGS);
    g_autofree char *rules = lint_report_rules(r);
    g_assert_cmpstr(rules, ==, "MaintainerDeprecated");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *dir =
        g_build_filename(g_getenv("G_TEST_SRCDIR"), "tests", "data", "lint", NULL);
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_assert_nonnull(d);
    for (const char *name; (name = g_dir_read_name(d));) {
        if (!g_str_has_suffix(name, ".in"))
            continue;
        g_autofree char *stem = g_strndup(name, strlen(name) - 3);
        g_ptr_array_add(paths, g_build_filename(dir, stem, NULL));
        g_autofree char *test = g_strconcat("/lint/", stem, NULL);
        g_test_add_data_func(test, paths->pdata[paths->len - 1], test_file);
    }
    g_test_add_func("/lint/many", test_many);
    return g_test_run();
}
