/* After a restart of the machine (gc.h). The file "boot" in the store holds the kernel's boot_id of
 * the last settling. */
#include "store/gc.h"
#include "store/internal.h"

#include "base/fs.h"

#include <fcntl.h>
#include <string.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_FILE "boot"
#define BOOT_MAX 64
/* Far more than the kernel leaves unwritten (vm.dirty_expire_centisecs is 30 s), for a disk that
 * could not keep up. */
#define WINDOW_SECONDS 600

/* NULL if /proc does not have it. */
static GBytes *boot_now(void)
{
    return fs_read(AT_FDCWD, BOOT_ID, BOOT_MAX, NULL);
}

gboolean store_is_unsettled(struct store *s)
{
    g_autoptr(GBytes) now = boot_now();
    g_autoptr(GBytes) then = fs_read(s->fd, BOOT_FILE, BOOT_MAX, NULL);
    return now && (!then || !g_bytes_equal(now, then));
}

/* When the newest layer or blob was made; 0 without any. */
static gint64 newest(struct store *s)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(s->db, NULL,
                                       "SELECT max((SELECT coalesce(max(created), 0) FROM layers),"
                                       " (SELECT coalesce(max(created), 0) FROM blobs))",
                                       "");
    return db_step(s->db, q, NULL) ? sqlite3_column_int64(q, 0) : 0;
}

gboolean store_settle(struct store *s, const struct fsck_options *o, guint *problems, GError **err)
{
    struct fsck_options recent = *o;
    recent.repair = TRUE;
    recent.since = MAX(newest(s) - WINDOW_SECONDS, 1);
    g_autoptr(GBytes) now = boot_now();
    if (!store_fsck(s, &recent, problems, err))
        return FALSE;
    gsize len = now ? g_bytes_get_size(now) : 0;
    return !now || fs_replace(s->fd, BOOT_FILE, g_bytes_get_data(now, NULL), len, 0644, err);
}
