/* Shared by the files of store/ only.
 *
 * Order of locks: the database's mutex, then the gate, then owner_lock, then a write transaction.
 *
 * Leases. Each open store that needs one has an owner directory tmp/<pid>-<random>, flocked while
 * the process lives, with a file "leases" of lines "L <layer id>" and "B <blob hex>". Garbage
 * collection keeps what a living owner leases. A lease costs one append to that file, no
 * transaction. Looking something up and leasing it happen inside the gate (a shared flock on
 * layers/); garbage collection reads the leases and deletes rows inside the exclusive gate, so
 * nothing can be found and then removed before its lease is seen. New things are leased before
 * their row is written. */
#ifndef VARVE_STORE_INTERNAL_H
#define VARVE_STORE_INTERNAL_H

#include "store/absent.h"
#include "store/db.h"
#include "store/record.h"

struct store {
    char *root;    /* absolute */
    int fd;        /* the root directory */
    gint mounting; /* store_mounting()'s, atomic */
    struct db *db; /* varve.db */
    int gate_fd;   /* layers/, for its flock; -1 until needed; under the database's mutex */
    GHashTable
        *touched;     /* "L<id>", "R<hex>", "V<dir>" whose last_used is to be written; same mutex */
    GHashTable *here; /* ids of layers found to be here: needs no look while leased; same mutex */
    GHashTable *lost; /* ids of layers that nobody can give; same mutex */
    GHashTable *claims; /* id → directory of an index that is only said to be its; same mutex */
    struct layer_fetcher *fetcher;  /* store_set_fetcher()'s; NULL: nobody gets absent layers */
    store_wait_fn on_wait;          /* store_tell_waits()'s; NULL: nobody wants to know */
    gpointer wait_ctx;              /* handed to on_wait */
    GMutex owner_lock;              /* guards all below */
    char *owner;                    /* "tmp/<pid>-<random>", NULL until needed */
    int owner_fd;                   /* holds the owner directory's flock */
    int lease_fd;                   /* its "leases", -1 until needed */
    guint next_tmp;                 /* number of the next thing below owner */
    GPtrArray *put_off;             /* char *: what store_tmp_discard_later() got */
    GHashTable *leased;             /* lease lines already written */
    gpointer cache;                 /* store_cache()'s, NULL until asked for */
    void (*cache_unmake)(gpointer); /* frees cache */
};

gint64 now_seconds(void);

/* Name for a new file or directory below this process's owner directory (created when needed); the
 * file itself is not created. */
char *owner_tmp_name(struct store *s, GError **err);
/* Removes the owner directories of dead processes. */
void owner_sweep(struct store *s);
/* Releases the owner directory, its leases and everything below it. */
void owner_close(struct store *s);

/* The gate, shared; the database's mutex is held. FALSE if it cannot be taken. */
gboolean gate_enter(struct store *s);
void gate_leave(struct store *s);
/* The exclusive gate: a new descriptor, to be closed to leave it; -1 on error. */
int gate_close(struct store *s, GError **err);

gboolean lease_has_layer(struct store *s, const char *id);
/* FALSE with errno if the lease could not be written. */
gboolean lease_layers(struct store *s, const struct chain *c);
gboolean lease_layer(struct store *s, const char *id);
gboolean lease_blob(struct store *s, const struct digest *d);
/* Forgets all leases of s (store_end_use()). */
void lease_drop(struct store *s);
/* All lease lines of living owners: a set of strings. NULL when any cannot be read. */
GHashTable *lease_living(struct store *s, GError **err);

/* Inside the gate: TRUE when every layer of c is known; then they are leased and marked used. errno
 * is ENOENT when one is gone, else what hindered looking or leasing. */
gboolean chain_hold(struct store *s, const struct chain *c);
/* The same, entering and leaving the gate; NOT_FOUND names what if a layer is missing. */
gboolean chain_hold_gated(struct store *s, const struct chain *c, const char *what, GError **err);
/* TRUE when every layer of c has its row, and its directory unless it is absent; neither leased nor
 * marked used. */
gboolean chain_known(struct store *s, const struct chain *c);
/* SQL: whether a layer came with an image. */
#define LAYER_UNPACKED "(source IS NOT NULL AND source NOT LIKE '" STORE_OWN_SOURCE "%')"
/* A new layer's id and times. */
gboolean layer_info_new(struct layer_info *info, GError **err);
char *chain_text(const struct chain *c);         /* the ids one after the other */
struct chain *chain_from_text(const char *text); /* NULL for NULL */
char *blob_path(const struct digest *d);

/* Remembers that something was used; mutex held. Written with the next build row or at close. */
void touch(struct store *s, char kind, const char *name, gint64 last_used);
/* Writes them, inside the caller's transaction. */
void touch_flush(struct store *s);
/* The same in its own transaction; failure is not an error. */
void touch_commit(struct store *s);

/* A file of 1 MiB kept for a full disk: deleting it lets the database be opened and garbage
 * collection record its deletions. */
void reserve_ensure(struct store *s);
gboolean reserve_drop(struct store *s); /* FALSE when there was none */

/* Locks with a mode; with wait FALSE, NULL without error if it is held. */
struct store_lock *lock_take(struct store *s, const char *name, gboolean shared, gboolean wait,
                             struct cancel *c, gboolean *waited, GError **err);
/* store_run_trim() for callers that hold the lock "runs". */
gboolean run_trim_locked(struct store *s, guint keep, gint64 since, gboolean dry_run,
                         guint64 *bytes, guint64 *things, GError **err);
/* Removes origins of digests that are not in named (struct digest) and not written since before,
 * and an old failed build (note.h). Counts them. */
guint64 notes_sweep(struct store *s, GHashTable *named, gint64 before, gboolean dry_run,
                    guint64 *bytes);
/* Removes lock files that are not held. */
void lock_sweep(struct store *s);
/* The id of the volume in dir, NULL without an error when it has no row. */
char *volume_id(struct store *s, const char *dir, GError **err);
/* The directories of id ("volumes/…"): one, or more if several had it as private at once. */
GPtrArray *volume_dirs(struct store *s, const char *id, GError **err);
/* Removes the volume in dir ("volumes/..."), whose "use" lock is held exclusively. */
gboolean volume_remove(struct store *s, const char *dir, GError **err);

#endif
