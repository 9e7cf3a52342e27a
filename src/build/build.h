/* One build, from a request to its outputs, without anything of a front door: nothing is printed,
 * and what it has to say on the way are events. Any number of builds run at the same time in one
 * process, each in a thread of its own (and with helpers of its own).
 *
 * Order of calls: build_new(); then build_run(), or in place of it one of build_prepare(),
 * build_check(), build_outline() and build_read(); the result is there after success and after
 * failure; build_record() writes the history of a build_run(), once the front door has done what it
 * does with the result; build_free(). */
#ifndef VARVE_BUILD_BUILD_H
#define VARVE_BUILD_BUILD_H

#include "build/request.h"
#include "build/session.h"
#include "lint/lint.h"
#include "lint/outline.h"
#include "solver/solver.h"
#include "store/history.h"

/* What a front door gives a build to speak and to be stopped with; all may be NULL. */
struct build_ports {
    struct event_sink *events; /* progress, warnings, notes */
    struct cancel *cancel;
    /* Told what the checks found, before anything runs and once more after a failure. */
    void (*findings)(gpointer ctx, const struct lint_report *r, const struct diags *d);
    gpointer ctx; /* of findings */
};

/* A step that the user wrote and the build needed. Borrowed from the build. */
struct build_step {
    const struct vertex *vertex;
    const struct vertex_result *result;
    char *stage; /* as people are shown it (event_step_label()); NULL: it has none, or is the only
                    one and has no name */
};

/* A part of the image's config that is not as it was: "ENV" "PATH" "changed". */
struct build_change {
    const char *field; /* "CMD" */
    char *name;        /* of a variable, label, port or volume; NULL: the field is one value */
    char *how;         /* "is new", or the values before and now */
};

/* How a step failed. */
struct build_failure {
    const struct build_step *step;
    struct span place;     /* in the Dockerfile; line 0: none */
    GError *error;         /* the build's, or one that knows better why */
    char *hint;            /* the known cause, one line; NULL: none is known */
    struct build_step own; /* what step is when it is none of the result's */
};

/* What came of it. Fields are set as far as the build came; all of it is the build's. */
struct build_result {
    gint64 id;                 /* in the history, from 1; 0: it is not there */
    const char *name;          /* how people call it: its first tag, else the context's name */
    gint64 started_us;         /* monotonic clock */
    struct dockerfile *df;     /* NULL: it could not be read */
    struct diags *diags;       /* what is wrong with it; NULL: it was not read */
    struct lint_report *lint;  /* what the checks found; NULL: not checked */
    struct graph *graph;       /* NULL: not lowered */
    GPtrArray *steps;          /* struct build_step*, in the order of the graph */
    int ran, cached;           /* how many steps ran, and how many were hits */
    struct built_image *image; /* NULL: not made */
    GArray *outputs;           /* struct output_result, of the request's outputs that are done */
    gboolean unchanged;        /* all names stood for this very image before */
    gboolean same_layers;      /* the image that the name stood for has the same ones */
    GPtrArray *changes; /* struct build_change*: what its config had otherwise; NULL: it is the
                           same, or there was none */
    struct build_failure *failure; /* NULL: no step failed */
    char *network;                 /* why programs had the host's network though they should not;
                                      NULL: they had not */
};

struct build;
/* All arguments are borrowed until build_free(). */
struct build *build_new(const struct build_request *r, struct session *s,
                        const struct build_ports *ports);
void build_free(struct build *b);
/* "name · linux/amd64", for people; newly allocated. */
char *build_title(const struct build_request *r);

/* Runs all phases. On failure what was finished is kept. */
gboolean build_run(struct build *b, GError **err);
/* Reads the Dockerfile and the ignore file of a context that is a directory. */
gboolean build_read(struct build *b, GError **err);
/* The phases before anything runs: reads the inputs, opens the store, lowers. */
gboolean build_prepare(struct build *b, GError **err);
/* Checks the Dockerfile, with its base images as far as these are to be had. On failure
 * result->lint may tell of the part of the file that could be read. */
gboolean build_check(struct build *b, GError **err);
/* What the target takes. The caller frees it. */
struct outline *build_outline(struct build *b, GError **err);

const struct build_result *build_result(struct build *b);
/* "CMD, ENV": where only the config differs, the instructions it is of; else NULL. Newly allocated.
 */
char *build_changed_fields(const struct build_result *r);
/* Checks what was not checked yet of a file that could be read, for the report of a failure. */
void build_check_failed(struct build *b);
/* "lint violation found for rules: …": findings that are errors; newly allocated. */
char *build_violation_text(const struct lint_report *r);
/* Records the build and its steps, and how it ended: err is NULL or why it failed. Failing to do so
 * is only a warning. */
void build_record(struct build *b, const GError *err);

/* The last lines of a step's log, at most n; newly allocated. */
char *build_log_tail(struct build *b, const struct build_step *step, guint n);
/* The store that it has open, or NULL. */
struct store *build_store(struct build *b);
/* The RUN that failed and was kept (request.keep_failed), or NULL. */
const struct vertex *build_kept(const struct build *b);
/* Runs its shell on a terminal: solver_debug(). */
gboolean build_debug(struct build *b, void (*terminal)(gpointer ctx, int master_fd), gpointer ctx,
                     const char *term, int *exit_code, GError **err);

typedef struct build build;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(build, build_free)

#endif
