#include "layer/graft.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/dest.h"
#include "layer/index.h"
#include "tree/resolve.h"

#include <errno.h>
#include <string.h>

/* A pass over the layer's entries: with dest it writes, without it only checks. Only the layer and
 * the chain decide where things go, so both passes decide the same. */
struct pass {
    const struct graft *g;
    struct layer_index *x;
    struct dest *dest;  /* what is made; NULL: only look */
    struct tree *tree;  /* with dest: the layer's, for contents */
    struct hasher *h;   /* what was looked at */
    GHashTable *moved;  /* paths of the layer → where they go, when that is elsewhere: char* */
    const char *fresh;  /* the chain has nothing in the place of this directory; NULL: none such */
    gboolean different; /* the layer cannot be put on the chain as it is */
};

static gsize parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (gsize)(slash - path) : 0;
}

/* Where an entry of the layer goes by where its directory goes; newly allocated. */
static char *grafted_path(const struct pass *p, const char *path)
{
    const char *whole = g_hash_table_lookup(p->moved, path);
    if (whole)
        return g_strdup(whole);
    g_autofree char *parent = g_strndup(path, parent_len(path));
    const char *dir = g_hash_table_lookup(p->moved, parent);
    const char *name = path + strlen(parent) + (*parent != '\0');
    if (!dir)
        return g_strdup(path);
    return *dir ? g_strconcat(dir, "/", name, NULL) : g_strdup(name);
}

static void goes_to(struct pass *p, const char *path, const char *place)
{
    if (strcmp(path, place) == 0)
        return;
    g_hash_table_replace(p->moved, g_strdup(path), g_strdup(place));
    p->different = TRUE;
}

/* Looks up the chain; what is found there and matters goes into the key. */
static gboolean look(gpointer ctx, const char *path, struct entry *out)
{
    struct pass *p = ctx;
    gboolean found = chainview_lookup(p->g->base, path, out);
    hasher_add_str(p->h, path);
    hasher_add_u64(p->h, found ? out->type : 0);
    if (found && out->type == ENTRY_SYMLINK)
        hasher_add_str(p->h, out->target);
    if (!found || out->type != ENTRY_DIR)
        return found;
    hasher_add_u64(p->h, out->mode);
    hasher_add_u64(p->h, (guint64)out->uid << 32 | out->gid);
    hasher_add_u64(p->h, out->n_xattrs);
    for (guint i = 0; i < out->n_xattrs; i++) {
        hasher_add_str(p->h, out->xattrs[i].name);
        hasher_add_bytes(p->h, out->xattrs[i].value, out->xattrs[i].size);
    }
    return TRUE;
}

static gboolean same_attributes(const struct entry *a, const struct entry *b)
{
    return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && entry_same_xattrs(a, b);
}

/* What the chain has at path, that e takes the place of. */
static void warn_replaced(const struct pass *p, const char *path, const struct entry *e)
{
    struct entry was;
    if (p->dest || !p->g->warn || !chainview_lookup(p->g->base, path, &was))
        return;
    const char *what = was.type == ENTRY_DIR ? "directory" : "file";
    g_autofree char *link =
        was.type == ENTRY_SYMLINK ? g_strdup_printf("link to %s", was.target) : NULL;
    g_autofree char *line = g_strdup_printf(
        "--link replaces /%s, a %s of the image below, by a %s", path, link ? link : what,
        e->type == ENTRY_DIR ? "directory"
                             : "file; end the destination with a / to copy into that directory");
    p->g->warn(p->g->warn_ctx, line);
}

/* A directory in the place of something else, or of nothing. */
static gboolean make_dir(struct pass *p, const struct entry *e, const char *place, GError **err)
{
    struct entry copy = *e;
    copy.path = place;
    return !p->dest || (dest_clear(p->dest, place, err) && dest_make_dir(p->dest, &copy, err));
}

/* A directory that is missing takes from the one above it what the layer did not know of. */
static gboolean make_missing(struct pass *p, const struct entry *e, const char *place, GError **err)
{
    struct entry above;
    struct dest_made made = {.e = *e,
                             .owner_given = (e->implied & ENTRY_IMPLIED_OWNER) != 0,
                             .mode_given = (e->implied & ENTRY_IMPLIED_MODE) != 0};
    g_autofree char *parent = g_strndup(place, parent_len(place));
    if (chainview_lookup(p->g->base, parent, &above) && above.mode & S_ISGID)
        p->different = TRUE;
    return !p->dest || dest_make_dirs(p->dest, place, &made, err);
}

static gboolean place_implied(struct pass *p, const struct entry *e, GError **err)
{
    gboolean exists;
    struct entry there;
    g_autofree char *place = grafted_path(p, e->path);
    if (p->fresh) {
        goes_to(p, e->path, place);
        return make_missing(p, e, place, err);
    }
    g_autofree char *real = resolve_path(look, p, "", place, TRUE, &exists, &there, NULL);
    if (real && exists && there.type == ENTRY_DIR) {
        goes_to(p, e->path, real);
        p->different |= !same_attributes(e, &there);
        return TRUE;
    }
    p->fresh = e->path;
    if (real && !exists) {
        goes_to(p, e->path, real);
        return make_missing(p, e, real, err);
    }
    goes_to(p, e->path, place);
    warn_replaced(p, place, e);
    return make_dir(p, e, place, err);
}

static gboolean place_dir(struct pass *p, const struct entry *e, GError **err)
{
    struct entry there, copy = *e;
    g_autofree char *place = grafted_path(p, e->path);
    goes_to(p, e->path, place);
    if (!p->fresh && (!look(p, place, &there) || there.type != ENTRY_DIR)) {
        p->fresh = e->path;
        warn_replaced(p, place, e);
    }
    if (!p->dest)
        return TRUE;
    copy.path = place;
    gboolean merge = dest_lookup(p->dest, place, &there) && there.type == ENTRY_DIR;
    return merge ? dest_set_dir(p->dest, &copy, err) : make_dir(p, e, place, err);
}

/* A file that was put somewhere by its name, not with the directory that it lies in, may have been
 * meant to go into a directory. */
static void look_at_file(struct pass *p, const struct entry *e, const char *place)
{
    gboolean exists;
    struct entry dir, there;
    g_autofree char *parent = g_strndup(e->path, parent_len(e->path));
    gint64 at = layer_index_find(p->x, parent);
    if (at >= 0)
        layer_index_at(p->x, at, &dir);
    if ((at >= 0 && !dir.implied) || !chainview_lookup(p->g->base, place, &there) ||
        (there.type != ENTRY_DIR && there.type != ENTRY_SYMLINK))
        return;
    g_autofree char *real = chainview_resolve(p->g->base, place, TRUE, &exists, &there, NULL);
    if (real && exists && there.type == ENTRY_DIR)
        warn_replaced(p, place, e);
}

static gboolean place_other(struct pass *p, const struct entry *e, GError **err)
{
    if (!p->dest && p->fresh)
        return TRUE;
    g_autofree char *place = grafted_path(p, e->path);
    struct entry copy = *e;
    if (!p->dest) {
        look_at_file(p, e, place);
        return TRUE;
    }
    copy.path = place;
    copy.hardlink = NULL;
    if (!dest_clear(p->dest, place, err))
        return FALSE;
    if (e->hardlink) {
        g_autofree char *first = grafted_path(p, e->hardlink);
        return dest_put_link(p->dest, &copy, first, err);
    }
    if (e->type != ENTRY_FILE)
        return dest_put_special(p->dest, &copy, err);
    const struct entry *from = entry_list_find(p->tree->entries, e->path);
    return from ? dest_put_file(p->dest, &copy, p->tree, from, err)
                : error_set(err, VARVE_ERROR_INVALID, "layer %s has no file %s", p->g->layer,
                            e->path);
}

/* The root of the topmost layer is what a mount shows, so it must be the chain's. */
static void look_at_root(struct pass *p)
{
    struct entry root, plain = {.mode = 0755};
    look(p, "", &root);
    if (layer_index_find(p->x, "") < 0)
        p->different |= !same_attributes(&root, &plain);
}

static gboolean place_all(struct pass *p, GError **err)
{
    if (!p->g->plain_root)
        look_at_root(p);
    for (guint i = 0; i < layer_index_len(p->x); i++) {
        struct entry e;
        layer_index_at(p->x, i, &e);
        if (p->fresh && !entry_path_within(e.path, p->fresh))
            p->fresh = NULL;
        gboolean ok;
        if (e.type != ENTRY_DIR)
            ok = place_other(p, &e, err);
        else
            ok = e.implied ? place_implied(p, &e, err) : place_dir(p, &e, err);
        if (!ok || (i % 1024 == 0 && !cancel_check(p->g->cancel, err)))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_pass(struct pass *p, GError **err)
{
    g_autoptr(GHashTable) moved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    p->moved = moved;
    return place_all(p, err);
}

static void hash_implied(struct layer_index *x, struct hasher *h)
{
    for (guint i = 0; i < layer_index_len(x); i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        if (!e.implied)
            continue;
        hasher_add_str(h, e.path);
        hasher_add_u64(h, e.implied);
    }
}

gboolean graft_has_implied(struct store *s, const char *layer, struct cancel *c, gboolean *implied,
                           GError **err)
{
    g_autoptr(layer_index) x = layer_index_open(s, layer, c, err);
    *implied = FALSE;
    for (guint i = 0; x && !*implied && i < layer_index_len(x); i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        *implied = e.implied != 0;
    }
    return x != NULL;
}

gboolean graft_hash_implied(struct store *s, const char *layer, struct cancel *c, struct hasher *h,
                            GError **err)
{
    g_autoptr(layer_index) x = layer_index_open(s, layer, c, err);
    if (x)
        hash_implied(x, h);
    return x != NULL;
}

gboolean graft_look(const struct graft *g, gboolean *fits, struct digest *key, GError **err)
{
    g_autoptr(layer_index) x = layer_index_open(g->store, g->layer, g->cancel, err);
    g_autoptr(hasher) h = hasher_new();
    struct pass p = {.g = g, .x = x, .h = h};
    struct digest content;
    if (!x || !run_pass(&p, err))
        return FALSE;
    layer_index_content(x, &content, NULL);
    hasher_add_digest(h, &content);
    hash_implied(x, h);
    hasher_final(h, key);
    *fits = !p.different;
    return TRUE;
}

/* The layer alone, for contents. */
static struct tree *open_tree(const struct graft *g, GError **err)
{
    g_autoptr(chain) one = chain_new();
    chain_append(one, g->layer);
    g_autoptr(chainview) v = chainview_new(g->store, one, g->cancel, err);
    return v ? chainview_tree(v, "the layer of a --link", err) : NULL;
}

static struct dest *open_dest(const struct graft *g, int tmpfd, GError **err)
{
    if (mkdirat(tmpfd, "fs", 0755) < 0) {
        error_set_errno(err, errno, "cannot create a layer's directory");
        return NULL;
    }
    int fd = fs_open_dir(tmpfd, "fs", err);
    return fd < 0 ? NULL : dest_new(g->store, g->base, fd, g->cancel);
}

gboolean graft_make(const struct graft *g, const char *tmp, struct layer_info *info, GError **err)
{
    g_autoptr(layer_index) x = layer_index_open(g->store, g->layer, g->cancel, err);
    g_autoptr(tree) t = x ? open_tree(g, err) : NULL;
    fd_auto int tmpfd = t ? fs_open_dir(store_fd(g->store), tmp, err) : -1;
    g_autoptr(dest) d = tmpfd >= 0 ? open_dest(g, tmpfd, err) : NULL;
    g_autoptr(hasher) h = hasher_new();
    struct pass p = {.g = g, .x = x, .dest = d, .tree = t, .h = h};
    if (!d || !run_pass(&p, err))
        return FALSE;
    g_autoptr(entry_list) l = dest_finish(d, err);
    return l && layer_index_write(tmpfd, l, info, err);
}
