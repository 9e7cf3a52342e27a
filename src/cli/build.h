/* One run of varve build, from its options to its outputs; private to cli/. */
#ifndef VARVE_CLI_BUILD_H
#define VARVE_CLI_BUILD_H

#include "cli/build_options.h"
#include "exec/network.h"
#include "dockerfile/parser.h"
#include "lint/lint.h"
#include "output/image.h"
#include "store/history.h"

#include <stdio.h>

struct build {
    const struct build_options *o;
    struct cancel *cancel; /* borrowed: set by SIGINT and SIGTERM */
    struct store *store;
    struct registry_config *registry;
    enum netpool_rule network_rule; /* of varve.conf */
    struct netpool *nets;           /* for RUN */
    struct progress *progress;
    struct diags *diags;
    struct dockerfile *df;
    gboolean parsed; /* df, without errors */
    struct ignore *ignore;
    char *ignore_name;                /* of its file, for messages; NULL: there is none */
    char *dockerfile_path;            /* for messages and explanations */
    char *context_name;               /* the context in full, for people */
    char *context_label;              /* its last part */
    char *context_dir;                /* on this machine; NULL: there is none */
    gboolean context_archive;         /* it came out of an archive: its owners count */
    struct source_op *context_source; /* the URL or repository it came from, pinned to what that
                                         held then; NULL: it did not */
    GBytes *dockerfile_text;  /* the context is nothing but a Dockerfile, or -f is a URL; else NULL
                               */
    struct lint_report *lint; /* or NULL */
    struct sources *sources;
    struct lowered *lowered;
    struct solver *solver;
    char *slot_prefix;
    struct image_times times;
    struct chain *chain;
    struct built_image *image;
    struct build_row row; /* for history */
    gint64 started_us;    /* monotonic clock */
    GArray *results;      /* struct output_result, as long as outputs went */
    gboolean unchanged;   /* all names stood for this very image before */
    gboolean same_layers; /* the image that the name stood for has the same ones */
    GPtrArray *changes; /* what its config had otherwise; NULL: it is the same, or there was none */
};

/* build_context.c: how the context is called, and for a directory where it is. Call it first. */
void build_name_context(struct build *b);
/* Gets a context that is no directory; needs the store, the registry configuration and progress. */
gboolean build_open_context(struct build *b, GError **err);
void build_free_context_source(struct build *b);
/* Gets the Dockerfile when -f is a URL; after the context. */
gboolean build_fetch_dockerfile(struct build *b, GError **err);

/* build_inputs.c: reads the Dockerfile and the ignore file. */
gboolean build_read_inputs(struct build *b, GError **err);
/* Notes each --build-arg that the Dockerfile has no ARG for. */
void build_note_unused_args(const struct build *b);
/* The phases before anything runs: reads the inputs, opens the store, lowers. */
gboolean build_prepare(struct build *b, GError **err);
/* Runs all phases. On failure what was finished is kept. */
gboolean build_run(struct build *b, GError **err);
void build_clear(struct build *b);

/* build_call.c */

/* --call and --check in place of a build. Returns the exit code when *err is not set. */
int build_call(struct build *b, GError **err);
/* Checks the Dockerfile; FALSE when its check directive makes findings errors and there are some.
 */
gboolean build_lint(struct build *b, GError **err);
void build_print_findings(struct build *b, FILE *f);
/* After a failure: checks what was not checked yet of a file that could be read, so that the report
 * can tell of it. */
void build_lint_failed(struct build *b);

/* build_changes.c: compares the image, which has its config, with the one that its name stands for
 * (without a tag: that of the build before); before the outputs move the name. */
void build_compare(struct build *b);
/* "CMD, ENV": where only the config differs, the instructions it is of; else NULL. Newly allocated.
 */
char *build_changed_fields(const struct build *b);
/* A row of --explain for each difference; columns: of the second column. */
void build_print_changes(const struct build *b, int columns);

/* build_debug.c: after the report of a failure, a shell in the failed step, or how to get one. */
void build_debug(struct build *b);
/* cmd_debug.c: notes the command line for varve debug. FALSE: it cannot be repeated. */
gboolean build_debug_note(const struct build *b);

/* build_report.c: what the user sees afterwards, on stderr (and with -q the digest on stdout). */
void build_report_success(struct build *b);
/* What --explain shows: a line for each step that did not hit, and for what changed of the config.
 */
void build_print_explanations(struct build *b);
/* One of these lines: "run", the step in so many columns, and why. */
void build_print_row(const char *word, const char *what, const char *why, int columns);
/* What the checks found, on one line; nothing when that is nothing. */
void build_print_warnings(const struct build *b);
/* build_failure.c. The failing step: its lines with a caret, the end of its log, what is kept.
 * Returns the exit code. */
int build_report_failure(struct build *b, const GError *err);
/* --metadata-file and --iidfile. */
gboolean build_write_files(struct build *b, GError **err);
/* Records the build and its steps in the store; failure to do so is only a warning. */
void build_record(struct build *b, const GError *err);
/* How many steps ran, and how many were hits. */
void build_count_steps(const struct build *b, int *ran, int *cached);
/* Of the graph's vertex i, when it is a step that the user wrote and this build needed; else NULL.
 */
const struct vertex_result *build_step_result(const struct build *b, guint i);
/* The stage of v as people are shown it (event_stage_label()); NULL: it has none, or is the only
 * one and has no name. Newly allocated. */
char *build_stage_label(const struct build *b, const struct vertex *v);
/* build_missing.c: where in the Dockerfile what ended the step v is, and for a source that was not
 * found why: *err is then replaced. */
struct span build_explain_missing(const struct build *b, const struct vertex *v, GError **err);
/* build_hint.c: what the log of the failed v and its exit code say about the cause, as far as it is
 * known. */
void build_print_hint(struct build *b, const struct vertex *v);
/* build_notfound.c: the same of a RUN whose exit code is 127. */
void build_print_not_found(const struct build *b, const struct vertex *v);
/* Of a RUN that was meant as JSON and is none; FALSE: it was not. */
gboolean build_print_json_form(const struct build *b, const struct vertex *v);

#endif
