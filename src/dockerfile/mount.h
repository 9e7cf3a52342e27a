/* The value of RUN --mount: "type=cache,target=/root/.npm,sharing=locked". A comma-separated record
 * (RFC 4180 quoting), key=value each; keys and values are checked against the type. */
#ifndef VARVE_DOCKERFILE_MOUNT_H
#define VARVE_DOCKERFILE_MOUNT_H

#include <glib.h>

enum run_mount_type {
    RUN_MOUNT_BIND,
    RUN_MOUNT_CACHE,
    RUN_MOUNT_TMPFS,
    RUN_MOUNT_SECRET,
    RUN_MOUNT_SSH
};
enum run_mount_sharing { RUN_SHARING_SHARED, RUN_SHARING_PRIVATE, RUN_SHARING_LOCKED };

struct run_mount {
    enum run_mount_type type;
    char *target; /* as written, maybe relative to the working directory; NULL when not given: bind,
                     cache and tmpfs mean the working directory, secret and ssh a usual place */
    char *source; /* bind, cache: path in from; secret: its id in the old spelling; or NULL */
    char *from;   /* bind, cache: stage, named context or image; NULL: the build context (bind) or
                     nothing (cache) */
    char *id;     /* cache, secret, ssh; or NULL */
    char *env;    /* secret: variable that gets it; or NULL */
    enum run_mount_sharing sharing; /* cache */
    gboolean readonly; /* with the type's default: cache and tmpfs are writable, others read-only */
    gboolean required; /* secret, ssh */
    gboolean has_mode, has_uid, has_gid;
    guint32 mode, uid, gid; /* cache, secret, ssh */
    guint64 size;           /* tmpfs: bytes, 0: no limit */
};

/* Expands the variables of one value; newly allocated, NULL with *err. */
typedef char *(*mount_expand_fn)(gpointer ctx, const char *value, GError **err);

/* Parses text; expand (may be NULL) is called for each value before it is used. On success *out is
 * to be cleared with run_mount_clear(). VARVE_ERROR_INVALID names the key that is wrong. */
gboolean run_mount_parse(struct run_mount *out, const char *text, mount_expand_fn expand,
                         gpointer ctx, GError **err);
void run_mount_clear(struct run_mount *m);
/* The value of "from" as written, variables and all, newly allocated; NULL when text has none (or
 * is malformed, or a tmpfs, which has no source). Lowering needs it before variables are known. */
char *run_mount_peek_from(const char *text);

#endif
