/* --set and its shorthands: "PATTERN.KEY[.NAME][+]=VALUE" for targets that match. */
#ifndef VARVE_BAKE_OVERRIDE_H
#define VARVE_BAKE_OVERRIDE_H

#include "bake/defs.h"

/* What is set of one target: GPtrArray * of struct override *, by the target's name. */
struct overrides;
/* Reads texts (NULL-terminated, may be NULL) in their order: values of a list gather. environment
 * (char * → char *) gives args without a value theirs. NULL with VARVE_ERROR_USAGE: malformed, an
 * unknown key, or no such target. */
struct overrides *overrides_new(char **texts, const struct bake_defs *defs, GHashTable *environment,
                                GError **err);
void overrides_free(struct overrides *o);
/* Applies what is set of the target of that name to t. FALSE with VARVE_ERROR_USAGE. */
gboolean overrides_apply(const struct overrides *o, struct bake_target *t, const char *name,
                         GError **err);

typedef struct overrides overrides;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(overrides, overrides_free)

#endif
