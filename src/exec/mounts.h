/* The mounts of a sandbox, made detached and added to its plan in order. Internal to this room. */
#ifndef VARVE_EXEC_MOUNTS_H
#define VARVE_EXEC_MOUNTS_H

#include "exec/plan.h"

/* /dev (the first of the plan's mounts) with its nodes, /dev/pts, /dev/shm and /sys: the plan's own
 * mounts; /proc and /dev/mqueue get their places (setup.c mounts them inside the namespaces). */
gboolean mounts_prepare_kernel(struct plan *p, const struct sandbox_spec *spec, GError **err);
/* /etc/resolv.conf and /etc/hosts, read-only on a tmpfs that also holds the spec's files. As in
 * Docker's builder, a mount of the spec on /etc covers them. */
gboolean mounts_prepare_files(struct plan *p, const struct sandbox_spec *spec, GError **err);
/* spec->mounts, from the outer to the inner; after the others. */
gboolean mounts_prepare_spec(struct plan *p, const struct sandbox_spec *spec, GError **err);
/* The system's emulator at path, read-only at the same place, over what the image has there. */
gboolean mounts_prepare_emulator(struct plan *p, const struct sandbox_spec *spec, const char *path,
                                 GError **err);
/* For tests: behave as on a kernel that cannot clone parts of detached mounts. */
extern gboolean mounts_old_kernel;

/* A terminal from the sandbox's own /dev/pts, so that the program finds its name (ttyname()) and
 * its user can own it and open it by name (/dev/stdout). */
gboolean mounts_open_terminal(struct plan *p, int pts, GError **err);

#endif
