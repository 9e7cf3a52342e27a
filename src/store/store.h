/* clang-format off */
/* The store: one folder that any number of varve processes use at once (layout: DESIGN.md "Store").
 *
 *   format                 text "varve store 1\n"
 *   varve.db               SQLite, WAL
 *   blobs/sha256/<hex>     compressed layers, configs, manifests
 *   blobs/partial/<hex>    downloads to be resumed; flocked while somebody writes
 *   layers/<id>/fs         the directory used as an overlayfs lower
 *   layers/<id>/index      its index (layer/index.h), present once indexed
 *   objects/<xx>/<hex>     file contents shared by layers (hard links)
 *   volumes/<id>/          cache mounts
 *   statcache/<hex>        one stat cache per context directory
 *   logs/<build>/<step>    full logs of builds
 *   runs/<id>/             what is known of a run, and its log (store/runs.h)
 *   locks/                 one flock file per key being worked on
 *   tmp/<pid>-<random>/    under construction, and what this process leases ("leases"); swept by the
 *                          next process that opens the store once its flock is free
 *   origins/<hex>          where blobs were seen (store/note.h)
 *   failed-build           what was called when a build failed last (store/note.h)
 *   reserve                1 MiB that garbage collection frees when the disk is full
 *
 * Writes go to tmp and are renamed in; the database row comes after the rename. A crash therefore
 * leaves at most unreferenced files, which garbage collection removes, never a row without its
 * file. All functions are thread-safe. This room is the only one that knows SQLite. */
/* clang-format on */
#ifndef VARVE_STORE_STORE_H
#define VARVE_STORE_STORE_H

#include "base/cancel.h"
#include "base/digest.h"

struct store;

/* A forked child must not use the parent's store, and must exec or close its descriptors: they hold
 * the flocks that show that this process is alive.
 *
 * Opens (creating it if needed) the store at root. A store of a newer format is
 * VARVE_ERROR_UNSUPPORTED. Cleans up after dead processes. Opening an existing store takes about a
 * millisecond. */
/* What is looked up or made through a store is leased by it: garbage collection leaves it alone
 * until store_close() or store_end_use(). So the rule is one store_open() for each build, also in a
 * process that runs many: stores of one folder are as independent as those of two processes. */
struct store *store_open(const char *root, GError **err);
void store_close(struct store *s);
/* For a store that stays open between uses: releases all its leases, writes times of use, and does
 * deferred removals. What was looked up before must be looked up again before it is used, so no
 * build may be running on s. */
void store_end_use(struct store *s);
const char *store_root(const struct store *s);
/* The root's directory descriptor; owned by s. */
int store_fd(const struct store *s);
/* The best way to mount layers of this store, as determined by snapshot/; 0 at first. Atomic. */
gint *store_mounting(struct store *s);
/* layer/index.h's cache of the layers that s leases: created by make() at its first use, passed to
 * unmake() when the leases end. */
gpointer store_cache(struct store *s, gpointer (*make)(void), void (*unmake)(gpointer));

/* A fresh empty directory below tmp/, owned by this process. Returns its path relative to the
 * root. */
char *store_tmp_dir(struct store *s, GError **err);
/* Removes it with its content. Errors are ignored: the next process that opens the store cleans up.
 */
void store_tmp_discard(struct store *s, const char *tmp);
/* The same, but later: in store_tmp_tidy(), called when there is time, or in store_close(). */
void store_tmp_discard_later(struct store *s, const char *tmp);
void store_tmp_tidy(struct store *s);

/* A lock with a name, across processes and threads (flock on its own file). Blocks until taken or
 * cancelled; *waited (may be NULL) says whether it was held. */
struct store_lock;
struct store_lock *store_lock_take(struct store *s, const char *name, struct cancel *c,
                                   gboolean *waited, GError **err);
void store_lock_release(struct store_lock *l); /* NULL is fine */
/* From now on calls fn, from any thread, after a second of waiting for a lock of another process:
 * pid is the holder, 0 if unknown. Set it before taking locks; NULL ends it. */
typedef void (*store_wait_fn)(gpointer ctx, int pid);
void store_tell_waits(struct store *s, store_wait_fn fn, gpointer ctx);

/* Object: path (relative to the root, newly allocated) of the shared file with this identity. See
 * layer/object.h for how identities are made. The caller links or creates it; the store may at any
 * time remove objects whose link count fell to 1: a caller that finds one missing makes it again.
 */
char *store_object_path(const struct store *s, const struct digest *identity);

/* Whole-file values under statcache/. NULL without error when absent. */
GBytes *store_statcache_load(struct store *s, const struct digest *key);
/* Failure to save is not an error for the caller. */
void store_statcache_save(struct store *s, const struct digest *key, const void *bytes, gsize len);

typedef struct store store;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(store, store_close)
typedef struct store_lock store_lock;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(store_lock, store_lock_release)

#endif
