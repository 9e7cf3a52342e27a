/* A socket of a step's own that lets it see an ssh agent's keys and sign with them, and nothing
 * else: requests to add, remove or lock keys are answered with failure. Messages have at most
 * 256 KiB; a longer one ends the connection.
 *
 * The agent's socket belongs to whoever started the agent; a step's must have the owner and the
 * mode that its mount names. So the step gets a socket made for it, and a thread that connects each
 * of its callers to the agent. */
#ifndef VARVE_EXEC_AGENTRELAY_H
#define VARVE_EXEC_AGENTRELAY_H

#include <glib.h>

struct agent_relay;
struct agent_relay_spec {
    const char *agent;      /* path of the agent's socket */
    guint32 mode, uid, gid; /* of the new socket, as this process sees ids */
};

/* Listens on a new socket in the directory dirfd, which must hold no other, and starts the thread.
 * The caller removes the directory after agent_relay_stop(). */
struct agent_relay *agent_relay_start(int dirfd, const struct agent_relay_spec *spec, GError **err);
/* An O_PATH descriptor of the socket, to be mounted. Owned by r. */
int agent_relay_fd(const struct agent_relay *r);
/* Cuts all connections, ends the thread and frees r; NULL is fine. */
void agent_relay_stop(struct agent_relay *r);

typedef struct agent_relay agent_relay;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_relay, agent_relay_stop)

#endif
