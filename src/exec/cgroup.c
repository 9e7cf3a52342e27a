#include "exec/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

/* Where the unified hierarchy is mounted: alone, or beside version 1 (hybrid). */
static const char *unified_root(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        struct statfs st;
        if (statfs(places[i], &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
            return places[i];
    }
    return NULL;
}

/* The parent to use when none was named: "/varve" for root; for a user the cgroup above varve's
 * own, since a cgroup that holds processes cannot hand controllers to children. */
static char *default_parent(void)
{
    g_autofree char *text = NULL;
    if (geteuid() == 0 && access("/sys/fs/cgroup", W_OK) == 0 && access("/proc/1/root", R_OK) == 0)
        return g_strdup("/varve");
    if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL))
        return g_strdup("/");
    const char *line = strstr(text, "0::");
    g_autofree char *own = line ? g_strndup(line + 3, strcspn(line + 3, "\n")) : g_strdup("/");
    return g_path_get_dirname(own);
}

static gboolean write_value(const char *dir, const char *file, const char *value, GError **err)
{
    g_autofree char *path = g_build_filename(dir, file, NULL);
    fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);
    return (fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value)) ||
           error_set_errno(err, errno, "writing %s to %s", value, path);
}

static gboolean set_memory(const char *parent, const char *dir, guint64 max, GError **err)
{
    if (!max)
        return TRUE;
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, max);
    return write_value(parent, "cgroup.subtree_control", "+memory", err) &&
           write_value(dir, "memory.max", text, err);
}

static gboolean make_cgroup(struct plan *p, const char *parent, GError **err)
{
    static gint counter;
    g_autofree char *id = g_strdup_printf("varve-%d-%d", getpid(), g_atomic_int_add(&counter, 1));
    g_autofree char *path = g_build_filename(parent, id, NULL);
    g_autofree char *procs = g_build_filename(path, "cgroup.procs", NULL);
    if (!fs_mkdir_p(AT_FDCWD, parent, 0755, err))
        return FALSE;
    if (mkdir(path, 0755) < 0)
        return error_set_errno(err, errno, "making the cgroup %s", path);
    p->cgroup_path = g_steal_pointer(&path);
    p->cgroup_fd = open(procs, O_WRONLY | O_CLOEXEC);
    return p->cgroup_fd >= 0 || error_set_errno(err, errno, "opening %s", procs);
}

gboolean cgroup_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    if (!spec->memory_max && !spec->cgroup_parent)
        return TRUE;
    const char *root = unified_root();
    g_autofree char *name = spec->cgroup_parent ? g_strdup(spec->cgroup_parent) : default_parent();
    g_autofree char *parent = g_build_filename(root ? root : "/", name, NULL);
    if (strstr(name, ".."))
        return error_set(err, VARVE_ERROR_INVALID, "the cgroup parent %s contains \"..\"", name);
    if (!root)
        error_set(err, VARVE_ERROR_UNSUPPORTED, "cgroup version 2 is not mounted");
    else if (make_cgroup(p, parent, err) &&
             set_memory(parent, p->cgroup_path, spec->memory_max, err))
        return TRUE;
    g_prefix_error(err, "limiting the step: ");
    error_add_next(err, "--memory and --cgroup-parent need cgroup version 2 with its controllers "
                        "and the right to make cgroups (for a user: systemd's Delegate=yes); or "
                        "leave them away");
    return FALSE;
}

void cgroup_clear(struct plan *p)
{
    fd_cleanup(&p->cgroup_fd);
    if (p->cgroup_path)
        rmdir(p->cgroup_path);
    g_clear_pointer(&p->cgroup_path, g_free);
}
