/* Logs to stdout: of builds' steps and of runs; private to cli/. */
#ifndef VARVE_CLI_LOGCOPY_H
#define VARVE_CLI_LOGCOPY_H

#include "store/runs.h"

/* Copies a log. To a terminal it passes only colours of escape sequences, and only line ends and
 * tabs of control characters: a log is the output of an untrusted program. */
struct logcopy {
    enum {
        LOG_PLAIN,
        LOG_ESCAPE,
        LOG_SEQUENCE
    } state;           /* between bytes: is an escape sequence unfinished */
    GString *sequence; /* of an unfinished escape sequence */
    GString *out;      /* passed on with the next write */
    gboolean terminal; /* stdout is one */
    char last;         /* last byte copied, '\n' before the first */
};
void logcopy_init(struct logcopy *c);
/* Copies fd from its offset to its end; more may follow. */
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
