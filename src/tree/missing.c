/* The error for a missing path: where it ends, and what may have been meant. */
#include "tree/missing.h"

#include "base/error.h"
#include "base/suggest.h"
#include "text/pattern.h"
#include "tree/resolve.h"

#include <string.h>

#define MAX_NAMES 5000  /* of a directory, compared with the one that was written */
#define MAX_LISTED 6    /* of them, named */
#define MAX_ELSEWHERE 2 /* places of a file of that name, named */

/* Where a path leaves the existing tree. */
struct end {
    const struct tree *tree;
    char *dir;        /* the last directory on the way that exists, "" for the root */
    char *missing;    /* the component that it does not have */
    char *rest;       /* the path behind that, "" or "/…" */
    GPtrArray *names; /* char*: what dir has */
};

static void end_clear(struct end *x)
{
    g_free(x->dir);
    g_free(x->missing);
    g_free(x->rest);
    g_clear_pointer(&x->names, g_ptr_array_unref);
}

static char *below(const char *dir, const char *name)
{
    return *dir ? g_strconcat(dir, "/", name, NULL) : g_strdup(name);
}

static gboolean path_is_there(const struct tree *t, const char *path)
{
    const struct entry *e = NULL;
    g_autofree char *at = tree_resolve(t, path, TRUE, &e, NULL);
    return at && e;
}

static GPtrArray *names_in(const struct tree *t, const char *dir)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    guint lo, hi, from, to;
    if (!tree_range(t, dir, &lo, &hi))
        return names;
    for (guint i = lo + 1; i < hi && names->len < MAX_NAMES; i = to) {
        const struct entry *e = entry_list_at(t->entries, i);
        tree_range(t, e->path, &from, &to);
        const char *slash = strrchr(e->path, '/');
        g_ptr_array_add(names, g_strdup(slash ? slash + 1 : e->path));
    }
    return names;
}

/* FALSE when path cannot be followed at all, or is there. */
static gboolean find_end(const struct tree *t, const char *path, struct end *x)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    *x = (struct end){.tree = t, .dir = g_strdup("")};
    for (char **p = parts; *p; p++) {
        const struct entry *e = NULL;
        g_autofree char *next = below(x->dir, *p);
        g_autofree char *at = tree_resolve(t, next, TRUE, &e, NULL);
        if (!at)
            return FALSE;
        if (!e) {
            g_autofree char *rest = g_strjoinv("/", p + 1);
            x->missing = g_strdup(*p);
            x->rest = g_strconcat(*rest ? "/" : "", rest, NULL);
            x->names = names_in(t, x->dir);
            return TRUE;
        }
        g_free(x->dir);
        x->dir = g_steal_pointer(&at);
    }
    return FALSE;
}

/* The path with the name that is nearest to the one that was written, without the rest where that
 * is not there; NULL: none is near. */
static char *nearest(const struct end *x, gboolean *whole)
{
    const char *near =
        suggest_nearest(x->missing, (const char *const *)x->names->pdata, x->names->len);
    g_autofree char *path = near ? below(x->dir, near) : NULL;
    g_autofree char *full = path ? g_strconcat(path, x->rest, NULL) : NULL;
    *whole = full && path_is_there(x->tree, full);
    return *whole ? g_steal_pointer(&full) : g_steal_pointer(&path);
}

/* A path that ends like the one that was written, where there is hardly another. */
static char *elsewhere(const struct end *x)
{
    const char *slash = strrchr(x->rest, '/'), *base = slash ? slash + 1 : x->missing;
    const struct entry *found = NULL;
    guint n = 0;
    for (guint i = 0; i < entry_list_len(x->tree->entries); i++) {
        const struct entry *e = entry_list_at(x->tree->entries, i);
        const char *cut = strrchr(e->path, '/');
        if (strcmp(cut ? cut + 1 : e->path, base) != 0)
            continue;
        found = found ? found : e;
        n++;
    }
    return n > 0 && n <= MAX_ELSEWHERE ? g_strdup(found->path) : NULL;
}

/* Directories in the root of nearly every image are not worth naming. */
static gboolean is_usual(const struct end *x, const char *name)
{
    static const char *const usual[] = {
        "bin", "boot", "dev",  "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt",
        "opt", "proc", "root", "run", "sbin", "srv", "sys",   "tmp",   "usr",    "var",   NULL};
    return x->tree->rooted && !*x->dir && g_strv_contains(usual, name);
}

/* "/out, /log": what the directory has, when that is not much; else NULL. */
static char *listed(const struct end *x)
{
    g_autoptr(GString) out = g_string_new(NULL);
    guint n = 0;
    for (guint i = 0; i < x->names->len; i++) {
        const char *name = g_ptr_array_index(x->names, i);
        if (is_usual(x, name))
            continue;
        if (++n > MAX_LISTED)
            return NULL;
        g_autofree char *path = below(x->dir, name);
        g_string_append_printf(out, "%s%s%s", n > 1 ? ", " : "", x->tree->rooted ? "/" : "", path);
    }
    return n > 0 ? g_strdup(out->str) : NULL;
}

/* Behind "was not found in": "; did you mean "package.json"?"; newly allocated. */
static char *meant(const struct end *x)
{
    const char *root = x->tree->rooted ? "/" : "";
    gboolean whole;
    g_autofree char *near = nearest(x, &whole);
    g_autofree char *other = whole ? NULL : elsewhere(x);
    g_autofree char *list = near || other ? NULL : listed(x);
    if (near || other)
        return g_strdup_printf("; did you mean \"%s%s\"?", root, other ? other : near);
    if (list)
        return g_strdup_printf("; it has %s", list);
    if (*x->dir)
        return g_strdup_printf("; nothing in %s%s is named %s", root, x->dir, x->missing);
    return g_strdup("");
}

gboolean tree_not_found(const struct tree *t, const char *pattern, const char *path, GError **err)
{
    struct end x = {0};
    if (pattern_has_wildcards(path) || !find_end(t, path, &x)) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "\"%s\" was not found in %s", pattern, t->name);
        end_clear(&x);
        return FALSE;
    }
    g_autofree char *hint = meant(&x);
    g_autofree char *gone = below(x.dir, x.missing);
    if (t->rooted)
        error_set(err, VARVE_ERROR_NOT_FOUND, "\"/%s\" was not found: %s has no /%s%s", pattern,
                  t->name, gone, hint);
    else
        error_set(err, VARVE_ERROR_NOT_FOUND, "\"%s\" was not found in %s%s", pattern, t->name,
                  hint);
    end_clear(&x);
    return FALSE;
}
