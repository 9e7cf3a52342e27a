/* Records and slots (record.h). */
#include "store/internal.h"

#include "base/error.h"

#include <errno.h>

void record_free(struct record *r)
{
    if (!r)
        return;
    chain_free(r->chain);
    g_free(r->inputs);
    g_free(r);
}

static struct record *record_load(struct store *s, const struct digest *key, gint64 *last_used)
{
    db_auto sqlite3_stmt *q = db_query(
        s->db, NULL,
        "SELECT chain, content, created, duration_us, inputs, last_used, content_key FROM records "
        "WHERE key=?",
        "d", key);
    if (!db_step(s->db, q, NULL))
        return NULL;
    struct record *r = g_new0(struct record, 1);
    r->chain = chain_from_text((const char *)sqlite3_column_text(q, 0));
    db_col_digest(q, 1, &r->content);
    r->created = sqlite3_column_int64(q, 2);
    r->duration_us = sqlite3_column_int64(q, 3);
    r->inputs = db_col_text(q, 4);
    *last_used = sqlite3_column_int64(q, 5);
    db_col_digest(q, 6, &r->content_key);
    return r;
}

struct record *store_record_find(struct store *s, const struct digest *key)
{
    DB_LOCK(s->db);
    gint64 last_used;
    g_autoptr(record) r = record_load(s, key, &last_used);
    if (!r || !gate_enter(s))
        return NULL;
    gboolean held = chain_hold(s, r->chain);
    gate_leave(s);
    if (!held)
        return NULL;
    char hex[DIGEST_HEX_LEN + 1];
    touch(s, 'R', digest_hex(key, hex), last_used);
    return g_steal_pointer(&r);
}

struct record *store_record_peek(struct store *s, const struct digest *key)
{
    DB_LOCK(s->db);
    gint64 last_used;
    g_autoptr(record) r = record_load(s, key, &last_used);
    return r && chain_known(s, r->chain) ? g_steal_pointer(&r) : NULL;
}

gboolean chain_hold_gated(struct store *s, const struct chain *c, const char *what, GError **err)
{
    if (!gate_enter(s))
        return error_set_errno(err, errno, "locking %s/layers", s->root);
    gboolean held = chain_hold(s, c);
    int why = errno;
    gate_leave(s);
    if (held)
        return TRUE;
    if (why != ENOENT)
        return error_set_errno(err, why, "leasing the layers of %s in %s", what, s->root);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "%s names a layer that is not in the store %s",
                     what, s->root);
}

static gboolean write_record(struct store *s, const struct digest *key,
                             const struct digest *content_key, const struct record *r, GError **err)
{
    g_autofree char *ids = chain_text(r->chain);
    gint64 now = now_seconds();
    return db_exec(s->db, err,
                   "INSERT OR REPLACE INTO records(key, chain, content, created, last_used, "
                   "duration_us, inputs, content_key)"
                   " VALUES(?,?,?,?,?,?,?,?)",
                   "dsdiiisd", key, ids, &r->content, r->created ? r->created : now, now,
                   r->duration_us, r->inputs, content_key);
}

gboolean store_record_put(struct store *s, const struct digest *key, const struct record *r,
                          GError **err)
{
    DB_LOCK(s->db);
    return chain_hold_gated(s, r->chain, "a step's result", err) &&
           write_record(s, key, &r->content_key, r, err);
}

char *store_slot_inputs(struct store *s, const char *slot)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL, "SELECT inputs FROM slots WHERE slot=?", "s", slot);
    return db_step(s->db, q, NULL) ? db_col_text(q, 0) : NULL;
}

/* Hits come here, too, usually with what is already written: then nothing is written. */
static gboolean slot_same(struct store *s, const char *slot, const struct digest *key,
                          const char *inputs)
{
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL, "SELECT 1 FROM slots WHERE slot=? AND key IS ? AND inputs IS ?",
                 "sds", slot, key, inputs);
    return db_step(s->db, q, NULL);
}

static gboolean write_slot(struct store *s, const char *slot, const struct digest *key,
                           const char *inputs, GError **err)
{
    return slot_same(s, slot, key, inputs) ||
           db_exec(s->db, err,
                   "INSERT OR REPLACE INTO slots(slot, key, inputs, written) VALUES(?,?,?,?)",
                   "sdsi", slot, key, inputs, now_seconds());
}

gboolean store_result_put(struct store *s, const struct digest *definition,
                          const struct digest *content, const char *slot, const struct record *r,
                          GError **err)
{
    DB_LOCK(s->db);
    if (!chain_hold_gated(s, r->chain, "a step's result", err) || !db_begin(s->db, err))
        return FALSE;
    gboolean ok = write_record(s, definition, content, r, err) &&
                  (!content || write_record(s, content, NULL, r, err)) &&
                  (!slot || write_slot(s, slot, definition, r->inputs, err));
    return db_end(s->db, ok, err);
}
