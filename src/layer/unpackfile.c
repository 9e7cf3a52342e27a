#include "layer/unpackfile.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "layer/attrs.h"
#include "layer/overlaymark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NS G_GINT64_CONSTANT(1000000000)

/* umask(2) can only be read by setting it, which other threads would see. */
static mode_t process_umask(void)
{
    mode_t mask = 07777;
    char line[128];
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f)) {
        unsigned int value;
        if (sscanf(line, "Umask: %o", &value) == 1)
            mask = value & 07777;
    }
    if (f)
        fclose(f);
    return mask;
}

void unpack_files_init(struct unpack_files *f)
{
    memset(f, 0, sizeof *f);
    f->hasher = hasher_new();
    f->xattrs = g_array_new(FALSE, FALSE, sizeof(struct xattr));
    f->own_uid = geteuid();
    f->own_gid = getegid();
    f->umask = process_umask();
    f->restricted = overlaymark_userxattr();
}

void unpack_files_clear(struct unpack_files *f)
{
    hasher_free(f->hasher);
    g_array_unref(f->xattrs);
}

static void times_of(const struct entry *e, struct timespec ts[2])
{
    gint64 ns = e->mtime_ns % NS, s = e->mtime_ns / NS;
    if (ns < 0) {
        ns += NS;
        s--;
    }
    ts[0] = (struct timespec){0, UTIME_OMIT};
    ts[1] = (struct timespec){s, ns};
}

/* Sets the owner unless new files have it anyway. */
static gboolean set_owner(struct unpack_files *f, int dirfd, const char *name, int flags,
                          struct entry *e, GError **err)
{
    if (e->uid == f->own_uid && e->gid == f->own_gid)
        return TRUE;
    if (fchownat(dirfd, name, e->uid, e->gid, flags) == 0)
        return TRUE;
    if (!f->restricted || (errno != EPERM && errno != EINVAL))
        return error_set_errno(err, errno, "cannot give %s to %u:%u", e->path, e->uid, e->gid);
    f->lost_owners = TRUE;
    e->uid = f->own_uid;
    e->gid = f->own_gid;
    return TRUE;
}

/* Whether a failure to set an xattr is a limit of the file system or of our rights, not of the
 * archive. */
static gboolean xattr_out_of_reach(const struct unpack_files *f, const struct entry *e,
                                   const char *name)
{
    if (errno == ENOTSUP)
        return TRUE;
    gboolean plain = e->type == ENTRY_FILE || e->type == ENTRY_DIR;
    return errno == EPERM && (f->restricted || (!plain && g_str_has_prefix(name, "user.")));
}

/* path (not followed) when it is not NULL, else fd. */
static gboolean set_xattrs(struct unpack_files *f, int fd, const char *path, struct entry *e,
                           GError **err)
{
    g_array_set_size(f->xattrs, 0);
    for (guint i = 0; i < e->n_xattrs; i++) {
        const struct xattr *x = &e->xattrs[i];
        if (overlaymark_is_xattr(x->name))
            continue;
        int rc = path ? lsetxattr(path, x->name, x->value, x->size, 0)
                      : fsetxattr(fd, x->name, x->value, x->size, 0);
        if (rc == 0)
            g_array_append_vals(f->xattrs, x, 1);
        else if (!xattr_out_of_reach(f, e, x->name))
            return attrs_xattr_failed(errno, x, e->path, err);
    }
    e->xattrs = (const struct xattr *)f->xattrs->data;
    e->n_xattrs = f->xattrs->len;
    return TRUE;
}

int unpack_file_create(const struct unpack_files *f, int dirfd, const char *name, guint32 mode)
{
    return openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777);
}

/* Owner first: it clears set-id bits and capabilities. */
static gboolean set_file_attributes(struct unpack_files *f, int fd, struct entry *e, GError **err)
{
    struct timespec ts[2];
    times_of(e, ts);
    if (!set_owner(f, fd, "", AT_EMPTY_PATH, e, err))
        return FALSE;
    if ((e->mode & (07000 | f->umask)) && fchmod(fd, e->mode) < 0)
        return error_set_errno(err, errno, "cannot set the mode of %s", e->path);
    if (e->n_xattrs && !set_xattrs(f, fd, NULL, e, err))
        return FALSE;
    return futimens(fd, ts) == 0 ||
           error_set_errno(err, errno, "cannot set the time of %s", e->path);
}

/* Writes up to max bytes of the stored data; *done gets how many. */
static gboolean copy_data(struct unpack_files *f, int fd, guint64 size, struct tarreader *r,
                          const char *path, GError **err)
{
    for (guint64 done = 0; done < size;) {
        const guint8 *p;
        gsize n;
        if (!work_check(err) || !tarreader_data(r, size - done, &p, &n, err))
            return FALSE;
        if (!n)
            return error_set(err, VARVE_ERROR_INVALID, "%s has less data than its header says",
                             path);
        hasher_update(f->hasher, p, n);
        if (!f->skeleton && !fs_write_all(fd, p, n, err)) {
            g_prefix_error(err, "cannot unpack %s: ", path);
            return FALSE;
        }
        done += n;
    }
    return TRUE;
}

static gboolean hash_zeros(struct hasher *h, guint64 n, GError **err)
{
    static const guint8 zeros[64 * 1024];
    for (; n > sizeof zeros; n -= sizeof zeros) {
        if (!work_check(err))
            return FALSE;
        hasher_update(h, zeros, sizeof zeros);
    }
    hasher_update(h, zeros, n);
    return TRUE;
}

static gboolean copy_sparse(struct unpack_files *f, int fd, const struct tar_header *h,
                            struct tarreader *r, const char *path, GError **err)
{
    guint64 at = 0;
    for (guint i = 0; i < h->n_segments; i++) {
        const struct tar_segment *s = &h->segments[i];
        if (!hash_zeros(f->hasher, s->offset - at, err))
            return FALSE;
        if (!f->skeleton && lseek(fd, (off_t)s->offset, SEEK_SET) < 0)
            return error_set_errno(err, errno, "cannot unpack %s", path);
        if (!copy_data(f, fd, s->size, r, path, err))
            return FALSE;
        at = s->offset + s->size;
    }
    if (!hash_zeros(f->hasher, h->size - at, err))
        return FALSE;
    return f->skeleton || ftruncate(fd, (off_t)h->size) == 0 ||
           error_set_errno(err, errno, "cannot unpack %s", path);
}

gboolean unpack_file_fill(struct unpack_files *f, int fd, const struct tar_header *h,
                          struct tarreader *r, struct entry *e, GError **err)
{
    gboolean ok = h->is_sparse ? copy_sparse(f, fd, h, r, e->path, err)
                               : copy_data(f, fd, h->size, r, e->path, err);
    hasher_final(f->hasher, &e->digest);
    e->has_digest = TRUE;
    return ok && set_file_attributes(f, fd, e, err);
}

gboolean unpack_file_copy(struct unpack_files *f, int fd, int from, struct entry *e, GError **err)
{
    return (f->skeleton || fs_copy_fd(from, fd, e->path, err)) &&
           set_file_attributes(f, fd, e, err);
}

gboolean unpack_node_attributes(struct unpack_files *f, int dirfd, const char *name,
                                struct entry *e, GError **err)
{
    struct timespec ts[2];
    times_of(e, ts);
    if (!set_owner(f, dirfd, name, AT_SYMLINK_NOFOLLOW, e, err))
        return FALSE;
    if (e->type != ENTRY_SYMLINK && fchmodat(dirfd, name, e->mode, 0) < 0)
        return error_set_errno(err, errno, "cannot set the mode of %s", e->path);
    if (e->n_xattrs) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", dirfd, name);
        if (!set_xattrs(f, -1, path, e, err))
            return FALSE;
    }
    return utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) == 0 ||
           error_set_errno(err, errno, "cannot set the time of %s", e->path);
}

gboolean unpack_dir_attributes(struct unpack_files *f, int fd, struct entry *e, GError **err)
{
    struct timespec ts[2];
    times_of(e, ts);
    if (!set_owner(f, fd, "", AT_EMPTY_PATH, e, err))
        return FALSE;
    if (fchmod(fd, e->mode) < 0)
        return error_set_errno(err, errno, "cannot set the mode of %s", *e->path ? e->path : "/");
    if (e->n_xattrs && !set_xattrs(f, fd, NULL, e, err))
        return FALSE;
    if (e->opaque && !overlaymark_set_opaque(fd, err))
        return FALSE;
    return futimens(fd, ts) == 0 ||
           error_set_errno(err, errno, "cannot set the time of %s", e->path);
}
