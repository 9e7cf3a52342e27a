/* Entries of GitHub's cache service, version 2 (twirp over JSON): immutable, under keys, in scopes
 * that the token names. Their bytes are at signed URLs of Azure, which expire. */
#ifndef VARVE_CACHE_GHAENTRY_H
#define VARVE_CACHE_GHAENTRY_H

#include "cache/blockblob.h"

struct ghacache {
    struct service service; /* first; signs with the token, but for signed URLs */
    struct url *url;        /* ACTIONS_RESULTS_URL */
    char *bearer;           /* "Authorization: Bearer …" */
    guint timeout_s;        /* longest waiting for a writer's request */
    guint first_delay_ms;   /* between looks for what somebody else is making */
};
/* VARVE_ERROR_USAGE where there is no service. */
gboolean ghacache_init(struct ghacache *g, const struct cache_spec *spec,
                       const struct cache_env *env, GError **err);
void ghacache_clear(struct ghacache *g);

/* The entry's signed URL: of key exactly, or the newest that begins with it. *url is NULL when
 * there is none; *matched (may be NULL) gets its key. */
gboolean ghacache_find(struct ghacache *g, const char *key, gboolean prefix, struct url **url,
                       char **matched, GError **err);
/* Its bytes, at most max; *matched as above. NULL without error: there is none. */
GBytes *ghacache_read(struct ghacache *g, const char *key, gboolean prefix, gsize max,
                      char **matched, GError **err);
/* Brings an entry's bytes, which are d's blob, into the store. VARVE_ERROR_NOT_FOUND. */
gboolean ghacache_fetch(struct ghacache *g, const char *key, const struct descriptor *d,
                        struct blob_tap *tap, GError **err);

enum ghacache_made {
    GHACACHE_FAILED,
    GHACACHE_MADE,
    GHACACHE_EXISTS, /* somebody else has made it, or is about to */
    GHACACHE_BURNT,  /* its upload URL was no longer accepted: the key cannot be used any more */
};
/* Makes an entry of bytes or u (the other is NULL). *err is set unless it was made, or exists. */
enum ghacache_made ghacache_make(struct ghacache *g, const char *key, GBytes *bytes,
                                 struct service_upload *u, GError **err);

/* How long somebody may take to make an entry, until it is taken for dead. */
gint64 ghacache_patience_ms(const struct ghacache *g);
/* Waits for a part of that, longer in later rounds; adds to *waited_ms. */
gboolean ghacache_wait(struct ghacache *g, guint round, gint64 *waited_ms, GError **err);

#endif
