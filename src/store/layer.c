/* Layers, their compressed forms and cached members (layer.h). */
#include "store/blob.h"
#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LAYER_COLUMNS "id, indexed, content, size, entries, diff_id, created, last_used"

char *store_layer_path(const char *id)
{
    return g_strconcat("layers/", id, NULL);
}

static void layer_from_row(sqlite3_stmt *q, struct layer_info *out)
{
    memset(out, 0, sizeof *out);
    g_strlcpy(out->id, (const char *)sqlite3_column_text(q, 0), sizeof out->id);
    out->indexed = sqlite3_column_int(q, 1);
    db_col_digest(q, 2, &out->content);
    out->size = sqlite3_column_int64(q, 3);
    out->entries = sqlite3_column_int64(q, 4);
    out->has_diff_id = db_col_digest(q, 5, &out->diff_id);
    out->created = sqlite3_column_int64(q, 6);
    out->last_used = sqlite3_column_int64(q, 7);
    out->unpacked = sqlite3_column_int(q, 8);
}

/* The kernel's randomness: a generator inherited over fork would give two processes the same ids.
 */
gboolean layer_info_new(struct layer_info *info, GError **err)
{
    guint8 random[LAYER_ID_LEN / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_set_errno(err, errno, "getting random bytes for a layer's id");
    for (guint i = 0; i < sizeof random; i++)
        snprintf(info->id + 2 * i, 3, "%02x", random[i]);
    info->created = info->last_used = now_seconds();
    return TRUE;
}

/* Inside a transaction: moves the directory in and writes its row; moves it back when that fails.
 */
static gboolean move_in(struct store *s, const char *tmp, const struct layer_info *info,
                        const char *source, GError **err)
{
    g_autofree char *path = store_layer_path(info->id);
    if (renameat(s->fd, tmp, s->fd, path) < 0)
        return error_set_errno(err, errno, "moving a finished layer into %s/layers", s->root);
    if (db_exec(s->db, err,
                "INSERT INTO layers(" LAYER_COLUMNS ", source) VALUES(?,?,?,?,?,?,?,?,?)",
                "sidiidiis", info->id, (gint64)info->indexed, info->indexed ? &info->content : NULL,
                info->size, info->entries, info->has_diff_id ? &info->diff_id : NULL, info->created,
                info->last_used, source))
        return TRUE;
    renameat(s->fd, path, s->fd, tmp);
    return FALSE;
}

static gboolean commit_row(struct store *s, const char *tmp, struct layer_info *info,
                           const char *source, GError **err)
{
    DB_LOCK(s->db);
    if (!lease_layer(s, info->id))
        return error_set_errno(err, errno, "leasing a new layer in %s", s->root);
    if (!db_begin(s->db, err))
        return FALSE;
    if (!move_in(s, tmp, info, source, err)) {
        db_end(s->db, FALSE, NULL);
        return FALSE;
    }
    if (db_end(s->db, TRUE, err))
        return TRUE;
    g_autofree char *path = store_layer_path(info->id);
    renameat(s->fd, path, s->fd, tmp);
    return FALSE;
}

static gboolean commit_layer(struct store *s, const char *tmp, struct layer_info *info,
                             const char *source, GError **err)
{
    if (layer_info_new(info, err) && commit_row(s, tmp, info, source, err))
        return TRUE;
    store_tmp_discard(s, tmp);
    return FALSE;
}

gboolean store_layer_commit(struct store *s, const char *tmp, struct layer_info *info, GError **err)
{
    struct layer_info fresh = {.indexed = FALSE};
    return commit_layer(s, tmp, info ? info : &fresh, NULL, err);
}

gboolean store_layer_commit_unpacked(struct store *s, const char *tmp, struct layer_info *info,
                                     const char *source, GError **err)
{
    info->unpacked = TRUE;
    return commit_layer(s, tmp, info, source, err);
}

/* For updates of one layer's row. */
static gboolean expect_layer(struct store *s, gboolean ok, const char *id, GError **err)
{
    if (!ok || db_changes(s->db) > 0)
        return ok;
    return error_set(err, VARVE_ERROR_NOT_FOUND, "layer %s is not in the store %s", id, s->root);
}

gboolean store_layer_set_indexed(struct store *s, const struct layer_info *info, GError **err)
{
    DB_LOCK(s->db);
    gboolean ok =
        db_exec(s->db, err, "UPDATE layers SET indexed=1, content=?, size=?, entries=? WHERE id=?",
                "diis", &info->content, info->size, info->entries, info->id);
    return expect_layer(s, ok, info->id, err);
}

gboolean store_layer_set_diff_id(struct store *s, const char *id, const struct digest *diff_id,
                                 GError **err)
{
    DB_LOCK(s->db);
    gboolean ok = db_exec(s->db, err, "UPDATE layers SET diff_id=? WHERE id=?", "ds", diff_id, id);
    return expect_layer(s, ok, id, err);
}

char *store_layer_source(struct store *s, const char *id)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL, "SELECT source FROM layers WHERE id=?", "s", id);
    return db_step(s->db, q, NULL) ? db_col_text(q, 0) : NULL;
}

gboolean store_layer_get(struct store *s, const char *id, struct layer_info *out, GError **err)
{
    DB_LOCK(s->db);
    GError *why = NULL;
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why, "SELECT " LAYER_COLUMNS ", " LAYER_UNPACKED " FROM layers WHERE id=?",
                 "s", id);
    if (db_step(s->db, q, &why)) {
        layer_from_row(q, out);
        return TRUE;
    }
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    return error_set(err, VARVE_ERROR_NOT_FOUND, "layer %s is not in the store %s", id, s->root);
}

static gboolean by_source(struct store *s, const char *source, struct layer_info *out)
{
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL,
                 "SELECT " LAYER_COLUMNS ", " LAYER_UNPACKED
                 " FROM layers WHERE source=? ORDER BY created DESC, id LIMIT 1",
                 "s", source);
    if (!db_step(s->db, q, NULL))
        return FALSE;
    layer_from_row(q, out);
    return TRUE;
}

gboolean store_layer_by_source(struct store *s, const char *source, struct layer_info *out)
{
    DB_LOCK(s->db);
    if (!by_source(s, source, out) || !gate_enter(s))
        return FALSE;
    g_autoptr(chain) one = chain_new();
    chain_append(one, out->id);
    gboolean held = chain_hold(s, one);
    gate_leave(s);
    return held;
}

/* TRUE when the layer's row is there, and its directory unless it is absent. Else errno is ENOENT
 * for one that is gone. */
static gboolean layer_known(struct store *s, const char *id, gint64 *last_used)
{
    g_autoptr(GError) why = NULL;
    db_auto sqlite3_stmt *q = db_query(s->db, &why,
                                       "SELECT last_used, EXISTS(SELECT 1 FROM absent WHERE "
                                       "layer=layers.id) FROM layers WHERE id=?",
                                       "s", id);
    gboolean known = db_step(s->db, q, &why), absent = known && sqlite3_column_int(q, 1);
    errno = why ? EIO : ENOENT;
    if (!known)
        return FALSE;
    *last_used = sqlite3_column_int64(q, 0);
    if (absent)
        return TRUE;
    char path[sizeof "layers//fs" + LAYER_ID_LEN];
    snprintf(path, sizeof path, "layers/%s/fs", id);
    return faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

gboolean chain_known(struct store *s, const struct chain *c)
{
    gint64 last_used;
    for (guint i = 0; i < c->n; i++)
        if (!layer_known(s, c->ids[i], &last_used))
            return FALSE;
    return TRUE;
}

gboolean chain_hold(struct store *s, const struct chain *c)
{
    g_autoptr(chain) more = chain_new();
    gint64 last_used;
    for (guint i = 0; i < c->n; i++) {
        if (lease_has_layer(s, c->ids[i]))
            continue;
        if (!layer_known(s, c->ids[i], &last_used))
            return FALSE;
        touch(s, 'L', c->ids[i], last_used);
        chain_append(more, c->ids[i]);
    }
    return lease_layers(s, more);
}

gboolean store_layer_blob_put(struct store *s, const char *layer_id, const char *variant,
                              const struct layer_blob *b, GError **err)
{
    DB_LOCK(s->db);
    return db_exec(s->db, err,
                   "INSERT OR REPLACE INTO layer_blobs(layer, variant, digest, diff_id, media_type)"
                   " VALUES(?,?,?,?,?)",
                   "ssdds", layer_id, variant, &b->digest, &b->diff_id, b->media_type);
}

static gboolean layer_blob_row(struct store *s, const char *layer_id, const char *variant,
                               struct layer_blob *out)
{
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL,
                 "SELECT digest, diff_id, media_type FROM layer_blobs WHERE layer=? AND variant=?",
                 "ss", layer_id, variant);
    if (!db_step(s->db, q, NULL))
        return FALSE;
    memset(out, 0, sizeof *out);
    db_col_digest(q, 0, &out->digest);
    db_col_digest(q, 1, &out->diff_id);
    g_strlcpy(out->media_type, (const char *)sqlite3_column_text(q, 2), sizeof out->media_type);
    return TRUE;
}

GArray *store_layer_blob_list(struct store *s, const char *layer_id, GError **err)
{
    GError *why = NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(struct layer_variant));
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why, "SELECT variant, digest, diff_id FROM layer_blobs WHERE layer=?", "s",
                 layer_id);
    while (db_step(s->db, q, &why)) {
        struct layer_variant v = {.variant = ""};
        g_strlcpy(v.variant, (const char *)sqlite3_column_text(q, 0), sizeof v.variant);
        db_col_digest(q, 1, &v.blob.digest);
        db_col_digest(q, 2, &v.blob.diff_id);
        g_array_append_val(all, v);
    }
    if (!why)
        return g_steal_pointer(&all);
    g_propagate_error(err, why);
    return NULL;
}

gboolean store_layer_blob_known(struct store *s, const char *layer_id, const char *variant,
                                struct layer_blob *out)
{
    DB_LOCK(s->db);
    return layer_blob_row(s, layer_id, variant, out);
}

gboolean store_layer_blob_find(struct store *s, const char *layer_id, const char *variant,
                               struct layer_blob *out)
{
    return store_layer_blob_known(s, layer_id, variant, out) &&
           store_blob_has(s, &out->digest, &out->size);
}

gboolean store_member_find(struct store *s, const struct digest *raw, const char *variant,
                           struct member_info *out)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(
        s->db, NULL,
        "SELECT m.blob, m.offset, m.size, m.raw_size FROM members m JOIN blobs b ON b.digest=m.blob"
        " WHERE m.raw=? AND m.variant=?",
        "ds", raw, variant);
    if (!db_step(s->db, q, NULL))
        return FALSE;
    db_col_digest(q, 0, &out->blob);
    out->offset = sqlite3_column_int64(q, 1);
    out->size = sqlite3_column_int64(q, 2);
    out->raw_size = sqlite3_column_int64(q, 3);
    return TRUE;
}

gboolean store_member_put(struct store *s, const char *variant, const struct digest *raw,
                          const struct member_info *m, gsize n, GError **err)
{
    DB_LOCK(s->db);
    if (!db_begin(s->db, err))
        return FALSE;
    gboolean ok = TRUE;
    for (gsize i = 0; ok && i < n; i++)
        ok = db_exec(s->db, err,
                     "INSERT OR REPLACE INTO members(raw, variant, blob, offset, size, raw_size)"
                     " VALUES(?,?,?,?,?,?)",
                     "dsdiii", &raw[i], variant, &m[i].blob, m[i].offset, m[i].size, m[i].raw_size);
    return db_end(s->db, ok, err);
}
