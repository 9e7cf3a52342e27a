/* An almost empty mount namespace from which those of the sandboxes are copied. Copying the host's,
 * which may have hundreds of mounts, and removing them all again would dominate the cost of a step.
 * Internal to this room. */
#ifndef VARVE_EXEC_TEMPLATE_H
#define VARVE_EXEC_TEMPLATE_H

#include <glib.h>

/* *fd is the namespace's descriptor, made once per process and never closed. It has one mount, an
 * empty read-only directory. -1 in a user namespace: there the kernel only allows mounting /proc
 * where one is already visible, so the host's mounts must be copied. */
gboolean template_namespace(int *fd, GError **err);

#endif
