#include "store/store.h"

#include "store/internal.h"
#include "store/schema.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define FORMAT_TEXT "varve store 1\n"
#define FORMAT_PREFIX "varve store "
#define RESERVE_BYTES (1024 * 1024)
/* A schema's number above this was never written by a varve. */
#define SCHEMA_PLAUSIBLE (SCHEMA_VERSION + 1000)
#define WRITER_MAX 40 /* bytes of a version's name */
#define STATCACHE_MAX (256 * 1024 * 1024)
/* Reading refreshes a stat cache's age, by which garbage collection drops it, once a day at most.
 */
#define STATCACHE_TOUCH_SECONDS (24 * 3600)
/* last_used is kept to this precision, so that builds in quick succession write nothing for it. */
#define TOUCH_SECONDS 60

static const char *const folders[] = {"blobs",   "blobs/sha256", "blobs/partial", "layers",
                                      "objects", "volumes",      "statcache",     "logs",
                                      "locks",   "tmp"};

gint64 now_seconds(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

static int open_root(const char *root, GError **err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !fs_mkdir_p(AT_FDCWD, root, 0700, err)) {
        error_add_next(err, "choose another folder with --root or VARVE_ROOT");
        return -1;
    }
    if (fd < 0)
        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "opening the store %s", root);
        error_add_next(err, "choose another folder with --root or VARVE_ROOT");
    }
    return fd;
}

/* 1: a store of our format; 0: none yet; -1: error. */
static int check_format(const char *root, int fd, GError **err)
{
    GError *why = NULL;
    g_autoptr(GBytes) text = fs_read(fd, "format", 4096, &why);
    if (!text && g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_clear_error(&why);
        return 0;
    }
    if (!text) {
        g_propagate_prefixed_error(err, why, "opening the store %s: ", root);
        return -1;
    }
    const char *is = g_bytes_get_data(text, NULL);
    if (strcmp(is, FORMAT_TEXT) == 0)
        return 1;
    if (g_str_has_prefix(is, FORMAT_PREFIX) &&
        g_ascii_strtoull(is + strlen(FORMAT_PREFIX), NULL, 10) > 1) {
        error_set(err, VARVE_ERROR_UNSUPPORTED,
                  "the store %s has format %.*s, newer than this varve knows", root,
                  (int)strcspn(is + strlen(FORMAT_PREFIX), "\n"), is + strlen(FORMAT_PREFIX));
        error_add_next(err, "use the newer varve, or another folder with --root or VARVE_ROOT");
        return -1;
    }
    error_set(err, VARVE_ERROR_INVALID, "%s/format is not that of a varve store", root);
    error_add_next(err, "choose another folder with --root or VARVE_ROOT");
    return -1;
}

/* Refuses a folder that holds something else; hidden files and our own unfinished "format" are
 * fine. */
static gboolean check_empty(const char *root, int fd, GError **err)
{
    g_autoptr(GPtrArray) names = fs_list(fd, err);
    if (!names)
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (name[0] == '.' || g_str_has_prefix(name, "format") || strcmp(name, "lost+found") == 0)
            continue;
        error_set(err, VARVE_ERROR_USAGE,
                  "%s is not empty and is not a varve store (it contains %s)", root, name);
        error_add_next(err, "choose an empty or new folder with --root or VARVE_ROOT");
        return FALSE;
    }
    return TRUE;
}

/* Synced before anything else is made: a store with an empty format would be refused. */
static gboolean write_format(struct store *s, GError **err)
{
    static const char tmp[] = "format.new";
    fd_auto int fd = openat(s->fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot create %s/%s", s->root, tmp);
    if (!fs_write_all(fd, FORMAT_TEXT, strlen(FORMAT_TEXT), err))
        return FALSE;
    if (fsync(fd) < 0 || renameat(s->fd, tmp, s->fd, "format") < 0 || fsync(s->fd) < 0)
        return error_set_errno(err, errno, "cannot write %s/format", s->root);
    return TRUE;
}

/* The format comes first and the schema last: a process that finds only the format continues here.
 */
static gboolean create_in(struct store *s, GError **err)
{
    int found = check_format(s->root, s->fd, err);
    if (found < 0)
        return FALSE;
    if (!found && (!check_empty(s->root, s->fd, err) || !write_format(s, err)))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(folders); i++)
        if (!fs_mkdir_p(s->fd, folders[i], 0755, err))
            return FALSE;
    reserve_ensure(s);
    return TRUE;
}

static gboolean create_schema(struct store *s, GError **err)
{
    DB_LOCK(s->db);
    int version = db_version(s->db, err);
    return version > 0 ||
           (version == 0 && db_create(s->db, SCHEMA_SQL SCHEMA_SIGN, SCHEMA_VERSION, err));
}

static gboolean open_db(struct store *s, GError **err)
{
    g_autofree char *path = g_build_filename(s->root, "varve.db", NULL);
    s->db = db_open(path, err);
    return s->db != NULL;
}

void reserve_ensure(struct store *s)
{
    fd_auto int fd = openat(s->fd, "reserve", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
        unlinkat(s->fd, "reserve", 0);
}

gboolean reserve_drop(struct store *s)
{
    return unlinkat(s->fd, "reserve", 0) == 0;
}

static gboolean create(struct store *s, GError **err)
{
    fd_auto int lock = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (lock >= 0 && flock(lock, LOCK_EX) < 0 && errno == EINTR)
        ;
    gboolean ok = create_in(s, err) && (s->db || open_db(s, err)) && create_schema(s, err);
    if (!ok)
        g_prefix_error(err, "making the store %s: ", s->root);
    return ok;
}

/* Even reading needs some space for the shared memory beside the database. */
static int read_version(struct store *s, GError **err)
{
    GError *why = NULL;
    int version = db_version(s->db, &why);
    if (version < 0 && g_error_matches(why, VARVE_ERROR, VARVE_ERROR_OUTSIDE) && reserve_drop(s)) {
        g_clear_error(&why);
        version = db_version(s->db, &why);
    }
    if (why)
        g_propagate_error(err, why);
    return version;
}

/* The resulting version; -1 on error. */
static int migrate(struct store *s, GError **err)
{
    static const char *const steps[] = MIGRATIONS;
    G_STATIC_ASSERT(G_N_ELEMENTS(steps) == SCHEMA_VERSION - 1);
    int version = db_migrate(s->db, steps, SCHEMA_SIGN, SCHEMA_VERSION, err);
    if (version < 0)
        g_prefix_error(err, "bringing the store %s up to date: ", s->root);
    return version;
}

/* " 1.2.3" of the varve that made the schema; "" when it is not known, or is no version. */
static char *writer(struct store *s)
{
    static const char allowed[] = G_CSET_DIGITS G_CSET_a_2_z G_CSET_A_2_Z "._~+-";
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL, "SELECT value FROM about WHERE name='varve'", "");
    g_autofree char *text = db_step(s->db, q, NULL) ? db_col_text(q, 0) : NULL;
    gsize len = text ? strlen(text) : 0;
    return len > 0 && len <= WRITER_MAX && strspn(text, allowed) == len
               ? g_strconcat(" ", text, NULL)
               : g_strdup("");
}

static int refuse_newer(struct store *s, int version, GError **err)
{
    g_autofree char *by = writer(s);
    error_set(err, VARVE_ERROR_UNSUPPORTED,
              "the store %s was written by a newer varve%s (schema %d, this varve " VARVE_VERSION
              " knows %d)",
              s->root, by, version, SCHEMA_VERSION);
    if (*by)
        error_add_next(err, "use varve%s or newer, or another folder with --root or VARVE_ROOT",
                       by);
    else
        error_add_next(err, "use the newer varve, or another folder with --root or VARVE_ROOT");
    return -1;
}

static int schema_version(struct store *s, GError **err)
{
    GError *why = NULL;
    DB_LOCK(s->db);
    int version = read_version(s, &why);
    if (version > 0 && version < SCHEMA_VERSION)
        version = migrate(s, &why);
    if (why) {
        g_propagate_error(err, why);
        return -1;
    }
    if (version >= 0 && version <= SCHEMA_VERSION)
        return version;
    if (version > 0 && version <= SCHEMA_PLAUSIBLE)
        return refuse_newer(s, version, err);
    db_damaged(s->db, "it has an unknown version", err);
    return -1;
}

static gboolean open_or_create(struct store *s, GError **err)
{
    int found = check_format(s->root, s->fd, err);
    if (found < 0)
        return FALSE;
    if (!found)
        return create(s, err);
    if (!open_db(s, err))
        return FALSE;
    int version = schema_version(s, err);
    return version > 0 || (version == 0 && create(s, err));
}

static struct store *store_new(char *root, int fd)
{
    struct store *s = g_new0(struct store, 1);
    s->root = root;
    s->fd = fd;
    s->gate_fd = s->owner_fd = s->lease_fd = -1;
    g_mutex_init(&s->owner_lock);
    s->put_off = g_ptr_array_new_with_free_func(g_free);
    s->leased = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->touched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->here = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->lost = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return s;
}

struct store *store_open(const char *root, GError **err)
{
    g_autofree char *path = g_canonicalize_filename(root, NULL);
    int fd = open_root(path, err);
    if (fd < 0)
        return NULL;
    g_autoptr(store) s = store_new(g_steal_pointer(&path), fd);
    if (!open_or_create(s, err))
        return NULL;
    owner_sweep(s);
    return g_steal_pointer(&s);
}

void touch_commit(struct store *s)
{
    if (g_hash_table_size(s->touched) == 0 || !db_begin(s->db, NULL))
        return;
    touch_flush(s);
    db_end(s->db, TRUE, NULL);
}

static void flush_at_close(struct store *s)
{
    DB_LOCK(s->db);
    touch_commit(s);
}

gpointer store_cache(struct store *s, gpointer (*make)(void), void (*unmake)(gpointer))
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->owner_lock);
    if (!s->cache) {
        s->cache = make();
        s->cache_unmake = unmake;
    }
    return s->cache;
}

static void cache_drop(struct store *s)
{
    g_mutex_lock(&s->owner_lock);
    gpointer cache = g_steal_pointer(&s->cache);
    g_mutex_unlock(&s->owner_lock);
    if (cache)
        s->cache_unmake(cache);
}

void store_end_use(struct store *s)
{
    cache_drop(s);
    flush_at_close(s);
    store_tmp_tidy(s);
    {
        DB_LOCK(s->db);
        g_hash_table_remove_all(s->here);
        g_hash_table_remove_all(s->lost);
        g_hash_table_remove_all(s->claims);
    }
    lease_drop(s);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->db)
        flush_at_close(s);
    store_set_fetcher(s, NULL);
    cache_drop(s);
    owner_close(s);
    db_close(s->db);
    fd_cleanup(&s->gate_fd);
    fd_cleanup(&s->fd);
    g_hash_table_unref(s->leased);
    g_ptr_array_unref(s->put_off);
    g_hash_table_unref(s->touched);
    g_hash_table_unref(s->here);
    g_hash_table_unref(s->lost);
    g_hash_table_unref(s->claims);
    g_mutex_clear(&s->owner_lock);
    g_free(s->root);
    g_free(s);
}

const char *store_root(const struct store *s)
{
    return s->root;
}

gint *store_mounting(struct store *s)
{
    return &s->mounting;
}

int store_fd(const struct store *s)
{
    return s->fd;
}

void touch(struct store *s, char kind, const char *name, gint64 last_used)
{
    gint64 now = now_seconds();
    if (last_used > now || now - last_used >= TOUCH_SECONDS)
        g_hash_table_add(s->touched, g_strdup_printf("%c%s", kind, name));
}

static void touch_one(struct store *s, const char *what, gint64 now)
{
    struct digest key;
    if (what[0] == 'L')
        db_exec(s->db, NULL, "UPDATE layers SET last_used=? WHERE id=?", "is", now, what + 1);
    else if (what[0] == 'V')
        db_exec(s->db, NULL, "UPDATE volumes SET last_used=? WHERE dir=?", "is", now, what + 1);
    else if (digest_parse_hex(&key, what + 1))
        db_exec(s->db, NULL, "UPDATE records SET last_used=? WHERE key=?", "id", now, &key);
}

void touch_flush(struct store *s)
{
    GHashTableIter it;
    gpointer what;
    g_hash_table_iter_init(&it, s->touched);
    while (g_hash_table_iter_next(&it, &what, NULL))
        touch_one(s, what, now_seconds());
    g_hash_table_remove_all(s->touched);
}

char *store_object_path(const struct store *s, const struct digest *identity)
{
    char hex[DIGEST_HEX_LEN + 1];
    digest_hex(identity, hex);
    return g_strdup_printf("objects/%.2s/%s", hex, hex);
}

GBytes *store_statcache_load(struct store *s, const struct digest *key)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *path = g_strconcat("statcache/", digest_hex(key, hex), NULL);
    fd_auto int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    if (now_seconds() - st.st_mtim.tv_sec > STATCACHE_TOUCH_SECONDS)
        futimens(fd, NULL);
    return fs_read_fd(fd, path, STATCACHE_MAX, NULL);
}

void store_statcache_save(struct store *s, const struct digest *key, const void *bytes, gsize len)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *path = g_strconcat("statcache/", digest_hex(key, hex), NULL);
    fs_replace(s->fd, path, bytes, len, 0600, NULL);
}
