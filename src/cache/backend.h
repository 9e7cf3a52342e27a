/* One cache reference at one place: blobs by digest, and a set of segments (cache/segment.h).
 *
 * A reference only ever gains segments. Each is immutable, has a name of its own made of its
 * content, and is written by one writer without looking at what others write, so any number may
 * write at the same time and nothing is lost. A segment may say that it holds all of some others,
 * which may then be retired by anybody: who reads meanwhile lists again.
 *
 * Everything that comes from a backend is from outside: it is checked against its digest, and
 * segments are parsed as hostile. Errors are those of the room that does the work (net/http.h,
 * registry/registry.h): VARVE_ERROR_NOT_FOUND for what is not there, DENIED, OUTSIDE after retries,
 * INVALID for wrong content; they do not name the reference. All functions may be called from
 * several threads, and stop when the cancel they were opened with is set. */
#ifndef VARVE_CACHE_BACKEND_H
#define VARVE_CACHE_BACKEND_H

#include "base/cancel.h"
#include "base/event.h"
#include "cache/spec.h"
#include "image/unpack.h"
#include "registry/registry.h"

#define CACHE_SEGMENT_MAX (8 * 1024 * 1024) /* bytes of one segment as it is stored */
#define CACHE_SEGMENTS_MAX 10000            /* of one reference that are looked at */

/* A segment as listed. */
struct cache_listed {
    char *name;           /* for segment() and retire(): "sha256:…", or what the place needs */
    struct digest digest; /* of its bytes; zero: known only once it was read */
    gint64 created;       /* seconds since the epoch; 0: unknown */
    GBytes *bytes;        /* it came with the list; or NULL */
};
void cache_listed_free(struct cache_listed *l);

/* A blob that a place holds, for pruning. */
struct cache_held {
    struct digest digest;
    guint64 size;   /* bytes */
    gint64 written; /* seconds since the epoch: last written or touched */
};

struct cache_backend {
    const char *label; /* cache_spec.label, for messages; borrowed */
    /* Its blobs can be had from this repository of this registry, by whoever knows that it has them
     * (registry/origin.h); NULL: not so. Owned by the backend. */
    const char *host, *repository;
    /* The reference's segments now (struct cache_listed*). A reference that does not exist has
     * none. *foreign (may be NULL): there is something of another program's, and what it is
     * ("BuildKit's cache"); newly allocated. NULL on error. */
    GPtrArray *(*list)(struct cache_backend *self, char **foreign, GError **err);
    /* A listed segment's bytes, checked against its digest. NOT_FOUND: it was retired meanwhile. */
    GBytes *(*segment)(struct cache_backend *self, const struct cache_listed *l, GError **err);
    /* *there: the place holds the blob. A guess of TRUE costs a hit, one of FALSE an upload. */
    gboolean (*has)(struct cache_backend *self, const struct descriptor *d, gboolean *there,
                    GError **err);
    /* Brings the blob into the store; tap (may be NULL) sees the bytes as they arrive. */
    gboolean (*fetch)(struct cache_backend *self, const struct descriptor *d, struct blob_tap *tap,
                      GError **err);
    /* Sends a blob of the store. *sent (may be NULL): bytes that went over the wire, 0 when the
     * place took it from elsewhere. */
    gboolean (*put)(struct cache_backend *self, const struct descriptor *d, guint64 *sent,
                    GError **err);
    /* Adds a segment. blobs (struct descriptor*) are what it names, all put before. What the place
     * listed and the segment supersedes (names, char*) is left to retire(). */
    gboolean (*publish)(struct cache_backend *self, GBytes *segment, const GPtrArray *blobs,
                        GError **err);
    /* Removes segments that one published since holds (struct cache_listed*); those that cannot be
     * removed here stay, which is no error. NULL: nothing can be removed. */
    gboolean (*retire)(struct cache_backend *self, const GPtrArray *segments, GError **err);
    /* Segments of other references that share the blobs (struct cache_listed*, for segment()): what
     * they name must not be removed. NULL: blobs are not shared. */
    GPtrArray *(*others)(struct cache_backend *self, GError **err);
    /* For `varve cache prune`: what blobs there are (struct cache_held), and removing one. NULL
     * where the place does that itself. */
    GArray *(*held)(struct cache_backend *self, GError **err);
    gboolean (*remove)(struct cache_backend *self, const struct digest *d, GError **err);
    /* Removes what killed writers left beside the blobs and did not write since before (seconds
     * since the epoch); with dry_run only counts it. *n and *bytes are added to. NULL: nothing is
     * left there. */
    gboolean (*sweep)(struct cache_backend *self, gint64 before, gboolean dry_run, guint *n,
                      guint64 *bytes, GError **err);
    /* Claims (cache/share.h): small documents that are replaced all the time, each under its
     * writer's id (claim_is_name()). NULL, all of them: this place has none. */
    /* The ids that there are, the newest CLAIMS_MAX at most (char*). */
    GPtrArray *(*claims)(struct cache_backend *self, GError **err);
    /* One that is not there is NOT_FOUND. At most CLAIM_BYTES_MAX. */
    GBytes *(*claim_get)(struct cache_backend *self, const char *name, GError **err);
    gboolean (*claim_put)(struct cache_backend *self, const char *name, GBytes *bytes,
                          GError **err);
    /* UNSUPPORTED: nothing can be removed there. */
    gboolean (*claim_remove)(struct cache_backend *self, const char *name, GError **err);
    void (*free)(struct cache_backend *self);
};

/* What backends use; all borrowed for as long as the backend lives. */
struct cache_env {
    struct store *store;
    const struct registry_config *registry; /* logins, certificates and proxies, of registries and
                                               other servers; may be NULL */
    struct event_sink *events;              /* transfers; or NULL */
    struct cancel *cancel;                  /* or NULL */
};
/* A backend for spec (borrowed), without I/O: NULL with VARVE_ERROR_USAGE for what cannot work. An
 * inline reference is read from a registry, and written by the image itself (cache/inline.h). */
struct cache_backend *cache_open(const struct cache_spec *spec, const struct cache_env *env,
                                 GError **err);
void cache_close(struct cache_backend *b); /* NULL is fine */
/* Whether m is a cache of BuildKit's: an index, or a manifest, with a config of its own type. */
gboolean cache_is_buildkit(const struct manifest *m);

/* The backends, one file each. */
struct cache_backend *cache_registry_open(const struct cache_spec *spec,
                                          const struct cache_env *env, GError **err);
struct cache_backend *cache_local_open(const struct cache_spec *spec, const struct cache_env *env,
                                       GError **err);
struct cache_backend *cache_gha_open(const struct cache_spec *spec, const struct cache_env *env,
                                     GError **err);
struct cache_backend *cache_s3_open(const struct cache_spec *spec, const struct cache_env *env,
                                    GError **err);
struct cache_backend *cache_azblob_open(const struct cache_spec *spec, const struct cache_env *env,
                                        GError **err);

typedef struct cache_backend cache_backend;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_backend, cache_close)
typedef struct cache_listed cache_listed;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_listed, cache_listed_free)

#endif
