/* One compose_load(): what its parts share. */
#ifndef VARVE_BAKE_COMPOSING_H
#define VARVE_BAKE_COMPOSING_H

#include "bake/compose.h"

struct composing {
    struct compose *compose;
    struct yaml_pool *pool; /* compose's */
    const struct compose_source *source;
    GHashTable *env;      /* char * → char *: the environment and .env */
    GHashTable *extended; /* char *: path → struct yaml *, services of a file that others extend */
    GHashTable *unset;    /* char *: variables of which a warning told already */
    gsize interpolated;   /* bytes that interpolation made */
};

/* Of one file that is being loaded. */
struct composing_file {
    struct composing *c; /* what it is part of */
    const char *name;    /* path from the working directory */
    const char *dir;     /* what its relative paths count from: "" is the working directory */
    GHashTable *vars;    /* char * → char *: its variables */
    const struct composing_file *up; /* the file that includes it, or NULL */
    guint depth;                     /* of up's */
};

void compose_warn(struct composing *c, struct bake_where at, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
/* base/path, cleaned: a "~" in front is the home directory; absolute ones stay. Of the pool. */
const char *compose_path(const struct composing *c, const char *base, const char *path);
/* The variables of a .env file added to vars: lookup's come first. A failure to read it is none
 * when optional. */
gboolean compose_env_file(struct composing *c, const char *path, gboolean optional,
                          GHashTable *vars, GHashTable *lookup, struct bake_where at, GError **err);
/* Reads and parses a file that is named at a place. NULL with *err. */
GPtrArray *compose_documents(struct composing *c, const char *path, struct bake_where at,
                             GError **err);

/* Loads a file's documents one after the other over *model (NULL at first). */
gboolean compose_load_documents(struct composing_file *f, GPtrArray *documents, struct yaml **model,
                                GError **err);
/* A document's services and secrets as they are needed below: variables replaced, `build` a map. */
gboolean compose_prepare(struct composing_file *f, struct yaml *root, GError **err);
/* Makes relative paths of services and secrets count from the working directory, once. */
void compose_resolve_paths(struct composing *c, const char *dir, struct yaml *model);

/* Replaces all services that extend others by what this makes of them. */
gboolean compose_extend(struct composing_file *f, struct yaml *root, GError **err);
/* Adds the services and secrets of the files that root includes to root. */
gboolean compose_include(struct composing_file *f, struct yaml *root, GError **err);

/* other over base; both may be changed, and the result has parts of both. With keep what !reset and
 * !override say stays for a later merge. NULL with *err. */
struct yaml *compose_merge(struct yaml_pool *p, struct yaml *base, struct yaml *other,
                           gboolean keep, GError **err);
/* The same for two services. */
struct yaml *compose_merge_service(struct yaml_pool *p, struct yaml *base, struct yaml *other,
                                   GError **err);

/* The targets of the whole model. */
gboolean compose_targets(struct composing *c, const struct yaml *model, struct bake_defs *defs,
                         GError **err);

/* A service's build section. */
struct composing_build {
    struct composing *c;         /* what it is part of */
    const char *service;         /* its name */
    const struct yaml *services; /* all of them */
    const struct yaml *secrets;  /* the top-level section, or NULL */
    GHashTable *environment;     /* of the service */
    struct bake_target *target;  /* what is filled */
};
/* Reads `build`, a map. */
gboolean compose_build(struct composing_build *b, const struct yaml *build, GError **err);
/* Reads `x-bake`. */
gboolean compose_xbake(struct composing_build *b, const struct yaml *xbake, GError **err);
/* Sets *err: the value v is not what "services.NAME.KEY" must be. */
gboolean compose_wrong(struct composing *c, const char *service, const char *key,
                       const struct yaml *v, const char *must, GError **err);
/* Pairs of a map or a list ("A=x"), in order. value is NULL for a name alone; FALSE ends it. */
typedef gboolean (*compose_pair)(gpointer self, const char *name, const char *value,
                                 struct bake_where at, GError **err);
gboolean compose_pairs(struct composing *c, const char *service, const char *key,
                       const struct yaml *v, compose_pair each, gpointer self, GError **err);
/* "service:web.x" as "target:web_x", all else as it is. The caller's. */
char *compose_context(const char *value);

#endif
