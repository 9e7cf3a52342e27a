#include "cache/mountplace.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/attrs.h"
#include "tree/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_NAME "link" /* in tmp: links are made by one thread */

gboolean mount_place_init(struct mount_place *p, const struct mount_dir *dir, GError **err)
{
    *p = (struct mount_place){.dir = dir, .tmp = -1};
    p->tmp_path = store_tmp_dir(dir->store, err);
    p->tmp = p->tmp_path ? fs_open_dir(store_fd(dir->store), p->tmp_path, err) : -1;
    return p->tmp >= 0;
}

void mount_place_clear(struct mount_place *p)
{
    fd_cleanup(&p->tmp);
    if (p->tmp_path)
        store_tmp_discard(p->dir->store, p->tmp_path);
    g_free(p->tmp_path);
}

static struct entry attributes_of(const struct mount_entry *e)
{
    return (struct entry){.path = e->path,
                          .type = e->type,
                          .mode = e->mode,
                          .uid = e->uid,
                          .gid = e->gid,
                          .mtime_ns = e->mtime_ns};
}

/* Whether an error of the directory's only says that somebody changed it meanwhile. */
static gboolean is_moved(int reason)
{
    return reason == ENOENT || reason == ENOTDIR || reason == ELOOP || reason == EISDIR ||
           reason == ENOTEMPTY || reason == EEXIST;
}

/* The last component of path. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The directory that path is in; -1 with errno. */
static int open_parent(const struct mount_place *p, const char *path)
{
    g_autofree char *parent = g_strndup(path, name_of(path) - path);
    gsize len = strlen(parent);
    if (len)
        parent[len - 1] = '\0'; /* the slash */
    return content_open_dir(p->dir->fd, parent);
}

/* Whether there is something that e must not replace. */
static gboolean is_kept(int parent, const struct mount_entry *e)
{
    struct stat st;
    if (fstatat(parent, name_of(e->path), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return FALSE;
    return S_ISDIR(st.st_mode) || fs_mtime_ns(&st) >= e->mtime_ns;
}

/* rename(2) where nothing is in the way: 0 or an errno; EEXIST: what is there stays. */
static int rename_in(struct mount_place *p, const char *name, const struct mount_entry *e)
{
    fd_auto int parent = open_parent(p, e->path);
    if (parent < 0)
        return errno;
    if (is_kept(parent, e))
        return EEXIST;
    return renameat(p->tmp, name, parent, name_of(e->path)) == 0 ? 0 : errno;
}

/* Moves name from tmp to where e belongs, or removes it. */
static gboolean move_placed(struct mount_place *p, const char *name, const struct mount_entry *e,
                            gboolean *placed, GError **err)
{
    int reason = rename_in(p, name, e);
    *placed = reason == 0;
    /* A rename does nothing if both are one file. */
    if (!*placed || e->leader != MOUNT_NONE)
        unlinkat(p->tmp, name, 0);
    return *placed || is_moved(reason) || error_set_errno(err, reason, "cannot place %s", e->path);
}

int mount_place_create(struct mount_place *p, const char *name, GError **err)
{
    int fd = openat(p->tmp, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        error_set_errno(err, errno, "cannot create a file in %s", p->tmp_path);
    return fd;
}

/* attrs_apply_fd() makes the time of use that of the last change. */
static gboolean set_use(int fd, const struct mount_entry *e, GError **err)
{
    struct timespec times[2] = {{.tv_sec = e->used}, {.tv_nsec = UTIME_OMIT}};
    return futimens(fd, times) == 0 ||
           error_set_errno(err, errno, "cannot set the time of %s", e->path);
}

gboolean mount_place_file(struct mount_place *p, int fd, const char *name,
                          const struct mount_entry *e, gboolean *placed, GError **err)
{
    struct entry a = attributes_of(e);
    return attrs_apply_fd(fd, &a, err) && set_use(fd, e, err) &&
           move_placed(p, name, e, placed, err);
}

gboolean mount_place_symlink(struct mount_place *p, const struct mount_entry *e, gboolean *placed,
                             GError **err)
{
    struct entry a = attributes_of(e);
    if (symlinkat(e->target, p->tmp, LINK_NAME) < 0)
        return error_set_errno(err, errno, "cannot make the symlink %s", e->path);
    return attrs_apply_at(p->tmp, LINK_NAME, &a, err) && move_placed(p, LINK_NAME, e, placed, err);
}

gboolean mount_place_link(struct mount_place *p, const struct mount_entry *leader,
                          const struct mount_entry *e, gboolean *placed, GError **err)
{
    *placed = FALSE;
    fd_auto int from = open_parent(p, leader->path);
    if (from < 0 || linkat(from, name_of(leader->path), p->tmp, LINK_NAME, 0) < 0)
        return is_moved(errno) ||
               error_set_errno(err, errno, "cannot link %s to %s", e->path, leader->path);
    return move_placed(p, LINK_NAME, e, placed, err);
}

gboolean mount_place_dir(struct mount_place *p, const struct mount_entry *e, gboolean *placed,
                         GError **err)
{
    struct entry a = attributes_of(e);
    a.mode |= 0700;
    fd_auto int parent = open_parent(p, e->path);
    *placed = parent >= 0 && mkdirat(parent, name_of(e->path), 0700) == 0;
    if (!*placed)
        return is_moved(errno) ||
               error_set_errno(err, errno, "cannot make the directory %s", e->path);
    fd_auto int fd = content_open_dir(p->dir->fd, e->path);
    return fd < 0 ? is_moved(errno) : attrs_apply_fd(fd, &a, err);
}

/* Gives a directory the time that it had before something was put into it. */
static gboolean keep_time(struct mount_place *p, const struct mount_entry *e, GError **err)
{
    struct stat st;
    if (fstatat(p->dir->fd, *e->path ? e->path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        fs_mtime_ns(&st) == e->mtime_ns)
        return TRUE;
    fd_auto int fd = content_open_dir(p->dir->fd, e->path);
    if (fd < 0)
        return is_moved(errno) || error_set_errno(err, errno, "cannot open %s", e->path);
    gint64 ns = e->mtime_ns % 1000000000;
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {(e->mtime_ns - ns) / 1000000000 - (ns < 0), ns < 0 ? ns + 1000000000 : ns}};
    return futimens(fd, times) == 0 ||
           error_set_errno(err, errno, "cannot set the time of %s", e->path);
}

gboolean mount_place_finish_dir(struct mount_place *p, const struct mount_entry *e,
                                gboolean only_time, GError **err)
{
    if (only_time)
        return keep_time(p, e, err);
    struct entry a = attributes_of(e);
    fd_auto int fd = content_open_dir(p->dir->fd, e->path);
    if (fd < 0)
        return is_moved(errno) || error_set_errno(err, errno, "cannot open %s", e->path);
    return attrs_apply_fd(fd, &a, err);
}
