#include "snapshot/copytree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "layer/overlaymark.h"
#include "store/layer.h"

#define MAX_DEPTH 1000
#define MAX_XATTRS 65536

/* The state of a copied entry after copying. */
struct seen {
    ino_t ino;
    struct timespec ctime;
    struct timespec born; /* directories: a removed one's number is soon used again; 0: unknown */
    nlink_t links;
    mode_t type;
};
struct copytree {
    GHashTable *seen;    /* path in the tree → struct seen */
    struct chain *chain; /* what was copied */
};
/* One layer being copied. */
struct copier {
    GHashTable *links; /* inode → path of its first copy, for inodes with several names */
    int top;           /* the destination's root */
};

static gboolean copytree_fail(GError **err, const char *doing, const char *path)
{
    return error_set_errno(err, errno, "%s %s while copying layers", doing, path);
}

static gboolean too_deep(GError **err)
{
    return error_set(err, VARVE_ERROR_UNSUPPORTED,
                     "directories nested deeper than %d cannot be copied", MAX_DEPTH);
}

/* from and to are paths that do not end in symlinks to follow (l-calls). */
static gboolean copy_xattrs(const char *from, const char *to, const char *path, GError **err)
{
    g_autofree char *names = g_malloc(MAX_XATTRS), *value = g_malloc(MAX_XATTRS);
    ssize_t len = llistxattr(from, names, MAX_XATTRS);
    if (len < 0)
        return errno == ENOTSUP || copytree_fail(err, "reading attributes of", path);
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        if (overlaymark_is_xattr(name))
            continue;
        ssize_t size = lgetxattr(from, name, value, MAX_XATTRS);
        if (size < 0 || lsetxattr(to, name, value, size, 0) < 0)
            return copytree_fail(err, "copying attributes of", path);
    }
    return TRUE;
}

static gboolean copy_attributes(int in, int out, const char *name, const struct stat *st,
                                const char *path, GError **err)
{
    g_autofree char *from = g_strdup_printf("/proc/self/fd/%d/%s", in, name);
    g_autofree char *to = g_strdup_printf("/proc/self/fd/%d/%s", out, name);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
    if (fchownat(out, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return copytree_fail(err, "setting the owner of", path);
    if (!S_ISLNK(st->st_mode) && fchmodat(out, name, st->st_mode & 07777, 0) < 0)
        return copytree_fail(err, "setting the mode of", path);
    return copy_xattrs(from, to, path, err) &&
           (utimensat(out, name, times, AT_SYMLINK_NOFOLLOW) == 0 ||
            copytree_fail(err, "setting the time of", path));
}

static gboolean copy_content(int in, int out, const char *name, const char *path, GError **err)
{
    fd_auto int from = openat(in, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    fd_auto int to =
        from < 0 ? -1 : openat(out, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return to >= 0 ? fs_copy_fd(from, to, path, err) : copytree_fail(err, "copying", path);
}

/* Anything but a directory, at a name that is free. */
static gboolean copy_leaf(struct copier *c, int in, int out, const char *name,
                          const struct stat *st, const char *path, GError **err)
{
    char target[PATH_MAX + 1];
    gpointer key = GSIZE_TO_POINTER(st->st_ino);
    const char *first = st->st_nlink > 1 ? g_hash_table_lookup(c->links, key) : NULL;
    if (first)
        return linkat(c->top, first, out, name, 0) == 0 || copytree_fail(err, "linking", path);
    if (st->st_nlink > 1)
        g_hash_table_insert(c->links, key, g_strdup(path));
    if (S_ISREG(st->st_mode)) {
        if (!copy_content(in, out, name, path, err))
            return FALSE;
    } else if (S_ISLNK(st->st_mode)) {
        ssize_t len = readlinkat(in, name, target, PATH_MAX);
        target[MAX(len, 0)] = '\0';
        if (len < 0 || symlinkat(target, out, name) < 0)
            return copytree_fail(err, "copying the link", path);
    } else if (mknodat(out, name, st->st_mode, st->st_rdev) < 0) {
        return copytree_fail(err, "making the special file", path);
    }
    return copy_attributes(in, out, name, st, path, err);
}

static gboolean copy_dir(struct copier *c, int in, int out, const char *path, guint depth,
                         GError **err);

/* A directory of the layer: merged with one that is there, unless it is opaque. */
static gboolean copy_subdir(struct copier *c, int in, int out, const char *name,
                            const struct stat *st, const char *path, guint depth, GError **err)
{
    struct stat old;
    fd_auto int from = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return copytree_fail(err, "opening", path);
    gboolean there = fstatat(out, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && (!S_ISDIR(old.st_mode) || overlaymark_is_opaque(from))) {
        if (!fs_remove_tree(out, name, err))
            return FALSE;
        there = FALSE;
    }
    if (!there && mkdirat(out, name, 0700) < 0)
        return copytree_fail(err, "making", path);
    fd_auto int to = openat(out, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return copytree_fail(err, "opening", path);
    return copy_dir(c, from, to, path, depth + 1, err) &&
           copy_attributes(in, out, name, st, path, err);
}

static gboolean copy_entry(struct copier *c, int in, int out, const char *name, const char *path,
                           guint depth, GError **err)
{
    struct stat st;
    if (!work_check(err))
        return FALSE;
    if (fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return copytree_fail(err, "reading", path);
    if (S_ISDIR(st.st_mode))
        return copy_subdir(c, in, out, name, &st, path, depth, err);
    if (!fs_remove_tree(out, name, err))
        return FALSE;
    return entry_is_whiteout(&st) || copy_leaf(c, in, out, name, &st, path, err);
}

static gboolean copy_dir(struct copier *c, int in, int out, const char *path, guint depth,
                         GError **err)
{
    g_autoptr(GPtrArray) names = depth > MAX_DEPTH ? NULL : fs_list(in, err);
    if (!names)
        return depth > MAX_DEPTH ? too_deep(err) : FALSE;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *sub = *path ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
        if (!copy_entry(c, in, out, name, sub, depth, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean copy_layer(struct store *s, const char *id, int out, GError **err)
{
    g_autofree char *layer = store_layer_path(id);
    g_autofree char *path = g_build_filename(layer, "fs", NULL);
    fd_auto int in = fs_open_dir(store_fd(s), path, err);
    if (in < 0)
        return FALSE;
    struct copier c = {.links = g_hash_table_new_full(NULL, NULL, NULL, g_free), .top = out};
    gboolean ok = copy_dir(&c, in, out, "", 0, err);
    g_hash_table_unref(c.links);
    return ok;
}

static struct timespec birth_time(int dir, const char *name)
{
    struct statx x;
    if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &x) < 0 || !(x.stx_mask & STATX_BTIME))
        return (struct timespec){0};
    return (struct timespec){x.stx_btime.tv_sec, x.stx_btime.tv_nsec};
}

static gboolean same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static gboolean note_dir(struct copytree *t, int dir, const char *path, guint depth, GError **err)
{
    g_autoptr(GPtrArray) names = depth > MAX_DEPTH ? NULL : fs_list(dir, err);
    if (!names)
        return depth > MAX_DEPTH ? too_deep(err) : FALSE;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *sub = *path ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
        struct stat st;
        if (!work_check(err))
            return FALSE;
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return copytree_fail(err, "reading", sub);
        struct seen *seen = g_new(struct seen, 1);
        *seen = (struct seen){st.st_ino, st.st_ctim, {0}, st.st_nlink, st.st_mode & S_IFMT};
        if (S_ISDIR(st.st_mode))
            seen->born = birth_time(dir, name);
        g_hash_table_insert(t->seen, g_strdup(sub), seen);
        fd_auto int in = S_ISDIR(st.st_mode)
                             ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                             : -1;
        if (S_ISDIR(st.st_mode) && (in < 0 || !note_dir(t, in, sub, depth + 1, err)))
            return in < 0 ? copytree_fail(err, "opening", sub) : FALSE;
    }
    return TRUE;
}

struct copytree *copytree_new(struct store *s, const struct chain *c, const char *path,
                              GError **err)
{
    g_autoptr(copytree) t = g_new0(struct copytree, 1);
    t->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    t->chain = chain_copy(c);
    fd_auto int out = fs_open_dir(store_fd(s), path, err);
    for (guint i = 0; out >= 0 && i < c->n; i++)
        if (!copy_layer(s, c->ids[i], out, err))
            return NULL;
    if (out < 0 || !note_dir(t, out, "", 0, err))
        return NULL;
    return g_steal_pointer(&t);
}

static gboolean same_content(int a, int b)
{
    char x[16384], y[sizeof x];
    for (off_t at = 0;;) {
        ssize_t n = pread(a, x, sizeof x, at), m = pread(b, y, sizeof y, at);
        if (n != m || n < 0 || memcmp(x, y, n) != 0)
            return FALSE;
        if (n == 0)
            return TRUE;
        at += n;
    }
}

/* Taking the changes out, after the step. */
struct taker {
    struct copytree *t;
    GHashTable *kept; /* paths of seen that are still there with their type */
    struct store *store;
    guint fresh; /* how many directories above are new: all in them belongs to the layer */
};

/* Whether the file at path, unchanged but for its count of links, still is the layers' own: opened
 * there, since a program can set times back. */
static gboolean is_as_below(const struct taker *k, int in, const char *name, const char *path,
                            const struct stat *st)
{
    for (guint i = k->t->chain->n; i-- > 0;) {
        g_autofree char *layer = store_layer_path(k->t->chain->ids[i]);
        g_autofree char *fs = g_build_filename(layer, "fs", NULL);
        fd_auto int root = fs_open_dir(store_fd(k->store), fs, NULL);
        fd_auto int old = root < 0 ? -1 : fs_open_in_root(root, path, O_RDONLY | O_NOFOLLOW, 0);
        struct stat was;
        if (old < 0 || fstat(old, &was) < 0)
            continue;
        fd_auto int now = openat(in, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return now >= 0 && S_ISREG(was.st_mode) && was.st_mode == st->st_mode &&
               was.st_uid == st->st_uid && was.st_gid == st->st_gid && was.st_size == st->st_size &&
               same_time(&was.st_mtim, &st->st_mtim) && same_content(old, now);
    }
    return FALSE;
}

static gboolean is_untouched(const struct taker *k, int in, const char *name, const char *path,
                             const struct seen *old, const struct stat *st)
{
    if (!old || old->ino != st->st_ino || old->type != (st->st_mode & S_IFMT))
        return FALSE;
    if (same_time(&old->ctime, &st->st_ctim))
        return TRUE;
    /* Another name of it was removed, which overlayfs keeps from the layer. */
    return S_ISREG(st->st_mode) && st->st_nlink < old->links && is_as_below(k, in, name, path, st);
}

/* A directory in place of another entry, or of a directory that was removed. */
static gboolean is_replaced(const struct seen *old, int dir, const char *name,
                            const struct stat *st)
{
    struct timespec born = birth_time(dir, name);
    return old && (!S_ISDIR(old->type) || old->ino != st->st_ino || !same_time(&old->born, &born));
}

static gboolean take_dir(struct taker *k, int in, int out, const char *path, guint depth,
                         gboolean *changed, GError **err);

/* A directory stays where it is and is made again in the layer when it or something in it changed.
 */
static gboolean take_subdir(struct taker *k, int in, int out, const char *name,
                            const struct stat *st, const char *path, const struct seen *old,
                            guint depth, gboolean *changed, GError **err)
{
    if (mkdirat(out, name, 0700) < 0)
        return copytree_fail(err, "making", path);
    fd_auto int from = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    fd_auto int to = openat(out, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || to < 0)
        return copytree_fail(err, "opening", path);
    gboolean inside = FALSE, replaced = is_replaced(old, in, name, st);
    k->fresh += replaced;
    if (!take_dir(k, from, to, path, depth + 1, &inside, err))
        return FALSE;
    k->fresh -= replaced;
    gboolean same = old && !replaced && same_time(&old->ctime, &st->st_ctim);
    if (same && !inside)
        return unlinkat(out, name, AT_REMOVEDIR) == 0 || copytree_fail(err, "removing", path);
    *changed = TRUE;
    if (replaced && !overlaymark_set_opaque(to, err))
        return FALSE;
    return copy_attributes(in, out, name, st, path, err);
}

static gboolean take_entry(struct taker *k, int in, int out, const char *name, const char *path,
                           guint depth, gboolean *changed, GError **err)
{
    struct stat st;
    if (!work_check(err))
        return FALSE;
    if (fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return copytree_fail(err, "reading", path);
    const struct seen *old = k->fresh ? NULL : g_hash_table_lookup(k->t->seen, path);
    if (old)
        g_hash_table_add(k->kept, g_strdup(path));
    if (S_ISDIR(st.st_mode))
        return take_subdir(k, in, out, name, &st, path, old, depth, changed, err);
    if (S_ISSOCK(st.st_mode) || is_untouched(k, in, name, path, old, &st))
        return TRUE;
    *changed = TRUE;
    return renameat(in, name, out, name) == 0 || copytree_fail(err, "moving", path);
}

static gboolean take_dir(struct taker *k, int in, int out, const char *path, guint depth,
                         gboolean *changed, GError **err)
{
    g_autoptr(GPtrArray) names = depth > MAX_DEPTH ? NULL : fs_list(in, err);
    if (!names)
        return depth > MAX_DEPTH ? too_deep(err) : FALSE;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *sub = *path ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
        if (!take_entry(k, in, out, name, sub, depth, changed, err))
            return FALSE;
    }
    return TRUE;
}

/* Whiteouts for what is gone, unless a directory above it is gone too or was replaced. */
static gboolean add_whiteouts(struct taker *k, int out, GError **err)
{
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, k->t->seen);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const char *path = key, *slash = strrchr(path, '/');
        if (g_hash_table_contains(k->kept, path))
            continue;
        g_autofree char *above = g_strndup(path, slash ? slash - path : 0);
        fd_auto int dir =
            openat(out, slash ? above : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* The directory's time changed with the removal, so it is in the layer when it still is
         * one. */
        if (dir < 0 || (slash && !g_hash_table_contains(k->kept, above)) ||
            overlaymark_is_opaque(dir))
            continue;
        struct stat st;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
        if (fstat(dir, &st) < 0 || !overlaymark_whiteout(dir, slash ? slash + 1 : path, err))
            return FALSE;
        times[1] = st.st_mtim;
        futimens(dir, times);
    }
    return TRUE;
}

gboolean copytree_take_changes(struct copytree *t, struct store *s, const char *path,
                               const char *into, GError **err)
{
    fd_auto int in = fs_open_dir(store_fd(s), path, err);
    fd_auto int out = in < 0 ? -1 : fs_open_dir(store_fd(s), into, err);
    if (out < 0)
        return FALSE;
    struct taker k = {
        .t = t, .store = s, .kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    gboolean changed = FALSE;
    gboolean ok = take_dir(&k, in, out, "", 0, &changed, err) && add_whiteouts(&k, out, err);
    g_hash_table_unref(k.kept);
    return ok;
}

void copytree_free(struct copytree *t)
{
    if (!t)
        return;
    g_hash_table_unref(t->seen);
    chain_free(t->chain);
    g_free(t);
}
