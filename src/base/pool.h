/* Data-parallel loops over a fixed set of worker threads, one pool per process. */
#ifndef VARVE_BASE_POOL_H
#define VARVE_BASE_POOL_H

#include <glib.h>

/* Does item i of a loop; on failure sets *err and returns FALSE, after which no further items are
 * started.
 */
typedef gboolean (*pool_item_fn)(gpointer ctx, gsize i, GError **err);

/* Runs fn(ctx, 0..n-1) on up to all CPUs (the calling thread takes part) and waits for all of them.
 * Nested and concurrent calls are allowed. The first error wins. */
gboolean pool_for_each(gsize n, pool_item_fn fn, gpointer ctx, GError **err);
/* CPUs this process may use. */
guint pool_cpus(void);

#endif
