/* A tree: a sorted set of entries with a way to open their contents. Context scans and chains of
 * layers both become trees, so that COPY, bind mounts and keys need only one kind of source. */
#ifndef VARVE_CONTEXT_TREE_H
#define VARVE_CONTEXT_TREE_H

#include "base/entry.h"

struct tree {
    struct entry_list *entries; /* sorted; includes "" (the root directory) */
    char *name;                 /* for messages: "the build context", "stage build" */
    /* Opens a file's content for reading; -1 with *err. */
    int (*open)(struct tree *t, const struct entry *e, GError **err);
    /* Fills digest of the files whose has_digest is FALSE, in parallel; entries: struct entry*. */
    gboolean (*ensure_digests)(struct tree *t, GPtrArray *entries, GError **err);
    void (*free)(struct tree *t); /* frees what open and ensure_digests need, then t itself */
    gpointer data;                /* theirs */
    GMutex lock;                  /* guards filling in digests */
};
/* Calls t->free after freeing entries and name. NULL is fine. */
void tree_free(struct tree *t);

/* Index of the first entry at or below dir, and one past the last; FALSE when dir does not exist. */
gboolean tree_range(const struct tree *t, const char *dir, guint *lo, guint *hi);

/* Resolves path as a process rooted in the tree would (symlinks, "..", at most 40 links; the last
 * component too when follow). Returns the clean path, newly allocated, also when its last components
 * do not exist (*entry NULL then); NULL with error on a loop or when a non-directory is in the way. */
char *tree_resolve(const struct tree *t, const char *path, gboolean follow,
                   const struct entry **entry, GError **err);

/* What one COPY source, bind mount or ADD selects. */
struct selection {
    const char *pattern;         /* path or wildcard, relative to the tree's root */
    gboolean wildcard;           /* pattern may hold wildcards (Go filepath.Match) */
    gboolean follow;             /* follow a symlink named by pattern */
    const char *const *includes; /* NULL or ignore-style patterns */
    const char *const *excludes; /* NULL or ignore-style patterns (COPY --exclude), relative to a match */
    gboolean required;           /* nothing matching is an error */
};
/* One match of the pattern and what lies below it. */
struct selected {
    char *path;         /* the match, resolved, clean; "" for the root */
    GPtrArray *entries; /* const struct entry*: the match itself first, then what is below, less excludes */
};
/* Returns struct selected* in path order (owned); ensures no digests. Wildcards that match nothing and
 * missing paths are VARVE_ERROR_NOT_FOUND naming the pattern when required. */
GPtrArray *tree_select(struct tree *t, const struct selection *sel, GError **err);
/* Digest over a selection: for each match its base name and all entries relative to it, contents
 * included, without mtimes; the same files at another place in the tree give the same digest. */
gboolean tree_selection_digest(struct tree *t, GPtrArray *selected, struct digest *out, GError **err);
/* Lines "path<TAB>digest-hex" (symlinks: their target; tabs and newlines in paths as "?") for explaining differences, at most max files (else NULL). */
char *tree_selection_manifest(GPtrArray *selected, guint max);

typedef struct tree tree;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tree, tree_free)

#endif
