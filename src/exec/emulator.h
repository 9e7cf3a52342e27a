/* How a sandbox runs programs of other machines, without its programs getting at the system's
 * emulator. Internal to this room and what shows platforms.
 *
 * The kernel starts a program of another machine by what is registered in binfmt_misc. With its
 * flag F that is a file of the system, which /proc/PID/exe then leads to: root in a sandbox could
 * change it, as CVE-2019-5736 did with runc. So, where the sandbox's root is the machine's, a
 * sandbox for another machine enters a user namespace in which all ids stay the same, but
 * binfmt_misc is another one (Linux 6.7): varve registers there a copy of the emulator, on a
 * read-only file system that nothing else can reach. It is gone with varve.
 *
 * An ordinary user's sandboxes cannot change files of the system's root, and run with what is
 * registered. Where nothing is registered, they get such a namespace, too. What is registered on
 * the system never changes. */
#ifndef VARVE_EXEC_EMULATOR_H
#define VARVE_EXEC_EMULATOR_H

#include "base/platform.h"
#include "exec/binfmt.h"

enum emulator_kind {
    EMULATOR_NATIVE,     /* this machine runs it */
    EMULATOR_COMPAT,     /* its kernel has the system calls of a 32-bit relative */
    EMULATOR_REGISTERED, /* what the system has registered, as it is */
    EMULATOR_OWN,        /* varve's, in a user namespace */
    EMULATOR_PLACED,     /* registered by its path: the system's is mounted there, read-only */
    EMULATOR_NONE        /* it cannot be run: why says it */
};
struct emulator {
    enum emulator_kind kind;
    const struct machine *machine; /* NULL: of no kind that varve knows */
    char *path;                    /* the interpreter, NULL: none, or not known */
    char *name;                    /* its entry in binfmt_misc, NULL: none */
    gboolean fixed;                /* registered with flag F */
    int user_fd;                   /* OWN: the user namespace to enter, not owned; else -1 */
    GError *why;                   /* NONE: the reason and what to do */
    char *reason;                  /* NONE: the same in a few words */
};

/* What it takes to run programs for p (NULL: this machine) in a sandbox; with insecure in one that
 * keeps all rights. Reads binfmt_misc once in the life of the process. */
void emulator_choose(struct emulator *e, const struct platform *p, gboolean insecure);
void emulator_clear(struct emulator *e);
/* The next move of an error that comes of a missing emulator. */
void emulator_add_install(GError **err, const char *arch);

#endif
