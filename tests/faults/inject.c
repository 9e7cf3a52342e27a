/* A library to preload that lets one system call fail, or ends the process there. It counts the
 * calls that change files below INJECT_UNDER (an absolute path), and open, lock or sync them. The
 * environment says what becomes of them: INJECT_AT=N       the number of the call that is met, from
 * 1 INJECT_DO=NAME    "KILL", or the errno that the call fails with INJECT_STAYS=1    all later
 * calls of the same function fail, too, as they do on a full disk INJECT_LOG=FILE   gets a line for
 * the call that was met; none is met when the command makes fewer cc -shared -fPIC -o inject.so
 * inject.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static atomic_int calls;
static _Atomic(const char *) met; /* the function whose call was met */

static const struct {
    const char *name;
    int code;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EMFILE", EMFILE}, {"ENFILE", ENFILE},
              {"EDQUOT", EDQUOT}, {"ENOMEM", ENOMEM}, {"EROFS", EROFS},   {"EACCES", EACCES}};

static int code_of(const char *name)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (!strcmp(errors[i].name, name))
            return errors[i].code;
    return EIO;
}

/* Whether path, or the file fd with path in it, lies below INJECT_UNDER. */
static int is_below(int fd, const char *path)
{
    static const char *under;
    char link[40], buf[4096];
    ssize_t n;
    if (!under && !(under = getenv("INJECT_UNDER")))
        return 0;
    size_t len = strlen(under);
    if (path && *path == '/')
        return !strncmp(path, under, len) && (path[len] == '/' || !path[len]);
    if (fd == AT_FDCWD)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, buf, sizeof buf - 1);
    if (n < 0)
        return 0;
    buf[n] = '\0';
    return !strncmp(buf, under, len) && (buf[len] == '/' || !buf[len]);
}

static void note(const char *what, int fd, const char *path, int n)
{
    char line[8192], link[40], at[4096] = "";
    const char *name = getenv("INJECT_LOG");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (fd >= 0 && readlink(link, at, sizeof at - 1) < 0)
        *at = '\0';
    int len = snprintf(line, sizeof line, "%d %s %.4000s %.3000s\n", n, what, at, path ? path : "");
    int log = name ? (int)syscall(SYS_openat, AT_FDCWD, name,
                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                   : -1;
    if (log >= 0 && syscall(SYS_write, log, line, len) == len)
        syscall(SYS_close, log);
}

/* Whether this call fails: errno is set. */
static int fails(const char *what, int fd, const char *path)
{
    const char *at = getenv("INJECT_AT"), *how = getenv("INJECT_DO"),
               *stays = getenv("INJECT_STAYS");
    int saved = errno;
    if (!at || !how || !is_below(fd, path)) {
        errno = saved;
        return 0;
    }
    int n = ++calls;
    const char *before = met;
    if (n == atoi(at)) {
        note(what, fd, path, n);
        met = what;
        if (!strcmp(how, "KILL"))
            kill(getpid(), SIGKILL);
    } else if (!before || !stays || strcmp(stays, "1") != 0 || strcmp(before, what) != 0) {
        errno = saved;
        return 0;
    }
    errno = code_of(how);
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
/* One function: its type and name, what it is about (descriptor, path), its parameters, their
 * names. */
#define WRAP(type, name, fd, path, params, args)                                                   \
    type name params                                                                               \
    {                                                                                              \
        REAL(name);                                                                                \
        return fails(#name, fd, path) ? -1 : real args;                                            \
    }
#define WRAP_OPEN(name, fd, path, params, args)                                                    \
    int name params                                                                                \
    {                                                                                              \
        REAL(name);                                                                                \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode =                                                                              \
            (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;        \
        va_end(ap);                                                                                \
        return fails(#name, fd, path) ? -1 : real args;                                            \
    }

WRAP_OPEN(open, AT_FDCWD, path, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, AT_FDCWD, path, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, fd, path, (int fd, const char *path, int flags, ...), (fd, path, flags, mode))
WRAP_OPEN(openat64, fd, path, (int fd, const char *path, int flags, ...), (fd, path, flags, mode))
WRAP(ssize_t, write, fd, NULL, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, pwrite, fd, NULL, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at))
WRAP(ssize_t, pwrite64, fd, NULL, (int fd, const void *buf, size_t n, off64_t at), (fd, buf, n, at))
WRAP(ssize_t, writev, fd, NULL, (int fd, const struct iovec *iov, int n), (fd, iov, n))
WRAP(ssize_t, copy_file_range, to, NULL,
     (int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned int flags),
     (from, from_at, to, to_at, n, flags))
WRAP(int, ftruncate, fd, NULL, (int fd, off_t size), (fd, size))
WRAP(int, ftruncate64, fd, NULL, (int fd, off64_t size), (fd, size))
WRAP(int, fsync, fd, NULL, (int fd), (fd))
WRAP(int, fdatasync, fd, NULL, (int fd), (fd))
WRAP(int, flock, fd, NULL, (int fd, int op), (fd, op))
WRAP(int, mkdir, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkdirat, fd, path, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, mknodat, fd, path, (int fd, const char *path, mode_t mode, dev_t dev),
     (fd, path, mode, dev))
WRAP(int, symlinkat, fd, path, (const char *target, int fd, const char *path), (target, fd, path))
WRAP(int, linkat, fd, path, (int from, const char *old, int fd, const char *path, int flags),
     (from, old, fd, path, flags))
WRAP(int, rename, AT_FDCWD, path, (const char *old, const char *path), (old, path))
WRAP(int, renameat, fd, path, (int from, const char *old, int fd, const char *path),
     (from, old, fd, path))
WRAP(int, renameat2, fd, path,
     (int from, const char *old, int fd, const char *path, unsigned int flags),
     (from, old, fd, path, flags))
WRAP(int, unlink, AT_FDCWD, path, (const char *path), (path))
WRAP(int, unlinkat, fd, path, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, fchmod, fd, NULL, (int fd, mode_t mode), (fd, mode))
WRAP(int, fchmodat, fd, path, (int fd, const char *path, mode_t mode, int flags),
     (fd, path, mode, flags))
WRAP(int, fchownat, fd, path, (int fd, const char *path, uid_t uid, gid_t gid, int flags),
     (fd, path, uid, gid, flags))
WRAP(int, fsetxattr, fd, NULL,
     (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
WRAP(int, futimens, fd, NULL, (int fd, const struct timespec ts[2]), (fd, ts))
WRAP(int, utimensat, fd, path, (int fd, const char *path, const struct timespec ts[2], int flags),
     (fd, path, ts, flags))
