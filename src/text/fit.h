/* Makes text from outside safe to print and no wider than the space for it. */
#ifndef VARVE_TEXT_FIT_H
#define VARVE_TEXT_FIT_H

#include <glib.h>

/* Terminal columns that s takes (UTF-8, wide characters, no control characters). */
int text_width(const char *s);
/* s cut to at most columns with "…" where cut; control characters and invalid bytes made visible.
 */
char *text_fit(const char *s, int columns);
/* s up to its first newline; the caller's. */
char *text_first_line(const char *s);
/* s broken between words into lines of at most columns (0: as it is), each but the first behind
 * indent blanks; lines that it has stay. A word longer than that stays whole. Newly allocated. */
char *text_wrap(const char *s, int columns, int indent);
/* A message as it stands in a window of so many columns (0: none): what does not fit a line goes on
 * behind two blanks. Newly allocated. */
char *text_wrap_message(const char *s, int columns);
/* s without the sequences by which programs move, colour and clear (ECMA-48: CSI and strings such
 * as OSC, and the short ones); newly allocated. What was cut off in the middle is dropped too. */
char *text_without_escapes(const char *s);
/* Text from outside for a message: one line, no control characters, at most max bytes. */
char *text_one_line(const char *s, gsize max);

/* The name of a step, "RUN --network=none make", without the flags of RUN: "RUN make". */
char *text_command(const char *step);
/* The name of a step in at most columns: the flags of a RUN are dropped before its command is cut.
 */
char *text_step(const char *step, int columns);

#endif
