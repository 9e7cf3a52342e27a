#include "layer/index.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"
#include "layer/indexfile.h"
#include "layer/overlaymark.h"
#include "store/absent.h"
#include "tree/content.h"
#include "tree/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A verification, entry by entry in parallel. */
struct verifying {
    const struct layer_index *index;
    const char *id; /* of the layer, for messages */
    int fsfd;       /* its fs directory */
    gboolean contents;
};

static gboolean differs(const struct verifying *v, const struct entry *e, const char *what,
                        GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "layer %s: %s %s", v->id, *e->path ? e->path : "/",
                     what);
}

gboolean layer_index_verify_order(const struct layer_index *x, const char *id, GError **err)
{
    struct verifying whole = {.index = x, .id = id}, *v = &whole;
    g_autoptr(hasher) h = hasher_new();
    struct entry before = {0}, e;
    for (guint i = 0; i < layer_index_len(v->index); i++) {
        layer_index_at(v->index, i, &e);
        g_autofree char *clean = resolve_clean(e.path);
        if (strcmp(clean, e.path) != 0)
            return differs(v, &e, "is not a clean path", err);
        if (before.path && entry_path_cmp(before.path, e.path) >= 0)
            return differs(v, &e, "is out of order in the index", err);
        entry_hash(&e, e.path, h);
        before = e;
    }
    struct digest now, stored;
    hasher_final(h, &now);
    layer_index_content(v->index, &stored, NULL);
    if (digest_cmp(&now, &stored) != 0)
        return error_set(err, VARVE_ERROR_INVALID,
                         "layer %s: its index does not have its content digest", v->id);
    return TRUE;
}

static gboolean verify_content(const struct verifying *v, const struct entry *e, GError **err)
{
    fd_auto int fd = content_open(v->fsfd, e->path, v->id, err);
    struct digest d;
    if (fd < 0 || !content_hash(fd, e->path, e->size, &d, err))
        return FALSE;
    return digest_cmp(&d, &e->digest) == 0 ||
           differs(v, e, "has another content than its index says", err);
}

static gboolean verify_entry(gpointer ctx, gsize i, GError **err)
{
    const struct verifying *v = ctx;
    struct entry e, now = {0};
    struct stat st;
    layer_index_at(v->index, i, &e);
    if (fstatat(v->fsfd, *e.path ? e.path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? differs(v, &e, "is missing", err)
                               : error_set_errno(err, errno, "layer %s: %s", v->id, e.path);
    entry_from_stat(&now, &st);
    if (now.type != e.type)
        return differs(v, &e, "has another type than its index says", err);
    if (e.type == ENTRY_WHITEOUT)
        return TRUE;
    if (now.size != e.size || now.rdev != e.rdev)
        return differs(v, &e, "has another size than its index says", err);
    if (e.type != ENTRY_SYMLINK && now.mode != e.mode)
        return differs(v, &e, "has another mode than its index says", err);
    if (!overlaymark_userxattr() && (now.uid != e.uid || now.gid != e.gid))
        return differs(v, &e, "has another owner than its index says", err);
    return !v->contents || e.type != ENTRY_FILE || e.hardlink || verify_content(v, &e, err);
}

/* The layer's row says what its index does. */
static gboolean verify_row(struct store *s, const struct verifying *v, GError **err)
{
    struct layer_info info;
    struct digest content;
    guint64 bytes;
    if (!store_layer_get(s, v->id, &info, err))
        return FALSE;
    layer_index_content(v->index, &content, &bytes);
    if (!info.indexed || (digest_cmp(&info.content, &content) == 0 && info.size == bytes &&
                          info.entries == layer_index_len(v->index)))
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "layer %s: its row differs from its index", v->id);
}

gboolean layer_index_verify(struct store *s, const char *layer_id, gboolean contents, GError **err)
{
    g_autoptr(layer_index) x = layer_index_open(s, layer_id, NULL, err);
    if (!x)
        return FALSE;
    gboolean absent;
    struct verifying v = {x, layer_id, -1, contents};
    if (!store_absent_get(s, layer_id, &absent, NULL, err) || !verify_row(s, &v, err) ||
        !layer_index_verify_order(x, layer_id, err))
        return FALSE;
    if (absent)
        return TRUE;
    g_autofree char *dir = store_layer_path(layer_id);
    g_autofree char *path = g_strconcat(dir, "/fs", NULL);
    fd_auto int fd = fs_open_dir(store_fd(s), path, err);
    v.fsfd = fd;
    return fd >= 0 && pool_for_each(layer_index_len(x), verify_entry, &v, err);
}
