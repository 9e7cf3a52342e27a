#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "layer/index.h"
#include "layer/overlaymark.h"
#include "snapshot/copytree.h"
#include "snapshot/mountfd.h"
#include "snapshot/overlay.h"
#include "store/absent.h"

static char *layer_fs(const char *id)
{
    g_autofree char *layer = store_layer_path(id);
    return g_build_filename(layer, "fs", NULL);
}

/* The upper's root is what the sandbox sees as "/": it starts with the attributes of the root below
 * it. */
static gboolean inherit_root(struct store *s, const struct chain *c, int fs, GError **err)
{
    struct stat st = {.st_mode = 0755};
    if (c->n) {
        g_autofree char *path = layer_fs(c->ids[c->n - 1]);
        if (fstatat(store_fd(s), path, &st, 0) < 0)
            return error_set_errno(err, errno, "reading the layer %s", c->ids[c->n - 1]);
        if (fchown(fs, st.st_uid, st.st_gid) < 0)
            return error_set_errno(err, errno, "setting the owner of a new layer's root");
    }
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    if (fchmod(fs, st.st_mode & 07777) < 0 || (c->n && futimens(fs, times) < 0))
        return error_set_errno(err, errno, "setting the mode of a new layer's root");
    return TRUE;
}

static gboolean make_upper(struct snapshot *sn, GError **err)
{
    sn->tmp = store_tmp_dir(sn->store, err);
    if (!sn->tmp)
        return FALSE;
    sn->upper = g_build_filename(sn->tmp, "fs", NULL);
    if (mkdirat(store_fd(sn->store), sn->upper, 0755) < 0)
        return error_set_errno(err, errno, "making a new layer's directory");
    fd_auto int fs = fs_open_dir(store_fd(sn->store), sn->upper, err);
    return fs >= 0 && inherit_root(sn->store, sn->chain, fs, err);
}

/* The work directory is outside the layer under construction: removing what overlayfs leaves there
 * is slow and can wait until after the commit. */
static gboolean prepare_overlay(struct snapshot *sn, struct overlay *o, GError **err)
{
    if (sn->writable && !sn->work && !(sn->work = store_tmp_dir(sn->store, err)))
        return FALSE;
    *o = (struct overlay){.store = sn->store,
                          .chain = sn->chain,
                          .upper = sn->upper,
                          .work = sn->work,
                          .floor = sn->chain->n < OVERLAY_MAX_LOWERS ? sn->floor : NULL};
    return TRUE;
}

static gboolean open_overlay(struct snapshot *sn, GError **err)
{
    struct overlay o;
    if (!prepare_overlay(sn, &o, err))
        return FALSE;
    sn->mount_fd = overlay_mount_fd(&o, err);
    sn->refused = o.error;
    return sn->mount_fd >= 0;
}

/* The classic mount needs a place even when it is read-only. */
static gboolean open_classic(struct snapshot *sn, GError **err)
{
    struct overlay o;
    g_autofree char *place = store_tmp_dir(sn->store, err);
    if (!place || !prepare_overlay(sn, &o, err))
        return FALSE;
    sn->mount_fd = overlay_mount_classic(&o, place, err);
    sn->refused = o.error;
    return sn->mount_fd >= 0;
}

static gboolean mount_copy(struct snapshot *sn, int dir, GError **err)
{
    sn->mount_fd = mountfd_clone(dir, "", sn->writable ? 0 : MOUNT_ATTR_RDONLY, err);
    return sn->mount_fd >= 0;
}

static gboolean open_copy(struct snapshot *sn, GError **err)
{
    if (!sn->tmp)
        sn->tmp = store_tmp_dir(sn->store, err);
    if (!sn->tmp)
        return FALSE;
    g_autofree char *merged = g_build_filename(sn->tmp, "merged", NULL);
    if (!fs_remove_tree(store_fd(sn->store), merged, err) ||
        !fs_mkdir_p(store_fd(sn->store), merged, 0755, err))
        return FALSE;
    fd_auto int dir = fs_open_dir(store_fd(sn->store), merged, err);
    if (dir < 0)
        return FALSE;
    sn->impl = copytree_new(sn->store, sn->chain, merged, err);
    return sn->impl && inherit_root(sn->store, sn->chain, dir, err) && mount_copy(sn, dir, err);
}

typedef gboolean (*open_fn)(struct snapshot *sn, GError **err);
static const open_fn drivers[] = {[DRIVER_OVERLAY_FD] = open_overlay,
                                  [DRIVER_OVERLAY_CLASSIC] = open_classic,
                                  [DRIVER_COPY] = open_copy};

/* Whether another driver may succeed: not if the disk is full or a layer is missing. */
static gboolean is_refusal(const GError *err)
{
    return err->code == VARVE_ERROR_FAILED || err->code == VARVE_ERROR_DENIED;
}

/* Whether it was refused because of the kernel or the store's file system, so that all other chains
 * of this store will be refused, too. */
static gboolean is_lasting(int refused)
{
    return refused == EPERM || refused == EACCES || refused == ENOSYS || refused == ENODEV ||
           refused == EINVAL || refused == EOPNOTSUPP;
}

/* The last driver's reason is reported, unless a better driver failed because of this chain. */
static void note_refusal(struct snapshot *sn, const char *message)
{
    if (sn->why)
        return;
    if (sn->driver + 1 == DRIVER_COPY || !is_lasting(sn->refused))
        sn->why = g_strdup(message);
}

/* The marks of a store's layers on overlayfs are not those that overlayfs knows. */
static void avoid_overlayfs(struct snapshot *sn, gint *start)
{
    if (!overlaymark_foreign(store_fd(sn->store)))
        return;
    if (g_atomic_int_compare_and_exchange(start, 0, DRIVER_COPY))
        sn->why = g_strdup("the store itself is on overlayfs, as is all of a container but its "
                           "volumes");
}

/* Tries the drivers from the best on, or from the first that was of use for an earlier snapshot of
 * this store. */
static gboolean open_any(struct snapshot *sn, GError **err)
{
    gint *start = store_mounting(sn->store);
    avoid_overlayfs(sn, start);
    for (gint d = MAX(g_atomic_int_get(start), DRIVER_OVERLAY_FD); d <= DRIVER_COPY; d++) {
        g_autoptr(GError) local = NULL;
        sn->driver = d;
        if (drivers[d](sn, &local)) {
            if (d != DRIVER_COPY)
                g_clear_pointer(&sn->why, g_free);
            return TRUE;
        }
        if (d == DRIVER_COPY || !is_refusal(local)) {
            g_propagate_error(err, g_steal_pointer(&local));
            return FALSE;
        }
        if (is_lasting(sn->refused)) /* a refusal of a single chain does not concern others */
            g_atomic_int_compare_and_exchange(start, d == DRIVER_OVERLAY_FD ? 0 : d, d + 1);
        note_refusal(sn, local->message);
    }
    return FALSE;
}

/* Chains that need no overlay: a new first layer, a single layer to look at, nothing at all. */
static gboolean open_simple(struct snapshot *sn, GError **err)
{
    g_autofree char *fs = sn->chain->n ? layer_fs(sn->chain->ids[0]) : NULL;
    const char *path = sn->writable ? sn->upper : fs;
    if (path)
        sn->mount_fd =
            mountfd_clone(store_fd(sn->store), path, sn->writable ? 0 : MOUNT_ATTR_RDONLY, err);
    else
        sn->mount_fd = mountfd_new("tmpfs", MOUNT_ATTR_RDONLY, NULL, err);
    return sn->mount_fd >= 0;
}

static gboolean is_simple(const struct snapshot *sn)
{
    return sn->chain->n == 0 || (sn->chain->n == 1 && !sn->writable);
}

static struct chain *each_once(const struct chain *c)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree gboolean *keep = g_new0(gboolean, c->n + 1);
    for (guint i = c->n; i-- > 0;)
        keep[i] = g_hash_table_add(seen, c->ids[i]);
    struct chain *once = chain_new();
    for (guint i = 0; i < c->n; i++)
        if (keep[i])
            chain_append(once, c->ids[i]);
    return once;
}

static struct snapshot *snapshot_new(struct store *s, const struct chain *chain, gboolean writable)
{
    struct snapshot *sn = g_new0(struct snapshot, 1);
    sn->store = s;
    sn->mount_fd = -1;
    sn->writable = writable;
    sn->chain = each_once(chain);
    return sn;
}

static gboolean open_with(struct snapshot *sn, enum snapshot_driver d, GError **err)
{
    sn->driver = d;
    if (!store_chain_need(sn->store, sn->chain, NEED_FILES, err))
        return FALSE;
    if (sn->writable && !make_upper(sn, err))
        return FALSE;
    if (is_simple(sn))
        return open_simple(sn, err);
    return d == DRIVER_AUTO ? open_any(sn, err) : drivers[d](sn, err);
}

gboolean snapshot_driver_parse(const char *text, enum snapshot_driver *out)
{
    static const char *const names[] = {[DRIVER_AUTO] = "auto",
                                        [DRIVER_OVERLAY_FD] = "overlay",
                                        [DRIVER_OVERLAY_CLASSIC] = "classic",
                                        [DRIVER_COPY] = "copy"};
    for (guint d = 0; d < G_N_ELEMENTS(names); d++) {
        if (!g_str_equal(text, names[d]))
            continue;
        *out = d;
        return TRUE;
    }
    return FALSE;
}

struct snapshot *snapshot_open(struct store *s, const struct chain *chain, gboolean writable,
                               enum snapshot_driver d, GError **err)
{
    g_autoptr(snapshot) sn = snapshot_new(s, chain, writable);
    return open_with(sn, d, err) ? g_steal_pointer(&sn) : NULL;
}

struct snapshot *snapshot_open_floor(struct store *s, const struct chain *chain, const char *floor,
                                     enum snapshot_driver d, GError **err)
{
    g_autoptr(snapshot) sn = snapshot_new(s, chain, TRUE);
    sn->floor = g_strdup(floor);
    return open_with(sn, d, err) ? g_steal_pointer(&sn) : NULL;
}

char *snapshot_warning(const struct snapshot *sn)
{
    if (!sn->why)
        return NULL;
    const char *remedy = container_remedy(CONTAINER_STORE);
    return g_strdup_printf("layers are copied instead of mounted, which takes far longer and more "
                           "space: %s (overlayfs needs Linux 5.13 or newer, and the store %s on a "
                           "file system such as ext4, xfs, btrfs or tmpfs%s%s)",
                           sn->why, store_root(sn->store), remedy ? ": " : "",
                           remedy ? remedy : "");
}

void snapshot_forget(struct snapshot *sn, const GPtrArray *touched)
{
    if (!sn->touched)
        sn->touched = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < touched->len; i++)
        g_ptr_array_add(sn->touched, g_strdup(touched->pdata[i]));
}

static int open_in(const struct snapshot *sn, const char *dir, const char *path)
{
    g_autofree char *full = g_build_filename(dir, path, NULL);
    return openat(store_fd(sn->store), full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The directory that path was before this snapshot: the topmost layer's that has it. */
static int open_below(const struct snapshot *sn, const char *path)
{
    int fd = -1;
    for (guint i = sn->chain->n; fd < 0 && i-- > 0;) {
        g_autofree char *fs = layer_fs(sn->chain->ids[i]);
        fd = open_in(sn, fs, path);
    }
    return fd;
}

static gboolean is_floor(const struct snapshot *sn, const char *path)
{
    fd_auto int fd = sn->floor ? open_in(sn, sn->floor, path) : -1;
    return fd >= 0;
}

/* Attributes besides overlayfs's own: a directory with any is kept, to be safe. */
static gboolean has_xattrs(int fd)
{
    char names[4096];
    ssize_t len = flistxattr(fd, names, sizeof names);
    for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1)
        if (!overlaymark_is_xattr(name))
            return TRUE;
    return len < 0 && errno != ENOTSUP;
}

/* A directory that only the floor has was there only for mount points: if empty it means nothing,
 * whatever its mode. */
static gboolean is_unchanged(const struct snapshot *sn, int fd, const char *path)
{
    struct stat a, b;
    g_autoptr(GPtrArray) names = fs_list(fd, NULL);
    if (!names || names->len > 0 || overlaymark_is_opaque(fd))
        return FALSE;
    fd_auto int below = open_below(sn, path);
    if (below < 0)
        return is_floor(sn, path);
    return !has_xattrs(fd) && fstat(fd, &a) == 0 && fstat(below, &b) == 0 &&
           a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid &&
           fs_mtime_ns(&a) == fs_mtime_ns(&b);
}

/* Removes the directory at path from the upper if it means nothing, then checks the one above it.
 */
static void forget_path(struct snapshot *sn, int fs, const char *path)
{
    g_autofree char *at = g_strdup(path + (*path == '/'));
    for (char *slash; *at; *slash = '\0') {
        fd_auto int fd = openat(fs, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || !is_unchanged(sn, fd, at))
            return;
        slash = strrchr(at, '/');
        g_autofree char *above = g_strndup(at, slash ? slash - at : 0);
        struct stat st;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
        if (fstatat(fs, slash ? above : ".", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            unlinkat(fs, at, AT_REMOVEDIR) < 0)
            return;
        times[1] = st.st_mtim;
        utimensat(fs, slash ? above : ".", times, AT_SYMLINK_NOFOLLOW);
        if (!slash)
            return;
    }
}

static void discard_work(struct snapshot *sn)
{
    if (sn->work)
        store_tmp_discard_later(sn->store, sn->work);
    g_clear_pointer(&sn->work, g_free);
}

static gboolean remount_copy(struct snapshot *sn, GError **err)
{
    g_autofree char *merged = g_build_filename(sn->tmp, "merged", NULL);
    fd_auto int dir = fs_open_dir(store_fd(sn->store), merged, err);
    return dir >= 0 && mount_copy(sn, dir, err);
}

gboolean snapshot_remount(struct snapshot *sn, GError **err)
{
    fd_cleanup(&sn->mount_fd);
    if (is_simple(sn))
        return open_simple(sn, err);
    if (sn->driver == DRIVER_COPY)
        return remount_copy(sn, err);
    discard_work(sn); /* overlayfs takes none of a volatile mount again */
    return drivers[sn->driver](sn, err);
}

/* Drops the floor's directories from the layer. Nothing asked for directories below them, so only
 * the top ones need to be dropped. */
static void forget_floor(struct snapshot *sn, int fs)
{
    fd_auto int floor = sn->floor ? fs_open_dir(store_fd(sn->store), sn->floor, NULL) : -1;
    g_autoptr(GPtrArray) names = floor < 0 ? NULL : fs_list(floor, NULL);
    for (guint i = 0; names && i < names->len; i++)
        forget_path(sn, fs, names->pdata[i]);
}

static gboolean finish_upper(struct snapshot *sn, GError **err)
{
    g_autofree char *merged = g_build_filename(sn->tmp, "merged", NULL);
    if (sn->impl && (!copytree_take_changes(sn->impl, sn->store, merged, sn->upper, err) ||
                     !fs_remove_tree(store_fd(sn->store), merged, err)))
        return FALSE;
    fd_auto int fs = fs_open_dir(store_fd(sn->store), sn->upper, err);
    for (guint i = 0; fs >= 0 && sn->touched && i < sn->touched->len; i++)
        forget_path(sn, fs, sn->touched->pdata[i]);
    if (fs >= 0)
        forget_floor(sn, fs);
    return fs >= 0;
}

static gboolean index_upper(struct snapshot *sn, struct cancel *c, struct layer_info *out,
                            GError **err)
{
    fd_auto int dirfd = fs_open_dir(store_fd(sn->store), sn->tmp, err);
    return dirfd >= 0 && layer_index_make(dirfd, c, out, err);
}

gboolean snapshot_commit(struct snapshot *snap, struct cancel *c, struct layer_info *out,
                         GError **err)
{
    g_autoptr(snapshot) sn = snap;
    if (!sn->writable)
        return error_set(err, VARVE_ERROR_FAILED,
                         "a read-only view of layers cannot become a layer");
    fd_cleanup(&sn->mount_fd);
    *out = (struct layer_info){0};
    if (!finish_upper(sn, err) || !index_upper(sn, c, out, err)) {
        g_prefix_error(err, "finishing a new layer: ");
        return FALSE;
    }
    g_autofree char *tmp = g_steal_pointer(&sn->tmp);
    return store_layer_commit(sn->store, tmp, out, err);
}

void snapshot_discard(struct snapshot *sn)
{
    if (!sn)
        return;
    fd_cleanup(&sn->mount_fd);
    discard_work(sn);
    if (sn->tmp)
        store_tmp_discard(sn->store, sn->tmp);
    copytree_free(sn->impl);
    chain_free(sn->chain);
    if (sn->touched)
        g_ptr_array_unref(sn->touched);
    g_free(sn->tmp);
    g_free(sn->upper);
    g_free(sn->floor);
    g_free(sn->why);
    g_free(sn);
}
