/* ADD's extraction of local tar archives, through libarchive. Archives are hostile: every name is
 * resolved below the destination as if that were the root, so that nothing gets out of it, by ".."
 * or through a symlink; limits are stated here. */
#include "layer/filework.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/libarchive.h"
#include "layer/attrs.h"
#include "layer/tarnumber.h"
#include "tree/resolve.h"

#include <errno.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#define MAX_ENTRIES (10 * 1000 * 1000)
#define MAX_BYTES (G_GUINT64_CONSTANT(64) << 30) /* of content, all files together */
#define READ_BLOCK (64 * 1024)
#define HOLE_BLOCK (64 * 1024)
#define NS G_GINT64_CONSTANT(1000000000)

/* An archive being extracted. */
struct unpacking {
    struct filework *w;
    const char *name;             /* of the archive, for messages */
    char *root;                   /* where to, clean and resolved */
    const struct libarchive *lib; /* loaded */
    struct archive *in;
    guint64 entries; /* so far */
    guint64 bytes;   /* so far, holes included */
};

static gboolean bad_archive(struct unpacking *u, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
static gboolean bad_archive(struct unpacking *u, GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return error_set(err, VARVE_ERROR_INVALID, "cannot extract %s: %s", u->name, what);
}

static gboolean damaged(struct unpacking *u, GError **err)
{
    const char *why = u->lib->error_string(u->in);
    return bad_archive(u, err, "%s", why ? why : "it is damaged");
}

/* An entry's name as a clean path below the archive's root; NULL with *err when it leaves that. A
 * leading
 * '/' means the root, as in Docker. */
static char *clean_archive_path(struct unpacking *u, const char *name, GError **err)
{
    gint depth = 0;
    if (!name || strlen(name) > RESOLVE_MAX_PATH) {
        bad_archive(u, err, "an entry's name is missing, too long or not readable");
        return NULL;
    }
    for (const char *p = name; *p;) {
        gsize len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.')
            depth--;
        else if (len > 0 && !(len == 1 && *p == '.'))
            depth++;
        if (depth < 0) {
            bad_archive(u, err, "the entry \"%s\" points outside", name);
            return NULL;
        }
        p += len + strspn(p + len, "/");
    }
    return resolve_clean(name);
}

/* Where the entry goes: its directory resolved below the root and made if missing; the last
 * component as it is. */
static char *place_entry(struct unpacking *u, const char *clean, GError **err)
{
    const char *slash = strrchr(clean, '/');
    g_autofree char *dir = g_strndup(clean, slash ? slash - clean : 0);
    g_autofree char *parent = dest_resolve(u->w->dest, u->root, dir, TRUE, NULL, NULL, err);
    /* A directory that the archive does not list belongs to root, whatever --chown says. */
    struct dest_made made = {
        {.path = "", .type = ENTRY_DIR, .mode = 0755, .mtime_ns = u->w->env->now_ns},
        .mode_given = TRUE};
    if (!parent || !dest_make_dirs(u->w->dest, parent, &made, err)) {
        g_prefix_error(err, "cannot extract %s: ", u->name);
        return NULL;
    }
    const char *last = slash ? slash + 1 : clean;
    return *parent ? g_strconcat(parent, "/", last, NULL) : g_strdup(last);
}

/* The kept xattrs of an entry, sorted; pointing into ae. Free the table with g_free. */
static struct xattr *entry_xattrs(struct unpacking *u, struct archive_entry *ae, guint *n)
{
    const char *name;
    const void *value;
    size_t size, total = 0;
    g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(struct xattr));
    u->lib->entry_xattr_reset(ae);
    while (u->lib->entry_xattr_next(ae, &name, &value, &size) == ARCHIVE_OK) {
        total += size;
        if (!name || !attrs_keeps_xattr(name) || total > ATTRS_MAX_XATTRS)
            continue;
        guint at = x->len;
        while (at > 0 && strcmp(g_array_index(x, struct xattr, at - 1).name, name) > 0)
            at--;
        struct xattr one = {name, value, size};
        g_array_insert_val(x, at, one);
    }
    *n = x->len;
    return x->len ? (struct xattr *)g_array_free(g_steal_pointer(&x), FALSE) : NULL;
}

/* Takes the header into e (path and xattrs are set by the caller). The archive sets the time as
 * well as the content: a step that reads it must not be cut if only the times differ. */
static void take_header(struct unpacking *u, struct archive_entry *ae, struct entry *e)
{
    struct stat st = *u->lib->entry_stat(ae);
    entry_from_stat(e, &st);
    if (e->type == ENTRY_WHITEOUT)
        e->type = ENTRY_CHAR;
    /* What is beyond the year 2262 counts as then. */
    gint64 seconds = CLAMP(u->lib->entry_mtime(ae), -TARNUMBER_MAX_SECONDS, TARNUMBER_MAX_SECONDS);
    e->mtime_ns = seconds * NS + u->lib->entry_mtime_nsec(ae);
    e->mtime_set = TRUE;
    e->ino = 0;
    if (u->w->has_owner) {
        e->uid = u->w->uid;
        e->gid = u->w->gid;
    }
}

/* Zeroes between two blocks of data, which stay a hole. */
static void hash_archive_hole(struct hasher *h, guint64 len)
{
    static const char zeroes[HOLE_BLOCK];
    for (; len > 0; len -= MIN(len, HOLE_BLOCK))
        hasher_update(h, zeroes, MIN(len, HOLE_BLOCK));
}

/* Copies the entry's data to fd, which gets e->size bytes, and hashes it. */
static gboolean copy_content(struct unpacking *u, int fd, struct entry *e, GError **err)
{
    g_autoptr(hasher) h = hasher_new();
    const void *block;
    size_t len;
    la_int64_t offset;
    guint64 at = 0;
    int r;
    while ((r = u->lib->read_data_block(u->in, &block, &len, &offset)) == ARCHIVE_OK) {
        if (!cancel_check(u->w->env->cancel, err))
            return FALSE;
        if (offset < 0 || (guint64)offset < at || (guint64)offset > e->size ||
            len > e->size - offset)
            return bad_archive(u, err, "%s has data beyond its size", e->path);
        hash_archive_hole(h, offset - at);
        hasher_update(h, block, len);
        at = offset + len;
        if (io_pwrite_all(fd, block, len, offset) < 0)
            return error_set_errno(err, errno, "cannot write %s", e->path);
    }
    if (r != ARCHIVE_EOF)
        return damaged(u, err);
    hash_archive_hole(h, e->size - at);
    hasher_final(h, &e->digest);
    e->has_digest = TRUE;
    return ftruncate(fd, e->size) == 0 || error_set_errno(err, errno, "cannot write %s", e->path);
}

static gboolean put_file(struct unpacking *u, struct entry *e, GError **err)
{
    u->bytes += MIN(e->size, MAX_BYTES + 1);
    if (u->bytes > MAX_BYTES)
        return bad_archive(u, err, "it holds more than %" G_GUINT64_FORMAT " GiB", MAX_BYTES >> 30);
    fd_auto int fd = dest_create(u->w->dest, e->path, err);
    if (fd < 0 || !copy_content(u, fd, e, err) || !attrs_apply_fd(fd, e, err)) {
        g_prefix_error(err, "/%s: ", e->path);
        return FALSE;
    }
    dest_note(u->w->dest, e);
    return TRUE;
}

/* Removes what is in the way of e: all but a directory that meets a directory. */
static gboolean make_room_for_entry(struct unpacking *u, const struct entry *e, gboolean *merge,
                                    GError **err)
{
    struct entry there;
    *merge = FALSE;
    if (!dest_lookup(u->w->dest, e->path, &there))
        return TRUE;
    *merge = there.type == ENTRY_DIR && e->type == ENTRY_DIR;
    return *merge || dest_clear(u->w->dest, e->path, err);
}

/* A further name of a device or a fifo: another one like it, which nobody can tell from it. */
static gboolean put_twin(struct unpacking *u, const struct entry *like, const char *path,
                         GError **err)
{
    struct entry e = *like;
    gboolean merge;
    e.path = path;
    e.xattrs = NULL;
    e.n_xattrs = 0;
    e.hardlink = NULL;
    return make_room_for_entry(u, &e, &merge, err) && dest_put_special(u->w->dest, &e, err);
}

/* A further name of something in the archive, or in the destination. */
static gboolean put_link(struct unpacking *u, struct entry *e, const char *link, GError **err)
{
    g_autofree char *clean = clean_archive_path(u, link, err);
    if (!clean)
        return FALSE;
    g_autofree char *first = place_entry(u, clean, err);
    struct entry there;
    gboolean merge;
    if (!first)
        return FALSE;
    if (strcmp(first, e->path) == 0)
        return TRUE;
    if (!dest_lookup(u->w->dest, first, &there) || there.type == ENTRY_DIR)
        return bad_archive(u, err, "/%s is a hard link to %s, which is not a file", e->path, link);
    if (there.type != ENTRY_FILE && there.type != ENTRY_SYMLINK)
        return put_twin(u, &there, e->path, err);
    if (!dest_copy_up(u->w->dest, first, err) || !dest_lookup(u->w->dest, first, &there))
        return FALSE;
    const char *path = e->path;
    *e = there;
    e->path = path;
    e->hardlink = NULL;
    return make_room_for_entry(u, e, &merge, err) && dest_put_link(u->w->dest, e, first, err) &&
           dest_flush(u->w->dest, err);
}

static gboolean put_archive_entry(struct unpacking *u, struct archive_entry *ae, struct entry *e,
                                  GError **err)
{
    gboolean merge;
    const char *link = u->lib->entry_hardlink(ae);
    if (link)
        return put_link(u, e, link, err);
    if (e->type == ENTRY_SOCKET || (u->lib->entry_filetype(ae) == 0))
        return bad_archive(u, err, "/%s has a type that cannot be in an image", e->path);
    if (!make_room_for_entry(u, e, &merge, err))
        return FALSE;
    if (e->type == ENTRY_FILE)
        return put_file(u, e, err);
    if (e->type == ENTRY_DIR)
        return merge ? dest_set_dir(u->w->dest, e, err) : dest_make_dir(u->w->dest, e, err);
    if (e->type == ENTRY_SYMLINK) {
        e->target = u->lib->entry_symlink(ae);
        if (!e->target || !*e->target || strlen(e->target) > RESOLVE_MAX_PATH)
            return bad_archive(u, err, "/%s is a symlink without a usable target", e->path);
        e->size = strlen(e->target);
        e->mode = 0777;
    }
    return dest_put_special(u->w->dest, e, err);
}

static gboolean unpack_entry(struct unpacking *u, struct archive_entry *ae, GError **err)
{
    if (++u->entries > MAX_ENTRIES)
        return bad_archive(u, err, "it has more than %d entries", MAX_ENTRIES);
    if (!cancel_check(u->w->env->cancel, err))
        return FALSE;
    g_autofree char *clean = clean_archive_path(u, u->lib->entry_pathname(ae), err);
    if (!clean)
        return FALSE;
    if (*clean == '\0')
        return TRUE; /* "./": the destination keeps its attributes */
    g_autofree char *path = place_entry(u, clean, err);
    if (!path)
        return FALSE;
    struct entry e = {.path = path};
    take_header(u, ae, &e);
    g_autofree struct xattr *x = entry_xattrs(u, ae, &e.n_xattrs);
    e.xattrs = x;
    return put_archive_entry(u, ae, &e, err);
}

/* Opens fd as an archive and reads its first header; NULL when it is none, or packed more than
 * once, which Docker leaves as it is. */
static struct archive *open_archive(const struct libarchive *lib, int fd,
                                    struct archive_entry **first)
{
    struct archive *in = lib->read_new();
    lib->read_support_filter_gzip(in);
    lib->read_support_filter_bzip2(in);
    lib->read_support_filter_xz(in);
    lib->read_support_filter_zstd(in);
    lib->read_support_format_tar(in);
    int r = lib->read_open_fd(in, fd, READ_BLOCK);
    if (r == ARCHIVE_OK)
        r = lib->read_next_header(in, first);
    /* The count has one for the bytes as they are. */
    if ((r == ARCHIVE_OK || r == ARCHIVE_WARN) && lib->filter_count(in) <= 2)
        return in;
    lib->read_free(in);
    return NULL;
}

static gboolean unpack_all(struct unpacking *u, struct archive_entry *ae, GError **err)
{
    for (;;) {
        if (!unpack_entry(u, ae, err))
            return FALSE;
        int r = u->lib->read_next_header(u->in, &ae);
        if (r == ARCHIVE_EOF)
            return TRUE;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return damaged(u, err);
    }
}

static gboolean unpack_fd(struct filework *w, const struct selected *s, int fd,
                          gboolean *is_archive, GError **err)
{
    struct archive_entry *ae;
    struct unpacking u = {
        .w = w, .name = *s->name ? s->name : s->path, .lib = libarchive_load(err)};
    if (!u.lib)
        return FALSE;
    u.in = open_archive(u.lib, fd, &ae);
    *is_archive = u.in != NULL;
    if (!u.in)
        return TRUE;
    u.root = filework_make_dirs(w, w->a->dest, err);
    gboolean ok = u.root && dest_flush(w->dest, err) && unpack_all(&u, ae, err);
    g_free(u.root);
    u.lib->read_free(u.in);
    return ok;
}

gboolean filework_unpack(struct filework *all, const struct selected *s, gboolean *is_archive,
                         GError **err)
{
    struct filework plain = *all, *w = &plain;
    plain.has_mode =
        FALSE; /* --chmod applies neither to an archive's content nor to its destination */
    const struct entry *top = g_ptr_array_index(s->entries, 0);
    fd_auto int fd = w->tree->open(w->tree, top, err);
    *is_archive = FALSE;
    if (fd < 0)
        return FALSE;
    /* libarchive gives names in the locale's character set: with UTF-8 every name keeps its bytes.
     */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    gboolean ok = unpack_fd(w, s, fd, is_archive, err);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return ok;
}
