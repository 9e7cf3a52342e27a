/* The value of RUN --mount: "type=cache,target=/root/.npm,sharing=locked". A comma-separated record
 * (RFC 4180 quoting), key=value each; keys and values are checked against the type. */
#ifndef VARVE_DOCKERFILE_MOUNT_H
#define VARVE_DOCKERFILE_MOUNT_H

#include "base/mounttype.h"
#include "dockerfile/ast.h"

/* The flag as the syntax tree has it. */
struct mount_flag {
    const struct flag *flag;
    const struct pair *fields; /* in order; value as written, variables included; NULL: no '=' */
    guint n_fields;
    const char *from; /* what from= says; NULL: nothing, or a tmpfs, which has no source */
};

struct mount_spec {
    enum mount_type type;
    char *target; /* as written, maybe relative to the working directory; NULL when not given: bind,
                     cache and tmpfs mean the working directory, secret and ssh a usual place */
    char *source; /* bind, cache: path in from; secret: its id in the old spelling; or NULL */
    char *from;   /* bind, cache: stage, named context or image; NULL: the build context (bind) or
                     nothing (cache) */
    char *id;     /* cache, secret, ssh; or NULL */
    char *env;    /* secret: variable that gets it; or NULL */
    enum cache_sharing sharing; /* cache */
    gboolean readonly; /* with the type's default: cache and tmpfs are writable, others read-only */
    gboolean required; /* secret, ssh */
    gboolean has_mode, has_uid, has_gid;
    guint32 mode, uid, gid; /* cache, secret, ssh */
    guint64 size;           /* tmpfs: bytes, 0: no limit */
};

/* Expands the variables of one value; newly allocated, NULL with *err. */
typedef char *(*mount_expand_fn)(gpointer ctx, const char *value, GError **err);

/* Splits the value of f into fields; those are a's. Keys and values are looked at by
 * mount_spec_read(). VARVE_ERROR_INVALID when the quotes are wrong. */
gboolean mount_flag_parse(struct mount_flag *out, struct arena *a, const struct flag *f,
                          GError **err);
/* What m says; expand (may be NULL) is called for each value before it is used. On success *out is
 * to be cleared with mount_spec_clear(). VARVE_ERROR_INVALID names the key that is wrong. */
gboolean mount_spec_read(struct mount_spec *out, const struct mount_flag *m, mount_expand_fn expand,
                         gpointer ctx, GError **err);
void mount_spec_clear(struct mount_spec *m);

#endif
