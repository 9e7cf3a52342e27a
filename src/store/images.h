/* Images by name, and volumes (cache mounts). */
#ifndef VARVE_STORE_IMAGES_H
#define VARVE_STORE_IMAGES_H

#include "base/mounttype.h"
#include "store/chain.h"

/* One tagged or pulled image of one platform. */
struct image_row {
    char *name;             /* canonical reference "docker.io/library/x:tag", or "" for untagged */
    struct digest manifest; /* blob of its manifest; zero if none was written yet (layers are not
                               compressed until an output needs it) */
    struct digest target;   /* what the name resolved to at the registry: index or manifest */
    struct digest config;   /* blob of its config */
    char *platform;         /* "linux/amd64" */
    char *origin;           /* "build", "pull", "load" */
    struct chain *chain;    /* its layers; NULL while not unpacked */
    /* built here: manifest of the image it was built from, zero if none or unknown */
    struct digest base;
    gint64 created; /* seconds since the epoch */
    gint64 size;    /* bytes of file content over the chain */
};
void image_row_free(struct image_row *r);
/* Whether it came with an index, which is its target: the rows of the name with this target are the
 * images of the index that are here. */
gboolean image_row_in_index(const struct image_row *r);
/* Whether id ("sha256:" may stand before) begins the digest of that index. */
gboolean image_row_index_matches(const struct image_row *r, const char *id);
/* Inserts or moves the name (and platform). Config, manifest (unless zero) and layers must be in
 * the store: VARVE_ERROR_NOT_FOUND otherwise. A name stands for an index that was built or loaded
 * here, or for something else, as a whole: other images lose the name to it, and it to others. */
gboolean store_image_put(struct store *s, const struct image_row *r, GError **err);
/* By canonical name and platform (NULL: the host's, else one that this machine runs, else the only
 * one; IMAGE_ANY_PLATFORM: else the first that was put). NULL without error if none. */
#define IMAGE_ANY_PLATFORM ""
struct image_row *store_image_find(struct store *s, const char *name, const char *platform);
/* By a prefix (at least 4 hex digits) of the digest of a config or manifest, or of an index, of
 * which the image for platform is taken (as above). NULL without error if none; an ambiguous prefix
 * is VARVE_ERROR_USAGE. */
struct image_row *store_image_find_id(struct store *s, const char *prefix, const char *platform,
                                      GError **err);
/* "linux/amd64, linux/arm64": those that the name stands for; NULL: it is not there. */
char *store_image_platforms(struct store *s, const char *name);
/* The rows of r's name and index, in the order in which they were put, r among them; r alone if
 * there is no index. Owns its struct image_row, which are leased. */
GPtrArray *store_image_group(struct store *s, const struct image_row *r);
/* Whether a group is shown as an index: not one image that was pulled from an index with more. */
gboolean image_group_is_index(const GPtrArray *group);
/* Name of the newest image with another tag of name's repository, else of one whose repository
 * differs by a typing mistake; NULL if there is none. */
char *store_image_near(struct store *s, const char *name);
/* All, newest first; owns its struct image_row. */
GPtrArray *store_image_list(struct store *s);
/* Removes a name; layers go with the next prune. FALSE with NOT_FOUND when absent. */
gboolean store_image_remove(struct store *s, const char *name, const char *platform, GError **err);

/* A cache mount in use: dir is the path relative to the root that is mounted. */
struct volume {
    char *dir;      /* "volumes/<id>" */
    gboolean fresh; /* made just now and empty: the caller fills it from the mount's source, then
                       calls store_volume_ready() */
    struct store_lock *lock; /* shared by all users, held until release */
    /* exclusive: held while filling, or until release unless shared; or NULL */
    struct store_lock *fill;
    struct store *store; /* where it is; must outlive the volume */
    char *id;            /* as given to take */
    gboolean exclusive;  /* sharing is locked or private */
};
/* id is any text (cache id and namespace); private gives a free one of several instances, locked
 * waits; shared waits only for somebody who is filling it. */
struct volume *store_volume_take(struct store *s, const char *id, enum cache_sharing sharing,
                                 struct cancel *c, GError **err);
/* The ids of all volumes, sorted; owns its strings. */
GPtrArray *store_volume_ids(struct store *s, GError **err);
/* All volumes that are filled, sorted by id; owns its struct volume_info. NULL on error. */
struct volume_info {
    char *id;         /* as given to take; in several rows if several had it as private at once */
    char *dir;        /* "volumes/<id>", relative to the root */
    gint64 created;   /* seconds since the epoch */
    gint64 last_used; /* seconds since the epoch */
};
GPtrArray *store_volume_list(struct store *s, GError **err);
/* Removes the volumes of id that are not in use, so that the next take is fresh. One in use is
 * kept: waiting for its user could deadlock, since it may be waiting for a volume we hold. */
gboolean store_volume_forget(struct store *s, const char *id, GError **err);
/* A fresh volume is filled (or needs no filling): records it, so that others can share it. Call it
 * before the step runs, or other users wait for the whole step. No-op if not fresh. */
gboolean store_volume_ready(struct volume *v, GError **err);
/* Ends the use, after store_volume_ready() if that was not called. NULL is fine. */
void store_volume_release(struct volume *v);
/* Ends the use of a volume that could not be filled: a fresh one is emptied and is fresh again next
 * time.
 */
void store_volume_discard(struct volume *v);

typedef struct image_row image_row;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_row, image_row_free)
typedef struct volume volume;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(volume, store_volume_release)

#endif
