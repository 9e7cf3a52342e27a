#include "store/blob.h"

#include "base/io.h"
#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct blob_writer {
    struct store *store;
    char *path;            /* of the file being written, relative to the root */
    int fd;                /* at its end */
    struct hasher *hasher; /* over all bytes of the file */
    guint64 size;          /* bytes of the file */
    gboolean partial;      /* path is in blobs/partial: worth keeping for the next try */
};

char *blob_path(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strconcat("blobs/sha256/", digest_hex(d, hex), NULL);
}

/* *known: it has a row. */
static gboolean blob_row(struct store *s, const struct digest *d, gboolean *known, guint64 *size,
                         GError **err)
{
    GError *why = NULL;
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why, "SELECT size FROM blobs WHERE digest=?", "d", d);
    *known = db_step(s->db, q, &why);
    if (*known)
        *size = sqlite3_column_int64(q, 0);
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

/* Blob row present and its file of the row's size there; mutex held. */
static gboolean blob_present(struct store *s, const struct digest *d, gboolean *present,
                             guint64 *size, GError **err)
{
    g_autofree char *path = blob_path(d);
    struct stat st;
    guint64 n;
    if (!blob_row(s, d, present, &n, err))
        return FALSE;
    if (!*present)
        return TRUE;
    *present = fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*present)
        return errno_is_damage(errno) ||
               error_set_errno(err, errno, "looking for %s/%s", s->root, path);
    *present = (guint64)st.st_size == n;
    if (size && *present)
        *size = n;
    return TRUE;
}

gboolean store_blob_look(struct store *s, const struct digest *d, gboolean *has, guint64 *size,
                         GError **err)
{
    *has = FALSE;
    DB_LOCK(s->db);
    if (!gate_enter(s))
        return error_set_errno(err, errno, "locking %s/layers", s->root);
    gboolean ok = blob_present(s, d, has, size, err);
    if (ok && *has && !lease_blob(s, d))
        ok = error_set_errno(err, errno, "leasing a blob in %s", s->root);
    gate_leave(s);
    return ok;
}

gboolean store_blob_has(struct store *s, const struct digest *d, guint64 *size)
{
    gboolean has;
    return store_blob_look(s, d, &has, size, NULL) && has;
}

int store_blob_open(struct store *s, const struct digest *d, GError **err)
{
    g_autofree char *path = blob_path(d);
    guint64 size;
    gboolean known;
    {
        DB_LOCK(s->db);
        if (!blob_row(s, d, &known, &size, err))
            return -1;
    }
    int fd = known ? openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd >= 0)
        return fd;
    g_autofree char *text = digest_text(d);
    error_set_errno(err, known ? errno : ENOENT, "opening blob %s of the store %s", text, s->root);
    return -1;
}

GBytes *store_blob_read(struct store *s, const struct digest *d, gsize max, GError **err)
{
    fd_auto int fd = store_blob_open(s, d, err);
    if (fd < 0)
        return NULL;
    g_autofree char *text = digest_text(d);
    g_autoptr(GBytes) bytes = fs_read_fd(fd, text, max, err);
    if (!bytes)
        return NULL;
    struct digest is;
    digest_of_bytes(&is, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    if (digest_cmp(&is, d) == 0)
        return g_steal_pointer(&bytes);
    error_set(err, VARVE_ERROR_INVALID, "blob %s of the store %s is damaged", text, s->root);
    error_add_next(err, "run varve fsck --repair, then pull or build again");
    return NULL;
}

static gboolean delete_rows(struct store *s, const struct digest *d, GError **err)
{
    if (!db_begin(s->db, err))
        return FALSE;
    gboolean ok = db_exec(s->db, err, "DELETE FROM blobs WHERE digest=?", "d", d) &&
                  db_exec(s->db, err, "DELETE FROM layer_blobs WHERE digest=?", "d", d) &&
                  db_exec(s->db, err, "DELETE FROM members WHERE blob=?", "d", d);
    return db_end(s->db, ok, err);
}

gboolean store_blob_delete(struct store *s, const struct digest *d, GError **err)
{
    DB_LOCK(s->db);
    if (!delete_rows(s, d, err) || !db_begin(s->db, err))
        return FALSE;
    /* Within the transaction no other process is between moving the file in and writing its row. */
    g_autofree char *path = blob_path(d);
    guint64 size;
    gboolean known, ok = blob_row(s, d, &known, &size, err);
    if (ok && !known && unlinkat(s->fd, path, 0) < 0 && errno != ENOENT)
        ok = error_set_errno(err, errno, "removing %s/%s", s->root, path);
    return db_end(s->db, ok, ok ? err : NULL);
}

gboolean store_blob_put(struct store *s, const void *bytes, gsize len, struct digest *out,
                        GError **err)
{
    struct digest d;
    digest_of_bytes(&d, bytes, len);
    if (out)
        *out = d;
    if (store_blob_has(s, &d, NULL))
        return TRUE;
    struct blob_writer *w = blob_writer_new(s, err);
    if (!w)
        return FALSE;
    if (!blob_writer_write(w, bytes, len, err)) {
        blob_writer_abort(w, FALSE);
        return FALSE;
    }
    return blob_writer_commit(w, &d, NULL, err);
}

static struct blob_writer *writer_new(struct store *s, char *path, int fd, gboolean partial)
{
    struct blob_writer *w = g_new0(struct blob_writer, 1);
    w->store = s;
    w->path = path;
    w->fd = fd;
    w->hasher = hasher_new();
    w->partial = partial;
    return w;
}

static void writer_free(struct blob_writer *w)
{
    fd_cleanup(&w->fd);
    hasher_free(w->hasher);
    g_free(w->path);
    g_free(w);
}

struct blob_writer *blob_writer_new(struct store *s, GError **err)
{
    g_autofree char *path = owner_tmp_name(s, err);
    if (!path)
        return NULL;
    int fd = openat(s->fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        error_set_errno(err, errno, "making a file for a blob in the store %s", s->root);
        return NULL;
    }
    return writer_new(s, g_steal_pointer(&path), fd, FALSE);
}

/* Opens and flocks the part of an earlier try. -1 with errno EWOULDBLOCK if another process uses
 * it. A file that was committed or removed between open and flock no longer has the name: try
 * again. */
static int open_partial(struct store *s, const char *path)
{
    for (;;) {
        fd_auto int fd = openat(s->fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        struct stat named, open;
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &open) < 0)
            return -1;
        if (fstatat(s->fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == open.st_ino)
            return fd_steal(&fd);
    }
}

/* Hashes what is there; a part that cannot be read starts over. */
static gboolean hash_partial(struct blob_writer *w, GError **err)
{
    g_autofree char *buf = g_malloc(256 * 1024);
    ssize_t n;
    while ((n = io_read(w->fd, buf, 256 * 1024)) > 0) {
        hasher_update(w->hasher, buf, n);
        w->size += n;
    }
    return n == 0 || blob_writer_restart(w, err);
}

struct blob_writer *blob_writer_resume(struct store *s, const struct digest *expected,
                                       guint64 *have, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *path = g_strconcat("blobs/partial/", digest_hex(expected, hex), NULL);
    *have = 0;
    int fd = open_partial(s, path);
    if (fd < 0 && errno == EWOULDBLOCK)
        return blob_writer_new(s, err); /* another process fetches the same: both may finish */
    if (fd < 0) {
        error_set_errno(err, errno, "opening %s/%s", s->root, path);
        return NULL;
    }
    struct blob_writer *w = writer_new(s, g_steal_pointer(&path), fd, TRUE);
    if (!hash_partial(w, err)) {
        writer_free(w);
        return NULL;
    }
    *have = w->size;
    return w;
}

gboolean blob_writer_write(struct blob_writer *w, const void *bytes, gsize len, GError **err)
{
    if (!fs_write_all(w->fd, bytes, len, err)) {
        g_prefix_error(err, "writing a blob into the store %s: ", w->store->root);
        return FALSE;
    }
    hasher_update(w->hasher, bytes, len);
    w->size += len;
    return TRUE;
}

gboolean blob_writer_restart(struct blob_writer *w, GError **err)
{
    struct digest ignored;
    hasher_final(w->hasher, &ignored);
    w->size = 0;
    if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
        return error_set_errno(err, errno, "starting %s/%s over", w->store->root, w->path);
    return TRUE;
}

guint64 blob_writer_size(const struct blob_writer *w)
{
    return w->size;
}

static gboolean insert_blob(struct blob_writer *w, const struct digest *d, GError **err)
{
    struct store *s = w->store;
    g_autofree char *path = blob_path(d);
    DB_LOCK(s->db);
    if (!lease_blob(s, d))
        return error_set_errno(err, errno, "leasing a new blob in %s", s->root);
    if (!db_begin(s->db, err))
        return FALSE;
    gboolean ok = TRUE;
    if (renameat(s->fd, w->path, s->fd, path) < 0)
        ok = error_set_errno(err, errno, "moving a finished blob into %s/blobs", s->root);
    /* If writing the row fails, the file stays: it is correct, unreferenced, and another process
     * may use it. */
    ok = ok &&
         db_exec(s->db, err, "INSERT OR REPLACE INTO blobs(digest, size, created) VALUES(?,?,?)",
                 "dii", d, w->size, now_seconds());
    return db_end(s->db, ok, ok ? err : NULL);
}

gboolean blob_writer_commit(struct blob_writer *w, const struct digest *expected,
                            struct digest *out, GError **err)
{
    struct digest d;
    hasher_final(w->hasher, &d);
    gboolean ok = TRUE;
    if (expected && digest_cmp(expected, &d) != 0) {
        g_autofree char *want = digest_text(expected), *got = digest_text(&d);
        ok = error_set(err, VARVE_ERROR_INVALID, "the content has digest %s, expected %s", got,
                       want);
    }
    ok = ok && insert_blob(w, &d, err);
    if (out)
        *out = d;
    if (!ok)
        unlinkat(w->store->fd, w->path, 0);
    writer_free(w);
    return ok;
}

void blob_writer_abort(struct blob_writer *w, gboolean keep)
{
    if (!w)
        return;
    if (!keep || !w->partial || w->size == 0)
        unlinkat(w->store->fd, w->path, 0);
    writer_free(w);
}
