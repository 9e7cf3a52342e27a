/* Claims (cache/claim.h) of builders that share a directory: files varve.claims/<tag>.<id>, where
 * the tag is a digest's beginning. dir is the directory's descriptor. Nothing is written where a
 * link leads. */
#ifndef VARVE_CACHE_LOCALCLAIM_H
#define VARVE_CACHE_LOCALCLAIM_H

#include <glib.h>

/* As the backend's functions (cache/backend.h). */
GPtrArray *localclaim_list(int dir, const char *tag, GError **err);
GBytes *localclaim_get(int dir, const char *tag, const char *name, GError **err);
gboolean localclaim_put(int dir, const char *tag, const char *name, GBytes *bytes, GError **err);
gboolean localclaim_remove(int dir, const char *tag, const char *name, GError **err);

#endif
