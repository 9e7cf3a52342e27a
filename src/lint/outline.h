/* What a Dockerfile offers: its targets, and the parameters that one of them accepts. */
#ifndef VARVE_LINT_OUTLINE_H
#define VARVE_LINT_OUTLINE_H

#include "lint/lint.h"

struct outline_item {
    char *name;            /* of what is listed */
    char *value;           /* args: the build argument, else the default, or NULL */
    char *description;     /* from a comment line above that starts with the name, or NULL */
    gboolean required;     /* secrets, ssh: by one of the mounts */
    guint line, last_line; /* of the stage's FROM, from 1 */
};
/* Each list has a name once, in the order of the file. */
struct outline {
    char *name;         /* of the target's stage, NULL when it has none */
    char *description;  /* or NULL */
    GPtrArray *args;    /* struct outline_item*: ARGs of the stages that the target needs, and the
                           global ones that these use. Of several with one name, the last in the stage
                           nearest to the target; without those that varve sets itself */
    GPtrArray *secrets; /* likewise: RUN --mount=type=secret */
    GPtrArray *ssh;     /* likewise: type=ssh */
    GPtrArray *caches;  /* likewise: type=cache; the name is the cache's id */
};
/* Of o->target. VARVE_ERROR_USAGE when there is no such stage. df must have been parsed without
 * errors. */
struct outline *outline_new(const struct dockerfile *df, const struct lint_options *o,
                            GError **err);
void outline_free(struct outline *x);

/* The text of the comment line above ins that starts with name, or NULL. */
char *outline_description(const struct instruction *ins, const char *name);

typedef struct outline outline;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(outline, outline_free)

#endif
