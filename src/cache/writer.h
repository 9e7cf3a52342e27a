/* Writing caches during a build: finished steps are compressed and sent while later ones run.
 *
 * A writer has a thread. cache_writer_add() hands it a step; what a place lacks is put there, each
 * blob once. cache_writer_finish() waits for what is left, publishes one segment a place, and
 * merges segments where there are many. */
#ifndef VARVE_CACHE_WRITER_H
#define VARVE_CACHE_WRITER_H

#include "cache/backend.h"
#include "cache/reader.h"
#include "cache/segment.h"
#include "cache/share.h"
#include "store/record.h"

/* A step to be written; all borrowed during the call. */
struct cache_step {
    struct digest definition, content_key; /* content_key zero: none */
    const struct chain *chain;
    struct digest content;                       /* of the chain */
    gint64 created;                              /* seconds since the epoch; 0: now */
    gint64 duration_us;                          /* how long running it took */
    const char *name, *platform, *slot, *inputs; /* inputs and slot may be NULL */
    gboolean of_image; /* its layers are in the image: written with mode=min, too */
    gboolean ran;      /* in this build */
    const char *from;  /* label of the cache that had it; NULL: none */
};
struct cache_writer;
/* specs: struct cache_spec* (inline ones are not for it), borrowed. env is copied. NULL with
 * VARVE_ERROR_USAGE. */
struct cache_writer *cache_writer_new(const GPtrArray *specs, const struct cache_env *env,
                                      GError **err);
/* Before the first step: publishes what this build ran in the reference of spec, one of specs, as
 * soon as it is worth it, and then releases its claims. share is borrowed until the writer's end.
 */
void cache_writer_share(struct cache_writer *w, const struct cache_spec *spec,
                        struct cache_share *share);
/* Never waits. The chain's layers stay leased by the store until the writer is done. */
void cache_writer_add(struct cache_writer *w, const struct cache_step *step);

/* The same for a step that nobody looked at, because what depends on it hit: step has no chain yet.
 * Where it is missing it is taken from reader, if that has it. */
void cache_writer_add_unseen(struct cache_writer *w, const struct cache_step *step,
                             struct cache_reader *reader);
/* A cache mount of the build: volume id, which its Dockerfile calls cache_id, is exported where
 * that is asked for. reader (may be NULL) tells where it was filled from. Never waits. */
void cache_writer_add_mount(struct cache_writer *w, const char *id, const char *cache_id,
                            const char *platform, struct cache_reader *reader);

struct cache_write_report {
    const char *label;  /* of the reference */
    guint records;      /* that are new there */
    guint mounts;       /* cache mounts that are new there */
    guint blobs;        /* sent */
    guint64 bytes;      /* sent */
    gint64 busy_us;     /* compressing and sending, in all */
    gint64 waited_us;   /* of the build, for the rest of it */
    const char *failed; /* why nothing was written; NULL: it was. With ignore-error a warning */
};
/* FALSE with the first error of a reference without ignore-error, as VARVE_ERROR_OUTSIDE whatever
 * failed (or CANCELLED); the other references are written
 * all the same. */
gboolean cache_writer_finish(struct cache_writer *w, GError **err);
guint cache_writer_count(const struct cache_writer *w);
void cache_writer_report(const struct cache_writer *w, guint i, struct cache_write_report *out);
void cache_writer_free(struct cache_writer *w); /* without finish: gives up; NULL is fine */

typedef struct cache_writer cache_writer;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_writer, cache_writer_free)

#endif
