/* Sources of a build: base images, the context, named contexts, secrets, ssh agents. Implements
 * both lowering's resolver and the solver's environment. */
#ifndef VARVE_SOURCE_SOURCES_H
#define VARVE_SOURCE_SOURCES_H

#include "base/cancel.h"
#include "base/event.h"
#include "graph/lower.h"
#include "registry/registry.h"
#include "solver/solver.h"
#include "tree/scan.h"

/* Of several that share their sources the last in this order counts. */
enum pull_policy {
    PULL_MISSING, /* ask a registry only for what is not in the store */
    PULL_ALWAYS,  /* ask for the current image of each tag */
    PULL_NEVER,   /* use only what is in the store */
};
/* "" and "true" are always, as docker build --pull means it, "false" is missing; NULL: missing.
 * option is how messages call it, "--pull " or "--pull=". VARVE_ERROR_USAGE. */
gboolean pull_policy_parse(const char *option, const char *text, enum pull_policy *out,
                           GError **err);
struct sources_options {
    struct store *store;
    const struct registry_config *registry;
    char **env;                /* "NAME=value" of whom it is for, borrowed; or NULL */
    struct event_sink *events; /* or NULL */
    struct cancel *cancel;     /* or NULL */
    GHashTable *secrets;   /* id (char*) → GBytes*, of sources on the network, borrowed; or NULL */
    const char *ssh_agent; /* socket for repositories over ssh, borrowed; or NULL */
    enum pull_policy pull;
};
/* The directories that one Dockerfile's local sources read. */
struct source_contexts {
    const char *id;   /* lower_options.context_id; NULL: all that is solved has these */
    const char *dir;  /* the build context; NULL: there is none (Dockerfile alone from stdin) */
    gboolean archive; /* that is a temporary place where an archive was unpacked: its files keep
                         their owners, and nothing is remembered of it */
    struct ignore *ignore; /* of the build context, borrowed; or NULL */
    GPtrArray *named;      /* struct named_context*, or NULL */
};
/* What the RUN of one build may use, borrowed; each may be NULL. */
struct source_keys {
    GHashTable *secrets; /* id (char*) → GBytes* */
    GHashTable *ssh;     /* id (char*) → socket path (char*) */
};
struct sources;
struct sources *sources_new(const struct sources_options *o);
void sources_free(struct sources *s);
/* Before the graph of that Dockerfile is solved; those of an id are added once. What is borrowed
 * must outlive s. */
void sources_add_contexts(struct sources *s, const struct source_contexts *c);
/* Those of the build with the next number (vertex_meta.owner), from 0. */
void sources_add_keys(struct sources *s, const struct source_keys *k);
struct image_resolver *sources_resolver(struct sources *s);
struct solver_env *sources_env(struct sources *s);
/* Saves stat caches; call after the build's keys were made. */
void sources_save(struct sources *s);
/* Chain of an image found by resolve() or held by the store, with all files. */
struct chain *sources_pull(struct sources *s, const struct reference *ref, const struct platform *p,
                           GError **err);

typedef struct sources sources;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sources, sources_free)

#endif
