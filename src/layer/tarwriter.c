#include "layer/tarwriter.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/work.h"
#include "layer/dircache.h"
#include "layer/tarheader.h"
#include "store/absent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define NS G_GINT64_CONSTANT(1000000000)

static const guint8 zeros[2 * TAR_BLOCK];

static gint64 seconds_of(const struct entry *e, const struct tar_options *o)
{
    gint64 s = e->mtime_ns / NS - (e->mtime_ns % NS < 0 ? 1 : 0);
    return o->clamp_mtime >= 0 ? MIN(s, o->clamp_mtime) : s;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The name in the archive; newly allocated. */
static char *archive_name(const struct entry *e)
{
    const char *base = base_name(e->path);
    switch (e->type) {
    case ENTRY_DIR:
        return *e->path ? g_strconcat(e->path, "/", NULL) : g_strdup("./");
    case ENTRY_WHITEOUT:
        return g_strdup_printf("%.*s.wh.%s", (int)(base - e->path), e->path, base);
    default:
        return g_strdup(e->path);
    }
}

/* Digits are those of tar; 0 for what a layer cannot hold. */
static char archive_type(const struct entry *e)
{
    static const char types[] = {
        [ENTRY_FILE] = '0',  [ENTRY_DIR] = '5',  [ENTRY_SYMLINK] = '2',  [ENTRY_CHAR] = '3',
        [ENTRY_BLOCK] = '4', [ENTRY_FIFO] = '6', [ENTRY_WHITEOUT] = '0',
    };
    if (e->hardlink)
        return '1';
    return (gsize)e->type < sizeof types ? types[e->type] : 0;
}

static void fields_of(const struct entry *e, const struct tar_options *o, const char *name,
                      struct tar_fields *f)
{
    gboolean device = e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK;
    *f = (struct tar_fields){
        .path = name,
        .link = e->hardlink                ? e->hardlink
                : e->type == ENTRY_SYMLINK ? e->target
                                           : "",
        .type = archive_type(e),
        .mode = e->mode,
        .uid = e->uid,
        .gid = e->gid,
        .size = e->type == ENTRY_FILE && !e->hardlink ? e->size : 0,
        .mtime = seconds_of(e, o),
        .devmajor = device ? major(e->rdev) : 0,
        .devminor = device ? minor(e->rdev) : 0,
        .xattrs = e->xattrs,
        .n_xattrs = e->hardlink ? 0 : e->n_xattrs,
    };
}

static gboolean check_entry(const struct entry *e, GError **err)
{
    if (!archive_type(e))
        return error_set(err, VARVE_ERROR_UNSUPPORTED, "%s is of a type that layers cannot contain",
                         e->path);
    if (e->type != ENTRY_WHITEOUT && g_str_has_prefix(base_name(e->path), ".wh."))
        return error_set(
            err, VARVE_ERROR_UNSUPPORTED,
            "%s cannot be in an image: names that start with .wh. mark deletions there", e->path);
    return TRUE;
}

static gboolean differs(const struct entry *e, GError **err)
{
    return error_set(err, VARVE_ERROR_FAILED,
                     "%s does not have the %" G_GUINT64_FORMAT " bytes it should have", e->path,
                     e->size);
}

static gboolean is_sparse(int fd, const struct entry *e)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (guint64)st.st_size == e->size &&
           (guint64)st.st_blocks * 512 < e->size;
}

/* How many bytes from at on are a hole of the file; what it reads next is behind them. */
static guint64 skip_hole(int fd, guint64 at, guint64 size)
{
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    guint64 to = data >= 0 ? MIN((guint64)data, size) : errno == ENXIO ? size : at;
    return lseek(fd, (off_t)to, SEEK_SET) < 0 ? 0 : to - at;
}

static gboolean write_zeros(struct tar_sink *sink, guint8 *buf, guint64 len, GError **err)
{
    memset(buf, 0, MIN(BUFFER, len));
    for (guint64 n; len; len -= n) {
        n = MIN(BUFFER, len);
        if (!work_check(err) || !sink->write(sink, buf, n, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean write_content(struct tar_sink *sink, const struct entry *e, int fd, GError **err)
{
    g_autofree guint8 *buf = g_malloc(MIN(BUFFER, e->size + 1));
    gboolean sparse = is_sparse(fd, e);
    for (guint64 left = e->size; left;) {
        guint64 hole = sparse ? skip_hole(fd, e->size - left, e->size) : 0;
        if (!write_zeros(sink, buf, hole, err))
            return FALSE;
        left -= hole;
        if (!left)
            break;
        /* One byte more than wanted, to see a file that grew. */
        gsize want = MIN(BUFFER, left + 1);
        if (!work_check(err))
            return FALSE;
        ssize_t n = io_read(fd, buf, want);
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", e->path);
        if (n == 0 || (guint64)n > left)
            return differs(e, err);
        if (!sink->write(sink, buf, (gsize)n, err))
            return FALSE;
        left -= (guint64)n;
    }
    gsize padding = (TAR_BLOCK - e->size % TAR_BLOCK) % TAR_BLOCK;
    return !padding || sink->write(sink, zeros, padding, err);
}

/* The mark goes right behind its directory, before what is in it. */
static void add_opaque_mark(GByteArray *out, const char *dir_name, gint64 mtime)
{
    g_autofree char *name = g_strconcat(dir_name, ".wh..wh..opq", NULL);
    struct tar_fields f = {.path = name, .link = "", .type = '0', .mtime = mtime};
    tarheader_write(out, &f);
}

gboolean tarwriter_entry(struct tar_sink *sink, const struct entry *e, const struct tar_options *o,
                         int fd, GError **err)
{
    if (!check_entry(e, err))
        return FALSE;
    g_autofree char *name = archive_name(e);
    g_autoptr(GByteArray) head = g_byte_array_new();
    struct tar_fields f;
    fields_of(e, o, name, &f);
    tarheader_write(head, &f);
    if (e->type == ENTRY_DIR && e->opaque)
        add_opaque_mark(head, name, f.mtime);
    guint64 bytes = head->len + (f.size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    if (sink->boundary && !sink->boundary(sink, e->path, bytes, err))
        return FALSE;
    if (!sink->write(sink, head->data, head->len, err))
        return FALSE;
    return e->type != ENTRY_FILE || e->hardlink || write_content(sink, e, fd, err);
}

gboolean tarwriter_end(struct tar_sink *sink, GError **err)
{
    return sink->write(sink, zeros, sizeof zeros, err);
}

static gboolean usual_root(const struct entry *e)
{
    return !*e->path && e->mode == 0755 && !e->uid && !e->gid && !e->n_xattrs && !e->opaque;
}

static int open_file(struct dircache *dirs, const struct entry *e, GError **err)
{
    const char *base = base_name(e->path);
    g_autofree char *dir = g_strndup(e->path, base == e->path ? 0 : (gsize)(base - e->path - 1));
    int at = dircache_open(dirs, dir);
    int fd = at < 0 ? -1 : openat(at, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        error_set_errno(err, errno, "cannot open %s", e->path);
    return fd;
}

static gboolean write_entry(struct dircache *dirs, const struct entry *e,
                            const struct tar_options *o, struct tar_sink *sink, GError **err)
{
    if (e->type == ENTRY_DIR && usual_root(e))
        return TRUE;
    if (e->type != ENTRY_FILE || e->hardlink || !e->size)
        return tarwriter_entry(sink, e, o, -1, err);
    fd_auto int fd = open_file(dirs, e, err);
    return fd >= 0 && tarwriter_entry(sink, e, o, fd, err);
}

static gboolean write_all(struct layer_index *x, int fs, const struct tar_options *o,
                          struct tar_sink *sink, struct cancel *c, GError **err)
{
    g_autoptr(dircache) dirs = dircache_new(fs);
    guint n = layer_index_len(x);
    for (guint i = 0; i < n; i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        if (!cancel_check(c, err) || !write_entry(dirs, &e, o, sink, err))
            return FALSE;
    }
    return tarwriter_end(sink, err);
}

gboolean tarwriter_run(struct store *s, const char *layer_id, const struct tar_options *o,
                       struct tar_sink *sink, struct cancel *c, GError **err)
{
    g_autoptr(layer_index) x = store_layer_need(s, layer_id, NEED_FILES, err)
                                   ? layer_index_open(s, layer_id, c, err)
                                   : NULL;
    if (!x)
        return FALSE;
    g_autofree char *dir = store_layer_path(layer_id);
    g_autofree char *path = g_strconcat(dir, "/fs", NULL);
    fd_auto int fs = fs_open_dir(store_fd(s), path, err);
    if (fs >= 0 && write_all(x, fs, o, sink, c, err))
        return TRUE;
    g_prefix_error(err, "cannot write the tar of layer %s: ", layer_id);
    return FALSE;
}
