#include "layer/object.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/meter.h"
#include "layer/attrs.h"
#include "tree/content.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_LINKS 60000          /* below ext4's 65,000; past it an object is not linked any more */
#define CHUNK (128 * 1024)       /* bytes read at a time */
#define SMALL (32 * 1024)        /* copied through the stack in one go */
#define CLONE_FROM (1024 * 1024) /* smallest size worth trying a reflink for */

void object_identity(const struct entry *e, struct digest *out)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_digest(h, &e->digest);
    hasher_add_u64(h, e->mode);
    hasher_add_u64(h, (guint64)e->uid << 32 | e->gid);
    hasher_add_u64(h, e->mtime_ns);
    hasher_add_u64(h, e->n_xattrs);
    for (guint i = 0; i < e->n_xattrs; i++) {
        hasher_add_str(h, e->xattrs[i].name);
        hasher_add_bytes(h, e->xattrs[i].value, e->xattrs[i].size);
    }
    hasher_final(h, out);
}

/* A copy under way: every byte of the result, holes included, goes through the hasher. */
struct copying {
    int in, out;
    const struct entry *e;
    struct hasher *h;
    char *buf;  /* CHUNK bytes */
    guint64 at; /* bytes done */
    struct meter meter;
};

/* Copies data up to end, which may come early when the file became shorter. */
static gboolean copy_data(struct copying *c, guint64 end, GError **err)
{
    while (c->at < end) {
        ssize_t n = io_pread(c->in, c->buf, MIN(CHUNK, end - c->at), c->at);
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", c->e->path);
        if (n == 0)
            return content_changed(c->e->path, err);
        if (!meter_add(&c->meter, n, err))
            return FALSE;
        hasher_update(c->h, c->buf, n);
        if (io_pwrite_all(c->out, c->buf, n, c->at) < 0)
            return error_set_errno(err, errno, "cannot write %s", c->e->path);
        c->at += n;
    }
    return TRUE;
}

static gboolean hash_object_hole(struct copying *c, guint64 end, GError **err)
{
    if (c->at < end)
        memset(c->buf, 0, CHUNK);
    while (c->at < end) {
        gsize n = MIN(CHUNK, end - c->at);
        if (!meter_add(&c->meter, n, err))
            return FALSE;
        hasher_update(c->h, c->buf, n);
        c->at += n;
    }
    return TRUE;
}

static gboolean copy_sparse(struct copying *c, GError **err)
{
    while (c->at < c->e->size) {
        off_t data = lseek(c->in, c->at, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            return copy_data(c, c->e->size, err);
        guint64 from = data < 0 ? c->e->size : MIN((guint64)data, c->e->size);
        if (!hash_object_hole(c, from, err))
            return FALSE;
        if (c->at == c->e->size)
            break;
        off_t hole = lseek(c->in, data, SEEK_HOLE);
        if (!copy_data(c, hole < 0 ? c->e->size : MIN((guint64)hole, c->e->size), err))
            return FALSE;
    }
    return ftruncate(c->out, c->e->size) == 0 ||
           error_set_errno(err, errno, "cannot write %s", c->e->path);
}

/* The copy is a reflink: hash that, nobody else can change it. */
static gboolean hash_clone(struct copying *c, struct digest *d, GError **err)
{
    fd_auto int fd = dup(c->out);
    return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 &&
           content_hash(fd, c->e->path, c->e->size, d, err);
}

static gboolean copy_large(int in, int out, const struct entry *e, struct digest *d, GError **err)
{
    g_autofree char *buf = g_malloc(CHUNK);
    g_autoptr(hasher) h = hasher_new();
    struct copying c = {.in = in, .out = out, .e = e, .h = h, .buf = buf};
    struct stat st;
    if (fstat(in, &st) < 0)
        return error_set_errno(err, errno, "cannot stat %s", e->path);
    if ((guint64)st.st_size != e->size)
        return content_changed(e->path, err);
    if (e->size >= CLONE_FROM && ioctl(out, FICLONE, in) == 0)
        return hash_clone(&c, d, err);
    gboolean sparse = (guint64)st.st_blocks * 512 < e->size;
    meter_init(&c.meter, "copying", e->path, e->size);
    gboolean ok = sparse ? copy_sparse(&c, err) : copy_data(&c, e->size, err);
    meter_end(&c.meter);
    if (!ok)
        return FALSE;
    hasher_final(h, d);
    return TRUE;
}

static gboolean copy_small(int in, int out, const struct entry *e, struct digest *d, GError **err)
{
    char buf[SMALL + 1];
    ssize_t n = io_pread(in, buf, e->size + 1, 0);
    if (n < 0)
        return error_set_errno(err, errno, "cannot read %s", e->path);
    if ((guint64)n != e->size)
        return content_changed(e->path, err);
    digest_of_bytes(d, buf, n);
    return fs_write_all(out, buf, n, err);
}

static gboolean fill_object(int in, int out, const struct entry *e, GError **err)
{
    struct digest d;
    gboolean ok =
        e->size <= SMALL ? copy_small(in, out, e, &d, err) : copy_large(in, out, e, &d, err);
    if (!ok)
        return FALSE;
    if (digest_cmp(&d, &e->digest) != 0)
        return content_changed(e->path, err);
    return attrs_apply_fd(out, e, err);
}

gboolean object_copy(const struct entry *e, int dirfd, const char *name,
                     const struct object_source *from, GError **err)
{
    fd_auto int in = from->open(from->ctx, e, err);
    if (in < 0)
        return FALSE;
    fd_auto int out = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0)
        return error_set_errno(err, errno, "cannot create %s", name);
    if (fill_object(in, out, e, err))
        return TRUE;
    unlinkat(dirfd, name, 0);
    return FALSE;
}

/* Publishes dirfd/name, finished, as the object at path. Losing a race, or the limit of links, only
 * means that this file is not shared. */
static gboolean publish(struct store *s, int dirfd, const char *name, const char *path,
                        GError **err)
{
    if (linkat(dirfd, name, store_fd(s), path, 0) == 0 || errno == EEXIST || errno == EMLINK)
        return TRUE;
    if (errno != ENOENT)
        return error_set_errno(err, errno, "cannot share %s with other layers", name);
    g_autofree char *parent = g_path_get_dirname(path);
    if (!fs_mkdir_p(store_fd(s), parent, 0700, err))
        return FALSE;
    if (linkat(dirfd, name, store_fd(s), path, 0) == 0 || errno == EEXIST || errno == EMLINK)
        return TRUE;
    return error_set_errno(err, errno, "cannot share %s with other layers", name);
}

/* TRUE when the object at path can be linked; *missing when there is none. */
static gboolean linkable(struct store *s, const char *path, const struct entry *e,
                         const struct object_source *from, gboolean *missing)
{
    struct stat st;
    *missing = FALSE;
    if (fstatat(store_fd(s), path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        *missing = TRUE;
        return FALSE;
    }
    if ((guint64)st.st_size != e->size) {
        /* Cut short by a crash of the machine: make it anew. */
        *missing = unlinkat(store_fd(s), path, 0) == 0;
        return FALSE;
    }
    if (st.st_nlink >= MAX_LINKS)
        return FALSE;
    return st.st_nlink == 1 || !from->in_chain || !from->in_chain(from->ctx, e);
}

gboolean object_place(struct store *s, const struct entry *e, const struct digest *identity,
                      int dirfd, const char *name, const struct object_source *from, GError **err)
{
    g_autofree char *path = store_object_path(s, identity);
    gboolean missing;
    if (linkable(s, path, e, from, &missing)) {
        if (linkat(store_fd(s), path, dirfd, name, 0) == 0)
            return TRUE;
        if (errno == EEXIST)
            return error_set_errno(err, errno, "cannot create %s", name);
    }
    if (!object_copy(e, dirfd, name, from, err))
        return FALSE;
    return !missing || publish(s, dirfd, name, path, err);
}

gboolean object_materialise(struct store *s, const struct entry *e, gboolean unique, int dirfd,
                            const char *name, object_open_fn open_content, gpointer ctx,
                            GError **err)
{
    struct object_source from = {open_content, NULL, ctx};
    struct digest identity;
    if (unique)
        return object_copy(e, dirfd, name, &from, err);
    object_identity(e, &identity);
    return object_place(s, e, &identity, dirfd, name, &from, err);
}
