/* A tree: a sorted set of entries with a way to open their contents. Context scans and chains of
 * layers both become trees, so that COPY, bind mounts and keys read from one kind of source. */
#ifndef VARVE_TREE_TREE_H
#define VARVE_TREE_TREE_H

#include "base/entry.h"

struct tree {
    struct entry_list *entries; /* sorted; includes "" (the root directory) */
    char *name;                 /* for messages: "the build context", "stage build" */
    gboolean rooted;            /* of an image: messages start its paths with '/' */
    /* Opens a file's content for reading; -1 with *err. Thread-safe. */
    int (*open)(struct tree *t, const struct entry *e, GError **err);
    /* Sets digest (and xattrs that were not read before) of the entries whose has_digest is FALSE,
     * in parallel; fails for entries that cannot be copied from this tree. entries: struct entry*.
     * Thread-safe. */
    gboolean (*ensure_digests)(struct tree *t, GPtrArray *entries, GError **err);
    void (*free)(struct tree *t); /* frees data, which open and ensure_digests use, not t */
    gpointer data;                /* theirs */
    GMutex lock;                  /* guards filling in digests */
};
/* A tree that takes over entries (sorted) and copies name; the caller sets the callbacks and data.
 */
struct tree *tree_new(struct entry_list *entries, const char *name);
/* Calls t->free, then frees entries, name and t. NULL is fine. */
void tree_free(struct tree *t);

/* Index of the first entry at or below dir, and one past the last; FALSE when dir does not exist.
 */
gboolean tree_range(const struct tree *t, const char *dir, guint *lo, guint *hi);

/* Resolves path as a process rooted in the tree would (symlinks, "..", at most 40 links; the last
 * component only with follow). Returns the clean path, even if its last components do not exist
 * (then *entry is NULL); NULL with an error for a loop or if a component is not a directory. */
char *tree_resolve(const struct tree *t, const char *path, gboolean follow,
                   const struct entry **entry, GError **err);

/* What one COPY source, bind mount or ADD selects. */
struct selection {
    const char *pattern;         /* path or wildcard, relative to the tree's root */
    gboolean wildcard;           /* pattern may contain wildcards (Go filepath.Match) */
    gboolean follow;             /* follow a symlink named by pattern */
    const char *const *includes; /* NULL or ignore-style patterns, relative to a match */
    const char *const *excludes; /* NULL or ignore-style patterns (COPY --exclude), relative to a
                                    match; they apply below it, never to the match itself */
    gboolean parents;  /* COPY --parents: the part of pattern before "/./" is the match, the part
                          after it (without "/./": all of it) an include pattern */
    gboolean required; /* nothing matching is an error */
};
/* One match of the pattern and what is below it. */
struct selected {
    char *path; /* the match, resolved, clean; "" for the root */
    char *name; /* its last component as matched, before a symlink was followed; "" for the root */
    GPtrArray *entries; /* struct entry*: the match itself first, then what is below it, without
                           excludes but with the directories above each entry */
    /* entry → entry it is a hard link to, both selected; NULL when there are none */
    GHashTable *links;
};
/* Returns struct selected* in path order (owned); ensures no digests. Wildcards that match nothing
 * and missing paths are VARVE_ERROR_NOT_FOUND naming the pattern if required, else the result is
 * empty. A symlink to nothing is always an error. */
GPtrArray *tree_select(struct tree *t, const struct selection *sel, GError **err);
/* The selected entry that e is another name of, or NULL. (entry.hardlink is about the whole tree;
 * what it names may be outside the selection.) */
const struct entry *selected_link(const struct selected *s, const struct entry *e);
/* Path of e relative to the match; "" for the match itself. Points into e->path. */
const char *selected_rel(const struct selected *s, const struct entry *e);
/* Fills in the digests of everything selected. */
gboolean tree_ensure_selected(struct tree *t, GPtrArray *selected, GError **err);
/* Digest over a selection: for each match its base name and all entries relative to it, contents
 * included, without mtimes; the same files at another place in the tree give the same digest. */
gboolean tree_selection_digest(struct tree *t, GPtrArray *selected, struct digest *out,
                               GError **err);
/* For explaining differences: a line "path<TAB>digest-hex" for each selected entry except
 * directories; the digest covers the entry without its mtime (tabs and newlines in paths become
 * "?"). NULL when there are more than max. Digests must have been ensured. */
char *tree_selection_manifest(GPtrArray *selected, guint max);

typedef struct tree tree;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tree, tree_free)

#endif
