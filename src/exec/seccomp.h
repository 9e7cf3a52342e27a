/* The system call filter of a sandbox: Docker's default profile (moby/profiles,
 * seccomp/default.json, for the default capability set) as classic BPF.
 *
 * libseccomp supplies the numbers of the calls on each architecture; the program is generated here
 * as a binary search over ranges of numbers. libseccomp's own generator needs 40 ms for this
 * profile with its sub-architectures and generates a program five times as long, which the kernel
 * checks and compiles again in every step; this one takes well under a millisecond. Calls newer
 * than all in the profile get ENOSYS instead of EPERM, as with runc, so that libcs fall back to
 * older ones. */
#ifndef VARVE_EXEC_SECCOMP_H
#define VARVE_EXEC_SECCOMP_H

#include <glib.h>
#include <linux/filter.h>

/* The filter for this machine, built once per process; *len is its number of instructions. NULL
 * with UNSUPPORTED on an architecture without a profile. The memory is never freed. With notify,
 * sockets that it allows are reported to a listener (listener.h) first, except AF_UNIX and those
 * for the kernel's audit and device events. It refuses the same calls. */
const struct sock_filter *seccomp_filter(gboolean notify, guint *len, GError **err);

/* The profile (seccomp_table.c). A rule group applies on the architectures in its mask. */
enum seccomp_arch_bit {
    SECCOMP_ON_X86 = 1,
    SECCOMP_ON_ARM = 2,
    SECCOMP_ON_RISCV = 4,
    SECCOMP_ON_ALL = 7
};
struct seccomp_group {
    guint on;          /* enum seccomp_arch_bit */
    const char *names; /* separated by blanks */
};
extern const struct seccomp_group seccomp_allowed[];
extern const guint seccomp_n_allowed;
/* Calls in the profile that are refused: they get EPERM even if newer than all allowed ones.
 */
extern const char seccomp_refused[];
/* Numbers of calls that an older libseccomp cannot name; the same on every architecture. */
struct seccomp_number {
    const char *name; /* of the call */
    int nr;           /* its number */
};
extern const struct seccomp_number seccomp_numbers[];
extern const guint seccomp_n_numbers;
/* Inclusive ranges of the first argument that are allowed. */
struct seccomp_span {
    guint32 first, last; /* both are allowed */
};
extern const struct seccomp_span seccomp_socket_families[];
extern const guint seccomp_n_socket_families;
extern const struct seccomp_span seccomp_personalities[];
extern const guint seccomp_n_personalities;
/* clone flags that make namespaces: none may be set. */
#define SECCOMP_CLONE_REFUSED 0x7E020000u

#endif
