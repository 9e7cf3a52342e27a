/* What the files of lowering share; internal to graph/lower*.c. The order of work: make a
 * build_stage for every FROM (lower_stages.c), find what the target needs while resolving base
 * images and triggers (lower_reach.c), then lower the needed stages in the order of the file
 * (lower.c), instruction by instruction (lower_run.c, lower_copy.c, lower_config.c), with what
 * lower_emit.c lends to all of them. */
#ifndef VARVE_GRAPH_LOWERING_H
#define VARVE_GRAPH_LOWERING_H

#include "graph/lower.h"
#include "text/giturl.h"

#define LOWER_MAX_VARIABLES 10000          /* of one stage */
#define LOWER_MAX_BYTES (64 * 1024 * 1024) /* of everything a build's lowering writes down */

/* Variables in order; setting one again moves it to the end, as in BuildKit. */
struct vars {
    GPtrArray *pairs;  /* char* "name=value"; NULL where one was moved away */
    GHashTable *index; /* name (owned) → position in pairs + 1 */
};
void vars_init(struct vars *v);
void vars_clear(struct vars *v);
void vars_copy(struct vars *to, const struct vars *from);
void vars_set(struct vars *v, const char *name, const char *value);
/* Borrowed until the variable is set again; NULL when unset. ctx is a struct vars: an
 * expand_lookup_fn. */
const char *vars_get(gpointer ctx, const char *name);
guint vars_count(const struct vars *v);

/* An instruction to lower, or a trigger of the base image before the stage's own. */
struct command {
    const struct instruction *ins;
    gboolean foreign; /* from a base image's config: places in it mean nothing here */
    struct build_stage *
        *sources; /* COPY: one (NULL: the context); RUN: one for each --mount; else NULL */
    guint n_sources;
};

struct build_stage {
    const struct stage *st;   /* NULL: made for an image that a COPY or RUN names */
    int index;                /* position among the file's stages; -1 for made ones */
    char *label;              /* name, or number as text */
    char *base_name;          /* expanded */
    struct span place;        /* of the base's name, for errors */
    struct build_stage *base; /* an earlier stage, NULL: an image, a context or scratch */
    gboolean has_platform;    /* FROM --platform was given */
    struct platform platform;
    const struct named_context *override; /* a context that takes this stage's place, or NULL */
    const struct named_context *context;  /* what it starts from: a context, … */
    const struct resolved_image *image;   /* … or an image (also of a context); NULL: neither */
    gboolean started;                     /* vertex is at least that of the start */
    GArray *commands;                     /* struct command, triggers first */
    gboolean needed;                      /* the target needs it */
    gboolean done;                        /* vertex and conf are final */
    struct vertex *vertex;                /* so far; NULL: scratch */
    struct image_conf *conf;              /* so far */
    struct vars env;                      /* ENV and ARG, as RUN and substitution see them */
    GPtrArray *args;                      /* char*: names declared by ARG, for history, each once */
    GHashTable *arg_names;                /* char* set of the same */
    gboolean cmd_set;                     /* this stage has a CMD */
    gboolean no_cache;
    guint position; /* of the instruction being lowered, from 1 */
};

struct lowering {
    const struct dockerfile *df;
    const struct lower_options *o;
    struct diags *diags;
    GError **err;
    struct graph *graph;
    GPtrArray *stages; /* struct build_stage*: those of the file, then made ones */
    guint n_file_stages;
    GHashTable *by_name; /* char* → struct build_stage*; the last of a name wins */
    GHashTable *made;    /* char* → struct build_stage*: made for an image, by name as written */
    GHashTable *images;  /* char* → struct asked* (lower_images.c): asked for before */
    GPtrArray *triggers; /* struct dockerfile*: parsed triggers */
    struct vars globals; /* automatic ARGs and those before the first FROM */
    const char *const *proxy_env; /* or NULL */
    const struct host_ip *hosts;  /* the options', copied into the graph */
    const struct ulimit *ulimits; /* likewise */
    gint64 epoch;                 /* see struct lowered */
    char *epoch_text;             /* SOURCE_DATE_EPOCH as stages see it; NULL: as it was given */
    gsize spent;                  /* bytes written down, against LOWER_MAX_BYTES */
};

/* lower_emit.c */
/* Where an error of cmd is shown: at (a place in the file), or the stage's FROM for triggers. */
struct span lower_place(const struct build_stage *s, const struct command *cmd, struct span at);
/* Counts n bytes; FALSE with an error at the stage's FROM when there are too many. */
gboolean lower_spend(struct lowering *lw, struct build_stage *s, gsize n);
/* Substitutes the stage's variables in a word. NULL with a diagnostic at the given place. */
char *lower_expand(struct lowering *lw, struct build_stage *s, const struct command *cmd,
                   const char *word, struct span at);
/* The argument of --build-arg, or NULL. */
const char *lower_build_arg(const struct lowering *lw, const char *name);
/* Adds a vertex for cmd (NULL: the FROM) with a readable name; internal ones are no steps. */
struct vertex *lower_add(struct lowering *lw, struct build_stage *s, const struct command *cmd,
                         const struct op *op, struct vertex *const *inputs, guint n_inputs,
                         gboolean internal);
void lower_history(struct lowering *lw, struct build_stage *s, const char *created_by,
                   gboolean empty_layer);
/* An internal vertex: scratch with one file. */
struct vertex *lower_document(struct lowering *lw, struct build_stage *s, const struct command *cmd,
                              const char *name, const char *data, guint32 mode);
/* A context that is a directory; NULL: the main build context. */
struct vertex *lower_local(struct lowering *lw, const struct named_context *c);

/* lower_stages.c */
gboolean lower_make_stages(struct lowering *lw);
struct build_stage *lower_find_target(struct lowering *lw);
struct build_stage *lower_new_stage(struct lowering *lw);
void lower_free_stage(gpointer stage);
const struct named_context *lower_find_context(const struct lowering *lw, const char *name,
                                               const struct platform *p);
/* lower_stages.c: substitutes v in a word outside of a stage's lowering; NULL with a diagnostic. */
char *lower_expand_vars(struct lowering *lw, struct vars *v, const char *text, struct span at);
/* Sets what an ARG gives: the --build-arg, else its default with v in it. FALSE with a diagnostic.
 */
gboolean lower_take_arg(struct lowering *lw, struct vars *v, const struct pair *pair);
/* lower_epoch.c: finds out what SOURCE_DATE_EPOCH is, after the stages were made. */
gboolean lower_epoch(struct lowering *lw);
/* lower_remote.c: what a source of ADD is; GIT sets *git, BAD sets *err. */
enum remote_kind { REMOTE_NONE, REMOTE_GIT, REMOTE_HTTP, REMOTE_BAD };
enum remote_kind lower_remote_kind(const struct instruction *add, const char *text,
                                   struct giturl **git, GError **err);
/* What a repository, a URL and a named context of either kind are got with; all text in the graph's
 * memory. checksum may be NULL: the URL's own, if any. */
struct source_op lower_git_source(struct lowering *lw, const struct giturl *git,
                                  const char *checksum, gboolean keep_git_dir);
struct source_op lower_http_source(struct lowering *lw, const char *url, const char *checksum);
gboolean lower_context_source(struct lowering *lw, const struct named_context *c,
                              struct source_op *out, GError **err);
gboolean named_context_is_remote(const struct named_context *c);
/* lower_reach.c */
gboolean lower_reach(struct lowering *lw, struct build_stage *target);
/* lower_base.c: finds what a stage starts from and its conf; FALSE with a diagnostic. */
gboolean lower_base(struct lowering *lw, struct build_stage *s);
/* Adds the vertex that s starts from, once. Called in the file's order, so that vertex numbers
 * follow it. FALSE with a diagnostic. */
gboolean lower_start(struct lowering *lw, struct build_stage *s);
/* What a COPY or RUN sees of s, which must be earlier; NULL: nothing, it is scratch. */
struct vertex *lower_result(struct lowering *lw, struct build_stage *s);
/* An internal vertex: an empty directory. */
struct vertex *lower_empty(struct lowering *lw, struct build_stage *s, const struct command *cmd);
/* Each lowers one instruction; FALSE with a diagnostic. */
gboolean lower_run(struct lowering *lw, struct build_stage *s, const struct command *cmd);
gboolean lower_copy(struct lowering *lw, struct build_stage *s, const struct command *cmd);
gboolean lower_workdir(struct lowering *lw, struct build_stage *s, const struct command *cmd);
gboolean lower_config(struct lowering *lw, struct build_stage *s, const struct command *cmd);

#endif
