/* Kinds of machines that programs are for: what their ELF files look like, and a program for each
 * that does nothing but end, to find out whether this system can run it. Internal to this room and
 * what shows platforms. Source: elf.h; QEMU's names are those of its binaries. */
#ifndef VARVE_EXEC_MACHINE_H
#define VARVE_EXEC_MACHINE_H

#include <glib.h>

#define MACHINE_HEADER 20     /* bytes of an ELF file that tell its machine */
#define MACHINE_PROBE_EXIT 77 /* how the probes end */

struct machine {
    const char *arch;           /* GOARCH */
    const char *qemu;           /* QEMU's name of it */
    guint8 elf_class, elf_data; /* ELFCLASS…, ELFDATA… */
    guint16 number;             /* EM_… */
    guint32 flags;              /* e_flags of the probe */
    guint8 code[12];            /* of the probe: exit_group(MACHINE_PROBE_EXIT) */
};

/* NULL: one that varve does not know. */
const struct machine *machine_of_arch(const char *arch);
/* The machine of an ELF file that begins with these bytes; NULL: another, or none. */
const struct machine *machine_of_head(const void *head, gsize n);
/* The same of the file at path in the root; NULL also if it cannot be read. */
const struct machine *machine_of_file(int rootfd, const char *path);
/* The first bytes of every program for this machine. */
void machine_header(const struct machine *m, guint8 head[MACHINE_HEADER]);
/* A static program for it that ends with MACHINE_PROBE_EXIT. */
GBytes *machine_probe(const struct machine *m);

#endif
