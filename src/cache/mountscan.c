#include "cache/mountscan.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"
#include "tree/content.h"
#include "tree/statcache.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#define WHERE "the cache mount"
/* A file whose ctime is younger than this before the scan may change again without its stat showing
 * it (file systems keep times as coarsely as two seconds): its digest is not remembered. */
#define RACY_NS (2 * G_GINT64_CONSTANT(1000000000))

static void statcache_key(const struct mount_dir *dir, struct digest *out)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, WHERE);
    hasher_add_str(h, dir->name);
    hasher_final(h, out);
}

static gboolean same_stat(const struct entry *a, const struct walk_stat *as, guint64 size,
                          gint64 mtime_ns, const struct walk_stat *bs)
{
    return a->size == size && a->mtime_ns == mtime_ns && as->ctime_ns == bs->ctime_ns &&
           as->ino == bs->ino && as->dev == bs->dev;
}

static void recall_digest(struct mount_scan *s, guint i, const struct digest *d, guint8 state)
{
    struct entry *e = mount_scan_at(s, i);
    e->digest = *d;
    e->has_digest = TRUE;
    s->state[i] = state;
}

/* Both are sorted: one walk over the two. */
static void recall_saved(struct mount_scan *s)
{
    struct statcache_item item;
    struct digest key;
    statcache_key(s->dir, &key);
    g_autoptr(GBytes) bytes = store_statcache_load(s->dir->store, &key);
    if (!bytes)
        return;
    guint n = statcache_len(bytes), k = 0;
    for (guint i = 0; i < entry_list_len(s->walk.entries) && k < n;) {
        const struct entry *e = mount_scan_at(s, i);
        if (!statcache_at(bytes, k, &item))
            return;
        int c = entry_path_cmp(e->path, item.path);
        if (c == 0 && e->type == ENTRY_FILE &&
            same_stat(e, mount_scan_stat(s, i), item.size, item.mtime_ns, &item.st))
            recall_digest(s, i, &item.digest, SCAN_CACHED);
        i += c <= 0;
        k += c >= 0;
    }
}

static void recall_scanned(struct mount_scan *s, const struct mount_scan *earlier)
{
    guint n = entry_list_len(s->walk.entries), m = entry_list_len(earlier->walk.entries);
    s->started_ns = earlier->started_ns; /* what was hashed then is as young as it was then */
    for (guint i = 0, k = 0; i < n && k < m;) {
        const struct entry *e = mount_scan_at(s, i), *f = mount_scan_at(earlier, k);
        int c = entry_path_cmp(e->path, f->path);
        if (c == 0 && e->type == ENTRY_FILE && !e->has_digest && f->has_digest &&
            earlier->state[k] != SCAN_MOVING &&
            same_stat(e, mount_scan_stat(s, i), f->size, f->mtime_ns, mount_scan_stat(earlier, k)))
            recall_digest(s, i, &f->digest, earlier->state[k]);
        i += c <= 0;
        k += c >= 0;
    }
}

static gint64 wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct mount_scan *mount_scan_new(const struct mount_dir *dir, const struct mount_scan *earlier,
                                  GError **err)
{
    g_autoptr(mount_scan) s = g_new0(struct mount_scan, 1);
    s->dir = dir;
    s->started_ns = wall_clock();
    if (!walk_dir(dir->fd, NULL, WHERE, dir->cancel, &s->walk, err))
        return NULL;
    s->state = g_malloc0(entry_list_len(s->walk.entries));
    if (earlier)
        recall_scanned(s, earlier);
    else
        recall_saved(s);
    return g_steal_pointer(&s);
}

void mount_scan_free(struct mount_scan *s)
{
    if (!s)
        return;
    walk_clear(&s->walk);
    g_free(s->state);
    g_free(s);
}

gboolean mount_scan_same(const struct mount_scan *a, const struct mount_scan *b)
{
    guint n = entry_list_len(a->walk.entries);
    if (n != entry_list_len(b->walk.entries))
        return FALSE;
    for (guint i = 0; i < n; i++) {
        const struct entry *e = mount_scan_at(a, i), *f = mount_scan_at(b, i);
        if (e->type != f->type || strcmp(e->path, f->path) != 0 ||
            !same_stat(e, mount_scan_stat(a, i), f->size, f->mtime_ns, mount_scan_stat(b, i)))
            return FALSE;
    }
    return TRUE;
}

static gboolean mount_scan_holds(struct mount_scan *s, guint i, int fd)
{
    const struct entry *e = mount_scan_at(s, i);
    struct stat st;
    gboolean same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (same) {
        struct walk_stat now = {.ctime_ns =
                                    (gint64)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec,
                                .dev = st.st_dev,
                                .ino = st.st_ino};
        same = same_stat(e, mount_scan_stat(s, i), st.st_size, fs_mtime_ns(&st), &now);
    }
    if (!same)
        s->state[i] = SCAN_MOVING;
    return same;
}

int mount_scan_open(struct mount_scan *s, guint i)
{
    fd_auto int fd = content_open(s->dir->fd, mount_scan_at(s, i)->path, WHERE, NULL);
    if (fd < 0) {
        s->state[i] = SCAN_MOVING;
        return -1;
    }
    /* Not possible for another user's file: then this counts as a use. */
    fcntl(fd, F_SETFL, O_NOATIME);
    return mount_scan_holds(s, i, fd) ? fd_steal(&fd) : -1;
}

struct scan_hashing {
    struct mount_scan *scan;
    const GArray *numbers; /* guint32 */
};

static gboolean hash_scanned(gpointer ctx, gsize k, GError **err)
{
    struct scan_hashing *h = ctx;
    guint i = g_array_index(h->numbers, guint32, k);
    struct entry *e = mount_scan_at(h->scan, i);
    if (!cancel_check(h->scan->dir->cancel, err))
        return FALSE;
    if (e->has_digest)
        return TRUE;
    fd_auto int fd = mount_scan_open(h->scan, i);
    if (fd < 0)
        return TRUE;
    GError *why = NULL;
    struct digest d;
    if (content_hash(fd, e->path, e->size, &d, &why)) {
        if (mount_scan_holds(h->scan, i, fd)) {
            e->digest = d;
            e->has_digest = TRUE;
        }
        return TRUE;
    }
    h->scan->state[i] = SCAN_MOVING;
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_FAILED)) { /* it changed */
        g_error_free(why);
        return TRUE;
    }
    g_propagate_error(err, why);
    return FALSE;
}

gboolean mount_scan_hash(struct mount_scan *s, const GArray *numbers, GError **err)
{
    struct scan_hashing h = {s, numbers};
    return pool_for_each(numbers->len, hash_scanned, &h, err);
}

void mount_scan_save(const struct mount_scan *s)
{
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(struct statcache_item));
    gboolean fresh = FALSE;
    for (guint i = 0; i < entry_list_len(s->walk.entries); i++) {
        const struct entry *e = mount_scan_at(s, i);
        const struct walk_stat *st = mount_scan_stat(s, i);
        gboolean cached = s->state[i] == SCAN_CACHED;
        if (!e->has_digest || s->state[i] == SCAN_MOVING ||
            (!cached && st->ctime_ns > s->started_ns - RACY_NS))
            continue;
        fresh |= !cached;
        struct statcache_item item = {.path = e->path,
                                      .size = e->size,
                                      .mtime_ns = e->mtime_ns,
                                      .st = *st,
                                      .digest = e->digest};
        g_array_append_val(items, item);
    }
    g_autoptr(GBytes) bytes = fresh ? statcache_build(items) : NULL;
    if (!bytes)
        return;
    struct digest key;
    statcache_key(s->dir, &key);
    store_statcache_save(s->dir->store, &key, g_bytes_get_data(bytes, NULL),
                         g_bytes_get_size(bytes));
}
