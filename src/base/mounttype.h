/* What the mounts of a RUN are, and how steps share a cache: one set of words from the Dockerfile
 * to the store. The numbers are in keys. */
#ifndef VARVE_BASE_MOUNTTYPE_H
#define VARVE_BASE_MOUNTTYPE_H

enum mount_type { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
#define MOUNT_TYPES 5
enum cache_sharing {
    SHARING_SHARED,  /* by all at the same time */
    SHARING_PRIVATE, /* each has one that nobody else uses */
    SHARING_LOCKED,  /* one after the other */
};
#define CACHE_SHARINGS 3

/* By number: "bind", "shared" and so on, as Dockerfiles and dumps write them. */
extern const char *const mount_type_names[MOUNT_TYPES];
extern const char *const cache_sharing_names[CACHE_SHARINGS];

#endif
