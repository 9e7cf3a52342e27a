#include "store/blob.h"
#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void absent_layer_clear(struct absent_layer *a)
{
    g_clear_pointer(&a->below, chain_free);
}

/* The id of the layer with this source, if it is there; mutex held. */
static gboolean known_source(struct store *s, const char *source, char *id, GError **err)
{
    db_auto sqlite3_stmt *q = db_query(
        s->db, err, "SELECT id FROM layers WHERE source=? ORDER BY created DESC, id LIMIT 1", "s",
        source);
    gboolean known = q && db_step(s->db, q, err);
    if (known)
        g_strlcpy(id, (const char *)sqlite3_column_text(q, 0), LAYER_ID_LEN + 1);
    return known;
}

static gboolean insert_rows(struct store *s, const struct absent_layer *a,
                            const struct layer_info *info, const char *source, GError **err)
{
    g_autofree char *below = chain_text(a->below);
    gboolean own = *a->variant != '\0';
    return db_exec(s->db, err,
                   "INSERT INTO layers(id, indexed, content, size, entries, diff_id, source, "
                   "created, last_used) VALUES(?,0,?,?,?,?,?,?,?)",
                   "sdiidsii", info->id, own ? &a->content : NULL, (gint64)a->bytes,
                   (gint64)a->entries, &a->diff_id, source, a->created ? a->created : info->created,
                   info->last_used) &&
           db_exec(s->db, err,
                   "INSERT INTO absent(layer, blob, size, media_type, below, variant, index_blob, "
                   "index_size) VALUES(?,?,?,?,?,?,?,?)",
                   "sdisssdi", info->id, &a->blob, (gint64)a->size, a->media_type, below,
                   own ? a->variant : NULL, own ? &a->index : NULL, (gint64)a->index_size) &&
           (!own || db_exec(s->db, err,
                            "INSERT OR REPLACE INTO layer_blobs(layer, variant, digest, diff_id, "
                            "media_type) VALUES(?,?,?,?,?)",
                            "ssdds", info->id, a->variant, &a->blob, &a->diff_id, a->media_type));
}

/* In a transaction, for another process may be doing the same: *known then. */
static gboolean insert_once(struct store *s, const struct absent_layer *a,
                            const struct layer_info *info, const char *source, gboolean *known,
                            GError **err)
{
    char other[LAYER_ID_LEN + 1];
    GError *why = NULL;
    if (!db_begin(s->db, err))
        return FALSE;
    *known = known_source(s, source, other, &why);
    gboolean ok = *known || (!why && insert_rows(s, a, info, source, &why));
    ok = db_end(s->db, ok, ok ? &why : NULL);
    if (why)
        g_propagate_error(err, why);
    return ok;
}

/* Inside the gate: what is found cannot go away before it is leased. */
static gboolean find_or_insert(struct store *s, struct absent_layer *a, const char *source,
                               GError **err)
{
    struct layer_info info = {.indexed = FALSE};
    for (gboolean known = TRUE;;) {
        GError *why = NULL;
        known = known_source(s, source, a->id, &why);
        if (why) {
            g_propagate_error(err, why);
            return FALSE;
        }
        if (!known && !layer_info_new(&info, err))
            return FALSE;
        if (!known)
            g_strlcpy(a->id, info.id, sizeof a->id);
        if (!lease_layer(s, a->id))
            return error_set_errno(err, errno, "leasing a layer in %s", s->root);
        if (known)
            return TRUE;
        if (!insert_once(s, a, &info, source, &known, err) || !known)
            return !known;
    }
}

gboolean store_absent_put(struct store *s, struct absent_layer *a, const char *source, GError **err)
{
    DB_LOCK(s->db);
    if (!gate_enter(s))
        return error_set_errno(err, errno, "locking %s/layers", s->root);
    gboolean ok = find_or_insert(s, a, source, err);
    gate_leave(s);
    return ok;
}

static void absent_from_row(sqlite3_stmt *q, const char *id, struct absent_layer *out)
{
    memset(out, 0, sizeof *out);
    g_strlcpy(out->id, id, sizeof out->id);
    db_col_digest(q, 0, &out->blob);
    out->size = sqlite3_column_int64(q, 1);
    g_strlcpy(out->media_type, (const char *)sqlite3_column_text(q, 2), sizeof out->media_type);
    out->below = chain_from_text((const char *)sqlite3_column_text(q, 3));
    db_col_digest(q, 4, &out->diff_id);
    const char *variant = (const char *)sqlite3_column_text(q, 5);
    g_strlcpy(out->variant, variant ? variant : "", sizeof out->variant);
    db_col_digest(q, 6, &out->index);
    out->index_size = sqlite3_column_int64(q, 7);
    db_col_digest(q, 8, &out->content);
    out->bytes = sqlite3_column_int64(q, 9);
    out->entries = sqlite3_column_int64(q, 10);
    out->created = sqlite3_column_int64(q, 11);
}

/* Mutex held. */
static gboolean look_absent(struct store *s, const char *id, gboolean *absent,
                            struct absent_layer *out, GError **err)
{
    GError *why = NULL;
    *absent = FALSE;
    if (g_hash_table_contains(s->here, id))
        return TRUE;
    db_auto sqlite3_stmt *q = db_query(
        s->db, &why,
        "SELECT a.blob, a.size, a.media_type, a.below, l.diff_id, a.variant, a.index_blob, "
        "a.index_size, l.content, l.size, l.entries, l.created FROM absent a JOIN layers "
        "l ON l.id=a.layer WHERE a.layer=?",
        "s", id);
    *absent = db_step(s->db, q, &why);
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (*absent && out)
        absent_from_row(q, id, out);
    if (!*absent)
        g_hash_table_add(s->here, g_strdup(id));
    return TRUE;
}

gboolean store_absent_get(struct store *s, const char *id, gboolean *absent,
                          struct absent_layer *out, GError **err)
{
    DB_LOCK(s->db);
    return look_absent(s, id, absent, out, err);
}

gboolean store_chain_absent(struct store *s, const struct chain *c, guint *n, guint64 *bytes,
                            GError **err)
{
    DB_LOCK(s->db);
    *n = 0;
    if (bytes)
        *bytes = 0;
    for (guint i = 0; i < c->n; i++) {
        gboolean absent;
        g_auto(absent_layer) a = {.size = 0};
        if (!look_absent(s, c->ids[i], &absent, &a, err))
            return FALSE;
        *n += absent;
        if (bytes && absent)
            *bytes += a.size;
    }
    return TRUE;
}

/* Puts the directory in its place; what was there (an index alone, or what a killed process left)
 * goes to old. */
static gboolean move_in(struct store *s, const char *tmp, const char *id, const char *old,
                        GError **err)
{
    g_autofree char *path = store_layer_path(id);
    if (renameat(s->fd, path, s->fd, old) < 0 && errno != ENOENT)
        return error_set_errno(err, errno, "moving %s/%s away", s->root, path);
    return renameat(s->fd, tmp, s->fd, path) == 0 ||
           error_set_errno(err, errno, "moving a finished layer into %s/layers", s->root);
}

static gboolean update_rows(struct store *s, const struct layer_info *info, const char *source,
                            GError **err)
{
    return db_exec(s->db, err,
                   "UPDATE layers SET indexed=1, content=?, size=?, entries=?, source=? WHERE id=?",
                   "diiss", &info->content, (gint64)info->size, (gint64)info->entries, source,
                   info->id) &&
           db_exec(s->db, err, "DELETE FROM absent WHERE layer=?", "s", info->id);
}

/* Killed on the way, the layer is still absent, whatever lies in its place. */
static gboolean fill_locked(struct store *s, const char *tmp, const char *old,
                            struct layer_info *info, const char *source, GError **err)
{
    DB_LOCK(s->db);
    if (!db_begin(s->db, err))
        return FALSE;
    gboolean ok = move_in(s, tmp, info->id, old, err) && update_rows(s, info, source, err);
    if (!db_end(s->db, ok, ok ? err : NULL))
        return FALSE;
    g_hash_table_add(s->here, g_strdup(info->id));
    return TRUE;
}

gboolean store_absent_fill(struct store *s, const char *tmp, struct layer_info *info,
                           const char *source, GError **err)
{
    g_autofree char *old = owner_tmp_name(s, err);
    info->unpacked = !g_str_has_prefix(source, STORE_OWN_SOURCE);
    info->created = info->last_used = now_seconds();
    gboolean ok = old && fill_locked(s, tmp, old, info, source, err);
    if (old)
        store_tmp_discard(s, old);
    if (!ok)
        store_tmp_discard(s, tmp);
    return ok;
}

static gboolean move_index(struct store *s, const char *tmp, const char *id, GError **err)
{
    g_autofree char *dir = store_layer_path(id);
    g_autofree char *from = g_strconcat(tmp, "/index", NULL),
                    *to = g_strconcat(dir, "/index", NULL);
    return fs_mkdir_p(s->fd, dir, 0755, err) &&
           (renameat(s->fd, from, s->fd, to) == 0 ||
            error_set_errno(err, errno, "moving an index to %s", dir));
}

/* Inside a transaction, in which garbage collection removes no directory. */
static gboolean index_locked(struct store *s, const char *tmp, const struct layer_info *info,
                             GError **err)
{
    DB_LOCK(s->db);
    if (!db_begin(s->db, err))
        return FALSE;
    gboolean ok =
        move_index(s, tmp, info->id, err) &&
        db_exec(s->db, err, "UPDATE layers SET indexed=1, content=?, size=?, entries=? WHERE id=?",
                "diis", &info->content, (gint64)info->size, (gint64)info->entries, info->id);
    return db_end(s->db, ok, ok ? err : NULL);
}

gboolean store_absent_index(struct store *s, const char *tmp, const struct layer_info *info,
                            GError **err)
{
    gboolean ok = index_locked(s, tmp, info, err);
    store_tmp_discard_later(s, tmp);
    return ok;
}

void store_set_fetcher(struct store *s, struct layer_fetcher *f)
{
    if (s->fetcher)
        s->fetcher->free(s->fetcher);
    s->fetcher = f;
}

static gboolean is_indexed(struct store *s, const char *id)
{
    if (g_hash_table_contains(s->claims, id))
        return TRUE;
    char path[sizeof "layers//index" + LAYER_ID_LEN];
    snprintf(path, sizeof path, "layers/%s/index", id);
    return faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

gboolean store_chain_lacks(struct store *s, const struct chain *c, enum layer_need need,
                           gboolean *missing, GError **err)
{
    DB_LOCK(s->db);
    *missing = FALSE;
    for (guint i = 0; need != NEED_NOTHING && i < c->n && !*missing; i++) {
        if (!look_absent(s, c->ids[i], missing, NULL, err))
            return FALSE;
        *missing = *missing && (need == NEED_FILES || !is_indexed(s, c->ids[i]));
    }
    return TRUE;
}

gboolean store_chain_need(struct store *s, const struct chain *c, enum layer_need need,
                          GError **err)
{
    gboolean missing;
    if (!store_chain_lacks(s, c, need, &missing, err))
        return FALSE;
    if (!missing)
        return TRUE;
    if (s->fetcher)
        return s->fetcher->fetch(s->fetcher, s, c, need, err);
    return error_set(err, VARVE_ERROR_NOT_FOUND,
                     "layers of the image are known in the store %s, but not there", s->root);
}

gboolean store_absent_claim(struct store *s, const char *id, const char *tmp, GError **err)
{
    g_autofree char *index = g_strconcat(tmp, "/index", NULL);
    if (faccessat(s->fd, index, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, errno, "%s/%s", s->root, index);
    DB_LOCK(s->db);
    g_hash_table_replace(s->claims, g_strdup(id), g_strdup(tmp));
    return TRUE;
}

char *store_absent_claimed(struct store *s, const char *id)
{
    DB_LOCK(s->db);
    return g_strdup(g_hash_table_lookup(s->claims, id));
}

void store_layer_lose(struct store *s, const char *id)
{
    DB_LOCK(s->db);
    g_hash_table_add(s->lost, g_strdup(id));
}

void store_blob_lose(struct store *s, const struct digest *blob)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL, "SELECT layer FROM absent WHERE blob=?", "d", blob);
    while (db_step(s->db, q, NULL))
        g_hash_table_add(s->lost, g_strdup((const char *)sqlite3_column_text(q, 0)));
}

gboolean store_chain_is_lost(struct store *s, const struct chain *c)
{
    DB_LOCK(s->db);
    gboolean lost = FALSE;
    for (guint i = 0; i < c->n && !lost && g_hash_table_size(s->lost) > 0; i++)
        lost = g_hash_table_contains(s->lost, c->ids[i]);
    return lost;
}

guint store_layers_lost(struct store *s)
{
    DB_LOCK(s->db);
    return g_hash_table_size(s->lost);
}

gboolean store_blob_need(struct store *s, const struct digest *blob, guint64 size,
                         const char *media_type, GError **err)
{
    gboolean has;
    if (!store_blob_look(s, blob, &has, NULL, err) || has)
        return has;
    if (s->fetcher)
        return s->fetcher->fetch_blob(s->fetcher, s, blob, size, media_type, err);
    g_autofree char *text = digest_text(blob);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "the store %s lacks the blob %s", s->root, text);
}

gboolean store_layer_need(struct store *s, const char *id, enum layer_need need, GError **err)
{
    g_autoptr(chain) one = chain_new();
    chain_append(one, id);
    return store_chain_need(s, one, need, err);
}
