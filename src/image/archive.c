#include "image/archive.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "layer/tarstream.h"
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BLOB_DIR "blobs/sha256/"
#define MAX_ENTRIES 100000
#define MAX_SMALL (4 * 1024 * 1024)
#define MAX_SMALL_TOTAL (64 * 1024 * 1024)
#define MAX_LINKS 10

struct reading {
    struct store *store;
    struct image_archive *a;
    guint64 small_total;
};

void image_archive_free(struct image_archive *a)
{
    if (!a)
        return;
    g_hash_table_unref(a->small);
    g_hash_table_unref(a->blobs);
    g_hash_table_unref(a->links);
    g_free(a);
}

/* "./a//b/../c" → "a/c"; NULL when it leaves the archive. */
static char *clean_member_name(const char *name)
{
    g_autofree char *absolute = g_strconcat("/", name, NULL);
    g_autofree char *canonical = g_canonicalize_filename(absolute, "/");
    return g_strdup(canonical + strspn(canonical, "/"));
}

static gboolean read_archive_blob(struct reading *r, struct tarreader *t, const char *name,
                                  GError **err)
{
    struct digest expected, got;
    gboolean named =
        g_str_has_prefix(name, BLOB_DIR) && digest_parse_hex(&expected, name + strlen(BLOB_DIR));
    struct blob_writer *w = blob_writer_new(r->store, err);
    if (!w)
        return FALSE;
    for (;;) {
        const guint8 *p;
        gsize n;
        if (!tarreader_data(t, G_MAXUINT64, &p, &n, err) ||
            (n && !blob_writer_write(w, p, n, err))) {
            blob_writer_abort(w, FALSE);
            return FALSE;
        }
        if (!n)
            break;
    }
    if (!blob_writer_commit(w, named ? &expected : NULL, &got, err))
        return FALSE;
    g_hash_table_insert(r->a->blobs, g_strdup(name), g_memdup2(&got, sizeof got));
    return TRUE;
}

static gboolean read_small(struct reading *r, struct tarreader *t, const char *name, GError **err)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (;;) {
        const guint8 *p;
        gsize n;
        if (!tarreader_data(t, G_MAXUINT64, &p, &n, err))
            return FALSE;
        if (!n)
            break;
        g_byte_array_append(bytes, p, (guint)n);
    }
    r->small_total += bytes->len;
    if (r->small_total > MAX_SMALL_TOTAL)
        return error_set(err, VARVE_ERROR_INVALID, "it has more than %d MiB of small files",
                         MAX_SMALL_TOTAL >> 20);
    g_hash_table_insert(r->a->small, g_strdup(name),
                        g_byte_array_free_to_bytes(g_steal_pointer(&bytes)));
    return TRUE;
}

/* Symlinks count from their directory, hard links from the top. */
static void read_link(struct reading *r, const struct tar_header *h, const char *name)
{
    g_autofree char *dir = g_path_get_dirname(name);
    g_autofree char *from =
        h->type == '2' ? g_build_filename(dir, h->linkpath, NULL) : g_strdup(h->linkpath);
    g_hash_table_insert(r->a->links, g_strdup(name), clean_member_name(from));
}

/* Layers of old docker archives are called "<id>/layer.tar". */
static gboolean is_blob(const char *name, guint64 size)
{
    return size > MAX_SMALL || g_str_has_prefix(name, BLOB_DIR) || g_str_has_suffix(name, ".tar") ||
           g_str_has_suffix(name, ".tar.gz");
}

static gboolean read_archive_entry(struct reading *r, const struct tar_header *h,
                                   struct tarreader *t, GError **err)
{
    g_autofree char *name = clean_member_name(h->path);
    if (h->type == '1' || h->type == '2') {
        read_link(r, h, name);
        return TRUE;
    }
    if (h->type != '0' || h->is_sparse)
        return h->type == '5' ||
               error_set(err, VARVE_ERROR_INVALID, "%s is neither a file nor a directory", name);
    if ((is_blob(name, h->size) ? read_archive_blob : read_small)(r, t, name, err))
        return TRUE;
    g_prefix_error(err, "%s: ", name);
    return FALSE;
}

static gboolean read_entries(struct reading *r, struct tarreader *t, GError **err)
{
    const struct tar_header *h;
    int rc;
    for (guint n = 0; (rc = tarreader_next(t, &h, err)) > 0; n++) {
        if (n == MAX_ENTRIES)
            return error_set(err, VARVE_ERROR_INVALID, "it has more than %d entries", MAX_ENTRIES);
        if (!read_archive_entry(r, h, t, err))
            return FALSE;
    }
    return rc == 0;
}

static gssize read_fd(gpointer ctx, void *buf, gsize len, GError **err)
{
    ssize_t n = io_read(*(int *)ctx, buf, len);
    if (n < 0)
        error_set_errno(err, errno, "cannot read it");
    return n;
}

static gboolean read_archive(struct reading *r, int fd, GError **err)
{
    struct tarstream t;
    g_autoptr(decompress) d = decompress_new(read_fd, &fd);
    if (!tarstream_start(&t, d, err))
        return FALSE;
    gboolean ok = read_entries(r, t.reader, err);
    tarstream_stop(&t);
    return ok;
}

struct image_archive *image_archive_read(struct store *s, const char *path, GError **err)
{
    g_autoptr(image_archive) a = g_new0(struct image_archive, 1);
    a->small =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    a->blobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    a->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    struct reading r = {.store = s, .a = a};
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the image archive %s", path);
        return NULL;
    }
    if (read_archive(&r, fd, err))
        return g_steal_pointer(&a);
    g_prefix_error(err, "cannot read the image archive %s: ", path);
    return NULL;
}

static const char *follow(const struct image_archive *a, const char *name)
{
    for (int i = 0; i < MAX_LINKS; i++) {
        const char *to = g_hash_table_lookup(a->links, name);
        if (!to)
            break;
        name = to;
    }
    return name;
}

GBytes *image_archive_small(const struct image_archive *a, const char *name)
{
    return g_hash_table_lookup(a->small, follow(a, name));
}

gboolean image_archive_blob(struct store *s, const struct image_archive *a, const char *name,
                            struct digest *out, GError **err)
{
    g_autofree char *clean = clean_member_name(name);
    const char *real = follow(a, clean);
    const struct digest *d = g_hash_table_lookup(a->blobs, real);
    GBytes *small = d ? NULL : g_hash_table_lookup(a->small, real);
    if (small)
        return store_blob_put(s, g_bytes_get_data(small, NULL), g_bytes_get_size(small), out, err);
    if (!d)
        return error_set(err, VARVE_ERROR_INVALID, "the archive has no file \"%s\"", name);
    *out = *d;
    return TRUE;
}
