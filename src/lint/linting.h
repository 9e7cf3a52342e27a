/* What the files of a run of the checks share; internal to lint/. Stages are walked in order, and
 * in each its instructions; a scope says what holds just before one. A rule is a row of lint_rules
 * with up to three functions. */
#ifndef VARVE_LINT_LINTING_H
#define VARVE_LINT_LINTING_H

#include "graph/imageconf.h"
#include "lint/lint.h"

#define SCOPE_MAX_DEPTH 100  /* stages that are looked through for a variable */
#define SCOPE_MAX_VALUE 4096 /* bytes of a variable's value; longer ones count as empty */
#define SCOPE_MAX_VARIABLES 10000

struct scope {
    const struct stage *stage;
    const struct scope *base;      /* of the stage it starts from; NULL: an image or scratch */
    const struct scope *namesake;  /* the latest earlier stage of the same name, or NULL */
    const struct image_conf *conf; /* of the image it starts from, or NULL */
    gboolean open;                 /* nothing is known of the image: any variable may be set */
    GHashTable *vars;              /* char* → char*: ENV, and ARG with a value */
    GHashTable *args;              /* char* set: declared by ARG */
    gboolean has_shell;            /* SHELL was used */
    gboolean has_workdir;          /* WORKDIR was used */
    const struct instruction *last[INSTRUCTION_UNKNOWN]; /* by kind: the last one so far, or NULL */
};

struct lint {
    const struct dockerfile *df;
    const struct lint_options *o;
    struct arena *arena;                 /* of parsed comments */
    const struct check_directive *check; /* or NULL */
    const struct lint_rule *rule;        /* at work */
    GHashTable *globals;                 /* char* → char*: what FROM sees */
    GHashTable *defaults;                /* the same without build arguments */
    GHashTable *declared;                /* char* set: names of automatic and global ARGs */
    GPtrArray *scopes;                   /* struct scope*: of the stages so far */
    GHashTable *by_name;                 /* char* → struct scope*: the latest of each name */
    gboolean *left_out;                  /* by stage: its instructions are not looked at */
    struct lint_report *report;
};

struct lint_rule {
    const char *name;
    const char *summary;   /* what it asks for */
    gboolean experimental; /* only when asked for */
    void (*file)(struct lint *l);
    void (*stage)(struct lint *l, struct scope *s);
    /* of stages that are not left out */
    void (*instruction)(struct lint *l, struct scope *s, const struct instruction *ins);
};
extern const struct lint_rule lint_rules[]; /* ends with a NULL name */

/* Adds a finding of the rule at work about ins, unless it is silenced there. */
void lint_add(struct lint *l, const struct instruction *ins, struct span at, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

/* scope.c */
/* Makes l's tables (df and o are set) and fills those of the globals. */
void scope_init(struct lint *l);
void scope_clear(struct lint *l);
/* The next stage; owned by l->scopes. */
struct scope *scope_begin(struct lint *l, const struct stage *st);
/* What ins changes for those after it. */
void scope_apply(struct lint *l, struct scope *s, const struct instruction *ins);
/* expand_lookup_fn with a struct scope. */
const char *scope_lookup(gpointer scope, const char *name);
gboolean scope_declares(const struct scope *s, const char *name);
/* The word with substitutions made; names that were not found go to unset (may be NULL). NULL:
 * malformed or too long. */
char *scope_expand(const struct lint *l, struct scope *s, const char *word, GHashTable *unset);
/* Likewise with a table of variables: l->globals or l->defaults. */
char *scope_expand_global(const struct lint *l, GHashTable *vars, const char *word,
                          GHashTable *used, GHashTable *unset);
/* reach.c; both need a scope of every stage in l. */
/* The stage of that name or number, the last one for NULL and ""; NULL: there is none. */
const struct stage *reach_target(const struct lint *l, const char *target);
/* const struct stage*: the target, then what it needs, a stage's base before its sources. */
GPtrArray *reach_stages(const struct lint *l, const struct stage *target);

/* The rules' functions, and what they share. rules.c: */
enum casing { CASING_LOWER, CASING_UPPER, CASING_MIXED };
/* How a word is written; one without letters counts as lower case. */
enum casing rule_casing(const char *word);
/* rules_stage.c: */
void rule_stage_name_casing(struct lint *l, struct scope *s);
void rule_from_as_casing(struct lint *l, struct scope *s);
void rule_duplicate_stage_name(struct lint *l, struct scope *s);
void rule_reserved_stage_name(struct lint *l, struct scope *s);
void rule_undefined_arg_in_from(struct lint *l, struct scope *s);
void rule_invalid_default_arg(struct lint *l, struct scope *s);
void rule_redundant_platform(struct lint *l, struct scope *s);
void rule_const_platform(struct lint *l, struct scope *s);
void rule_base_platform(struct lint *l, struct scope *s);
void rule_stage_description(struct lint *l, struct scope *s);
void rule_arg_description(struct lint *l);
/* rules_vars.c: */
void rule_undefined_var(struct lint *l, struct scope *s, const struct instruction *ins);
void rule_url_password(struct lint *l, struct scope *s, const struct instruction *ins);
void rule_secrets(struct lint *l, struct scope *s, const struct instruction *ins);

#endif
