/* What binfmt_misc runs on this system: which files the kernel starts by an interpreter, as QEMU
 * does for programs of other machines. Internal to this room and what shows platforms.
 * Source: Documentation/admin-guide/binfmt-misc.rst of Linux. */
#ifndef VARVE_EXEC_BINFMT_H
#define VARVE_EXEC_BINFMT_H

#include <glib.h>

#include "exec/machine.h"

struct binfmt_entry {
    char *name;        /* of the registration */
    char *interpreter; /* absolute path */
    gboolean fixed;    /* flag F: the kernel holds the interpreter open, the path is never looked up
                          again */
    guint offset;      /* of magic in a file */
    guint8 *magic, *mask; /* of len bytes; magic NULL: it goes by the file's name */
    gsize len;
};
struct binfmt {
    GPtrArray *entries; /* of struct binfmt_entry, only those that are switched on */
    gboolean known;     /* FALSE: this process cannot see what is registered */
};

/* What is registered, read from dir, an open binfmt_misc; -1: wherever this system has it. Nothing
 * stays mounted. */
struct binfmt *binfmt_read(int dir);
void binfmt_free(struct binfmt *b);
/* The one that runs programs of machine m, NULL: none. */
const struct binfmt_entry *binfmt_find(const struct binfmt *b, const struct machine *m);
/* Registers name in dir, an open binfmt_misc, for programs of m: flags of the documentation.
 * FALSE with errno. */
gboolean binfmt_register(int dir, const char *name, const struct machine *m,
                         const char *interpreter, const char *flags);

typedef struct binfmt binfmt;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(binfmt, binfmt_free)

#endif
