/* Shared by the parts that start a sandbox (internal to this room). A process is started in three
 * parts:
 *
 *  1. prepare.c, in varve: makes every mount as a detached one, resolves the user, packs a
 *     launch_config into a memfd. May fail with good messages.
 *  2. setup.c, in the new namespaces: a vfork()-like child that shares varve's memory and only
 *     makes system calls: attaches varve's own mounts, changes the root, masks, and only then
 *     attaches the mounts whose place the image chooses. It then executes init.
 *  3. init.c and program.c: a freestanding program of a few kilobytes embedded in varve, started
 *     from a sealed memfd of its own for every sandbox. It sets rlimits, capabilities, filter, user
 *     and working directory, and executes the program, which thus is process 1, as in Docker.
 *
 * The security boundary is between 2 and 3: paths that the image alone decides (working directory,
 * program, interpreter) are looked up by a process whose memory, descriptors and /proc/self/exe
 * contain nothing of the host. A program that is a link to /proc/self/exe gets that memfd, which it
 * cannot write to and no other process executes (CVE-2019-5736); a working directory below
 * /proc/self/fd finds no directory of the host (CVE-2024-21626).
 *
 * This header is also compiled into the freestanding init: no GLib here. */
#ifndef VARVE_EXEC_LAUNCH_H
#define VARVE_EXEC_LAUNCH_H

#include <stdint.h>

/* For code in a process that shares varve's memory: sanitizers do not know its stack. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined", "thread")))

/* Descriptors of init besides 0, 1 and 2. */
#define LAUNCH_REPORT_FD 3
#define LAUNCH_CONFIG_FD 4
#define LAUNCH_INIT_FD 5

/* Where starting failed; names_of_stage in report.c has one message for each. */
enum launch_stage {
    STAGE_NONE,
    STAGE_CGROUP,    /* entering the cgroup */
    STAGE_NAMESPACE, /* making the mount namespace private; joining namespaces */
    STAGE_ROOT,      /* attaching the root */
    STAGE_MOUNT,     /* index: which of the plan's mounts */
    STAGE_IN_PROC,   /* index: the target of this mount is in /proc */
    STAGE_PROC,
    STAGE_SYS,
    STAGE_MQUEUE,
    STAGE_PIVOT,
    STAGE_MASK,
    STAGE_HOSTNAME,
    STAGE_LOOPBACK,
    STAGE_STDIO,
    STAGE_INIT, /* executing init */
    STAGE_FORK,
    STAGE_TTY,
    STAGE_LIMIT, /* index: which of the limits */
    STAGE_CWD,
    STAGE_CAPS,
    STAGE_SECCOMP,
    STAGE_GROUPS,
    STAGE_USER,
    STAGE_EXEC, /* index: which of the candidates */
};

enum launch_report_kind { REPORT_FAILED = 1, REPORT_STARTED, REPORT_EXITED, REPORT_LISTENER };
/* Written to the report socket in one piece. With REPORT_LISTENER comes a descriptor (listener.h).
 */
struct launch_report {
    uint32_t kind;  /* enum launch_report_kind */
    uint32_t stage; /* failed: enum launch_stage */
    uint32_t index; /* failed: see the stage */
    int32_t error;  /* failed: errno */
    int32_t status; /* exited: wait status */
};

struct launch_limit {
    uint64_t resource;   /* RLIMIT_… */
    uint64_t soft, hard; /* UINT64_MAX: unlimited */
};

#define LAUNCH_TTY 1       /* stdin becomes the controlling terminal */
#define LAUNCH_JOIN 2      /* in a running sandbox: init waits outside of its pid namespace */
#define LAUNCH_KEEP_CAPS 4 /* --security=insecure */
#define LAUNCH_NO_GROUPS 8 /* setgroups() is denied in this user namespace */
#define LAUNCH_INIT 16     /* init stays, as process 1 */
#define LAUNCH_LISTEN 32   /* the filter reports sockets: its listener is handed to varve */

/* This header, then data, in a memfd. Offsets are from the start; lists of strings are
 * arrays of uint64_t offsets that end with 0, which program.c turns into pointers. */
struct launch_config {
    uint32_t flags;    /* LAUNCH_… */
    uint32_t uid, gid; /* of the program */
    uint32_t n_groups, n_limits, n_filter;
    uint64_t caps;       /* bit set of capabilities */
    uint64_t groups;     /* offset of uint32_t[n_groups] */
    uint64_t limits;     /* offset of struct launch_limit[n_limits] */
    uint64_t filter;     /* offset of struct sock_filter[n_filter] */
    uint64_t cwd;        /* offset of a string */
    uint64_t candidates; /* offset of the list of paths to try */
    uint64_t argv, envp; /* offsets of lists */
};

#endif
