/* Which volumes `varve prune` removes. Cache mounts can be made again; a named volume of `varve
 * run` may have irreplaceable data, so it is only removed on request. */
#ifndef VARVE_CLI_PRUNE_VOLUMES_H
#define VARVE_CLI_PRUNE_VOLUMES_H

#include "store/images.h"

struct prune_volumes {
    gboolean caches;    /* remove cache mounts */
    gboolean all_named; /* and all named volumes */
    char **names;       /* or these; ends with NULL; NULL: none */
    GPtrArray *present; /* char *: names of the store's named volumes */
    GPtrArray *taken;   /* char *: names that prune_volumes_take() said TRUE for */
};

/* Reads the value of --volumes: NULL nothing, "" cache mounts, "all", or names with commas between
 * them. VARVE_ERROR_USAGE. */
gboolean prune_volumes_init(struct prune_volumes *v, const char *value, GError **err);
void prune_volumes_clear(struct prune_volumes *v);
/* Looks up the names. VARVE_ERROR_NOT_FOUND for one that the store does not have. */
gboolean prune_volumes_load(struct prune_volumes *v, struct store *s, GError **err);
/* The named volumes that would be removed, as "a, b"; NULL if none. */
char *prune_volumes_wanted(const struct prune_volumes *v);
/* Those that are kept although --volumes was given; NULL if none. */
char *prune_volumes_kept(const struct prune_volumes *v);
/* For struct gc_options: ctx is the struct prune_volumes. */
gboolean prune_volumes_take(gpointer ctx, const char *id);

#endif
