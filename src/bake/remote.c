#include "bake/remote.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/path.h"
#include "build/fetched.h"
#include "net/url.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* What is at a URL, as a file: no archive has one of this name. */
#define FILE_NAME ".varve bake definition"

void bake_remote_free(struct bake_remote *r)
{
    if (!r)
        return;
    g_free(r->url);
    g_free(r->shown);
    g_free(r->dir);
    g_clear_pointer(&r->file, g_bytes_unref);
    giturl_free(r->git);
    g_free(r->commit);
    g_free(r);
}

gboolean bake_remote_is(const char *word)
{
    g_autoptr(giturl) git = NULL;
    return giturl_is_web(word) || giturl_parse(word, &git, NULL) != GITURL_NONE;
}

static gboolean fetch_repository(struct bake_remote *r, const struct remotes_options *o,
                                 GError **err)
{
    struct source_op op = fetched_git_op(r->git);
    r->dir = fetched_dir(o, &op, &r->commit, err);
    return r->dir != NULL;
}

/* dir has a file that is an archive, or the definition. */
static gboolean use_file(struct bake_remote *r, const struct remotes_options *o, const char *dir,
                         GError **err)
{
    gboolean archive;
    g_autofree char *path = g_build_filename(dir, FILE_NAME, NULL);
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open what %s holds", r->shown);
    if (!fetched_is_archive(fd, r->shown, &archive, err))
        return FALSE;
    if (archive) {
        r->dir = fetched_unpack(o->store, o->cancel, dir, FILE_NAME, r->shown, err);
        return r->dir != NULL;
    }
    r->file = fs_read_fd(fd, r->shown, BAKE_REMOTE_MAX_FILE, err);
    return r->file != NULL;
}

static gboolean fetch_web(struct bake_remote *r, const struct remotes_options *o, GError **err)
{
    struct source_op op = {
        .kind = SOURCE_HTTP, .identifier = r->url, .filename = FILE_NAME, .mode = 0600};
    g_autofree char *dir = fetched_dir(o, &op, NULL, err);
    return dir && use_file(r, o, dir, err);
}

struct bake_remote *bake_remote_fetch(const struct remotes_options *o, const char *url,
                                      GError **err)
{
    g_autoptr(bake_remote) r = g_new0(struct bake_remote, 1);
    r->url = g_strdup(url);
    r->shown = url_shown(url);
    enum giturl_result kind = giturl_parse(url, &r->git, err);
    gboolean ok = kind == GITURL_OK     ? fetch_repository(r, o, err)
                  : kind == GITURL_NONE ? fetch_web(r, o, err)
                                        : FALSE;
    if (ok)
        return g_steal_pointer(&r);
    g_prefix_error(err, "cannot get the definition %s: ", r->shown);
    return NULL;
}

/* What path names inside, with links followed there. -1 with errno. */
static int open_inside(const struct bake_remote *r, const char *path, int flags)
{
    fd_auto int root = open(r->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : fs_open_in_root(root, path, flags | O_CLOEXEC, 0);
}

GBytes *bake_remote_read(const struct bake_remote *r, const char *path, gsize max, GError **err)
{
    return fs_read_inside(r->dir, path, r->shown, max, err);
}

gboolean bake_remote_has(const struct bake_remote *r, const char *path)
{
    fd_auto int fd = open_inside(r, path, O_PATH);
    return fd >= 0;
}

/* The repository at the commit that was read, with a path below the one that the URL names. */
static char *repository_at(const struct bake_remote *r, const char *path)
{
    g_autofree char *sub = path_join(r->git->subdir ? r->git->subdir : "", path, NULL);
    gboolean whole = strcmp(sub, ".") == 0 || strcmp(sub, "/") == 0 || !*sub;
    return g_strconcat(r->git->remote, "#", r->commit, whole ? "" : ":", whole ? "" : sub, NULL);
}

char *bake_remote_context(const struct bake_remote *r, const char *path, GError **err)
{
    g_autofree char *clean = path_clean(path);
    char real[PATH_MAX];
    fd_auto int fd = -1;
    if (strcmp(clean, "..") == 0 || g_str_has_prefix(clean, "../")) {
        error_set(err, VARVE_ERROR_INVALID, "the context %s is outside of %s", path, r->shown);
        error_add_next(err, "cwd://PATH is a directory of this machine");
        return NULL;
    }
    if ((fd = open_inside(r, clean, O_PATH | O_DIRECTORY)) < 0) {
        error_set_errno(err, errno, "the context %s of %s", path, r->shown);
        return NULL;
    }
    if (r->git)
        return repository_at(r, clean);
    g_autofree char *link = fs_fd_path(fd);
    ssize_t n = readlink(link, real, sizeof real);
    if (n < 0 || n >= (ssize_t)sizeof real) {
        error_set_errno(err, n < 0 ? errno : ENAMETOOLONG, "the context %s of %s", path, r->shown);
        return NULL;
    }
    return g_strndup(real, (gsize)n);
}
