#include "doctor/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "layer/overlaymark.h"
#include "snapshot/mountfd.h"
#include "text/bytesize.h"

#define FEW_BYTES (G_GUINT64_CONSTANT(2) << 30)
#define FEW_INODES 50000

static const char *fs_name(const struct statfs *fs)
{
    static const struct {
        long type;
        const char *name;
    } types[] = {{EXT4_SUPER_MAGIC, "ext4"},   {XFS_SUPER_MAGIC, "xfs"},
                 {BTRFS_SUPER_MAGIC, "btrfs"}, {TMPFS_MAGIC, "tmpfs"},
                 {NFS_SUPER_MAGIC, "nfs"},     {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
                 {0x2fc12fc1, "zfs"},          {FUSE_SUPER_MAGIC, "fuse"},
                 {0xff534d42, "cifs"},         {F2FS_SUPER_MAGIC, "f2fs"}};
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        if (fs->f_type == types[i].type)
            return types[i].name;
    return "a file system that varve does not know";
}

/* The store's folder, or the nearest above it that exists. */
static char *existing_folder(const char *root)
{
    char *at = g_strdup(root);
    while (at[1] && access(at, F_OK) < 0) {
        char *above = g_path_get_dirname(at);
        g_free(at);
        at = above;
    }
    return at;
}

static void probe_type(GPtrArray *to, const char *root, const struct statfs *fs)
{
    const char *remedy = container_remedy(CONTAINER_STORE);
    struct finding f = {.name = "store", .purpose = "images, layers and results"};
    const char *limit = NULL;
    if (fs->f_type == OVERLAYFS_SUPER_MAGIC)
        limit = "layers are copied for each step instead of mounted, and end with the container";
    else if (fs->f_type == TMPFS_MAGIC)
        limit = "it takes memory, and is gone after a restart";
    else if (fs->f_type == NFS_SUPER_MAGIC || fs->f_type == 0xff534d42)
        limit = "over a network neither locks nor overlayfs are reliable";
    f.state = limit ? FINDING_LIMITED : FINDING_OK;
    f.found =
        g_strdup_printf("%s on %s%s%s", root, fs_name(fs), limit ? ": " : "", limit ? limit : "");
    f.remedy = g_strdup(remedy ? remedy : "choose a folder on a disk: --root or VARVE_ROOT");
    finding_add(to, f);
}

static void probe_space(GPtrArray *to, const char *folder)
{
    struct statvfs v;
    if (statvfs(folder, &v) < 0)
        return;
    guint64 bytes = (guint64)v.f_bavail * v.f_frsize;
    gboolean few = bytes < FEW_BYTES || (v.f_files && v.f_favail < FEW_INODES);
    g_autofree char *size = g_format_size(bytes);
    finding_add(to,
                (struct finding){.name = "space",
                                 .purpose = "layers; a full disk ends a build",
                                 .state = few ? FINDING_LIMITED : FINDING_OK,
                                 .found = v.f_files ? g_strdup_printf("%s and %" G_GUINT64_FORMAT
                                                                      " inodes are free",
                                                                      size, (guint64)v.f_favail)
                                                    : g_strdup_printf("%s are free", size),
                                 .remedy = g_strdup("varve prune --all, or a larger disk")});
}

/* Whether another process would be kept out. */
static gboolean locks_work(int dir, GError **err)
{
    fd_auto int a = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fd_auto int b = openat(dir, "lock", O_RDWR | O_CLOEXEC);
    if (a < 0 || b < 0 || flock(a, LOCK_EX | LOCK_NB) < 0)
        return error_set_errno(err, errno, "locking a file");
    return flock(b, LOCK_EX | LOCK_NB) < 0 ||
           error_set(err, VARVE_ERROR_FAILED, "locks keep nobody out");
}

static gboolean make_trial_dirs(int dir, GError **err)
{
    static const char *const names[] = {"lower", "lower/sub", "second", "upper", "work"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (mkdirat(dir, names[i], 0700) < 0)
            return error_set_errno(err, errno, "making a folder");
    fd_auto int sub = openat(dir, "second", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return overlaymark_whiteout(sub, "sub", err) && overlaymark_set_opaque(sub, err);
}

static gboolean overlay_mounts(int dir, GError **err)
{
    g_autofree char *at = fs_fd_path(dir);
    g_autofree char *lower = g_strdup_printf("%s/second:%s/lower", at, at);
    g_autofree char *upper = g_build_filename(at, "upper", NULL);
    g_autofree char *work = g_build_filename(at, "work", NULL);
    const char *const options[] = {
        "lowerdir", lower,     "upperdir",
        upper,      "workdir", work,
        "volatile", NULL,      overlaymark_userxattr() ? "userxattr" : NULL,
        NULL,       NULL};
    fd_auto int fd = mountfd_new("overlay", 0, options, err);
    return fd >= 0;
}

static void probe_overlay(GPtrArray *to, int dir)
{
    g_autoptr(GError) why = NULL;
    struct finding f = {.name = "overlayfs", .purpose = "steps begin at once with their layers"};
    if (make_trial_dirs(dir, &why) && overlay_mounts(dir, &why)) {
        f.found = g_strdup("mounted in the store's folder");
        finding_add(to, f);
        return;
    }
    f.state = FINDING_LIMITED;
    g_prefix_error(&why, "layers will be copied: ");
    const char *remedy = container_remedy(CONTAINER_STORE);
    finding_add_error(to, f,
                      g_strdup(remedy ? remedy
                                      : "put the store on ext4, xfs or btrfs: --root or "
                                        "VARVE_ROOT"),
                      &why);
}

static void probe_locks(GPtrArray *to, int dir)
{
    g_autoptr(GError) why = NULL;
    struct finding f = {.name = "locks", .purpose = "several varves with one store"};
    if (locks_work(dir, &why)) {
        f.found = g_strdup("work");
        finding_add(to, f);
        return;
    }
    f.state = FINDING_LIMITED;
    finding_add_error(to, f, g_strdup("put the store on a disk of this machine"), &why);
}

/* A folder for trials in or next to the store, hidden, so that a store that is made meanwhile does
 * not mind it. */
static void try_in(GPtrArray *to, const char *folder, gboolean mounts)
{
    g_autofree char *trial = g_build_filename(folder, ".varve-doctor.XXXXXX", NULL);
    g_autoptr(GError) why = NULL;
    if (!g_mkdtemp(trial)) {
        error_set_errno(&why, errno, "writing to %s", folder);
        finding_add_error(to,
                          (struct finding){.name = "store",
                                           .purpose = "images, layers and results",
                                           .state = FINDING_MISSING,
                                           .needed = TRUE},
                          g_strdup("choose a folder that you may write to: --root or VARVE_ROOT"),
                          &why);
        return;
    }
    fd_auto int dir = fs_open_dir(AT_FDCWD, trial, NULL);
    probe_locks(to, dir);
    if (mounts)
        probe_overlay(to, dir);
    fs_remove_tree(AT_FDCWD, trial, NULL);
}

void probe_storage(GPtrArray *to, const char *root, gboolean mounts)
{
    g_autofree char *folder = existing_folder(root);
    struct statfs fs = {0};
    if (statfs(folder, &fs) == 0)
        probe_type(to, root, &fs);
    probe_space(to, folder);
    try_in(to, folder, mounts);
}
