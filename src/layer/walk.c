#include "layer/index.h"

#include "tree/walk.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"
#include "layer/attrs.h"
#include "layer/overlaymark.h"
#include "tree/content.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* A walk whose entries are being completed in parallel. */
struct reading {
    int rootfd;
    struct entry_list *entries;
    struct cancel *cancel;
    GMutex lock; /* guards entries->blocks */
};

/* Overlayfs features that hide a directory's or a file's content elsewhere: snapshots are mounted
 * without them, so that a layer is whole in itself. */
static gboolean check_marks(int fd, const struct entry *e, GError **err)
{
    static const char *const foreign[] = {"trusted.overlay.redirect", "user.overlay.redirect",
                                          "trusted.overlay.metacopy", "user.overlay.metacopy"};
    for (guint i = 0; i < G_N_ELEMENTS(foreign); i++)
        if (fgetxattr(fd, foreign[i], NULL, 0) >= 0)
            return error_set(err, VARVE_ERROR_UNSUPPORTED, "%s has the overlayfs mark %s", e->path,
                             foreign[i]);
    return TRUE;
}

static gboolean read_xattrs(struct reading *r, struct entry *e, int fd, GError **err)
{
    if (flistxattr(fd, NULL, 0) == 0)
        return TRUE;
    struct xattr *x;
    if (!check_marks(fd, e, err))
        return FALSE;
    if (!attrs_read_xattrs(fd, &x, &e->n_xattrs, err)) {
        g_prefix_error(err, "%s: ", e->path);
        return FALSE;
    }
    if (e->type == ENTRY_DIR)
        e->opaque = overlaymark_is_opaque(fd);
    if (!x)
        return TRUE;
    e->xattrs = x;
    g_mutex_lock(&r->lock);
    g_ptr_array_add(r->entries->blocks, x);
    g_mutex_unlock(&r->lock);
    return TRUE;
}

static gboolean read_dir_entry(struct reading *r, struct entry *e, GError **err)
{
    fd_auto int fd = content_open_dir(r->rootfd, e->path);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the directory %s of a layer", e->path);
    return read_xattrs(r, e, fd, err);
}

static gboolean read_file_entry(struct reading *r, struct entry *e, GError **err)
{
    fd_auto int fd = content_open(r->rootfd, e->path, "a layer", err);
    if (fd < 0 || !read_xattrs(r, e, fd, err) ||
        !content_hash(fd, e->path, e->size, &e->digest, err))
        return FALSE;
    e->has_digest = TRUE;
    return TRUE;
}

static gboolean read_walk_entry(gpointer ctx, gsize i, GError **err)
{
    struct reading *r = ctx;
    struct entry *e = entry_list_at(r->entries, i);
    if (!cancel_check(r->cancel, err))
        return FALSE;
    if (e->type == ENTRY_DIR)
        return read_dir_entry(r, e, err);
    return e->type != ENTRY_FILE || e->hardlink || read_file_entry(r, e, err);
}

/* What a further name of a file shares with the first. */
static void copy_from_first(struct entry_list *l, struct entry *e)
{
    const struct entry *first = entry_list_find(l, e->hardlink);
    e->digest = first->digest;
    e->has_digest = first->has_digest;
    e->xattrs = first->xattrs;
    e->n_xattrs = first->n_xattrs;
}

static gboolean plain_root(const struct entry *e)
{
    return *e->path == '\0' && e->mode == 0755 && e->uid == 0 && e->gid == 0 && e->n_xattrs == 0 &&
           !e->opaque;
}

/* Drops what is not stored, and what a whiteout's inode says. */
static void tidy_entries(struct entry_list *l)
{
    guint kept = 0;
    for (guint i = 0; i < entry_list_len(l); i++)
        if (entry_list_at(l, i)->hardlink)
            copy_from_first(l, entry_list_at(l, i));
    for (guint i = 0; i < entry_list_len(l); i++) {
        struct entry *e = entry_list_at(l, i);
        if (e->type == ENTRY_SOCKET || plain_root(e))
            continue;
        if (e->type == ENTRY_WHITEOUT)
            *e = (struct entry){.path = e->path, .type = ENTRY_WHITEOUT};
        e->ino = 0;
        *entry_list_at(l, kept++) = *e;
    }
    g_array_set_size(l->items, kept);
}

struct entry_list *layer_walk(int dirfd, struct cancel *c, GError **err)
{
    struct walk w;
    fd_auto int fd = content_open_dir(dirfd, "fs");
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open a layer's directory");
        return NULL;
    }
    if (!walk_dir(fd, NULL, "a layer", c, &w, err))
        return NULL;
    g_autoptr(entry_list) entries = g_steal_pointer(&w.entries);
    walk_clear(&w);
    struct reading r = {.rootfd = fd, .entries = entries, .cancel = c};
    g_mutex_init(&r.lock);
    gboolean ok = pool_for_each(entry_list_len(entries), read_walk_entry, &r, err);
    g_mutex_clear(&r.lock);
    if (!ok)
        return NULL;
    tidy_entries(entries);
    return g_steal_pointer(&entries);
}
