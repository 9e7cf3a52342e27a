/* Entering a user namespace so that an ordinary user's varve works as uid 0 inside. */
#ifndef VARVE_SNAPSHOT_USERNS_H
#define VARVE_SNAPSHOT_USERNS_H

#include <glib.h>

enum userns_state {
    USERNS_ROOT,   /* real root (or already inside a mapped namespace): nothing was done */
    USERNS_RANGE,  /* mapped with a subordinate id range through newuidmap and newgidmap */
    USERNS_SINGLE, /* only the user itself is mapped (to 0): chown to other ids will fail, said once
                    */
};
/* Call at the very start of a command that needs it, while single-threaded: unshares user and mount
 * namespaces, maps ids. On failure the error says what the system refuses and how to allow it. */
gboolean userns_enter(enum userns_state *state, GError **err);
/* The same for a command that works on what another varve's process made: enters that process's
 * user namespace, where it is not varve's own already. Single-threaded. */
gboolean userns_join(int pidfd, int pid, GError **err);
enum userns_state userns_current(void);
/* The name outside of the user who entered; NULL when nobody did, or who has no name. */
const char *userns_user(void);

#endif
