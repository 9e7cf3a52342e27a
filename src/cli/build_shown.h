/* One run of varve build as its user sees it; private to cli/. */
#ifndef VARVE_CLI_BUILD_SHOWN_H
#define VARVE_CLI_BUILD_SHOWN_H

#include "build/build.h"
#include "cli/build_options.h"

#include <jansson.h>

#include <stdio.h>

struct shown_build {
    const struct build_options *o; /* borrowed */
    const struct build_request *r; /* o's */
    struct session *session;
    struct progress *progress;
    struct build *build;
    const struct build_result *res; /* build's */
};

/* cmd_build.c: the session of a command line, and what its builds report to. */
struct session *shown_session(char **env);
struct build_ports shown_ports(struct progress *p);
/* Makes the build requested by o, and its progress. shown_clear() frees both. */
void shown_init(struct shown_build *b, const struct build_options *o);
void shown_clear(struct shown_build *b);

/* build_call.c: --call and --check instead of a build. Returns the exit code when *err is not set.
 */
int build_call(struct shown_build *b, GError **err);
void build_print_findings(const struct shown_build *b, FILE *f);

/* build_debug.c: after the report of a failure, opens a shell in the failed step, or says how to
 * get one. */
void build_offer_debug(struct shown_build *b);
/* cmd_debug.c: notes the command line for varve debug. FALSE: it cannot be repeated. */
gboolean build_debug_note(const struct shown_build *b);

/* build_files.c: removes the id of an earlier build, so that it is not mistaken for this one's. */
void build_drop_stale_id(const struct shown_build *b);
/* What --metadata-file holds of one build; and writes such a document. */
json_t *build_metadata(const struct shown_build *b);
gboolean build_write_metadata(const json_t *doc, const char *path, GError **err);
/* --metadata-file and --iidfile. */
gboolean build_write_files(const struct shown_build *b, GError **err);

/* build_summary.c: appends --summary-file's report; failure is NULL or why the build failed. */
void build_write_summary(const struct shown_build *b, const GError *failure);

/* build_report.c: what the user sees afterwards, on stderr (and with -q the digest on stdout). */
void build_report_success(struct shown_build *b);
/* "sha256:7f524f76004d"; "" when there is no id. set may be NULL. */
char *build_short_id(const struct imageset *set);
/* "12 MB in 3 layers" */
char *build_image_size_text(const struct built_image *image);
/* Parts of it: --explain's rows; what was pushed and written; what caches gave and got. */
void build_print_explanations(const struct shown_build *b);
void build_print_outputs(const struct shown_build *b);
void build_print_cache_reads(const struct build_result *r);
void build_print_cache_writes(const struct build_result *r);
/* What the checks found, on one line; nothing when that is nothing. */
void build_print_warnings(const struct shown_build *b);

/* build_failure.c. The failing step: its lines with a caret, the end of its log, what is kept.
 * Returns the exit code. */
int build_report_failure(struct shown_build *b, const GError *err);

#endif
