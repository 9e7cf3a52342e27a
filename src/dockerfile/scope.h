/* What ARG and ENV mean where, what stages are called, and what a stage needs, as far as the file,
 * the build arguments and the configs of base images tell. Lowering, checks and outlines all have
 * it from here. The order of calls:
 *     scopes_init(), then for each stage scopes_add() and scope_enter(): names
 *     scopes_link(), scopes_reach(): what is needed, triggers included (reach.h)
 *     for each stage in the order of the file scope_start(), and scope_take_pairs() for each of its
 *     commands that is an ARG, ENV or LABEL: what variables hold
 * What is wrong goes to diags with its place. Without diags nothing is reported, and what is wrong
 * or too long counts as empty. */
#ifndef VARVE_DOCKERFILE_SCOPE_H
#define VARVE_DOCKERFILE_SCOPE_H

#include "base/platform.h"
#include "dockerfile/expand.h"
#include "dockerfile/parser.h"
#include "dockerfile/vars.h"

#define SCOPE_MAX_VARIABLES 10000           /* of one stage */
#define SCOPES_MAX_BYTES (64 * 1024 * 1024) /* of everything that is written down of a file */

/* An instruction of a stage, or a trigger of its base ahead of its own. */
struct stage_command {
    const struct instruction *ins; /* the syntax tree's, or of a parsed trigger */
    gboolean foreign;              /* from a base image's config: places in it mean nothing here */
    struct scope **sources; /* COPY: one (NULL: the context); RUN: one for each --mount; else NULL
                             */
    guint n_sources;
};

/* A stage, or what stands for an image that a COPY or RUN names. */
struct scope {
    guint number;                 /* position in scopes.all */
    int index;                    /* of the stage in the file; -1: stands for an image */
    const struct stage *stage;    /* NULL: stands for an image */
    char *label;                  /* the stage's name, or number as text; else the image's name */
    char *base_name;              /* what it starts from, with substitutions made */
    char *platform;               /* FROM --platform likewise; NULL: none */
    struct span place;            /* of the base's name */
    struct scope *base;           /* the earlier stage it starts from; NULL: an image or scratch */
    const struct scope *namesake; /* the latest earlier stage of the same name, or NULL */
    gboolean replaced; /* a named context takes the stage's place: its instructions do not count */
    gboolean needed;   /* set by scopes_reach() */
    GArray *commands;  /* struct stage_command, triggers first */
    guint n_triggers;  /* how many of them are triggers */
    struct vars env;   /* ENV and ARG so far, as RUN and substitution see them */
    GPtrArray *config; /* char* "NAME=value": ENV so far, as the image's config has it */
    GPtrArray *args;   /* char*: names declared by ARG, base stages' included, each once;
                             borrowed */
    GHashTable *declared; /* char* set of the same, borrowed */
    gboolean overfull;    /* has more than SCOPE_MAX_VARIABLES, which was reported */
};

/* What an image's config says that matters here; borrowed. */
struct scope_conf {
    const GPtrArray *env;     /* char* "NAME=value", or NULL */
    const GPtrArray *onbuild; /* char*: its triggers, or NULL */
};

struct scopes {
    /* Given before scopes_init(). */
    const struct dockerfile *df;
    GHashTable *build_args; /* char* → char*, or NULL */
    struct diags *diags;    /* or NULL */
    gsize max_value;        /* limit of a value in bytes; 0: EXPAND_MAX_WORD */
    /* The config of what s starts from (of the context that replaces it): called for what is needed
     * and starts from no stage of the file. FALSE with a diagnostic. NULL: none is known. */
    gboolean (*conf_of)(gpointer ctx, struct scope *s, struct scope_conf *out);
    gpointer ctx;      /* for conf_of */
    const char *epoch; /* SOURCE_DATE_EPOCH as stages see it in place of a build argument, or NULL
                        */
    /* Found. */
    struct vars globals; /* automatic ARGs and those before the first FROM: what FROM sees */
    GPtrArray *all;      /* struct scope*: the file's stages, then those that stand for images */
    guint n_stages;      /* how many of them are the file's */
    GHashTable *by_name; /* char* → struct scope*: the latest stage of each name */
    GHashTable *made;    /* char* → struct scope*: those for images, by name as written */
    GPtrArray *triggers; /* struct dockerfile*: parsed triggers */
    gsize spent;         /* bytes written down, against SCOPES_MAX_BYTES */
};

/* Reads the automatic and global ARGs; x is to be cleared in any case. FALSE with a diagnostic. */
gboolean scopes_init(struct scopes *x, const struct platform *build, const struct platform *wanted,
                     const char *target);
void scopes_clear(struct scopes *x);
/* The file's next stage, owned by x, with the words of its FROM. NULL with a diagnostic. */
struct scope *scopes_add(struct scopes *x, const struct stage *st);
/* Finds the stage it starts from, and makes its own name known to those below. */
void scope_enter(struct scopes *x, struct scope *s, gboolean replaced);
/* What stands for the image (or named context) of that name, which no FROM brings in. */
struct scope *scopes_made(struct scopes *x, const char *name, struct span place);
/* The stage of that name, the last one for NULL and ""; NULL: there is none. */
struct scope *scopes_target(const struct scopes *x, const char *name);
/* The stage's name that is nearly this one, borrowed, or NULL. */
const char *scopes_near(const struct scopes *x, const char *name);
/* The build argument, or NULL. */
const char *scopes_given(const struct scopes *x, const char *name);

/* Sets what an ARG says where v holds: the build argument, else its default with v in it, else what
 * the file says before its first FROM. *value gets that, or NULL when there is none. FALSE with a
 * diagnostic at the given place. */
gboolean scopes_take_arg(struct scopes *x, struct vars *v, gboolean foreign,
                         const struct pair *pair, struct span at, char **value);
/* For substituting v; foreign: in a text of a base image's config. */
struct expand scopes_expander(const struct scopes *x, const struct vars *v, gboolean foreign);
/* The word with substitutions made. NULL with a diagnostic. */
char *scopes_expand(const struct scopes *x, const struct vars *v, const char *word, struct span at);

/* What conf_of says of that which s, or the stage that s starts from, gets from outside of the
 * file; *out stays as it is when that is nothing. FALSE with a diagnostic. */
gboolean scope_base_conf(const struct scopes *x, struct scope *s, struct scope_conf *out);
/* Takes over the variables of what s starts from. FALSE with a diagnostic. */
gboolean scope_start(struct scopes *x, struct scope *s);
/* What an ARG, ENV or LABEL says: name, value, name, value …, as char* that the result owns; the
 * value is NULL for an ARG without one. What an ARG or ENV says holds from here on. NULL with a
 * diagnostic. */
GPtrArray *scope_take_pairs(struct scopes *x, struct scope *s, const struct stage_command *cmd);
/* A word of cmd with the stage's variables in it, which is counted. NULL with a diagnostic at the
 * given place. */
char *scope_expand(struct scopes *x, const struct scope *s, const struct stage_command *cmd,
                   const char *word, struct span at);
/* Counts n bytes; FALSE with a diagnostic, the first time, when there are too many. */
gboolean scope_spend(struct scopes *x, const struct scope *s, gsize n);
/* Where an error of cmd is shown: at (a place in the file), or the stage's FROM for triggers. */
struct span scope_place(const struct scope *s, const struct stage_command *cmd, struct span at);

#endif
