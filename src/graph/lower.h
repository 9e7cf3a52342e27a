/* Lowering: AST → graph. Resolves stages, names, substitutions, platforms, named contexts and
 * triggers (ONBUILD); runs nothing and reads no file. Base images are looked up through a resolver,
 * since ENV substitution, ONBUILD and the final config depend on their configs. */
#ifndef VARVE_GRAPH_LOWER_H
#define VARVE_GRAPH_LOWER_H

#include "dockerfile/diag.h"
#include "dockerfile/parser.h"
#include "graph/graph.h"
#include "graph/imageconf.h"

/* A base image as found. */
struct resolved_image {
    char *canonical;         /* "docker.io/library/node:20" */
    struct digest digest;    /* of the platform's manifest; of an image built here its config's */
    struct image_conf *conf; /* parsed config */
};
void resolved_image_clear(struct resolved_image *r);

enum context_kind {
    CONTEXT_LOCAL,
    CONTEXT_IMAGE,
    CONTEXT_OCI_LAYOUT,
    CONTEXT_GIT,
    CONTEXT_HTTP,
    CONTEXT_BUILD, /* the result of another build of the batch */
};
struct named_context {
    char *name; /* as written in the Dockerfile, e.g. "node:20-alpine" or "assets" */
    enum context_kind kind;
    char *value; /* directory, image reference, "<path>[:tag|@digest]", URL, name of a build */
};
/* What takes the place of a stage or image of that name for p: one for just this platform
 * ("name::linux/arm64") before others, and the last of several. contexts (struct named_context*)
 * may be NULL; so may the result, which is borrowed. */
const struct named_context *named_context_find(const GPtrArray *contexts, const char *name,
                                               const struct platform *p);

struct image_resolver {
    /* Finds reference (normalised text; or the value of an image or oci-layout context, by kind)
     * for platform. Blocking; called once per distinct reference and platform, from several threads
     * at once. */
    gboolean (*resolve)(struct image_resolver *self, enum context_kind kind, const char *reference,
                        const struct platform *p, struct resolved_image *out, GError **err);
    /* The time of the content of a repository or a URL, in seconds since 1970: a commit's committer
     * time, a URL's Last-Modified, else that of the newest file in an archive; -1 if unknown.
     * Blocking; only called for SOURCE_DATE_EPOCH. */
    gboolean (*time_of)(struct image_resolver *self, const struct source_op *op, gint64 *seconds,
                        GError **err);
};

struct lowered;
struct lower_options {
    /* char* → char* (NULL value: from the environment, already looked up) */
    GHashTable *build_args;
    const char *const *labels; /* "k=v" list or NULL */
    const char *target;        /* stage name, NULL: the last */
    struct platform platform;  /* wanted */
    struct platform build_platform;
    gboolean several;            /* the graph is for several platforms: vertex_meta.target is set */
    enum net_mode network;       /* of RUN without --network */
    const struct host_ip *hosts; /* n_hosts, of --add-host */
    guint n_hosts;
    const struct ulimit *ulimits; /* n_ulimits, of --ulimit */
    guint n_ulimits;
    guint64 shm_size;          /* bytes, 0: default */
    const char *cgroup_parent; /* or NULL */
    const char *context_id; /* tells the build context, its ignore file included, from others in the
                               same graph; named ones then are told apart by their directories.
                               NULL: all results of the graph have the same contexts */
    GPtrArray *contexts;    /* struct named_context* or NULL */
    const struct source_op *context_source; /* the repository or URL that the context came from, as
                                               it is now; NULL: neither */
    gboolean no_cache;
    const char *const *no_cache_filter; /* stage names or NULL */
    const char *slot_prefix; /* identifies this Dockerfile, context and platform, to compare with
                                earlier builds; or NULL */
    const char *created;     /* RFC 3339 for history entries, NULL: none */
    gboolean all_stages;     /* look up the bases of stages the target does not need, too */
    gboolean allow_insecure; /* --allow security.insecure */
    gboolean allow_host_network; /* --allow network.host */
    struct image_resolver *resolver;
    /* The result of the build that a context of kind CONTEXT_BUILD names, for platform p, borrowed;
     * its vertices are in graph. NULL when there is no such context. */
    const struct lowered *(*result_of)(gpointer ctx, const char *build, const struct platform *p,
                                       GError **err);
    gpointer result_ctx;
    /* graph to add to, so that several results share equal steps; NULL: a new graph */
    struct graph *graph;
};

struct lowered {
    struct graph *graph;     /* a reference */
    struct vertex *result;   /* NULL: the target is an untouched scratch */
    struct image_conf *conf; /* config of the result; its history's non-empty entries match the
                                result's layers one to one, base layers included */
    char *stage;             /* name or number of the target */
    gint64 epoch;            /* SOURCE_DATE_EPOCH of the arguments or of an ARG before the first
                                FROM, in seconds; -1: none */
    GPtrArray *bases; /* struct image_conf* by stage, of the image it starts from; NULL: not an
                         image, or not looked up */
};
void lowered_free(struct lowered *l);
/* Errors of the Dockerfile go to diags (with position), all others to err; NULL in both cases. A
 * base image that is not found is an error in diags at the FROM, with the resolver's message. */
struct lowered *lower(const struct dockerfile *df, const struct lower_options *o,
                      struct diags *diags, GError **err);

typedef struct lowered lowered;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lowered, lowered_free)

#endif
