#include "layer/filework.h"

#include "base/error.h"
#include "text/pattern.h"
#include "tree/resolve.h"

#include <string.h>

/* One match being copied. */
struct match {
    const struct selected *s;
    const struct entry *top; /* the match itself */
    char *dst;               /* where it goes, clean */
    gboolean exists;         /* something is there */
    struct entry there;      /* it */
};

static char *join_copy_path(const char *dir, const char *name)
{
    if (*name == '\0')
        return g_strdup(dir);
    return *dir ? g_strconcat(dir, "/", name, NULL) : g_strdup(name);
}

static gboolean wants_dir(const char *path)
{
    return g_str_has_suffix(path, "/") || g_str_has_suffix(path, "/.");
}

/* What must be a directory for dest to be written at: dest itself when it says so, else its parent.
 */
static gboolean ensure_parent(struct filework *w, GError **err)
{
    const char *to = w->a->dest, *slash = strrchr(to, '/');
    g_autofree char *dir = NULL;
    if (wants_dir(to) || w->a->parents)
        dir = g_strdup(to);
    else
        dir = g_strndup(to, slash ? slash - to : 0);
    if (w->a->create_dest_path) {
        g_autofree char *made = filework_make_dirs(w, dir, err);
        return made != NULL;
    }
    gboolean exists;
    struct entry e;
    g_autofree char *clean = dest_resolve(w->dest, "", dir, TRUE, &exists, &e, err);
    if (!clean)
        return FALSE;
    return exists ||
           error_set(err, VARVE_ERROR_NOT_FOUND, "the directory /%s does not exist", clean);
}

/* Decides where the match goes. */
static gboolean aim(struct filework *w, struct match *m, GError **err)
{
    m->dst = dest_resolve(w->dest, "", w->a->dest, TRUE, &m->exists, &m->there, err);
    if (!m->dst)
        return FALSE;
    gboolean dir = m->top->type == ENTRY_DIR;
    gboolean below =
        dir ? !w->a->dir_contents && m->exists : m->exists && m->there.type == ENTRY_DIR;
    if (below) {
        char *whole = join_copy_path(m->dst, m->s->name);
        g_free(m->dst);
        m->dst = whole;
        m->exists = dest_lookup(w->dest, m->dst, &m->there);
    }
    const char *slash = strrchr(m->dst, '/');
    g_autofree char *parent = g_strndup(m->dst, slash ? slash - m->dst : 0);
    struct dest_made made = filework_missing(w);
    return dest_make_dirs(w->dest, parent, &made, err);
}

/* Whether a directory is at path, or can be. */
static gboolean check_dir(struct filework *w, const char *path, gboolean *exists, GError **err)
{
    struct entry there;
    *exists = dest_lookup(w->dest, path, &there);
    return !*exists || there.type == ENTRY_DIR ||
           error_set(err, VARVE_ERROR_FAILED,
                     "cannot copy the directory to /%s: that exists and is not a directory", path);
}

static gboolean copy_dir(struct filework *w, const struct entry *e, gboolean overwrite,
                         GError **err)
{
    gboolean exists;
    if (!check_dir(w, e->path, &exists, err))
        return FALSE;
    if (!exists)
        return dest_make_dir(w->dest, e, err);
    return !overwrite || dest_set_dir(w->dest, e, err);
}

/* Only the contents of the directory from are copied: what they go to is made, as any parent is. */
static gboolean make_top(struct filework *w, const char *path, const struct entry *from,
                         GError **err)
{
    gboolean exists;
    struct dest_made made = filework_missing(w);
    if (!w->a->parents) {
        made.e.mtime_ns = from->mtime_ns;
        made.e.mtime_set = from->mtime_set;
    }
    return check_dir(w, path, &exists, err) && dest_make_dirs(w->dest, path, &made, err);
}

/* Removes a file that is to be replaced. */
static gboolean make_room_for_file(struct filework *w, const char *path, GError **err)
{
    struct entry there;
    if (!dest_lookup(w->dest, path, &there))
        return TRUE;
    if (there.type == ENTRY_DIR)
        return error_set(err, VARVE_ERROR_FAILED, "cannot replace the directory /%s with a file",
                         path);
    return dest_clear(w->dest, path, err);
}

static gboolean copy_link(struct filework *w, const struct match *m, struct entry *e,
                          const struct entry *first, GError **err)
{
    g_autofree char *path = join_copy_path(m->dst, selected_rel(m->s, first));
    return dest_put_link(w->dest, e, path, err);
}

/* Copies one entry of a match. */
static gboolean copy_entry(struct filework *w, const struct match *m, const struct entry *from,
                           GError **err)
{
    g_autofree char *path = join_copy_path(m->dst, selected_rel(m->s, from));
    struct entry e = *from;
    e.path = path;
    e.hardlink = NULL;
    e.opaque = FALSE;
    filework_adjust(w, &e);
    if (e.type == ENTRY_DIR) {
        if (from != m->top)
            return copy_dir(w, &e, TRUE, err);
        if (!w->a->dir_contents)
            return copy_dir(w, &e, FALSE, err);
        return make_top(w, path, from, err);
    }
    if (!make_room_for_file(w, path, err))
        return FALSE;
    const struct entry *first = selected_link(m->s, from);
    if (first)
        return copy_link(w, m, &e, first, err);
    if (e.type == ENTRY_FILE)
        return dest_put_file(w->dest, &e, w->tree, from, err);
    return dest_put_special(w->dest, &e, err);
}

static gboolean copy_match(struct filework *w, const struct selected *s, GError **err)
{
    struct match m = {.s = s, .top = g_ptr_array_index(s->entries, 0)};
    gboolean ok = ensure_parent(w, err) && aim(w, &m, err);
    for (guint i = 0; ok && i < s->entries->len; i++)
        ok = copy_entry(w, &m, g_ptr_array_index(s->entries, i), err);
    g_free(m.dst);
    return ok;
}

static gboolean copy_or_unpack(struct filework *w, const struct selected *s, GError **err)
{
    const struct entry *top = g_ptr_array_index(s->entries, 0);
    gboolean is_archive = FALSE;
    if (w->a->attempt_unpack && top->type == ENTRY_FILE && !filework_unpack(w, s, &is_archive, err))
        return FALSE;
    return is_archive || copy_match(w, s, err);
}

/* Several sources need a directory to go to. */
static gboolean check_single(struct filework *w, GPtrArray *selected, GError **err)
{
    gboolean exists;
    struct entry e;
    if (!w->a->required_single || selected->len < 2 || wants_dir(w->a->dest))
        return TRUE;
    g_autofree char *dst = dest_resolve(w->dest, "", w->a->dest, TRUE, &exists, &e, err);
    if (!dst)
        return FALSE;
    if (exists && e.type == ENTRY_DIR)
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "%s matches %u files, but %s is not a directory", w->a->src,
              selected->len, w->a->dest);
    error_add_next(err, "end the destination with a /");
    return FALSE;
}

void fileop_selection(const struct file_action *a, struct selection *sel)
{
    gboolean wild = a->allow_wildcard && pattern_has_wildcards(a->src);
    *sel = (struct selection){.pattern = a->src,
                              .wildcard = a->allow_wildcard,
                              .follow = a->follow_symlink,
                              .includes = a->includes,
                              .excludes = a->excludes,
                              .parents = a->parents,
                              .required = !(wild && a->allow_empty_wildcard)};
}

gboolean filework_copy(struct filework *w, GError **err)
{
    struct selection sel;
    fileop_selection(w->a, &sel);
    g_autoptr(GPtrArray) selected =
        w->selected ? g_ptr_array_ref(w->selected) : tree_select(w->tree, &sel, err);
    if (!selected || !tree_ensure_selected(w->tree, selected, err) ||
        !check_single(w, selected, err))
        return FALSE;
    for (guint i = 0; i < selected->len; i++)
        if (!copy_or_unpack(w, g_ptr_array_index(selected, i), err))
            return FALSE;
    return dest_flush(w->dest, err); /* the trees may be gone after the action */
}
