/* Errors: one GError domain whose codes are classes, so that the command line can map any error to
 * its exit code (0 ok, 1 failed, 2 usage, 3 a check failed, 4 registry, network or disk failed, 130
 * interrupted).
 *
 * Rule: the lowest place that knows fills the error once, callers add context with
 * g_prefix_error(). The message says what was being done, to what, and why it failed, without a
 * trailing newline. What to do next is a field of its own, set with error_add_next() and read with
 * error_next(): prefixes do not reach it, g_error_copy() and g_propagate_error() keep it. */
#ifndef VARVE_BASE_ERROR_H
#define VARVE_BASE_ERROR_H

#include <glib.h>

#define VARVE_ERROR (varve_error_quark())

enum varve_error {
    VARVE_ERROR_FAILED = 1,  /* a step or an operation failed; exit 1 */
    VARVE_ERROR_USAGE = 2,   /* the command line is wrong; exit 2 */
    VARVE_ERROR_GATE = 3,    /* a threshold or check failed; exit 3 */
    VARVE_ERROR_OUTSIDE = 4, /* registry, network or disk failed: fix that or retry; exit 4 */
    VARVE_ERROR_INVALID,     /* malformed or hostile input (Dockerfile, layer, manifest); exit 1 */
    VARVE_ERROR_NOT_FOUND,   /* a named thing does not exist; exit 1 */
    VARVE_ERROR_UNSUPPORTED, /* understood, but varve does not do it; exit 1 */
    VARVE_ERROR_DENIED,      /* refused by a registry's or the kernel's permission; exit 1 */
    VARVE_ERROR_CANCELLED,   /* the user interrupted; exit 130 */
};

GQuark varve_error_quark(void);

/* The process exit code for err; 0 for NULL, 1 for other domains. */
int varve_error_exit_code(const GError *err);

/* Sets *err from an errno value: message "<fmt…>: <strerror>". ENOSPC, EDQUOT and EIO become
 * VARVE_ERROR_OUTSIDE (with a next move, as for a read-only disk or too many open files), ECANCELED
 * VARVE_ERROR_CANCELLED, ENOENT VARVE_ERROR_NOT_FOUND, all others VARVE_ERROR_FAILED. Returns FALSE
 * so callers may return it. */
gboolean error_set_errno(GError **err, int errnum, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* The errno that error_set_errno() was given; 0 for other errors and NULL. */
int error_errno(const GError *err);
/* Whether an errno means that a file of the store is damaged: gone, of another type, or unreadable
 * because of the disk or the file system. Too many open files, no memory and no permission do not.
 */
gboolean errno_is_damage(int errnum);
/* The same for an error; VARVE_ERROR_INVALID (a wrong checksum or format) is damage, too. */
gboolean error_is_damage(const GError *err);

/* Sets *err in VARVE_ERROR with the given class. Returns FALSE. */
gboolean error_set(GError **err, enum varve_error code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Adds a next move to *err, behind those it has (no-op when err or *err is NULL). An error of
 * another domain becomes VARVE_ERROR_FAILED with the same message. */
void error_add_next(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Adds the next moves of from, if any: for an error that quotes from's message. from stays the
 * caller's. */
void error_copy_next(GError **err, const GError *from);
/* The next moves, a line each, without "next: "; the error's. NULL: it has none. */
const char *error_next(const GError *err);
/* The message and "next: <move>" lines, for where an error is kept or sent as text. The caller's.
 */
char *error_text(const GError *err);
/* What is wrong was written on the command line: *err becomes VARVE_ERROR_USAGE (no-op likewise).
 */
void error_as_usage(GError **err);
/* The same, but only for errors in the words themselves: malformed and unsupported values, not
 * missing files or what a registry, the network or the disk refused. */
void error_words_as_usage(GError **err);

#endif
