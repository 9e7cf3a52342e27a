/* The identity of a process in a root: USER's value resolved with the root's own /etc/passwd and
 * /etc/group, as Docker does. Internal to this room. */
#ifndef VARVE_EXEC_IDENTITY_H
#define VARVE_EXEC_IDENTITY_H

#include <glib.h>

struct identity {
    guint32 uid, gid; /* of the program; gid: its primary group */
    GArray *groups;   /* of guint32: the primary group first, then where the user is a member (only
                         gid itself when a group was given) */
    char *home;       /* from passwd, "/" when there is no entry */
};
/* user as in USER: "name", "uid", "name:group", "uid:gid"…; NULL or "": root. A number needs no
 * entry; its group is then 0. A name without an entry is NOT_FOUND. Unreadable files are not an
 * error for the default root and for two numbers. Clear in every case. */
gboolean identity_resolve(struct identity *id, int rootfd, const char *user, GError **err);
void identity_clear(struct identity *id);

#endif
