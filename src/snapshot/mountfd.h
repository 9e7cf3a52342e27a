/* Detached mounts: descriptors of mounts that are in no mount namespace. They vanish with their
 * last descriptor, so nothing stays behind when varve is killed. */
#ifndef VARVE_SNAPSHOT_MOUNTFD_H
#define VARVE_SNAPSHOT_MOUNTFD_H

#include <glib.h>

/* Makes a file system of type, mounted with attrs (MOUNT_ATTR_…). options are key and value pairs
 * ending with NULL; a NULL value is a flag: {"size", "64m", "noswap", NULL, NULL}. -1 on error,
 * with errno too; the message holds what the kernel said. */
int mountfd_new(const char *type, guint64 attrs, const char *const *options, GError **err);
/* A detached copy of what path (or "" for the descriptor itself) below dirfd is: a bind mount, with
 * what is mounted below it. attrs are added to all of it. -1 on error with errno; EINVAL is a part
 * of a detached mount on a kernel before 6.15. */
int mountfd_clone(int dirfd, const char *path, guint64 attrs, GError **err);

#endif
