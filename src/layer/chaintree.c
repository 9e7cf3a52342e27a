/* Chains as trees: the layers' indexes merged, completely or only where needed.
 */
#include "layer/chainview.h"

#include "base/error.h"
#include "layer/chainparts.h"
#include "text/pattern.h"
#include "tree/resolve.h"

#include <stdlib.h>
#include <string.h>

/* What a merged tree keeps. */
struct merged {
    struct chainview *view; /* its own: the indexes hold the strings of the entries */
    GArray *layer;          /* guint by entry: the layer it comes from */
};

static int merged_open(struct tree *t, const struct entry *e, GError **err)
{
    const struct merged *m = t->data;
    guint k = g_array_index(m->layer, guint, e - entry_list_at(t->entries, 0));
    return chain_layer_open(m->view->store, m->view->chain->ids[k], e->path, err);
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

static void selecting_clear(struct run *r)
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

/* Lays what layer k has at and below dir over below (which holds that of lower layers): the result,
 * with below cleared. */
static struct run lay_over(struct run *below, const struct layer_index *x, const char *dir, guint k)
{
    struct run out = run_new();
    guint i = 0, lo, hi;
    layer_index_range(x, dir, &lo, &hi);
    for (guint n = lo; n < hi; n++) {
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
    selecting_clear(below);
    return out;
}

/* The lowest layer of which something can be seen at or below dir. */
static guint lowest_seen(struct chainview *v, const char *dir)
{
    for (guint k = v->n; k-- > 0;) {
        struct entry e;
        gint64 i = layer_index_find(v->layers[k], dir);
        if (i >= 0) {
            layer_index_at(v->layers[k], i, &e);
            if (e.type != ENTRY_DIR || e.opaque)
                return k;
        }
        if (chain_layer_hides(v->layers[k], dir))
            return k;
    }
    return 0;
}

/* Adds everything at and below dir to out. */
static void add_range(struct chainview *v, const char *dir, struct run *out)
{
    struct run all = run_new();
    struct entry root;
    chainview_lookup(v, "", &root);
    if (*dir == '\0')
        run_add(&all, &root, 0);
    for (guint k = lowest_seen(v, dir); k < v->n; k++)
        if (layer_index_len(v->layers[k]) > 0)
            all = lay_over(&all, v->layers[k], dir, k);
    g_array_append_vals(out->entries, all.entries->data, all.entries->len);
    g_array_append_vals(out->layer, all.layer->data, all.layer->len);
    selecting_clear(&all);
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

/* Makes a tree of entries, which are cleared. */
static struct tree *tree_of_run(struct chainview *v, struct run *all, const char *name,
                                GError **err)
{
    struct merged *m = g_new0(struct merged, 1);
    m->view = chainview_new(v->store, v->chain, NULL, err);
    m->layer = g_steal_pointer(&all->layer);
    struct entry_list *entries = entry_list_new();
    g_array_unref(entries->items);
    entries->items = g_steal_pointer(&all->entries);
    struct tree *t = tree_new(entries, name);
    t->open = merged_open;
    t->ensure_digests = merged_ensure;
    t->free = merged_free;
    t->data = m;
    t->rooted = TRUE;
    if (!m->view) {
        tree_free(t);
        return NULL;
    }
    fix_links(t, m);
    return t;
}

struct tree *chainview_tree(struct chainview *v, const char *name, GError **err)
{
    struct run all = run_new();
    add_range(v, "", &all);
    return tree_of_run(v, &all, name, err);
}

/* What some selections can see: whole directories, and single entries on the way to them. */
struct sight {
    struct chainview *view;
    GHashTable *parts; /* path → GINT_TO_POINTER(TRUE): with all below it */
};

static void see(struct sight *s, const char *path, gboolean whole)
{
    gboolean before = GPOINTER_TO_INT(g_hash_table_lookup(s->parts, path));
    g_hash_table_replace(s->parts, g_strdup(path), GINT_TO_POINTER(before || whole));
}

static gboolean seeing_lookup(gpointer ctx, const char *path, struct entry *out)
{
    struct sight *s = ctx;
    see(s, path, FALSE);
    return chainview_lookup(s->view, path, out);
}

/* The place that all matches of sel lie at or below, with *wild when only some of what is there;
 * newly allocated. */
static char *start_of(const struct selection *sel, gboolean *wild)
{
    const char *pivot = sel->parents ? strstr(sel->pattern, "/./") : NULL;
    g_autofree char *before = pivot ? g_strndup(sel->pattern, pivot - sel->pattern) : NULL;
    g_autofree char *clean = resolve_clean(before ? before : sel->parents ? "" : sel->pattern);
    *wild = sel->wildcard && pattern_has_wildcards(clean);
    while (*wild && pattern_has_wildcards(clean)) {
        char *slash = strrchr(clean, '/');
        *(slash ? slash : clean) = '\0';
    }
    return sel->wildcard ? pattern_unescape(clean) : g_steal_pointer(&clean);
}

/* FALSE when sel may need anything of the tree. */
static gboolean see_selection(struct sight *s, const struct selection *sel)
{
    gboolean wild;
    g_autofree char *start = start_of(sel, &wild);
    g_autofree char *dir =
        resolve_path(seeing_lookup, s, "", start, sel->follow || wild, NULL, NULL, NULL);
    if (!dir || *dir == '\0')
        return FALSE;
    see(s, dir, TRUE);
    if (!wild)
        return TRUE;
    /* A match may be a symlink to anywhere. */
    struct run all = run_new();
    add_range(s->view, dir, &all);
    gboolean links = FALSE;
    for (guint i = 0; i < all.entries->len && !links; i++)
        links = run_at(&all, i)->type == ENTRY_SYMLINK;
    selecting_clear(&all);
    return !links;
}

static int compare_paths(const void *a, const void *b)
{
    return entry_path_cmp(*(const char *const *)a, *(const char *const *)b);
}

/* The entries of s in path order: parts within one that was added whole are in it already. */
static struct run run_of_sight(struct sight *s)
{
    struct run all = run_new();
    guint n;
    g_autofree const char **paths = (const char **)g_hash_table_get_keys_as_array(s->parts, &n);
    qsort(paths, n, sizeof *paths, compare_paths);
    const char *whole = NULL;
    for (guint i = 0; i < n; i++) {
        const char *path = paths[i];
        if (whole && entry_path_within(path, whole))
            continue;
        struct entry e;
        if (g_hash_table_lookup(s->parts, path)) {
            whole = path;
            add_range(s->view, path, &all);
        } else if (chainview_lookup(s->view, path, &e)) {
            e.opaque = FALSE;
            run_add(&all, &e,
                    0); /* never opened: selections take nothing that is not in a whole part */
        }
    }
    return all;
}

struct tree *chainview_tree_for(struct chainview *v, const char *name, const struct selection *sels,
                                guint n, GError **err)
{
    g_autoptr(GHashTable) parts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct sight s = {v, parts};
    see(&s, "", FALSE);
    for (guint i = 0; i < n; i++)
        if (!see_selection(&s, &sels[i]))
            return chainview_tree(v, name, err);
    struct run all = run_of_sight(&s);
    return tree_of_run(v, &all, name, err);
}
