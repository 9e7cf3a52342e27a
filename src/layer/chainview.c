#include "layer/chainview.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/chainparts.h"
#include "layer/index.h"
#include "store/absent.h"
#include "tree/content.h"
#include "tree/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct chainview *chainview_new(struct store *s, const struct chain *c, struct cancel *stop,
                                GError **err)
{
    g_autoptr(chainview) v = g_new0(struct chainview, 1);
    v->store = s;
    v->chain = chain_copy(c);
    if (!store_chain_need(s, v->chain, NEED_TREE, err))
        return NULL;
    v->layers = g_new0(struct layer_index *, v->chain->n + 1);
    for (; v->n < v->chain->n; v->n++) {
        v->layers[v->n] = layer_index_open(s, v->chain->ids[v->n], stop, err);
        if (!v->layers[v->n])
            return NULL;
    }
    return g_steal_pointer(&v);
}

void chainview_free(struct chainview *v)
{
    if (!v)
        return;
    for (guint i = 0; i < v->n; i++)
        layer_index_unref(v->layers[i]);
    g_free(v->layers);
    chain_free(v->chain);
    g_free(v);
}

gboolean chain_layer_hides(const struct layer_index *x, const char *path)
{
    g_autofree char *above = g_strdup(path);
    for (char *slash; (slash = strrchr(above, '/')) || *above;) {
        *(slash ? slash : above) = '\0';
        gint64 i = layer_index_find(x, above);
        struct entry e;
        if (i < 0)
            continue;
        layer_index_at(x, i, &e);
        if (e.type != ENTRY_DIR || e.opaque)
            return TRUE;
    }
    return FALSE;
}

/* Number of the layer that path is seen in, with its entry; -1 when nothing is there. */
static int find_in_layers(struct chainview *v, const char *path, struct entry *out)
{
    for (guint k = v->n; k-- > 0;) {
        const struct layer_index *x = v->layers[k];
        if (layer_index_len(x) == 0)
            continue;
        gint64 i = layer_index_find(x, path);
        if (i >= 0) {
            layer_index_at(x, i, out);
            return out->type == ENTRY_WHITEOUT ? -1 : (int)k;
        }
        if (chain_layer_hides(x, path))
            return -1;
    }
    return -1;
}

gboolean chainview_lookup(struct chainview *v, const char *path, struct entry *out)
{
    if (find_in_layers(v, path, out) >= 0)
        return TRUE;
    if (*path)
        return FALSE;
    *out = (struct entry){.path = "", .type = ENTRY_DIR, .mode = 0755};
    return TRUE;
}

static gboolean chainview_lookup_at(gpointer v, const char *path, struct entry *out)
{
    return chainview_lookup(v, path, out);
}

char *chainview_resolve(struct chainview *v, const char *path, gboolean follow, gboolean *exists,
                        struct entry *out, GError **err)
{
    return resolve_path(chainview_lookup_at, v, "", path, follow, exists, out, err);
}

void chainview_content(struct chainview *v, struct digest *out)
{
    g_autoptr(hasher) h = hasher_new();
    for (guint i = 0; i < v->n; i++) {
        struct digest d;
        layer_index_content(v->layers[i], &d, NULL);
        if (layer_index_len(v->layers[i]) > 0)
            hasher_add_digest(h, &d);
    }
    hasher_final(h, out);
}

gboolean chainview_has_identity(struct chainview *v, const struct entry *e)
{
    for (guint i = 0; i < v->n; i++)
        if (layer_index_has_file(v->layers[i], e))
            return TRUE;
    return FALSE;
}

int chain_layer_open(struct store *s, const char *id, const char *path, GError **err)
{
    g_autofree char *dir = store_layer_path(id);
    g_autofree char *fs = g_strconcat(dir, "/fs", NULL);
    if (!store_layer_need(s, id, NEED_FILES, err))
        return -1;
    fd_auto int fd = fs_open_dir(store_fd(s), fs, err);
    if (fd < 0 && faccessat(store_fd(s), fs, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        store_layer_lose(s, id);
    return fd < 0 ? -1 : content_open(fd, path, dir, err);
}

int chainview_open(struct chainview *v, const char *path, GError **err)
{
    struct entry e;
    int k = find_in_layers(v, path, &e);
    if (k < 0) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "/%s does not exist", path);
        return -1;
    }
    return chain_layer_open(v->store, v->chain->ids[k], path, err);
}
