#include "store/orphans.h"

#include "store/internal.h"
#include "store/tally.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define PARTIAL_KEEP_SECONDS (24 * 3600)
#define STATCACHE_KEEP_SECONDS (30 * 24 * 3600)

static gboolean layer_has_row(struct store *s, const char *name, GError **err)
{
    db_auto sqlite3_stmt *q = db_query(s->db, err, "SELECT 1 FROM layers WHERE id=?", "s", name);
    return q && db_step(s->db, q, err);
}

static gboolean blob_has_row(struct store *s, const char *name, GError **err)
{
    struct digest d;
    if (!digest_parse_hex(&d, name))
        return FALSE;
    db_auto sqlite3_stmt *q = db_query(s->db, err, "SELECT 1 FROM blobs WHERE digest=?", "d", &d);
    return q && db_step(s->db, q, err);
}

static gboolean log_has_row(struct store *s, const char *name, GError **err)
{
    db_auto sqlite3_stmt *q = db_query(s->db, err, "SELECT 1 FROM builds WHERE id=?", "i",
                                       g_ascii_strtoll(name, NULL, 10));
    return q && db_step(s->db, q, err);
}

static const struct place {
    const char *dir;
    gboolean (*has_row)(struct store *s, const char *name, GError **err); /* FALSE also on error */
} places[] = {{"layers", layer_has_row}, {"blobs/sha256", blob_has_row}, {"logs", log_has_row}};

static GPtrArray *list_dir(struct store *s, const char *path)
{
    fd_auto int fd = fs_open_dir(s->fd, path, NULL);
    return fd < 0 ? NULL : fs_list(fd, NULL);
}

/* Adds those of one place; a row that cannot be looked up is not a missing one. */
static gboolean add_orphans(struct store *s, const struct place *p, GPtrArray *paths, GError **err)
{
    g_autoptr(GPtrArray) names = list_dir(s, p->dir);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        GError *why = NULL;
        gboolean known = p->has_row(s, name, &why);
        if (why) {
            g_propagate_error(err, why);
            return FALSE;
        }
        if (!known)
            g_ptr_array_add(paths, g_build_filename(p->dir, name, NULL));
    }
    return TRUE;
}

GPtrArray *orphans_list(struct store *s, GError **err)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    for (guint p = 0; p < G_N_ELEMENTS(places); p++)
        if (!add_orphans(s, &places[p], paths, err))
            return NULL;
    return g_steal_pointer(&paths);
}

char *orphans_trash(struct store *s, GPtrArray *paths, struct tally *tally)
{
    if (paths->len == 0)
        return NULL;
    g_autofree char *trash = store_tmp_dir(s, NULL);
    for (guint i = 0; i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);
        g_autofree char *to = g_strdup_printf("%s/%u", trash ? trash : "", i);
        if (tally)
            tally_add_freed(tally, s, path);
        if (!trash || renameat(s->fd, path, s->fd, to) < 0)
            fs_remove_tree(s->fd, path, NULL); /* a disk so full that no directory can grow */
    }
    return g_steal_pointer(&trash);
}

/* Its flock keeps it from a writer; who opened it before sees that the name is gone. */
static gboolean partial_sweep(int dir_fd, const char *name, gboolean all, gboolean dry_run,
                              guint64 *bytes)
{
    fd_auto int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 ||
        (!all && now_seconds() - st.st_mtim.tv_sec < PARTIAL_KEEP_SECONDS) ||
        flock(fd, LOCK_EX | LOCK_NB) < 0)
        return FALSE;
    if (!dry_run && unlinkat(dir_fd, name, 0) < 0)
        return FALSE;
    *bytes += (guint64)st.st_blocks * 512;
    return TRUE;
}

guint64 partials_sweep(struct store *s, gboolean all, gboolean dry_run, guint64 *bytes)
{
    guint64 n = 0;
    fd_auto int dir_fd = fs_open_dir(s->fd, "blobs/partial", NULL);
    g_autoptr(GPtrArray) names = dir_fd < 0 ? NULL : fs_list(dir_fd, NULL);
    for (guint i = 0; names && i < names->len; i++)
        n += partial_sweep(dir_fd, g_ptr_array_index(names, i), all, dry_run, bytes);
    return n;
}

void statcache_sweep(struct store *s)
{
    fd_auto int dir_fd = fs_open_dir(s->fd, "statcache", NULL);
    g_autoptr(GPtrArray) names = dir_fd < 0 ? NULL : fs_list(dir_fd, NULL);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        struct stat st;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            now_seconds() - st.st_mtim.tv_sec > STATCACHE_KEEP_SECONDS)
            unlinkat(dir_fd, name, 0);
    }
}
