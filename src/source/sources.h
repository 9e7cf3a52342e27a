/* Sources of a build: base images, the context, named contexts, secrets, ssh agents. Implements
 * both the resolver that lowering asks and the environment that the solver asks. */
#ifndef VARVE_SOURCE_SOURCES_H
#define VARVE_SOURCE_SOURCES_H

#include "base/cancel.h"
#include "base/event.h"
#include "graph/lower.h"
#include "registry/registry.h"
#include "solver/solver.h"
#include "tree/scan.h"

enum pull_policy {
    PULL_MISSING, /* ask a registry only for what is not here */
    PULL_ALWAYS,  /* ask what each tag names now */
    PULL_NEVER,   /* only what is here */
};
struct sources_options {
    struct store *store;
    const struct registry_config *registry;
    struct event_sink *events; /* or NULL */
    struct cancel *cancel;     /* or NULL */
    const char *context_dir;   /* NULL: there is no context (Dockerfile alone from stdin) */
    gboolean context_archive;  /* that is a temporary place where an archive was unpacked: its files
                                  keep  their owners, and nothing is remembered of it */
    struct ignore *context_ignore; /* of the context, borrowed; or NULL */
    GPtrArray *contexts;           /* struct named_context*, borrowed; or NULL */
    GHashTable *secrets;           /* id (char*) → GBytes*, borrowed; or NULL */
    GHashTable *ssh;               /* id (char*) → socket path (char*), borrowed; or NULL */
    enum pull_policy pull;
};
struct sources;
struct sources *sources_new(const struct sources_options *o);
void sources_free(struct sources *s);
struct image_resolver *sources_resolver(struct sources *s);
struct solver_env *sources_env(struct sources *s);
/* Saves stat caches; call after the build's keys were made. */
void sources_save(struct sources *s);
/* Chain of an image found by resolve() or held by the store, pulled and unpacked as needed. */
struct chain *sources_pull(struct sources *s, const struct reference *ref, const struct platform *p,
                           struct digest *manifest, GError **err);

typedef struct sources sources;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sources, sources_free)

#endif
