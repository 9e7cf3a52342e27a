#include "layer/chainview.h"

#include "base/error.h"
#include "base/fs.h"
#include "context/content.h"
#include "context/resolve.h"
#include "layer/index.h"

#include <errno.h>
#include <string.h>

struct chainview {
    struct store *store;
    struct chain *chain;
    struct layer_index **layers; /* by position in chain, lowest first */
    guint n;
};

struct chainview *chainview_new(struct store *s, const struct chain *c, struct cancel *stop,
                                GError **err)
{
    g_autoptr(chainview) v = g_new0(struct chainview, 1);
    v->store = s;
    v->chain = chain_copy(c);
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

/* TRUE when layer x hides from those below it whatever is at path, which x itself does not have:
 * because a directory above it is gone, replaced or opaque in x. */
static gboolean hides(const struct layer_index *x, const char *path)
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
static int find(struct chainview *v, const char *path, struct entry *out)
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
        if (hides(x, path))
            return -1;
    }
    return -1;
}

gboolean chainview_lookup(struct chainview *v, const char *path, struct entry *out)
{
    if (find(v, path, out) >= 0)
        return TRUE;
    if (*path)
        return FALSE;
    *out = (struct entry){.path = "", .type = ENTRY_DIR, .mode = 0755};
    return TRUE;
}

static gboolean lookup(gpointer v, const char *path, struct entry *out)
{
    return chainview_lookup(v, path, out);
}

char *chainview_resolve(struct chainview *v, const char *path, gboolean follow, gboolean *exists,
                        struct entry *out, GError **err)
{
    return resolve_path(lookup, v, "", path, follow, exists, out, err);
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

/* Opens path in a layer's fs. */
static int open_in_layer(struct store *s, const char *id, const char *path, GError **err)
{
    g_autofree char *dir = store_layer_path(id);
    g_autofree char *fs = g_strconcat(dir, "/fs", NULL);
    fd_auto int fd = fs_open_dir(store_fd(s), fs, err);
    return fd < 0 ? -1 : content_open(fd, path, dir, err);
}

int chainview_open(struct chainview *v, const char *path, GError **err)
{
    struct entry e;
    int k = find(v, path, &e);
    if (k < 0) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "/%s does not exist", path);
        return -1;
    }
    return open_in_layer(v->store, v->chain->ids[k], path, err);
}

/* What a merged tree keeps. */
struct merged {
    struct chainview *view; /* its own: the indexes hold the strings of the entries */
    GArray *layer;          /* guint by entry: the layer it comes from */
};

static int merged_open(struct tree *t, const struct entry *e, GError **err)
{
    const struct merged *m = t->data;
    guint k = g_array_index(m->layer, guint, e - entry_list_at(t->entries, 0));
    return open_in_layer(m->view->store, m->view->chain->ids[k], e->path, err);
}

static gboolean merged_ensure(struct tree *t, GPtrArray *entries, GError **err)
{
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *e = g_ptr_array_index(entries, i);
        if (e->type == ENTRY_FILE && !e->has_digest)
            return error_set(err, VARVE_ERROR_INVALID, "%s has no digest in the index of its layer",
                             e->path);
    }
    return TRUE;
}

static void merged_free(struct tree *t)
{
    struct merged *m = t->data;
    chainview_free(m->view);
    g_array_unref(m->layer);
    g_free(m);
}

/* Entries with the layer they come from, in path order. */
struct run {
    GArray *entries; /* struct entry, pointing into the indexes */
    GArray *layer;   /* guint */
};

static struct run run_new(void)
{
    return (struct run){g_array_new(FALSE, FALSE, sizeof(struct entry)),
                        g_array_new(FALSE, FALSE, sizeof(guint))};
}

static void run_clear(struct run *r)
{
    g_array_unref(r->entries);
    g_array_unref(r->layer);
}

static void run_add(struct run *r, const struct entry *e, guint layer)
{
    g_array_append_val(r->entries, *e);
    g_array_append_val(r->layer, layer);
}

static const struct entry *run_at(const struct run *r, guint i)
{
    return &g_array_index(r->entries, struct entry, i);
}

/* Skips what below[i..] has at or below path. */
static guint skip_within(const struct run *below, guint i, const char *path)
{
    while (i < below->entries->len && entry_path_within(run_at(below, i)->path, path))
        i++;
    return i;
}

/* Lays layer k over below: the result, with below cleared. */
static struct run lay_over(struct run *below, const struct layer_index *x, guint k)
{
    struct run out = run_new();
    guint i = 0;
    for (guint n = 0; n < layer_index_len(x); n++) {
        struct entry e;
        layer_index_at(x, n, &e);
        for (; i < below->entries->len && entry_path_cmp(run_at(below, i)->path, e.path) < 0; i++)
            run_add(&out, run_at(below, i), g_array_index(below->layer, guint, i));
        gboolean same = i < below->entries->len && strcmp(run_at(below, i)->path, e.path) == 0;
        if (e.type != ENTRY_DIR || e.opaque)
            i = skip_within(below, i, e.path);
        else
            i += same;
        e.opaque = FALSE;
        if (e.type != ENTRY_WHITEOUT)
            run_add(&out, &e, k);
    }
    for (; i < below->entries->len; i++)
        run_add(&out, run_at(below, i), g_array_index(below->layer, guint, i));
    run_clear(below);
    return out;
}

static gboolean from_same_layer(const struct tree *t, const struct merged *m, const struct entry *a,
                                const struct entry *b)
{
    const struct entry *first = entry_list_at(t->entries, 0);
    return g_array_index(m->layer, guint, a - first) == g_array_index(m->layer, guint, b - first);
}

/* Hard links hold within a layer; where the first name was hidden by a higher layer, the next one
 * takes its place. */
static void fix_links(struct tree *t, struct merged *m)
{
    g_autoptr(GHashTable) heirs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < entry_list_len(t->entries); i++) {
        struct entry *e = entry_list_at(t->entries, i);
        if (!e->hardlink)
            continue;
        const struct entry *first = entry_list_find(t->entries, e->hardlink);
        if (first && first->type == ENTRY_FILE && from_same_layer(t, m, first, e))
            continue;
        guint k = g_array_index(m->layer, guint, i);
        g_autofree char *inode = g_strdup_printf("%u/%s", k, e->hardlink);
        e->hardlink = g_hash_table_lookup(heirs, inode);
        if (!e->hardlink)
            g_hash_table_insert(heirs, g_steal_pointer(&inode), (gpointer)e->path);
    }
}

struct tree *chainview_tree(struct chainview *v, const char *name, GError **err)
{
    struct run all = run_new();
    struct entry root;
    chainview_lookup(v, "", &root);
    run_add(&all, &root, 0);
    for (guint k = 0; k < v->n; k++)
        if (layer_index_len(v->layers[k]) > 0)
            all = lay_over(&all, v->layers[k], k);
    struct merged *m = g_new0(struct merged, 1);
    m->view = chainview_new(v->store, v->chain, NULL, err);
    m->layer = g_steal_pointer(&all.layer);
    struct entry_list *entries = entry_list_new();
    g_array_unref(entries->items);
    entries->items = g_steal_pointer(&all.entries);
    struct tree *t = tree_new(entries, name);
    t->open = merged_open;
    t->ensure_digests = merged_ensure;
    t->free = merged_free;
    t->data = m;
    if (!m->view) {
        tree_free(t);
        return NULL;
    }
    fix_links(t, m);
    return t;
}
