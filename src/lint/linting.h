/* What the files of a run of the checks share; internal to lint/. Stages are walked in order, and
 * in each its instructions. A rule is a row of lint_rules with up to three functions. */
#ifndef VARVE_LINT_LINTING_H
#define VARVE_LINT_LINTING_H

#include "dockerfile/reach.h"
#include "graph/imageconf.h"
#include "lint/lint.h"

#define LINT_MAX_VALUE 4096 /* bytes of a variable's value; longer ones count as empty */

/* A stage as its instructions are walked: what holds just before one. */
struct lint_stage {
    struct scope *scope; /* its names and variables */
    const struct stage *stage;
    const struct image_conf *conf; /* of the image it starts from, or NULL */
    gboolean open;                 /* not all is known of its variables: any may be set */
    gboolean has_shell;            /* SHELL was used */
    gboolean has_workdir;          /* WORKDIR was used */
    const struct instruction *last[INSTRUCTION_UNKNOWN]; /* by kind: the last one so far, or NULL */
};

struct lint {
    const struct dockerfile *df;         /* what is checked */
    const struct lint_options *o;        /* lint_run()'s */
    struct arena *arena;                 /* of parsed comments */
    const struct check_directive *check; /* or NULL */
    const struct lint_rule *rule;        /* at work */
    struct scopes scopes;                /* of all stages */
    struct scopes defaults;              /* only the globals, without build arguments */
    GHashTable *declared;                /* char* set: names of automatic and global ARGs */
    GPtrArray *stages;                   /* struct lint_stage*: those so far */
    gboolean *left_out;                  /* by stage: its instructions are not looked at */
    struct lint_report *report;
};

struct lint_rule {
    const char *name;                                    /* as in check=skip= */
    const char *summary;                                 /* what it asks for */
    gboolean experimental;                               /* only when asked for */
    void (*file)(struct lint *l);                        /* called once, or NULL */
    void (*stage)(struct lint *l, struct lint_stage *s); /* called for each stage, or NULL */
    /* of stages that are not left out */
    void (*instruction)(struct lint *l, struct lint_stage *s, const struct instruction *ins);
};
extern const struct lint_rule lint_rules[]; /* ends with a NULL name */

/* Adds a finding of the rule at work about ins, unless it is silenced there. */
void lint_add(struct lint *l, const struct instruction *ins, struct span at, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

/* walk.c */
/* Makes the scopes of l (df and o are set), with names. */
void lint_scopes_init(struct lint *l);
void lint_scopes_clear(struct lint *l);
/* struct scope*: the target (NULL: all stages), then what it needs, a stage's base before its
 * sources. Triggers of those are known afterwards. */
GPtrArray *lint_needed(struct lint *l, struct scope *target);
/* The next stage, with what it starts from applied; owned by l->stages. Its commands are to be
 * applied one after the other. */
struct lint_stage *lint_stage_begin(struct lint *l, const struct stage *st);
/* What s->scope->commands[i] changes for those after it. The result says what an ARG, ENV or LABEL
 * says (scope_take_pairs()), or is NULL. */
GPtrArray *lint_stage_apply(struct lint *l, struct lint_stage *s, guint i);
/* The word with substitutions made; names that were not found go to unset (may be NULL). NULL:
 * malformed or too long. */
char *lint_expand(const struct lint *l, const struct lint_stage *s, const char *word,
                  GHashTable *unset);
/* Likewise with the globals of x: l->scopes or l->defaults. */
char *lint_expand_global(const struct scopes *x, const char *word, GHashTable *used,
                         GHashTable *unset);

/* The rules' functions, and what they share. rules.c: */
enum casing { CASING_LOWER, CASING_UPPER, CASING_MIXED };
/* The casing of a word; one without letters is lower case. */
enum casing rule_casing(const char *word);
/* rules_stage.c: */
void rule_stage_name_casing(struct lint *l, struct lint_stage *s);
void rule_from_as_casing(struct lint *l, struct lint_stage *s);
void rule_duplicate_stage_name(struct lint *l, struct lint_stage *s);
void rule_reserved_stage_name(struct lint *l, struct lint_stage *s);
void rule_undefined_arg_in_from(struct lint *l, struct lint_stage *s);
void rule_invalid_default_arg(struct lint *l, struct lint_stage *s);
void rule_redundant_platform(struct lint *l, struct lint_stage *s);
void rule_const_platform(struct lint *l, struct lint_stage *s);
void rule_base_platform(struct lint *l, struct lint_stage *s);
void rule_stage_description(struct lint *l, struct lint_stage *s);
void rule_arg_description(struct lint *l);
/* rules_vars.c: */
void rule_undefined_var(struct lint *l, struct lint_stage *s, const struct instruction *ins);
void rule_url_password(struct lint *l, struct lint_stage *s, const struct instruction *ins);
void rule_secrets(struct lint *l, struct lint_stage *s, const struct instruction *ins);

#endif
