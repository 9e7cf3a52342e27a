/* Garbage collection in three steps: choose the records to drop (only with all; may measure trees,
 * takes no lock), delete rows that nothing keeps (inside the exclusive gate and one transaction),
 * then move files without rows aside and remove them. A crash between the steps leaves files
 * without rows. */
#include "store/gc.h"

#include "store/blob.h"
#include "store/internal.h"
#include "store/orphans.h"
#include "store/tally.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Manifests and indexes; anything larger refers to nothing. */
#define MANIFEST_MAX (4 * 1024 * 1024)
#define HISTORY_KEEP 1000
#define SLOT_KEEP_SECONDS (90 * 24 * 3600)

struct candidate {
    struct digest key;   /* the record's */
    struct chain *chain; /* its layers */
    gint64 last_used;    /* as seen: a record used since then stays */
    gboolean drop;       /* the verdict */
};

struct gc {
    struct store *s;
    const struct gc_options *o;
    GArray *records;    /* struct candidate, most recently used first; empty without all */
    GHashTable *layers; /* ids to keep */
    GHashTable *blobs;  /* digests to keep */
    struct tally tally; /* what is freed */
    guint64 removed;    /* number of things */
    gint64 began;       /* seconds since the epoch: what is written later is kept */
};

static void candidate_clear(gpointer p)
{
    chain_free(((struct candidate *)p)->chain);
}

static void gc_init(struct gc *gc, struct store *s, const struct gc_options *o)
{
    memset(gc, 0, sizeof *gc);
    gc->s = s;
    gc->o = o;
    gc->began = now_seconds();
    gc->records = g_array_new(FALSE, FALSE, sizeof(struct candidate));
    g_array_set_clear_func(gc->records, candidate_clear);
    gc->layers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gc->blobs = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    tally_init(&gc->tally);
}

static void gc_clear(struct gc *gc)
{
    g_array_unref(gc->records);
    g_hash_table_unref(gc->layers);
    g_hash_table_unref(gc->blobs);
    tally_clear(&gc->tally);
}

static void keep_chain(struct gc *gc, const struct chain *c)
{
    for (guint i = 0; c && i < c->n; i++)
        g_hash_table_add(gc->layers, g_strdup(c->ids[i]));
}

static gboolean keep_blob(struct gc *gc, const struct digest *d)
{
    return !digest_is_zero(d) && g_hash_table_add(gc->blobs, g_memdup2(d, sizeof *d));
}

/* Layers of names, and what living processes lease. */
static gboolean keep_roots(struct gc *gc, GError **err)
{
    GError *why = NULL;
    db_auto sqlite3_stmt *q = db_query(
        gc->s->db, &why, "SELECT chain FROM images WHERE name != '' AND chain IS NOT NULL", "");
    while (db_step(gc->s->db, q, &why)) {
        g_autoptr(chain) c = chain_from_text((const char *)sqlite3_column_text(q, 0));
        keep_chain(gc, c);
    }
    g_autoptr(GHashTable) leases = why ? NULL : lease_living(gc->s, &why);
    if (!leases) {
        g_propagate_error(err, why);
        return FALSE;
    }
    GHashTableIter it;
    gpointer line;
    struct digest d;
    g_hash_table_iter_init(&it, leases);
    while (g_hash_table_iter_next(&it, &line, NULL)) {
        if (g_str_has_prefix(line, "L "))
            g_hash_table_add(gc->layers, g_strdup((char *)line + 2));
        else if (g_str_has_prefix(line, "B ") && digest_parse_hex(&d, (char *)line + 2))
            keep_blob(gc, &d);
    }
    return TRUE;
}

static gboolean load_candidates(struct gc *gc, GError **err)
{
    GError *why = NULL;
    DB_LOCK(gc->s->db);
    touch_commit(gc->s);
    if (!keep_roots(gc, err))
        return FALSE;
    db_auto sqlite3_stmt *q = db_query(
        gc->s->db, &why,
        "SELECT key, chain, last_used FROM records ORDER BY last_used DESC, rowid DESC", "");
    while (db_step(gc->s->db, q, &why)) {
        struct candidate c = {.last_used = sqlite3_column_int64(q, 2)};
        db_col_digest(q, 0, &c.key);
        c.chain = chain_from_text((const char *)sqlite3_column_text(q, 1));
        g_array_append_val(gc->records, c);
    }
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

/* Adds a layer's directory and compressed forms to t. */
static void weigh_layer(struct gc *gc, const char *id, struct tally *t)
{
    g_autofree char *path = store_layer_path(id);
    tally_add(t, gc->s, path);
    DB_LOCK(gc->s->db);
    db_auto sqlite3_stmt *q = db_query(gc->s->db, NULL,
                                       "SELECT sum(size) FROM blobs WHERE digest IN"
                                       " (SELECT digest FROM layer_blobs WHERE layer=?)",
                                       "s", id);
    if (db_step(gc->s->db, q, NULL))
        t->bytes += sqlite3_column_int64(q, 0);
}

static gboolean chain_kept(struct gc *gc, const struct chain *c)
{
    for (guint i = 0; i < c->n; i++)
        if (!g_hash_table_contains(gc->layers, c->ids[i]))
            return FALSE;
    return TRUE;
}

/* Weighs what keeping c adds; FALSE when that is more than the budget. */
static gboolean fits(struct gc *gc, const struct candidate *c, struct tally *used)
{
    for (guint i = 0; i < c->chain->n; i++)
        if (!g_hash_table_contains(gc->layers, c->chain->ids[i]))
            weigh_layer(gc, c->chain->ids[i], used);
    return used->bytes <= gc->o->keep_bytes;
}

static void judge(struct gc *gc, struct candidate *c, struct tally *used, gboolean *room)
{
    const struct gc_options *o = gc->o;
    if (chain_kept(gc, c->chain))
        return;
    gboolean recent = o->keep_seconds > 0 && c->last_used >= now_seconds() - o->keep_seconds;
    if (o->keep_bytes > 0 && *room && !fits(gc, c, used))
        *room = FALSE; /* all that was used less recently goes, even if small */
    c->drop = !recent && !(o->keep_bytes > 0 && *room);
    if (!c->drop)
        keep_chain(gc, c->chain);
}

static gboolean choose(struct gc *gc, GError **err)
{
    if (!gc->o->all)
        return TRUE;
    if (!load_candidates(gc, err))
        return FALSE;
    struct tally used;
    tally_init(&used);
    GHashTableIter it;
    gpointer id;
    g_hash_table_iter_init(&it, gc->layers);
    while (gc->o->keep_bytes > 0 && g_hash_table_iter_next(&it, &id, NULL))
        weigh_layer(gc, id, &used);
    gboolean room = TRUE;
    for (guint i = 0; i < gc->records->len; i++)
        judge(gc, &g_array_index(gc->records, struct candidate, i), &used, &room);
    tally_clear(&used);
    g_hash_table_remove_all(gc->layers); /* chosen outside the lock: marked anew inside */
    g_hash_table_remove_all(gc->blobs);
    return TRUE;
}

static gboolean drop_records(struct gc *gc, GError **err)
{
    for (guint i = 0; i < gc->records->len; i++) {
        struct candidate *c = &g_array_index(gc->records, struct candidate, i);
        if (!c->drop)
            continue;
        if (!db_exec(gc->s->db, err, "DELETE FROM records WHERE key=? AND last_used=?", "di",
                     &c->key, c->last_used))
            return FALSE;
        gc->removed += db_changes(gc->s->db);
    }
    return TRUE;
}

static GHashTable *all_layer_ids(struct gc *gc, GError **err)
{
    GError *why = NULL;
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    db_auto sqlite3_stmt *q = db_query(gc->s->db, &why, "SELECT id FROM layers", "");
    while (db_step(gc->s->db, q, &why))
        g_hash_table_add(ids, db_col_text(q, 0));
    if (!why)
        return g_steal_pointer(&ids);
    g_propagate_error(err, why);
    return NULL;
}

static gboolean chain_in(const struct chain *c, GHashTable *ids)
{
    for (guint i = 0; i < c->n; i++)
        if (!g_hash_table_contains(ids, c->ids[i]))
            return FALSE;
    return TRUE;
}

/* Records keep their layers, unless one of those is gone: then the record is of no use. */
static gboolean keep_records(struct gc *gc, GHashTable *present, GError **err)
{
    GError *why = NULL;
    g_autoptr(GArray) dangling = g_array_new(FALSE, FALSE, sizeof(struct digest));
    db_auto sqlite3_stmt *q = db_query(gc->s->db, &why, "SELECT key, chain FROM records", "");
    while (db_step(gc->s->db, q, &why)) {
        g_autoptr(chain) c = chain_from_text((const char *)sqlite3_column_text(q, 1));
        struct digest key;
        db_col_digest(q, 0, &key);
        if (chain_in(c, present))
            keep_chain(gc, c);
        else
            g_array_append_val(dangling, key);
    }
    for (guint i = 0; !why && i < dangling->len; i++)
        if (db_exec(gc->s->db, &why, "DELETE FROM records WHERE key=?", "d",
                    &g_array_index(dangling, struct digest, i)))
            gc->removed++;
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

/* What an absent layer that stays may need to be unpacked upon stays, too. */
static gboolean keep_below(struct gc *gc, GError **err)
{
    GError *why = NULL;
    db_auto sqlite3_stmt *q = db_query(gc->s->db, &why, "SELECT layer, below FROM absent", "");
    while (db_step(gc->s->db, q, &why)) {
        g_autoptr(chain) below = chain_from_text((const char *)sqlite3_column_text(q, 1));
        if (g_hash_table_contains(gc->layers, sqlite3_column_text(q, 0)))
            keep_chain(gc, below);
    }
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

static gboolean delete_layers(struct gc *gc, GHashTable *present, GError **err)
{
    GHashTableIter it;
    gpointer id;
    g_hash_table_iter_init(&it, present);
    while (g_hash_table_iter_next(&it, &id, NULL)) {
        if (g_hash_table_contains(gc->layers, id))
            continue;
        if (!db_exec(gc->s->db, err, "DELETE FROM layers WHERE id=?", "s", id))
            return FALSE;
    }
    return db_exec(gc->s->db, err,
                   "DELETE FROM layer_blobs WHERE layer NOT IN (SELECT id FROM layers)"
                   " OR digest NOT IN (SELECT digest FROM blobs)",
                   "") &&
           db_exec(gc->s->db, err, "DELETE FROM absent WHERE layer NOT IN (SELECT id FROM layers)",
                   "");
}

/* *text: the content of a blob that may be a manifest, index or config, that is, small and an
 * object; else, and for a missing one, NULL. FALSE: it cannot be read, so what it needs is unknown.
 */
static gboolean manifest_text(struct gc *gc, const struct digest *d, GBytes **text, GError **err)
{
    g_autofree char *path = blob_path(d);
    fd_auto int fd = openat(gc->s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    char first = 0;
    *text = NULL;
    if (fd < 0 && errno == ENOENT)
        return TRUE;
    if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, &first, 1, 0) < 0)
        return error_set_errno(err, errno, "cannot read the blob %s; nothing was removed", path);
    if (first == '{' && st.st_size <= MANIFEST_MAX)
        *text = fs_read_fd(fd, path, MANIFEST_MAX, err);
    return *text || first != '{' || st.st_size > MANIFEST_MAX;
}

/* Every digest in a manifest is kept with it: this room need not know the formats. */
static void keep_mentioned(struct gc *gc, GQueue *todo, GBytes *text)
{
    const char *at = g_bytes_get_data(text, NULL);
    while ((at = strstr(at, "sha256:"))) {
        at += strlen("sha256:");
        g_autofree char *hex = g_strndup(at, DIGEST_HEX_LEN);
        struct digest d;
        if (digest_parse_hex(&d, hex) && keep_blob(gc, &d))
            g_queue_push_tail(todo, g_memdup2(&d, sizeof d));
    }
}

static gboolean keep_blob_deep(struct gc *gc, const struct digest *root, GError **err)
{
    g_autoptr(GQueue) todo = g_queue_new();
    if (digest_is_zero(root))
        return TRUE;
    keep_blob(gc, root);
    g_queue_push_tail(todo, g_memdup2(root, sizeof *root));
    gboolean ok = TRUE;
    while (ok && !g_queue_is_empty(todo)) {
        g_autofree struct digest *d = g_queue_pop_head(todo);
        g_autoptr(GBytes) text = NULL;
        ok = manifest_text(gc, d, &text, err);
        if (text)
            keep_mentioned(gc, todo, text);
    }
    g_queue_clear_full(todo, g_free);
    return ok;
}

static gboolean keep_blobs(struct gc *gc, GError **err)
{
    GError *why = NULL;
    struct digest d;
    db_auto sqlite3_stmt *images = db_query(
        gc->s->db, &why, "SELECT manifest, target, config, base FROM images WHERE name != ''", "");
    while (!why && db_step(gc->s->db, images, &why))
        for (int i = 0; !why && i < 4; i++)
            if (db_col_digest(images, i, &d))
                keep_blob_deep(gc, &d, &why);
    db_auto sqlite3_stmt *layers =
        why ? NULL
            : db_query(gc->s->db, &why,
                       "SELECT digest FROM layer_blobs UNION ALL SELECT blob FROM absent", "");
    while (db_step(gc->s->db, layers, &why))
        if (db_col_digest(layers, 0, &d))
            keep_blob(gc, &d);
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

static gboolean delete_blobs(struct gc *gc, GError **err)
{
    GError *why = NULL;
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(struct digest));
    db_auto sqlite3_stmt *q = db_query(gc->s->db, &why, "SELECT digest FROM blobs", "");
    struct digest d;
    while (db_step(gc->s->db, q, &why))
        if (db_col_digest(q, 0, &d) && !g_hash_table_contains(gc->blobs, &d))
            g_array_append_val(gone, d);
    for (guint i = 0; !why && i < gone->len; i++)
        db_exec(gc->s->db, &why, "DELETE FROM blobs WHERE digest=?", "d",
                &g_array_index(gone, struct digest, i));
    if (!why && gone->len > 0)
        db_exec(gc->s->db, &why, "DELETE FROM members WHERE blob NOT IN (SELECT digest FROM blobs)",
                "");
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

static gboolean trim_history(struct gc *gc, GError **err)
{
    return db_exec(gc->s->db, err,
                   "DELETE FROM builds WHERE id <= (SELECT max(id) FROM builds) - ?", "i",
                   (gint64)HISTORY_KEEP) &&
           db_exec(gc->s->db, err,
                   "DELETE FROM steps WHERE build <= (SELECT max(id) FROM builds) - ?", "i",
                   (gint64)HISTORY_KEEP) &&
           db_exec(gc->s->db, err, "DELETE FROM slots WHERE written < ?", "i",
                   now_seconds() - SLOT_KEEP_SECONDS);
}

static gboolean delete_rows(struct gc *gc, GError **err)
{
    if (!keep_roots(gc, err) || !drop_records(gc, err) ||
        !db_exec(gc->s->db, err, "DELETE FROM images WHERE name = ''", ""))
        return FALSE;
    gc->removed += db_changes(gc->s->db);
    g_autoptr(GHashTable) present = all_layer_ids(gc, err);
    return present && keep_records(gc, present, err) && keep_below(gc, err) &&
           delete_layers(gc, present, err) && keep_blobs(gc, err) && delete_blobs(gc, err) &&
           trim_history(gc, err);
}

/* With dry_run the deletions are made, the orphans they leave counted, and all rolled back. */
static gboolean delete_locked(struct gc *gc, GError **err)
{
    DB_LOCK(gc->s->db);
    fd_auto int gate = gate_close(gc->s, err);
    if (gate < 0 || !db_begin(gc->s->db, err))
        return FALSE;
    gboolean ok = delete_rows(gc, err);
    if (!gc->o->dry_run)
        return db_end(gc->s->db, ok, ok ? err : NULL);
    g_autoptr(GPtrArray) orphans = ok ? orphans_list(gc->s, err) : NULL;
    db_end(gc->s->db, FALSE, NULL);
    for (guint i = 0; orphans && i < orphans->len; i++)
        tally_add_freed(&gc->tally, gc->s, g_ptr_array_index(orphans, i));
    gc->removed += orphans ? orphans->len : 0;
    return orphans != NULL;
}

static gboolean remove_orphans(struct gc *gc, GError **err)
{
    g_autofree char *trash = NULL;
    {
        DB_LOCK(gc->s->db);
        if (!db_begin(gc->s->db, err))
            return FALSE;
        g_autoptr(GPtrArray) orphans = orphans_list(gc->s, err);
        if (!orphans)
            return db_end(gc->s->db, FALSE, NULL);
        trash = orphans_trash(gc->s, orphans, &gc->tally);
        gc->removed += orphans->len;
        db_end(gc->s->db, TRUE, NULL); /* wrote nothing */
    }
    store_tmp_discard(gc->s, trash);
    return TRUE;
}

/* One volume, unless it is in use. err is not NULL. */
static gboolean remove_volume(struct gc *gc, const char *name, GError **err)
{
    g_autofree char *path = g_build_filename("volumes", name, NULL);
    g_autofree char *key = g_strdup_printf("use %s", path);
    g_autoptr(store_lock) use = lock_take(gc->s, key, FALSE, FALSE, NULL, NULL, err);
    if (!use)
        return *err == NULL;
    g_autofree char *id = volume_id(gc->s, path, err);
    if (*err || !gc->o->volume(gc->o->ctx, id))
        return *err == NULL;
    tally_add_freed(&gc->tally, gc->s, path);
    gc->removed++;
    return gc->o->dry_run || volume_remove(gc->s, path, err);
}

static gboolean remove_volumes(struct gc *gc, GError **err)
{
    if (!gc->o->volume)
        return TRUE;
    fd_auto int dir = fs_open_dir(gc->s->fd, "volumes", NULL);
    g_autoptr(GPtrArray) names = dir < 0 ? NULL : fs_list(dir, NULL);
    GError *why = NULL;
    for (guint i = 0; names && !why && i < names->len; i++)
        remove_volume(gc, g_ptr_array_index(names, i), &why);
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

/* On a full disk the deletions themselves may need space first. */
static gboolean delete_with_reserve(struct gc *gc, GError **err)
{
    GError *why = NULL;
    if (delete_locked(gc, &why))
        return TRUE;
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_OUTSIDE) && reserve_drop(gc->s)) {
        g_clear_error(&why);
        gc->removed = 0;
        if (delete_locked(gc, &why))
            return TRUE;
    }
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean collect(struct gc *gc, GError **err)
{
    struct objects_sum objects;
    gc->tally.objects = g_hash_table_new(NULL, NULL);
    objects_sum(gc->s, &objects, gc->tally.objects);
    gc->tally.bytes += objects.unlinked_bytes;
    if (!choose(gc, err) || !delete_with_reserve(gc, err))
        return FALSE;
    gc->removed += partials_sweep(gc->s, gc->o->all, gc->o->dry_run, &gc->tally.bytes);
    gc->removed += notes_sweep(gc->s, gc->blobs, gc->began, gc->o->dry_run, &gc->tally.bytes);
    if (gc->o->dry_run)
        return remove_volumes(gc, err);
    if (!remove_orphans(gc, err) || !remove_volumes(gc, err))
        return FALSE;
    objects_sweep(gc->s);
    statcache_sweep(gc->s);
    lock_sweep(gc->s);
    owner_sweep(gc->s);
    reserve_ensure(gc->s);
    return TRUE;
}

gboolean store_gc(struct store *s, const struct gc_options *o, guint64 *freed, guint64 *removed,
                  GError **err)
{
    struct gc gc;
    gc_init(&gc, s, o);
    gboolean ok = collect(&gc, err);
    if (!ok)
        g_prefix_error(err, "pruning the store %s: ", s->root);
    if (freed)
        *freed = gc.tally.bytes;
    if (removed)
        *removed = gc.removed;
    gc_clear(&gc);
    return ok;
}
