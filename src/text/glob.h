/* One ignore pattern as an automaton whose set of states is a bit set: reading a path takes time
 * proportional to its length whatever the pattern. Internal to ignore.c; see there for the rules.
 */
#ifndef VARVE_TEXT_GLOB_H
#define VARVE_TEXT_GLOB_H

#include <glib.h>

struct glob;
/* pattern: cleaned, without '!'. VARVE_ERROR_INVALID when a class is malformed. */
struct glob *glob_new(const char *pattern, GError **err);
void glob_free(struct glob *g);
/* TRUE when the pattern matches path or one of its parent directories. */
gboolean glob_match_within(const struct glob *g, const char *path);
/* TRUE when the pattern matches the first len bytes of path. */
gboolean glob_match(const struct glob *g, const char *path, gsize len);
/* TRUE when the pattern could match something below dir. */
gboolean glob_may_match_below(const struct glob *g, const char *dir);

typedef struct glob glob;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(glob, glob_free)

#endif
