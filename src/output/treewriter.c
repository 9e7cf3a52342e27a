/* The merged file trees of a build as a directory or one tar. */
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

/* As in BuildKit, also when both have the same content. */
static gboolean refuse_twice(const char *path, const struct tree_part *a, const struct tree_part *b,
                             GError **err)
{
    error_set(err, VARVE_ERROR_FAILED,
              "/%s is in the results for %s and %s, which go to the same place", path, a->platform,
              b->platform);
    error_add_next(err,
                   "leave platform-split=false out, or give each platform's files other names");
    return FALSE;
}

gboolean tree_check_parts(const struct tree_part *parts, guint n, GError **err)
{
    /* path → the part that has it; in dirs only while all that has it is directories */
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) dirs = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; n > 1 && i < n; i++)
        for (guint k = 0; !parts[i].dir && k < entry_list_len(parts[i].tree->entries); k++) {
            const struct entry *e = entry_list_at(parts[i].tree->entries, k);
            const struct tree_part *other = g_hash_table_lookup(seen, e->path);
            gboolean dir = e->type == ENTRY_DIR;
            if (other && !(dir && g_hash_table_contains(dirs, e->path)))
                return refuse_twice(e->path, other, &parts[i], err);
            g_hash_table_insert(seen, (gpointer)e->path, (gpointer)&parts[i]);
            if (dir)
                g_hash_table_add(dirs, (gpointer)e->path);
        }
    return TRUE;
}

gboolean tree_write_dir(struct store *s, const struct tree_part *part, const char *dest,
                        gint64 clamp, guint64 *written, GError **err)
{
    struct tree *t = part->tree;
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
                               const char *dir, gint64 clamp, GError **err)
{
    struct tar_options o = {.clamp_mtime = clamp};
    gboolean content = e->type == ENTRY_FILE && !e->hardlink && e->size > 0;
    fd_auto int fd = content ? t->open(t, e, err) : -1;
    if (content && fd < 0)
        return FALSE;
    if (!dir)
        return tarwriter_entry(&s->sink, e, &o, fd, err);
    struct entry below = *e;
    g_autofree char *path = g_build_filename(dir, e->path, NULL);
    g_autofree char *link = e->hardlink ? g_build_filename(dir, e->hardlink, NULL) : NULL;
    below.path = path;
    below.hardlink = link;
    return tarwriter_entry(&s->sink, &below, &o, fd, err);
}

/* dirs: directories that are in the tar already. */
static gboolean put_part(struct fd_sink *s, const struct tree_part *part, GHashTable *dirs,
                         gint64 clamp, guint64 *written, GError **err)
{
    const struct entry_list *all = part->tree->entries;
    const struct entry top = {
        .type = ENTRY_DIR, .path = "", .mode = 0755, .mtime_ns = MAX(clamp, 0) * 1000000000};
    if (part->dir && !put_tree_entry(s, part->tree, &top, part->dir, clamp, err))
        return FALSE;
    for (guint i = 0; i < entry_list_len(all); i++) {
        const struct entry *e = entry_list_at(all, i);
        if (!*e->path ||
            (!part->dir && e->type == ENTRY_DIR && !g_hash_table_add(dirs, (gpointer)e->path)))
            continue;
        if (!work_check(err) || !put_tree_entry(s, part->tree, e, part->dir, clamp, err))
            return FALSE;
        *written += e->size;
    }
    return TRUE;
}

gboolean tree_write_tar(const struct tree_part *parts, guint n, int fd, gint64 clamp,
                        guint64 *written, GError **err)
{
    g_autofree char *buf = g_malloc(SINK_ROOM);
    g_autoptr(GHashTable) dirs = g_hash_table_new(g_str_hash, g_str_equal);
    struct fd_sink s = {.sink = {.write = sink_write}, .fd = fd, .buf = buf};
    for (guint i = 0; i < n; i++)
        if (!put_part(&s, &parts[i], dirs, clamp, written, err))
            return FALSE;
    return tarwriter_end(&s.sink, err) && sink_flush(&s, err);
}
