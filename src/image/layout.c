#include "image/layout.h"

#include "base/error.h"
#include "base/fs.h"
#include "image/archive.h"
#include "image/dockerarchive.h"
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_JSON (4 * 1024 * 1024)
#define MAX_NESTING 4
#define BUFFER (256 * 1024)
#define REF_NAME "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

/* A layout being read: a directory, or (dir -1) one whose blobs are in the store already. */
struct layout {
    struct store *store;
    const char *path; /* for messages */
    int dir;
};

static char *blob_path(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strconcat("blobs/sha256/", digest_hex(d, hex), NULL);
}

/* Reads a document and makes sure that it is in the store. */
static GBytes *take_json(struct layout *l, const struct digest *d, GError **err)
{
    if (l->dir < 0 || store_blob_has(l->store, d, NULL))
        return store_blob_read(l->store, d, MAX_JSON, err);
    g_autofree char *name = blob_path(d);
    g_autoptr(GBytes) bytes = fs_read(l->dir, name, MAX_JSON, err);
    struct digest got;
    if (!bytes)
        return NULL;
    digest_of_bytes(&got, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    if (digest_cmp(&got, d) != 0) {
        error_set(err, VARVE_ERROR_INVALID, "%s is damaged: its content does not have this digest",
                  name);
        return NULL;
    }
    if (!store_blob_put(l->store, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL,
                        err))
        return NULL;
    return g_steal_pointer(&bytes);
}

static struct manifest *take_manifest(struct layout *l, const struct digest *d, const char *type,
                                      GError **err)
{
    g_autoptr(GBytes) bytes = take_json(l, d, err);
    return bytes ? manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), type, err)
                 : NULL;
}

static gboolean is_called(const struct descriptor *d, const char *key, const char *ref)
{
    const char *name = d->annotations ? g_tree_lookup(d->annotations, key) : NULL;
    if (!name)
        return FALSE;
    const char *colon = strrchr(name, ':');
    return g_str_equal(name, ref) || (colon && !strchr(colon, '/') && g_str_equal(colon + 1, ref));
}

static const struct descriptor *find_name(const struct manifest *index, const char *ref)
{
    static const char *const keys[] = {REF_NAME, CONTAINERD_NAME};
    for (gsize k = 0; k < G_N_ELEMENTS(keys); k++)
        for (guint i = 0; i < index->items->len; i++)
            if (is_called(index->items->pdata[i], keys[k], ref))
                return index->items->pdata[i];
    return NULL;
}

/* What the layout holds, for messages: "a, b". */
static char *names_in(const struct manifest *index)
{
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < index->items->len; i++) {
        const struct descriptor *d = index->items->pdata[i];
        const char *name = d->annotations ? g_tree_lookup(d->annotations, REF_NAME) : NULL;
        if (name)
            g_string_append_printf(s, "%s%s", s->len ? ", " : "", name);
    }
    return g_string_free(s, FALSE);
}

/* The digest that ref names: by digest, by name, or the only or first image. */
static gboolean choose_top(const struct manifest *index, const char *ref, const struct platform *p,
                           struct digest *out, GError **err)
{
    const struct descriptor *d = NULL;
    if (ref && g_str_has_prefix(ref, "sha256:"))
        return digest_parse(out, ref, err);
    if (ref)
        d = find_name(index, ref);
    else if (index->items->len == 1)
        d = index->items->pdata[0];
    else if (!(d = find_name(index, "latest")) && !(d = manifest_choose(index, p)) &&
             index->items->len)
        d = index->items->pdata[0];
    if (d) {
        *out = d->digest;
        return TRUE;
    }
    g_autofree char *names = names_in(index);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "there is no image%s%s (it has: %s)",
                     ref ? " " : "", ref ? ref : "", *names ? names : "none with a name");
}

static gboolean choose_platform(const struct manifest *m, const struct platform *p,
                                struct digest *out, GError **err)
{
    const struct descriptor *d = manifest_choose(m, p);
    if (d) {
        *out = d->digest;
        return TRUE;
    }
    g_autofree char *want = platform_text(p), *have = manifest_platforms(m);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "it has no image for %s (it has: %s)", want,
                     *have ? have : "none");
}

/* From top through indexes to a manifest, whose config is taken as well. */
static gboolean descend(struct layout *l, const struct digest *top, const struct platform *p,
                        struct digest *manifest, struct manifest **out, GError **err)
{
    *manifest = *top;
    for (int i = 0; i < MAX_NESTING; i++) {
        g_autoptr(manifest) m = take_manifest(l, manifest, NULL, err);
        if (!m)
            return FALSE;
        if (m->is_index) {
            if (!choose_platform(m, p, manifest, err))
                return FALSE;
            continue;
        }
        g_autoptr(GBytes) config = take_json(l, &m->config.digest, err);
        if (!config)
            return FALSE;
        *out = g_steal_pointer(&m);
        return TRUE;
    }
    return error_set(err, VARVE_ERROR_INVALID, "its indexes are nested more than %d deep",
                     MAX_NESTING);
}

static gboolean resolve_in(struct layout *l, GBytes *index_json, const char *ref,
                           const struct platform *p, struct digest *manifest, struct digest *top,
                           struct manifest **out, GError **err)
{
    g_autoptr(manifest) index = manifest_parse(g_bytes_get_data(index_json, NULL),
                                               g_bytes_get_size(index_json), MEDIA_OCI_INDEX, err);
    return index && choose_top(index, ref, p, top, err) && descend(l, top, p, manifest, out, err);
}

static gboolean resolve_dir(struct layout *l, const char *ref, const struct platform *p,
                            struct digest *manifest, struct digest *top, struct manifest **out,
                            GError **err)
{
    g_autoptr(GBytes) index = fs_read(l->dir, "index.json", MAX_JSON, err);
    return index && resolve_in(l, index, ref, p, manifest, top, out, err);
}

static gboolean in_layout(const struct layout *l, gboolean ok, GError **err)
{
    if (!ok)
        g_prefix_error(err, "cannot read the image layout %s: ", l->path);
    return ok;
}

static gboolean import_dir(struct layout *l, const char *ref, const struct platform *p,
                           struct digest *manifest, struct digest *top, GError **err)
{
    g_autoptr(manifest) m = NULL;
    if (!resolve_dir(l, ref, p, manifest, top, &m, err))
        return FALSE;
    struct blob_source *src = layout_blob_source(l->store, l->path);
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < m->items->len; i++)
        ok = src->fetch(src, m->items->pdata[i], err);
    layout_blob_source_free(src);
    return ok;
}

static gboolean have_layers(struct layout *l, const struct manifest *m, GError **err)
{
    for (guint i = 0; i < m->items->len; i++) {
        const struct descriptor *d = m->items->pdata[i];
        g_autofree char *text = digest_text(&d->digest);
        if (!store_blob_has(l->store, &d->digest, NULL))
            return error_set(err, VARVE_ERROR_INVALID, "the archive lacks layer %s", text);
    }
    return TRUE;
}

static gboolean import_archive(struct layout *l, const char *ref, const struct platform *p,
                               struct digest *manifest, struct digest *top, GError **err)
{
    g_autoptr(image_archive) a = image_archive_read(l->store, l->path, err);
    g_autoptr(manifest) m = NULL;
    if (!a)
        return FALSE;
    GBytes *index = image_archive_small(a, "index.json");
    if (index)
        return in_layout(
            l, resolve_in(l, index, ref, p, manifest, top, &m, err) && have_layers(l, m, err), err);
    if (!in_layout(l, dockerarchive_convert(l->store, a, ref, manifest, err), err))
        return FALSE;
    *top = *manifest;
    return TRUE;
}

gboolean layout_import(struct store *s, const char *path, const char *ref, const struct platform *p,
                       struct digest *manifest, struct digest *top, GError **err)
{
    struct layout l = {.store = s, .path = path, .dir = -1};
    fd_auto int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno == ENOTDIR)
        return import_archive(&l, ref, p, manifest, top, err);
    if (dir < 0)
        return error_set_errno(err, errno, "cannot open the image layout %s", path);
    l.dir = dir;
    return in_layout(&l, import_dir(&l, ref, p, manifest, top, err), err);
}

gboolean layout_resolve(struct store *s, const char *path, const char *ref,
                        const struct platform *p, struct digest *manifest, GError **err)
{
    struct digest top;
    g_autoptr(manifest) m = NULL;
    fd_auto int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno == ENOTDIR)
        return error_set(
            err, VARVE_ERROR_UNSUPPORTED,
            "%s is a file, but an image layout is a directory (varve load reads archives)", path);
    if (dir < 0)
        return error_set_errno(err, errno, "cannot open the image layout %s", path);
    struct layout l = {.store = s, .path = path, .dir = dir};
    return in_layout(&l, resolve_dir(&l, ref, p, manifest, &top, &m, err), err);
}

/* Blobs out of a layout's directory. */
struct layout_source {
    struct blob_source base; /* first */
    struct store *store;
    char *path;
};

static gboolean copy_blob(struct blob_writer *w, const struct descriptor *d, int fd,
                          struct blob_tap *tap, GError **err)
{
    g_autofree guint8 *buf = g_malloc(BUFFER);
    for (guint64 at = 0;;) {
        ssize_t n = read(fd, buf, BUFFER);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read a blob of the layout");
        if (at + (guint64)n > d->size || (n == 0 && at < d->size))
            return error_set(err, VARVE_ERROR_INVALID,
                             "a blob of the layout does not have the %" G_GUINT64_FORMAT
                             " bytes that the manifest says",
                             d->size);
        if (n == 0)
            return TRUE;
        if (!blob_writer_write(w, buf, (gsize)n, err))
            return FALSE;
        if (tap)
            tap->bytes(tap, at, buf, (gsize)n);
        at += (guint64)n;
    }
}

static gboolean source_fetch_tapped(struct blob_source *self, const struct descriptor *d,
                                    struct blob_tap *tap, GError **err)
{
    struct layout_source *s = (struct layout_source *)self;
    if (store_blob_has(s->store, &d->digest, NULL))
        return TRUE;
    g_autofree char *name = blob_path(&d->digest);
    g_autofree char *path = g_build_filename(s->path, name, NULL);
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    struct blob_writer *w = blob_writer_new(s->store, err);
    if (!w)
        return FALSE;
    if (copy_blob(w, d, fd, tap, err))
        return blob_writer_commit(w, &d->digest, NULL, err);
    blob_writer_abort(w, FALSE);
    return FALSE;
}

static gboolean source_fetch(struct blob_source *self, const struct descriptor *d, GError **err)
{
    return source_fetch_tapped(self, d, NULL, err);
}

struct blob_source *layout_blob_source(struct store *s, const char *path)
{
    struct layout_source *l = g_new0(struct layout_source, 1);
    l->base.fetch = source_fetch;
    l->base.fetch_tapped = source_fetch_tapped;
    l->store = s;
    l->path = g_strdup(path);
    return &l->base;
}

void layout_blob_source_free(struct blob_source *b)
{
    struct layout_source *l = (struct layout_source *)b;
    if (!l)
        return;
    g_free(l->path);
    g_free(l);
}
