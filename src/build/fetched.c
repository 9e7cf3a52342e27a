#include "build/fetched.h"

#include "base/error.h"
#include "base/io.h"
#include "base/sniff.h"
#include "store/layer.h"
#include "tree/scan.h"

#include <errno.h>

char *fetched_dir(const struct remotes_options *o, const struct source_op *op, char **holds,
                  GError **err)
{
    g_autoptr(remotes) r = remotes_new(o);
    g_autoptr(chain) c = remotes_chain(r, op, err);
    g_autofree char *content = c ? remotes_holds(r, op, err) : NULL;
    if (!content)
        return NULL;
    if (holds)
        *holds = g_steal_pointer(&content);
    g_autofree char *layer = store_layer_path(c->ids[c->n - 1]);
    return g_build_filename(store_root(o->store), layer, "fs", NULL);
}

char *fetched_unpack(struct store *s, struct cancel *cancel, const char *dir, const char *name,
                     const char *shown, GError **err)
{
    g_autoptr(tree) t = scan_dir(NULL, dir, NULL, shown, cancel, err);
    g_autofree char *tmp = t ? store_tmp_dir(s, err) : NULL;
    struct layer_info info = {0};
    if (!tmp || !remote_fill(s, cancel, t, name, TRUE, NULL, tmp, &info, err))
        return NULL;
    return g_build_filename(store_root(s), tmp, "fs", NULL);
}

gboolean fetched_is_archive(int fd, const char *shown, gboolean *yes, GError **err)
{
    guint8 head[ARCHIVE_HEAD];
    ssize_t n = io_pread_full(fd, head, ARCHIVE_HEAD, 0);
    if (n < 0)
        return error_set_errno(err, errno, "cannot read %s", shown);
    *yes = n > 0 && archive_sniff(head, n);
    return TRUE;
}

struct source_op fetched_git_op(const struct giturl *git)
{
    return (struct source_op){.kind = SOURCE_GIT,
                              .identifier = git->remote,
                              .ref = git->ref,
                              .commit = git->checksum,
                              .subdir = git->subdir,
                              .keep_git_dir = git->keep_git_dir == GIT_YES,
                              .submodules = git->submodules != GIT_NO,
                              .commit_times = git->commit_times == GIT_YES,
                              .by_commit = git->by_commit};
}
