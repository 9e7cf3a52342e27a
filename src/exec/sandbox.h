/* The sandbox: one process tree in new mount, pid, ipc, uts and (but for NET_HOST, network.h) net,
 * and where possible cgroup namespaces over a snapshot's root, as Docker runs containers:
 * pivot_root, /proc, /sys read-only, /dev with the standard nodes, masked and read-only paths,
 * Docker's default capabilities and seccomp profile, user, rlimits; the program as process 1. No
 * privileges beyond the spec's; nothing of the host's environment, descriptors, processes or mounts
 * is visible.
 *
 * Everything is prepared before clone(): the child of a threaded process makes only system calls.
 */
#ifndef VARVE_EXEC_SANDBOX_H
#define VARVE_EXEC_SANDBOX_H

#include "base/cancel.h"
#include "base/platform.h"
#include "exec/network.h"
#include "exec/resources.h"
#include "graph/op.h"

#define RESOLV_CONF "/etc/resolv.conf" /* the host's, and where a sandbox has its own */

/* A secret: a file on a tmpfs of its own, never on disk. */
struct sandbox_file {
    const void *bytes;      /* its content, borrowed */
    gsize len;              /* bytes */
    guint32 mode, uid, gid; /* mode: permission bits; ids as inside */
};
/* A mount besides the root. */
struct sandbox_mount {
    const char *dest; /* absolute in the root; missing directories (or, for a file, an empty file)
                         are made in the root first, without following symlinks out of it */
    const struct sandbox_file *file; /* not NULL: this file, read-only; fd is ignored */
    int fd;      /* bind: detached tree or O_PATH descriptor of a directory or file; -1: tmpfs */
    int tree_fd; /* bind, when fd is a part of a detached mount (a path opened below a snapshot's
                    mount_fd): that mount's own descriptor, which kernels before 6.15 need; else 0
                  */
    gboolean readonly;
    gboolean noexec; /* tmpfs: no programs can be started from it */
    guint64 size;    /* tmpfs: bytes, 0: no limit */
    guint32 mode;  /* tmpfs root's mode; 0: that of the directory it covers, 01777 for one that was
                      made */
    gboolean made; /* out: the mount point did not exist and was made; like Docker's builder,
                      sandbox_run() removes it again if it is still empty */
};
struct sandbox_spec {
    int root_fd; /* merged view (snapshot's mount_fd), a detached mount. It is attached itself,
                    which is possible for only one run: open the snapshot again for another */
    gboolean root_readonly;
    const char *const *args; /* argv; args[0] is looked up in PATH of env inside the root */
    const char *const *env;
    const struct platform *platform; /* of its programs; NULL: this machine's */
    const char *cwd;                 /* made when missing (mode 0755, owned by the user) */
    const char *user;      /* "name[:group]" or ids, resolved in the root; NULL or "": root */
    const char *hostname;  /* NULL: "buildkitsandbox" as Docker's builder */
    enum net_mode network; /* default without nets: the host's */
    struct netpool *nets;  /* where default's come from */
    const struct network_port *ports; /* published; need nets */
    guint n_ports;
    /* the network is ready before the program starts, also for sandbox_join() */
    gboolean net_at_once;
    gboolean init;     /* process 1 is an init that reaps processes and forwards signals */
    gboolean insecure; /* all capabilities, no seccomp, nothing masked */
    const struct host_ip *hosts; /* added to the generated /etc/hosts */
    guint n_hosts;
    const struct ulimit *ulimits;
    guint n_ulimits;
    guint64 shm_size;                  /* bytes, 0: 64 MiB */
    const char *cgroup_parent;         /* or NULL */
    const struct resources *resources; /* or NULL; need usable cgroups (else an error) */
    struct sandbox_mount *mounts; /* in any order: a mount on a directory never hides a mount inside
                                     it; of two mounts on one path the later is seen */
    guint n_mounts;
    const char *const *devices; /* reserved: NULL */
    int stdin_fd;               /* -1: /dev/null */
    /* Not NULL: stdin, stdout and stderr are a new terminal of the sandbox, the program's
     * controlling one. Called before the program starts, with its other side, which the callee must
     * close. */
    void (*terminal)(gpointer ctx, int master_fd);
    gpointer terminal_ctx;
    GPtrArray *touched; /* out, may be NULL: char * of directories in the root in which only mount
                           points were made and removed, for snapshot_forget() */
    /* Receives output as it arrives, from the waiting thread; fd is 1 or 2. NULL: inherit
     * stdout/stderr. */
    void (*output)(gpointer ctx, int fd, const void *bytes, gsize len);
    gpointer output_ctx;
    gboolean keep_pipes; /* with output: a stdout or stderr that is a pipe is inherited anyway, so
                            that the program itself notices when its reader ends */
    /* Called with the pid of process 1 once the program runs. May be NULL. */
    void (*started)(gpointer ctx, int pid);
    gpointer started_ctx;
    /* Called while the program is starting, for work that can be done meanwhile. May be NULL. */
    void (*meanwhile)(gpointer ctx);
    gpointer meanwhile_ctx;
};
struct sandbox_result {
    int exit_code;          /* 128+signal when killed by one */
    gboolean emulated;      /* its programs were for another machine */
    gboolean signalled;     /* the program ended by a signal */
    int exec_errno;         /* why the program could not be started; 0: it was started */
    gint64 cpu_us;          /* CPU time of all its processes */
    guint64 memory_peak;    /* bytes; 0: unknown, where its cgroup does not count memory */
    gboolean out_of_memory; /* the kernel killed one of its processes because of the spec's limit */
};
/* Runs to the end. FALSE only if it could not be started or was cancelled (then all its processes
 * are gone); a failing program is TRUE with its exit code. A missing program is exit code 127 with
 * a line on stderr like runc's. Removes what it made in the root only for mounting
 * (/etc/resolv.conf, /etc/hosts, missing mount points), as Docker's builder does; /proc, /sys and
 * /dev stay, as there. */
gboolean sandbox_run(const struct sandbox_spec *spec, struct cancel *c, struct sandbox_result *out,
                     GError **err);
/* Makes the mount points that a sandbox needs in its root in the empty directory dir. With dir as
 * the lowest layer (snapshot_open_floor()) they need not be made in each root and removed again. */
gboolean sandbox_floor(int dir, GError **err);
/* Runs another command in a running sandbox (health checks): joins the namespaces of pid, as given
 * to started(). Only the process's part of the spec is used: args, env, cwd, user, ulimits,
 * insecure, stdin, output; set root_fd to -1. With timeout_us (0: none) a command that takes longer
 * is ended: FALSE with FAILED. */
gboolean sandbox_join(int pid, const struct sandbox_spec *spec, gint64 timeout_us, struct cancel *c,
                      struct sandbox_result *out, GError **err);
/* Sends signal sig to process 1 of a running sandbox, pid as given to started(). The kernel
 * protects a process 1 from signals that it does not handle: if the signal would end any other
 * process, process 1 is killed instead; then TRUE. */
gboolean sandbox_signal(int pid, int sig);
/* Whether this is the name of a ulimit; *err lists the names. */
gboolean sandbox_knows_limit(const char *name, GError **err);

#endif
