#include "tree/scan.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"
#include "tree/content.h"
#include "tree/statcache.h"
#include "tree/walk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

/* A file whose ctime is younger than this before the scan may change again without its stat showing
 * it (file systems keep times as coarsely as two seconds): its digest is not remembered. */
#define RACY_NS (2 * G_GINT64_CONSTANT(1000000000))
#define MAX_CAPABILITY 64 /* bytes of security.capability; the kernel's largest has 24 */

/* What a scanned tree keeps. */
struct scan {
    struct store *store;   /* may be NULL */
    struct cancel *cancel; /* may be NULL */
    struct digest key;     /* of the stat cache */
    int rootfd;
    GMutex hashing;            /* held by the one call that hashes */
    struct walk_stat *stats;   /* by entry */
    GArray *stats_array;       /* owns stats */
    guint8 *flags;             /* FILE_* by entry */
    gint64 started_ns;         /* wall clock before the first lstat */
    guint remembered;          /* items in the stat cache as loaded */
    struct scan_stats numbers; /* guarded by the tree's lock once shared */
    GPtrArray *blobs;          /* xattr values and tables, guarded by the tree's lock */
};
enum { FILE_CACHED = 1, FILE_XATTRS = 2 }; /* digest came from the cache; carries xattrs */

static gsize position(const struct tree *t, const struct entry *e)
{
    return e - entry_list_at(t->entries, 0);
}

static int scan_open(struct tree *t, const struct entry *e, GError **err)
{
    const struct scan *s = t->data;
    int fd = content_open(s->rootfd, e->path, t->name, err);
    if (fd < 0 && err && g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_DENIED))
        error_add_next(err, "make it readable, or leave it out in .dockerignore");
    return fd;
}

/* Takes security.capability of fd, if it has one, into e. */
static void read_capability(struct tree *t, struct entry *e, int fd)
{
    struct scan *s = t->data;
    char value[MAX_CAPABILITY];
    ssize_t n = fgetxattr(fd, "security.capability", value, sizeof value);
    if (n <= 0)
        return;
    struct xattr *x = g_new0(struct xattr, 1);
    *x = (struct xattr){"security.capability", g_memdup2(value, n), n};
    g_mutex_lock(&t->lock);
    g_ptr_array_add(s->blobs, x);
    g_ptr_array_add(s->blobs, (gpointer)x->value);
    g_mutex_unlock(&t->lock);
    e->xattrs = x;
    e->n_xattrs = 1;
    s->flags[position(t, e)] |= FILE_XATTRS;
}

/* What one ensure_digests call works on; every entry is touched by one thread only. */
struct hashing {
    struct tree *tree;
    GPtrArray *entries;
};

static gboolean refuse_special(const struct tree *t, const struct entry *e, GError **err)
{
    error_set(err, VARVE_ERROR_INVALID, "cannot copy %s from %s: it is a %s", e->path, t->name,
              e->type == ENTRY_FIFO ? "fifo" : "device");
    error_add_next(err, "leave it out in .dockerignore");
    return FALSE;
}

static gboolean hash_entry(gpointer ctx, gsize i, GError **err)
{
    struct hashing *w = ctx;
    struct scan *s = w->tree->data;
    struct entry *e = g_ptr_array_index(w->entries, i);
    if (e->type != ENTRY_FILE)
        return refuse_special(w->tree, e, err);
    if (!cancel_check(s->cancel, err))
        return FALSE;
    fd_auto int fd = scan_open(w->tree, e, err);
    struct digest d;
    if (fd < 0)
        return FALSE;
    if (!content_hash(fd, e->path, e->size, &d, err)) {
        g_prefix_error(err, "in %s: ", w->tree->name);
        return FALSE;
    }
    read_capability(w->tree, e, fd);
    e->digest = d;
    e->has_digest = TRUE;
    return TRUE;
}

/* One call at a time for each tree: a second one finds what the first hashed. The lock that t->lock
 * is for is taken only briefly, so that hash_entry may take it too. */
static gboolean scan_ensure(struct tree *t, GPtrArray *entries, GError **err)
{
    struct scan *s = t->data;
    g_mutex_lock(&s->hashing);
    g_autoptr(GPtrArray) todo = g_ptr_array_new();
    guint64 bytes = 0;
    for (guint i = 0; i < entries->len; i++) {
        struct entry *e = g_ptr_array_index(entries, i);
        if (e->has_digest || e->type == ENTRY_DIR || e->type == ENTRY_SYMLINK)
            continue;
        g_ptr_array_add(todo, e);
        bytes += e->size;
    }
    struct hashing w = {t, todo};
    gboolean ok = pool_for_each(todo->len, hash_entry, &w, err);
    g_mutex_lock(&t->lock);
    s->numbers.hashed += ok ? todo->len : 0;
    s->numbers.hashed_bytes += ok ? bytes : 0;
    g_mutex_unlock(&t->lock);
    g_mutex_unlock(&s->hashing);
    return ok;
}

static void scan_free(struct tree *t)
{
    struct scan *s = t->data;
    fd_cleanup(&s->rootfd);
    if (s->stats_array)
        g_array_unref(s->stats_array);
    g_mutex_clear(&s->hashing);
    g_ptr_array_unref(s->blobs);
    g_free(s->flags);
    g_free(s);
}

static gboolean same_file(const struct entry *e, const struct walk_stat *st,
                          const struct statcache_item *c)
{
    return e->type == ENTRY_FILE && e->size == c->size && e->mtime_ns == c->mtime_ns &&
           st->ctime_ns == c->st.ctime_ns && st->ino == c->st.ino && st->dev == c->st.dev;
}

static void recall(struct tree *t, struct entry *e, const struct statcache_item *c)
{
    struct scan *s = t->data;
    if (c->has_xattrs) {
        fd_auto int fd = content_open(s->rootfd, e->path, t->name, NULL);
        if (fd < 0)
            return; /* hashing it will report why, if it is needed at all */
        read_capability(t, e, fd);
    }
    e->digest = c->digest;
    e->has_digest = TRUE;
    s->flags[position(t, e)] |= FILE_CACHED;
}

/* Both are sorted: one walk over the two. */
static void merge_cache(struct tree *t, GBytes *bytes)
{
    struct scan *s = t->data;
    guint n = statcache_len(bytes), k = 0;
    struct statcache_item item;
    s->remembered = n;
    for (guint i = 0; i < entry_list_len(t->entries) && k < n;) {
        struct entry *e = entry_list_at(t->entries, i);
        if (!statcache_at(bytes, k, &item))
            return;
        int c = entry_path_cmp(e->path, item.path);
        if (c == 0 && same_file(e, &s->stats[i], &item))
            recall(t, e, &item);
        i += c <= 0;
        k += c >= 0;
    }
}

/* Which cache: the directory's real path and the ignore patterns, so that builds that see different
 * parts of one directory do not throw out each other's. */
static void cache_key(const char *dir, const struct ignore *ig, struct digest *out)
{
    g_autoptr(hasher) h = hasher_new();
    char *real = realpath(dir, NULL);
    hasher_add_str(h, real ? real : dir);
    hasher_add_strv(h, ig ? ignore_patterns(ig) : NULL);
    hasher_final(h, out);
    free(real);
}

static gint64 wall_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fix_entries(struct tree *t, gboolean owners)
{
    struct scan *s = t->data;
    for (guint i = 0; i < entry_list_len(t->entries); i++) {
        struct entry *e = entry_list_at(t->entries, i);
        if (!owners)
            e->uid = e->gid = 0;
        if (e->type == ENTRY_WHITEOUT)
            e->type = ENTRY_CHAR; /* a meaning it has in layers only */
        else if (e->type == ENTRY_SOCKET)
            e->type = ENTRY_FILE; /* empty: content_open() */
        if (e->type != ENTRY_FILE)
            continue;
        s->numbers.files++;
        s->numbers.bytes += e->size;
    }
}

static struct tree *tree_of_walk(struct walk *w, int rootfd, const char *name)
{
    struct tree *t = tree_new(g_steal_pointer(&w->entries), name);
    struct scan *s = g_new0(struct scan, 1);
    s->rootfd = rootfd;
    g_mutex_init(&s->hashing);
    s->stats_array = g_steal_pointer(&w->stats);
    s->stats = (struct walk_stat *)s->stats_array->data;
    s->flags = g_malloc0(entry_list_len(t->entries));
    s->blobs = g_ptr_array_new_with_free_func(g_free);
    s->numbers.ignored = w->ignored;
    t->data = s;
    t->open = scan_open;
    t->ensure_digests = scan_ensure;
    t->free = scan_free;
    return t;
}

static struct tree *scan(const char *dir, const struct ignore *ig, const char *name,
                         gboolean owners, struct cancel *c, GError **err)
{
    gint64 started = wall_clock_ns();
    fd_auto int fd = fs_open_dir(AT_FDCWD, dir, err);
    if (fd < 0) {
        g_prefix_error(err, "cannot read %s: ", name);
        return NULL;
    }
    struct walk w;
    if (!walk_dir(fd, ig, name, c, &w, err)) {
        if (err && g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_DENIED))
            error_add_next(err, "make it readable, or leave it out in .dockerignore");
        return NULL;
    }
    struct tree *t = tree_of_walk(&w, fd_steal(&fd), name);
    struct scan *s = t->data;
    s->cancel = c;
    s->started_ns = started;
    fix_entries(t, owners);
    return t;
}

struct tree *scan_dir(struct store *db, const char *dir, const struct ignore *ig, const char *name,
                      struct cancel *c, GError **err)
{
    struct tree *t = scan(dir, ig, name, FALSE, c, err);
    if (!t || !db)
        return t;
    struct scan *s = t->data;
    s->store = db;
    cache_key(dir, ig, &s->key);
    g_autoptr(GBytes) bytes = store_statcache_load(db, &s->key);
    if (bytes)
        merge_cache(t, bytes);
    return t;
}

struct tree *scan_unpacked(const char *dir, const struct ignore *ig, const char *name,
                           struct cancel *c, GError **err)
{
    return scan(dir, ig, name, TRUE, c, err);
}

/* What is worth caching; *changed says whether that differs from what was loaded. */
static GArray *collect_items(struct tree *t, gboolean *changed)
{
    const struct scan *s = t->data;
    GArray *items = g_array_new(FALSE, FALSE, sizeof(struct statcache_item));
    guint cached = 0;
    for (guint i = 0; i < entry_list_len(t->entries); i++) {
        const struct entry *e = entry_list_at(t->entries, i);
        const struct walk_stat *st = &s->stats[i];
        if (e->type != ENTRY_FILE || !e->has_digest)
            continue;
        gboolean from_cache = (s->flags[i] & FILE_CACHED) != 0;
        if (!from_cache && st->ctime_ns > s->started_ns - RACY_NS)
            continue;
        cached += from_cache;
        struct statcache_item item = {e->path, e->size,   e->mtime_ns,
                                      *st,     e->digest, (s->flags[i] & FILE_XATTRS) != 0};
        g_array_append_val(items, item);
    }
    *changed = cached != items->len || cached != s->remembered;
    return items;
}

void scan_save(struct tree *t)
{
    struct scan *s = t ? t->data : NULL;
    if (!s || !s->store)
        return;
    gboolean changed;
    g_autoptr(GArray) items = collect_items(t, &changed);
    g_autoptr(GBytes) bytes = changed ? statcache_build(items) : NULL;
    gsize len;
    if (bytes) {
        const void *data = g_bytes_get_data(bytes, &len);
        store_statcache_save(s->store, &s->key, data, len);
    }
}

void scan_get_stats(const struct tree *t, struct scan_stats *out)
{
    *out = ((const struct scan *)t->data)->numbers;
}
