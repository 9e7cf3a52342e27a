#include "tree/tree.h"

#include "base/error.h"
#include "tree/resolve.h"

#include <string.h>

struct tree *tree_new(struct entry_list *entries, const char *name)
{
    struct tree *t = g_new0(struct tree, 1);
    t->entries = entries;
    t->name = g_strdup(name);
    g_mutex_init(&t->lock);
    return t;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    if (t->free)
        t->free(t);
    entry_list_free(t->entries);
    g_mutex_clear(&t->lock);
    g_free(t->name);
    g_free(t);
}

/* First entry from lo on that does not come before path. */
static guint lower_bound(const struct tree *t, guint lo, const char *path)
{
    guint hi = entry_list_len(t->entries);
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (entry_path_cmp(entry_list_at(t->entries, mid)->path, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

gboolean tree_range(const struct tree *t, const char *dir, guint *lo, guint *hi)
{
    guint n = entry_list_len(t->entries), from = lower_bound(t, 0, dir);
    if (from == n || strcmp(entry_list_at(t->entries, from)->path, dir) != 0)
        return FALSE;
    guint a = from + 1, b = n; /* what is below dir follows it directly */
    while (a < b) {
        guint mid = a + (b - a) / 2;
        if (entry_path_within(entry_list_at(t->entries, mid)->path, dir))
            a = mid + 1;
        else
            b = mid;
    }
    *lo = from;
    *hi = a;
    return TRUE;
}

static gboolean tree_lookup_at(gpointer ctx, const char *path, struct entry *out)
{
    const struct tree *t = ctx;
    const struct entry *e = entry_list_find(t->entries, path);
    if (e)
        *out = *e;
    return e != NULL;
}

char *tree_resolve(const struct tree *t, const char *path, gboolean follow,
                   const struct entry **entry, GError **err)
{
    gboolean exists;
    char *clean = resolve_path(tree_lookup_at, (gpointer)t, "", path, follow, &exists, NULL, err);
    if (!clean)
        g_prefix_error(err, "in %s: ", t->name);
    else if (entry)
        *entry = exists ? entry_list_find(t->entries, clean) : NULL;
    return clean;
}
