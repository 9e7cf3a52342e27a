/* Variables in order: setting one again moves it to the end, as in BuildKit. */
#ifndef VARVE_DOCKERFILE_VARS_H
#define VARVE_DOCKERFILE_VARS_H

#include <glib.h>

#define VARS_MAX_DEPTH 64 /* others that one builds upon before it has a copy of them */

struct vars {
    const struct vars *base; /* what comes before, unless set here again; borrowed; or NULL */
    guint depth;             /* how many bases follow one another */
    guint count;             /* of variables, those of base included */
    GPtrArray *pairs;        /* char* "name=value"; NULL where one was moved away */
    GHashTable *index;       /* name (owned) → position in pairs + 1 */
};
void vars_init(struct vars *v);
void vars_clear(struct vars *v);
/* Lets v, which is empty, begin with all of base, which must stay as it is as long as v. */
void vars_inherit(struct vars *v, const struct vars *base);
/* Makes v whole: pairs holds all, base is NULL. */
void vars_flatten(struct vars *v);
/* Sets all of from, in its order. */
void vars_copy(struct vars *to, const struct vars *from);
void vars_set(struct vars *v, const char *name, const char *value);
/* Borrowed until the variable is set again; NULL when unset. ctx is a struct vars: an
 * expand_lookup_fn. */
const char *vars_get(gpointer ctx, const char *name);
guint vars_count(const struct vars *v);

#endif
