/* The database connection of a store: cached statements, typed binding, transactions, errors.
 * Internal to store/. One connection per open store, guarded by its mutex: hold DB_LOCK around
 * every call below but db_open and db_close. */
#ifndef VARVE_STORE_DB_H
#define VARVE_STORE_DB_H

#include "base/digest.h"

#include <sqlite3.h>

struct db;

/* Opens (creating an empty file if needed). Errors of the disk are VARVE_ERROR_OUTSIDE, a damaged
 * file is VARVE_ERROR_FAILED with a next line. */
struct db *db_open(const char *path, GError **err);
void db_close(struct db *db); /* NULL is fine */
GMutex *db_mutex(struct db *db);
#define DB_LOCK(db)                                                                                \
    g_autoptr(GMutexLocker) G_GNUC_UNUSED db_lock_ = g_mutex_locker_new(db_mutex(db))

/* The schema's version, 0 for an empty database; -1 on error. */
int db_version(struct db *db, GError **err);
/* Turns an empty database into schema version version by running sql, in one transaction. */
gboolean db_create(struct db *db, const char *sql, int version, GError **err);

/* Brings an older schema to version: steps[n] leads from version n+1 to n+2, sign is run after
 * them. In one transaction; does nothing if another process did it meanwhile. Returns the resulting
 * version, which may be that process's newer one; -1 on error. */
int db_migrate(struct db *db, const char *const *steps, const char *sign, int version,
               GError **err);

/* A bound statement. sql must be a string literal: statements are cached by its address. types
 * holds one letter per parameter: 's' const char * (may be NULL), 'd' const struct digest * (NULL
 * and the zero digest become SQL NULL), 'i' gint64. NULL on error. One user at a time per
 * statement: declare it with db_auto so that it is reset at the end of the scope. */
sqlite3_stmt *db_query(struct db *db, GError **err, const char *sql, const char *types, ...);
#define db_auto __attribute__((cleanup(db_reset)))
void db_reset(sqlite3_stmt **stmt);
/* TRUE while there is a row. FALSE at the end, or with *err set on error; stmt may be NULL (FALSE).
 */
gboolean db_step(struct db *db, sqlite3_stmt *stmt, GError **err);
/* Runs a statement to its end. */
gboolean db_exec(struct db *db, GError **err, const char *sql, const char *types, ...);
/* Rows changed by the last db_exec. */
int db_changes(struct db *db);
gint64 db_last_id(struct db *db);

/* Sets the error for a damaged database, with a next line. Returns FALSE. */
gboolean db_damaged(struct db *db, const char *why, GError **err);

/* A write transaction. Between begin and commit no other process writes the database, so it is also
 * the lock for moving files that rows refer to. db_end commits if ok, else rolls back (and does not
 * touch *err); it returns whether everything was committed. */
gboolean db_begin(struct db *db, GError **err);
gboolean db_end(struct db *db, gboolean ok, GError **err);

/* Column i. */
gboolean db_col_digest(sqlite3_stmt *stmt, int i, struct digest *out); /* FALSE and zero for NULL */
char *db_col_text(sqlite3_stmt *stmt, int i); /* newly allocated; NULL for NULL */

#endif
