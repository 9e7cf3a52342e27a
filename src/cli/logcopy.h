/* Logs to stdout: of builds' steps and of runs; private to cli/. */
#ifndef VARVE_CLI_LOGCOPY_H
#define VARVE_CLI_LOGCOPY_H

#include "store/runs.h"

/* Passes a log on. To a terminal of escape sequences only colours, of control characters only line
 * ends and tabs: a log is what a stranger's program printed. */
struct logcopy {
    enum {
        LOG_PLAIN,
        LOG_ESCAPE,
        LOG_SEQUENCE
    } state;           /* between bytes: is an escape sequence unfinished */
    GString *sequence; /* of an unfinished escape sequence */
    GString *out;      /* passed on with the next write */
    gboolean terminal; /* stdout is one */
    char last;         /* byte passed on, '\n' before the first */
};
void logcopy_init(struct logcopy *c);
/* What fd holds from its offset on, up to its end; more may follow. */
gboolean logcopy_pass(struct logcopy *c, int fd, GError **err);
/* Ends the last line and the colours, and frees. */
void logcopy_clear(struct logcopy *c);

struct runlog_options {
    gboolean follow; /* -f: more is shown as it comes */
    char *tail;      /* number of lines, "all" or NULL */
};
/* runlog.c: the output of a detached run. */
gboolean runlog_show(struct store *s, struct run_row *r, const struct runlog_options *o,
                     GError **err);

#endif
