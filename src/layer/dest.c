#include "layer/dest.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"
#include "layer/attrs.h"
#include "layer/object.h"
#include "layer/overlaymark.h"
#include "tree/content.h"
#include "tree/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One entry of the new layer. */
struct item {
    struct entry e;           /* strings in the arena */
    struct tree *tree;        /* files still to be written: where the content is; else NULL */
    const struct entry *from; /* its entry there */
    const char *first;        /* hard links still to be made: another name of the file; else NULL */
    guint group;              /* names with the same number, not 0, are one inode */
};
struct dest {
    struct store *store;
    struct chainview *base; /* NULL: scratch */
    int fd;                 /* the layer's fs */
    struct cancel *cancel;
    struct arena *arena;
    GHashTable *items;  /* path → struct item*, both in the arena */
    GPtrArray *pending; /* struct item* to be written; those replaced meanwhile have neither tree
                           nor first */
    GMutex lock;        /* guards identities */
    GHashTable *identities; /* struct digest*: inodes of this layer that are objects */
    guint groups;           /* numbers given to inodes with several names */
};

struct dest *dest_new(struct store *s, struct chainview *base, int fd, struct cancel *c)
{
    struct dest *d = g_new0(struct dest, 1);
    d->store = s;
    d->base = base;
    d->fd = fd;
    d->cancel = c;
    d->arena = arena_new();
    d->items = g_hash_table_new(g_str_hash, g_str_equal);
    d->pending = g_ptr_array_new();
    d->identities = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    g_mutex_init(&d->lock);
    return d;
}

void dest_free(struct dest *d)
{
    if (!d)
        return;
    fd_cleanup(&d->fd);
    g_hash_table_unref(d->identities);
    g_hash_table_unref(d->items);
    g_ptr_array_unref(d->pending);
    arena_free(d->arena);
    g_mutex_clear(&d->lock);
    g_free(d);
}

/* Length of path's parent; 0 for names in the root. */
static gsize parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (gsize)(slash - path) : 0;
}

/* TRUE when the new layer hides what the chain has at path, which it does not itself have. */
static gboolean hidden(struct dest *d, const char *path)
{
    g_autofree char *above = g_strdup(path);
    while (*above) {
        above[parent_len(above)] = '\0';
        const struct item *i = g_hash_table_lookup(d->items, above);
        if (i && (i->e.type != ENTRY_DIR || i->e.opaque))
            return TRUE;
    }
    return FALSE;
}

/* What the chain would show at path if the new layer had a plain directory there. */
static gboolean lower_lookup(struct dest *d, const char *path, struct entry *out)
{
    return d->base && !hidden(d, path) && chainview_lookup(d->base, path, out);
}

gboolean dest_lookup(struct dest *d, const char *path, struct entry *out)
{
    const struct item *i = g_hash_table_lookup(d->items, path);
    if (i) {
        *out = i->e;
        return i->e.type != ENTRY_WHITEOUT;
    }
    if (lower_lookup(d, path, out))
        return TRUE;
    if (*path)
        return FALSE;
    *out = (struct entry){.path = "", .type = ENTRY_DIR, .mode = 0755};
    return TRUE;
}

static gboolean dest_lookup_at(gpointer d, const char *path, struct entry *out)
{
    return dest_lookup(d, path, out);
}

char *dest_resolve(struct dest *d, const char *root, const char *path, gboolean follow,
                   gboolean *exists, struct entry *out, GError **err)
{
    return resolve_path(dest_lookup_at, d, root, path, follow, exists, out, err);
}

static const struct xattr *keep_xattrs(struct dest *d, const struct entry *e)
{
    struct xattr *x = arena_copy(d->arena, e->xattrs, e->n_xattrs, sizeof *x);
    for (guint i = 0; i < e->n_xattrs; i++) {
        x[i].name = arena_strdup(d->arena, x[i].name);
        x[i].value = arena_copy(d->arena, x[i].value, x[i].size, 1);
    }
    return x;
}

/* Records e, replacing an entry of the same path. */
static struct item *add_item(struct dest *d, const struct entry *e)
{
    struct item *i = arena_new_of(d->arena, struct item);
    i->e = *e;
    i->e.path = arena_strdup(d->arena, e->path);
    i->e.target = arena_strdup(d->arena, e->target);
    i->e.hardlink = arena_strdup(d->arena, e->hardlink);
    i->e.xattrs = keep_xattrs(d, e);
    i->e.ino = 0;
    i->e.implied = 0;
    g_hash_table_replace(d->items, (gpointer)i->e.path, i);
    return i;
}

static gboolean make_dir_at(struct dest *d, const char *path, GError **err)
{
    if (mkdirat(d->fd, path, 0700) == 0)
        return TRUE;
    return error_set_errno(err, errno, "cannot create the directory /%s", path);
}

/* Makes sure that the directory path of the view is in the new layer, with its own attributes. */
static gboolean enter_dir(struct dest *d, const char *path, GError **err)
{
    struct entry e;
    if (*path == '\0' || g_hash_table_contains(d->items, path))
        return TRUE;
    g_autofree char *parent = g_strndup(path, parent_len(path));
    if (!enter_dir(d, parent, err))
        return FALSE;
    if (!lower_lookup(d, path, &e) || e.type != ENTRY_DIR)
        return error_set(err, VARVE_ERROR_INVALID, "/%s is not a directory", path);
    if (!make_dir_at(d, path, err))
        return FALSE;
    e.path = path;
    e.opaque = FALSE;
    add_item(d, &e);
    return TRUE;
}

static gboolean enter_parent(struct dest *d, const char *path, GError **err)
{
    g_autofree char *parent = g_strndup(path, parent_len(path));
    return enter_dir(d, parent, err);
}

/* Removes a whiteout that the new layer has at path. */
static gboolean drop_whiteout(struct dest *d, const char *path, GError **err)
{
    const struct item *i = g_hash_table_lookup(d->items, path);
    if (!i || i->e.type != ENTRY_WHITEOUT)
        return TRUE;
    if (unlinkat(d->fd, path, 0) < 0)
        return error_set_errno(err, errno, "cannot replace /%s", path);
    g_hash_table_remove(d->items, path);
    return TRUE;
}

/* Before anything is put at path. */
static gboolean prepare(struct dest *d, const char *path, GError **err)
{
    return enter_parent(d, path, err) && drop_whiteout(d, path, err);
}

gboolean dest_make_dir(struct dest *d, const struct entry *e, GError **err)
{
    struct entry lower;
    if (!prepare(d, e->path, err))
        return FALSE;
    /* What the chain has here was removed or replaced before: it must not reappear. */
    gboolean opaque = lower_lookup(d, e->path, &lower) && lower.type == ENTRY_DIR;
    if (!make_dir_at(d, e->path, err))
        return FALSE;
    add_item(d, e)->e.opaque = opaque;
    return TRUE;
}

gboolean dest_make_dirs(struct dest *d, const char *path, const struct dest_made *made,
                        GError **err)
{
    struct entry there, e = made->e;
    if (dest_lookup(d, path, &there))
        return there.type == ENTRY_DIR ||
               error_set(err, VARVE_ERROR_INVALID,
                         "cannot make the directory /%s: it exists and is not a directory", path);
    g_autofree char *parent = g_strndup(path, parent_len(path));
    if (!dest_make_dirs(d, parent, made, err))
        return FALSE;
    e.path = path;
    if (dest_lookup(d, parent, &there) && there.mode & S_ISGID) {
        e.gid = made->owner_given ? e.gid : there.gid;
        e.mode |= made->mode_given ? 0 : S_ISGID;
    }
    if (!dest_make_dir(d, &e, err))
        return FALSE;
    struct item *i = g_hash_table_lookup(d->items, path);
    i->e.implied = ENTRY_IMPLIED | (made->owner_given ? ENTRY_IMPLIED_OWNER : 0) |
                   (made->mode_given ? ENTRY_IMPLIED_MODE : 0);
    return TRUE;
}

gboolean dest_set_dir(struct dest *d, const struct entry *e, GError **err)
{
    if (!enter_dir(d, e->path, err))
        return FALSE;
    const struct item *old = g_hash_table_lookup(d->items, e->path);
    gboolean opaque = old && old->e.opaque;
    add_item(d, e)->e.opaque = opaque;
    return TRUE;
}

static gboolean item_below(gpointer key, gpointer value, gpointer path)
{
    return entry_path_within(key, path);
}

gboolean dest_clear(struct dest *d, const char *path, GError **err)
{
    const struct item *i = g_hash_table_lookup(d->items, path);
    if (!i)
        return TRUE;
    if (d->pending->len > 0 && !dest_flush(d, err))
        return FALSE;
    gboolean is_dir = i->e.type == ENTRY_DIR;
    if (!fs_remove_tree(d->fd, path, err))
        return FALSE;
    if (is_dir)
        g_hash_table_foreach_remove(d->items, item_below, (gpointer)path);
    else
        g_hash_table_remove(d->items, path);
    return TRUE;
}

gboolean dest_remove(struct dest *d, const char *path, GError **err)
{
    struct entry lower;
    if (!dest_clear(d, path, err))
        return FALSE;
    if (!lower_lookup(d, path, &lower))
        return TRUE;
    if (!enter_parent(d, path, err) || !overlaymark_whiteout(d->fd, path, err))
        return FALSE;
    add_item(d, &(struct entry){.path = path, .type = ENTRY_WHITEOUT});
    return TRUE;
}

gboolean dest_put_file(struct dest *d, const struct entry *e, struct tree *t,
                       const struct entry *from, GError **err)
{
    if (!prepare(d, e->path, err))
        return FALSE;
    struct item *i = add_item(d, e);
    i->tree = t;
    i->from = from;
    g_ptr_array_add(d->pending, i);
    return TRUE;
}

gboolean dest_put_link(struct dest *d, const struct entry *e, const char *first, GError **err)
{
    if (!prepare(d, e->path, err))
        return FALSE;
    struct item *other = g_hash_table_lookup(d->items, first), *i = add_item(d, e);
    gboolean symlink = other && other->e.type == ENTRY_SYMLINK;
    if (!other || (other->e.type != ENTRY_FILE && !symlink))
        return error_set(err, VARVE_ERROR_INVALID, "cannot link /%s to /%s: that is not a file",
                         e->path, first);
    if (symlink && linkat(d->fd, first, d->fd, e->path, 0) < 0)
        return error_set_errno(err, errno, "cannot link /%s to /%s", e->path, first);
    if (!other->group)
        other->group = ++d->groups;
    i->group = other->group;
    i->first = other->e.path;
    if (!symlink)
        g_ptr_array_add(d->pending, i);
    return TRUE;
}

gboolean dest_put_special(struct dest *d, const struct entry *e, GError **err)
{
    if (e->type == ENTRY_CHAR && e->rdev == 0)
        return error_set(err, VARVE_ERROR_INVALID,
                         "/%s is a character device 0:0, which overlayfs treats as a deletion",
                         e->path);
    if (!prepare(d, e->path, err))
        return FALSE;
    static const mode_t formats[] = {
        [ENTRY_CHAR] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK, [ENTRY_FIFO] = S_IFIFO};
    int failed;
    if (e->type == ENTRY_SYMLINK)
        failed = symlinkat(e->target, d->fd, e->path);
    else
        failed = mknodat(d->fd, e->path, formats[e->type] | 0600, e->rdev);
    if (failed)
        return error_set_errno(err, errno, "cannot create /%s", e->path);
    if (!attrs_apply_at(d->fd, e->path, e, err))
        return FALSE;
    add_item(d, e);
    return TRUE;
}

int dest_create(struct dest *d, const char *path, GError **err)
{
    if (!prepare(d, path, err))
        return -1;
    int fd = openat(d->fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        error_set_errno(err, errno, "cannot create /%s", path);
    return fd;
}

void dest_note(struct dest *d, const struct entry *e)
{
    add_item(d, e);
}

static int open_lower(gpointer ctx, const struct entry *e, GError **err)
{
    struct dest *d = ctx;
    return chainview_open(d->base, e->path, err);
}

gboolean dest_copy_up(struct dest *d, const char *path, GError **err)
{
    struct entry e;
    if (g_hash_table_contains(d->items, path))
        return dest_flush(d, err);
    if (!lower_lookup(d, path, &e) || (e.type != ENTRY_FILE && e.type != ENTRY_SYMLINK))
        return error_set(err, VARVE_ERROR_INVALID, "/%s is not a file", path);
    e.path = path;
    e.hardlink = NULL;
    if (e.type == ENTRY_SYMLINK)
        return dest_put_special(d, &e, err);
    struct object_source from = {open_lower, NULL, d};
    if (!prepare(d, path, err) || !object_copy(&e, d->fd, path, &from, err))
        return FALSE;
    add_item(d, &e);
    return TRUE;
}

/* One pending file as object_place() sees it. */
struct placing {
    struct dest *d;
    const struct item *item;
};

static int open_pending(gpointer ctx, const struct entry *e, GError **err)
{
    const struct placing *p = ctx;
    return p->item->tree->open(p->item->tree, p->item->from, err);
}

static gboolean in_chain(gpointer ctx, const struct entry *e)
{
    const struct placing *p = ctx;
    return p->d->base && chainview_has_identity(p->d->base, e);
}

/* TRUE for the first file of this identity in the layer. */
static gboolean claim(struct dest *d, const struct digest *identity)
{
    g_mutex_lock(&d->lock);
    gboolean fresh = g_hash_table_add(d->identities, g_memdup2(identity, sizeof *identity));
    g_mutex_unlock(&d->lock);
    return fresh;
}

/* The object is a second name of the file, which shows in its link count. cron, for example,
 * ignores a table that has several names. */
static gboolean must_be_alone(const char *path)
{
    return g_str_has_prefix(path, "etc/cron") || g_str_has_prefix(path, "var/spool/cron");
}

static gboolean write_pending(gpointer ctx, gsize i, GError **err)
{
    struct dest *d = ctx;
    const struct item *item = g_ptr_array_index(d->pending, i);
    if (!item->tree)
        return TRUE;
    if (!cancel_check(d->cancel, err))
        return FALSE;
    struct placing p = {d, item};
    struct object_source from = {open_pending, in_chain, &p};
    struct digest identity;
    object_identity(&item->e, &identity);
    if (must_be_alone(item->e.path) || !claim(d, &identity))
        return object_copy(&item->e, d->fd, item->e.path, &from, err);
    return object_place(d->store, &item->e, &identity, d->fd, item->e.path, &from, err);
}

static gboolean make_links(struct dest *d, GError **err)
{
    for (guint i = 0; i < d->pending->len; i++) {
        const struct item *item = g_ptr_array_index(d->pending, i);
        if (item->first && linkat(d->fd, item->first, d->fd, item->e.path, 0) < 0)
            return error_set_errno(err, errno, "cannot link /%s to /%s", item->e.path, item->first);
    }
    return TRUE;
}

gboolean dest_flush(struct dest *d, GError **err)
{
    if (d->pending->len == 0)
        return TRUE;
    if (!pool_for_each(d->pending->len, write_pending, d, err) || !make_links(d, err))
        return FALSE;
    for (guint i = 0; i < d->pending->len; i++) {
        struct item *item = g_ptr_array_index(d->pending, i);
        item->tree = NULL;
        item->first = NULL;
    }
    g_ptr_array_set_size(d->pending, 0);
    return TRUE;
}

static gboolean finish_dir(struct dest *d, const struct entry *e, GError **err)
{
    fd_auto int fd = content_open_dir(d->fd, e->path);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the directory /%s", e->path);
    if (e->opaque && !overlaymark_set_opaque(fd, err))
        return FALSE;
    return attrs_apply_fd(fd, e, err);
}

/* The root of the upmost layer is what a mount shows: it keeps the chain's attributes. */
static gboolean finish_root(struct dest *d, GError **err)
{
    struct entry root;
    dest_lookup(d, "", &root);
    root.opaque = FALSE;
    return finish_dir(d, &root, err);
}

/* The entries, sorted, with their group for an inode number. */
static struct entry_list *collect(struct dest *d)
{
    struct entry_list *l = entry_list_new();
    GHashTableIter it;
    gpointer value;
    g_hash_table_iter_init(&it, d->items);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        struct item *i = value;
        i->e.ino = i->group;
        g_array_append_val(l->items, i->e);
    }
    entry_list_sort(l);
    return l;
}

/* The first name in path order is the file, those that follow are links to it. */
static void name_links(struct dest *d, struct entry_list *l)
{
    g_autofree const char **first = g_new0(const char *, d->groups + 1);
    for (guint i = 0; i < entry_list_len(l); i++) {
        struct entry *e = entry_list_at(l, i);
        if (e->ino == 0)
            continue;
        e->hardlink = first[e->ino];
        if (!e->hardlink)
            first[e->ino] = e->path;
        e->ino = 0;
    }
}

struct entry_list *dest_finish(struct dest *d, GError **err)
{
    if (!dest_flush(d, err))
        return NULL;
    g_autoptr(entry_list) l = collect(d);
    name_links(d, l);
    for (guint i = entry_list_len(l); i-- > 0;) {
        const struct entry *e = entry_list_at(l, i);
        if (e->type == ENTRY_DIR && *e->path && !finish_dir(d, e, err))
            return NULL;
    }
    return finish_root(d, err) ? g_steal_pointer(&l) : NULL;
}
