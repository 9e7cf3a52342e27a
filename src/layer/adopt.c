/* Indexes that came from elsewhere with layers that a build made there (index.h). */
#include "layer/index.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/indexfile.h"
#include "store/absent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NS G_GINT64_CONSTANT(1000000000)

static gboolean check_taken(const char *id, const void *bytes, gsize len,
                            const struct digest *content, struct layer_info *info, GError **err)
{
    struct digest is;
    g_autoptr(layer_index) x = layer_index_of_bytes(bytes, len, err);
    if (!x || !layer_index_verify_order(x, id, err))
        return FALSE;
    layer_index_content(x, &is, &info->size);
    if (digest_cmp(&is, content) != 0)
        return error_set(err, VARVE_ERROR_INVALID,
                         "layer %s: the index that came with it is of another layer", id);
    info->content = is;
    info->entries = layer_index_len(x);
    info->indexed = TRUE;
    return TRUE;
}

gboolean layer_index_take(struct store *s, const char *layer_id, const void *bytes, gsize len,
                          const struct digest *content, gboolean claim, GError **err)
{
    struct layer_info info = {.indexed = FALSE};
    g_strlcpy(info.id, layer_id, sizeof info.id);
    if (!check_taken(layer_id, bytes, len, content, &info, err))
        return FALSE;
    g_autofree char *tmp = store_tmp_dir(s, err);
    fd_auto int dirfd = tmp ? fs_open_dir(store_fd(s), tmp, err) : -1;
    if (dirfd < 0 || !fs_replace(dirfd, "index", bytes, len, 0644, err))
        return FALSE;
    return claim ? store_absent_claim(s, layer_id, tmp, err)
                 : store_absent_index(s, tmp, &info, err);
}

/* Whether given is what unpacking its tar gave, but for what a tar does not hold. */
static gboolean agrees(const struct entry *given, const struct entry *made)
{
    gint64 seconds = given->mtime_ns / NS - (given->mtime_ns % NS < 0 ? 1 : 0);
    return strcmp(given->path, made->path) == 0 && given->type == made->type &&
           given->mode == made->mode && given->uid == made->uid && given->gid == made->gid &&
           given->size == made->size && given->rdev == made->rdev &&
           given->opaque == made->opaque && g_strcmp0(given->target, made->target) == 0 &&
           g_strcmp0(given->hardlink, made->hardlink) == 0 &&
           given->has_digest == made->has_digest &&
           digest_cmp(&given->digest, &made->digest) == 0 && entry_same_xattrs(given, made) &&
           (given->type == ENTRY_WHITEOUT || made->mtime_ns / NS == seconds);
}

static gboolean compare_indexes(const char *id, const struct layer_index *given,
                                const struct layer_index *made, GError **err)
{
    struct entry g, m;
    guint n = layer_index_len(given);
    if (n != layer_index_len(made))
        return error_set(err, VARVE_ERROR_INVALID,
                         "layer %s: its tar has %u entries, but its index %u", id,
                         layer_index_len(made), n);
    for (guint i = 0; i < n; i++) {
        layer_index_at(given, i, &g);
        layer_index_at(made, i, &m);
        if (!agrees(&g, &m))
            return error_set(err, VARVE_ERROR_INVALID,
                             "layer %s: %s is another in its tar than in its index", id,
                             *g.path ? g.path : "/");
    }
    return TRUE;
}

static GBytes *made_index(int dirfd, GError **err)
{
    return fs_read(dirfd, "index", G_MAXINT32, err);
}

gboolean layer_index_keep(struct store *s, const char *layer_id, int dirfd, struct layer_info *info,
                          GError **err)
{
    g_autoptr(layer_index) given = layer_index_open(s, layer_id, NULL, err);
    g_autoptr(GBytes) bytes = given ? made_index(dirfd, err) : NULL;
    if (!bytes)
        return FALSE;
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    g_autoptr(layer_index) made = layer_index_of_bytes(data, len, err);
    if (!made || !compare_indexes(layer_id, given, made, err))
        return FALSE;
    g_autofree char *dir = store_layer_path(layer_id);
    g_autofree char *path = g_strconcat(dir, "/index", NULL);
    g_autoptr(GBytes) keep = fs_read(store_fd(s), path, G_MAXINT32, err);
    if (!keep)
        return FALSE;
    layer_index_content(given, &info->content, &info->size);
    info->entries = layer_index_len(given);
    data = g_bytes_get_data(keep, &len);
    return fs_replace(dirfd, "index", data, len, 0644, err);
}
