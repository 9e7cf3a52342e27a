/* Reading caches during a build: the records of all --cache-from references, found by key; what
 * they name becomes known to the store as absent layers (store/absent.h).
 *
 * Each reference is listed and its segments are read by a thread of its own, which begins at once;
 * only a look-up waits for it. A reference that cannot be read is a warning, and then empty. */
#ifndef VARVE_CACHE_READER_H
#define VARVE_CACHE_READER_H

#include "cache/backend.h"
#include "cache/import.h"
#include "store/record.h"

struct cache_reader;
/* specs: struct cache_spec*, borrowed. env is copied. Starts reading. */
struct cache_reader *cache_reader_new(const GPtrArray *specs, const struct cache_env *env,
                                      GError **err);
void cache_reader_free(struct cache_reader *r); /* stops what is under way; NULL is fine */
/* The record under key, its layers known to the store and leased; NULL: there is none. *from (may
 * be NULL) is the reference's label, borrowed. */
struct record *cache_reader_find(struct cache_reader *r, const struct digest *key,
                                 const char **from);
/* The same for who only passes it on: it is no hit. */
struct record *cache_reader_peek(struct cache_reader *r, const struct digest *key);
/* Reads what was added since to the reference with this label. What cannot be read adds nothing. */
void cache_reader_refresh(struct cache_reader *r, const char *label);
/* How long the newest step of a slot took, microseconds; 0: unknown. */
gint64 cache_reader_slot_duration(struct cache_reader *r, const char *slot);
/* The newest inputs of a slot, as store_slot_inputs(). */
char *cache_reader_slot_inputs(struct cache_reader *r, const char *slot);
/* Whether fetching what is absent of c's own uppermost layers would take longer than took_us, as
 * fast as their reference was so far; *fetch_us gets the estimate. Always FALSE with prefer=hit. */
gboolean cache_reader_is_slower(struct cache_reader *r, const struct chain *c, guint own,
                                gint64 took_us, gint64 *fetch_us);
/* Blobs of all references, for layers and indexes that are not here. Borrowed. */
struct blob_source *cache_reader_blobs(struct cache_reader *r);
/* Adds what the references have of a cache mount to its directory, once in a build: volume id
 * (solver_volume_id()), which its Dockerfile calls cache_id. Failure is a warning. */
void cache_reader_fill_mount(struct cache_reader *r, const char *id, const char *cache_id,
                             const char *platform, int dirfd, const char *dir);
/* Whether that was done from the reference with this label. */
gboolean cache_reader_filled(struct cache_reader *r, const char *label, const char *id,
                             const char *platform);
/* What the references say of images' layers (cache/import.h). Borrowed. */
struct claims *cache_reader_claims(struct cache_reader *r);

/* What was read, for the report. */
struct cache_read_report {
    const char *label; /* of the reference */
    guint hits;        /* records taken */
    guint64 bytes;     /* received, of segments and blobs */
    const char *lost;  /* why it was not read, or what of it was lost; NULL: nothing */
};
guint cache_reader_count(const struct cache_reader *r);
void cache_reader_report(struct cache_reader *r, guint i, struct cache_read_report *out);

typedef struct cache_reader cache_reader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_reader, cache_reader_free)

#endif
