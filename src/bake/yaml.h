/* YAML: bytes → trees of values with places (YAML 1.1 as libyaml reads it, plain scalars as go-yaml
 * v3 resolves them: `yes` is text, 0755 is 493). Aliases and merges (<<) are expanded, so that a
 * tree is a tree. Keys are text and unique in a map.
 *
 * A file is hostile: its size, depth, and the values of all files together, expansions included,
 * are limited.
 *
 * Order of calls: yaml_pool_new(), yaml_parse() for each file, then trees are read and changed in
 * place; yaml_pool_free() frees all. An error is a GError and a place, pool->at. Not thread-safe.
 */
#ifndef VARVE_BAKE_YAML_H
#define VARVE_BAKE_YAML_H

#include "base/arena.h"
#include "bake/target.h"

#define YAML_MAX_BYTES (8 << 20) /* of a file */
#define YAML_MAX_DEPTH 100       /* of lists and maps within one another */
#define YAML_MAX_VALUES 200000   /* of a pool */

enum yaml_kind {
    YAML_NULL,
    YAML_BOOL,
    YAML_INT,
    YAML_FLOAT,
    YAML_TIME,
    YAML_TEXT,
    YAML_LIST,
    YAML_MAP,
};
/* Compose's tags, which say what merging does with an earlier file's value. */
enum yaml_mark {
    YAML_MERGED,
    YAML_RESET,    /* !reset: the key is removed; nothing in a list */
    YAML_OVERRIDE, /* !override: this value takes its place */
};

struct yaml_entry {
    const char *key;      /* may be "" */
    struct bake_where at; /* of the key */
    struct yaml *value;   /* never NULL */
};

struct yaml {
    enum yaml_kind kind;
    enum yaml_mark mark;
    gboolean done;              /* for the owner of the tree: what it did to this value already */
    struct bake_where at;       /* where it is written; of an alias: where the anchor is */
    const char *text;           /* scalars: as Go prints the value ("493", "+Inf"); "" of null */
    struct yaml **items;        /* of a list: n */
    struct yaml_entry *entries; /* of a map: n, in the order of the text */
    guint n;                    /* items or entries */
    guint room;                 /* allocated */
    GHashTable *index;          /* of a large map: key → number + 1; the pool's, or NULL */
};

struct yaml_pool {
    struct arena *arena;  /* owns all values */
    GPtrArray *tables;    /* GHashTable *: indexes */
    GPtrArray *texts;     /* struct diags *: what places point to, one for each file */
    guint values;         /* made so far */
    guint max_values;     /* YAML_MAX_VALUES; smaller in tests */
    struct bake_where at; /* of the last error; diags is NULL if it has no place */
};

struct yaml_pool *yaml_pool_new(void);
void yaml_pool_free(struct yaml_pool *p);

/* The documents of a file, struct yaml * each (the array is the caller's). NULL with
 * VARVE_ERROR_INVALID and p->at. */
GPtrArray *yaml_parse(struct yaml_pool *p, const char *name, const void *bytes, gsize len,
                      GError **err);

/* Sets *err (VARVE_ERROR_INVALID) and p->at; returns FALSE. */
gboolean yaml_fail(struct yaml_pool *p, struct bake_where at, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
/* "a string", "a map" … for messages. */
const char *yaml_kind_name(const struct yaml *v);
/* Whether it is text, a number, a bool or a time: whatever text represents. */
gboolean yaml_is_scalar(const struct yaml *v);

/* The value of a key; NULL: there is none, or one that !reset removed, or m is no map (or NULL). */
struct yaml *yaml_get(const struct yaml *m, const char *key);
/* The same, with the place of its key and whatever its mark is. */
struct yaml_entry *yaml_entry(const struct yaml *m, const char *key);

/* New values, with a place. NULL with *err when the pool is full. */
struct yaml *yaml_new(struct yaml_pool *p, enum yaml_kind kind, struct bake_where at, GError **err);
struct yaml *yaml_new_text(struct yaml_pool *p, const char *text, struct bake_where at,
                           GError **err);
/* A deep copy. */
struct yaml *yaml_copy(struct yaml_pool *p, const struct yaml *v, GError **err);
/* Appends to a list. */
void yaml_append(struct yaml_pool *p, struct yaml *list, struct yaml *value);
/* Sets a key of a map: in place of its value, or at the end. */
void yaml_set(struct yaml_pool *p, struct yaml *map, const char *key, struct bake_where at,
              struct yaml *value);
/* Removes a key, if it is there. */
void yaml_remove(struct yaml *map, const char *key);

/* Resolves a plain scalar by go-yaml's rules: kind, and text as above in *text (allocated in a,
 * or s itself). */
enum yaml_kind yaml_resolve(struct arena *a, const char *s, const char **text);

typedef struct yaml_pool yaml_pool;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(yaml_pool, yaml_pool_free)

#endif
