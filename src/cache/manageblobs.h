/* What prune, verify and copy share (cache/manage.h). */
#ifndef VARVE_CACHE_MANAGEBLOBS_H
#define VARVE_CACHE_MANAGEBLOBS_H

#include "cache/manage.h"

#define PART_MAX                                                                                   \
    3000 /* layers and mounts of one segment that is published: its manifest names the             \
            blobs of all, and must stay below 4 MiB */

/* Work on one blob. FALSE with an error: VARVE_ERROR_NOT_FOUND and INVALID are problems of this
 * blob, all others end the work. Called from several threads. */
typedef gboolean (*manage_work)(gpointer ctx, const struct descriptor *d, GError **err);
/* Does it for all (struct descriptor*). problems (may be NULL: each error ends it) gets what is
 * wrong with blobs (struct manage_problem*). */
gboolean manage_each(const GPtrArray *blobs, manage_work work, gpointer ctx, struct cancel *stop,
                     GPtrArray *problems, GError **err);
/* A manage_work that asks the backend ctx whether it has the blob. */
gboolean manage_look(gpointer backend, const struct descriptor *d, GError **err);
GPtrArray *manage_problems_new(void);

/* Adds a copy of e, which is of from. */
void manage_adopt(struct cache_segment *into, const struct cache_segment *from,
                  const struct manage_entry *e);
/* Copies of the descriptors of all blobs that e needs and that are held with it. */
GPtrArray *manage_blobs(const struct cache_segment *from, const struct manage_entry *e);
/* Sets lost of all entries (of s) that need a blob of problems. */
void manage_mark_lost(const struct cache_segment *s, GArray *entries, const GPtrArray *problems);
/* Publishes entries (struct manage_entry, of from) as one segment, or several where they are many;
 * the last one supersedes the segments (struct cache_listed*; or NULL). */
gboolean manage_publish(struct cache_backend *b, const struct cache_segment *from,
                        const GArray *entries, const GPtrArray *supersedes, GError **err);

#endif
