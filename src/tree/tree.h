/* A tree: a sorted set of entries with a way to open their contents. Context scans and chains of
 * layers both become trees, so that COPY, bind mounts and keys need only one kind of source. */
#ifndef VARVE_TREE_TREE_H
#define VARVE_TREE_TREE_H

#include "base/entry.h"

struct tree {
    struct entry_list *entries; /* sorted; includes "" (the root directory) */
    char *name;                 /* for messages: "the build context", "stage build" */
    gboolean rooted;            /* of an image: messages begin its paths with '/' */
    /* Opens a file's content for reading; -1 with *err. Thread-safe. */
    int (*open)(struct tree *t, const struct entry *e, GError **err);
    /* Fills digest (and the xattrs that are known only from then on) of the entries whose
     * has_digest is FALSE, in parallel; refuses what cannot be taken from this tree. entries:
     * struct entry*. Thread-safe. */
    gboolean (*ensure_digests)(struct tree *t, GPtrArray *entries, GError **err);
    void (*free)(struct tree *t); /* frees what open and ensure_digests need: data, not t */
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
 * component too when follow). Returns the clean path, newly allocated, also when its last
 * components do not exist (*entry NULL then); NULL with error on a loop or when a non-directory is
 * in the way. */
char *tree_resolve(const struct tree *t, const char *path, gboolean follow,
                   const struct entry **entry, GError **err);

/* What one COPY source, bind mount or ADD selects. */
struct selection {
    const char *pattern;         /* path or wildcard, relative to the tree's root */
    gboolean wildcard;           /* pattern may hold wildcards (Go filepath.Match) */
    gboolean follow;             /* follow a symlink named by pattern */
    const char *const *includes; /* NULL or ignore-style patterns, relative to a match */
    const char *const *excludes; /* NULL or ignore-style patterns (COPY --exclude), relative to a
                                    match: what lies below it, never the match itself */
    gboolean parents;  /* COPY --parents: what is before "/./" in pattern is the match, what is
                          behind it  (without "/./": all of it) an include pattern */
    gboolean required; /* nothing matching is an error */
};
/* One match of the pattern and what lies below it. */
struct selected {
    char *path; /* the match, resolved, clean; "" for the root */
    char *name; /* its last component as matched, before a symlink was followed; "" for the root */
    GPtrArray *entries; /* struct entry*: the match itself first, then what is below, less excludes;
                           with the directories above each of them */
    GHashTable
        *links; /* entry → entry it is a hard link to, both selected; NULL when there are none */
};
/* Returns struct selected* in path order (owned); ensures no digests. Wildcards that match nothing
 * and missing paths are VARVE_ERROR_NOT_FOUND naming the pattern when required; without, the result
 * is empty. A symlink to nothing is always an error. */
GPtrArray *tree_select(struct tree *t, const struct selection *sel, GError **err);
/* The selected entry that e is a further name of, or NULL. (entry.hardlink speaks of the whole
 * tree; what it names may be outside the selection.) */
const struct entry *selected_link(const struct selected *s, const struct entry *e);
/* Path of e relative to the match; "" for the match itself. Points into e->path. */
const char *selected_rel(const struct selected *s, const struct entry *e);
/* Fills in the digests of everything selected. */
gboolean tree_ensure_selected(struct tree *t, GPtrArray *selected, GError **err);
/* Digest over a selection: for each match its base name and all entries relative to it, contents
 * included, without mtimes; the same files at another place in the tree give the same digest. */
gboolean tree_selection_digest(struct tree *t, GPtrArray *selected, struct digest *out,
                               GError **err);
/* For explaining differences: a line "path<TAB>digest-hex" for each selected entry but directories,
 * where the digest stands for all of the entry but its mtime (tabs and newlines in paths as "?").
 * Newly allocated; NULL when there are more than max. Digests must have been ensured. */
char *tree_selection_manifest(GPtrArray *selected, guint max);

typedef struct tree tree;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tree, tree_free)

#endif
