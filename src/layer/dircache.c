#include "layer/dircache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS 16

struct slot {
    char *path; /* NULL: free */
    int fd;
    guint64 used; /* d->clock at the last use */
};
struct dircache {
    int root;
    guint64 clock;
    struct slot slots[SLOTS];
};

struct dircache *dircache_new(int root)
{
    struct dircache *d = g_new0(struct dircache, 1);
    d->root = root;
    return d;
}

static void forget(struct slot *s)
{
    if (!s->path)
        return;
    g_clear_pointer(&s->path, g_free);
    close(s->fd);
}

void dircache_forget(struct dircache *d, const char *path)
{
    for (int i = 0; i < SLOTS; i++)
        if (d->slots[i].path && !strcmp(d->slots[i].path, path))
            forget(&d->slots[i]);
}

void dircache_flush(struct dircache *d)
{
    for (int i = 0; i < SLOTS; i++)
        forget(&d->slots[i]);
}

void dircache_free(struct dircache *d)
{
    if (!d)
        return;
    dircache_flush(d);
    g_free(d);
}

int dircache_open_beneath(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (guint64)flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd;
    do {
        fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return (int)fd;
}

int dircache_open(struct dircache *d, const char *path)
{
    if (!*path)
        return d->root;
    struct slot *oldest = &d->slots[0];
    d->clock++;
    for (int i = 0; i < SLOTS; i++) {
        struct slot *s = &d->slots[i];
        if (s->path && !strcmp(s->path, path)) {
            s->used = d->clock;
            return s->fd;
        }
        if (!s->path || (oldest->path && s->used < oldest->used))
            oldest = s;
    }
    int fd = dircache_open_beneath(d->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    forget(oldest);
    *oldest = (struct slot){g_strdup(path), fd, d->clock};
    return fd;
}
