/* A sandbox that is ready to start (internal to this room): everything prepare.c made, for setup.c
 * to carry out with only system calls. */
#ifndef VARVE_EXEC_PLAN_H
#define VARVE_EXEC_PLAN_H

#include <glib.h>
#include <sys/mount.h>

#include "exec/cgroupdir.h"
#include "exec/launch.h"
#include "exec/network.h"
#include "exec/sandbox.h"
#include "exec/stub.h"

/* A detached mount and where it goes. */
struct plan_mount {
    int fd;     /* owned */
    char *dest; /* absolute path in the root */
    int via_fd; /* kernels before 6.15 cannot clone a part of a detached mount: fd is then an O_PATH
                   descriptor inside this detached mount (owned), which is attached for a moment;
                   else -1 */
    guint64 attrs; /* with via_fd: MOUNT_ATTR_… to set once cloned; nodev is removed if not in it */
    gboolean readonly; /* nothing can be made in it */
    gboolean ordinary; /* dest must not lead through symlinks (/proc, /sys, /dev) */
};

/* A cgroup of the run, to be entered. */
struct plan_cgroup {
    struct cgroupdir dir;
    gboolean unified; /* of version 2; else of version 1 */
    int procs_fd;     /* its cgroup.procs, or -1 */
};

struct plan {
    int root_fd;            /* to be attached as the root: a copy of the spec's descriptor, owned */
    gboolean root_readonly; /* programs cannot write to the root */
    int template_fd;        /* mount namespace to start from (template.h), not owned */
    GArray *mounts;         /* of struct plan_mount, in order */
    guint n_own; /* the first of them are varve's own (/dev, /sys): attached, masked and looked up
                    before mounts whose place the image chooses */
    struct stubs *stubs; /* mount points that were made */
    int files_fd;        /* the detached mount that contains the files of some of them */
    int mask_fd;         /* an empty read-only directory (detached), for masked directories; -1: the
                            template's is */
    gboolean own_net;    /* a network namespace of its own: loopback and sysfs are made inside */
    struct network *net; /* with own_net: the namespace to enter, NULL: a new one; owned */
    gboolean insecure;   /* nothing masked, /sys writable */
    gboolean bound_proc; /* /proc is the one that varve sees (kernelview.h) */
    gboolean bound_sys;  /* and /sys */
    gboolean cgroup_view; /* cgroup2 is mounted at /sys/fs/cgroup */
    const char *hostname;
    struct plan_cgroup cgroups[4]; /* made for the run; a hierarchy for each but the unified one,
                                      and for each controller of version 1 */
    guint n_cgroups;
    /* without these: the cgroup to create the process in (cgpool.h), or NULL */
    struct cgroupdir *pooled;
    gboolean emulated;   /* its programs are another machine's */
    int user_fd;         /* user namespace to enter at the end (emulator.h), not owned; or -1 */
    int join_cgroup;     /* the one of the sandbox to join, or -1 */
    int std_fd[3];       /* the program's 0, 1, 2; numbers >= 10 */
    int terminal_fd[2];  /* both sides of the program's terminal: the outer, the program's; or -1 */
    gboolean null_stdin; /* std_fd[0] is /dev/null: a new sandbox takes its own instead */
    int out_fd[2]; /* read ends of the program's stdout and stderr, -1 when they are inherited */
    int in_fd;     /* write end of the program's stdin when spec->stdin_fd is passed on, else -1 */
    int report_fd, report_read_fd; /* both sides of the report socket; numbers >= 10 */
    int config_fd, init_fd;        /* memfds, numbers >= 10: a struct launch_config, and init */
    int join_fd;        /* pidfd of the process to join instead of making namespaces, else -1 */
    int join_flags;     /* the kinds of namespaces (CLONE_NEW…) in which it is and varve is not */
    gboolean join_user; /* it is in another user namespace, which is entered last */
    char **limit_names; /* for messages */
    char **candidates;  /* paths of the program to try, for messages */
    char *cwd;          /* for messages */
    guint32 uid, gid;   /* for messages */
};

/* Part 1. plan_init() first, plan_clear() in every case. plan_prepare() is for a new sandbox,
 * plan_prepare_join() for a process in a running one. */
void plan_init(struct plan *p);
gboolean plan_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err);
gboolean plan_prepare_join(struct plan *p, int pid, const struct sandbox_spec *spec, GError **err);
/* MOUNT_ATTR_NODEV, but for an insecure sandbox: there is no device cgroup here, and CAP_MKNOD is
 * in the default set, so that only mounts keep device nodes (of a base image, or made inside) from
 * opening the host's devices. */
static inline guint64 plan_nodev(const struct plan *p)
{
    return p->insecure ? 0 : MOUNT_ATTR_NODEV;
}
/* Closes what the started process has got and varve must not keep: its ends of the pipes. */
void plan_started(struct plan *p);
void plan_clear(struct plan *p);

/* Part 2: the first process's main function (for clone()), with a struct plan. Does not return. */
int setup_main(void *plan);
/* The same for a process that joins. */
int setup_join_main(void *plan);

/* The message for a failed launch, as a GError. */
void launch_failed(const struct plan *p, const struct launch_report *r, GError **err);

#endif
