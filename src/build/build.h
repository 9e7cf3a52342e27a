/* One build, from a request to its outputs, independent of the front end: it prints nothing and
 * reports through events. Any number of builds can run at the same time in one process, each in its
 * own thread (with its own helpers).
 *
 * Order of calls: build_new(); then build_run(), or instead one of build_prepare(), build_check(),
 * build_outline() and build_read(); the result is valid after success and after failure;
 * build_record() writes the history of a build_run(), once the front end has used the result;
 * build_free(). */
#ifndef VARVE_BUILD_BUILD_H
#define VARVE_BUILD_BUILD_H

#include "build/request.h"
#include "build/session.h"
#include "lint/lint.h"
#include "lint/outline.h"
#include "solver/solver.h"
#include "store/history.h"

/* A front end's ports to report through and to stop the build; all may be NULL. */
struct build_ports {
    struct event_sink *events; /* progress, warnings, notes */
    struct cancel *cancel;
    /* Called with what the checks found, before anything runs and again after a failure. */
    void (*findings)(gpointer ctx, const struct lint_report *r, const struct diags *d);
    gpointer ctx; /* of findings */
};

/* A step that the user wrote and the build needed. Borrowed from the build. */
struct build_step {
    const struct vertex *vertex;
    const struct vertex_result *result;
    char *stage; /* as output shows it (event_step_label()); NULL: none, or the only one, unnamed */
};

/* A changed part of the image's config: "ENV" "PATH" "changed". */
struct build_change {
    const char *field; /* "CMD" */
    char *name;        /* of a variable, label, port or volume; NULL: the field is a single value */
    char *how;         /* "is new", or the old and new values */
};

/* How a step failed. */
struct build_failure {
    const struct build_step *step;
    struct span place;     /* in the Dockerfile; line 0: none */
    GError *error;         /* the build's, or one with a better reason */
    char *hint;            /* the known cause, one line; NULL: none is known */
    struct build_step own; /* what step points to if it is not in the result */
};

/* What a build makes for one platform. Fields are set as far as the build got. */
struct build_leg {
    struct platform platform;
    char *slot_prefix; /* of its steps (lower_options.slot_prefix); NULL: not lowered */
    struct lowered *lowered;
    struct chain *chain;             /* its result; NULL: not made */
    const struct built_image *image; /* borrowed from the result's images; NULL: not made */
    gboolean *of_image;   /* with --cache-to, by vertex number: its layers are the image's */
    guint64 before_bytes; /* size of the image that had the name before; 0: there was none */
    /* Likewise at the registry to which it is pushed, compressed; 0: none, or not asked for. */
    guint64 replaced_bytes;
    gboolean same_layers; /* that image has the same layers */
    GPtrArray *changes; /* struct build_change*: how its config differs; NULL: not at all, or there
                           was no such image */
};

/* The result of a build. Fields are set as far as the build got; everything is owned by the build.
 */
struct build_result {
    gint64 id;             /* in the history, from 1; 0: not recorded */
    const char *name;      /* for output: its first tag, else the context's name */
    gint64 started_us;     /* monotonic clock */
    gint64 took_us;        /* of a batch: until its last step was done, and for its own outputs */
    struct dockerfile *df; /* NULL: it could not be read */
    struct diags *diags;   /* what is wrong with it; NULL: it was not read */
    struct lint_report *lint;      /* what the checks found; NULL: not checked */
    GPtrArray *legs;               /* struct build_leg*, one for each platform */
    const struct build_leg *wrong; /* diags has what is wrong for its platform; NULL: for all */
    struct graph *graph;           /* of all legs, borrowed; NULL: not lowered */
    GPtrArray *steps;              /* struct build_step*, in the order of the graph */
    int ran, cached;               /* how many steps ran, and how many were hits */
    struct imageset *images;       /* of the legs; NULL: not made */
    GArray *cache_reads;           /* struct cache_read_report, or NULL */
    GArray *cache_writes;          /* struct cache_write_report, or NULL */
    GArray *outputs;    /* struct output_result, of the request's outputs that are done */
    gboolean unchanged; /* all names already referred to exactly these images */
    struct build_failure *failure; /* NULL: no step failed */
    /* why programs had the host's network instead of their own; NULL: they did not */
    char *network;
};

struct build;
/* All arguments are borrowed until build_free(). */
struct build *build_new(const struct build_request *r, struct session *s,
                        const struct build_ports *ports);
void build_free(struct build *b);
/* "name · linux/amd64, linux/arm64", for people. */
char *build_title(const struct build_request *r);

/* Runs all phases. On failure, finished steps are kept. */
gboolean build_run(struct build *b, GError **err);
/* Reads the Dockerfile and the ignore file of a context that is a directory. */
gboolean build_read(struct build *b, GError **err);
/* The phases before anything runs: reads the inputs, opens the store, lowers. */
gboolean build_prepare(struct build *b, GError **err);
/* Checks the Dockerfile, with its base images if they can be looked up. On failure result->lint may
 * cover the part of the file that could be read. */
gboolean build_check(struct build *b, GError **err);
/* What the target accepts. The caller frees it. */
struct outline *build_outline(struct build *b, GError **err);

const struct build_result *build_result(struct build *b);
/* "CMD, ENV": if only the config of the leg's image differs, the instructions that changed it; else
 * NULL. */
char *build_changed_fields(const struct build_leg *leg);
/* Does remaining checks of a file that could be read, for the report of a failure. */
void build_check_failed(struct build *b);
/* "lint violation found for rules: …": findings that are errors. */
char *build_violation_text(const struct lint_report *r);
/* Records the build, its steps and its end: err is NULL or why it failed. A failure to record is
 * only a warning. */
void build_record(struct build *b, const GError *err);

/* The last lines of a step's log, at most n. */
char *build_log_tail(struct build *b, const struct build_step *step, guint n);
/* Its open store, or NULL. */
struct store *build_store(struct build *b);
/* The RUN that failed and was kept (request.keep_failed), or NULL. */
const struct vertex *build_kept(const struct build *b);
/* Runs its shell on a terminal: solver_debug(). */
gboolean build_debug(struct build *b, void (*terminal)(gpointer ctx, int master_fd), gpointer ctx,
                     const char *term, int *exit_code, GError **err);

typedef struct build build;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(build, build_free)

#endif
