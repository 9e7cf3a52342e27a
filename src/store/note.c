#include "store/note.h"

#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define ORIGINS "origins"
#define FAILED_BUILD "failed-build"
#define FAILED_BUILD_KEEP_SECONDS (90 * 24 * 3600)

static char *origins_path(const struct digest *blob)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strconcat(ORIGINS "/", digest_hex(blob, hex), NULL);
}

GBytes *store_origins_load(struct store *s, const struct digest *blob)
{
    g_autofree char *path = origins_path(blob);
    return fs_read(s->fd, path, STORE_ORIGINS_MAX, NULL);
}

void store_origins_save(struct store *s, const struct digest *blob, const void *bytes, gsize len)
{
    g_autofree char *path = origins_path(blob);
    if (len <= STORE_ORIGINS_MAX && fs_mkdir_p(s->fd, ORIGINS, 0755, NULL))
        fs_replace(s->fd, path, bytes, len, 0644, NULL);
}

gboolean store_failed_build_save(struct store *s, const void *bytes, gsize len)
{
    if (bytes && len <= STORE_FAILED_BUILD_MAX)
        return fs_replace(s->fd, FAILED_BUILD, bytes, len, 0600, NULL);
    unlinkat(s->fd, FAILED_BUILD, 0);
    return FALSE;
}

GBytes *store_failed_build_load(struct store *s, GError **err)
{
    fd_auto int fd = openat(s->fd, FAILED_BUILD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0)
        return fs_read_fd(fd, FAILED_BUILD, STORE_FAILED_BUILD_MAX, err);
    error_set_errno(err, errno, "cannot read %s/" FAILED_BUILD, s->root);
    return NULL;
}

/* Only old files: one written since before may belong to a blob that arrived meanwhile. */
static gboolean sweep_origin(int dir_fd, const char *name, GHashTable *named, gint64 before,
                             gboolean dry_run, guint64 *bytes)
{
    struct digest d;
    struct stat st;
    if ((digest_parse_hex(&d, name) && g_hash_table_contains(named, &d)) ||
        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        st.st_mtim.tv_sec >= before || (!dry_run && unlinkat(dir_fd, name, 0) < 0))
        return FALSE;
    *bytes += (guint64)st.st_blocks * 512;
    return TRUE;
}

guint64 notes_sweep(struct store *s, GHashTable *named, gint64 before, gboolean dry_run,
                    guint64 *bytes)
{
    guint64 n = 0;
    struct stat st;
    fd_auto int dir_fd = fs_open_dir(s->fd, ORIGINS, NULL);
    g_autoptr(GPtrArray) names = dir_fd < 0 ? NULL : fs_list(dir_fd, NULL);
    for (guint i = 0; names && i < names->len; i++)
        n += sweep_origin(dir_fd, g_ptr_array_index(names, i), named, before, dry_run, bytes);
    if (!dry_run && fstatat(s->fd, FAILED_BUILD, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        now_seconds() - st.st_mtim.tv_sec > FAILED_BUILD_KEEP_SECONDS)
        unlinkat(s->fd, FAILED_BUILD, 0);
    return n;
}
