/* The request for a build: only values, owned, independent of a command line. A front end fills it
 * in (build/values.h parses the words of users and files) and may free it once the build is freed.
 *
 * Descriptors and the environment belong to the front end: what a build needs of them is a field
 * here. Relative paths start at the process's working directory, so a front end that serves several
 * clients must give absolute ones. */
#ifndef VARVE_BUILD_REQUEST_H
#define VARVE_BUILD_REQUEST_H

#include "cache/writer.h"
#include "exec/resources.h"
#include "graph/lower.h"
#include "output/output.h"
#include "source/sources.h"

enum build_context_kind {
    BUILD_CONTEXT_DIR,
    BUILD_CONTEXT_STDIN,   /* a Dockerfile or an archive, from in_fd */
    BUILD_CONTEXT_ARCHIVE, /* a file */
    BUILD_CONTEXT_HTTP,    /* a Dockerfile or an archive */
    BUILD_CONTEXT_GIT,
};
enum build_call { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS };

#define BUILD_MAX_PARALLEL 1000 /* steps of a build that run at the same time */
#define BUILD_MAX_PLATFORMS 100 /* of one build */

struct build_request {
    enum build_context_kind context_kind;
    char *context;     /* as given: a path, a URL or "-" */
    char *context_dir; /* of BUILD_CONTEXT_DIR, canonical; else NULL */
    char *file;        /* the Dockerfile: a path, a URL, "-" for in_fd; NULL: CONTEXT/Dockerfile */
    GBytes *dockerfile_inline; /* the Dockerfile's text, instead of file; or NULL */
    int in_fd;                 /* what "-" is read from, borrowed; -1: none */
    int out_fd;                /* what an output's dest "-" is written to, borrowed; -1: none */

    char *name;             /* the first tag as the user wrote it; NULL: none was given */
    GPtrArray *tags;        /* char*: canonical names, NULL-terminated */
    char *target;           /* a stage; NULL: the last */
    GHashTable *build_args; /* char* → char* */
    GPtrArray *given_args;  /* char*: names of those that the user gave, to report typing errors */
    char **labels;          /* "key=value", or NULL */
    char **no_cache_filter; /* stages, or NULL */
    gboolean no_cache;      /* --no-cache: no step is looked up */
    enum pull_policy pull;
    GArray *platforms;    /* struct platform, each once, in the order given; never empty */
    enum build_call call; /* what to do instead of a build */
    gboolean call_json;   /* as JSON */
    GPtrArray *contexts;  /* struct named_context* */
    GHashTable *secrets;  /* id → GBytes* */
    GHashTable *ssh;      /* id → socket's path */
    char *ssh_agent;  /* socket's path for contexts over ssh without a default in ssh; or NULL */
    GArray *hosts;    /* struct host_ip; strings borrowed from owned */
    GArray *ulimits;  /* struct ulimit; likewise */
    GPtrArray *owned; /* char* */
    enum net_mode network; /* of RUN */
    guint64 shm_size;      /* bytes, 0: default */
    char *cgroup_parent;   /* or NULL */
    guint parallel;        /* steps that may run at the same time, 0: default */
    struct resources resources;
    gboolean host_ca; /* make this host's certificates usable inside RUN */
    char *ca_bundle;  /* their file (SSL_CERT_FILE); NULL: where systems have it */
    gboolean allow_insecure, allow_host_network; /* --allow: the entitlements given */
    gboolean keep_failed; /* keep the state of a failed RUN, for build_debug() */

    GPtrArray *cache_from;  /* struct cache_spec* */
    GPtrArray *cache_to;    /* struct cache_spec* */
    GPtrArray *outputs;     /* struct output* */
    GPtrArray *annotations; /* struct annotation*, which build_set_outputs() gives each output */
    gboolean wants_id;      /* an image id is needed, whatever the outputs make */
    gboolean wants_sizes;   /* the size of what a push replaces is asked of its registry */
    char *docker_host;      /* as DOCKER_HOST; NULL: its default */
};
/* One with empty collections, this machine's platform and no descriptors. */
struct build_request *build_request_new(void);
void build_request_free(struct build_request *r);
/* The first platform, or the only one. */
const struct platform *build_first_platform(const struct build_request *r);
/* Whether its images are joined by an index: for several platforms, or because the argument
 * BUILDKIT_MULTI_PLATFORM asks for it. */
gboolean build_makes_index(const struct build_request *r);

typedef struct build_request build_request;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(build_request, build_request_free)

#endif
