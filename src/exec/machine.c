#include "exec/machine.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif
#define PROBE_BASE 0x10000 /* where its only segment is loaded: a page of the largest kind */

/* The code is what an assembler makes of the comment. */
static const struct machine machines[] = {
    /* mov $231,%eax; mov $77,%edi; syscall */
    {"amd64",
     "x86_64",
     ELFCLASS64,
     ELFDATA2LSB,
     EM_X86_64,
     0,
     {0xb8, 0xe7, 0, 0, 0, 0xbf, 0x4d, 0, 0, 0, 0x0f, 0x05}},
    /* mov $252,%eax; mov $77,%ebx; int $0x80 */
    {"386",
     "i386",
     ELFCLASS32,
     ELFDATA2LSB,
     EM_386,
     0,
     {0xb8, 0xfc, 0, 0, 0, 0xbb, 0x4d, 0, 0, 0, 0xcd, 0x80}},
    /* mov x8,#94; mov x0,#77; svc #0 */
    {"arm64",
     "aarch64",
     ELFCLASS64,
     ELFDATA2LSB,
     EM_AARCH64,
     0,
     {0xc8, 0x0b, 0x80, 0xd2, 0xa0, 0x09, 0x80, 0xd2, 0x01, 0, 0, 0xd4}},
    /* mov r7,#248; mov r0,#77; svc #0 */
    {"arm",
     "arm",
     ELFCLASS32,
     ELFDATA2LSB,
     EM_ARM,
     EF_ARM_EABI_VER5,
     {0xf8, 0x70, 0xa0, 0xe3, 0x4d, 0, 0xa0, 0xe3, 0, 0, 0, 0xef}},
    /* li a7,94; li a0,77; ecall */
    {"riscv64",
     "riscv64",
     ELFCLASS64,
     ELFDATA2LSB,
     EM_RISCV,
     0,
     {0x93, 0x08, 0xe0, 0x05, 0x13, 0x05, 0xd0, 0x04, 0x73, 0, 0, 0}},
    /* li 0,234; li 3,77; sc */
    {"ppc64le",
     "ppc64le",
     ELFCLASS64,
     ELFDATA2LSB,
     EM_PPC64,
     2,
     {0xea, 0, 0, 0x38, 0x4d, 0, 0x60, 0x38, 0x02, 0, 0, 0x44}},
    /* lghi %r2,77; lghi %r1,248; svc 0 */
    {"s390x",
     "s390x",
     ELFCLASS64,
     ELFDATA2MSB,
     EM_S390,
     0,
     {0xa7, 0x29, 0, 0x4d, 0xa7, 0x19, 0, 0xf8, 0x0a, 0}},
    /* li $v0,5205; li $a0,77; syscall */
    {"mips64le",
     "mips64el",
     ELFCLASS64,
     ELFDATA2LSB,
     EM_MIPS,
     EF_MIPS_ARCH_64R2,
     {0x55, 0x14, 0x02, 0x24, 0x4d, 0, 0x04, 0x24, 0x0c, 0, 0, 0}},
    /* addi.w $a7,$zero,94; addi.w $a0,$zero,77; syscall 0 */
    {"loong64",
     "loongarch64",
     ELFCLASS64,
     ELFDATA2LSB,
     EM_LOONGARCH,
     0x43,
     {0x0b, 0x78, 0x81, 0x02, 0x04, 0x34, 0x81, 0x02, 0, 0, 0x2b, 0}},
};

const struct machine *machine_of_arch(const char *arch)
{
    for (guint i = 0; i < G_N_ELEMENTS(machines); i++)
        if (g_str_equal(machines[i].arch, arch))
            return &machines[i];
    return NULL;
}

const struct machine *machine_of_head(const void *head, gsize n)
{
    const guint8 *ident = head;
    guint16 number;
    if (n < MACHINE_HEADER || memcmp(head, ELFMAG, SELFMAG) != 0)
        return NULL;
    memcpy(&number, ident + G_STRUCT_OFFSET(Elf64_Ehdr, e_machine), sizeof number);
    number = ident[EI_DATA] == ELFDATA2MSB ? GUINT16_FROM_BE(number) : GUINT16_FROM_LE(number);
    for (guint i = 0; i < G_N_ELEMENTS(machines); i++) {
        const struct machine *m = &machines[i];
        if (m->number == number && m->elf_class == ident[EI_CLASS] && m->elf_data == ident[EI_DATA])
            return m;
    }
    return NULL;
}

const struct machine *machine_of_file(int rootfd, const char *path)
{
    guint8 head[MACHINE_HEADER];
    fd_auto int fd = fs_open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK, 0);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);
    return machine_of_head(head, MAX(n, 0));
}

/* Appends a number in the machine's order of bytes. */
static void put(GByteArray *out, const struct machine *m, guint64 value, guint bytes)
{
    for (guint i = 0; i < bytes; i++) {
        guint shift = 8 * (m->elf_data == ELFDATA2MSB ? bytes - 1 - i : i);
        guint8 byte = value >> shift;
        g_byte_array_append(out, &byte, 1);
    }
}

static GByteArray *head_of(const struct machine *m)
{
    GByteArray *out = g_byte_array_new();
    guint8 ident[EI_NIDENT] = {ELFMAG0,      ELFMAG1,     ELFMAG2,   ELFMAG3,
                               m->elf_class, m->elf_data, EV_CURRENT};
    g_byte_array_append(out, ident, sizeof ident);
    put(out, m, ET_EXEC, 2);
    put(out, m, m->number, 2);
    return out;
}

void machine_header(const struct machine *m, guint8 head[MACHINE_HEADER])
{
    g_autoptr(GByteArray) out = head_of(m);
    memcpy(head, out->data, MACHINE_HEADER);
}

GBytes *machine_probe(const struct machine *m)
{
    gboolean wide = m->elf_class == ELFCLASS64;
    guint word = wide ? 8 : 4;
    guint ehdr = wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    guint phdr = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    guint64 start = ehdr + phdr, size = start + sizeof m->code;
    GByteArray *out = head_of(m);
    put(out, m, EV_CURRENT, 4);
    put(out, m, PROBE_BASE + start, word); /* e_entry */
    put(out, m, ehdr, word);               /* e_phoff */
    put(out, m, 0, word);
    put(out, m, m->flags, 4);
    put(out, m, ehdr, 2);
    put(out, m, phdr, 2);
    put(out, m, 1, 2); /* e_phnum */
    for (guint i = 0; i < 3; i++)
        put(out, m, 0, 2); /* no sections */
    put(out, m, PT_LOAD, 4);
    if (wide)
        put(out, m, PF_R | PF_X, 4);
    put(out, m, 0, word); /* p_offset */
    put(out, m, PROBE_BASE, word);
    put(out, m, PROBE_BASE, word);
    put(out, m, size, word);
    put(out, m, size, word);
    if (!wide)
        put(out, m, PF_R | PF_X, 4);
    put(out, m, PROBE_BASE, word); /* p_align */
    g_byte_array_append(out, m->code, sizeof m->code);
    return g_byte_array_free_to_bytes(out);
}
