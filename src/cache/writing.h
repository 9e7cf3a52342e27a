/* A writer and its places (cache/writer.h); private to writer.c and publish.c. */
#ifndef VARVE_CACHE_WRITING_H
#define VARVE_CACHE_WRITING_H

#include "base/work.h"
#include "cache/collect.h"
#include "cache/quiet.h"
#include "cache/writer.h"

#define USED_ANEW (24 * 60 * 60) /* seconds after which a use is worth writing */

/* One reference. All but the first three: by the writer's thread, and once that ended by finish();
 * failed, put, missing, blobs, bytes and busy_us under the writer's lock. */
struct place {
    struct cache_writer *writer;
    const struct cache_spec *spec;
    struct cache_backend *backend;
    struct collected theirs;    /* what was there at first */
    struct collected first;     /* the same when the end of a shared build read it anew */
    struct cache_segment *mine; /* what is new */
    guint published;            /* records of mine that are published already */
    GHashTable *put;            /* struct digest*: blobs that are there, or on their way */
    GHashTable *used;           /* struct cache_record* of theirs that this build used */
    GHashTable *missing; /* struct digest*: blobs that are neither there nor to be had here */
    char *why_missing;   /* of the first; or NULL */
    GError *failed;      /* why nothing more is written; or NULL */
    char *why;           /* the same as text, once the build is over */
    guint blobs;         /* sent */
    guint records;       /* that are new */
    guint mounts;        /* likewise */
    guint64 bytes;       /* sent */
    gint64 busy_us;      /* spent on it, in all threads */
};

struct cache_writer {
    struct cache_env env;
    struct work work;          /* of its threads */
    struct quiet_sink quiet;   /* env's sink */
    GPtrArray *places;         /* struct place* */
    struct cache_share *share; /* or NULL; set before the first step comes */
    struct place *shared;      /* whose reference share is of */
    GThread *thread;           /* describes steps and exports mounts */
    GThreadPool *uploads;      /* sends blobs */
    GAsyncQueue *jobs;         /* struct job*; an empty one ends */
    GHashTable *layers;        /* id and place → struct cache_layer*; the writer's thread's */
    GMutex lock;               /* guards pending, and places' fields that uploads change */
    GCond sent;                /* pending fell */
    guint pending;             /* uploads */
    gint64 waited_us;          /* by finish() */
    gboolean ended;            /* the threads have no more to do */
};

/* publish.c: publishes what p has collected, with what was there before, unless there is nothing
 * new; then removes the segments that it supersedes. */
gboolean place_publish(struct place *p, GError **err);
/* Publishes those records of mine that are not published yet, as a segment of their own, for other
 * builders that run now. All uploads have ended. */
gboolean place_publish_part(struct place *p, GError **err);
/* Reads anew what is there, to be merged: p->theirs, which stays as it is when that fails. */
void place_read_anew(struct place *p);

#endif
