/* Rules about variables. */
#include "lint/linting.h"

#include "base/suggest.h"
#include "dockerfile/expand.h"

#include <string.h>

/* The name of a variable here that was probably meant; or NULL. Borrowed. */
static const char *near_variable(const struct lint_stage *s, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct vars *v = &s->scope->env; v; v = v->base) {
        GHashTableIter it;
        gpointer known;
        g_hash_table_iter_init(&it, v->index);
        while (names->len < 1000 && g_hash_table_iter_next(&it, &known, NULL))
            g_ptr_array_add(names, known);
    }
    return suggest_nearest(name, (const char *const *)names->pdata, names->len);
}

/* What steers BuildKit's scan for an SBOM, which it never calls undefined. */
static gboolean steers_scan(const char *name)
{
    return g_str_has_prefix(name, "BUILDKIT_SBOM_SCAN");
}

static void report_variable(struct lint *l, struct lint_stage *s, const struct instruction *ins,
                            struct span at, const char *name)
{
    if (g_hash_table_contains(s->scope->declared, name) || steers_scan(name))
        return;
    const char *near = near_variable(s, name);
    if (near)
        lint_add(l, ins, at, "the variable $%s is not set; did you mean $%s?", name, near);
    else
        lint_add(l, ins, at,
                 "the variable $%s is not set: declare it with ARG or ENV, or write ${%s-} when it "
                 "may be unset",
                 name, name);
}

static void check_word(struct lint *l, struct lint_stage *s, const struct instruction *ins,
                       const char *word, struct span at)
{
    if (!word || !strchr(word, '$'))
        return;
    g_autoptr(GHashTable) unset = expand_names_new();
    g_autofree char *value = lint_expand(l, s, word, unset);
    GHashTableIter it;
    gpointer name;
    g_hash_table_iter_init(&it, unset);
    while (g_hash_table_iter_next(&it, &name, NULL))
        report_variable(l, s, ins, at, name);
}

/* The contents that COPY and ADD write have no quotes. */
static void check_heredoc(struct lint *l, struct lint_stage *s, const struct instruction *ins,
                          const struct heredoc *h)
{
    if (!h->expand || !strchr(h->content, '$'))
        return;
    g_autoptr(GHashTable) unset = expand_names_new();
    struct expand x = {.lookup = vars_get,
                       .ctx = &s->scope->env,
                       .escape = '\\',
                       .ignore_quotes = TRUE,
                       .max = EXPAND_MAX_TEXT,
                       .unset = unset};
    g_autofree char *text = expand_word(&x, h->content, NULL);
    GHashTableIter it;
    gpointer name;
    g_hash_table_iter_init(&it, unset);
    while (g_hash_table_iter_next(&it, &name, NULL))
        report_variable(l, s, ins, h->span, name);
}

static void check_flags(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    static const char *const expanded[] = {"chown", "chmod", "checksum", "exclude", "mount", NULL};
    for (guint i = 0; i < ins->n_flags; i++)
        if (g_strv_contains(expanded, ins->flags[i].name))
            check_word(l, s, ins, ins->flags[i].value, ins->flags[i].span);
}

static void check_words(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    for (guint i = 0; i < ins->n_words; i++) {
        if (ins->words[i].heredoc)
            check_heredoc(l, s, ins, ins->words[i].heredoc);
        else
            check_word(l, s, ins, ins->words[i].text, ins->words[i].span);
    }
}

static void check_pairs(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    for (guint i = 0; i < ins->n_pairs; i++) {
        check_word(l, s, ins, ins->pairs[i].key, ins->pairs[i].span);
        check_word(l, s, ins, ins->pairs[i].value, ins->pairs[i].span);
    }
}

void rule_undefined_var(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    if (s->open)
        return;
    check_flags(l, s, ins);
    switch (ins->kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_VOLUME:
    case INSTRUCTION_WORKDIR:
        check_words(l, s, ins);
        break;
    case INSTRUCTION_ARG:
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        check_pairs(l, s, ins);
        break;
    default: /* what others hold is for the shell, or taken as it is; EXPOSE as in BuildKit */
        break;
    }
}

/* Words between underscores that name what must stay secret, as BuildKit has them. */
static gboolean looks_secret(const char *name)
{
    static const char *const words[] = {"apikey", "auth",     "credential", "credentials",
                                        "key",    "password", "pword",      "passwd",
                                        "secret", "token",    NULL};
    static const char *const harmless[] = {"public", "file", "version", NULL};
    g_autofree char *lower = g_ascii_strdown(name, -1);
    g_auto(GStrv) parts = g_strsplit(lower, "_", 100);
    gboolean secret = FALSE;
    for (char **p = parts; *p; p++) {
        if (g_strv_contains(harmless, *p))
            return FALSE;
        secret |= g_strv_contains(words, *p);
    }
    return secret;
}

void rule_secrets(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    if (ins->kind != INSTRUCTION_ARG && ins->kind != INSTRUCTION_ENV)
        return;
    for (guint i = 0; i < ins->n_pairs; i++)
        if (looks_secret(ins->pairs[i].key))
            lint_add(l, ins, ins->pairs[i].span,
                     "%s %s looks like a secret, and what %s holds stays in the image: use RUN "
                     "--mount=type=secret",
                     instruction_name(ins->kind), ins->pairs[i].key, instruction_name(ins->kind));
}

/* Whether the user information of a URL holds a password. */
static gboolean has_password(const char *url)
{
    const char *start = strstr(url, "://");
    if (!start)
        return FALSE;
    start += strlen("://");
    gsize len = strcspn(start, "/?#");
    const char *at = g_strrstr_len(start, len, "@"), *colon = memchr(start, ':', len);
    return at && colon && colon + 1 < at;
}

void rule_url_password(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    for (guint i = 0; ins->kind == INSTRUCTION_ADD && i + 1 < ins->n_words; i++) {
        const struct word *w = &ins->words[i];
        g_autofree char *text = w->heredoc ? NULL : lint_expand(l, s, w->text, NULL);
        if (text && has_password(text))
            lint_add(l, ins, w->span,
                     "the password in this URL stays in the image's history: give it with --secret "
                     "as HTTP_AUTH_TOKEN_<host> or HTTP_AUTH_HEADER_<host> (of a repository: "
                     "GIT_AUTH_TOKEN.<host>)");
    }
}
