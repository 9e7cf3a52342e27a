/* A socket for a step that only lets it list an ssh agent's keys and sign with them: requests to
 * add, remove or lock keys fail. Messages have at most 256 KiB; a longer one ends the connection.
 *
 * The agent's socket belongs to the user who started the agent; a step's must have the owner and
 * mode of its mount. So the step gets its own socket, and a thread connects each of its clients to
 * the agent. */
#ifndef VARVE_EXEC_AGENTRELAY_H
#define VARVE_EXEC_AGENTRELAY_H

#include <glib.h>

struct agent_relay;
struct agent_relay_spec {
    const char *agent;      /* path of the agent's socket */
    guint32 mode, uid, gid; /* of the new socket, as this process sees ids */
};

/* Listens on a new socket in the directory dirfd, which must have no other, and starts the thread.
 * The caller removes the directory after agent_relay_stop(). */
struct agent_relay *agent_relay_start(int dirfd, const struct agent_relay_spec *spec, GError **err);
/* An O_PATH descriptor of the socket, to be mounted. Owned by r. */
int agent_relay_fd(const struct agent_relay *r);
/* Closes all connections, ends the thread and frees r; NULL is fine. */
void agent_relay_stop(struct agent_relay *r);

typedef struct agent_relay agent_relay;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_relay, agent_relay_stop)

#endif
