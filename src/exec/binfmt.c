#include "exec/binfmt.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/idmap.h"
#include "snapshot/mountfd.h"

#define PLACE "/proc/sys/fs/binfmt_misc"
#define ENTRY_MAX 65536 /* bytes of an entry's text; the kernel's are below a page */
#define MAGIC_MAX 128   /* bytes; the kernel's limit, BINPRM_BUF_SIZE, is 256 in hexadecimal */

static void entry_free(gpointer p)
{
    struct binfmt_entry *e = p;
    g_free(e->name);
    g_free(e->interpreter);
    g_free(e->magic);
    g_free(e->mask);
    g_free(e);
}

/* Fills at most MAGIC_MAX bytes; their number. */
static gsize from_hex(const char *text, guint8 *out)
{
    gsize n = 0;
    while (n < MAGIC_MAX && g_ascii_isxdigit(text[0]) && g_ascii_isxdigit(text[1])) {
        out[n++] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
        text += 2;
    }
    return n;
}

static void take_line(struct binfmt_entry *e, const char *line, gboolean *enabled)
{
    guint8 bytes[MAGIC_MAX];
    if (g_str_equal(line, "enabled")) {
        *enabled = TRUE;
    } else if (g_str_has_prefix(line, "interpreter ")) {
        g_free(e->interpreter);
        e->interpreter = g_strdup(line + strlen("interpreter "));
    } else if (g_str_has_prefix(line, "flags: ")) {
        e->fixed = strchr(line + strlen("flags: "), 'F') != NULL;
    } else if (g_str_has_prefix(line, "offset ")) {
        e->offset = strtoul(line + strlen("offset "), NULL, 10);
    } else if (g_str_has_prefix(line, "magic ") && !e->magic) {
        e->len = from_hex(line + strlen("magic "), bytes);
        e->magic = g_memdup2(bytes, e->len);
    } else if (g_str_has_prefix(line, "mask ") && !e->mask &&
               from_hex(line + strlen("mask "), bytes) == e->len) {
        e->mask = g_memdup2(bytes, e->len);
    }
}

/* NULL when it is switched off or cannot be read. */
static struct binfmt_entry *read_entry(int dir, const char *name)
{
    fd_auto int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    g_autoptr(GBytes) text = fd < 0 ? NULL : fs_read_fd(fd, name, ENTRY_MAX, NULL);
    if (!text)
        return NULL;
    struct binfmt_entry *e = g_new0(struct binfmt_entry, 1);
    gboolean enabled = FALSE;
    g_autofree char *all = g_strndup(g_bytes_get_data(text, NULL), g_bytes_get_size(text));
    g_auto(GStrv) lines = g_strsplit(all, "\n", -1);
    for (char **line = lines; *line; line++)
        take_line(e, *line, &enabled);
    e->name = g_strdup(name);
    if (enabled && e->interpreter)
        return e;
    entry_free(e);
    return NULL;
}

static gboolean is_switched_off(int dir)
{
    char text[16] = "";
    fd_auto int fd = openat(dir, "status", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && g_str_has_prefix(text, "disabled");
}

static void binfmt_take_entries(struct binfmt *b, int dir)
{
    fd_auto int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autofree char *path = again < 0 ? NULL : fs_fd_path(again);
    GDir *list = path ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;
    b->known = list != NULL;
    gboolean off = is_switched_off(dir);
    while (list && (name = g_dir_read_name(list)))
        if (!off && !g_str_equal(name, "register") && !g_str_equal(name, "status")) {
            struct binfmt_entry *e = read_entry(dir, name);
            if (e)
                g_ptr_array_add(b->entries, e);
        }
    if (list)
        g_dir_close(list);
}

/* Where it is not mounted, a mount of its own shows the same to root; in a user namespace it would
 * be another, and hide the system's from there on. */
static int open_place(void)
{
    struct statfs st;
    int fd = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstatfs(fd, &st) == 0 && st.f_type == BINFMTFS_MAGIC)
        return fd;
    fd_cleanup(&fd);
    return idmap_is_whole() ? mountfd_new("binfmt_misc", 0, (const char *const[]){NULL}, NULL) : -1;
}

struct binfmt *binfmt_read(int dir)
{
    struct binfmt *b = g_new0(struct binfmt, 1);
    b->entries = g_ptr_array_new_with_free_func(entry_free);
    fd_auto int own = dir < 0 ? open_place() : -1;
    if (dir >= 0 || own >= 0)
        binfmt_take_entries(b, dir < 0 ? own : dir);
    return b;
}

void binfmt_free(struct binfmt *b)
{
    if (!b)
        return;
    g_ptr_array_unref(b->entries);
    g_free(b);
}

static gboolean matches(const struct binfmt_entry *e, const guint8 *head, gsize n)
{
    if (!e->magic || e->len == 0)
        return FALSE;
    for (gsize i = 0; i < e->len; i++) {
        gsize at = e->offset + i;
        guint8 mask = e->mask ? e->mask[i] : 0xff;
        if (((at < n ? head[at] : 0) ^ e->magic[i]) & mask)
            return FALSE;
    }
    return TRUE;
}

const struct binfmt_entry *binfmt_find(const struct binfmt *b, const struct machine *m)
{
    guint8 head[MACHINE_HEADER];
    machine_header(m, head);
    for (guint i = 0; i < b->entries->len; i++)
        if (matches(g_ptr_array_index(b->entries, i), head, sizeof head))
            return g_ptr_array_index(b->entries, i);
    return NULL;
}

static void append_hex(GString *out, const guint8 *bytes, gsize n)
{
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(out, "\\x%02x", bytes[i]);
}

/* Executables and shared objects (position-independent programs), of any operating system's ABI. */
gboolean binfmt_register(int dir, const char *name, const struct machine *m,
                         const char *interpreter, const char *flags)
{
    guint8 magic[MACHINE_HEADER], mask[MACHINE_HEADER];
    guint low = m->elf_data == ELFDATA2MSB ? EI_NIDENT + 1 : EI_NIDENT; /* of e_type */
    machine_header(m, magic);
    memset(mask, 0xff, sizeof mask);
    mask[EI_OSABI] = mask[EI_ABIVERSION] = 0;
    mask[low] = 0xfe;
    GString *text = g_string_new(NULL);
    g_string_printf(text, ":%s:M::", name);
    append_hex(text, magic, sizeof magic);
    g_string_append_c(text, ':');
    append_hex(text, mask, sizeof mask);
    g_string_append_printf(text, ":%s:%s", interpreter, flags);
    fd_auto int fd = openat(dir, "register", O_WRONLY | O_CLOEXEC);
    gboolean ok = fd >= 0 && write(fd, text->str, text->len) == (ssize_t)text->len;
    int error = errno;
    g_string_free(text, TRUE);
    errno = error;
    return ok;
}
