/* Ignore patterns: .dockerignore files and COPY --exclude, with the rules of moby's patternmatcher:
 * a path is ignored if the last pattern that applies to it has no '!'. A pattern applies if it
 * matches the path, or applied to the directory above it. A pattern that would change nothing is
 * not tried: with '!' it does not match a path that is not ignored at that point, without it not
 * one that is. So "d/x" and "!d" ignore d/x: "!d" does not apply to d, which no pattern ignores.
 * '*' and '?' do not cross '/', "**" does, '[a-z]', '[^a-z]' and '[[:digit:]]' are classes, '\'
 * makes the next character literal. Patterns are compiled once; matching takes time proportional to
 * the path for each pattern and keeps no state, so any number of threads may use the same patterns.
 */
#ifndef VARVE_TEXT_IGNORE_H
#define VARVE_TEXT_IGNORE_H

#include <glib.h>

#define IGNORE_MAX_PATTERNS 10000
#define IGNORE_MAX_LENGTH 4096 /* bytes of one pattern */

struct ignore;
/* The content of a .dockerignore file: one pattern a line, '#' comments in column 1, white space
 * around patterns dropped, paths cleaned, a leading '/' dropped, a byte order mark skipped.
 * VARVE_ERROR_INVALID names the line of a malformed pattern. */
struct ignore *ignore_parse(const void *bytes, gsize len, GError **err);
/* From a list; patterns may be NULL (nothing is ignored). Here a leading '/' is kept, as in moby:
 * such a pattern matches nothing. VARVE_ERROR_INVALID names the pattern. */
struct ignore *ignore_new(const char *const *patterns, GError **err);
void ignore_free(struct ignore *ig);

/* TRUE when path (relative to the root, cleaned, no leading '/') is ignored. "" and "." never are.
 */
gboolean ignore_match(const struct ignore *ig, const char *path);
/* The cleaned pattern that ignores path, owned by ig, and its line in the file (0 if ig was made
 * from a list); NULL if path is not ignored. */
const char *ignore_decider(const struct ignore *ig, const char *path, guint *line);
/* TRUE when dir is ignored and nothing below it can be re-included: it need not be read. */
gboolean ignore_can_skip_dir(const struct ignore *ig, const char *dir);
gboolean ignore_is_empty(const struct ignore *ig);
/* The cleaned patterns, '!' included, NULL-terminated, owned by ig; their digest identifies ig. */
const char *const *ignore_patterns(const struct ignore *ig);

typedef struct ignore ignore;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ignore, ignore_free)

#endif
