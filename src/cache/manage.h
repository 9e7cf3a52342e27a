/* Looking after a cache: what it holds, removing what is old, checking that it is whole, copying.
 *
 * All of it may run beside builds that write to the same reference: nothing that they add is lost.
 * Errors are those of cache/backend.h and collect(), and do not name the reference. */
#ifndef VARVE_CACHE_MANAGE_H
#define VARVE_CACHE_MANAGE_H

#include "cache/collect.h"

/* Parses a reference: what --cache-from and --cache-to take (of type=local either of src= and
 * dest=), an image name (type=registry), or a directory that begins with '/', "./" or "../"
 * (type=local). env and notes as for cache_spec_parse(). */
struct cache_spec *manage_parse(enum cache_use use, const char *text, char **env, GPtrArray *notes,
                                GError **err);

/* A result of a cache, as prune and verify see it. */
struct manage_entry {
    const struct cache_record *record;   /* of the collected segment; or NULL, then: */
    const struct cache_mount_ref *mount; /* likewise */
    gint64 used;                         /* seconds since the epoch: last hit, or made */
    guint64 size;  /* bytes: of its own layer as it is stored; of a mount, of its packs */
    gboolean lost; /* a blob of it is not there, or wrong */
};
/* Everything that s (borrowed) holds, the most recently used first (struct manage_entry). */
GArray *manage_entries(const struct cache_segment *s);
/* Bytes of all blobs that s names and that are held with it. */
guint64 manage_bytes(const struct cache_segment *s);

struct prune_request {
    gint64 keep_s;      /* seconds: what was not used for longer goes; 0: no matter */
    guint64 max_bytes;  /* of blobs: then the least recently used go; 0: no matter */
    gboolean dry_run;   /* changes nothing */
    gint64 unwritten_s; /* blobs that were written since are left alone; usually
                           MANAGE_UNWRITTEN_S */
};
#define MANAGE_UNWRITTEN_S (60 * 60)
struct prune_result {
    guint dropped, kept;   /* entries */
    guint lost;            /* of the dropped, those whose blobs are gone */
    guint stayed;          /* segments that could not be removed */
    guint blobs;           /* that were removed */
    guint64 bytes;         /* of them */
    guint64 dropped_bytes; /* of blobs that only dropped entries name */
    gboolean leaves_blobs; /* the place removes blobs itself, some time */
};
/* Drops entries whose blobs are gone and those that the request says; then removes the blobs that
 * no segment names. What a reference in the same place names, or was just written, stays. */
gboolean manage_prune(struct cache_backend *b, const struct prune_request *r, struct cancel *stop,
                      struct prune_result *out, GError **err);

/* A blob that is not as it should be. */
struct manage_problem {
    struct digest digest;
    char *why; /* "is not there" */
};
struct verify_result {
    struct collected all; /* what it holds */
    GArray *entries;      /* struct manage_entry; lost is set */
    GPtrArray *problems;  /* struct manage_problem* */
    guint blobs;          /* looked at */
    guint64 bytes;        /* of them */
};
/* Looks at every blob that b names. read_into (NULL: only sizes are compared): the store that b was
 * opened with, into which each is fetched, checked, and removed from again: one of its own. Clear
 * out in any case. */
gboolean manage_verify(struct cache_backend *b, struct store *read_into, struct cancel *stop,
                       struct verify_result *out, GError **err);
void verify_result_clear(struct verify_result *r);

struct copy_result {
    guint entries; /* that are new there */
    guint there;   /* that were there */
    guint lost;    /* that could not be copied, since blobs of them are gone */
    guint blobs;   /* sent */
    guint64 bytes; /* sent */
};
/* Adds what from holds to to. scratch: the store that both were opened with; blobs pass through
 * it and are removed from it. */
gboolean manage_copy(struct cache_backend *from, struct cache_backend *to, struct store *scratch,
                     struct cancel *stop, struct copy_result *out, GError **err);

#endif
