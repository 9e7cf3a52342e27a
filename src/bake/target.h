/* A target of a bake file as plain values: what HCL, its JSON flavour and Compose files are read
 * into, what `inherits` and --set work on, what --print shows and what builds are made of.
 *
 * An attribute that is not set is NULL (BAKE_UNSET): an empty text or list is a value of its own.
 * Attributes are described by one table, bake_attrs[], which reading, merging, printing and --set
 * share. All strings and containers belong to the target. Not thread-safe. */
#ifndef VARVE_BAKE_TARGET_H
#define VARVE_BAKE_TARGET_H

#include "bake/containers.h"
#include "dockerfile/diag.h"

/* A place in a text, for errors found after reading it. diags is the text's, borrowed, NULL: none
 * (the command line). */
struct bake_where {
    struct diags *diags; /* names the file and shows its lines */
    struct span span;    /* in it */
};

enum bake_bool { BAKE_UNSET, BAKE_FALSE, BAKE_TRUE };

/* The attributes in the order in which --print shows them. */
enum bake_attr_id {
    BAKE_DESCRIPTION,
    BAKE_INHERITS,
    BAKE_ANNOTATIONS,
    BAKE_ATTEST,
    BAKE_CONTEXT,
    BAKE_CONTEXTS,
    BAKE_DOCKERFILE,
    BAKE_DOCKERFILE_INLINE,
    BAKE_ARGS,
    BAKE_LABELS,
    BAKE_TAGS,
    BAKE_CACHE_FROM,
    BAKE_CACHE_TO,
    BAKE_TARGET,
    BAKE_SECRET,
    BAKE_SSH,
    BAKE_PLATFORMS,
    BAKE_OUTPUT,
    BAKE_PULL,
    BAKE_NO_CACHE,
    BAKE_NETWORK,
    BAKE_NO_CACHE_FILTER,
    BAKE_SHM_SIZE,
    BAKE_ULIMITS,
    BAKE_CALL,
    BAKE_ENTITLEMENTS,
    BAKE_EXTRA_HOSTS,
    BAKE_WITHOUT, /* not Docker's */
    BAKE_N_ATTRS
};

/* How an attribute is held in struct bake_target. */
enum bake_kind {
    BAKE_KIND_TEXT,    /* char *, or NULL */
    BAKE_KIND_BOOL,    /* enum bake_bool */
    BAKE_KIND_LIST,    /* GPtrArray * of char *, or NULL */
    BAKE_KIND_MAP,     /* GHashTable * of char * → char * (NULL: null), or NULL */
    BAKE_KIND_ENTRIES, /* GPtrArray * of GHashTable * (char * → char *), or NULL */
    BAKE_KIND_SSH,     /* GPtrArray * of struct bake_ssh *, or NULL */
};

/* What happens to the value of an earlier block, file or parent when a later one is set. */
enum bake_merge {
    BAKE_REPLACE,  /* the later value as a whole */
    BAKE_BY_KEY,   /* key by key; null values of the later one are skipped */
    BAKE_APPEND,   /* both; normalising drops duplicates and empties */
    BAKE_IDENTITY, /* both; of entries with the same identity the later one, in place of the
                    * earlier */
};

struct bake_attr {
    const char *name;     /* in files and --print: "cache-from" */
    enum bake_kind kind;  /* of the field */
    enum bake_merge rule; /* for merging */
    gsize offset;         /* of the field in struct bake_target */
    const char *identity; /* BAKE_IDENTITY of entries: the key that identifies one; else NULL */
};
extern const struct bake_attr bake_attrs[BAKE_N_ATTRS]; /* by enum bake_attr_id */
/* The attribute's number, or -1. */
gint bake_attr_find(const char *name);

struct bake_target {
    char *name;                            /* of the block or service */
    struct bake_where at;                  /* of its name */
    struct bake_where where[BAKE_N_ATTRS]; /* of each attribute that is set; merged with it */
    char *dir; /* what relative paths count from, for a context that is not set; NULL: the working
                * directory */

    char *description;          /* for --list */
    GPtrArray *inherits;        /* names, in order */
    GPtrArray *annotations;     /* "[TYPE[PLATFORM]:]KEY=VALUE" */
    GPtrArray *attest;          /* entries: type, disabled ("true" or not there), others */
    char *context;              /* as written */
    GHashTable *contexts;       /* name → as written */
    char *dockerfile;           /* as written, from the context */
    char *dockerfile_inline;    /* its text */
    GHashTable *args;           /* name → value; NULL value: null was written */
    GHashTable *labels;         /* likewise */
    GPtrArray *tags;            /* as written */
    GPtrArray *cache_from;      /* entries: type, others */
    GPtrArray *cache_to;        /* likewise */
    char *target;               /* the stage */
    GPtrArray *secret;          /* entries: id, src, env, each if it is set */
    GPtrArray *ssh;             /* struct bake_ssh * */
    GPtrArray *platforms;       /* as written */
    GPtrArray *output;          /* entries: type, dest (if set), others */
    enum bake_bool pull;        /* look for newer base images */
    enum bake_bool no_cache;    /* reuse no results */
    char *network;              /* of RUN */
    GPtrArray *no_cache_filter; /* stages */
    char *shm_size;             /* as written: "64m" */
    GPtrArray *ulimits;         /* "NAME=SOFT[:HARD]" */
    char *call;                 /* "lint", "outline", … */
    GPtrArray *entitlements;    /* "network.host", … */
    GHashTable *extra_hosts;    /* name → address; NULL value: null was written */
    GPtrArray *without; /* "unset": what is not inherited, "args.A"; gone once that is resolved */

    gboolean cwd;    /* the context was "cwd://…": of this machine even in a remote definition */
    gboolean linked; /* built for the sake of another target only ("target:" in contexts) */
};

struct bake_target *bake_target_new(const char *name);
void bake_target_free(struct bake_target *t);
/* Whether the attribute is set, maybe to something empty. */
gboolean bake_target_has(const struct bake_target *t, enum bake_attr_id id);
void bake_target_unset(struct bake_target *t, enum bake_attr_id id);
/* from's attributes on top of t's, as a later block, a later file or a child is put on an earlier
 * one. Name and linked stay t's. from stays the caller's; nothing is shared. */
void bake_target_merge(struct bake_target *t, const struct bake_target *from);
/* Takes away what is named: an attribute ("attest"), a key of a map ("args.A"), or the element of a
 * list with this identity ("secret.ID", "attest.sbom", "ulimits.nofile=1:2"). What is not there may
 * be named. VARVE_ERROR_INVALID: there is no such attribute, or it has no elements. */
gboolean bake_target_drop(struct bake_target *t, const char *what, GError **err);
/* Drops empties and duplicates from lists, contexts that are "", nulls of maps; network "host" adds
 * its entitlement. Repeating it changes nothing. */
void bake_target_normalise(struct bake_target *t);

typedef struct bake_target bake_target;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bake_target, bake_target_free)

#endif
