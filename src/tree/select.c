#include "base/error.h"
#include "text/ignore.h"
#include "text/pattern.h"
#include "tree/missing.h"
#include "tree/resolve.h"
#include "tree/tree.h"

#include <string.h>

static void selected_free(gpointer p)
{
    struct selected *s = p;
    g_free(s->path);
    g_free(s->name);
    g_ptr_array_unref(s->entries);
    if (s->links)
        g_hash_table_unref(s->links);
    g_free(s);
}

/* A selection under way. */
struct selector {
    struct tree *tree;
    const struct selection *sel;
    struct ignore *includes; /* NULL: everything */
    struct ignore *excludes; /* NULL: nothing */
    GPtrArray *out;          /* struct selected* */
};

const char *selected_rel(const struct selected *s, const struct entry *e)
{
    gsize len = strlen(s->path);
    if (len == 0 || e->path[len] == '\0')
        return e->path + len;
    return e->path + len + 1;
}

/* Adds the directories in pending that lie above e: they come along though they were not selected
 * themselves. */
static void flush_pending(struct selected *s, GPtrArray *pending, struct entry *e)
{
    for (guint i = 0; i < pending->len; i++) {
        struct entry *dir = g_ptr_array_index(pending, i);
        if (!entry_path_within(e->path, dir->path))
            break;
        g_ptr_array_add(s->entries, dir);
    }
    g_ptr_array_set_size(pending, 0);
}

/* Keeps e in pending, whose members lie one below the other. */
static void push_pending(GPtrArray *pending, struct entry *e)
{
    while (pending->len > 0) {
        struct entry *top = g_ptr_array_index(pending, pending->len - 1);
        if (entry_path_within(e->path, top->path))
            break;
        g_ptr_array_set_size(pending, pending->len - 1);
    }
    g_ptr_array_add(pending, e);
}

static void select_filtered(struct selector *x, struct selected *s, guint lo, guint hi)
{
    g_autoptr(GPtrArray) pending = g_ptr_array_new();
    for (guint i = lo; i < hi; i++) {
        struct entry *e = entry_list_at(x->tree->entries, i);
        const char *rel = selected_rel(s, e);
        gboolean excluded = x->excludes && ignore_match(x->excludes, rel);
        if (!excluded && (!x->includes || ignore_match(x->includes, rel))) {
            flush_pending(s, pending, e);
            g_ptr_array_add(s->entries, e);
            continue;
        }
        if (e->type != ENTRY_DIR)
            continue;
        push_pending(pending, e);
        guint from, to;
        if (excluded && ignore_can_skip_dir(x->excludes, rel) &&
            tree_range(x->tree, e->path, &from, &to))
            i = to - 1;
    }
}

static struct entry *entry_of(gconstpointer entries, guint i)
{
    return g_ptr_array_index((const GPtrArray *)entries, i);
}

/* Fills links: the first selected name of each inode is the file, the others are links to it. */
static void find_links(struct selected *s)
{
    g_autoptr(GHashTable) first = NULL; /* hardlink text → first selected entry of that inode */
    for (guint i = 0; i < s->entries->len; i++) {
        struct entry *e = g_ptr_array_index(s->entries, i);
        if (!e->hardlink)
            continue;
        if (!first)
            first = g_hash_table_new(g_str_hash, g_str_equal);
        struct entry *primary = g_hash_table_lookup(first, e->hardlink);
        if (!primary) {
            primary = entry_search(entry_of, s->entries, s->entries->len, e->hardlink);
            primary = primary ? primary : e;
            g_hash_table_insert(first, (gpointer)e->hardlink, primary);
        }
        if (primary == e)
            continue;
        if (!s->links)
            s->links = g_hash_table_new(NULL, NULL);
        g_hash_table_insert(s->links, e, primary);
    }
}

const struct entry *selected_link(const struct selected *s, const struct entry *e)
{
    return s->links ? g_hash_table_lookup(s->links, e) : NULL;
}

/* Adds the match at path (named so by the user), following it when wanted. */
static gboolean add_match(struct selector *x, const char *path, GError **err)
{
    const struct entry *e;
    g_autofree char *resolved = tree_resolve(x->tree, path, x->sel->follow, &e, err);
    if (!resolved)
        return FALSE;
    if (!e)
        return error_set(err, VARVE_ERROR_NOT_FOUND,
                         "\"%s\" is a dangling symlink in %s (/%s does not exist)", path,
                         x->tree->name, resolved);
    struct selected *s = g_new0(struct selected, 1);
    const char *slash = strrchr(path, '/');
    s->name = g_strdup(slash ? slash + 1 : path);
    s->path = g_steal_pointer(&resolved);
    s->entries = g_ptr_array_new();
    g_ptr_array_add(x->out, s);
    guint lo = 0, hi = 0;
    tree_range(x->tree, s->path, &lo, &hi);
    g_ptr_array_add(s->entries, entry_list_at(x->tree->entries, lo));
    if (x->includes || x->excludes)
        select_filtered(x, s, lo + 1, hi);
    else
        for (guint i = lo + 1; i < hi; i++)
            g_ptr_array_add(s->entries, entry_list_at(x->tree->entries, i));
    find_links(s);
    return TRUE;
}

/* Adds what matches the components part[0..] below dir. Recursion is as deep as the pattern has
 * components, of which select_wildcard limits the number. */
static gboolean match_below(struct selector *x, const char *dir, char **part, GError **err)
{
    guint lo, hi, from, to;
    if (!tree_range(x->tree, dir, &lo, &hi))
        return TRUE;
    for (guint i = lo + 1; i < hi; i = to) {
        const struct entry *e = entry_list_at(x->tree->entries, i);
        tree_range(x->tree, e->path, &from, &to);
        const char *slash = strrchr(e->path, '/');
        if (!pattern_match(part[0], slash ? slash + 1 : e->path))
            continue;
        if (!part[1] && !add_match(x, e->path, err))
            return FALSE;
        if (part[1] && e->type == ENTRY_DIR && !match_below(x, e->path, part + 1, err))
            return FALSE;
    }
    return TRUE;
}

#define MAX_PATTERN_PARTS 256

/* clean: the pattern, with wildcards. The components before the first wildcard are a path. */
static gboolean select_wildcard(struct selector *x, const char *clean, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(clean, "/", -1);
    guint n = g_strv_length(parts), i = 0;
    if (n > MAX_PATTERN_PARTS)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the pattern %.100s… has more than %d components", clean,
                         MAX_PATTERN_PARTS);
    for (guint k = 0; k < n; k++)
        if (!pattern_check(parts[k], err))
            return FALSE;
    g_autoptr(GString) prefix = g_string_new(NULL);
    for (; !pattern_has_wildcards(parts[i]); i++) {
        g_autofree char *plain = pattern_unescape(parts[i]);
        g_string_append_printf(prefix, "/%s", plain);
    }
    const struct entry *e;
    g_autofree char *base = tree_resolve(x->tree, prefix->str, TRUE, &e, err);
    if (base && !e)
        return error_set(err, VARVE_ERROR_NOT_FOUND,
                         "\"%s\" matches nothing in %s: there is no directory %s", clean,
                         x->tree->name, prefix->str);
    return base && match_below(x, base, parts + i, err);
}

static gboolean select_path(struct selector *x, const char *clean, GError **err)
{
    g_autofree char *plain = x->sel->wildcard ? pattern_unescape(clean) : g_strdup(clean);
    const struct entry *e;
    g_autofree char *there = tree_resolve(x->tree, plain, FALSE, &e, err);
    if (!there)
        return FALSE;
    return !e || add_match(x, plain, err);
}

/* The include pattern that --parents makes of the pattern's end, newly allocated; NULL without.
 * *start gets the rest of the pattern, cleaned. */
static char *split_pattern(const struct selection *sel, char **start)
{
    const char *pivot = sel->parents ? strstr(sel->pattern, "/./") : NULL;
    g_autofree char *before = pivot ? g_strndup(sel->pattern, pivot - sel->pattern) : NULL;
    const char *whole = sel->parents ? "" : sel->pattern;
    *start = resolve_clean(before ? before : whole);
    g_autofree char *kept = sel->parents ? resolve_clean(pivot ? pivot + 3 : sel->pattern) : NULL;
    return kept && *kept ? g_steal_pointer(&kept) : NULL;
}

static gboolean init_filters(struct selector *x, const char *kept, GError **err)
{
    const char *const one[] = {kept, NULL};
    const char *const *includes = kept ? one : x->sel->includes;
    if (includes && !(x->includes = ignore_new(includes, err)))
        return FALSE;
    return !x->sel->excludes || (x->excludes = ignore_new(x->sel->excludes, err)) != NULL;
}

/* TRUE when something matched; with --parents, when something was included too. */
static gboolean found(const struct selector *x)
{
    for (guint i = 0; i < x->out->len; i++) {
        const struct selected *s = g_ptr_array_index(x->out, i);
        if (!x->sel->parents || !x->includes || s->entries->len > 1)
            return TRUE;
    }
    return FALSE;
}

GPtrArray *tree_select(struct tree *t, const struct selection *sel, GError **err)
{
    g_autofree char *start = NULL;
    g_autofree char *kept = split_pattern(sel, &start);
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(selected_free);
    struct selector x = {t, sel, NULL, NULL, out};
    gboolean ok = init_filters(&x, kept, err);
    if (ok && sel->wildcard && pattern_has_wildcards(start))
        ok = select_wildcard(&x, start, err);
    else if (ok)
        ok = select_path(&x, start, err);
    if (ok && sel->required && !found(&x)) {
        const char *rest = x.out->len > 0 && kept ? kept : "";
        g_autofree char *path = g_strconcat(start, *start && *rest ? "/" : "", rest, NULL);
        ok = tree_not_found(t, sel->pattern, path, err);
    }
    ignore_free(x.includes);
    ignore_free(x.excludes);
    return ok ? g_steal_pointer(&out) : NULL;
}

gboolean tree_ensure_selected(struct tree *t, GPtrArray *selected, GError **err)
{
    g_autoptr(GPtrArray) todo = g_ptr_array_new();
    for (guint i = 0; i < selected->len; i++) {
        const struct selected *s = g_ptr_array_index(selected, i);
        for (guint k = 0; k < s->entries->len; k++) {
            const struct entry *e = g_ptr_array_index(s->entries, k);
            if (!e->has_digest && e->type != ENTRY_DIR && e->type != ENTRY_SYMLINK)
                g_ptr_array_add(todo, (gpointer)e);
        }
    }
    return todo->len == 0 || t->ensure_digests(t, todo, err);
}

static void hash_selected(const struct selected *s, struct hasher *h)
{
    hasher_add_str(h, s->name);
    hasher_add_u64(h, s->entries->len);
    for (guint k = 0; k < s->entries->len; k++) {
        struct entry e = *(const struct entry *)g_ptr_array_index(s->entries, k);
        const struct entry *link = selected_link(s, g_ptr_array_index(s->entries, k));
        e.hardlink = link ? selected_rel(s, link) : NULL;
        if (e.type == ENTRY_DIR)
            e.opaque = FALSE; /* concerns layers, not the tree */
        entry_hash(&e, selected_rel(s, &e), h);
    }
}

gboolean tree_selection_digest(struct tree *t, GPtrArray *selected, struct digest *out,
                               GError **err)
{
    if (!tree_ensure_selected(t, selected, err))
        return FALSE;
    g_autoptr(hasher) h = hasher_new();
    hasher_add_u64(h, selected->len);
    for (guint i = 0; i < selected->len; i++)
        hash_selected(g_ptr_array_index(selected, i), h);
    hasher_final(h, out);
    return TRUE;
}
