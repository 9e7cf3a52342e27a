/* Detached mounts: descriptors of mounts that are in no mount namespace. They vanish with their
 * last descriptor, so a killed varve leaves none behind. */
#ifndef VARVE_SNAPSHOT_MOUNTFD_H
#define VARVE_SNAPSHOT_MOUNTFD_H

#include <glib.h>

/* Makes a file system of type, mounted with attrs (MOUNT_ATTR_…). options are key and value pairs
 * ending with NULL; a NULL value is a flag: {"size", "64m", "noswap", NULL, NULL}. -1 on error,
 * also with errno; the message contains the kernel's explanation. */
int mountfd_new(const char *type, guint64 attrs, const char *const *options, GError **err);
/* A detached bind mount of path below dirfd ("": the descriptor itself), with the mounts below it.
 * attrs are added to all of them. -1 on error with errno; EINVAL for a part of a detached mount on
 * a kernel before 6.15. */
int mountfd_clone(int dirfd, const char *path, guint64 attrs, GError **err);

#endif
