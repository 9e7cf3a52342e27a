/* The sandbox: one process tree in new mount, pid, ipc, uts and (but for NET_HOST, network.h) net,
 * and where possible cgroup namespaces over a snapshot's root, as Docker runs containers:
 * pivot_root, /proc, /sys read-only, /dev with the standard nodes, masked and read-only paths,
 * Docker's default capabilities and seccomp profile, user, rlimits; the program as process 1. No
 * privilege that the spec does not give; nothing of the host's environment, descriptors, processes
 * or mounts is visible.
 *
 * Everything is prepared before clone(): the child of a threaded process makes only system calls.
 */
#ifndef VARVE_EXEC_SANDBOX_H
#define VARVE_EXEC_SANDBOX_H

#include "base/cancel.h"
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
    const struct sandbox_file *file; /* not NULL: this file, read-only; fd does not matter */
    int fd;      /* bind: detached tree or O_PATH descriptor of a directory or file; -1: tmpfs */
    int tree_fd; /* bind, when fd is a part of a detached mount (a path opened below a snapshot's
                    mount_fd): that mount's own descriptor, which kernels before 6.15 need; else 0
                  */
    gboolean readonly;
    gboolean noexec; /* tmpfs: no programs can be started from it */
    guint64 size;    /* tmpfs: bytes, 0: no limit */
    guint32 mode;  /* tmpfs root's mode; 0: that of the directory it covers, 01777 for a made one */
    gboolean made; /* out: the mount point did not exist and was made; like Docker's builder,
                      sandbox_run() removes it again when it is still empty */
};
struct sandbox_spec {
    int root_fd; /* merged view (snapshot's mount_fd), a detached mount. It is attached itself,
                    which it can be to one run only: open the snapshot anew for another */
    gboolean root_readonly;
    const char *const *args; /* argv; args[0] is looked up in PATH of env inside the root */
    const char *const *env;
    const char *cwd;       /* made when missing (mode 0755, owned by the user) */
    const char *user;      /* "name[:group]" or ids, resolved in the root; NULL or "": root */
    const char *hostname;  /* NULL: "buildkitsandbox" as Docker's builder */
    enum net_mode network; /* default without nets: the host's */
    struct netpool *nets;  /* where default's come from */
    const struct network_port *ports; /* published; need nets */
    guint n_ports;
    gboolean net_at_once; /* the network is there before the program, also for sandbox_join() */
    gboolean init;        /* process 1 is an init that reaps and passes signals on */
    gboolean insecure;    /* all capabilities, no seccomp, nothing masked */
    const struct host_ip *hosts; /* added to the generated /etc/hosts */
    guint n_hosts;
    const struct ulimit *ulimits;
    guint n_ulimits;
    guint64 shm_size;                  /* bytes, 0: 64 MiB */
    const char *cgroup_parent;         /* or NULL */
    const struct resources *resources; /* or NULL; need cgroups to use (else a clear error) */
    struct sandbox_mount *mounts; /* in any order: what is mounted on a directory never hides what
                                     is mounted inside it; of two on one place the later is seen */
    guint n_mounts;
    const char *const *devices; /* reserved: NULL */
    int stdin_fd;               /* -1: /dev/null */
    /* Not NULL: stdin, stdout and stderr are a terminal of the sandbox's own, the program's
     * controlling one. Called with its other side, which is the callee's to close, before the
     * program starts. */
    void (*terminal)(gpointer ctx, int master_fd);
    gpointer terminal_ctx;
    GPtrArray *touched; /* out, may be NULL: char * of directories in the root in which mount
                           points were made and removed and nothing else happened, for
                           snapshot_forget() */
    /* Receives output as it comes, from the waiting thread; fd is 1 or 2. NULL: inherit
     * stdout/stderr. */
    void (*output)(gpointer ctx, int fd, const void *bytes, gsize len);
    gpointer output_ctx;
    gboolean keep_pipes; /* with output: a stdout or stderr that is a pipe is inherited all the
                            same, so that the program meets the end of its reader itself */
    /* Called with the pid of process 1 once the program runs. May be NULL. */
    void (*started)(gpointer ctx, int pid);
    gpointer started_ctx;
    /* Called while the program is starting: time to do what can be done beside it. May be NULL. */
    void (*meanwhile)(gpointer ctx);
    gpointer meanwhile_ctx;
};
struct sandbox_result {
    int exit_code;          /* 128+signal when killed by one */
    gboolean signalled;     /* exit_code is of a signal */
    int exec_errno;         /* why the program could not be started; 0: it was */
    gint64 cpu_us;          /* CPU time of all its processes */
    guint64 memory_peak;    /* bytes; 0: unknown, where its cgroup does not count memory */
    gboolean out_of_memory; /* the kernel killed a process of it for the limit of the spec's */
};
/* Runs to the end. FALSE only when it could not be started or was cancelled (then all its processes
 * are gone); a failing program is TRUE with its exit code. A missing program is exit code 127 with
 * a line on stderr as runc's shape. Removes what it had to make in the root only for mounting
 * (/etc/resolv.conf, /etc/hosts, missing mount points), as Docker's builder does; /proc, /sys and
 * /dev stay, as there. */
gboolean sandbox_run(const struct sandbox_spec *spec, struct cancel *c, struct sandbox_result *out,
                     GError **err);
/* Makes, in the empty directory dir, mount points that a sandbox wants in its root. With dir as the
 * lowest layer (snapshot_open_floor()) a root need not get them, only to lose them again. */
gboolean sandbox_floor(int dir, GError **err);
/* Runs another command in a running sandbox (health checks): joins the namespaces of pid, as given
 * to started(). Of the spec only the process counts: args, env, cwd, user, ulimits, insecure,
 * stdin, output; set root_fd to -1. With timeout_us (0: none) a command that takes longer is ended:
 * FALSE with FAILED. */
gboolean sandbox_join(int pid, const struct sandbox_spec *spec, gint64 timeout_us, struct cancel *c,
                      struct sandbox_result *out, GError **err);
/* Asks process 1 of a running sandbox, pid as given to started(), to do what the signal sig says.
 * The kernel protects a process 1 from signals that it does not handle: where any other process
 * would end, it is killed; then TRUE. */
gboolean sandbox_signal(int pid, int sig);
/* Whether ulimits can have this name; *err lists those that they can. */
gboolean sandbox_knows_limit(const char *name, GError **err);

#endif
