#include "tree/content.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALL_FILE (64 * 1024) /* read in one go, without a heap buffer */

/* openat() that passes through no symlink and does not leave rootfd. */
static int open_beneath(int rootfd, const char *path, int flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd;
    do {
        fd = syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd;
}

int content_open_dir(int rootfd, const char *path)
{
    return open_beneath(rootfd, path, O_RDONLY | O_DIRECTORY);
}

gboolean content_changed(const char *path, GError **err)
{
    error_set(err, VARVE_ERROR_FAILED, "%s changed while it was being read", path);
    error_add_next(err, "run the build again when nothing writes to it");
    return FALSE;
}

static gboolean is_socket(int rootfd, const char *path)
{
    fd_auto int fd = open_beneath(rootfd, path, O_PATH);
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int content_open(int rootfd, const char *path, const char *where, GError **err)
{
    fd_auto int fd = open_beneath(rootfd, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0 && errno == ENXIO && is_socket(rootfd, path))
        fd = memfd_create("socket", MFD_CLOEXEC);
    if (fd < 0) {
        if (errno == EACCES)
            error_set(err, VARVE_ERROR_DENIED, "cannot read %s in %s: permission denied", path,
                      where);
        else
            error_set_errno(err, errno, "cannot read %s in %s", path, where);
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        content_changed(path, err);
        return -1;
    }
    return fd_steal(&fd);
}

static gboolean hash_small(int fd, const char *path, guint64 size, struct digest *out, GError **err)
{
    char buf[SMALL_FILE + 1];
    ssize_t n = io_read_full(fd, buf, size + 1);
    if (n < 0)
        return error_set_errno(err, errno, "cannot read %s", path);
    if ((guint64)n != size)
        return content_changed(path, err);
    digest_of_bytes(out, buf, n);
    return TRUE;
}

gboolean content_hash(int fd, const char *path, guint64 size, struct digest *out, GError **err)
{
    if (size <= SMALL_FILE)
        return hash_small(fd, path, size, out, err);
    guint64 got;
    if (!digest_of_fd(out, fd, path, &got, err)) {
        g_prefix_error(err, "%s: ", path);
        return FALSE;
    }
    return got == size || content_changed(path, err);
}
