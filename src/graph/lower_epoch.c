/* SOURCE_DATE_EPOCH: a number of seconds, or the name of what has a time of its own: "context", a
 * named context, or a stage that is nothing but one ADD of a URL or a repository on scratch. */
#include "graph/lowering.h"

#include "base/error.h"

#include <string.h>

#define NAME "SOURCE_DATE_EPOCH"
#define LATEST (G_MAXINT64 / 1000000000) /* in 2262: still fits as nanoseconds */

/* The ARG that it was written in; nowhere when it came from outside of the file. */
static struct span epoch_place(const struct lowering *lw)
{
    struct span at = {0};
    for (guint i = 0; !lower_build_arg(lw, NAME) && i < lw->df->n_meta_args; i++) {
        const struct instruction *ins = lw->df->meta_args[i];
        for (guint k = 0; k < ins->n_pairs; k++)
            if (strcmp(ins->pairs[k].key, NAME) == 0)
                at = ins->pairs[k].span;
    }
    return at;
}

/* An invalid value: an error on the command line, or in the file. */
static gboolean refuse(struct lowering *lw, struct span at, const char *value)
{
    static const char next[] = "it is a number of seconds since 1970 (until 2262), \"context\", or "
                               "the name of a context or a stage";
    if (lower_build_arg(lw, NAME)) {
        error_set(lw->err, VARVE_ERROR_USAGE, "invalid " NAME ": %s", value);
        error_add_next(lw->err, next);
    } else {
        diags_error(lw->diags, at, "invalid " NAME ": %s", value);
        diags_hint(lw->diags, next);
    }
    return FALSE;
}

static gboolean refuse_stage(struct lowering *lw, const struct scope *s, struct span at)
{
    diags_error(lw->diags, at, "the stage \"%s\" has no time of its own for " NAME, s->label);
    diags_hint(lw->diags, "it must be FROM scratch with one ADD of one http(s) or git URL, and "
                          "contain nothing else but ARGs");
    return FALSE;
}

/* What the ADD gets, as lower_copy() has it. */
static gboolean read_add(struct lowering *lw, const struct scope *s, struct vars *env,
                         const struct instruction *ins, struct source_op *out)
{
    if (ins->n_words != 2 || ins->words[0].heredoc)
        return refuse_stage(lw, s, ins->span);
    const struct word *w = &ins->words[0];
    g_autoptr(giturl) git = NULL;
    g_autoptr(GError) err = NULL;
    g_autofree char *text = scopes_expand(&lw->scopes, env, w->text, w->span);
    g_autofree char *sum =
        scopes_expand(&lw->scopes, env, instruction_flag_value(ins, "checksum"), ins->span);
    if (!text || !sum)
        return FALSE;
    const char *checksum = *sum ? sum : NULL;
    struct digest digest;
    switch (lower_remote_kind(ins, text, &git, &err)) {
    case REMOTE_BAD:
        diags_gerror(lw->diags, w->span, err);
        return FALSE;
    case REMOTE_GIT:
        *out = lower_git_source(lw, git, checksum, instruction_flag_on(ins, "keep-git-dir"));
        return TRUE;
    case REMOTE_HTTP:
        if (checksum && !digest_parse(&digest, checksum, &err)) {
            diags_gerror(lw->diags, ins->span, err);
            return FALSE;
        }
        *out = lower_http_source(lw, text, checksum ? &digest : NULL);
        return TRUE;
    case REMOTE_NONE:
        break;
    }
    return refuse_stage(lw, s, w->span);
}

static gboolean take_arg(struct lowering *lw, struct vars *env, const struct pair *pair)
{
    g_autofree char *value = NULL;
    return scopes_take_arg(&lw->scopes, env, FALSE, pair, pair->span, &value);
}

/* The stage itself is not lowered for this: its variables are those that its ADD sees. */
static gboolean read_stage(struct lowering *lw, const struct scope *s, struct source_op *out)
{
    gboolean ok = strcmp(s->base_name, "scratch") == 0 || refuse_stage(lw, s, s->place);
    gboolean found = FALSE;
    struct vars env;
    vars_init(&env);
    vars_copy(&env, &lw->scopes.globals);
    for (guint i = 0; ok && i < s->stage->n_instructions; i++) {
        const struct instruction *ins = s->stage->instructions[i];
        for (guint k = 0; ok && ins->kind == INSTRUCTION_ARG && k < ins->n_pairs; k++)
            ok = take_arg(lw, &env, &ins->pairs[k]);
        if (ins->kind == INSTRUCTION_ARG)
            continue;
        ok = ins->kind == INSTRUCTION_ADD && !found ? read_add(lw, s, &env, ins, out)
                                                    : refuse_stage(lw, s, ins->span);
        found = TRUE;
    }
    vars_clear(&env);
    return ok && (found || refuse_stage(lw, s, s->place));
}

/* What name stands for; *known is FALSE where it has no time: a directory, an image. */
static gboolean find_source(struct lowering *lw, const char *name, struct span at,
                            struct source_op *out, gboolean *known)
{
    g_autoptr(GError) err = NULL;
    *known = TRUE;
    if (strcmp(name, "context") == 0) {
        *known = lw->o->context_source != NULL;
        if (*known)
            *out = *lw->o->context_source;
        return TRUE;
    }
    const struct named_context *c = named_context_find(lw->o->contexts, name, &lw->o->platform);
    if (c) {
        *known = named_context_is_remote(c);
        if (!*known || lower_context_source(lw, c, out, &err))
            return TRUE;
        diags_gerror(lw->diags, at, err);
        return FALSE;
    }
    const struct scope *s = scopes_target(&lw->scopes, name);
    return s ? read_stage(lw, s, out) : refuse(lw, at, name);
}

static gboolean ask_time(struct lowering *lw, const struct source_op *op, struct span at)
{
    struct image_resolver *r = lw->o->resolver;
    GError *err = NULL;
    if (r->time_of(r, op, &lw->epoch, &err))
        return TRUE;
    if (g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED)) {
        g_propagate_error(lw->err, err);
        return FALSE;
    }
    diags_gerror(lw->diags, at, err);
    g_error_free(err);
    return FALSE;
}

/* FALSE if text is not a number; one that is too large stays out of range. */
static gboolean read_number(const char *text, gint64 *out)
{
    char *end;
    *out = g_ascii_strtoll(text, &end, 10);
    return end != text && !*end;
}

gboolean lower_epoch(struct lowering *lw)
{
    const char *given = lower_build_arg(lw, NAME);
    g_autofree char *value = g_strdup(given ? given : vars_get(&lw->scopes.globals, NAME));
    struct span at = epoch_place(lw);
    struct source_op op;
    gboolean known;
    if (!value || !*value)
        return TRUE;
    if (read_number(value, &lw->epoch))
        return (lw->epoch >= 0 && lw->epoch <= LATEST) || refuse(lw, at, value);
    lw->epoch = -1;
    vars_set(&lw->scopes.globals, NAME, ""); /* a stage that tells it cannot itself depend on it */
    if (!find_source(lw, value, at, &op, &known) || (known && !ask_time(lw, &op, at)))
        return FALSE;
    lw->epoch_text =
        lw->epoch >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT, lw->epoch) : g_strdup("");
    lw->scopes.epoch = lw->epoch_text;
    vars_set(&lw->scopes.globals, NAME, lw->epoch_text);
    return TRUE;
}
