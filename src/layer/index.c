#include "layer/index.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/indexfile.h"
#include "store/absent.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct layer_index {
    atomic_uint refs;
    const struct indexfile_header *head; /* the mapping */
    gsize size;                          /* of the mapping */
    gboolean borrowed;                   /* head is the caller's memory (layer_index_of_bytes()) */
    const struct indexfile_entry *entries;
    const char *strings;
    guint n;
    struct xattr *xattrs; /* by number; NULL when there are none */
    GMutex lock;          /* guards making by_identity */
    guint32
        *by_identity; /* hash table of entry numbers + 1 of files by identity; NULL: not made yet */
    guint32 by_identity_mask; /* its size - 1, a power of two less one */
};

static gboolean corrupt(const char *layer_id, const char *what, GError **err)
{
    error_set(err, VARVE_ERROR_INVALID, "the index of layer %s is damaged (%s)", layer_id, what);
    error_add_next(err, "run varve fsck --repair, then build again");
    return FALSE;
}

/* By errno; repairing helps only when that speaks of the file. */
static void cannot_open(const char *what, const char *layer_id, GError **err)
{
    int why = errno;
    error_set_errno(err, why, "cannot open %s %s", what, layer_id);
    if (errno_is_damage(why))
        error_add_next(err, "run varve fsck --repair, then build again");
}

/* Sizes and the checksum are right, and every string is ended within the area. */
static gboolean check_header(struct layer_index *x, const char *id, GError **err)
{
    const struct indexfile_header *h = x->head;
    if (x->size < sizeof *h || memcmp(h->magic, INDEXFILE_MAGIC, sizeof h->magic) != 0)
        return corrupt(id, "no header", err);
    if (GUINT32_FROM_LE(h->version) != INDEXFILE_VERSION)
        return corrupt(id, "unknown version", err);
    guint64 n = GUINT32_FROM_LE(h->n), xattrs = GUINT32_FROM_LE(h->n_xattrs),
            room = x->size - sizeof *h;
    guint64 tables = n * sizeof(struct indexfile_entry) + xattrs * sizeof(struct indexfile_xattr);
    if (n > INDEXFILE_MAX_ENTRIES || tables > room ||
        GUINT64_FROM_LE(h->strings) != room - tables || room == tables ||
        room - tables > G_MAXUINT32 || ((const char *)h)[x->size - 1] != '\0')
        return corrupt(id, "wrong size", err);
    if (h->crc && libdeflate_crc32(0, h + 1, room) != GUINT32_FROM_LE(h->crc))
        return corrupt(id, "wrong checksum", err);
    x->n = n;
    x->entries = (const struct indexfile_entry *)(h + 1);
    x->strings = (const char *)h + sizeof *h + tables;
    return TRUE;
}

static gboolean good_string(guint32 offset, guint64 strings, gboolean optional)
{
    return GUINT32_FROM_LE(offset) < strings ||
           (optional && GUINT32_FROM_LE(offset) == INDEXFILE_NONE);
}

static gboolean check_entries(struct layer_index *x, const char *id, GError **err)
{
    guint64 strings = GUINT64_FROM_LE(x->head->strings),
            xattrs = GUINT32_FROM_LE(x->head->n_xattrs);
    for (guint i = 0; i < x->n; i++) {
        const struct indexfile_entry *e = &x->entries[i];
        if (!good_string(e->path, strings, FALSE) || !good_string(e->target, strings, TRUE) ||
            !good_string(e->hardlink, strings, TRUE) || e->type < ENTRY_FILE ||
            e->type > ENTRY_WHITEOUT ||
            (e->type == ENTRY_SYMLINK) != (GUINT32_FROM_LE(e->target) != INDEXFILE_NONE))
            return corrupt(id, "a bad entry", err);
        if ((guint64)GUINT32_FROM_LE(e->xattr) + GUINT16_FROM_LE(e->n_xattrs) > xattrs)
            return corrupt(id, "a bad xattr number", err);
    }
    return TRUE;
}

/* Turns the xattr records into what entries point to. */
static gboolean take_xattrs(struct layer_index *x, const char *id, GError **err)
{
    guint n = GUINT32_FROM_LE(x->head->n_xattrs);
    guint64 strings = GUINT64_FROM_LE(x->head->strings);
    const struct indexfile_xattr *r = (const struct indexfile_xattr *)(x->entries + x->n);
    x->xattrs = n ? g_new(struct xattr, n) : NULL;
    for (guint i = 0; i < n; i++) {
        guint64 name = GUINT32_FROM_LE(r[i].name), value = GUINT32_FROM_LE(r[i].value);
        guint64 size = GUINT32_FROM_LE(r[i].size);
        if (name >= strings || value + size > strings)
            return corrupt(id, "a bad xattr", err);
        x->xattrs[i] = (struct xattr){x->strings + name, x->strings + value, size};
    }
    return TRUE;
}

static void index_free(struct layer_index *x)
{
    if (x->head && !x->borrowed)
        munmap((gpointer)x->head, x->size);
    g_mutex_clear(&x->lock);
    g_free(x->xattrs);
    g_free(x->by_identity);
    g_free(x);
}

/* Frees x when what it points to is no index. */
static struct layer_index *checked(struct layer_index *x, const char *id, GError **err)
{
    if (check_header(x, id, err) && check_entries(x, id, err) && take_xattrs(x, id, err))
        return x;
    index_free(x);
    return NULL;
}

struct layer_index *layer_index_of_bytes(const void *bytes, gsize size, GError **err)
{
    struct layer_index *x = g_new0(struct layer_index, 1);
    x->refs = 1;
    g_mutex_init(&x->lock);
    x->head = bytes;
    x->size = size;
    x->borrowed = TRUE;
    return checked(x, "-", err);
}

/* NULL without error when the file does not exist. */
static struct layer_index *map_index(int dirfd, const char *id, GError **err)
{
    fd_auto int fd = openat(dirfd, "index", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0 || fstat(fd, &st) < 0) {
        cannot_open("the index of layer", id, err);
        return NULL;
    }
    struct layer_index *x = g_new0(struct layer_index, 1);
    x->refs = 1;
    g_mutex_init(&x->lock);
    x->size = st.st_size;
    void *map = x->size ? mmap(NULL, x->size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (map != MAP_FAILED) {
        x->head = map;
        return checked(x, id, err);
    }
    if (x->size)
        error_set_errno(err, errno, "cannot map the index of layer %s", id);
    else
        corrupt(id, "empty", err);
    index_free(x);
    return NULL;
}

static struct layer_index *layer_index_ref(struct layer_index *x)
{
    atomic_fetch_add(&x->refs, 1);
    return x;
}

void layer_index_unref(struct layer_index *x)
{
    if (x && atomic_fetch_sub(&x->refs, 1) == 1)
        index_free(x);
}

#define NS G_GINT64_CONSTANT(1000000000)

/* A store's cache: layer id → index, each holding one reference. It lives as long as the leases of
 * its layers do, so nothing that garbage collection removed stays mapped. */
#define CACHE_MAX 512
struct index_cache {
    GMutex lock;
    GHashTable *by_id;
};

static gboolean unused(gpointer key, gpointer value, gpointer data)
{
    return atomic_load(&((struct layer_index *)value)->refs) == 1;
}

static void unref_index(gpointer x)
{
    layer_index_unref(x);
}

static gpointer index_cache_new(void)
{
    struct index_cache *c = g_new0(struct index_cache, 1);
    g_mutex_init(&c->lock);
    c->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_index);
    return c;
}

static void index_cache_free(gpointer p)
{
    struct index_cache *c = p;
    g_hash_table_unref(c->by_id);
    g_mutex_clear(&c->lock);
    g_free(c);
}

static struct layer_index *cache_find(struct index_cache *c, const char *id)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
    struct layer_index *x = g_hash_table_lookup(c->by_id, id);
    return x ? layer_index_ref(x) : NULL;
}

static void cache_add(struct index_cache *c, const char *id, struct layer_index *x)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
    if (g_hash_table_size(c->by_id) >= CACHE_MAX)
        g_hash_table_foreach_remove(c->by_id, unused, NULL);
    g_hash_table_replace(c->by_id, g_strdup(id), layer_index_ref(x));
}

/* The kernel's times have a fraction of a second: one without was set by a program (touch -d, cp
 * -p, tar …), and later steps may look at it. */
static void mark_set_times(struct entry_list *l)
{
    for (guint i = 0; i < entry_list_len(l); i++) {
        struct entry *e = entry_list_at(l, i);
        e->mtime_set = e->type != ENTRY_WHITEOUT && e->mtime_ns % NS == 0;
    }
}

gboolean layer_index_make(int dirfd, struct cancel *c, struct layer_info *info, GError **err)
{
    g_autoptr(entry_list) entries = layer_walk(dirfd, c, err);
    if (entries && !info->unpacked)
        mark_set_times(entries);
    return entries && layer_index_write(dirfd, entries, info, err);
}

/* Of a layer that has none; one process at a time makes it. */
static struct layer_index *make_index(struct store *s, int dirfd, const char *id, struct cancel *c,
                                      GError **err)
{
    g_autofree char *name = g_strconcat("index-", id, NULL);
    g_autoptr(store_lock) lock = store_lock_take(s, name, c, NULL, err);
    if (!lock)
        return NULL;
    GError *broken = NULL;
    struct layer_index *x = map_index(dirfd, id, &broken);
    if (x)
        return x;
    if (broken) {
        g_propagate_error(err, broken);
        return NULL;
    }
    struct layer_info info;
    if (!store_layer_get(s, id, &info, err) || !layer_index_make(dirfd, c, &info, err) ||
        !store_layer_set_indexed(s, &info, err)) {
        g_prefix_error(err, "cannot index layer %s: ", id);
        return NULL;
    }
    return map_index(dirfd, id, err);
}

/* Where its index is: the layer's own directory, or where a claim lies as long as there is none. */
static char *index_dir(struct store *s, const char *id)
{
    g_autofree char *own = store_layer_path(id), *claimed = store_absent_claimed(s, id);
    g_autofree char *file = g_strconcat(own, "/index", NULL);
    if (claimed && faccessat(store_fd(s), file, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return g_steal_pointer(&claimed);
    return g_steal_pointer(&own);
}

static struct layer_index *open_index(struct store *s, const char *id, struct cancel *c,
                                      GError **err)
{
    if (!store_layer_need(s, id, NEED_TREE, err))
        return NULL;
    g_autofree char *path = index_dir(s, id);
    fd_auto int dirfd = openat(store_fd(s), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dirfd < 0) {
        gboolean damage = errno_is_damage(errno);
        cannot_open("layer", id, err);
        if (damage)
            store_layer_lose(s, id);
        return NULL;
    }
    GError *broken = NULL;
    struct layer_index *x = map_index(dirfd, id, &broken);
    if (!x && !broken)
        return make_index(s, dirfd, id, c, err);
    if (g_error_matches(broken, VARVE_ERROR, VARVE_ERROR_INVALID))
        store_layer_lose(s, id);
    if (broken)
        g_propagate_error(err, broken);
    return x;
}

struct layer_index *layer_index_open(struct store *s, const char *layer_id, struct cancel *c,
                                     GError **err)
{
    struct index_cache *known = store_cache(s, index_cache_new, index_cache_free);
    struct layer_index *x = cache_find(known, layer_id);
    if (x)
        return x;
    x = open_index(s, layer_id, c, err);
    if (x)
        cache_add(known, layer_id, x);
    return x;
}

guint layer_index_len(const struct layer_index *x)
{
    return x->n;
}

static const char *string_at(const struct layer_index *x, guint32 offset)
{
    offset = GUINT32_FROM_LE(offset);
    return offset == INDEXFILE_NONE ? NULL : x->strings + offset;
}

void layer_index_at(const struct layer_index *x, guint i, struct entry *out)
{
    const struct indexfile_entry *e = &x->entries[i];
    *out = (struct entry){
        .path = string_at(x, e->path),
        .type = e->type,
        .mode = GUINT32_FROM_LE(e->mode),
        .uid = GUINT32_FROM_LE(e->uid),
        .gid = GUINT32_FROM_LE(e->gid),
        .size = GUINT64_FROM_LE(e->size),
        .mtime_ns = GINT64_FROM_LE(e->mtime),
        .mtime_set = (e->flags & INDEXFILE_MTIME_SET) != 0,
        .rdev = GUINT64_FROM_LE(e->rdev),
        .target = string_at(x, e->target),
        .hardlink = string_at(x, e->hardlink),
        .has_digest = (e->flags & INDEXFILE_DIGEST) != 0,
        .opaque = (e->flags & INDEXFILE_OPAQUE) != 0,
        .implied = e->flags / INDEXFILE_IMPLIED & INDEXFILE_IMPLIED_MASK,
        .n_xattrs = GUINT16_FROM_LE(e->n_xattrs),
    };
    memcpy(out->digest.b, e->digest, sizeof e->digest);
    if (out->n_xattrs)
        out->xattrs = x->xattrs + GUINT32_FROM_LE(e->xattr);
}

/* First entry from lo on that does not come before path. */
static guint lower_bound(const struct layer_index *x, const char *path)
{
    guint lo = 0, hi = x->n;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (entry_path_cmp(string_at(x, x->entries[mid].path), path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

gint64 layer_index_find(const struct layer_index *x, const char *path)
{
    guint i = lower_bound(x, path);
    return i < x->n && strcmp(string_at(x, x->entries[i].path), path) == 0 ? (gint64)i : -1;
}

void layer_index_range(const struct layer_index *x, const char *dir, guint *lo, guint *hi)
{
    guint a = lower_bound(x, dir), b = x->n;
    *lo = a;
    while (a < b) {
        guint mid = a + (b - a) / 2;
        if (entry_path_within(string_at(x, x->entries[mid].path), dir))
            a = mid + 1;
        else
            b = mid;
    }
    *hi = a;
}

void layer_index_content(const struct layer_index *x, struct digest *content, guint64 *bytes)
{
    if (content)
        memcpy(content->b, x->head->content, sizeof content->b);
    if (bytes)
        *bytes = GUINT64_FROM_LE(x->head->bytes);
}

static gboolean same_inode_data(const struct entry *a, const struct entry *b)
{
    return digest_cmp(&a->digest, &b->digest) == 0 && a->mode == b->mode && a->uid == b->uid &&
           a->gid == b->gid && a->mtime_ns == b->mtime_ns && entry_same_xattrs(a, b);
}

static guint32 slot_of(const struct layer_index *x, const struct entry *e)
{
    guint32 h;
    memcpy(&h, e->digest.b, sizeof h);
    /* Equal contents are common (empty files): the rest of the identity tells most of them apart.
     */
    h ^= (guint32)(e->mtime_ns ^ e->mtime_ns >> 32) * 2654435761u;
    h += e->mode * 97 + e->uid * 8191 + e->gid * 131;
    return h & x->by_identity_mask;
}

/* The slot that holds a file like e, or the free one where it would be. */
static guint32 find_slot(const struct layer_index *x, const guint32 *table, const struct entry *e)
{
    guint32 slot = slot_of(x, e);
    for (; table[slot]; slot = (slot + 1) & x->by_identity_mask) {
        struct entry other;
        layer_index_at(x, table[slot] - 1, &other);
        if (same_inode_data(&other, e))
            break;
    }
    return slot;
}

/* Open addressing, at most half full; one entry of each identity. */
static void make_by_identity(struct layer_index *x)
{
    guint32 size = 16;
    while (size < 2 * x->n)
        size *= 2;
    x->by_identity_mask = size - 1;
    guint32 *table = g_new0(guint32, size);
    for (guint i = 0; i < x->n; i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        if (e.type == ENTRY_FILE && e.has_digest)
            table[find_slot(x, table, &e)] = i + 1;
    }
    x->by_identity = table;
}

gboolean layer_index_has_file(struct layer_index *x, const struct entry *e)
{
    g_mutex_lock(&x->lock);
    if (!x->by_identity)
        make_by_identity(x);
    g_mutex_unlock(&x->lock);
    return x->by_identity[find_slot(x, x->by_identity, e)] != 0;
}
