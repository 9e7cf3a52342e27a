/* OCI layouts (image-spec "image-layout") and docker-archives. One shape serves both: a layout
 * whose manifest.json points into blobs/sha256, as docker save makes it since version 25. */
#include "output/exporters.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/libarchive.h"
#include "base/work.h"
#include "image/config.h"
#include "image/jsonout.h"
#include "store/blob.h"
#include "text/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_JSON (4 << 20)

/* Where members go: a tar, or a directory. */
struct target {
    const struct libarchive *lib; /* when tar is not NULL */
    struct archive *tar;          /* or NULL */
    int dir;                      /* when tar is NULL */
    gint64 mtime;                 /* seconds, of members */
    guint64 written;
};

/* The images of one archive. */
struct writing {
    const struct archived *images;
    guint n;
    GPtrArray *manifests; /* struct manifest*, that of imageset_main() of each */
};

static gboolean tar_failed(const struct target *t, GError **err)
{
    int e = t->lib->error_number(t->tar);
    if (e > 0)
        return error_set_errno(err, e, "cannot write the archive");
    return error_set(err, VARVE_ERROR_FAILED, "cannot write the archive: %s",
                     t->lib->error_string(t->tar));
}

static gboolean put_header(struct target *t, const char *name, guint64 size, gboolean dir,
                           GError **err)
{
    struct archive_entry *e = t->lib->entry_new();
    t->lib->entry_set_pathname(e, name);
    t->lib->entry_set_filetype(e, dir ? AE_IFDIR : AE_IFREG);
    t->lib->entry_set_perm(e, dir ? 0755 : 0644);
    t->lib->entry_set_size(e, size);
    t->lib->entry_set_mtime(e, t->mtime, 0);
    gboolean ok = t->lib->write_header(t->tar, e) == ARCHIVE_OK || tar_failed(t, err);
    t->lib->entry_free(e);
    t->written += size;
    return ok;
}

static gboolean put_dir(struct target *t, const char *name, GError **err)
{
    return t->tar ? put_header(t, name, 0, TRUE, err) : fs_mkdir_p(t->dir, name, 0755, err);
}

static gboolean put_bytes(struct target *t, const char *name, const void *bytes, gsize len,
                          GError **err)
{
    if (!t->tar) {
        t->written += len;
        return fs_replace(t->dir, name, bytes, len, 0644, err);
    }
    return put_header(t, name, len, FALSE, err) &&
           (t->lib->write_data(t->tar, bytes, len) == (la_ssize_t)len || tar_failed(t, err));
}

/* Copies fd into the tar, or (with none) into out; FALSE when its content is not want's. */
static gboolean copy_checked(struct target *t, int fd, int out, const struct digest *want,
                             GError **err)
{
    g_autofree char *buf = g_malloc(256 * 1024);
    g_autoptr(hasher) h = hasher_new();
    g_autofree char *text = digest_text(want);
    struct digest got;
    ssize_t n;
    while ((n = read(fd, buf, 256 * 1024)) > 0) {
        if (!work_check(err))
            return FALSE;
        hasher_update(h, buf, n);
        if (t->tar && t->lib->write_data(t->tar, buf, n) != n)
            return tar_failed(t, err);
        if (!t->tar && !fs_write_all(out, buf, n, err))
            return FALSE;
    }
    if (n < 0)
        return error_set_errno(err, errno, "cannot read the blob %s", text);
    hasher_final(h, &got);
    if (digest_cmp(&got, want) == 0)
        return TRUE;
    error_set(err, VARVE_ERROR_INVALID, "the blob %s of the store is damaged", text);
    error_add_next(err, "run varve fsck --repair, then pull or build again");
    return FALSE;
}

/* Complete or absent: written beside and renamed. */
static gboolean copy_into_dir(struct target *t, int fd, const char *name, const struct digest *d,
                              GError **err)
{
    g_autofree char *tmp = NULL;
    fd_auto int out = fs_create_beside(t->dir, name, 0644, &tmp, err);
    if (out < 0)
        return FALSE;
    if (!copy_checked(t, fd, out, d, err)) {
        unlinkat(t->dir, tmp, 0);
        return FALSE;
    }
    return renameat(t->dir, tmp, t->dir, name) == 0 ||
           error_set_errno(err, errno, "cannot rename %s", tmp);
}

/* An earlier export to the same directory left the blob, and it is whole. */
static gboolean export_has_blob(const struct target *t, const char *name, const struct digest *d,
                                guint64 size)
{
    struct digest got;
    struct stat st;
    fd_auto int fd = openat(t->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (guint64)st.st_size == size &&
           digest_of_fd(&got, fd, "a blob", NULL, NULL) && digest_cmp(&got, d) == 0;
}

static gboolean put_blob(struct target *t, struct store *s, const struct digest *d,
                         GHashTable *done, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    guint64 size;
    if (g_hash_table_contains(done, d))
        return TRUE;
    g_hash_table_add(done, g_memdup2(d, sizeof *d));
    g_autofree char *name = g_strconcat("blobs/sha256/", digest_hex(d, hex), NULL);
    gboolean has;
    if (!store_blob_look(s, d, &has, &size, err))
        return FALSE;
    if (!has)
        return error_set(err, VARVE_ERROR_FAILED, "the blob sha256:%s vanished from the store",
                         hex);
    if (!t->tar && export_has_blob(t, name, d, size))
        return TRUE;
    fd_auto int fd = store_blob_open(s, d, err);
    if (fd < 0)
        return FALSE;
    if (!t->tar) {
        t->written += size;
        return copy_into_dir(t, fd, name, d, err);
    }
    return put_header(t, name, size, FALSE, err) && copy_checked(t, fd, -1, d, err);
}

static gboolean put_blobs(struct target *t, struct built_image *b, const struct manifest *m,
                          GHashTable *done, GError **err)
{
    for (guint i = 0; i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (!put_blob(t, b->store, &d->digest, done, err))
            return FALSE;
    }
    return put_blob(t, b->store, &b->config, done, err) &&
           put_blob(t, b->store, &b->manifest, done, err);
}

static gint compare_strings(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static void annotate(struct descriptor *d, const char *key, const char *value)
{
    if (value)
        g_tree_insert(d->annotations, g_strdup(key), g_strdup(value));
}

/* What an archive's index.json says of a set, but for its names. */
static struct descriptor *describe_set(const struct archived *a, const struct manifest *m)
{
    const struct built_image *b = imageset_at(a->set, 0);
    struct descriptor *d = g_new0(struct descriptor, 1);
    gboolean index = a->set->is_index;
    d->digest = *imageset_target(a->set);
    d->media_type = g_strdup(!index               ? m->media_type
                             : a->set->index_type ? a->set->index_type
                                                  : MEDIA_OCI_INDEX);
    d->size = index ? a->set->index_size : b->manifest_size;
    d->annotations = annotations_of(
        a->annotations, index ? ANNOTATED_INDEX_DESCRIPTOR : ANNOTATED_MANIFEST_DESCRIPTOR,
        &b->conf->platform);
    if (!d->annotations)
        d->annotations = g_tree_new_full(compare_strings, NULL, g_free, g_free);
    d->has_platform = !index;
    d->platform = b->conf->platform;
    return d;
}

/* The same under name (canonical or NULL), found by tag (or NULL). */
static struct descriptor *describe_archived(const struct archived *a, const struct manifest *m,
                                            const char *name, const char *tag)
{
    struct descriptor *d = describe_set(a, m);
    annotate(d, ANNOTATION_IMAGE_NAME, name);
    annotate(d, "org.opencontainers.image.created", imageset_at(a->set, 0)->conf->created);
    annotate(d, ANNOTATION_REF_NAME, tag);
    return d;
}

static void write_descriptor(struct jsonout *j, const struct descriptor *d)
{
    g_autofree char *digest = digest_text(&d->digest);
    jsonout_open(j, NULL, '{');
    jsonout_str(j, "mediaType", d->media_type);
    jsonout_str(j, "digest", digest);
    jsonout_int(j, "size", d->size);
    jsonout_opt_map(j, "annotations", d->annotations, FALSE);
    if (d->has_platform) {
        jsonout_open(j, "platform", '{');
        jsonout_str(j, "architecture", d->platform.arch);
        jsonout_str(j, "os", d->platform.os);
        jsonout_opt_str(j, "variant", d->platform.variant);
        jsonout_close(j, '}');
    }
    jsonout_close(j, '}');
}

static const char *tag_of(const struct descriptor *d)
{
    return d->annotations ? g_tree_lookup(d->annotations, ANNOTATION_REF_NAME) : NULL;
}

static gboolean has_tag(const GPtrArray *items, const char *tag)
{
    for (guint i = 0; i < items->len; i++)
        if (g_strcmp0(tag_of(g_ptr_array_index(items, i)), tag) == 0)
            return TRUE;
    return FALSE;
}

/* The images of other tags that earlier exports put into the same layout stay in it. What cannot be
 * read is no layout's index, and is replaced. */
static void keep_others(const struct target *t, GPtrArray *items)
{
    g_autoptr(GBytes) old = fs_read(t->dir, "index.json", MAX_JSON, NULL);
    g_autoptr(manifest) index = old ? manifest_parse(g_bytes_get_data(old, NULL),
                                                     g_bytes_get_size(old), MEDIA_OCI_INDEX, NULL)
                                    : NULL;
    guint at = 0;
    for (guint i = 0; index && index->is_index && i < index->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(index->items, i);
        if (tag_of(d) && !has_tag(items, tag_of(d)))
            g_ptr_array_insert(items, at++, descriptor_copy(d));
    }
}

static void add_items(GPtrArray *items, const struct archived *a, const struct manifest *m,
                      const char *unnamed)
{
    for (guint i = 0; a->names && a->names[i]; i++) {
        g_autoptr(reference) ref = reference_parse(a->names[i], NULL);
        g_ptr_array_add(items, describe_archived(a, m, a->names[i], ref ? ref->tag : NULL));
    }
    if (!a->names || !a->names[0])
        g_ptr_array_add(items, describe_archived(a, m, NULL, unnamed));
}

static gboolean put_index(struct target *t, const struct writing *w, gboolean docker, GError **err)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    for (guint i = 0; i < w->n; i++)
        add_items(items, &w->images[i], g_ptr_array_index(w->manifests, i),
                  t->tar ? NULL : "latest");
    if (!t->tar && !docker)
        keep_others(t, items);
    struct jsonout j;
    jsonout_init(&j, 0);
    jsonout_open(&j, NULL, '{');
    jsonout_int(&j, "schemaVersion", 2);
    jsonout_str(&j, "mediaType", MEDIA_OCI_INDEX);
    jsonout_open(&j, "manifests", '[');
    for (guint i = 0; i < items->len; i++)
        write_descriptor(&j, g_ptr_array_index(items, i));
    jsonout_close(&j, ']');
    jsonout_close(&j, '}');
    g_autoptr(GBytes) json = jsonout_finish(&j);
    return put_bytes(t, "index.json", g_bytes_get_data(json, NULL), g_bytes_get_size(json), err);
}

static void write_blob_path(struct jsonout *j, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *path = g_strconcat("blobs/sha256/", digest_hex(d, hex), NULL);
    jsonout_str(j, key, path);
}

static void write_docker_item(struct jsonout *j, const struct archived *a, const struct manifest *m)
{
    jsonout_open(j, NULL, '{');
    write_blob_path(j, "Config", &imageset_main(a->set)->config);
    jsonout_open(j, "RepoTags", '[');
    for (guint i = 0; a->names && a->names[i]; i++) {
        g_autoptr(reference) ref = reference_parse(a->names[i], NULL);
        g_autofree char *familiar = ref ? reference_familiar(ref) : NULL;
        if (familiar)
            jsonout_str(j, NULL, familiar);
    }
    jsonout_close(j, ']');
    jsonout_open(j, "Layers", '[');
    for (guint i = 0; i < m->items->len; i++)
        write_blob_path(j, NULL, &((struct descriptor *)g_ptr_array_index(m->items, i))->digest);
    jsonout_close(j, ']');
    jsonout_close(j, '}');
}

static gboolean put_docker_manifest(struct target *t, const struct writing *w, GError **err)
{
    struct jsonout j;
    jsonout_init(&j, 0);
    jsonout_open(&j, NULL, '[');
    for (guint i = 0; i < w->n; i++)
        write_docker_item(&j, &w->images[i], g_ptr_array_index(w->manifests, i));
    jsonout_close(&j, ']');
    g_autoptr(GBytes) json = jsonout_finish(&j);
    return put_bytes(t, "manifest.json", g_bytes_get_data(json, NULL), g_bytes_get_size(json), err);
}

/* Puts the blobs of one image; returns its manifest. */
static struct manifest *put_image(struct target *t, struct built_image *b, GHashTable *done,
                                  GError **err)
{
    g_autoptr(manifest) m = manifest_load(b->store, &b->manifest, err);
    return m && put_blobs(t, b, m, done, err) ? g_steal_pointer(&m) : NULL;
}

static gboolean put_set(struct target *t, struct writing *w, const struct imageset *set,
                        GHashTable *done, GError **err)
{
    for (guint i = 0; i < set->images->len; i++) {
        struct built_image *b = imageset_at(set, i);
        struct manifest *m = put_image(t, b, done, err);
        if (!m)
            return FALSE;
        if (b == imageset_main(set))
            g_ptr_array_add(w->manifests, m);
        else
            manifest_free(m);
    }
    return !set->is_index || put_blob(t, set->store, &set->index, done, err);
}

/* Blobs of all images, each once. */
static gboolean put_images(struct target *t, struct writing *w, GError **err)
{
    g_autoptr(GHashTable) done = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    for (guint i = 0; i < w->n; i++)
        if (!put_set(t, w, w->images[i].set, done, err))
            return FALSE;
    return TRUE;
}

static gboolean put_archived_images(struct target *t, const struct archived *images, guint n,
                                    gboolean docker, GError **err)
{
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    g_autoptr(GPtrArray) manifests = g_ptr_array_new_with_free_func((GDestroyNotify)manifest_free);
    struct writing w = {images, n, manifests};
    t->mtime = MAX(imageset_at(images[0].set, 0)->epoch, 0);
    return put_dir(t, "blobs", err) && put_dir(t, "blobs/sha256", err) && put_images(t, &w, err) &&
           put_bytes(t, "oci-layout", layout, strlen(layout), err) &&
           put_index(t, &w, docker, err) && (!docker || put_docker_manifest(t, &w, err));
}

gboolean archive_write(const struct archived *images, guint n, gboolean docker, int fd,
                       guint64 *written, GError **err)
{
    const struct libarchive *lib = libarchive_load(err);
    if (!lib)
        return FALSE;
    struct target t = {.lib = lib, .tar = lib->write_new()};
    lib->write_set_format_ustar(t.tar);
    lib->write_set_bytes_per_block(t.tar, 256 * 1024);
    lib->write_set_bytes_in_last_block(t.tar, 512);
    gboolean ok = lib->write_open_fd(t.tar, fd) == ARCHIVE_OK || tar_failed(&t, err);
    ok = ok && put_archived_images(&t, images, n, docker, err);
    if (lib->write_close(t.tar) != ARCHIVE_OK && ok)
        ok = tar_failed(&t, err);
    lib->write_free(t.tar);
    *written += t.written;
    return ok;
}

gboolean archive_write_dir(const struct archived *image, gboolean docker, const char *dir,
                           guint64 *written, GError **err)
{
    if (!fs_mkdir_p(AT_FDCWD, dir, 0755, err))
        return FALSE;
    fd_auto int fd = fs_open_dir(AT_FDCWD, dir, err);
    struct target t = {.dir = fd};
    gboolean ok = fd >= 0 && put_archived_images(&t, image, 1, docker, err);
    *written += t.written;
    return ok;
}
