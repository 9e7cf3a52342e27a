/* What takes the space (gc.h). */
#include "store/gc.h"

#include "store/internal.h"
#include "store/tally.h"

#include "base/fs.h"

#include <string.h>

/* Adds every name below dir to t; returns how many there are. */
static guint64 weigh_dir(struct store *s, const char *dir, struct tally *t)
{
    fd_auto int fd = fs_open_dir(s->fd, dir, NULL);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : fs_list(fd, NULL);
    for (guint i = 0; names && i < names->len; i++) {
        g_autofree char *path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
        tally_add(t, s, path);
    }
    return names ? names->len : 0;
}

static guint64 weigh(struct store *s, const char *dir, guint64 *bytes)
{
    struct tally t;
    tally_init(&t);
    guint64 n = weigh_dir(s, dir, &t);
    *bytes = t.bytes;
    tally_clear(&t);
    return n;
}

static gboolean count_rows(struct store *s, struct store_usage *out, GError **err)
{
    GError *why = NULL;
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why,
                 "SELECT (SELECT count(*) FROM blobs), (SELECT total(size) FROM blobs),"
                 " (SELECT count(*) FROM images), (SELECT count(*) FROM absent),"
                 " (SELECT total(size) FROM absent),"
                 " (SELECT count(*) FROM layers WHERE id NOT IN (SELECT layer FROM absent))",
                 "");
    if (db_step(s->db, q, &why)) {
        out->blobs = sqlite3_column_int64(q, 0);
        out->blob_bytes = sqlite3_column_int64(q, 1);
        out->images = sqlite3_column_int64(q, 2);
        out->absent = sqlite3_column_int64(q, 3);
        out->absent_bytes = sqlite3_column_int64(q, 4);
        out->layers = sqlite3_column_int64(q, 5);
    }
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

gboolean store_usage(struct store *s, struct store_usage *out, GError **err)
{
    struct gc_options prune = {.dry_run = TRUE};
    struct objects_sum objects;
    memset(out, 0, sizeof *out);
    if (!count_rows(s, out, err) || !store_gc(s, &prune, &out->reclaimable_bytes, NULL, err))
        return FALSE;
    weigh(s, "layers", &out->layer_bytes);
    out->volumes = weigh(s, "volumes", &out->volume_bytes);
    objects_sum(s, &objects, NULL);
    out->objects = objects.count;
    out->object_bytes = objects.bytes;
    out->total_bytes =
        out->layer_bytes + out->blob_bytes + out->volume_bytes + objects.unlinked_bytes;
    return TRUE;
}

gboolean store_volume_bytes(struct store *s, const char *id, guint64 *bytes, GError **err)
{
    g_autoptr(GPtrArray) dirs = volume_dirs(s, id, err);
    struct tally t;
    tally_init(&t);
    for (guint i = 0; dirs && i < dirs->len; i++)
        tally_add(&t, s, g_ptr_array_index(dirs, i));
    *bytes = t.bytes;
    tally_clear(&t);
    return dirs != NULL;
}
