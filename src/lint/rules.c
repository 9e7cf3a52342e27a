/* The table, and rules about single instructions. */
#include "lint/linting.h"

#include "base/path.h"
#include "lint/jsonform.h"
#include "text/pattern.h"

#include <string.h>

enum casing rule_casing(const char *word)
{
    gboolean lower = TRUE, upper = TRUE;
    for (; *word; word++) {
        lower = lower && !g_ascii_isupper(*word);
        upper = upper && !g_ascii_islower(*word);
    }
    return lower ? CASING_LOWER : upper ? CASING_UPPER : CASING_MIXED;
}

/* ARGs before the first FROM are not counted. */
static gboolean votes(const struct dockerfile *df, guint i)
{
    return df->n_stages && df->instructions[i]->first_line >= df->stages[0].from->first_line;
}

static void rule_consistent_casing(struct lint *l)
{
    guint count[CASING_MIXED + 1] = {0};
    for (guint i = 0; i < l->df->n_instructions; i++)
        if (votes(l->df, i))
            count[rule_casing(l->df->instructions[i]->keyword)]++;
    enum casing right = count[CASING_LOWER] > count[CASING_UPPER] ? CASING_LOWER : CASING_UPPER;
    for (guint i = 0; i < l->df->n_instructions; i++) {
        const struct instruction *ins = l->df->instructions[i];
        if (!votes(l->df, i) || rule_casing(ins->keyword) == right)
            continue;
        gboolean lower = right == CASING_LOWER;
        g_autofree char *better =
            lower ? g_ascii_strdown(ins->keyword, -1) : g_ascii_strup(ins->keyword, -1);
        lint_add(l, ins, ins->span, "most keywords of this file are in %s case: write \"%s\"",
                 lower ? "lower" : "upper", better);
    }
}

static void rule_empty_continuation(struct lint *l)
{
    for (guint i = 0; i < l->df->n_instructions; i++) {
        const struct instruction *ins = l->df->instructions[i];
        guint end = ins->n_heredocs ? ins->segments[ins->n_segments - 1].line : ins->last_line;
        if (ins->blank_line) /* the place is BuildKit's: where the instruction's text ends */
            lint_add(l, ins, (struct span){end, 0, 0},
                     "line %u is empty inside this instruction: remove it, or write # in it",
                     ins->blank_line);
    }
}

static void rule_json_args(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    gboolean command = ins->kind == INSTRUCTION_CMD || ins->kind == INSTRUCTION_ENTRYPOINT;
    if (command && !ins->json && !s->has_shell)
        lint_add(l, ins, ins->span,
                 "signals reach a shell instead of this %s: write %s [\"program\", \"argument\"]",
                 instruction_name(ins->kind), instruction_name(ins->kind));
}

/* A rule of our own: BuildKit's runs it, and says what the shell says. */
static void rule_json_form(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    g_autofree char *better = jsonform_fix(ins);
    if (better)
        lint_add(l, ins, ins->span, "this is not JSON (%s) and taken as plain words: write %s %s",
                 jsonform_fault(ins), instruction_name(ins->kind), better);
}

static void rule_maintainer(struct lint *l)
{
    for (guint i = 0; i < l->df->n_instructions; i++) {
        const struct instruction *ins = l->df->instructions[i];
        if (ins->kind == INSTRUCTION_MAINTAINER)
            lint_add(
                l, ins, ins->span,
                "MAINTAINER is deprecated: write LABEL org.opencontainers.image.authors=\"…\"");
    }
}

static void rule_workdir(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    if (ins->kind != INSTRUCTION_WORKDIR || s->has_workdir || ins->n_words == 0)
        return;
    g_autofree char *path = lint_expand(l, s, ins->words[0].text, NULL);
    if (path && *path != '/' && !(s->open && *ins->words[0].text == '$'))
        lint_add(l, ins, ins->words[0].span,
                 "where WORKDIR %s leads depends on the base image: start with an absolute path",
                 *path ? path : ins->words[0].text);
}

/* What is lost is the earlier one. */
static void rule_multiple(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    if (ins->kind != INSTRUCTION_CMD && ins->kind != INSTRUCTION_ENTRYPOINT &&
        ins->kind != INSTRUCTION_HEALTHCHECK)
        return;
    const struct instruction *earlier = s->last[ins->kind];
    if (earlier)
        lint_add(l, earlier, earlier->span,
                 "%s is replaced by the one on line %u of the same stage: remove one",
                 instruction_name(ins->kind), ins->first_line);
}

static void rule_legacy_pair(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    if (ins->legacy && ins->n_pairs)
        lint_add(l, ins, ins->span, "the form without '=' is deprecated: write %s %s=…",
                 instruction_name(ins->kind), ins->pairs[0].key);
}

static void rule_expose_casing(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    for (guint i = 0; ins->kind == INSTRUCTION_EXPOSE && i < ins->n_words; i++) {
        g_autofree char *port = lint_expand(l, s, ins->words[i].text, NULL);
        const char *slash = port ? strchr(port, '/') : NULL;
        g_autofree char *lower = slash ? g_ascii_strdown(slash + 1, -1) : NULL;
        if (slash && strcmp(slash + 1, lower) != 0)
            lint_add(l, ins, ins->words[i].span,
                     "the protocol \"%s\" should be in lower case: \"%s\"", slash + 1, lower);
    }
}

static void rule_expose_format(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    for (guint i = 0; ins->kind == INSTRUCTION_EXPOSE && i < ins->n_words; i++) {
        g_autofree char *port = lint_expand(l, s, ins->words[i].text, NULL);
        const char *last = port ? strrchr(port, ':') : NULL;
        if (last)
            lint_add(l, ins, ins->words[i].span,
                     "EXPOSE takes ports of the container only, not addresses and ports of the "
                     "host: \"%s\" means %s",
                     port, last + 1);
    }
}

/* TRUE when no file of the context is left. */
static gboolean ignores_all(const struct ignore *ig)
{
    static const char *const everything[] = {"*", "**", "**/*", NULL};
    gboolean all = FALSE;
    for (const char *const *p = ignore_patterns(ig); *p; p++) {
        if (**p == '!')
            return FALSE;
        all |= g_strv_contains(everything, *p);
    }
    return all;
}

/* TRUE when nothing at or below path is in the context; with exceptions nothing can be said about
 * wildcards. */
static gboolean is_left_out(const struct ignore *ig, const char *path)
{
    if (!pattern_has_wildcards(path))
        return ignore_can_skip_dir(ig, path);
    for (const char *const *p = ignore_patterns(ig); *p; p++)
        if (**p == '!')
            return FALSE;
    return ignore_match(ig, path);
}

static void check_source(struct lint *l, struct lint_stage *s, const struct instruction *ins,
                         const struct word *w)
{
    g_autofree char *text = lint_expand(l, s, w->text, NULL);
    if (!text || strstr(text, "://") || g_str_has_prefix(text, "git@"))
        return;
    g_autofree char *clean = path_clean(text);
    const char *path = clean + strspn(clean, "/");
    gboolean root = !*path || strcmp(path, ".") == 0;
    if (root ? ignores_all(l->o->ignore) : is_left_out(l->o->ignore, path))
        lint_add(l, ins, w->span,
                 "%s is left out of the context by the ignore file: there is nothing to copy",
                 root ? "." : path);
}

static void rule_ignored_file(struct lint *l, struct lint_stage *s, const struct instruction *ins)
{
    gboolean copies = (ins->kind == INSTRUCTION_COPY && !instruction_flag(ins, "from")) ||
                      ins->kind == INSTRUCTION_ADD;
    if (!copies || !l->o->ignore)
        return;
    for (guint i = 0; i + 1 < ins->n_words; i++)
        if (!ins->words[i].heredoc)
            check_source(l, s, ins, &ins->words[i]);
}

/* The names are BuildKit's: files say them in check=skip=…. */
const struct lint_rule lint_rules[] = {
    {"StageNameCasing", "stage names are in lower case", FALSE, NULL, rule_stage_name_casing, NULL},
    {"FromAsCasing", "\"as\" has the case of \"from\"", FALSE, NULL, rule_from_as_casing, NULL},
    {"NoEmptyContinuation", "no empty lines inside an instruction", FALSE, rule_empty_continuation,
     NULL, NULL},
    {"ConsistentInstructionCasing", "keywords are all in upper or all in lower case", FALSE,
     rule_consistent_casing, NULL, NULL},
    {"DuplicateStageName", "each stage has a name of its own", FALSE, NULL,
     rule_duplicate_stage_name, NULL},
    {"ReservedStageName", "no stage is called scratch or context", FALSE, NULL,
     rule_reserved_stage_name, NULL},
    {"JSONArgsRecommended", "CMD and ENTRYPOINT in JSON form get signals", FALSE, NULL, NULL,
     rule_json_args},
    {"JSONFormMalformed", "arrays are JSON, with double quotes", FALSE, NULL, NULL, rule_json_form},
    {"MaintainerDeprecated", "a label instead of MAINTAINER", FALSE, rule_maintainer, NULL, NULL},
    {"UndefinedArgInFrom", "FROM uses declared arguments", FALSE, NULL, rule_undefined_arg_in_from,
     NULL},
    {"WorkdirRelativePath", "the first WORKDIR is absolute", FALSE, NULL, NULL, rule_workdir},
    {"UndefinedVar", "variables are declared before they are used", FALSE, NULL, NULL,
     rule_undefined_var},
    {"MultipleInstructionsDisallowed", "one CMD, ENTRYPOINT and HEALTHCHECK in a stage", FALSE,
     NULL, NULL, rule_multiple},
    {"LegacyKeyValueFormat", "ENV and LABEL with '='", FALSE, NULL, NULL, rule_legacy_pair},
    {"InvalidBaseImagePlatform", "base images are for the stage's platform", FALSE, NULL,
     rule_base_platform, NULL},
    {"RedundantTargetPlatform", "no FROM --platform=$TARGETPLATFORM", FALSE, NULL,
     rule_redundant_platform, NULL},
    {"SecretsUsedInArgOrEnv", "no secrets in ARG and ENV", FALSE, NULL, NULL, rule_secrets},
    {"SecretsUsedInURL", "no passwords in URLs of ADD", FALSE, NULL, NULL, rule_url_password},
    {"InvalidDefaultArgInFrom", "FROM names an image without build arguments, too", FALSE, NULL,
     rule_invalid_default_arg, NULL},
    {"FromPlatformFlagConstDisallowed", "FROM --platform is a variable", FALSE, NULL,
     rule_const_platform, NULL},
    {"CopyIgnoredFile", "COPY and ADD name files that are not ignored", FALSE, NULL, NULL,
     rule_ignored_file},
    {"ExposeProtoCasing", "protocols of EXPOSE are in lower case", FALSE, NULL, NULL,
     rule_expose_casing},
    {"ExposeInvalidFormat", "EXPOSE holds neither addresses nor ports of the host", FALSE, NULL,
     NULL, rule_expose_format},
    {"InvalidDefinitionDescription", "comments above stages and arguments describe them", TRUE,
     rule_arg_description, rule_stage_description, NULL},
    {0},
};
