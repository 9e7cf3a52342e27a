/* Entering a user namespace so that an ordinary user's varve works as uid 0 inside. */
#ifndef VARVE_SNAPSHOT_USERNS_H
#define VARVE_SNAPSHOT_USERNS_H

#include <glib.h>

enum userns_state {
    USERNS_ROOT,   /* real root (or already inside a mapped namespace): nothing was done */
    USERNS_RANGE,  /* mapped with a subordinate id range through newuidmap and newgidmap; for a
                    * container's root: its own ids, onto themselves */
    USERNS_SINGLE, /* only the user's own id is mapped (to 0): chown to other ids fails; reported
                    * once
                    */
};
/* Call at the very start of a command that needs it, while single-threaded: unshares user and mount
 * namespaces, maps ids. On failure the error says what the system refused and how to allow it. */
gboolean userns_enter(enum userns_state *state, GError **err);
/* The same for a command that works on another varve's process: enters the user namespace of that
 * process, unless varve is already in it. Single-threaded. */
gboolean userns_join(int pidfd, int pid, GError **err);
enum userns_state userns_current(void);
/* USERNS_SINGLE: why no more ids are mapped, to be followed by a comma. */
const char *userns_why_single(void);
/* Whether there were ids to map, and the kernel or newuidmap refused. */
gboolean userns_ids_refused(void);
/* The name outside of the user who entered the namespace; NULL if none was entered or the user has
 * no name. */
const char *userns_user(void);

#endif
