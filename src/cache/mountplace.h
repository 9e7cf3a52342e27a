/* Putting what is imported into a cache mount's directory, which programs may be changing at the
 * same time. Internal to cache/mount*.c.
 *
 * Everything is made in a directory of the store's tmp/ and renamed to its place, whose directory
 * is opened below the mount's without following links. What cannot be placed any more, because
 * there is something newer or its directory is gone, is dropped without an error. */
#ifndef VARVE_CACHE_MOUNTPLACE_H
#define VARVE_CACHE_MOUNTPLACE_H

#include "cache/mountmanifest.h"

struct mount_place {
    const struct mount_dir *dir; /* borrowed */
    char *tmp_path;              /* of the store's directory for what is being made */
    int tmp;                     /* its descriptor */
};
gboolean mount_place_init(struct mount_place *p, const struct mount_dir *dir, GError **err);
/* Removes what was not placed. Fine after a failed init. */
void mount_place_clear(struct mount_place *p);

/* Creates name in tmp for writing; -1 on error. */
int mount_place_create(struct mount_place *p, const char *name, GError **err);
/* Gives the file fd, name in tmp, the attributes of e and moves it there. *placed: it is there. */
gboolean mount_place_file(struct mount_place *p, int fd, const char *name,
                          const struct mount_entry *e, gboolean *placed, GError **err);
/* Makes the symlink e. */
gboolean mount_place_symlink(struct mount_place *p, const struct mount_entry *e, gboolean *placed,
                             GError **err);
/* Makes e another name of the file leader. */
gboolean mount_place_link(struct mount_place *p, const struct mount_entry *leader,
                          const struct mount_entry *e, gboolean *placed, GError **err);
/* Makes the directory e, writable for its owner. *placed: it is there, and was not before. */
gboolean mount_place_dir(struct mount_place *p, const struct mount_entry *e, gboolean *placed,
                         GError **err);
/* Gives the directory path, if it is one, the attributes of e; with only_time only its time. */
gboolean mount_place_finish_dir(struct mount_place *p, const struct mount_entry *e,
                                gboolean only_time, GError **err);

#endif
