#include "layer/unpackdir.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 40

/* Notes that the result depends on the layers below. FALSE when they are unknown: then it is over.
 */
static gboolean rely_on_parents(struct unpacker *u, const char *path, GError **err)
{
    u->needs_parents = TRUE;
    if (!u->parents)
        return error_set(err, VARVE_ERROR_INVALID, "%s is not in the archive, but needed by it",
                         path);
    if (!u->view)
        u->view = chainview_new(u->store, u->parents, u->cancel, err);
    return u->view != NULL;
}

/* Lower layers cannot be seen below a directory that this layer made opaque. */
static gboolean hidden_by_opaque(const struct unpacker *u, const char *path)
{
    g_autofree char *dir = g_strdup(path);
    for (char *slash; (slash = strrchr(dir, '/'));) {
        *slash = '\0';
        const struct entry *e = unpacker_entry(u, dir);
        if (e && e->opaque)
            return TRUE;
    }
    return FALSE;
}

static gboolean lookup_below(struct unpacker *u, const char *path, struct entry *out)
{
    return !hidden_by_opaque(u, path) && chainview_lookup(u->view, path, out);
}

/* Makes path like the directory below (attributes come at the end), or a plain one. */
static gboolean make_missing(struct unpacker *u, const char *path, const struct entry *below,
                             GError **err)
{
    struct entry e = {.type = ENTRY_DIR, .mode = 0755};
    const struct entry *old = unpacker_entry(u, path);
    gboolean whiteout = old && old->type == ENTRY_WHITEOUT;
    if (below && below->type == ENTRY_DIR && !whiteout)
        e = *below;
    e.path = path;
    e.opaque = whiteout;
    e.ino = 0;
    if (whiteout && unlinkat(u->fs, path, 0) < 0)
        return error_set_errno(err, errno, "cannot replace the whiteout of %s", path);
    if (mkdirat(u->fs, path, 0700) < 0)
        return error_set_errno(err, errno, "cannot create the directory %s", path);
    return unpacker_put(u, &e, err);
}

/* A path on its way from names to a real directory. */
struct walk {
    GString *real; /* resolved so far: real directories only */
    GString *rest; /* components still to come */
    int links;     /* symlinks followed */
};

static gboolean follow_link(struct walk *w, const char *target, GError **err)
{
    if (++w->links > MAX_LINKS)
        return error_set(err, VARVE_ERROR_INVALID, "%s leads through more than %d symlinks",
                         w->real->str, MAX_LINKS);
    if (w->rest->len + strlen(target) + 1 >= TAR_MAX_PATH)
        return error_set(err, VARVE_ERROR_INVALID, "the symlinks behind %s are too long",
                         w->real->str);
    if (*target == '/')
        g_string_truncate(w->real, 0);
    g_string_prepend_c(w->rest, '/');
    g_string_prepend(w->rest, target);
    return TRUE;
}

/* Cuts the next component off rest; FALSE at the end. "." and empty ones are skipped. */
static gboolean next_component(struct walk *w, GString *name)
{
    for (;;) {
        gsize skip = strspn(w->rest->str, "/");
        g_string_erase(w->rest, 0, (gssize)skip);
        if (!w->rest->len)
            return FALSE;
        gsize n = strcspn(w->rest->str, "/");
        g_string_truncate(name, 0);
        g_string_append_len(name, w->rest->str, (gssize)n);
        g_string_erase(w->rest, 0, (gssize)n);
        if (!g_str_equal(name->str, "."))
            return TRUE;
    }
}

/* What is missing in this layer is looked for below. */
static gboolean step_missing(struct unpacker *u, struct walk *w, const char *path, GError **err)
{
    struct entry below;
    const struct entry *old = unpacker_entry(u, path);
    if (old && old->type == ENTRY_WHITEOUT) {
        g_string_assign(w->real, path);
        return make_missing(u, path, NULL, err);
    }
    if (!rely_on_parents(u, path, err))
        return FALSE;
    gboolean found = lookup_below(u, path, &below);
    if (found && below.type == ENTRY_SYMLINK)
        return follow_link(w, below.target, err);
    g_string_assign(w->real, path);
    return make_missing(u, path, found ? &below : NULL, err);
}

static gboolean step_link(struct unpacker *u, struct walk *w, const char *path, GError **err)
{
    char target[TAR_MAX_PATH];
    ssize_t n = readlinkat(u->fs, path, target, sizeof target - 1);
    if (n < 0)
        return error_set_errno(err, errno, "cannot read the symlink %s", path);
    target[n] = '\0';
    return follow_link(w, target, err);
}

static gboolean walk_unpacked(struct unpacker *u, struct walk *w, const char *name, GError **err)
{
    struct stat st;
    if (g_str_equal(name, "..")) {
        char *slash = strrchr(w->real->str, '/');
        g_string_truncate(w->real, slash ? (gsize)(slash - w->real->str) : 0);
        return TRUE;
    }
    g_autofree char *path = g_strconcat(w->real->str, w->real->len ? "/" : "", name, NULL);
    if (strlen(path) >= TAR_MAX_PATH)
        return error_set(err, VARVE_ERROR_INVALID, "the path %.64s… is too long", path);
    const struct entry *e = unpacker_entry(u, path);
    if (e && e->type == ENTRY_WHITEOUT)
        return step_missing(u, w, path, err);
    if (fstatat(u->fs, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? step_missing(u, w, path, err)
                               : error_set_errno(err, errno, "cannot look at %s", path);
    if (S_ISLNK(st.st_mode))
        return step_link(u, w, path, err);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, VARVE_ERROR_INVALID, "%s is not a directory, but has something in it",
                         path);
    g_string_assign(w->real, path);
    return TRUE;
}

gboolean unpackdir_resolve(struct unpacker *u, GString *dir, GError **err)
{
    struct walk w = {g_string_new(NULL), g_string_new(dir->str), 0};
    GString *name = g_string_new(NULL);
    gboolean ok = TRUE;
    while (ok && next_component(&w, name))
        ok = walk_unpacked(u, &w, name->str, err);
    if (ok)
        g_string_assign(dir, w.real->str);
    g_string_free(w.real, TRUE);
    g_string_free(w.rest, TRUE);
    g_string_free(name, TRUE);
    return ok;
}

static gboolean copy_file(struct unpacker *u, const struct entry *below, GError **err)
{
    struct entry e = *below;
    e.hardlink = NULL;
    e.ino = 0;
    fd_auto int from = u->files.skeleton ? -1 : u->parent_tree->open(u->parent_tree, below, err);
    if (from < 0 && !u->files.skeleton)
        return FALSE;
    fd_auto int to =
        openat(u->fs, e.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, e.mode & 0777);
    if (to < 0)
        return error_set_errno(err, errno, "cannot create %s", e.path);
    return unpack_file_copy(&u->files, to, from, &e, err) && unpacker_put(u, &e, err);
}

gboolean unpackdir_copy_up(struct unpacker *u, const char *path, GError **err)
{
    if (!rely_on_parents(u, path, err))
        return FALSE;
    if (!u->parent_tree)
        u->parent_tree = chainview_tree(u->view, "the layers below", err);
    if (!u->parent_tree)
        return FALSE;
    const struct entry *whiteout = unpacker_entry(u, path);
    const struct entry *below = entry_list_find(u->parent_tree->entries, path);
    if (whiteout || !below || below->type != ENTRY_FILE || hidden_by_opaque(u, path))
        return error_set(
            err, VARVE_ERROR_INVALID,
            "a hard link leads to %s, which is not a file of this layer or those below", path);
    return copy_file(u, below, err);
}

static gboolean finish_dir(struct unpacker *u, struct entry *e, GError **err)
{
    fd_auto int fd = dircache_open_beneath(u->fs, e->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the directory %s", e->path);
    struct xattr *own = (struct xattr *)e->xattrs; /* a table of our list */
    if (!unpack_dir_attributes(&u->files, fd, e, err))
        return FALSE;
    for (guint i = 0; i < e->n_xattrs; i++)
        own[i] = e->xattrs[i];
    e->xattrs = own;
    return TRUE;
}

gboolean unpackdir_finish(struct unpacker *u, GError **err)
{
    for (guint i = entry_list_len(u->entries); i-- > 0;) {
        struct entry *e = entry_list_at(u->entries, i);
        if (e->type == ENTRY_DIR && !finish_dir(u, e, err))
            return FALSE;
    }
    return TRUE;
}
