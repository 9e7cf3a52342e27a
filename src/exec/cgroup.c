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
#include "exec/cgpool.h"

#define DEFAULT_PERIOD 100000 /* µs, the kernel's */

static gboolean lists(const char *dir, const char *file, const char *word)
{
    g_autofree char *path = g_build_filename(dir, file, NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return FALSE;
    g_auto(GStrv) words = g_strsplit(g_strchomp(text), " ", -1);
    return g_strv_contains((const char *const *)words, word);
}

/* The root of the hierarchy in which the controller can be used (NULL: the unified one, whatever it
 * has), or NULL when there is none. */
static char *hierarchy_of(const char *controller, gboolean *unified)
{
    const char *root = cgroupdir_unified();
    *unified = root && (!controller || lists(root, "cgroup.controllers", controller));
    if (*unified)
        return g_strdup(root);
    g_autofree char *own = controller ? g_build_filename("/sys/fs/cgroup", controller, NULL) : NULL;
    struct statfs st;
    return own && statfs(own, &st) == 0 && st.f_type == CGROUP_SUPER_MAGIC ? g_steal_pointer(&own)
                                                                           : NULL;
}

/* The parent to use when none was named: "/varve" for root; for a user the cgroup above varve's
 * own, since a cgroup that holds processes cannot hand controllers to children. */
static char *default_parent(void)
{
    if (geteuid() == 0 && access("/sys/fs/cgroup", W_OK) == 0)
        return g_strdup("/varve");
    g_autofree char *own = cgroupdir_of(0);
    return own ? g_path_get_dirname(own + strlen(cgroupdir_unified())) : g_strdup("/");
}

static gboolean write_value(const char *dir, const char *file, const char *value, GError **err)
{
    g_autofree char *path = g_build_filename(dir, file, NULL);
    fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);
    return (fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value)) ||
           error_set_errno(err, errno, "writing %s to %s", value, path);
}

static gboolean write_number(const char *dir, const char *file, gint64 n, GError **err)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, n);
    return write_value(dir, file, text, err);
}

/* memory_swap counts both; version 2 limits swap alone. */
static gboolean set_memory(const char *dir, gboolean unified, const struct resources *r,
                           GError **err)
{
    if (r->memory && !write_number(dir, unified ? "memory.max" : "memory.limit_in_bytes",
                                   (gint64)r->memory, err))
        return FALSE;
    if (!r->memory_swap)
        return TRUE;
    if (!unified)
        return write_number(dir, "memory.memsw.limit_in_bytes", r->memory_swap, err);
    if (r->memory_swap < 0)
        return write_value(dir, "memory.swap.max", "max", err);
    return write_number(dir, "memory.swap.max", r->memory_swap - (gint64)r->memory, err);
}

/* Version 2 has weights from 1 to 10000 for version 1's shares from 2 to 262144 (the linear
 * conversion of Kubernetes' KEP-2254). */
static gint64 weight_of(gint64 shares)
{
    return 1 + (MAX(shares, 2) - 2) * 9999 / 262142;
}

static gboolean set_cpu_max(const char *dir, const struct resources *r, GError **err)
{
    gint64 period = r->cpu_period ? r->cpu_period : DEFAULT_PERIOD;
    g_autofree char *quota =
        r->cpu_quota > 0 ? g_strdup_printf("%" G_GINT64_FORMAT, r->cpu_quota) : g_strdup("max");
    g_autofree char *text = g_strdup_printf("%s %" G_GINT64_FORMAT, quota, period);
    return write_value(dir, "cpu.max", text, err);
}

static gboolean set_cpu(const char *dir, gboolean unified, const struct resources *r, GError **err)
{
    if (unified)
        return (!r->cpu_shares || write_number(dir, "cpu.weight", weight_of(r->cpu_shares), err)) &&
               ((!r->cpu_period && !r->cpu_quota) || set_cpu_max(dir, r, err));
    return (!r->cpu_shares || write_number(dir, "cpu.shares", r->cpu_shares, err)) &&
           (!r->cpu_period || write_number(dir, "cpu.cfs_period_us", r->cpu_period, err)) &&
           (!r->cpu_quota || write_number(dir, "cpu.cfs_quota_us", r->cpu_quota, err));
}

static gboolean set_cpuset(const char *dir, gboolean unified, const struct resources *r,
                           GError **err)
{
    return (!r->cpuset_cpus || write_value(dir, "cpuset.cpus", r->cpuset_cpus, err)) &&
           (!r->cpuset_mems || write_value(dir, "cpuset.mems", r->cpuset_mems, err));
}

/* In version 1 a new cpuset has neither CPUs nor memory, and nothing can enter it. */
static gboolean inherit_cpuset(const char *parent, const char *dir, GError **err)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *from = g_build_filename(parent, files[i], NULL);
        g_autofree char *to = g_build_filename(dir, files[i], NULL);
        g_autofree char *value = NULL, *own = NULL;
        if (!g_file_get_contents(from, &value, NULL, err) ||
            !g_file_get_contents(to, &own, NULL, err))
            return FALSE;
        if (!*g_strstrip(own) && !write_value(dir, files[i], g_strstrip(value), err))
            return FALSE;
    }
    return TRUE;
}

/* A cgroup, existing or new, below one that exists; what is below has the controller, if any. */
static gboolean make_below(const char *parent, const char *dir, const char *controller,
                           gboolean unified, GError **err)
{
    g_autofree char *plus = controller ? g_strconcat("+", controller, NULL) : NULL;
    if (controller && unified && !lists(parent, "cgroup.subtree_control", controller) &&
        !write_value(parent, "cgroup.subtree_control", plus, err))
        return FALSE;
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return error_set_errno(err, errno, "making the cgroup %s", dir);
    return unified || g_strcmp0(controller, "cpuset") != 0 || inherit_cpuset(parent, dir, err);
}

/* root and name joined, with everything above that is missing. */
static char *make_path(const char *root, const char *name, const char *controller, gboolean unified,
                       GError **err)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    g_autofree char *at = g_strdup(root);
    for (char **part = parts; *part; part++) {
        g_autofree char *dir = **part ? g_build_filename(at, *part, NULL) : g_strdup(at);
        if (**part && !make_below(at, dir, controller, unified, err))
            return NULL;
        g_free(at);
        at = g_steal_pointer(&dir);
    }
    return g_steal_pointer(&at);
}

/* What one run needs of the cgroups. */
struct making {
    struct plan *plan;
    const char *parent; /* below the root of every hierarchy used */
    const char *name;   /* in it */
};

/* The run's cgroup at path, which is taken, is to be entered and removed; again only once. */
static const char *keep_cgroup(struct plan *p, char *path, gboolean unified, GError **err)
{
    for (guint i = 0; i < p->n_cgroups; i++)
        if (g_str_equal(p->cgroups[i].dir.path, path)) {
            g_free(path);
            return p->cgroups[i].dir.path;
        }
    g_assert(p->n_cgroups < G_N_ELEMENTS(p->cgroups));
    struct plan_cgroup *g = &p->cgroups[p->n_cgroups++];
    *g = (struct plan_cgroup){.unified = unified, .procs_fd = -1};
    if (!cgroupdir_open(&g->dir, path, err))
        return NULL;
    g->procs_fd = openat(g->dir.fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (g->procs_fd >= 0)
        return path;
    error_set_errno(err, errno, "opening %s/cgroup.procs", path);
    return NULL;
}

/* The run's cgroup in the hierarchy of a controller (NULL: the unified one). */
static const char *make_cgroup(const struct making *m, const char *controller, gboolean *unified,
                               GError **err)
{
    g_autofree char *root = hierarchy_of(controller, unified);
    if (!root && controller)
        error_set(err, VARVE_ERROR_UNSUPPORTED, "this machine has no cgroup controller %s",
                  controller);
    else if (!root)
        error_set(err, VARVE_ERROR_UNSUPPORTED, "cgroup version 2 is not mounted");
    g_autofree char *parent = root ? make_path(root, m->parent, controller, *unified, err) : NULL;
    if (!parent)
        return NULL;
    cgroupdir_sweep(parent);
    char *path = g_build_filename(parent, m->name, NULL);
    return make_below(parent, path, controller, *unified, err)
               ? keep_cgroup(m->plan, path, *unified, err)
               : (g_free(path), NULL);
}

static gboolean make_limits(const struct making *m, const struct resources *r, GError **err)
{
    const struct {
        const char *controller;
        gboolean wanted;
        gboolean (*set)(const char *dir, gboolean unified, const struct resources *r, GError **err);
    } limits[] = {{"memory", r->memory || r->memory_swap, set_memory},
                  {"cpu", r->cpu_shares || r->cpu_period || r->cpu_quota, set_cpu},
                  {"cpuset", r->cpuset_cpus || r->cpuset_mems, set_cpuset}};
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        if (!limits[i].wanted)
            continue;
        gboolean unified;
        const char *dir = make_cgroup(m, limits[i].controller, &unified, err);
        if (!dir || !limits[i].set(dir, unified, r, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean prepare_asked(struct plan *p, const struct sandbox_spec *spec,
                              const struct resources *r, GError **err)
{
    gboolean unified;
    g_autofree char *parent =
        spec->cgroup_parent ? g_strdup(spec->cgroup_parent) : default_parent();
    if (strstr(parent, ".."))
        return error_set(err, VARVE_ERROR_INVALID, "the cgroup parent %s contains \"..\"", parent);
    g_autofree char *name = cgroupdir_name();
    struct making m = {p, parent, name};
    if ((!spec->cgroup_parent || make_cgroup(&m, NULL, &unified, err)) && make_limits(&m, r, err))
        return TRUE;
    g_prefix_error(err, "limiting the step: ");
    error_add_next(
        err, "limits and --cgroup-parent need cgroup controllers and the right to create cgroups "
             "(for an ordinary user: version 2 and systemd's Delegate=yes); or leave them out");
    return FALSE;
}

gboolean cgroup_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    static const struct resources none;
    const struct resources *r = spec->resources ? spec->resources : &none;
    if (resources_any(r) || spec->cgroup_parent)
        return prepare_asked(p, spec, r, err);
    p->pooled = cgpool_take();
    return TRUE;
}

int cgroup_birthplace(const struct plan *p)
{
    return p->pooled ? p->pooled->fd : p->join_cgroup;
}

void cgroup_refused(struct plan *p)
{
    if (p->pooled)
        cgpool_refuse(g_steal_pointer(&p->pooled));
}

static gboolean end_one(struct cgroupdir *d, struct sandbox_result *out)
{
    gboolean empty = cgroupdir_kill(d);
    cgroupdir_usage(d, &out->cpu_us, &out->memory_peak);
    return empty;
}

/* What an insecure sandbox did to its cgroup must not affect others. */
void cgroup_end(struct plan *p, struct sandbox_result *out)
{
    for (guint i = 0; i < p->n_cgroups; i++) {
        if (p->cgroups[i].unified)
            end_one(&p->cgroups[i].dir, out);
        out->out_of_memory = out->out_of_memory || cgroupdir_ran_out(&p->cgroups[i].dir);
    }
    if (p->pooled) {
        gboolean empty = end_one(p->pooled, out);
        cgpool_give(g_steal_pointer(&p->pooled), empty && !p->insecure);
    }
}

void cgroup_prepare_join(struct plan *p, int pid)
{
    g_autofree char *own = cgroupdir_of(0), *other = cgroupdir_of(pid);
    if (other && g_strcmp0(own, other) != 0)
        p->join_cgroup = open(other, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_clear(struct plan *p)
{
    for (; p->n_cgroups > 0; p->n_cgroups--) {
        struct plan_cgroup *g = &p->cgroups[p->n_cgroups - 1];
        fd_cleanup(&g->procs_fd);
        cgroupdir_remove(&g->dir);
    }
    cgpool_give(g_steal_pointer(&p->pooled), TRUE); /* nothing was started in it */
    fd_cleanup(&p->join_cgroup);
}
