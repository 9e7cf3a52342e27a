#include "layer/fill.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/chainview.h"
#include "layer/object.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct copy {
    struct store *s;
    struct tree *t;
    const char *top; /* resolved path in t whose content is copied */
    int dir;         /* where to */
};

static int open_entry(gpointer ctx, const struct entry *e, GError **err)
{
    struct tree *t = ctx;
    return t->open(t, e, err);
}

static gboolean set_owner(int dir, const char *rel, const struct entry *e, GError **err)
{
    if (fchownat(dir, rel, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (e->type == ENTRY_DIR && fchmodat(dir, rel, e->mode, 0) < 0))
        return error_set_errno(err, errno, "cannot fill a volume with %s", e->path);
    return TRUE;
}

static gboolean copy_one(struct copy *c, const struct entry *e, GError **err)
{
    gsize skip = strlen(c->top);
    const char *rel = e->path + skip;
    while (*rel == '/')
        rel++;
    if (!*rel)
        return !*c->top || e->type != ENTRY_DIR || set_owner(c->dir, ".", e, err);
    switch (e->type) {
    case ENTRY_DIR:
        if (mkdirat(c->dir, rel, 0700) < 0)
            return error_set_errno(err, errno, "cannot fill a volume with %s", e->path);
        return set_owner(c->dir, rel, e, err);
    case ENTRY_SYMLINK:
        if (symlinkat(e->target, c->dir, rel) < 0)
            return error_set_errno(err, errno, "cannot fill a volume with %s", e->path);
        return set_owner(c->dir, rel, e, err);
    case ENTRY_FILE:
        return object_materialise(c->s, e, TRUE, c->dir, rel, open_entry, c->t, err);
    default:
        return TRUE; /* devices and sockets have no place in a volume */
    }
}

static gboolean copy_range(struct copy *c, guint lo, guint hi, GError **err)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new();
    for (guint i = lo; i < hi; i++)
        g_ptr_array_add(files, entry_list_at(c->t->entries, i));
    if (!c->t->ensure_digests(c->t, files, err))
        return FALSE;
    for (guint i = lo; i < hi; i++)
        if (!copy_one(c, entry_list_at(c->t->entries, i), err))
            return FALSE;
    return TRUE;
}

gboolean fill_from_chain(struct store *s, const struct chain *chain, const char *path, int dir,
                         struct cancel *c, GError **err)
{
    g_autoptr(chainview) view = chainview_new(s, chain, c, err);
    g_autoptr(tree) t = view ? chainview_tree(view, "the volume's source", err) : NULL;
    if (!t)
        return FALSE;
    g_autofree char *top = tree_resolve(t, path, TRUE, NULL, err);
    if (!top)
        return FALSE;
    struct copy copy = {s, t, top, dir};
    guint lo, hi;
    if (!tree_range(t, top, &lo, &hi))
        return error_set(err, VARVE_ERROR_NOT_FOUND, "the source %s of a volume does not exist",
                         path);
    return copy_range(&copy, lo, hi, err);
}
