/* A build while it runs; private to build/. */
#ifndef VARVE_BUILD_BUILDING_H
#define VARVE_BUILD_BUILDING_H

#include "build/batching.h"
#include "dockerfile/parser.h"
#include "exec/network.h"

/* The times of the image, and of its files. */
struct image_times {
    gint64 epoch;  /* an output's source-date-epoch=, else the build's; -1: none */
    gboolean keep; /* an output's rewrite-timestamp=false: files keep theirs */
};

/* A Dockerfile and its context, which the legs of all its platforms share. What the Dockerfile says
 * is in the result. */
struct build_input {
    gboolean parsed; /* result.df, without errors */
    struct ignore *ignore;
    char *ignore_name;                /* of its file, for messages; NULL: there is none */
    char *dockerfile_path;            /* for messages and explanations */
    char *context_name;               /* the context in full, for people */
    char *context_label;              /* its last part */
    char *context_dir;                /* on this machine; NULL: there is none */
    char *context_id;                 /* tells it and its ignore file from others of a batch */
    const struct build *context_of;   /* whose it is, of an earlier build; NULL: its own */
    gboolean context_archive;         /* it came from an archive: owners are kept */
    struct source_op *context_source; /* the URL or repository it came from, pinned to its content
                                         then; NULL: neither */
    /* the Dockerfile, if it is the whole context or -f is a URL; else NULL */
    GBytes *dockerfile_text;
};

struct build {
    const struct build_request *r; /* borrowed */
    struct batch *batch;           /* that it is one of, or alone in */
    struct build_ports ports;      /* the batch's */
    struct build_result result;    /* with the legs */
    struct build_input input;
    int number;      /* in the batch, from 0 */
    char *name;      /* for contexts of others; NULL: alone */
    GPtrArray *uses; /* struct build*: those whose results are its contexts */
    gboolean *needs; /* n_needs, by vertex number; NULL: not lowered */
    guint n_needs;
    struct cache_writer *cache_writer; /* of --cache-to; or NULL */
    struct image_times times;
    struct build_row row; /* for history */
    guint lost;           /* store_layers_lost() before its outputs were made */
    GError *error;        /* what ended it; or NULL */
};

/* build.c: the build's own phases, in this order; FALSE with *err. */
/* What needs no store: the Dockerfile of a directory. */
gboolean build_read_own(struct build *b, GError **err);
/* With the store: contexts that come from elsewhere. */
gboolean build_read_far(struct build *b, GError **err);
/* Lowers the Dockerfile, checks it and what the outputs want of it. */
gboolean build_plan(struct build *b, GError **err);
void build_begin_history(struct build *b);
void build_clear(struct build *b); /* for batch_free() */

/* The number of the build whose logs have v's. */
gint64 build_log_id(const struct build *b, const struct vertex *v);

/* leg.c: one for each platform of the request, once its platforms are known. */
void build_make_legs(struct build *b);
/* Lowers the Dockerfile for all legs into the batch's graph. */
gboolean build_lower_legs(struct build *b, GError **err);
/* Fills needs. */
void build_mark_needs(struct build *b);
/* Whether v is a part of b; one that was lowered later is none. */
gboolean build_needs(const struct build *b, const struct vertex *v);
/* Runs the solver once for the results of all legs of builds (struct build*), which get their
 * chains. FALSE with the first error: then some have none. */
gboolean build_solve_legs(const GPtrArray *builds, GError **err);
/* Makes the images of the result, one of each leg; replaces those there are. */
void build_make_images(struct build *b);
/* "linux/amd64,linux/arm64". */
char *build_platforms_text(const struct build_request *r, const char *separator);

/* context.c: the context's name, and for a directory its path. Call it first. */
void build_name_context(struct build *b);
/* The last part of the context's name. */
char *build_context_label(const struct build_request *r);
/* Fetches a context that is not a directory; needs the store and the configuration. */
gboolean build_open_context(struct build *b, GError **err);
void build_free_context_source(struct build *b);
/* Fetches the Dockerfile if -f is a URL; after the context. */
gboolean build_fetch_dockerfile(struct build *b, GError **err);

/* caches.c: begins to read every --cache-from; needs the store and the configuration. */
gboolean build_read_caches(struct batch *x, GError **err);
/* Begins to write --cache-to; before the solver. */
gboolean build_write_caches(struct build *b, GError **err);
/* solver_options.publishes: whether v's result is written to the cache that is shared. */
gboolean build_publishes(gpointer batch, const struct vertex *v);
/* Puts a cache into each image's config when --cache-to has type=inline, of the leg's own steps;
 * after the outputs' exports. */
gboolean build_add_inline_cache(struct build *b, GError **err);
/* For solver_options.finished, of a batch. */
void build_step_finished(gpointer batch, const struct vertex *v, const struct chain *c);
/* Waits until all is written. */
gboolean build_finish_caches(struct build *b, GError **err);
/* Puts into the result what was read. */
void build_report_caches(struct build *b);

/* unused.c: notes each build argument that the Dockerfile has no ARG for. */
void build_note_unused_args(const struct build *b);

/* check.c: checks the Dockerfile; FALSE when its check directive makes findings errors and there
 * are some. */
gboolean build_lint(struct build *b, GError **err);

/* outputs.c: whether the outputs can be made for the platforms of the build; before anything runs.
 */
gboolean build_check_outputs(struct build *b, GError **err);
/* The outputs of the legs' images; what they make is in the result. */
gboolean build_make_outputs(struct build *b, GError **err);
/* The times that the outputs need; epoch is the build's. VARVE_ERROR_USAGE. */
gboolean build_settle_times(const struct build_request *r, gint64 epoch, struct image_times *out,
                            GError **err);

/* changes.c: compares the image of each leg, which has its config, with the one that its name
 * refers to (without a tag: that of the previous build); before the outputs move the name. */
void build_compare(struct build *b);

/* result.c: after the solver, the results of the steps. */
void build_collect_steps(struct build *b);
/* The same for the one that failed, with err. */
void build_collect_failure(struct build *b, const struct vertex *failed, const GError *err);
void build_result_clear(struct build_result *r);
void build_step_free(gpointer step);

/* missing.c: the position in the Dockerfile of what failed in step v; for a source that was not
 * found, replaces *err with the reason. */
struct span build_explain_missing(const struct build *b, const struct vertex *v, GError **err);
/* After the solver: notes each COPY and ADD whose sources hold no file, most often for a pattern
 * that matches nothing. One pattern of several that does not is a usual way to copy what may be
 * there. */
void build_note_nothing_copied(const struct build *b);
/* hint.c: what the log of the failed step and its exit code say about the cause, as far as it is
 * known: one line, newly allocated, or NULL. */
char *build_hint(struct build *b, const struct build_step *step);
/* notfound.c: the same for a RUN whose exit code is 127; log: the end of its log. */
char *build_hint_missing(const struct build *b, const struct vertex *v, const char *log);
char *build_hint_not_found(const struct build *b, const struct vertex *v, const char *log);
/* The same for a RUN that was meant as JSON but is not; NULL: it was not meant so. */
char *build_hint_json_form(const struct build *b, const struct vertex *v);

#endif
