#include "image/layout.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/shellword.h"
#include "image/layoutread.h"
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (256 * 1024)

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
    static const char *const keys[] = {ANNOTATION_REF_NAME, ANNOTATION_IMAGE_NAME};
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
        const char *name =
            d->annotations ? g_tree_lookup(d->annotations, ANNOTATION_REF_NAME) : NULL;
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
                     ref ? " " : "", ref ? ref : "", *names ? names : "only images without a name");
}

static gboolean resolve_in(struct layout *l, const char *ref, const struct platform *p,
                           struct digest *manifest, GError **err)
{
    struct digest top;
    g_autoptr(manifest) index = layout_index(l, err), chosen = NULL;
    return index && choose_top(index, ref, p, &top, err) &&
           layout_descend(l, &top, p, manifest, &chosen, err);
}

gboolean layout_resolve(struct store *s, const char *path, const char *ref,
                        const struct platform *p, struct digest *manifest, GError **err)
{
    fd_auto int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno == ENOTDIR) {
        error_set(err, VARVE_ERROR_UNSUPPORTED, "%s is a file, but an image layout is a directory",
                  path);
        g_autofree char *word = shell_path(path);
        error_add_next(err, "varve load %s, then use the image's name", word);
        return FALSE;
    }
    if (dir < 0)
        return error_set_errno(err, errno, "cannot open the image layout %s", path);
    struct layout l = {.store = s, .path = path, .dir = dir};
    return layout_named(&l, resolve_in(&l, ref, p, manifest, err), err);
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
        ssize_t n = io_read(fd, buf, BUFFER);
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
    g_autofree char *name = layout_blob_path(&d->digest);
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
    l->base.once = TRUE;
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
