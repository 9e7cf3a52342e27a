/* Locks by name: flock on locks/<sha256 of the name>. Each take opens the file anew, so that
 * threads exclude each other as processes do. The last holder unlinks the file while it still holds
 * the lock; a process that waited on the unlinked file sees that the name is gone or new, and
 * starts over.
 */
#include "store/internal.h"
#include "store/store.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define POLL_FIRST_US 200
#define POLL_LAST_US 10000
#define TELL_AFTER_US G_USEC_PER_SEC

struct store_lock {
    int dir_fd;                    /* locks/, an own descriptor: a lock may outlive its store */
    int fd;                        /* holds the flock */
    char file[DIGEST_HEX_LEN + 1]; /* name in locks/ */
};

static gboolean still_named(int dir_fd, const char *file, int fd)
{
    struct stat named, open;
    return fstatat(dir_fd, file, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
           named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

/* flock cannot be interrupted by a cancellation without signals, so a cancellable wait polls. */
static gboolean pause_for(gint64 us, struct cancel *c, GError **err)
{
    struct pollfd p = {.fd = cancel_fd(c), .events = POLLIN};
    struct timespec t = {.tv_sec = 0, .tv_nsec = us * 1000};
    ppoll(&p, p.fd < 0 ? 0 : 1, &t, NULL);
    return cancel_check(c, err);
}

/* The process that holds the flock of fd, as the kernel lists it; 0 when it is not told. */
static int holder_of(int fd)
{
    struct stat st;
    char line[256];
    int found = 0, pid;
    unsigned long long ino;
    FILE *f = fstat(fd, &st) == 0 ? fopen("/proc/locks", "re") : NULL;
    while (f && !found && fgets(line, sizeof line, f))
        if (sscanf(line, "%*u: FLOCK %*s %*s %d %*x:%*x:%llu", &pid, &ino) == 2 && ino == st.st_ino)
            found = pid; /* devices are left out: of btrfs the kernel names another than stat() */
    if (f)
        fclose(f);
    return found;
}

static void tell_wait(struct store *s, int fd)
{
    int pid = holder_of(fd);
    if (s->on_wait && pid != getpid())
        s->on_wait(s->wait_ctx, MAX(pid, 0));
}

void store_tell_waits(struct store *s, store_wait_fn fn, gpointer ctx)
{
    s->on_wait = fn;
    s->wait_ctx = ctx;
}

/* 1: held; 0: another process has it and wait is FALSE; -1: error. */
static int acquire(struct store *s, int fd, int how, gboolean wait, struct cancel *c,
                   gboolean *waited, GError **err)
{
    gint64 begun = g_get_monotonic_time();
    gboolean told = FALSE;
    for (gint64 us = POLL_FIRST_US;; us = MIN(us * 2, POLL_LAST_US)) {
        if (flock(fd, how | LOCK_NB) == 0)
            return 1;
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            error_set_errno(err, errno, "taking a lock in the store");
            return -1;
        }
        if (!wait)
            return 0;
        *waited = TRUE;
        if (!told && g_get_monotonic_time() - begun > TELL_AFTER_US) {
            tell_wait(s, fd);
            told = TRUE;
        }
        if (!pause_for(us, c, err))
            return -1;
    }
}

static struct store_lock *lock_open(struct store *s, const char *name, GError **err)
{
    fd_auto int dir_fd = openat(s->fd, "locks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        error_set_errno(err, errno, "opening %s/locks", s->root);
        return NULL;
    }
    struct digest d;
    digest_of_bytes(&d, name, strlen(name));
    struct store_lock *l = g_new0(struct store_lock, 1);
    digest_hex(&d, l->file);
    l->dir_fd = fd_steal(&dir_fd);
    l->fd = -1;
    return l;
}

static void lock_free(struct store_lock *l)
{
    fd_cleanup(&l->fd);
    fd_cleanup(&l->dir_fd);
    g_free(l);
}

struct store_lock *lock_take(struct store *s, const char *name, gboolean shared, gboolean wait,
                             struct cancel *c, gboolean *waited, GError **err)
{
    gboolean had_to_wait = FALSE;
    struct store_lock *l = lock_open(s, name, err);
    int held = l ? 0 : -1;
    while (l) {
        l->fd = openat(l->dir_fd, l->file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (l->fd < 0) {
            error_set_errno(err, errno, "making a lock file in %s/locks", s->root);
            held = -1;
            break;
        }
        held = acquire(s, l->fd, shared ? LOCK_SH : LOCK_EX, wait, c, &had_to_wait, err);
        if (held <= 0 || still_named(l->dir_fd, l->file, l->fd))
            break;
        fd_cleanup(&l->fd);
    }
    if (waited)
        *waited = had_to_wait;
    if (held > 0)
        return l;
    if (l)
        lock_free(l);
    return NULL;
}

struct store_lock *store_lock_take(struct store *s, const char *name, struct cancel *c,
                                   gboolean *waited, GError **err)
{
    return lock_take(s, name, FALSE, TRUE, c, waited, err);
}

void store_lock_release(struct store_lock *l)
{
    if (!l)
        return;
    /* One of several sharers cannot become exclusive: it leaves the file to the last. */
    if (flock(l->fd, LOCK_EX | LOCK_NB) == 0 && still_named(l->dir_fd, l->file, l->fd))
        unlinkat(l->dir_fd, l->file, 0);
    lock_free(l);
}

void lock_sweep(struct store *s)
{
    fd_auto int dir_fd = fs_open_dir(s->fd, "locks", NULL);
    g_autoptr(GPtrArray) names = dir_fd < 0 ? NULL : fs_list(dir_fd, NULL);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        fd_auto int fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && still_named(dir_fd, name, fd))
            unlinkat(dir_fd, name, 0);
    }
}
