#include "exec/emulator.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/idmap.h"
#include "exec/ownbinfmt.h"
#include "exec/probe.h"

/* What is registered, for the life of the process. */
static const struct binfmt *registered(void)
{
    static gsize once;
    static struct binfmt *b;
    if (g_once_init_enter(&once)) {
        b = binfmt_read(-1);
        g_once_init_leave(&once, 1);
    }
    return b;
}

/* Whether root of a sandbox could change what the kernel has open. Another user's file is out of
 * reach in a user namespace; what has no name any more was installed by root. */
static gboolean is_exposed(const struct binfmt_entry *e)
{
    struct stat st;
    if (!e->fixed)
        return FALSE;
    if (idmap_is_whole())
        return TRUE;
    return stat(e->interpreter, &st) == 0 &&
           (st.st_uid == geteuid() || access(e->interpreter, W_OK) == 0);
}

/* A program that needs no loader, of which a sandbox has none for this machine. */
static gboolean is_static(const char *path)
{
    Elf64_Ehdr head;
    Elf64_Phdr part;
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &head, sizeof head) != sizeof head ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64)
        return FALSE;
    for (guint i = 0; i < head.e_phnum; i++)
        if (pread(fd, &part, sizeof part, (off_t)(head.e_phoff + i * sizeof part)) != sizeof part ||
            part.p_type == PT_INTERP)
            return FALSE;
    return TRUE;
}

/* A static QEMU of the system for m: the registered one, or where distributions put it. */
static char *find_qemu(const struct machine *m, const struct binfmt_entry *e)
{
    static const char *const places[] = {"/usr/bin/qemu-%s-static", "/usr/bin/qemu-%s",
                                         "/usr/local/bin/qemu-%s-static", "/usr/local/bin/qemu-%s"};
    if (e && is_static(e->interpreter))
        return g_strdup(e->interpreter);
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        const char *name = strchr(places[i], '%');
        g_autofree char *path = g_strdup_printf("%.*s%s%s", (int)(name - places[i]), places[i],
                                                m->qemu, name + strlen("%s"));
        if (is_static(path))
            return g_steal_pointer(&path);
    }
    return NULL;
}

/* What the kernel holds open, as a program that it runs shows it: its file may have no name here.
 */
static int open_registered(const struct machine *m)
{
    g_autoptr(GBytes) program = machine_probe(m);
    return probe_interpreter(program);
}

/* TRUE: varve's own emulator can be used. */
static gboolean choose_own(struct emulator *e, const struct binfmt_entry *entry)
{
    g_autofree char *path = find_qemu(e->machine, entry);
    fd_auto int source = path                    ? open(path, O_RDONLY | O_CLOEXEC)
                         : entry && entry->fixed ? open_registered(e->machine)
                                                 : -1;
    e->user_fd = source < 0 ? -1 : ownbinfmt_namespace(e->machine, source);
    if (e->user_fd < 0)
        return FALSE;
    g_free(e->path);
    e->path = path ? g_steal_pointer(&path) : g_strdup(entry->interpreter);
    return TRUE;
}

void emulator_add_install(GError **err, const char *arch)
{
    error_add_next(
        err,
        "install an emulator (Debian and Ubuntu: apt install qemu-user-static binfmt-support; "
        "elsewhere: docker run --privileged tonistiigi/binfmt --install %s), or choose a base "
        "image for this machine's platform",
        arch);
}

static void set_none(struct emulator *e, const struct platform *p, const char *text)
{
    g_autofree char *wanted = platform_text(p);
    struct platform host;
    platform_host(&host);
    g_autofree char *here = platform_text(&host);
    e->kind = EMULATOR_NONE;
    e->reason = g_strdup(text);
    error_set(&e->why, VARVE_ERROR_UNSUPPORTED,
              "it runs programs for %s, and this machine is %s: %s", wanted, here, text);
}

static void emulator_refuse(struct emulator *e, const struct platform *p,
                            const struct binfmt_entry *entry)
{
    if (!entry) {
        set_none(e, p,
                 e->machine ? "no emulator is registered for them"
                            : "varve knows no emulator for them");
        emulator_add_install(&e->why, p->arch);
    } else if (entry->fixed) {
        set_none(e, p,
                 "a step that runs as root could change the emulator that is registered, and "
                 "keeping it out takes Linux 6.7 and user namespaces");
        error_add_next(&e->why, "run varve as an ordinary user, or use a newer kernel");
    } else {
        g_autofree char *text = g_strdup_printf(
            "%s is registered for them without flag F, but it is %s", entry->interpreter,
            access(entry->interpreter, X_OK) < 0 ? "not there"
                                                 : "not static, so it cannot start in an image");
        set_none(e, p, text);
        emulator_add_install(&e->why, p->arch);
    }
}

static void choose_foreign(struct emulator *e, const struct platform *p, gboolean insecure)
{
    const struct binfmt *b = registered();
    const struct binfmt_entry *entry = e->machine ? binfmt_find(b, e->machine) : NULL;
    if (entry) {
        e->name = g_strdup(entry->name);
        e->path = g_strdup(entry->interpreter);
        e->fixed = entry->fixed;
    }
    if (entry && entry->fixed && (insecure || !is_exposed(entry)))
        e->kind = EMULATOR_REGISTERED;
    else if (!insecure && e->machine && choose_own(e, entry))
        e->kind = EMULATOR_OWN;
    else if (entry && !entry->fixed && is_static(entry->interpreter))
        e->kind = EMULATOR_PLACED;
    else if (!idmap_is_whole() && (!e->machine || !b->known)) /* it may be registered outside */
        e->kind = EMULATOR_REGISTERED;
    else
        emulator_refuse(e, p, entry);
}

/* Whether the kernel itself runs 32-bit programs of this machine's family. */
static gboolean is_compat(const struct machine *m, const char *host)
{
    gboolean relative = (g_str_equal(m->arch, "386") && g_str_equal(host, "amd64")) ||
                        (g_str_equal(m->arch, "arm") && g_str_equal(host, "arm64"));
    g_autoptr(GBytes) program = relative ? machine_probe(m) : NULL;
    return program && !binfmt_find(registered(), m) && probe_runs(program);
}

void emulator_choose(struct emulator *e, const struct platform *p, gboolean insecure)
{
    struct platform host;
    platform_host(&host);
    *e = (struct emulator){.user_fd = -1};
    e->machine = machine_of_arch(p && *p->arch ? p->arch : host.arch);
    if (!p || !*p->arch || g_str_equal(p->arch, host.arch) || !g_str_equal(p->os, "linux"))
        e->kind = EMULATOR_NATIVE;
    else if (e->machine && is_compat(e->machine, host.arch))
        e->kind = EMULATOR_COMPAT;
    else
        choose_foreign(e, p, insecure);
}

void emulator_clear(struct emulator *e)
{
    g_free(e->path);
    g_free(e->name);
    g_free(e->reason);
    g_clear_error(&e->why);
}
