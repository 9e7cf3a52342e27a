/* Volumes (images.h): directories volumes/<hex of the id>[-<instance>]. A row is written once the
 * volume is filled; a directory without one was left by a process that died filling it, and is
 * emptied.
 *
 * Two locks per directory: "use", shared by all who have it, exclusive for garbage collection; and
 * "fill", exclusive while it is being filled or while sharing is locked or private. */
#include "store/images.h"

#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define INSTANCES_MAX 1000

static gboolean take_use(struct volume *v, struct cancel *c, GError **err)
{
    g_autofree char *name = g_strdup_printf("use %s", v->dir);
    v->lock = lock_take(v->store, name, TRUE, TRUE, c, NULL, err);
    return v->lock != NULL;
}

/* FALSE with *err unset: it is in use and wait is FALSE. */
static gboolean take_fill(struct volume *v, gboolean wait, struct cancel *c, GError **err)
{
    g_autofree char *name = g_strdup_printf("fill %s", v->dir);
    v->fill = lock_take(v->store, name, FALSE, wait, c, NULL, err);
    return v->fill != NULL;
}

/* Whether it is filled. What cannot be looked up is an error: a volume that is not filled gets
 * emptied. */
static gboolean look(struct volume *v, gboolean *ready, GError **err)
{
    struct store *s = v->store;
    GError *why = NULL;
    *ready = FALSE;
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why, "SELECT last_used FROM volumes WHERE dir=?", "s", v->dir);
    gboolean known = db_step(s->db, q, &why);
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (!known)
        return TRUE;
    *ready = faccessat(s->fd, v->dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*ready && errno != ENOENT)
        return error_set_errno(err, errno, "looking for the cache mount %s/%s", s->root, v->dir);
    touch(s, 'V', v->dir, sqlite3_column_int64(q, 0));
    return TRUE;
}

static gboolean make_fresh(struct volume *v, GError **err)
{
    struct store *s = v->store;
    v->fresh = TRUE;
    if (!fs_remove_tree(s->fd, v->dir, err))
        return FALSE;
    if (mkdirat(s->fd, v->dir, 0755) < 0)
        return error_set_errno(err, errno, "making the cache mount %s/%s", s->root, v->dir);
    return TRUE;
}

/* Chooses a directory and takes its locks. */
static gboolean take_private(struct volume *v, struct cancel *c, GError **err)
{
    g_autofree char *base = g_strdup(v->dir);
    for (int i = 0; i < INSTANCES_MAX; i++) {
        GError *why = NULL;
        g_free(v->dir);
        v->dir = i ? g_strdup_printf("%s-%d", base, i) : g_strdup(base);
        if (take_fill(v, FALSE, c, &why))
            return take_use(v, c, err);
        if (why) {
            g_propagate_error(err, why);
            return FALSE;
        }
    }
    return error_set(err, VARVE_ERROR_FAILED,
                     "more than %d steps use the private cache mount %s at once", INSTANCES_MAX,
                     v->id);
}

/* Only the process that fills it needs the second lock; the others wait for it. */
static gboolean take_shared(struct volume *v, struct cancel *c, GError **err)
{
    gboolean ready;
    if (!take_use(v, c, err) || !look(v, &ready, err))
        return FALSE;
    if (ready)
        return TRUE;
    if (!take_fill(v, TRUE, c, err) || !look(v, &ready, err))
        return FALSE;
    if (ready)
        store_lock_release(g_steal_pointer(&v->fill));
    return TRUE;
}

static gboolean take_in(struct volume *v, enum cache_sharing sharing, struct cancel *c,
                        GError **err)
{
    gboolean ok, ready;
    if (sharing == SHARING_PRIVATE)
        ok = take_private(v, c, err);
    else if (sharing == SHARING_LOCKED)
        ok = take_fill(v, TRUE, c, err) && take_use(v, c, err);
    else
        ok = take_shared(v, c, err);
    return ok && look(v, &ready, err) && (ready || make_fresh(v, err));
}

static void volume_free(struct volume *v)
{
    store_lock_release(v->fill);
    store_lock_release(v->lock);
    g_free(v->dir);
    g_free(v->id);
    g_free(v);
}

struct volume *store_volume_take(struct store *s, const char *id, enum cache_sharing sharing,
                                 struct cancel *c, GError **err)
{
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    digest_of_bytes(&d, id, strlen(id));
    struct volume *v = g_new0(struct volume, 1);
    v->store = s;
    v->id = g_strdup(id);
    v->exclusive = sharing != SHARING_SHARED;
    v->dir = g_strdup_printf("volumes/%.16s", digest_hex(&d, hex));
    if (take_in(v, sharing, c, err))
        return v;
    g_prefix_error(err, "taking the cache mount %s: ", id);
    volume_free(v);
    return NULL;
}

char *volume_id(struct store *s, const char *dir, GError **err)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, err, "SELECT name FROM volumes WHERE dir=?", "s", dir);
    return db_step(s->db, q, err) ? db_col_text(q, 0) : NULL;
}

GPtrArray *store_volume_ids(struct store *s, GError **err)
{
    GError *why = NULL;
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why, "SELECT DISTINCT name FROM volumes ORDER BY name", "");
    while (db_step(s->db, q, &why))
        g_ptr_array_add(ids, db_col_text(q, 0));
    if (!why)
        return g_steal_pointer(&ids);
    g_propagate_error(err, why);
    return NULL;
}

static void volume_info_free(struct volume_info *v)
{
    if (!v)
        return;
    g_free(v->id);
    g_free(v->dir);
    g_free(v);
}

static struct volume_info *volume_from_row(sqlite3_stmt *q)
{
    struct volume_info *v = g_new0(struct volume_info, 1);
    v->id = db_col_text(q, 0);
    v->dir = db_col_text(q, 1);
    v->created = sqlite3_column_int64(q, 2);
    v->last_used = sqlite3_column_int64(q, 3);
    return v;
}

GPtrArray *store_volume_list(struct store *s, GError **err)
{
    GError *why = NULL;
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)volume_info_free);
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(
        s->db, &why, "SELECT name, dir, created, last_used FROM volumes ORDER BY name, dir", "");
    while (db_step(s->db, q, &why))
        g_ptr_array_add(all, volume_from_row(q));
    if (!why)
        return g_steal_pointer(&all);
    g_propagate_error(err, why);
    return NULL;
}

gboolean volume_remove(struct store *s, const char *dir, GError **err)
{
    {
        DB_LOCK(s->db);
        if (!db_exec(s->db, err, "DELETE FROM volumes WHERE dir=?", "s", dir))
            return FALSE;
    }
    return fs_remove_tree(s->fd, dir, err);
}

GPtrArray *volume_dirs(struct store *s, const char *id, GError **err)
{
    GError *why = NULL;
    g_autoptr(GPtrArray) dirs = g_ptr_array_new_with_free_func(g_free);
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, &why, "SELECT dir FROM volumes WHERE name=?", "s", id);
    while (db_step(s->db, q, &why))
        g_ptr_array_add(dirs, g_strdup((const char *)sqlite3_column_text(q, 0)));
    if (!why)
        return g_steal_pointer(&dirs);
    g_propagate_error(err, why);
    return NULL;
}

gboolean store_volume_forget(struct store *s, const char *id, GError **err)
{
    g_autoptr(GPtrArray) dirs = volume_dirs(s, id, err);
    for (guint i = 0; dirs && i < dirs->len; i++) {
        const char *dir = g_ptr_array_index(dirs, i);
        g_autofree char *name = g_strdup_printf("use %s", dir);
        GError *why = NULL;
        g_autoptr(store_lock) use = lock_take(s, name, FALSE, FALSE, NULL, NULL, &why);
        if (use)
            volume_remove(s, dir, &why);
        if (why) {
            g_propagate_prefixed_error(err, why, "emptying the cache mount %s: ", id);
            return FALSE;
        }
    }
    return dirs != NULL;
}

gboolean store_volume_ready(struct volume *v, GError **err)
{
    if (!v->fresh)
        return TRUE;
    struct store *s = v->store;
    gint64 now = now_seconds();
    {
        DB_LOCK(s->db);
        if (!db_exec(
                s->db, err,
                "INSERT OR REPLACE INTO volumes(dir, name, created, last_used) VALUES(?,?,?,?)",
                "ssii", v->dir, v->id, now, now))
            return FALSE;
    }
    v->fresh = FALSE;
    if (!v->exclusive)
        store_lock_release(g_steal_pointer(&v->fill));
    return TRUE;
}

void store_volume_release(struct volume *v)
{
    if (!v)
        return;
    store_volume_ready(v, NULL);
    volume_free(v);
}

void store_volume_discard(struct volume *v)
{
    if (!v)
        return;
    if (v->fresh)
        fs_remove_tree(v->store->fd, v->dir, NULL);
    volume_free(v);
}
