#include "exec/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define MAX_LINKS 40 /* as the kernel */

struct stub {
    int parent;       /* directory it was made in */
    char *path;       /* its path in the root, as asked for */
    const char *name; /* the last component, in path */
    gboolean dir;
    struct timespec before; /* the parent's mtime before it was made */
    struct timespec after;  /* and right after */
};
struct stubs {
    GArray *list; /* of struct stub */
};

static void stub_clear(gpointer p)
{
    struct stub *stub = p;
    fd_cleanup(&stub->parent);
    g_free(stub->path);
}

struct stubs *stubs_new(void)
{
    struct stubs *s = g_new(struct stubs, 1);
    s->list = g_array_new(FALSE, FALSE, sizeof(struct stub));
    g_array_set_clear_func(s->list, stub_clear);
    return s;
}

void stubs_free(struct stubs *s)
{
    if (!s)
        return;
    g_array_unref(s->list);
    g_free(s);
}

/* Makes one missing entry in the open directory parent, whose set-group-id bit a directory
 * inherits; another step may have been faster. */
static gboolean make_entry(int parent, mode_t inherited, const char *path, gboolean dir,
                           GError **err)
{
    const char *name = strrchr(path, '/') + 1;
    if (dir) {
        if (mkdirat(parent, name, 0755) < 0)
            return errno == EEXIST ||
                   error_set_errno(err, errno, "making the directory %s in the root file system",
                                   path);
        return fchmodat(parent, name, 0755 | inherited, 0) == 0 ||
               error_set_errno(err, errno, "setting the mode of %s in the root file system", path);
    }
    fd_auto int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 && errno != EEXIST)
        return error_set_errno(err, errno, "making the file %s in the root file system", path);
    return TRUE;
}

static gboolean make_stub(struct stubs *s, int rootfd, const char *path, gboolean dir, GError **err)
{
    const char *slash = strrchr(path, '/');
    g_autofree char *above = g_strndup(path, slash - path + 1);
    fd_auto int parent = fs_open_in_root(rootfd, above, O_RDONLY | O_DIRECTORY, 0);
    struct stat before, after;
    if (parent < 0 || fstat(parent, &before) < 0)
        return error_set_errno(err, errno, "opening %s in the root file system", above);
    if (!make_entry(parent, before.st_mode & S_ISGID, path, dir, err))
        return FALSE;
    if (!s)
        return TRUE;
    if (fstat(parent, &after) < 0)
        return error_set_errno(err, errno, "reading %s in the root file system", above);
    struct stub stub = {
        .path = g_strdup(path), .dir = dir, .before = before.st_mtim, .after = after.st_mtim};
    stub.parent = fd_steal(&parent);
    stub.name = strrchr(stub.path, '/') + 1;
    g_array_append_val(s->list, stub);
    return TRUE;
}

static gboolean give(int rootfd, const char *path, guint32 uid, guint32 gid, GError **err)
{
    fd_auto int fd = uid || gid ? fs_open_in_root(rootfd, path, O_RDONLY | O_DIRECTORY, 0) : -1;
    if (uid || gid)
        return (fd >= 0 && fchown(fd, uid, gid) == 0) ||
               error_set_errno(err, errno, "giving %s in the root file system to %u:%u", path, uid,
                               gid);
    return TRUE;
}

/* A path on its way through the root. */
struct trail {
    GString *at;  /* what is resolved: absolute, without links; "" is the root */
    GQueue *rest; /* char *: the names that follow */
    int links;    /* followed so far */
};

static void trail_clear(struct trail *t)
{
    g_string_free(t->at, TRUE);
    g_queue_free_full(t->rest, g_free);
}

/* Puts the names of path before the rest. */
static void trail_push(struct trail *t, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    for (guint i = g_strv_length(names); i-- > 0;)
        if (*names[i] && !g_str_equal(names[i], "."))
            g_queue_push_head(t->rest, g_strdup(names[i]));
}

static void trail_up(struct trail *t)
{
    const char *slash = strrchr(t->at->str, '/');
    g_string_truncate(t->at, slash ? slash - t->at->str : 0);
}

/* The last name is the link fd: its target takes its place. */
static gboolean trail_follow(struct trail *t, int fd, GError **err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof target - 1);
    if (n < 0 || ++t->links > MAX_LINKS)
        return error_set_errno(err, n < 0 ? errno : ELOOP,
                               "reading the link %s in the root file system", t->at->str);
    target[n] = '\0';
    trail_up(t);
    if (*target == '/')
        g_string_truncate(t->at, 0);
    trail_push(t, target);
    return TRUE;
}

/* What make_path() makes. */
struct wish {
    struct stubs *stubs; /* remembers what is made; NULL: it lasts */
    int rootfd;
    gboolean dir;      /* at the end of the path; what leads there always is one */
    guint32 uid, gid;  /* of what is made */
    gboolean any_made; /* out */
};

/* One name further, or a link instead of it. */
static gboolean make_next(struct wish *w, struct trail *t, GError **err)
{
    g_autofree char *name = g_queue_pop_head(t->rest);
    if (g_str_equal(name, "..")) {
        trail_up(t);
        return TRUE;
    }
    g_string_append_printf(t->at, "/%s", name);
    gboolean dir = w->dir || !g_queue_is_empty(t->rest);
    struct stat st;
    fd_auto int fd = fs_open_in_root(w->rootfd, t->at->str, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOENT) {
        w->any_made = TRUE;
        return make_stub(w->stubs, w->rootfd, t->at->str, dir, err) &&
               give(w->rootfd, t->at->str, w->uid, w->gid, err);
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set_errno(err, errno, "opening %s in the root file system", t->at->str);
    if (S_ISLNK(st.st_mode))
        return trail_follow(t, fd, err);
    return !dir || S_ISDIR(st.st_mode) ||
           error_set_errno(err, ENOTDIR, "opening %s in the root file system", t->at->str);
}

/* Makes what is missing of path, also where a link leads that leads nowhere yet (/etc/resolv.conf
 * often is one). */
static gboolean make_path(struct wish *w, const char *path, GError **err)
{
    fd_auto int there = fs_open_in_root(w->rootfd, path, O_PATH | (w->dir ? O_DIRECTORY : 0), 0);
    if (there >= 0)
        return TRUE;
    struct trail t = {.at = g_string_new(NULL), .rest = g_queue_new()};
    gboolean ok = TRUE;
    trail_push(&t, path);
    while (ok && !g_queue_is_empty(t.rest))
        ok = make_next(w, &t, err);
    trail_clear(&t);
    return ok;
}

/* One name further, or a link instead of it; *gone is set where nothing exists any more. */
static gboolean resolve_next(stubs_open_fn open, gpointer ctx, struct trail *t, gboolean *gone,
                             GError **err)
{
    g_autofree char *name = g_queue_pop_head(t->rest);
    if (g_str_equal(name, "..")) {
        trail_up(t);
        *gone = FALSE;
        return TRUE;
    }
    g_string_append_printf(t->at, "/%s", name);
    struct stat st;
    fd_auto int fd = *gone ? -1 : open(ctx, t->at->str);
    *gone = fd < 0;
    return fd < 0 || fstat(fd, &st) < 0 || !S_ISLNK(st.st_mode) || trail_follow(t, fd, err);
}

char *stubs_resolve(stubs_open_fn open, gpointer ctx, const char *path, GError **err)
{
    struct trail t = {.at = g_string_new(NULL), .rest = g_queue_new()};
    gboolean ok = TRUE, gone = FALSE;
    trail_push(&t, path);
    while (ok && !g_queue_is_empty(t.rest))
        ok = resolve_next(open, ctx, &t, &gone, err);
    char *at = ok ? g_strdup(t.at->len ? t.at->str : "/") : NULL;
    trail_clear(&t);
    return at;
}

gboolean stubs_make(struct stubs *s, int rootfd, const char *path, gboolean dir, gboolean *made,
                    GError **err)
{
    struct wish w = {.stubs = s, .rootfd = rootfd, .dir = dir};
    gboolean ok = make_path(&w, path, err);
    if (made)
        *made = w.any_made;
    return ok;
}

gboolean stubs_make_lasting(int rootfd, const char *path, guint32 uid, guint32 gid, GError **err)
{
    struct wish w = {.rootfd = rootfd, .dir = TRUE, .uid = uid, .gid = gid};
    return make_path(&w, path, err);
}

static gboolean same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether the program put something there, or removed it (or the directory it was in). */
static gboolean is_theirs(int errnum)
{
    return errnum == ENOTEMPTY || errnum == EEXIST || errnum == ENOENT || errnum == ENOTDIR ||
           errnum == EBUSY;
}

/* *removed: it is gone now. FALSE with errno if it should be but is not. */
static gboolean remove_stub(const struct stub *stub, gboolean *removed)
{
    struct stat st;
    *removed = FALSE;
    if (fstatat(stub->parent, stub->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return is_theirs(errno);
    if (stub->dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode) || st.st_size > 0)
        return TRUE;
    *removed = unlinkat(stub->parent, stub->name, stub->dir ? AT_REMOVEDIR : 0) == 0;
    return *removed || is_theirs(errno);
}

static gboolean remove_one(const struct stub *stub, GPtrArray *touched, GError **err)
{
    struct stat now;
    gboolean removed;
    if (fstat(stub->parent, &now) < 0 || !remove_stub(stub, &removed))
        return error_set_errno(err, errno, "removing the mount point %s after the step",
                               stub->path);
    if (!removed)
        return TRUE;
    gboolean ours = same_time(now.st_mtim, stub->after);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, ours ? stub->before : now.st_mtim};
    if (futimens(stub->parent, times) < 0)
        return error_set_errno(err, errno, "setting the time of what held the mount point %s",
                               stub->path);
    if (touched && ours)
        g_ptr_array_add(touched, g_strndup(stub->path, MAX(stub->name - stub->path - 1, 1)));
    return TRUE;
}

gboolean stubs_remove(struct stubs *s, GPtrArray *touched, GError **err)
{
    gboolean ok = TRUE;
    for (guint i = s->list->len; i-- > 0;)
        ok = remove_one(&g_array_index(s->list, struct stub, i), touched, ok ? err : NULL) && ok;
    g_array_set_size(s->list, 0);
    return ok;
}
