/* The merged file tree of a build as a directory or one tar. */
#include "output/exporters.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "layer/object.h"
#include "layer/tarwriter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

/* Makes room for e: removes what is there, unless both are directories. */
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
    static const mode_t kinds[] = {
        [ENTRY_CHAR] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK, [ENTRY_FIFO] = S_IFIFO};
    return mknodat(dir, e->path, kinds[e->type] | e->mode, e->rdev) == 0 ||
           error_set_errno(err, errno, "cannot make the device or fifo %s", e->path);
}

static gboolean make_entry(struct store *s, struct tree *t, int dir, const struct entry *e,
                           GError **err)
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
    if (fchownat(dir, e->path, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM &&
        errno != EINVAL)
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

gboolean tree_write_dir(struct store *s, struct tree *t, const char *dest, gint64 clamp,
                        guint64 *written, GError **err)
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
        if (!work_check(err) || !make_way(dir, e, err) || !make_entry(s, t, dir, e, err))
            return FALSE;
        *written += e->size;
    }
    for (guint i = n; i > 0; i--) { /* children first: they change their directory's time */
        const struct entry *e = entry_list_at(t->entries, i - 1);
        if (!work_check(err) || (*e->path && !e->hardlink && !set_attributes(dir, e, clamp, err)))
            return FALSE;
    }
    return TRUE;
}

/* The tar writer's bytes into a descriptor. */
struct fd_sink {
    struct tar_sink sink; /* first */
    int fd;
    char *buf; /* what is not written yet */
    gsize used;
};

#define SINK_ROOM (256 * 1024)

static gboolean sink_flush(struct fd_sink *s, GError **err)
{
    gboolean ok = fs_write_all(s->fd, s->buf, s->used, err);
    s->used = 0;
    return ok;
}

static gboolean sink_write(struct tar_sink *self, const void *bytes, gsize len, GError **err)
{
    struct fd_sink *s = (struct fd_sink *)self;
    if (s->used + len > SINK_ROOM && !sink_flush(s, err))
        return FALSE;
    if (len > SINK_ROOM)
        return fs_write_all(s->fd, bytes, len, err);
    memcpy(s->buf + s->used, bytes, len);
    s->used += len;
    return TRUE;
}

static gboolean put_tree_entry(struct fd_sink *s, struct tree *t, const struct entry *e,
                               gint64 clamp, GError **err)
{
    struct tar_options o = {.clamp_mtime = clamp};
    gboolean content = e->type == ENTRY_FILE && !e->hardlink && e->size > 0;
    fd_auto int fd = content ? t->open(t, e, err) : -1;
    return (!content || fd >= 0) && tarwriter_entry(&s->sink, e, &o, fd, err);
}

gboolean tree_write_tar(struct tree *t, int fd, gint64 clamp, guint64 *written, GError **err)
{
    g_autofree char *buf = g_malloc(SINK_ROOM);
    struct fd_sink s = {.sink = {.write = sink_write}, .fd = fd, .buf = buf};
    for (guint i = 0; i < entry_list_len(t->entries); i++) {
        const struct entry *e = entry_list_at(t->entries, i);
        if (!*e->path)
            continue;
        if (!work_check(err) || !put_tree_entry(&s, t, e, clamp, err))
            return FALSE;
        *written += e->size;
    }
    return tarwriter_end(&s.sink, err) && sink_flush(&s, err);
}
