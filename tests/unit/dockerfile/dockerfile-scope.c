/* What variables hold where, and what a stage needs. */
#include "dockerfile/reach.h"

#include "base/envlist.h"

#include <string.h>

/* The scopes of a file, walked to its end. */
struct walked {
    struct scopes x;
    struct dockerfile *df;
    struct diags *diags;
    GPtrArray *order; /* struct scope*: what the target needs */
    GPtrArray *env;   /* of the image that every first stage starts from */
    GPtrArray *onbuild;
};

static gboolean conf_of(gpointer ctx, struct scope *s, struct scope_conf *out)
{
    struct walked *w = ctx;
    *out = (struct scope_conf){w->env, w->onbuild};
    return TRUE;
}

static void walk_stage(struct walked *w, struct scope *s)
{
    g_assert_true(scope_start(&w->x, s));
    for (guint i = 0; w->x.spent <= SCOPES_MAX_BYTES && i < s->commands->len; i++) {
        const struct stage_command *cmd = &g_array_index(s->commands, struct stage_command, i);
        if (cmd->ins->n_pairs == 0)
            continue;
        g_autoptr(GPtrArray) pairs = scope_take_pairs(&w->x, s, cmd);
        g_assert_true(pairs || w->diags->n_errors > 0);
    }
}

static struct walked *walk(const char *text, const char *target, gboolean strict)
{
    static const struct platform amd64 = {.os = "linux", .arch = "amd64"};
    struct walked *w = g_new0(struct walked, 1);
    w->diags = diags_new();
    w->df = dockerfile_parse(text, strlen(text), "Dockerfile", w->diags);
    g_assert_false(diags_has_errors(w->diags));
    w->order = g_ptr_array_new();
    w->env = g_ptr_array_new();
    g_ptr_array_add(w->env, (gpointer) "FROMBASE=image");
    w->onbuild = g_ptr_array_new();
    g_ptr_array_add(w->onbuild, (gpointer) "ARG TRIGGERED=${FROMBASE}d");
    w->x = (struct scopes){
        .df = w->df, .diags = strict ? w->diags : NULL, .conf_of = conf_of, .ctx = w};
    w->x.build_args = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_insert(w->x.build_args, (gpointer) "GIVEN", (gpointer) "given");
    gboolean ok = scopes_init(&w->x, &amd64, &amd64, target);
    for (guint i = 0; ok && i < w->df->n_stages; i++) {
        struct scope *s = scopes_add(&w->x, &w->df->stages[i]);
        g_assert_nonnull(s);
        scope_enter(&w->x, s, FALSE);
    }
    struct scope *s = scopes_target(&w->x, target);
    g_autoptr(GPtrArray) targets = g_ptr_array_new();
    g_ptr_array_add(targets, s);
    if (ok && s && scopes_link(&w->x) && scopes_reach(&w->x, targets, w->order))
        for (guint i = 0; i < w->x.n_stages; i++)
            walk_stage(w, g_ptr_array_index(w->x.all, i));
    return w;
}

static void walked_free(struct walked *w)
{
    g_hash_table_unref(w->x.build_args);
    scopes_clear(&w->x);
    dockerfile_free(w->df);
    diags_free(w->diags);
    g_ptr_array_unref(w->order);
    g_ptr_array_unref(w->env);
    g_ptr_array_unref(w->onbuild);
    g_free(w);
}

/* What VALUE holds at the end of the last stage. */
static const struct {
    const char *text, *value;
} values[] = {
    {"FROM a\nARG VALUE=x", "x"},
    {"FROM a\nARG VALUE=x$FROMBASE", "ximage"},
    {"FROM a\nARG VALUE", NULL},
    {"ARG VALUE=global\nFROM a", NULL},
    {"ARG VALUE=global\nFROM a\nARG VALUE", "global"},
    {"ARG VALUE=global\nFROM a\nARG VALUE=own", "own"},
    {"ARG A=1 VALUE=$A$TARGETARCH\nFROM a\nARG VALUE", "1amd64"},
    {"FROM a\nARG GIVEN=default\nENV VALUE=$GIVEN", "given"},
    {"FROM a\nENV GIVEN=env\nARG GIVEN\nENV VALUE=$GIVEN", "given"},
    {"FROM a\nARG A=1 B=$A\nENV VALUE=$B", "1"},
    {"FROM a\nENV A=1 VALUE=[$A]", "[]"},
    {"FROM a\nENV N=VALUE\nENV $N=named", "named"},
    {"FROM a\nENV VALUE=env\nARG VALUE=arg", "arg"},
    /* An image has what ENV said, which then counts again. */
    {"FROM a AS b\nENV VALUE=env\nARG VALUE=arg\nFROM b", "env"},
    {"FROM a AS b\nARG VALUE=arg\nFROM b", "arg"},
    {"FROM a AS b\nARG VALUE=arg\nFROM b\nARG VALUE", "arg"},
    {"FROM a AS b\nARG VALUE=arg\nFROM a", NULL},
    {"FROM a AS b\nONBUILD ARG VALUE=late\nFROM b", "late"},
    {"FROM a AS b\nONBUILD ARG VALUE=late\nFROM b AS c\nFROM c\nENV VALUE=[$VALUE]", "[late]"},
    {"FROM a\nENV VALUE=$TRIGGERED", "imaged"},
    {"FROM a AS b\nFROM b\nENV VALUE=$PATH", IMAGE_DEFAULT_PATH},
};

static void test_values(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        struct walked *w = walk(values[i].text, NULL, TRUE);
        const struct scope *s = scopes_target(&w->x, NULL);
        const char *got = vars_get((gpointer)&s->env, "VALUE");
        if (g_strcmp0(got, values[i].value) != 0 || diags_has_errors(w->diags))
            g_error("%s: %s", values[i].text, got ? got : "unset");
        walked_free(w);
    }
}

/* The labels of what the target "t" needs, in the order found. */
static const struct {
    const char *text, *needs;
} reaches[] = {
    {"FROM x AS a\nFROM x AS t", "t"},
    {"FROM x AS a\nFROM a AS T", "t a"},
    {"FROM x AS a\nFROM x AS b\nFROM a AS t\nCOPY --from=b / /\nCOPY --from=1 / /", "t a b"},
    {"FROM x AS a\nFROM x AS t\nRUN --mount=from=A true", "t a"},
    {"FROM x AS a\nFROM x AS t\nRUN --mount=type=tmpfs,from=a true", "t"},
    /* In a mount a number is an image's name. */
    {"FROM x AS a\nFROM x AS t\nRUN --mount=from=0 true", "t 0"},
    {"FROM x AS a\nFROM x AS t\nCOPY --from=img / /", "t img"},
    {"FROM x AS a\nFROM x AS b\nONBUILD COPY --from=a / /\nFROM b AS t", "t b a"},
    {"FROM x AS b\nFROM b AS b\nFROM b AS t", "t b b"},
};

static void test_reach(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(reaches); i++) {
        struct walked *w = walk(reaches[i].text, "t", TRUE);
        g_autoptr(GString) got = g_string_new(NULL);
        for (guint k = 0; k < w->order->len; k++)
            g_string_append_printf(got, "%s%s", k ? " " : "",
                                   ((struct scope *)g_ptr_array_index(w->order, k))->label);
        if (strcmp(got->str, reaches[i].needs) != 0)
            g_error("%s needs %s", reaches[i].text, got->str);
        walked_free(w);
    }
}

/* Stages have names, no numbers; of several of one name the last counts. */
static void test_target(void)
{
    struct walked *w = walk("FROM x AS a\nFROM x AS b\nFROM x AS a\nFROM x", NULL, TRUE);
    g_assert_cmpint(scopes_target(&w->x, "A")->index, ==, 2);
    g_assert_cmpint(scopes_target(&w->x, "A")->namesake->index, ==, 0);
    g_assert_cmpint(scopes_target(&w->x, "")->index, ==, 3);
    g_assert_null(scopes_target(&w->x, "1"));
    walked_free(w);
}

/* Without diags nothing is said, and what is wrong is empty. */
static void test_lenient(void)
{
    static const char text[] =
        "ARG G=${\nFROM a$G AS b\nENV A=${ B=b\nARG C=$\\{x} D=${A:?no}\nCOPY --from=$X / /\n"
        "COPY --from=9 / /\nFROM b AS t\nRUN --mount=from=later true\nFROM x AS later\n";
    struct walked *w = walk(text, "t", FALSE);
    struct vars *env = &scopes_target(&w->x, "t")->env;
    g_assert_cmpstr(((struct scope *)g_ptr_array_index(w->x.all, 0))->base_name, ==, "a");
    g_assert_cmpstr(vars_get(env, "A"), ==, "");
    g_assert_cmpstr(vars_get(env, "B"), ==, "b");
    g_assert_cmpstr(vars_get(env, "D"), ==, "");
    g_assert_false(diags_has_errors(w->diags));
    g_assert_cmpuint(w->order->len, ==, 3);
    walked_free(w);
}

/* Values that double with each line, and variables without end, are reported once. */
static void test_limits(void)
{
    g_autoptr(GString) text = g_string_new("FROM x\nENV A=0123456789012345\n");
    for (guint i = 0; i < 200; i++)
        g_string_append(text, i < 15 ? "ENV A=$A$A\n" : "ENV B=$A\n");
    struct walked *w = walk(text->str, NULL, TRUE);
    g_assert_cmpuint(w->diags->n_errors, ==, 1);
    g_assert_cmpuint(w->x.spent, >, SCOPES_MAX_BYTES);
    walked_free(w);
    g_string_assign(text, "FROM x\n");
    for (guint i = 0; i < SCOPE_MAX_VARIABLES + 5; i++)
        g_string_append_printf(text, "ARG A%u\n", i);
    w = walk(text->str, NULL, TRUE);
    g_assert_cmpuint(w->diags->n_errors, ==, 1);
    walked_free(w);
}

/* Stages that build upon one another, more than are looked through: all see what the first ones
 * set, in order and counted once. */
static void test_deep(void)
{
    g_autoptr(GString) text = g_string_new("FROM x AS s0\nARG FIRST=1 AGAIN=0\n");
    for (guint i = 1; i <= 3 * VARS_MAX_DEPTH; i++)
        g_string_append_printf(text, "FROM s%u AS s%u\nARG A%u=$FIRST AGAIN=%u\n", i - 1, i, i % 7,
                               i);
    struct walked *w = walk(text->str, NULL, TRUE);
    const struct scope *s = scopes_target(&w->x, NULL);
    g_autofree char *again = g_strdup_printf("%u", 3 * VARS_MAX_DEPTH);
    g_assert_cmpstr(vars_get((gpointer)&s->env, "FIRST"), ==, "1");
    g_assert_cmpstr(vars_get((gpointer)&s->env, "A3"), ==, "1");
    g_assert_cmpstr(vars_get((gpointer)&s->env, "AGAIN"), ==, again);
    g_assert_cmpuint(vars_count(&s->env), ==, 12); /* with PATH, FROMBASE and TRIGGERED */
    g_assert_cmpuint(s->args->len, ==, 10);
    struct vars all;
    vars_init(&all);
    vars_inherit(&all, &s->env);
    vars_set(&all, "FIRST", "last");
    vars_flatten(&all);
    g_assert_cmpuint(vars_count(&all), ==, 12);
    g_assert_cmpstr(g_ptr_array_index(all.pairs, all.pairs->len - 1), ==, "FIRST=last");
    vars_clear(&all);
    walked_free(w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scope/values", test_values);
    g_test_add_func("/scope/reach", test_reach);
    g_test_add_func("/scope/target", test_target);
    g_test_add_func("/scope/lenient", test_lenient);
    g_test_add_func("/scope/deep", test_deep);
    g_test_add_func("/scope/limits", test_limits);
    return g_test_run();
}
