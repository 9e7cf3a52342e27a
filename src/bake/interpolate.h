/* Variables in texts of Compose files and .env files: $V ${V} ${V:-d} ${V-d} ${V:+r} ${V+r} ${V:?e}
 * ${V?e}, where d, r and e may hold others; $$ is a dollar sign. Any other dollar sign stays. */
#ifndef VARVE_BAKE_INTERPOLATE_H
#define VARVE_BAKE_INTERPOLATE_H

#include <glib.h>

#define INTERPOLATE_MAX_DEPTH 50                /* of defaults within defaults */
#define INTERPOLATE_MAX_BYTES ((gsize)64 << 20) /* of all results of one struct interpolation */

struct interpolation {
    const char *(*lookup)(gpointer self, const char *name); /* NULL: the variable is not set */
    void (*unset)(gpointer self,
                  const char *name); /* told of unset ones without default; or NULL */
    gpointer self;                   /* of lookup and unset */
    gsize bytes;                     /* that results took so far */
    const char *wrong;               /* after an error: its '$' in the text; NULL: none */
};

/* The caller's. NULL with VARVE_ERROR_INVALID: malformed, a required variable without value, or too
 * large. */
char *interpolate(struct interpolation *in, const char *text, GError **err);

#endif
