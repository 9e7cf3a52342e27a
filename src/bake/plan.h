/* What is to be built: the targets that were asked for and those that they need, with all that they
 * inherit, what --set says, and defaults. */
#ifndef VARVE_BAKE_PLAN_H
#define VARVE_BAKE_PLAN_H

#include "bake/defs.h"
#include "bake/override.h"

/* A prefix of values of contexts: another target is the context. */
#define BAKE_LINK "target:"

struct bake_plan {
    GPtrArray *targets; /* struct bake_target *, by name; context and dockerfile are always set */
    GPtrArray *groups;  /* struct bake_group *, by name: those reached; "default" is what was asked
                         * for */
    GHashTable *names;  /* name → target, borrowed */
    gboolean remote;    /* paths of contexts are inside a remote definition (bake/remote.h), but for
                         * those of cwd:// */
};

/* asked: names and patterns of targets and groups; NULL or empty: "default". epoch: value of
 * SOURCE_DATE_EPOCH, an arg of targets that have none, or NULL. NULL with *err and *at, which has
 * no diags if the error has no place: VARVE_ERROR_USAGE for what was asked, else
 * VARVE_ERROR_INVALID. */
struct bake_plan *bake_plan_new(const struct bake_defs *defs, const struct overrides *overrides,
                                char **asked, const char *epoch, struct bake_where *at,
                                GError **err);
void bake_plan_free(struct bake_plan *p);

/* Checks what can be known to be wrong before a build: platforms, ulimits, sizes, annotations,
 * outputs, that files of secrets and keys are there (environment: char * → char *). */
gboolean bake_plan_check(const struct bake_plan *p, GHashTable *environment, struct bake_where *at,
                         GError **err);

/* What --print shows: the plan as JSON that is itself a bake definition, with a newline at the
 * end. */
char *bake_plan_json(const struct bake_plan *p);
/* Appends text as a JSON string, as Go writes it. escape: "${" and "%{" as templates have them. */
void bake_json_string(GString *out, const char *text, gboolean escape);

typedef struct bake_plan bake_plan;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bake_plan, bake_plan_free)

#endif
