#include "base/fs.h"

#include "base/error.h"
#include "base/io.h"
#include "base/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void fd_cleanup(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int fd_steal(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

int fs_open_dir(int dirfd, const char *path, GError **err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        error_set_errno(err, errno, "cannot open directory %s", path);
    return fd;
}

gboolean fs_mkdir_p(int dirfd, const char *path, mode_t mode, GError **err)
{
    if (mkdirat(dirfd, path, mode) == 0 || errno == EEXIST)
        return TRUE;
    if (errno != ENOENT)
        return error_set_errno(err, errno, "cannot create directory %s", path);
    g_autofree char *parent = g_path_get_dirname(path);
    if (g_str_equal(parent, ".") || g_str_equal(parent, path))
        return error_set_errno(err, ENOENT, "cannot create directory %s", path);
    if (!fs_mkdir_p(dirfd, parent, mode, err))
        return FALSE;
    if (mkdirat(dirfd, path, mode) == 0 || errno == EEXIST)
        return TRUE;
    return error_set_errno(err, errno, "cannot create directory %s", path);
}

GBytes *fs_read_fd(int fd, const char *what, gsize max, GError **err)
{
    struct stat st;
    gsize guess = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (gsize)st.st_size : 0;
    gsize room = MIN(guess, max) + 2, len = 0;
    g_autofree char *buf = g_malloc(room);
    for (;;) {
        if (len + 1 == room)
            buf = g_realloc(buf, room = MIN(room * 2 + 4096, max + 2));
        ssize_t n = io_read(fd, buf + len, room - 1 - len);
        if (n < 0) {
            error_set_errno(err, errno, "cannot read %s", what);
            return NULL;
        }
        if (n == 0)
            break;
        len += n;
        if (len > max) {
            error_set(err, VARVE_ERROR_INVALID,
                      "%s is larger than the limit of %" G_GSIZE_FORMAT " bytes", what, max);
            return NULL;
        }
    }
    buf[len] = '\0';
    return g_bytes_new_take(g_steal_pointer(&buf), len);
}

GBytes *fs_read(int dirfd, const char *path, gsize max, GError **err)
{
    /* O_NONBLOCK: a fifo must not make us wait for a writer. */
    fd_auto int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot read %s", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        error_set(err, VARVE_ERROR_INVALID, "cannot read %s: it is not a regular file", path);
        return NULL;
    }
    return fs_read_fd(fd, path, max, err);
}

GBytes *fs_read_stream(const char *path, gsize max, GError **err)
{
    struct stat st;
    if (stat(path, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        return fs_read(AT_FDCWD, path, max, err);
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot read %s", path);
        return NULL;
    }
    return fs_read_fd(fd, path, max, err);
}

/* path below dirfd as people know it, in full where the kernel tells; newly allocated. */
static char *shown_path(int dirfd, const char *path)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", dirfd);
    g_autofree char *dir = *path == '/' || dirfd < 0 ? NULL : g_file_read_link(link, NULL);
    if (!dir || *dir != '/')
        return g_strdup(path);
    return *path ? g_build_filename(dir, path, NULL) : g_steal_pointer(&dir);
}

/* 0 or an errno. */
static int write_all(int fd, const void *bytes, gsize len)
{
    for (const char *p = bytes; len > 0;) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR)
            return errno;
        p += MAX(n, 0);
        len -= (gsize)MAX(n, 0);
    }
    return 0;
}

gboolean fs_write_all(int fd, const void *bytes, gsize len, GError **err)
{
    int error = write_all(fd, bytes, len);
    if (!error)
        return TRUE;
    g_autofree char *name = shown_path(fd, "");
    return error_set_errno(err, error, *name == '/' ? "cannot write %s" : "cannot write%s", name);
}

int fs_create_beside(int dirfd, const char *path, mode_t mode, char **tmp, GError **err)
{
    *tmp = g_strdup_printf("%s.%d-%08x.tmp", path, (int)getpid(), g_random_int());
    int fd = openat(dirfd, *tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        int error = errno;
        g_autofree char *name = shown_path(dirfd, path);
        error_set_errno(err, error, "cannot write %s", name);
        g_clear_pointer(tmp, g_free);
    }
    return fd;
}

gboolean fs_replace(int dirfd, const char *path, const void *bytes, gsize len, mode_t mode,
                    GError **err)
{
    g_autofree char *tmp = NULL;
    fd_auto int fd = fs_create_beside(dirfd, path, mode, &tmp, err);
    if (fd < 0)
        return FALSE;
    int error = write_all(fd, bytes, len);
    if (!error && renameat(dirfd, tmp, dirfd, path) == 0)
        return TRUE;
    error = error ? error : errno;
    unlinkat(dirfd, tmp, 0);
    g_autofree char *name = shown_path(dirfd, path);
    return error_set_errno(err, error, "cannot write %s", name);
}

char *fs_destination(const char *path, gboolean *in_place)
{
    struct stat st;
    *in_place = stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    char *end = *in_place ? NULL : realpath(path, NULL);
    char *copy = g_strdup(end ? end : path);
    free(end);
    return copy;
}

gboolean fs_write_file(const char *path, const void *bytes, gsize len, mode_t mode, GError **err)
{
    gboolean in_place;
    g_autofree char *dest = fs_destination(path, &in_place);
    if (!in_place)
        return fs_replace(AT_FDCWD, dest, bytes, len, mode, err);
    fd_auto int fd = open(dest, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", dest);
    if (fs_write_all(fd, bytes, len, err))
        return TRUE;
    g_prefix_error(err, "while writing %s: ", dest);
    return FALSE;
}

/* The frames of an explicit stack: hostile trees may be deeper than ours. */
struct removal {
    DIR *dir;
    char *name;
    int parent; /* descriptor of the directory that holds name; borrowed */
};

/* dirfd(3) under another name: parameters here are called dirfd. */
static int dir_descriptor(DIR *dir)
{
    return dirfd(dir);
}

static void removal_clear(gpointer p)
{
    struct removal *r = p;
    if (r->dir)
        closedir(r->dir);
    g_free(r->name);
}

/* Opens a directory to be emptied, making it searchable first when its mode forbids that. */
static DIR *open_for_removal(int dirfd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dirfd, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
        fd = openat(dirfd, name, flags);
    if (fd < 0)
        return NULL;
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
        fchmod(fd, 0700);
    return fdopendir(fd);
}

/* Deletes one name, or pushes it when it is a directory with content. */
static gboolean remove_or_push(GArray *stack, int dirfd, const char *name, dev_t dev, GError **err)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return TRUE;
    if (errno != EISDIR && errno != EPERM)
        return error_set_errno(err, errno, "cannot remove %s", name);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
        return TRUE;
    struct removal r = {open_for_removal(dirfd, name), g_strdup(name), dirfd};
    struct stat st;
    if (!r.dir || fstat(dir_descriptor(r.dir), &st) < 0 || st.st_dev != dev) {
        gboolean busy = r.dir != NULL;
        removal_clear(&r);
        return error_set_errno(err, busy ? EBUSY : errno, "cannot remove %s", name);
    }
    g_array_append_val(stack, r);
    return TRUE;
}

gboolean fs_remove_tree(int dirfd, const char *name, GError **err)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? TRUE : error_set_errno(err, errno, "cannot remove %s", name);
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct removal));
    g_array_set_clear_func(stack, removal_clear);
    if (!remove_or_push(stack, dirfd, name, st.st_dev, err))
        return FALSE;
    while (stack->len > 0) {
        struct removal *top = &g_array_index(stack, struct removal, stack->len - 1);
        struct dirent *d = readdir(top->dir);
        if (d) {
            if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                continue;
            if (!remove_or_push(stack, dir_descriptor(top->dir), d->d_name, st.st_dev, err))
                return FALSE;
        } else {
            if (unlinkat(top->parent, top->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return error_set_errno(err, errno, "cannot remove %s", top->name);
            g_array_set_size(stack, stack->len - 1);
        }
    }
    return TRUE;
}

#define COPY_CHUNK (64 * 1024 * 1024) /* copied between two checks of the command's flag */

/* Copies [from, to) of in by the fastest way that works here. */
static gboolean copy_range(int in, int out, off_t from, off_t to, const char *what, GError **err)
{
    gboolean kernel = TRUE;
    g_autofree char *buf = NULL;
    loff_t src = from, dst = from;
    while (src < to) {
        ssize_t n;
        if (!work_check(err))
            return FALSE;
        if (kernel) {
            n = copy_file_range(in, &src, out, &dst, MIN(to - src, COPY_CHUNK), 0);
            if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                          errno == EOPNOTSUPP || errno == EPERM)) {
                kernel = FALSE;
                continue;
            }
        } else {
            if (!buf)
                buf = g_malloc(256 * 1024);
            n = pread(in, buf, MIN(256 * 1024, to - src), src);
            if (n > 0 && pwrite(out, buf, n, dst) != n)
                return error_set_errno(err, errno ? errno : ENOSPC, "cannot write a copy of %s",
                                       what);
            src += MAX(n, 0);
            dst += MAX(n, 0);
        }
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, errno, "cannot copy %s", what);
        if (n == 0)
            break; /* the file became shorter: callers that care compare digests */
    }
    return TRUE;
}

gboolean fs_copy_fd(int in, int out, const char *what, GError **err)
{
    struct stat st;
    if (fstat(in, &st) < 0)
        return error_set_errno(err, errno, "cannot copy %s", what);
    if (ioctl(out, FICLONE, in) == 0)
        return TRUE;
    if ((guint64)st.st_blocks * 512 >= (guint64)st.st_size)
        return copy_range(in, out, 0, st.st_size, what, err);
    off_t at = 0;
    while (at < st.st_size) {
        off_t data = lseek(in, at, SEEK_DATA);
        if (data < 0)
            break;
        off_t hole = lseek(in, data, SEEK_HOLE);
        if (hole < 0)
            hole = st.st_size;
        if (!copy_range(in, out, data, hole, what, err))
            return FALSE;
        at = hole;
    }
    return ftruncate(out, st.st_size) == 0 || error_set_errno(err, errno, "cannot copy %s", what);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *fs_list(int dirfd, GError **err)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        error_set_errno(err, errno, "cannot list a directory");
        return NULL;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    errno = 0;
    for (struct dirent *d; (d = readdir(dir)); errno = 0) {
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            g_ptr_array_add(names, g_strdup(d->d_name));
    }
    int failed = errno;
    closedir(dir);
    if (failed) {
        error_set_errno(err, failed, "cannot list a directory");
        return NULL;
    }
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

char *fs_fd_path(int fd)
{
    return g_strdup_printf("/proc/self/fd/%d", fd);
}

int fs_open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (flags & (O_CREAT | O_TMPFILE))
        how.mode = mode;
    int fd;
    do {
        fd = syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd;
}

gint64 fs_mtime_ns(const struct stat *st)
{
    return (gint64)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

GBytes *fs_read_inside(const char *dir, const char *path, const char *place, gsize max,
                       GError **err)
{
    fd_auto int root = fs_open_dir(AT_FDCWD, dir, err);
    struct stat st;
    if (root < 0)
        return NULL;
    fd_auto int fd = fs_open_in_root(root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open %s of %s", path, place);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        error_set(err, VARVE_ERROR_INVALID, "%s of %s is not a file", path, place);
        return NULL;
    }
    return fs_read_fd(fd, path, max, err);
}
