/* Caches in a directory: an OCI layout (image-spec "Image Layout") whose index.json has an entry
 * for each segment, a manifest as in a registry (cache/registry.c), annotated with the tag that it
 * is of. index.json is replaced under a lock, so any number of writers may share the directory. */
#include "cache/backend.h"
#include "cache/localclaim.h"
#include "cache/segment.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define INDEX_MAX (16 * 1024 * 1024)
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define BUFFER (256 * 1024)
#define MAX_DEPTH 4 /* of indexes in indexes */
#define LEFTOVER_AGE                                                                               \
    (24 * 60 * 60) /* seconds after which nobody writes a temporary file any more */

struct local_cache {
    struct cache_backend base; /* first */
    struct store *store;
    struct cancel *cancel;
    char *path, *tag;
    char *digest; /* the only segment that counts; or NULL */
    gboolean writing;
};

static struct local_cache *self_of(struct cache_backend *b)
{
    return (struct local_cache *)b;
}

/* Nothing is written, or removed, where a link in the directory leads. */
static gboolean check_links(const struct local_cache *c, int fd, GError **err)
{
    static const char *const names[] = {"blobs", "blobs/sha256"};
    struct stat st;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
            return error_set(err, VARVE_ERROR_INVALID,
                             "%s/%s is a symbolic link, which a cache "
                             "cannot have",
                             c->path, names[i]);
    return TRUE;
}

/* The directory; -1 with *err, or without one when it does not exist and is only read. */
static int open_layout(struct local_cache *c, GError **err)
{
    if (c->writing && !fs_mkdir_p(AT_FDCWD, c->path, 0755, err))
        return -1;
    fd_auto int fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !c->writing)
        return -1;
    if (fd < 0)
        error_set_errno(err, errno, "opening the cache's directory %s", c->path);
    return fd < 0 || (c->writing && !check_links(c, fd, err)) ? -1 : fd_steal(&fd);
}

static char *blob_name(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strconcat("blobs/sha256/", digest_hex(d, hex), NULL);
}

/* Its index.json, an empty one where there is none. */
static struct manifest *read_index(int fd, GError **err)
{
    if (faccessat(fd, "index.json", F_OK, 0) < 0 && errno == ENOENT)
        return manifest_new(MEDIA_OCI_INDEX);
    g_autoptr(GBytes) bytes = fs_read(fd, "index.json", INDEX_MAX, err);
    struct manifest *m = bytes ? manifest_parse(g_bytes_get_data(bytes, NULL),
                                                g_bytes_get_size(bytes), MEDIA_OCI_INDEX, err)
                               : NULL;
    if (!m || m->is_index)
        return m;
    error_set(err, VARVE_ERROR_INVALID, "its index.json is no index");
    manifest_free(m);
    return NULL;
}

static const char *annotation(const struct descriptor *d, const char *name)
{
    return d->annotations ? g_tree_lookup(d->annotations, name) : NULL;
}

#define ANNOTATION_SEGMENT "varve.cache.segment" /* the tag that it is of */

static gboolean is_segment(const struct local_cache *c, const struct descriptor *d)
{
    g_autofree char *digest = c->digest ? digest_text(&d->digest) : NULL;
    if (digest)
        return annotation(d, ANNOTATION_SEGMENT) && strcmp(digest, c->digest) == 0;
    return g_strcmp0(annotation(d, ANNOTATION_SEGMENT), c->tag) == 0;
}

/* A document of the layout, checked; NULL without error when it is not there. */
static GBytes *read_document(int fd, const struct digest *d, gsize max, GError **err)
{
    struct digest is;
    g_autofree char *name = blob_name(d);
    if (faccessat(fd, name, F_OK, 0) < 0 && errno == ENOENT)
        return NULL;
    g_autoptr(GBytes) bytes = fs_read(fd, name, max, err);
    if (!bytes)
        return NULL;
    digest_of_bytes(&is, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    if (digest_cmp(&is, d) == 0)
        return g_steal_pointer(&bytes);
    error_set(err, VARVE_ERROR_INVALID, "its file %s is damaged", name);
    return NULL;
}

static gboolean is_buildkit(int fd, const struct descriptor *d)
{
    g_autoptr(GBytes) bytes = read_document(fd, &d->digest, INDEX_MAX, NULL);
    g_autoptr(manifest) m = bytes ? manifest_parse(g_bytes_get_data(bytes, NULL),
                                                   g_bytes_get_size(bytes), d->media_type, NULL)
                                  : NULL;
    return m && cache_is_buildkit(m);
}

/* Its index.json, an empty one where there is no directory; *fd is that. NULL on error. */
static struct manifest *open_index(struct local_cache *c, int *fd, GError **err)
{
    GError *why = NULL;
    *fd = open_layout(c, &why);
    if (*fd >= 0)
        return read_index(*fd, err);
    if (!why)
        return manifest_new(MEDIA_OCI_INDEX);
    g_propagate_error(err, why);
    return NULL;
}

static void add_segment(GPtrArray *list, const struct descriptor *d)
{
    struct cache_listed *l = g_new0(struct cache_listed, 1);
    l->name = digest_text(&d->digest);
    g_ptr_array_add(list, l);
}

static GPtrArray *local_list(struct cache_backend *b, char **foreign, GError **err)
{
    struct local_cache *c = self_of(b);
    fd_auto int fd = -1;
    g_autoptr(manifest) m = open_index(c, &fd, err);
    if (!m)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)cache_listed_free);
    for (guint i = 0; i < m->items->len && list->len < CACHE_SEGMENTS_MAX; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (is_segment(c, d))
            add_segment(list, d);
        else if (foreign && !*foreign && is_buildkit(fd, d))
            *foreign = g_strdup("BuildKit's cache");
    }
    return list;
}

/* Other tags of the directory. */
static GPtrArray *local_others(struct cache_backend *b, GError **err)
{
    struct local_cache *c = self_of(b);
    fd_auto int fd = -1;
    g_autoptr(manifest) m = open_index(c, &fd, err);
    if (!m)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)cache_listed_free);
    for (guint i = 0; i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (annotation(d, ANNOTATION_SEGMENT) && !is_segment(c, d))
            add_segment(list, d);
    }
    return list;
}

static GBytes *gone(const char *what, GError **err)
{
    error_set(err, VARVE_ERROR_NOT_FOUND, "%s is gone", what);
    return NULL;
}

static GBytes *read_segment(int fd, const struct manifest *m, const char *name, GError **err)
{
    GError *why = NULL;
    if (m->is_index || g_strcmp0(m->config.media_type, CACHE_SEGMENT_TYPE) != 0) {
        error_set(err, VARVE_ERROR_INVALID, "%s is no segment of a cache", name);
        return NULL;
    }
    GBytes *bytes = read_document(fd, &m->config.digest, CACHE_SEGMENT_MAX, &why);
    if (why)
        g_propagate_error(err, why);
    return bytes || why ? bytes : gone(name, err);
}

static GBytes *local_segment(struct cache_backend *b, const struct cache_listed *l, GError **err)
{
    struct digest d;
    GError *why = NULL;
    fd_auto int fd = open_layout(self_of(b), &why);
    g_autoptr(GBytes) bytes =
        fd >= 0 && digest_parse(&d, l->name, &why) ? read_document(fd, &d, INDEX_MAX, &why) : NULL;
    if (!bytes && !why)
        return gone(l->name, err);
    g_autoptr(manifest) m =
        bytes ? manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, &why)
              : NULL;
    if (!m) {
        g_propagate_error(err, why);
        return NULL;
    }
    return read_segment(fd, m, l->name, err);
}

static gboolean local_has(struct cache_backend *b, const struct descriptor *d, gboolean *there,
                          GError **err)
{
    GError *why = NULL;
    struct stat st;
    fd_auto int fd = open_layout(self_of(b), &why);
    g_autofree char *name = blob_name(&d->digest);
    *there = FALSE;
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (fd < 0)
        return TRUE;
    if (fstatat(fd, name, &st, 0) == 0)
        *there = (guint64)st.st_size == d->size;
    else if (errno != ENOENT)
        return error_set_errno(err, errno, "looking for %s", name);
    if (*there) /* for whoever prunes meanwhile */
        utimensat(fd, name, NULL, 0);
    return TRUE;
}

/* Copies n bytes of in; each part to to, and to tap. */
static gboolean copy_blob(struct local_cache *c, int in, const struct descriptor *d,
                          struct blob_writer *w, struct blob_tap *tap, GError **err)
{
    g_autofree guint8 *buf = g_malloc(BUFFER);
    ssize_t n;
    for (guint64 at = 0; (n = io_read(in, buf, BUFFER)) > 0; at += (guint64)n) {
        if (at + (guint64)n > d->size)
            return error_set(err, VARVE_ERROR_INVALID, "it is longer than it should be");
        if (!cancel_check(c->cancel, err) || !blob_writer_write(w, buf, (gsize)n, err))
            return FALSE;
        if (tap)
            tap->bytes(tap, at, buf, (gsize)n);
    }
    return n == 0 || error_set_errno(err, errno, "reading it");
}

/* -1 with *err, which does not name it. O_NONBLOCK: a fifo must not make us wait for a writer. */
static int open_blob(int dir, const char *name, GError **err)
{
    struct stat st;
    fd_auto int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        error_set(err, errno == ENOENT ? VARVE_ERROR_NOT_FOUND : VARVE_ERROR_OUTSIDE, "%s",
                  g_strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd_steal(&fd);
    error_set(err, VARVE_ERROR_INVALID, "it is no regular file");
    return -1;
}

static gboolean local_fetch(struct cache_backend *b, const struct descriptor *d,
                            struct blob_tap *tap, GError **err)
{
    struct local_cache *c = self_of(b);
    GError *why = NULL;
    if (store_blob_has(c->store, &d->digest, NULL))
        return TRUE;
    fd_auto int dir = open_layout(c, &why);
    g_autofree char *name = blob_name(&d->digest);
    fd_auto int fd = dir >= 0 ? open_blob(dir, name, &why) : -1;
    if (fd < 0 && !why)
        return error_set(err, VARVE_ERROR_NOT_FOUND, "%s is gone", c->path);
    struct blob_writer *w = fd >= 0 ? blob_writer_new(c->store, &why) : NULL;
    if (!w || !copy_blob(c, fd, d, w, tap, &why)) {
        blob_writer_abort(w, FALSE);
        g_propagate_prefixed_error(err, why, "%s/%s: ", c->path, name);
        return FALSE;
    }
    return blob_writer_commit(w, &d->digest, NULL, err);
}

/* Writes name whole or not at all. */
static gboolean place(int dir, const char *name, int from, const void *bytes, gsize len,
                      GError **err)
{
    g_autofree char *tmp = NULL;
    fd_auto int fd = fs_create_beside(dir, name, 0644, &tmp, err);
    gboolean ok = fd >= 0 &&
                  (from >= 0 ? fs_copy_fd(from, fd, name, err) : fs_write_all(fd, bytes, len, err));
    if (ok && renameat(dir, tmp, dir, name) < 0)
        ok = error_set_errno(err, errno, "putting %s in place", name);
    if (!ok && tmp)
        unlinkat(dir, tmp, 0);
    return ok;
}

static gboolean local_put(struct cache_backend *b, const struct descriptor *d, guint64 *sent,
                          GError **err)
{
    struct local_cache *c = self_of(b);
    gboolean there;
    if (sent)
        *sent = 0;
    if (!local_has(b, d, &there, err) || there)
        return there;
    fd_auto int dir = open_layout(c, err);
    fd_auto int blob = dir >= 0 ? store_blob_open(c->store, &d->digest, err) : -1;
    g_autofree char *name = blob_name(&d->digest);
    if (blob < 0 || !fs_mkdir_p(dir, "blobs/sha256", 0755, err) ||
        !place(dir, name, blob, NULL, 0, err))
        return FALSE;
    if (sent)
        *sent = d->size;
    return TRUE;
}

/* Of a writer that was killed: place() leaves names like these. */
static gboolean sweep_dir(int dir, gint64 before, gboolean dry_run, guint *n, guint64 *bytes,
                          GError **err)
{
    g_autoptr(GPtrArray) names = fs_list(dir, err);
    for (guint i = 0; names && i < names->len; i++) {
        struct stat st;
        const char *name = g_ptr_array_index(names, i);
        if (!g_str_has_suffix(name, ".tmp") || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || st.st_mtime >= before)
            continue;
        if (!dry_run && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
            return error_set_errno(err, errno, "removing %s", name);
        *n += 1;
        *bytes += (guint64)st.st_size;
    }
    return names != NULL;
}

/* Removes what is so old that nobody writes it any more. */
static void remove_leftovers(int dir)
{
    guint n = 0;
    guint64 bytes = 0;
    fd_auto int blobs = fs_open_dir(dir, "blobs/sha256", NULL);
    if (blobs >= 0)
        sweep_dir(blobs, g_get_real_time() / G_USEC_PER_SEC - LEFTOVER_AGE, FALSE, &n, &bytes,
                  NULL);
}

/* The lock of whoever changes index.json; released by closing it. */
static int lock_index(int dir, GError **err)
{
    int fd = openat(dir, "varve.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    error_set_errno(err, errno, "locking the cache's index.json");
    if (fd >= 0)
        close(fd);
    return -1;
}

static gboolean write_index(int dir, const struct manifest *m, GError **err)
{
    g_autoptr(GBytes) bytes = manifest_write(m);
    gsize len;
    const void *json = g_bytes_get_data(bytes, &len);
    return place(dir, "oci-layout", -1, LAYOUT, strlen(LAYOUT), err) &&
           place(dir, "index.json", -1, json, len, err);
}

static gint compare_keys(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static gboolean add_entry(struct local_cache *c, int dir, const struct digest *d, gsize size,
                          GError **err)
{
    fd_auto int lock = lock_index(dir, err);
    g_autoptr(manifest) m = lock >= 0 ? read_index(dir, err) : NULL;
    if (!m)
        return FALSE;
    struct descriptor *entry = g_new0(struct descriptor, 1);
    entry->media_type = g_strdup(MEDIA_OCI_MANIFEST);
    entry->digest = *d;
    entry->size = size;
    entry->annotations = g_tree_new_full(compare_keys, NULL, g_free, g_free);
    g_tree_insert(entry->annotations, g_strdup(ANNOTATION_SEGMENT), g_strdup(c->tag));
    g_ptr_array_add(m->items, entry);
    return write_index(dir, m, err);
}

static gboolean place_bytes(int dir, const void *bytes, gsize len, struct digest *out, GError **err)
{
    digest_of_bytes(out, bytes, len);
    g_autofree char *name = blob_name(out);
    return place(dir, name, -1, bytes, len, err);
}

static gboolean local_publish(struct cache_backend *b, GBytes *segment, const GPtrArray *blobs,
                              GError **err)
{
    struct local_cache *c = self_of(b);
    g_autoptr(manifest) m = manifest_new(MEDIA_OCI_MANIFEST);
    fd_auto int dir = open_layout(c, err);
    gsize len;
    const void *bytes = g_bytes_get_data(segment, &len);
    if (dir < 0 || !fs_mkdir_p(dir, "blobs/sha256", 0755, err) ||
        !place_bytes(dir, bytes, len, &m->config.digest, err))
        return FALSE;
    m->config.media_type = g_strdup(CACHE_SEGMENT_TYPE);
    m->config.size = len;
    for (guint i = 0; i < blobs->len; i++)
        g_ptr_array_add(m->items, descriptor_copy(g_ptr_array_index(blobs, i)));
    g_autoptr(GBytes) json = manifest_write(m);
    struct digest d;
    const void *text = g_bytes_get_data(json, &len);
    if (!place_bytes(dir, text, len, &d, err) || !add_entry(c, dir, &d, len, err))
        return FALSE;
    remove_leftovers(dir);
    return TRUE;
}

static gboolean is_among(const GPtrArray *segments, const struct digest *d)
{
    g_autofree char *name = digest_text(d);
    for (guint i = 0; i < segments->len; i++)
        if (strcmp(((const struct cache_listed *)g_ptr_array_index(segments, i))->name, name) == 0)
            return TRUE;
    return FALSE;
}

static void remove_document(int dir, const struct digest *d)
{
    g_autofree char *name = blob_name(d);
    g_autoptr(GBytes) bytes = read_document(dir, d, INDEX_MAX, NULL);
    g_autoptr(manifest) m =
        bytes ? manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, NULL)
              : NULL;
    g_autofree char *config = m && !m->is_index ? blob_name(&m->config.digest) : NULL;
    if (config)
        unlinkat(dir, config, 0);
    unlinkat(dir, name, 0);
}

static gboolean local_retire(struct cache_backend *b, const GPtrArray *segments, GError **err)
{
    struct local_cache *c = self_of(b);
    fd_auto int dir = open_layout(c, err);
    fd_auto int lock = dir >= 0 ? lock_index(dir, err) : -1;
    g_autoptr(manifest) m = lock >= 0 ? read_index(dir, err) : NULL;
    g_autoptr(GArray) removed = g_array_new(FALSE, FALSE, sizeof(struct digest));
    if (!m)
        return FALSE;
    for (guint i = m->items->len; i-- > 0;) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (!is_segment(c, d) || !is_among(segments, &d->digest))
            continue;
        g_array_append_val(removed, d->digest);
        g_ptr_array_remove_index(m->items, i);
    }
    if (removed->len > 0 && !write_index(dir, m, err))
        return FALSE;
    for (guint i = 0; i < removed->len; i++)
        remove_document(dir, &g_array_index(removed, struct digest, i));
    return TRUE;
}

static gboolean keep_named(int dir, const struct descriptor *d, gboolean ours, guint depth,
                           GHashTable *keep, GError **err);

/* What m names. Of our segments only the document: its layers are what may be pruned. */
static gboolean keep_children(int dir, const struct manifest *m, gboolean ours, guint depth,
                              GHashTable *keep, GError **err)
{
    if (!m->is_index)
        g_hash_table_add(keep, g_memdup2(&m->config.digest, sizeof m->config.digest));
    for (guint i = 0; !ours && i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (!m->is_index)
            g_hash_table_add(keep, g_memdup2(&d->digest, sizeof d->digest));
        else if (!keep_named(dir, d, FALSE, depth + 1, keep, err))
            return FALSE;
    }
    return TRUE;
}

/* Adds d, a manifest or index, and what it names. */
static gboolean keep_named(int dir, const struct descriptor *d, gboolean ours, guint depth,
                           GHashTable *keep, GError **err)
{
    GError *why = NULL;
    g_hash_table_add(keep, g_memdup2(&d->digest, sizeof d->digest));
    g_autoptr(GBytes) bytes = read_document(dir, &d->digest, INDEX_MAX, &why);
    if (!bytes && !why)
        return TRUE; /* it is gone, and names nothing */
    g_autoptr(manifest) m = bytes ? manifest_parse(g_bytes_get_data(bytes, NULL),
                                                   g_bytes_get_size(bytes), d->media_type, &why)
                                  : NULL;
    if (m && depth > MAX_DEPTH)
        error_set(&why, VARVE_ERROR_INVALID, "its indexes are nested too deeply");
    if (!why)
        return keep_children(dir, m, ours, depth, keep, err);
    g_propagate_error(err, why);
    return FALSE;
}

/* Digests of what index.json names and is no blob of a segment: documents, and all that belongs to
 * other programs. NULL on error. */
static GHashTable *kept_documents(int dir, GError **err)
{
    g_autoptr(manifest) m = read_index(dir, err);
    g_autoptr(GHashTable) keep = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    gboolean ok = m != NULL;
    for (guint i = 0; ok && i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        ok = keep_named(dir, d, annotation(d, ANNOTATION_SEGMENT) != NULL, 0, keep, err);
    }
    return ok ? g_steal_pointer(&keep) : NULL;
}

static void add_held(GArray *out, int blobs, const char *name, const GHashTable *documents)
{
    struct cache_held h = {.size = 0};
    struct stat st;
    if (!digest_parse_hex(&h.digest, name) ||
        g_hash_table_contains((GHashTable *)documents, &h.digest) ||
        fstatat(blobs, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    h.size = (guint64)st.st_size;
    h.written = st.st_mtime;
    g_array_append_val(out, h);
}

/* The directory of its blobs; -1 without error where there is none. */
static int open_blobs(int dir, GError **err)
{
    if (faccessat(dir, "blobs/sha256", F_OK, 0) < 0 && errno == ENOENT)
        return -1;
    return fs_open_dir(dir, "blobs/sha256", err);
}

/* The files first, then index.json: a segment that is published between is new, and stays. */
static GArray *local_held(struct cache_backend *b, GError **err)
{
    GError *why = NULL;
    g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(struct cache_held));
    fd_auto int dir = open_layout(self_of(b), &why);
    fd_auto int blobs = dir >= 0 ? open_blobs(dir, &why) : -1;
    if (blobs < 0 && !why)
        return g_steal_pointer(&out);
    g_autoptr(GPtrArray) names = blobs >= 0 ? fs_list(blobs, &why) : NULL;
    g_autoptr(GHashTable) documents = names ? kept_documents(dir, &why) : NULL;
    for (guint i = 0; documents && i < names->len; i++)
        add_held(out, blobs, g_ptr_array_index(names, i), documents);
    if (!why)
        return g_steal_pointer(&out);
    g_propagate_error(err, why);
    return NULL;
}

static gboolean local_sweep(struct cache_backend *b, gint64 before, gboolean dry_run, guint *n,
                            guint64 *bytes, GError **err)
{
    GError *why = NULL;
    fd_auto int dir = open_layout(self_of(b), &why);
    fd_auto int blobs = dir >= 0 ? open_blobs(dir, &why) : -1;
    if (blobs >= 0 && sweep_dir(blobs, before, dry_run, n, bytes, &why))
        sweep_dir(dir, before, dry_run, n, bytes, &why);
    if (why)
        g_propagate_error(err, why);
    return !why;
}

static gboolean local_remove(struct cache_backend *b, const struct digest *d, GError **err)
{
    fd_auto int dir = open_layout(self_of(b), err);
    g_autofree char *name = blob_name(d);
    return dir >= 0 && (unlinkat(dir, name, 0) == 0 || errno == ENOENT ||
                        error_set_errno(err, errno, "removing %s", name));
}

static GPtrArray *local_claims(struct cache_backend *b, GError **err)
{
    fd_auto int dir = open_layout(self_of(b), err);
    return dir < 0 ? NULL : localclaim_list(dir, self_of(b)->tag, err);
}

static GBytes *local_claim_get(struct cache_backend *b, const char *name, GError **err)
{
    fd_auto int dir = open_layout(self_of(b), err);
    return dir < 0 ? NULL : localclaim_get(dir, self_of(b)->tag, name, err);
}

static gboolean local_claim_put(struct cache_backend *b, const char *name, GBytes *bytes,
                                GError **err)
{
    fd_auto int dir = open_layout(self_of(b), err);
    return dir >= 0 && localclaim_put(dir, self_of(b)->tag, name, bytes, err);
}

static gboolean local_claim_remove(struct cache_backend *b, const char *name, GError **err)
{
    fd_auto int dir = open_layout(self_of(b), err);
    return dir >= 0 && localclaim_remove(dir, self_of(b)->tag, name, err);
}

static void local_free(struct cache_backend *b)
{
    struct local_cache *c = self_of(b);
    g_free(c->path);
    g_free(c->tag);
    g_free(c->digest);
    g_free(c);
}

struct cache_backend *cache_local_open(const struct cache_spec *spec, const struct cache_env *env,
                                       GError **err)
{
    gboolean writing = spec->use == CACHE_WRITE;
    const char *path = cache_spec_get(spec, writing ? "dest" : "src");
    const char *tag = cache_spec_get(spec, "tag");
    if (!path || !*path) {
        error_set(err, VARVE_ERROR_USAGE, "type=local needs %s=DIRECTORY",
                  writing ? "dest" : "src");
        return NULL;
    }
    struct local_cache *c = g_new0(struct local_cache, 1);
    c->base = (struct cache_backend){.label = spec->label,
                                     .list = local_list,
                                     .segment = local_segment,
                                     .has = local_has,
                                     .fetch = local_fetch,
                                     .put = local_put,
                                     .publish = local_publish,
                                     .retire = local_retire,
                                     .held = local_held,
                                     .remove = local_remove,
                                     .others = local_others,
                                     .sweep = local_sweep,
                                     .claims = local_claims,
                                     .claim_get = local_claim_get,
                                     .claim_put = local_claim_put,
                                     .claim_remove = local_claim_remove,
                                     .free = local_free};
    c->store = env->store;
    c->cancel = env->cancel;
    c->path = g_canonicalize_filename(path, NULL);
    c->tag = g_strdup(tag ? tag : "latest");
    c->digest = g_strdup(cache_spec_get(spec, "digest"));
    c->writing = writing;
    return &c->base;
}
