/* The merged file tree of a build as a directory or one tar. */
#include "output/exporters.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/object.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static gint64 clamped(gint64 mtime_ns, gint64 clamp)
{
    return clamp >= 0 && mtime_ns > clamp * 1000000000 ? clamp * 1000000000 : mtime_ns;
}

static int open_entry(gpointer ctx, const struct entry *e, GError **err)
{
    struct tree *t = ctx;
    return t->open(t, e, err);
}

/* Makes way for e: what is there goes, unless both are directories. */
static gboolean make_way(int dir, const struct entry *e, GError **err)
{
    struct stat st;
    if (fstatat(dir, e->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || error_set_errno(err, errno, "cannot look at %s", e->path);
    if (S_ISDIR(st.st_mode) && e->type == ENTRY_DIR)
        return TRUE;
    return fs_remove_tree(dir, e->path, err);
}

static gboolean make_special(int dir, const struct entry *e, GError **err)
{
    static const mode_t kinds[] = {[ENTRY_CHAR] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK, [ENTRY_FIFO] = S_IFIFO};
    return mknodat(dir, e->path, kinds[e->type] | e->mode, e->rdev) == 0 ||
           error_set_errno(err, errno, "cannot make the device or fifo %s", e->path);
}

static gboolean make_entry(struct store *s, struct tree *t, int dir, const struct entry *e, GError **err)
{
    switch (e->type) {
    case ENTRY_DIR:
        return mkdirat(dir, e->path, 0700) == 0 || errno == EEXIST ||
               error_set_errno(err, errno, "cannot make the directory %s", e->path);
    case ENTRY_SYMLINK:
        return symlinkat(e->target, dir, e->path) == 0 ||
               error_set_errno(err, errno, "cannot make the symlink %s", e->path);
    case ENTRY_FILE:
        if (e->hardlink)
            return linkat(dir, e->hardlink, dir, e->path, 0) == 0 ||
                   error_set_errno(err, errno, "cannot link %s", e->path);
        return object_materialise(s, e, TRUE, dir, e->path, open_entry, t, err);
    default:
        return make_special(dir, e, err);
    }
}

/* Owners only where permitted: an ordinary user's output belongs to the user. */
static gboolean set_attributes(int dir, const struct entry *e, gint64 clamp, GError **err)
{
    gint64 ns = clamped(e->mtime_ns, clamp);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {ns / 1000000000, ns % 1000000000}};
    if (times[1].tv_nsec < 0) {
        times[1].tv_sec--;
        times[1].tv_nsec += 1000000000;
    }
    if (fchownat(dir, e->path, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM && errno != EINVAL)
        return error_set_errno(err, errno, "cannot set the owner of %s", e->path);
    if (e->type != ENTRY_SYMLINK && fchmodat(dir, e->path, e->mode, 0) < 0)
        return error_set_errno(err, errno, "cannot set the mode of %s", e->path);
    if (utimensat(dir, e->path, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, errno, "cannot set the time of %s", e->path);
    return TRUE;
}

static gboolean ensure_all(struct tree *t, GError **err)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    for (guint i = 0; i < entry_list_len(t->entries); i++)
        g_ptr_array_add(all, entry_list_at(t->entries, i));
    return t->ensure_digests(t, all, err);
}

gboolean tree_write_dir(struct store *s, struct tree *t, const char *dest, gint64 clamp, guint64 *written,
                        GError **err)
{
    if (!fs_mkdir_p(AT_FDCWD, dest, 0755, err))
        return FALSE;
    fd_auto int dir = fs_open_dir(AT_FDCWD, dest, err);
    if (dir < 0 || !ensure_all(t, err))
        return FALSE;
    guint n = entry_list_len(t->entries);
    for (guint i = 0; i < n; i++) {
        const struct entry *e = entry_list_at(t->entries, i);
        if (!*e->path)
            continue;
        if (!make_way(dir, e, err) || !make_entry(s, t, dir, e, err))
            return FALSE;
        *written += e->size;
    }
    for (guint i = n; i > 0; i--) { /* children first: they change their directory's time */
        const struct entry *e = entry_list_at(t->entries, i - 1);
        if (*e->path && !e->hardlink && !set_attributes(dir, e, clamp, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean tar_failed(struct archive *a, GError **err)
{
    int e = archive_errno(a);
    return error_set(err, e == ENOSPC || e == EDQUOT ? VARVE_ERROR_OUTSIDE : VARVE_ERROR_FAILED,
                     "cannot write the tar: %s", archive_error_string(a));
}

static void fill_header(struct archive_entry *h, const struct entry *e, gint64 clamp)
{
    static const __LA_MODE_T kinds[] = {[ENTRY_FILE] = AE_IFREG,   [ENTRY_DIR] = AE_IFDIR,
                                        [ENTRY_SYMLINK] = AE_IFLNK, [ENTRY_CHAR] = AE_IFCHR,
                                        [ENTRY_BLOCK] = AE_IFBLK,   [ENTRY_FIFO] = AE_IFIFO};
    gint64 ns = clamped(e->mtime_ns, clamp);
    archive_entry_copy_pathname(h, e->path);
    archive_entry_set_filetype(h, kinds[e->type]);
    archive_entry_set_perm(h, e->mode);
    archive_entry_set_uid(h, e->uid);
    archive_entry_set_gid(h, e->gid);
    archive_entry_set_mtime(h, ns / 1000000000, 0);
    archive_entry_set_size(h, e->type == ENTRY_FILE && !e->hardlink ? e->size : 0);
    if (e->hardlink)
        archive_entry_copy_hardlink(h, e->hardlink);
    if (e->target)
        archive_entry_copy_symlink(h, e->target);
    if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
        archive_entry_set_rdevmajor(h, major(e->rdev));
        archive_entry_set_rdevminor(h, minor(e->rdev));
    }
    for (guint i = 0; i < e->n_xattrs; i++)
        archive_entry_xattr_add_entry(h, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].size);
}

static gboolean put_content(struct archive *a, struct tree *t, const struct entry *e, GError **err)
{
    fd_auto int fd = t->open(t, e, err);
    if (fd < 0)
        return FALSE;
    g_autofree char *buf = g_malloc(256 * 1024);
    for (;;) {
        ssize_t n = read(fd, buf, 256 * 1024);
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", e->path);
        if (n == 0)
            return TRUE;
        if (archive_write_data(a, buf, n) != n)
            return tar_failed(a, err);
    }
}

static gboolean put_entry(struct archive *a, struct tree *t, const struct entry *e, gint64 clamp, GError **err)
{
    struct archive_entry *h = archive_entry_new();
    fill_header(h, e, clamp);
    gboolean ok = archive_write_header(a, h) == ARCHIVE_OK || tar_failed(a, err);
    archive_entry_free(h);
    return ok && (e->type != ENTRY_FILE || e->hardlink || e->size == 0 || put_content(a, t, e, err));
}

gboolean tree_write_tar(struct tree *t, int fd, gint64 clamp, guint64 *written, GError **err)
{
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_set_options(a, "hdrcharset=BINARY");
    archive_write_set_bytes_per_block(a, 256 * 1024);
    archive_write_set_bytes_in_last_block(a, 512);
    gboolean ok = archive_write_open_fd(a, fd) == ARCHIVE_OK || tar_failed(a, err);
    for (guint i = 0; ok && i < entry_list_len(t->entries); i++) {
        const struct entry *e = entry_list_at(t->entries, i);
        if (!*e->path)
            continue;
        ok = put_entry(a, t, e, clamp, err);
        *written += e->size;
    }
    if (archive_write_close(a) != ARCHIVE_OK && ok)
        ok = tar_failed(a, err);
    archive_write_free(a);
    return ok;
}
