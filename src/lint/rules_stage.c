/* Rules about FROM. */
#include "lint/linting.h"

#include "base/suggest.h"
#include "dockerfile/expand.h"
#include "text/reference.h"

#include <string.h>

/* The stage's name as it is written, which the tree has in lower case; NULL when it has none. */
static const char *written_name(const struct instruction *from)
{
    if (from->n_words != 3)
        return NULL;
    gsize len = strlen(from->words[2].text), rest = strlen(from->rest);
    return rest >= len ? from->rest + rest - len : NULL;
}

void rule_stage_name_casing(struct lint *l, struct lint_stage *s)
{
    const struct instruction *from = s->stage->from;
    const char *name = written_name(from);
    if (name && rule_casing(name) != CASING_LOWER)
        lint_add(l, from, from->words[2].span,
                 "the stage name \"%s\" should be in lower case: \"%s\"", name, s->stage->name);
}

void rule_from_as_casing(struct lint *l, struct lint_stage *s)
{
    const struct instruction *from = s->stage->from;
    if (from->n_words != 3)
        return;
    const char *as = from->words[1].text;
    enum casing right = rule_casing(from->keyword);
    if (right != CASING_MIXED && rule_casing(as) != right)
        lint_add(l, from, from->words[1].span, "\"%s\" and \"%s\" differ in case: write \"%s\"",
                 from->keyword, as, right == CASING_LOWER ? "as" : "AS");
}

void rule_duplicate_stage_name(struct lint *l, struct lint_stage *s)
{
    if (s->scope->namesake)
        lint_add(l, s->stage->from, s->stage->from->words[2].span,
                 "the stage name \"%s\" is also on line %u; the later one is used", s->stage->name,
                 s->scope->namesake->stage->from->first_line);
}

void rule_reserved_stage_name(struct lint *l, struct lint_stage *s)
{
    const char *name = s->stage->name;
    if (name && (strcmp(name, "context") == 0 || strcmp(name, "scratch") == 0))
        lint_add(l, s->stage->from, s->stage->from->words[2].span,
                 "\"%s\" is reserved and should not name a stage", name);
}

/* Names the nearest declared argument, too. */
static void report_undefined(struct lint *l, const struct stage *st, struct span at,
                             const char *name)
{
    g_autofree const char **known =
        (const char **)g_hash_table_get_keys_as_array(l->declared, NULL);
    const char *near = suggest_nearest(name, known, g_hash_table_size(l->declared));
    if (near)
        lint_add(l, st->from, at,
                 "FROM uses the argument %s, which is not declared; did you mean %s?", name, near);
    else
        lint_add(
            l, st->from, at,
            "FROM uses the argument %s, which is not declared: write ARG %s before the first FROM",
            name, name);
}

static void check_word(struct lint *l, const struct stage *st, const char *word, struct span at)
{
    g_autoptr(GHashTable) unset = expand_names_new();
    g_autofree char *value = lint_expand_global(&l->scopes, word, NULL, unset);
    GHashTableIter it;
    gpointer name;
    g_hash_table_iter_init(&it, unset);
    while (g_hash_table_iter_next(&it, &name, NULL))
        if (!g_hash_table_contains(l->declared, name))
            report_undefined(l, st, at, name);
}

static struct span platform_span(const struct stage *st)
{
    return instruction_flag(st->from, "platform")->span;
}

void rule_undefined_arg_in_from(struct lint *l, struct lint_stage *s)
{
    check_word(l, s->stage, s->stage->base->text, s->stage->base->span);
    if (s->stage->platform)
        check_word(l, s->stage, s->stage->platform, platform_span(s->stage));
}

void rule_invalid_default_arg(struct lint *l, struct lint_stage *s)
{
    const char *word = s->stage->base->text;
    g_autofree char *value = lint_expand_global(&l->defaults, word, NULL, NULL);
    if (!strchr(word, '$') || !value)
        return;
    g_autoptr(reference) ref = reference_parse(value, NULL);
    if (!ref)
        lint_add(
            l, s->stage->from, s->stage->base->span,
            "without build arguments %s is \"%s\", which names no image: give the ARG a default",
            word, value);
}

/* The one argument that text consists of; newly allocated, or NULL. */
static char *only_argument(struct lint *l, const char *text, char **value)
{
    g_autoptr(GHashTable) used = expand_names_new();
    *value = lint_expand_global(&l->scopes, text, used, NULL);
    GHashTableIter it;
    gpointer name;
    g_hash_table_iter_init(&it, used);
    if (g_hash_table_size(used) != 1 || !g_hash_table_iter_next(&it, &name, NULL))
        return NULL;
    return g_strdup(name);
}

void rule_redundant_platform(struct lint *l, struct lint_stage *s)
{
    if (!s->stage->platform)
        return;
    g_autofree char *value = NULL, *name = only_argument(l, s->stage->platform, &value);
    if (name && strcmp(name, "TARGETPLATFORM") == 0 &&
        g_strcmp0(value, vars_get(&l->scopes.globals, "TARGETPLATFORM")) == 0)
        lint_add(l, s->stage->from, platform_span(s->stage),
                 "--platform=%s is FROM's default: leave it out", s->stage->platform);
}

void rule_const_platform(struct lint *l, struct lint_stage *s)
{
    const char *text = s->stage->platform, *name = s->stage->name ? s->stage->name : "";
    struct platform p;
    if (!text || strchr(text, '$') || !platform_parse(&p, text, NULL) || strstr(name, p.os) ||
        strstr(name, p.arch))
        return;
    lint_add(l, s->stage->from, platform_span(s->stage),
             "--platform=%s makes the stage the same for every target; if you mean that, name the "
             "platform in the stage's name, else use $BUILDPLATFORM or leave it out",
             text);
}

/* As BuildKit compares them: variants may differ. */
void rule_base_platform(struct lint *l, struct lint_stage *s)
{
    const char *said = s->stage->platform, *text = said && *said ? said : NULL;
    g_autofree char *value = text ? lint_expand_global(&l->scopes, text, NULL, NULL) : NULL;
    struct platform want = l->o->platform;
    if (!s->conf || (text && !(value && platform_parse(&want, value, NULL))))
        return;
    const struct platform *have = &s->conf->platform;
    if (strcmp(want.os, have->os) == 0 && strcmp(want.arch, have->arch) == 0)
        return;
    g_autofree char *expected = platform_text(&want), *got = platform_text(have);
    lint_add(l, s->stage->from, s->stage->base->span,
             "the image is for %s, and the stage for %s: choose an image for %s, or say "
             "--platform=%s",
             got, expected, expected, got);
}

/* The last line above ins that is no "check=…", or NULL. */
static const char *last_comment(const struct instruction *ins)
{
    for (guint i = ins->n_comments; i-- > 0;)
        if (!g_str_has_prefix(ins->comments[i], "check="))
            return ins->comments[i];
    return NULL;
}

/* The last comment above what ins defines should begin with one of its n names. */
static void check_description(struct lint *l, const struct instruction *ins,
                              const char *const *names, guint n)
{
    const char *last = last_comment(ins);
    if (!last || n == 0)
        return;
    g_autofree char *word = g_strndup(last, strcspn(last, " "));
    for (guint i = 0; i < n; i++)
        if (strcmp(word, names[i]) == 0)
            return;
    lint_add(l, ins, ins->span,
             "the comment above %s describes it if it starts with its name: \"# %s …\"; otherwise "
             "put a line with only # between them",
             ins->kind == INSTRUCTION_FROM ? "a stage" : "an argument", names[0]);
}

void rule_stage_description(struct lint *l, struct lint_stage *s)
{
    check_description(l, s->stage->from, &s->stage->name, s->stage->name ? 1 : 0);
}

void rule_arg_description(struct lint *l)
{
    for (guint i = 0; i < l->df->n_instructions; i++) {
        const struct instruction *ins = l->df->instructions[i];
        if (ins->kind != INSTRUCTION_ARG)
            continue;
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        for (guint k = 0; k < ins->n_pairs; k++)
            g_ptr_array_add(names, (gpointer)ins->pairs[k].key);
        check_description(l, ins, (const char *const *)names->pdata, names->len);
    }
}
