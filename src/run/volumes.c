#include "run/volumes.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/shellword.h"
#include "exec/hostca.h"
#include "layer/chainview.h"
#include "layer/fill.h"
#include "run/volume_name.h"
#include "store/images.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_volumes {
    struct run_volumes_options o;
    GArray *mounts;     /* struct sandbox_mount; descriptors closed at the end */
    GPtrArray *owned;   /* char*: destinations */
    GPtrArray *volumes; /* struct volume* */
    GPtrArray *tmps;    /* char*: directories of fresh volumes, relative to the store */
};

static void close_mount(gpointer m)
{
    fd_cleanup(&((struct sandbox_mount *)m)->fd);
}

struct run_volumes *run_volumes_new(const struct run_volumes_options *o)
{
    struct run_volumes *v = g_new0(struct run_volumes, 1);
    v->o = *o;
    v->mounts = g_array_new(FALSE, TRUE, sizeof(struct sandbox_mount));
    g_array_set_clear_func(v->mounts, close_mount);
    v->owned = g_ptr_array_new_with_free_func(g_free);
    v->volumes = g_ptr_array_new_with_free_func((GDestroyNotify)store_volume_release);
    v->tmps = g_ptr_array_new_with_free_func(g_free);
    return v;
}

void run_volumes_free(struct run_volumes *v)
{
    if (!v)
        return;
    g_array_unref(v->mounts);
    g_ptr_array_unref(v->volumes);
    for (guint i = 0; i < v->tmps->len; i++)
        store_tmp_discard(v->o.store, g_ptr_array_index(v->tmps, i));
    g_ptr_array_unref(v->tmps);
    g_ptr_array_unref(v->owned);
    g_free(v);
}

static int by_dest(gconstpointer a, gconstpointer b)
{
    return strcmp(((const struct sandbox_mount *)a)->dest, ((const struct sandbox_mount *)b)->dest);
}

struct sandbox_mount *run_volumes_mounts(struct run_volumes *v, guint *n)
{
    g_array_sort(v->mounts, by_dest); /* a directory before what is in it */
    *n = v->mounts->len;
    return (struct sandbox_mount *)v->mounts->data;
}

void run_volumes_add(struct run_volumes *v, const struct sandbox_mount *mount)
{
    struct sandbox_mount m = *mount;
    m.dest = g_strdup(m.dest);
    g_ptr_array_add(v->owned, (gpointer)m.dest);
    g_array_append_val(v->mounts, m);
}

/* Takes fd. */
static void add_volume_mount(struct run_volumes *v, const char *dest, int fd, gboolean readonly)
{
    run_volumes_add(v, &(struct sandbox_mount){.dest = dest, .fd = fd, .readonly = readonly});
}

/* A new volume begins as what the image has at its place, owner and mode included. */
static gboolean fill_volume(struct run_volumes *v, const char *dest, int dir, GError **err)
{
    g_autoptr(chainview) view = chainview_new(v->o.store, v->o.chain, v->o.cancel, err);
    if (!view)
        return FALSE;
    gboolean exists;
    struct entry e;
    g_autofree char *place = chainview_resolve(view, dest, TRUE, &exists, &e, err);
    if (!place)
        return FALSE;
    if (!exists || e.type != ENTRY_DIR)
        return TRUE;
    return fill_from_chain(v->o.store, v->o.chain, dest, dir, v->o.cancel, err);
}

static gboolean add_anonymous(struct run_volumes *v, const char *dest, GError **err)
{
    char *tmp = store_tmp_dir(v->o.store, err);
    if (!tmp)
        return FALSE;
    g_ptr_array_add(v->tmps, tmp);
    fd_auto int dir = fs_open_dir(store_fd(v->o.store), tmp, err);
    if (dir < 0 || fchmod(dir, 0755) < 0 || !fill_volume(v, dest, dir, err))
        return FALSE;
    add_volume_mount(v, dest, fd_steal(&dir), FALSE);
    return TRUE;
}

static gboolean add_named(struct run_volumes *v, const char *name, const char *dest,
                          gboolean readonly, GError **err)
{
    g_autofree char *id = volume_name_id(name);
    struct volume *volume = store_volume_take(v->o.store, id, SHARING_SHARED, v->o.cancel, err);
    if (!volume)
        return FALSE;
    fd_auto int dir = fs_open_dir(store_fd(v->o.store), volume->dir, err);
    if (dir < 0 || (volume->fresh && !fill_volume(v, dest, dir, err))) {
        store_volume_discard(volume);
        return FALSE;
    }
    g_ptr_array_add(v->volumes, volume);
    if (!store_volume_ready(volume, err))
        return FALSE;
    add_volume_mount(v, dest, fd_steal(&dir), readonly);
    return TRUE;
}

/* A file or directory of this host, or -1. */
static int open_host(const char *what, const char *source, GError **err)
{
    int fd = open(source, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    gboolean missing = errno == ENOENT;
    error_set_errno(err, errno, "%s: cannot mount %s", what, source);
    g_autofree char *word = shell_path(source);
    if (missing)
        error_add_next(err, "make it first: mkdir -p %s", word);
    return -1;
}

gboolean run_volumes_check_hosts(const GArray *mounts, GError **err)
{
    for (guint i = 0; i < mounts->len; i++) {
        const struct run_mount *m = &g_array_index(mounts, struct run_mount, i);
        fd_auto int fd = m->type == RUN_MOUNT_BIND ? open_host(m->what, m->source, err) : -1;
        if (m->type == RUN_MOUNT_BIND && fd < 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean add_host(struct run_volumes *v, const char *what, const char *source,
                         const char *dest, gboolean readonly, GError **err)
{
    int fd = open_host(what, source, err);
    if (fd < 0)
        return FALSE;
    add_volume_mount(v, dest, fd, readonly);
    return TRUE;
}

gboolean run_volumes_mount(struct run_volumes *v, const struct run_mount *m, GError **err)
{
    if (m->type == RUN_MOUNT_BIND)
        return add_host(v, m->what, m->source, m->target, m->readonly, err);
    if (m->type == RUN_MOUNT_VOLUME)
        return m->source ? add_named(v, m->source, m->target, m->readonly, err)
                         : add_anonymous(v, m->target, err);
    run_volumes_add(v, &(struct sandbox_mount){.dest = m->target,
                                               .fd = -1,
                                               .readonly = m->readonly,
                                               .noexec = m->noexec,
                                               .size = m->size,
                                               .mode = m->mode});
    return TRUE;
}

static gboolean collect_path(gpointer key, gpointer value, gpointer data)
{
    g_ptr_array_add(data, key);
    return FALSE;
}

gboolean run_volumes_add_paths(struct run_volumes *v, GTree *volumes, const GArray *mounts,
                               GError **err)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_tree_foreach(volumes, collect_path, paths);
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *rooted = g_strconcat("/", (char *)g_ptr_array_index(paths, i), NULL);
        g_autofree char *dest = path_clean(rooted);
        if (!dest[1] || run_mounts_have(mounts, dest) || !g_hash_table_add(taken, g_strdup(dest)))
            continue;
        if (!add_anonymous(v, dest, err))
            return FALSE;
    }
    return TRUE;
}

gboolean run_volumes_add_host_ca(struct run_volumes *v, const char *bundle, GError **err)
{
    g_autofree char *path = hostca_find(bundle, err);
    return path && add_host(v, "--host-ca", path, HOSTCA_DEST, TRUE, err);
}
