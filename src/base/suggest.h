/* "Did you mean": the known word nearest to a mistyped one. */
#ifndef VARVE_BASE_SUGGEST_H
#define VARVE_BASE_SUGGEST_H

#include <glib.h>

/* The element of words (n of them) with the smallest edit distance (insertions, deletions,
 * substitutions and swaps of neighbours count one each; letter case is ignored) to typed, or NULL
 * if none is near enough: at most one edit for up to 3 characters, two up to 5, three beyond. The
 * first of equally near words wins; a word that differs only in case is the nearest. If no word is
 * near but exactly one starts with typed (3 characters or more), the result is that one. The result
 * is borrowed from words. Words longer than 64 bytes are never near. */
const char *suggest_nearest(const char *typed, const char *const *words, gsize n);

/* Edit distance as above, or max + 1 when it is larger than max. */
guint suggest_distance(const char *a, const char *b, guint max);

/* FALSE with VARVE_ERROR_USAGE: "--pull WRONG: not always, missing or never", and what may have
 * been meant. option: as it is written before the value ("--pull=", "--network "); words ends with
 * NULL.
 */
gboolean suggest_choice(const char *option, const char *typed, const char *const *words,
                        GError **err);

/* What to do about a file that was named and is not there, as the next move of *err (nothing of
 * other errors): the name in its directory that may have been meant. */
void suggest_file(const char *path, GError **err);

#endif
