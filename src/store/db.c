#include "store/db.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

/* Frames in the write-ahead log above which the log is moved into the database: while working, and
 * when closing. The next process to open it reads the whole log (the state of checkpoints is lost
 * with the last process), so it must stay small; moving it costs three syncs, so that must stay
 * rare. */
#define CHECKPOINT_WORKING 1000
#define CHECKPOINT_CLOSING 256
#define BUSY_LIMIT_US (60 * G_USEC_PER_SEC)

struct db {
    sqlite3 *sql;
    GMutex mutex;
    GHashTable *stmts;    /* address of the SQL literal → sqlite3_stmt */
    char *path;           /* for messages */
    int frames;           /* in the log after our last commit */
    gint64 waiting_since; /* monotonic time the current wait for a lock began */
};

gboolean db_damaged(struct db *db, const char *why, GError **err)
{
    error_set(err, VARVE_ERROR_FAILED, "the store's database %s is damaged: %s", db->path, why);
    error_add_next(err,
                   "move %s, %s-wal and %s-shm away and run varve prune: names and build cache "
                   "are lost, everything is built again",
                   db->path, db->path, db->path);
    return FALSE;
}

static gboolean cannot_open(struct db *db, int rc, int sys, GError **err)
{
    if (sys)
        error_set_errno(err, sys, "cannot open the store's database %s for writing", db->path);
    else
        error_set(err, VARVE_ERROR_FAILED, "cannot open the store's database %s for writing: %s",
                  db->path, sqlite3_errstr(rc));
    if (!sys || sys == EACCES || sys == EPERM || sys == EROFS || sys == ENOENT)
        error_add_next(err, "check that its folder exists and may be written to, or choose another "
                            "with --root");
    return FALSE;
}

static gboolean db_fail(struct db *db, int rc, GError **err)
{
    int sys = db->sql ? sqlite3_system_errno(db->sql) : 0;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return error_set_errno(err, ENOSPC, "writing the store's database %s", db->path);
    case SQLITE_IOERR:
        if (sys == ENOSPC || sys == EDQUOT)
            return error_set_errno(err, sys, "writing the store's database %s", db->path);
        error_set(err, VARVE_ERROR_OUTSIDE, "reading or writing the store's database %s: %s",
                  db->path, sys ? g_strerror(sys) : sqlite3_errstr(rc));
        if (!sys || errno_is_damage(sys))
            error_add_next(err, "check the disk (dmesg), then run the same command again");
        return FALSE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_set(err, VARVE_ERROR_OUTSIDE, "the store's database %s stayed locked for a minute",
                  db->path);
        error_add_next(err, "see which other varve process is stuck (fuser %s), then try again",
                       db->path);
        return FALSE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return db_damaged(db, sqlite3_errstr(rc), err);
    case SQLITE_ERROR: /* our statements are right, so the tables are not */
        return db_damaged(db, db->sql ? sqlite3_errmsg(db->sql) : sqlite3_errstr(rc), err);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return cannot_open(db, rc, sys, err);
    default:
        return error_set(err, VARVE_ERROR_FAILED, "the store's database %s: %s", db->path,
                         db->sql ? sqlite3_errmsg(db->sql) : sqlite3_errstr(rc));
    }
}

/* Transactions last well under a millisecond, so waiters retry soon. */
static int on_busy(void *ctx, int tries)
{
    struct db *db = ctx;
    gint64 now = g_get_monotonic_time();
    if (tries == 0)
        db->waiting_since = now;
    if (now - db->waiting_since > BUSY_LIMIT_US)
        return 0;
    g_usleep(tries < 10 ? 200 : tries < 100 ? 1000 : 5000);
    return 1;
}

static int on_wal(void *ctx, sqlite3 *sql, const char *name, int frames)
{
    struct db *db = ctx;
    db->frames = frames;
    if (frames >= CHECKPOINT_WORKING)
        sqlite3_wal_checkpoint_v2(sql, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK; /* a checkpoint that failed is tried again after the next commit */
}

static void finalize(gpointer stmt)
{
    sqlite3_finalize(stmt);
}

struct db *db_open(const char *path, GError **err)
{
    struct db *db = g_new0(struct db, 1);
    g_mutex_init(&db->mutex);
    db->path = g_strdup(path);
    db->stmts = g_hash_table_new_full(NULL, NULL, NULL, finalize);
    int rc = sqlite3_open_v2(
        path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(db->sql, 1);
        sqlite3_busy_handler(db->sql, on_busy, db);
        sqlite3_wal_hook(db->sql, on_wal, db);
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = sqlite3_exec(db->sql, "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=8388608",
                          NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        return db;
    db_fail(db, rc, err);
    db_close(db);
    return NULL;
}

/* Moves the log into the database and cuts it to nothing, unless another process uses it now: then
 * that one will. */
static void empty_log(struct db *db)
{
    sqlite3_busy_handler(db->sql, NULL, NULL);
    sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->frames >= CHECKPOINT_CLOSING)
        empty_log(db);
    g_hash_table_unref(db->stmts);
    sqlite3_close(db->sql);
    g_mutex_clear(&db->mutex);
    g_free(db->path);
    g_free(db);
}

GMutex *db_mutex(struct db *db)
{
    return &db->mutex;
}

int db_version(struct db *db, GError **err)
{
    GError *why = NULL;
    db_auto sqlite3_stmt *q = db_query(db, &why, "PRAGMA user_version", "");
    int version = db_step(db, q, &why) ? sqlite3_column_int(q, 0) : -1;
    if (why)
        g_propagate_error(err, why);
    return version;
}

static gboolean run_text(struct db *db, const char *sql, GError **err)
{
    int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || db_fail(db, rc, err);
}

gboolean db_create(struct db *db, const char *sql, int version, GError **err)
{
    int rc = sqlite3_exec(db->sql, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return db_fail(db, rc, err);
    g_autofree char *set = g_strdup_printf("PRAGMA user_version=%d", version);
    if (!db_begin(db, err))
        return FALSE;
    gboolean ok = run_text(db, sql, err) && run_text(db, set, err);
    return db_end(db, ok, ok ? err : NULL);
}

int db_migrate(struct db *db, const char *const *steps, const char *sign, int version, GError **err)
{
    g_autofree char *set = g_strdup_printf("%s; PRAGMA user_version=%d", sign, version);
    if (!db_begin(db, err))
        return -1;
    int found = db_version(db, err), now = found;
    gboolean ok = found > 0;
    for (; ok && now < version; now++)
        ok = run_text(db, steps[now - 1], err);
    ok = ok && (found >= version || run_text(db, set, err));
    return db_end(db, ok, ok ? err : NULL) ? now : -1;
}

static sqlite3_stmt *prepare(struct db *db, const char *sql, GError **err)
{
    sqlite3_stmt *stmt = g_hash_table_lookup(db->stmts, sql);
    if (stmt)
        return stmt;
    int rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    if (rc != SQLITE_OK) {
        db_fail(db, rc, err);
        return NULL;
    }
    g_hash_table_insert(db->stmts, (gpointer)sql, stmt);
    return stmt;
}

static int bind_one(sqlite3_stmt *stmt, int i, char type, va_list *ap)
{
    if (type == 's')
        return sqlite3_bind_text(stmt, i, va_arg(*ap, const char *), -1, SQLITE_TRANSIENT);
    if (type == 'i')
        return sqlite3_bind_int64(stmt, i, va_arg(*ap, gint64));
    g_assert(type == 'd');
    const struct digest *d = va_arg(*ap, const struct digest *);
    if (!d || digest_is_zero(d))
        return sqlite3_bind_null(stmt, i);
    return sqlite3_bind_blob(stmt, i, d->b, sizeof d->b, SQLITE_TRANSIENT);
}

static sqlite3_stmt *query_va(struct db *db, GError **err, const char *sql, const char *types,
                              va_list *ap)
{
    sqlite3_stmt *stmt = prepare(db, sql, err);
    if (!stmt)
        return NULL;
    for (int i = 0; types[i]; i++) {
        int rc = bind_one(stmt, i + 1, types[i], ap);
        if (rc != SQLITE_OK) {
            db_fail(db, rc, err);
            return NULL;
        }
    }
    return stmt;
}

sqlite3_stmt *db_query(struct db *db, GError **err, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *stmt = query_va(db, err, sql, types, &ap);
    va_end(ap);
    return stmt;
}

void db_reset(sqlite3_stmt **stmt)
{
    if (!*stmt)
        return;
    sqlite3_reset(*stmt);
    sqlite3_clear_bindings(*stmt);
    *stmt = NULL;
}

gboolean db_step(struct db *db, sqlite3_stmt *stmt, GError **err)
{
    if (!stmt)
        return FALSE;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return TRUE;
    return rc == SQLITE_DONE ? FALSE : db_fail(db, rc, err);
}

gboolean db_exec(struct db *db, GError **err, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    db_auto sqlite3_stmt *stmt = query_va(db, err, sql, types, &ap);
    va_end(ap);
    if (!stmt)
        return FALSE;
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        ;
    return rc == SQLITE_DONE ? TRUE : db_fail(db, rc, err);
}

int db_changes(struct db *db)
{
    return sqlite3_changes(db->sql);
}

gint64 db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->sql);
}

gboolean db_begin(struct db *db, GError **err)
{
    return db_exec(db, err, "BEGIN IMMEDIATE", "");
}

gboolean db_end(struct db *db, gboolean ok, GError **err)
{
    if (ok && db_exec(db, err, "COMMIT", ""))
        return TRUE;
    /* A failed COMMIT may have rolled back by itself (full disk). */
    if (!sqlite3_get_autocommit(db->sql))
        db_exec(db, NULL, "ROLLBACK", "");
    return FALSE;
}

gboolean db_col_digest(sqlite3_stmt *stmt, int i, struct digest *out)
{
    memset(out, 0, sizeof *out);
    if (sqlite3_column_bytes(stmt, i) != (int)sizeof out->b)
        return FALSE;
    memcpy(out->b, sqlite3_column_blob(stmt, i), sizeof out->b);
    return TRUE;
}

char *db_col_text(sqlite3_stmt *stmt, int i)
{
    return g_strdup((const char *)sqlite3_column_text(stmt, i));
}
