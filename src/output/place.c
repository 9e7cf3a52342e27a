/* Where an archive goes: a file, which appears when it is complete, or a stream. */
#include "output/exporters.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

gboolean place_named(const char *dest, gboolean ok, GError **err)
{
    if (!ok)
        g_prefix_error(err, "writing %s: ", g_str_equal(dest, "-") ? "to stdout" : dest);
    return ok;
}

gboolean place_open(struct place *p, const char *dest, int stream, GError **err)
{
    gboolean in_place = FALSE;
    *p = (struct place){.fd = -1};
    if (g_str_equal(dest, "-")) {
        p->fd = fcntl(stream, F_DUPFD_CLOEXEC, 0);
        return p->fd >= 0 || error_set_errno(err, errno, "cannot write to stdout");
    }
    g_autofree char *path = fs_destination(dest, &in_place);
    if (in_place) {
        p->fd = open(path, O_WRONLY | O_CLOEXEC);
        return p->fd >= 0 || error_set_errno(err, errno, "cannot write %s", path);
    }
    p->fd = fs_create_beside(AT_FDCWD, path, 0644, &p->tmp, err);
    p->path = g_steal_pointer(&path);
    return p->fd >= 0;
}

gboolean place_close(struct place *p, gboolean ok, guint64 *written, GError **err)
{
    struct stat st;
    if (p->tmp && ok && fstat(p->fd, &st) == 0)
        *written = (guint64)st.st_size;
    if (p->tmp && ok && rename(p->tmp, p->path) < 0)
        ok = error_set_errno(err, errno, "cannot rename %s to %s", p->tmp, p->path);
    if (p->tmp && !ok)
        unlink(p->tmp);
    fd_cleanup(&p->fd);
    g_free(p->path);
    g_free(p->tmp);
    return ok;
}
