/* Gets the absent layers of a store (store/absent.h) from the registries that had their blobs. */
#ifndef VARVE_SOURCE_PRESENCE_H
#define VARVE_SOURCE_PRESENCE_H

#include "base/cancel.h"
#include "base/event.h"
#include "cache/reader.h"
#include "registry/registry.h"
#include "store/store.h"

struct presence_options {
    const struct registry_config *registry; /* borrowed; NULL: load is asked */
    /* Gives the configuration, the caller's, and what cancels, borrowed, when they are first
     * needed. */
    struct registry_config *(*load)(struct cancel **cancel, GError **err);
    struct cache_reader *cache; /* asked first, borrowed; or NULL */
    struct event_sink *events;  /* gets the transfers, borrowed; or NULL */
    struct cancel *cancel;      /* borrowed, or NULL; load's in its place */
    gboolean refused;           /* --pull=never: to need a base's layer is an error */
};
/* Makes it the store's fetcher. What o borrows outlives the store. */
void presence_install(struct store *s, const struct presence_options *o);

#endif
