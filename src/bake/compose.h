/* Compose files (compose-spec, as buildx reads them) → targets, one for each service with a `build`
 * section, and the group "default" of them all. `x-bake` adds what Compose has no word for.
 *
 * Several files are one project: later ones are merged over earlier ones. `extends` and `include`
 * bring in more files, `.env` variables. What is read of a file: image, build, environment,
 * env_file and extends of services, secrets, include; all else is ignored, but variables in it must
 * be well-formed.
 *
 * Order of calls: compose_new(), compose_load() once, then warnings and targets are used (their
 * places point to texts of the struct compose), compose_free(). An error is a GError and a place,
 * c->pool->at: to show it, diags_gerror(at.diags, at.span, err), or without diags the error alone.
 * Not thread-safe. */
#ifndef VARVE_BAKE_COMPOSE_H
#define VARVE_BAKE_COMPOSE_H

#include "bake/defs.h"
#include "bake/yaml.h"

#define COMPOSE_MAX_DEPTH                                                                          \
    50 /* of files that include one another, of services that extend others                        \
        */

/* Reads a file, by a path from the working directory; at most YAML_MAX_BYTES. NULL with an error,
 * VARVE_ERROR_NOT_FOUND if it is not there. */
typedef GBytes *(*compose_read)(gpointer self, const char *path, GError **err);

struct compose_file {
    const char *name; /* as the user knows it, "compose.yaml" */
    GBytes *bytes;    /* all of it */
};

struct compose_source {
    const struct compose_file *files; /* n_files, in the order of merging */
    guint n_files;
    GHashTable *env;   /* char * → char *: the user's environment, without .env */
    const char *home;  /* what "~" stands for in paths, or NULL */
    compose_read read; /* for .env, env_file, extends and include */
    gpointer self;     /* of read */
};

struct compose_warning {
    struct bake_where at; /* what it is about */
    char *message;        /* one line */
};

struct compose {
    struct yaml_pool *pool; /* texts of all files, and the place of the error */
    GPtrArray *warnings;    /* struct compose_warning *, in the order found */
};

struct compose *compose_new(void);
void compose_free(struct compose *c);
/* Adds the targets of all services to defs, in the order of the files, and their group. FALSE with
 * *err: VARVE_ERROR_INVALID, or what read said. */
gboolean compose_load(struct compose *c, const struct compose_source *source,
                      struct bake_defs *defs, GError **err);

typedef struct compose compose;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(compose, compose_free)

#endif
