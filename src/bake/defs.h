/* All targets and groups that bake files define, by name. */
#ifndef VARVE_BAKE_DEFS_H
#define VARVE_BAKE_DEFS_H

#include "bake/target.h"

/* Names of targets and groups that are built together. */
struct bake_group {
    char *name;           /* letters, digits, _ and - */
    struct bake_where at; /* of its name */
    char *description;    /* or NULL */
    GPtrArray *targets;   /* char *: targets and groups, in order */
    gboolean unlisted;    /* targets is empty because there is no list: null for --print */
};
struct bake_group *bake_group_new(const char *name);
void bake_group_free(struct bake_group *g);

/* What files define. Names are unique; a group may have the name of a target, which it hides. */
struct bake_defs {
    GPtrArray *targets;       /* struct bake_target *, in the order of their first definition */
    GPtrArray *groups;        /* struct bake_group *, likewise */
    GHashTable *target_names; /* name → target, borrowed */
    GHashTable *group_names;  /* name → group, borrowed */
};
struct bake_defs *bake_defs_new(void);
void bake_defs_free(struct bake_defs *d);
/* Takes t: merged into the target of its name, or added. */
void bake_defs_target(struct bake_defs *d, struct bake_target *t);
/* Takes g: in place of the group of its name, or added. */
void bake_defs_group(struct bake_defs *d, struct bake_group *g);

typedef struct bake_group bake_group;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bake_group, bake_group_free)
typedef struct bake_defs bake_defs;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bake_defs, bake_defs_free)

#endif
