/* Records: results of steps, found again by key. */
#ifndef VARVE_STORE_RECORD_H
#define VARVE_STORE_RECORD_H

#include "store/chain.h"
#include "store/layer.h"

/* A record: under key, a step's result. */
struct record {
    struct chain *chain;   /* the whole result, lowest layer first */
    struct digest content; /* content digest of the chain (layer/chainview.h), zero when unknown */
    struct digest content_key; /* under a definition key: the step's content key; zero: unknown */
    gint64 created;            /* seconds since the epoch */
    gint64 duration_us;        /* how long running it took */
    char *inputs; /* JSON: digests by input, and a list by file if small; for explanations */
};
void record_free(struct record *r);
/* Finds a record all of whose layers are still known (absent ones too, store/absent.h); marks them
 * used and leases them to this process so that garbage collection leaves them alone. NULL without
 * error when there is none. */
struct record *store_record_find(struct store *s, const struct digest *key);
/* The same without marking or leasing anything, for callers that only want to know: its layers may
 * be gone the next moment. */
struct record *store_record_peek(struct store *s, const struct digest *key);
/* VARVE_ERROR_NOT_FOUND when a layer of r is not in the store. */
gboolean store_record_put(struct store *s, const struct digest *key, const struct record *r,
                          GError **err);
/* The newest inputs JSON recorded for slot (a vertex's stable place in its Dockerfile), to explain
 * a miss; NULL when none. */
char *store_slot_inputs(struct store *s, const char *slot);
/* Puts r under both keys of a step (content NULL: it has no content key) and its inputs into the
 * step's slot (NULL: it has none), in one transaction. */
gboolean store_result_put(struct store *s, const struct digest *definition,
                          const struct digest *content, const char *slot, const struct record *r,
                          GError **err);

typedef struct record record;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(record, record_free)

#endif
