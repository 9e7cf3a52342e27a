/* How messages reach the user. */
#ifndef VARVE_CLI_REPORT_H
#define VARVE_CLI_REPORT_H

#include "base/event.h"
#include "base/platform.h"

/* Prints err to stderr ("error: …", "next: …" on separate lines) and returns its exit code. */
int report_error(const GError *err);
/* A message may hold bytes from Dockerfiles, registries and programs: the same, safe for a
 * terminal, its lines bounded. The caller's. */
char *report_safe(const char *message);
/* Only err's next moves, if any, for an error that was shown otherwise. */
void report_next(const GError *err);
/* A text to stdout, broken between words where that is a terminal; each line but the first behind
 * indent blanks, the first behind what stands there already. */
void print_wrapped(const char *text, int indent);
/* A line to stderr that begins with "note: " or "warning: ". */
void report_note(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
void report_warning(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* If an ordinary user has no subordinate ids: prints what does not work, and how to get them. Else
 * nothing. */
void report_single_id(void);
/* Prints warnings and notes like these, nothing else. One per process. */
struct event_sink *report_sink(void);
/* Warns when image name, made for have, does not fit want (NULL: this machine). */
void warn_platform(const char *name, const struct platform *have, const struct platform *want);
/* "next: …" on stderr, after the output on stdout. */
void print_next(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* The same after a listing: only on a terminal. */
void print_next_after_list(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

#endif
