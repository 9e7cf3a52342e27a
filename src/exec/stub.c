#include "exec/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

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

/* Makes one missing entry in the open directory parent. */
static gboolean make_entry(int parent, const char *path, gboolean dir, GError **err)
{
    const char *name = strrchr(path, '/') + 1;
    if (dir) {
        if (mkdirat(parent, name, 0755) < 0)
            return error_set_errno(err, errno, "making the directory %s in the root file system",
                                   path);
        return fchmodat(parent, name, 0755, 0) == 0 ||
               error_set_errno(err, errno, "setting the mode of %s in the root file system", path);
    }
    fd_auto int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
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
    if (!make_entry(parent, path, dir, err))
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

/* "/a//b/./c/" gives "/a", "/a/b", "/a/b/c"; ".." is refused (it would be resolved against
 * symlinks). */
static char **ancestry(const char *path, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) at = g_string_new(NULL);
    for (guint i = 0; parts[i]; i++) {
        if (!*parts[i] || g_str_equal(parts[i], "."))
            continue;
        if (g_str_equal(parts[i], "..")) {
            error_set(err, VARVE_ERROR_INVALID, "%s contains \"..\"", path);
            return NULL;
        }
        g_string_append_printf(at, "/%s", parts[i]);
        g_ptr_array_add(paths, g_strdup(at->str));
    }
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_steal(paths, NULL);
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

/* Makes what is missing of path; s NULL: for good. */
static gboolean make_path(struct stubs *s, int rootfd, const char *path, gboolean dir,
                          gboolean *made, guint32 uid, guint32 gid, GError **err)
{
    g_auto(GStrv) paths = ancestry(path, err);
    if (made)
        *made = FALSE;
    if (!paths)
        return FALSE;
    for (guint i = 0; paths[i]; i++) {
        gboolean want_dir = dir || paths[i + 1];
        fd_auto int fd =
            fs_open_in_root(rootfd, paths[i], O_PATH | (want_dir ? O_DIRECTORY : 0), 0);
        if (fd >= 0)
            continue;
        if (errno != ENOENT)
            return error_set_errno(err, errno, "opening %s in the root file system", paths[i]);
        if (!make_stub(s, rootfd, paths[i], want_dir, err) ||
            !give(rootfd, paths[i], uid, gid, err))
            return FALSE;
        if (made)
            *made = TRUE;
    }
    return TRUE;
}

gboolean stubs_make(struct stubs *s, int rootfd, const char *path, gboolean dir, gboolean *made,
                    GError **err)
{
    return make_path(s, rootfd, path, dir, made, 0, 0, err);
}

gboolean stubs_make_lasting(int rootfd, const char *path, guint32 uid, guint32 gid, GError **err)
{
    return make_path(NULL, rootfd, path, TRUE, NULL, uid, gid, err);
}

static gboolean same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static gboolean remove_stub(const struct stub *stub)
{
    struct stat st;
    if (stub->dir)
        return unlinkat(stub->parent, stub->name, AT_REMOVEDIR) == 0;
    return fstatat(stub->parent, stub->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && st.st_size == 0 && unlinkat(stub->parent, stub->name, 0) == 0;
}

void stubs_remove(struct stubs *s, GPtrArray *touched)
{
    for (guint i = s->list->len; i-- > 0;) {
        struct stub *stub = &g_array_index(s->list, struct stub, i);
        struct stat now;
        if (fstat(stub->parent, &now) < 0 || !remove_stub(stub))
            continue;
        gboolean ours = same_time(now.st_mtim, stub->after);
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, ours ? stub->before : now.st_mtim};
        futimens(stub->parent, times);
        if (touched && ours)
            g_ptr_array_add(touched, g_strndup(stub->path, MAX(stub->name - stub->path - 1, 1)));
    }
    g_array_set_size(s->list, 0);
}
