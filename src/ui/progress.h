/* Progress: events in, text out. One sink for one command; thread-safe. */
#ifndef VARVE_UI_PROGRESS_H
#define VARVE_UI_PROGRESS_H

#include "base/event.h"
#include "lint/lint.h"

#include <stdio.h>

enum progress_mode {
    PROGRESS_AUTO,
    PROGRESS_TTY,
    PROGRESS_PLAIN,
    PROGRESS_QUIET,
    PROGRESS_RAWJSON
};
/* "auto", "tty", "plain", "quiet", "none" (as quiet), "rawjson"; VARVE_ERROR_USAGE otherwise. */
gboolean progress_mode_parse(const char *text, enum progress_mode *out, GError **err);

struct progress;
/* Writes to out (stderr). AUTO: a terminal that is not dumb gets TTY, everything else PLAIN. title
 * is the head line's name ("graphrag:1 · linux/amd64"), may be NULL. */
struct progress *progress_new(FILE *out, enum progress_mode mode, const char *title);
struct event_sink *progress_sink(struct progress *p);
/* What the checks found in the Dockerfile of d: one message each in modes that are streams for
 * tools; others leave it to the final report. */
void progress_findings(struct progress *p, const struct lint_report *r, const struct diags *d);
/* Ends the live view: writes the final lines, restores the terminal. Call it before printing
 * anything else. */
void progress_finish(struct progress *p);
void progress_free(struct progress *p);

typedef struct progress progress;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(progress, progress_free)

#endif
