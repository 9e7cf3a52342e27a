/* Variables in order: setting one again moves it to the end, as in BuildKit. */
#ifndef VARVE_DOCKERFILE_VARS_H
#define VARVE_DOCKERFILE_VARS_H

#include <glib.h>

struct vars {
    GPtrArray *pairs;  /* char* "name=value"; NULL where one was moved away */
    GHashTable *index; /* name (owned) → position in pairs + 1 */
};
void vars_init(struct vars *v);
void vars_clear(struct vars *v);
/* Sets all of from, in its order. */
void vars_copy(struct vars *to, const struct vars *from);
void vars_set(struct vars *v, const char *name, const char *value);
/* Borrowed until the variable is set again; NULL when unset. ctx is a struct vars: an
 * expand_lookup_fn. */
const char *vars_get(gpointer ctx, const char *name);
guint vars_count(const struct vars *v);

#endif
