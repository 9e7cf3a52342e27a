/* Shared by the files of lowering; internal to graph/lower*.c. The order of work: make a
 * build_stage for every FROM (lower_stages.c), find what the target needs while resolving base
 * images and triggers (lower_reach.c), then lower the needed stages in the order of the file
 * (lower.c), instruction by instruction (lower_run.c, lower_copy.c, lower_config.c). */
#ifndef VARVE_GRAPH_LOWERING_H
#define VARVE_GRAPH_LOWERING_H

#include "dockerfile/reach.h"
#include "graph/lower.h"
#include "text/giturl.h"

/* What lowering knows of a scope. */
struct build_stage {
    struct scope *scope;
    struct platform platform;
    const struct named_context *override; /* a context that replaces this stage, or NULL */
    const struct named_context *context;  /* what it starts from: a context, … */
    const struct resolved_image *image;   /* … or an image (also of a context), … */
    const struct lowered *built;          /* … or the result of another build; NULL: none of them */
    gboolean started;                     /* vertex is at least that of the start */
    gboolean done;                        /* vertex and conf are final */
    struct vertex *vertex;                /* so far; NULL: scratch */
    struct image_conf *conf;              /* so far */
    gboolean cmd_set;                     /* this stage has a CMD */
    gboolean no_cache;                    /* --no-cache, or --no-cache-filter names it */
    guint position;                       /* of the instruction being lowered, from 1 */
};

struct lowering {
    const struct dockerfile *df;   /* what is lowered */
    const struct lower_options *o; /* lower()'s */
    struct diags *diags;
    GError **err; /* lower()'s, for what is no fault of the Dockerfile */
    struct graph *graph;
    struct scopes scopes; /* names, variables, what is needed */
    GPtrArray *stages;    /* struct build_stage*, by number of the scope: lower_stage_of() */
    GHashTable *images;   /* char* → struct asked* (lower_images.c): asked for before */
    const char *const *proxy_env; /* or NULL */
    const struct host_ip *hosts;  /* the options', copied into the graph */
    const struct ulimit *ulimits; /* likewise */
    gint64 epoch;                 /* see struct lowered */
    char *epoch_text;             /* SOURCE_DATE_EPOCH as stages see it; NULL: as it was given */
};

/* lower_emit.c */
/* Where an error of cmd is shown: at (a place in the file), or the stage's FROM for triggers. */
struct span lower_place(const struct build_stage *s, const struct stage_command *cmd,
                        struct span at);
/* Counts n bytes; FALSE with an error at the stage's FROM when there are too many. */
gboolean lower_spend(struct lowering *lw, struct build_stage *s, gsize n);
/* Substitutes the stage's variables in a word. NULL with a diagnostic at the given place. */
char *lower_expand(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd,
                   const char *word, struct span at);
/* The argument of --build-arg, or NULL. */
const char *lower_build_arg(const struct lowering *lw, const char *name);
/* Adds a vertex for cmd (NULL: the FROM) with a readable name; internal ones are no steps. */
struct vertex *lower_add(struct lowering *lw, struct build_stage *s,
                         const struct stage_command *cmd, const struct op *op,
                         struct vertex *const *inputs, guint n_inputs, gboolean internal);
void lower_history(struct lowering *lw, struct build_stage *s, const char *created_by,
                   gboolean empty_layer);
/* An internal vertex: scratch with one file. */
struct vertex *lower_document(struct lowering *lw, struct build_stage *s,
                              const struct stage_command *cmd, const char *name, const char *data,
                              guint32 mode);
/* A context that is a directory; NULL: the main build context. */
struct vertex *lower_local(struct lowering *lw, const struct named_context *c);

/* lower_stages.c */
gboolean lower_make_stages(struct lowering *lw);
struct build_stage *lower_find_target(struct lowering *lw);
/* What is known of s, made at the first call. */
struct build_stage *lower_stage_of(struct lowering *lw, struct scope *s);
void lower_free_stage(gpointer stage);
/* lower_epoch.c: finds out what SOURCE_DATE_EPOCH is, after the stages were made. */
gboolean lower_epoch(struct lowering *lw);
/* lower_remote.c: what a source of ADD is; GIT sets *git, BAD sets *err. */
enum remote_kind { REMOTE_NONE, REMOTE_GIT, REMOTE_HTTP, REMOTE_BAD };
enum remote_kind lower_remote_kind(const struct instruction *add, const char *text,
                                   struct giturl **git, GError **err);
/* What a repository, a URL and a named context of either kind are got with; all text in the graph's
 * memory. commit may be NULL: the URL's own, if
 * any; checksum: none. */
struct source_op lower_git_source(struct lowering *lw, const struct giturl *git, const char *commit,
                                  gboolean keep_git_dir);
struct source_op lower_http_source(struct lowering *lw, const char *url,
                                   const struct digest *checksum);
gboolean lower_context_source(struct lowering *lw, const struct named_context *c,
                              struct source_op *out, GError **err);
gboolean named_context_is_remote(const struct named_context *c);
/* lower_reach.c */
gboolean lower_reach(struct lowering *lw, struct build_stage *target);
/* scopes.conf_of, of a struct lowering: looks the base image up. */
gboolean lower_conf_of(gpointer lowering, struct scope *scope, struct scope_conf *out);
/* lower_base.c: finds what a stage starts from and its conf; FALSE with a diagnostic. */
gboolean lower_base(struct lowering *lw, struct build_stage *s);
/* Adds the vertex that s starts from, once. Called in the file's order, so that vertex numbers
 * follow it. FALSE with a diagnostic. */
gboolean lower_start(struct lowering *lw, struct build_stage *s);
/* What a COPY or RUN sees of s, an earlier stage; NULL: nothing, it is scratch. */
struct vertex *lower_result(struct lowering *lw, struct build_stage *s);
/* An internal vertex: an empty directory. */
struct vertex *lower_empty(struct lowering *lw, struct build_stage *s,
                           const struct stage_command *cmd);
/* Each lowers one instruction; FALSE with a diagnostic. */
gboolean lower_run(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd);
gboolean lower_copy(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd);
gboolean lower_workdir(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd);
gboolean lower_config(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd);

#endif
