/* Importing a cache mount. What is to be made is decided from the manifest and a listing of the
 * directory; then directories are made, contents (first those that the directory has already, then
 * those of packs), empty files, links, and at the end the directories' attributes. */
#include "cache/mountmanifest.h"
#include "cache/mountpack.h"
#include "cache/mountplace.h"
#include "cache/mountscan.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/pool.h"
#include "layer/decompress.h"
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UNPACK_CHUNK (128 * 1024)
#define NAME_ROOM 64 /* bytes of a name in tmp */

enum wanted {
    WANT_NOTHING, /* what the directory has stays */
    WANT_IT,      /* a directory or symlink, or a file with content of its own */
    WANT_LINK,    /* another name of its leader, which is there or will be */
};
enum source { SOURCE_NONE, SOURCE_PACK, SOURCE_LOCAL };

struct importer {
    const struct mount_manifest *m;
    const struct mount_dir *dir;
    struct mount_scan *scan; /* of the directory before */
    guint8 *wanted;          /* by entry: enum wanted */
    guint32 *next_user;      /* by entry: the next that wants the same content; or MOUNT_NONE */
    guint32 *first_user;     /* by content: the first entry that wants it; or MOUNT_NONE */
    guint8 *source;          /* by content: enum source */
    guint32 *local;          /* by content: the file of the scan that has it, if it is local */
    struct mount_place place;
    atomic_uint next; /* pack that no worker has begun */
    atomic_uint made; /* entries */
};

static void importer_clear(struct importer *x)
{
    mount_scan_free(x->scan);
    mount_place_clear(&x->place);
    g_free(x->wanted);
    g_free(x->next_user);
    g_free(x->first_user);
    g_free(x->source);
    g_free(x->local);
}

static const struct entry *local_entry(const struct importer *x, const struct mount_entry *e)
{
    return entry_list_find(x->scan->walk.entries, e->path);
}

/* Whether the directory's file is the one that e says, as far as one sees from outside. */
static gboolean is_same_file(const struct importer *x, const struct mount_entry *e)
{
    const struct entry *there = local_entry(x, e);
    return there && there->type == ENTRY_FILE && there->mtime_ns == e->mtime_ns &&
           there->size == mount_entry_size(x->m, e);
}

static enum wanted decide_entry(const struct importer *x, const struct mount_entry *e)
{
    const struct entry *there = local_entry(x, e);
    if (there &&
        (there->type == ENTRY_DIR || e->type == ENTRY_DIR || there->mtime_ns >= e->mtime_ns))
        return WANT_NOTHING;
    if (e->leader == MOUNT_NONE)
        return WANT_IT;
    const struct mount_entry *leader = mount_entry_at(x->m, e->leader);
    return x->wanted[e->leader] == WANT_IT || is_same_file(x, leader) ? WANT_LINK : WANT_IT;
}

/* Nothing is put below what is not a directory here. */
static void decide_all(struct importer *x)
{
    const char *closed = NULL;
    for (guint i = 1; i < x->m->entries->len; i++) {
        const struct mount_entry *e = mount_entry_at(x->m, i);
        if (closed && entry_path_within(e->path, closed))
            continue;
        const struct entry *there = e->type == ENTRY_DIR ? local_entry(x, e) : NULL;
        if (there && there->type != ENTRY_DIR)
            closed = e->path;
        else
            x->wanted[i] = decide_entry(x, e);
    }
}

static void list_users(struct importer *x)
{
    guint n = x->m->entries->len;
    for (guint i = n; i-- > 0;) {
        const struct mount_entry *e = mount_entry_at(x->m, i);
        if (x->wanted[i] != WANT_IT || e->type != ENTRY_FILE || e->content == MOUNT_NONE)
            continue;
        x->next_user[i] = x->first_user[e->content];
        x->first_user[e->content] = i;
        x->source[e->content] = SOURCE_PACK;
    }
}

/* The directory's files whose size is that of a content that is wanted. */
static GArray *list_candidates(const struct importer *x)
{
    GArray *files = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_autoptr(GHashTable) sizes = g_hash_table_new(g_int64_hash, g_int64_equal);
    for (guint i = 0; i < x->m->contents->len; i++)
        if (x->source[i] != SOURCE_NONE)
            g_hash_table_add(sizes, &mount_content_at(x->m, i)->length);
    for (guint32 i = 0; i < entry_list_len(x->scan->walk.entries); i++) {
        const struct entry *e = mount_scan_at(x->scan, i);
        if (e->type == ENTRY_FILE && !e->hardlink && g_hash_table_contains(sizes, &e->size))
            g_array_append_val(files, i);
    }
    return files;
}

static gboolean find_local(struct importer *x, GError **err)
{
    g_autoptr(GArray) files = list_candidates(x);
    if (!mount_scan_hash(x->scan, files, err))
        return FALSE;
    for (guint k = 0; k < files->len; k++) {
        guint32 i = g_array_index(files, guint32, k);
        const struct entry *e = mount_scan_at(x->scan, i);
        guint32 content = e->has_digest && x->scan->state[i] != SCAN_MOVING
                              ? mount_manifest_find(x->m, &e->digest)
                              : MOUNT_NONE;
        if (content == MOUNT_NONE || x->source[content] == SOURCE_NONE)
            continue;
        x->source[content] = SOURCE_LOCAL;
        x->local[content] = i;
    }
    mount_scan_save(x->scan);
    return TRUE;
}

static guint32 *no_numbers(guint n)
{
    guint32 *all = g_new(guint32, n + 1);
    memset(all, 0xff, sizeof *all * (n + 1));
    return all;
}

static gboolean importer_plan(struct importer *x, const struct mount_manifest *m,
                              const struct mount_dir *d, GError **err)
{
    *x = (struct importer){.m = m, .dir = d, .place = {.tmp = -1}};
    x->scan = mount_scan_new(d, NULL, err);
    if (!x->scan)
        return FALSE;
    x->wanted = g_new0(guint8, m->entries->len);
    x->next_user = no_numbers(m->entries->len);
    x->first_user = no_numbers(m->contents->len);
    x->source = g_new0(guint8, m->contents->len + 1);
    x->local = no_numbers(m->contents->len);
    decide_all(x);
    list_users(x);
    return find_local(x, err);
}

/* By pack: whether something of it is needed. */
static guint8 *needed_packs(const struct importer *x)
{
    guint8 *needed = g_new0(guint8, x->m->packs->len + 1);
    for (guint i = 0; i < x->m->contents->len; i++)
        if (x->source[i] == SOURCE_PACK)
            needed[mount_content_at(x->m, i)->pack] = TRUE;
    return needed;
}

GPtrArray *mount_import_packs(const struct mount_manifest *m, const struct mount_dir *d,
                              GError **err)
{
    struct importer x;
    GPtrArray *packs = NULL;
    if (importer_plan(&x, m, d, err)) {
        g_autofree guint8 *needed = needed_packs(&x);
        packs = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
        for (guint i = 0; i < m->packs->len; i++)
            if (needed[i])
                g_ptr_array_add(packs, mount_pack_descriptor(mount_pack_at(m, i)));
    }
    importer_clear(&x);
    if (!packs)
        g_prefix_error(err, "cannot import the cache mount: ");
    return packs;
}

static const char *content_name(guint32 content, char *room)
{
    snprintf(room, NAME_ROOM, "c%u", content);
    return room;
}

/* Gives a copy of fd, which has the content, to entry i. */
static gboolean place_copy(struct importer *x, int fd, guint32 i, gboolean *placed, GError **err)
{
    char name[NAME_ROOM];
    const struct mount_entry *e = mount_entry_at(x->m, i);
    snprintf(name, sizeof name, "e%u", i);
    fd_auto int copy = mount_place_create(&x->place, name, err);
    if (copy < 0)
        return FALSE;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_set_errno(err, errno, "cannot copy %s", e->path);
    return fs_copy_fd(fd, copy, e->path, err) &&
           mount_place_file(&x->place, copy, name, e, placed, err);
}

/* Gives the file fd, name in tmp, to the entries that want this content. */
static gboolean place_content(struct importer *x, guint32 content, int fd, const char *name,
                              GError **err)
{
    for (guint32 i = x->first_user[content]; i != MOUNT_NONE; i = x->next_user[i]) {
        gboolean placed, last = x->next_user[i] == MOUNT_NONE;
        if (!(last ? mount_place_file(&x->place, fd, name, mount_entry_at(x->m, i), &placed, err)
                   : place_copy(x, fd, i, &placed, err)))
            return FALSE;
        atomic_fetch_add(&x->made, placed);
    }
    return TRUE;
}

/* Copies a content from the directory's own file into tmp. *same: it is there, as it should be. */
static gboolean fetch_local(struct importer *x, guint32 content, gboolean *same, GError **err)
{
    char name[NAME_ROOM];
    struct digest d;
    *same = FALSE;
    fd_auto int from = mount_scan_open(x->scan, x->local[content]);
    if (from < 0)
        return TRUE;
    fd_auto int to = mount_place_create(&x->place, content_name(content, name), err);
    if (to < 0 || !fs_copy_fd(from, to, name, err))
        return FALSE;
    if (lseek(to, 0, SEEK_SET) < 0 || !digest_of_fd(&d, to, name, NULL, err))
        return FALSE;
    *same = digest_cmp(&d, &mount_content_at(x->m, content)->digest) == 0;
    return TRUE;
}

static gboolean place_local(struct importer *x, guint32 content, GError **err)
{
    char name[NAME_ROOM];
    fd_auto int fd = openat(x->place.tmp, content_name(content, name), O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open a file in %s", x->place.tmp_path);
    return place_content(x, content, fd, name, err);
}

/* All are copied before one is placed: that may replace the source of another. One that changed
 * meanwhile is looked for in its pack. */
static gboolean import_local(struct importer *x, GError **err)
{
    for (guint i = 0; i < x->m->contents->len; i++) {
        gboolean same;
        if (x->source[i] != SOURCE_LOCAL)
            continue;
        if (!cancel_check(x->dir->cancel, err) || !fetch_local(x, i, &same, err))
            return FALSE;
        if (!same)
            x->source[i] = SOURCE_PACK;
    }
    for (guint i = 0; i < x->m->contents->len; i++)
        if (x->source[i] == SOURCE_LOCAL && !place_local(x, i, err))
            return FALSE;
    return TRUE;
}

/* One worker's. */
struct unpack_stream {
    struct importer *x;
    guint8 *buf;           /* UNPACK_CHUNK bytes */
    struct hasher *hasher; /* of the file */
    int blob;              /* being read */
    struct decompress *d;  /* its content */
    guint64 at;            /* bytes of that so far */
};

static gssize read_pack(gpointer ctx, void *buf, gsize len, GError **err)
{
    ssize_t n = io_read(*(int *)ctx, buf, len);
    if (n < 0)
        error_set_errno(err, errno, "cannot read it");
    return n;
}

/* The next bytes of the pack, at most up to the offset end. */
static gboolean next_bytes(struct unpack_stream *s, guint64 end, gsize *len, GError **err)
{
    if (!cancel_check(s->x->dir->cancel, err))
        return FALSE;
    gssize n = decompress_read(s->d, s->buf, MIN(UNPACK_CHUNK, end - s->at), err);
    if (n == 0)
        return error_set(err, VARVE_ERROR_INVALID, "it has less than its mount says");
    *len = n;
    s->at += MAX(n, 0);
    return n > 0;
}

static gboolean skip_to(struct unpack_stream *s, guint64 offset, GError **err)
{
    gsize len;
    while (s->at < offset)
        if (!next_bytes(s, offset, &len, err))
            return FALSE;
    return TRUE;
}

static gboolean is_hole(const guint8 *buf, gsize len)
{
    return buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
}

/* Zeros take no room on the disk. */
static gboolean write_sparse(int fd, const guint8 *buf, gsize len, GError **err)
{
    if (!is_hole(buf, len))
        return fs_write_all(fd, buf, len, err);
    return lseek(fd, (off_t)len, SEEK_CUR) >= 0 ||
           error_set_errno(err, errno, "cannot write a file of it");
}

static gboolean unpack_content(struct unpack_stream *s, guint32 content, GError **err)
{
    const struct mount_content *c = mount_content_at(s->x->m, content);
    char name[NAME_ROOM];
    struct digest d;
    gsize len;
    if (!skip_to(s, c->offset, err))
        return FALSE;
    fd_auto int fd = mount_place_create(&s->x->place, content_name(content, name), err);
    if (fd < 0)
        return FALSE;
    hasher_final(s->hasher, &d);
    while (s->at < c->offset + c->length) {
        if (!next_bytes(s, c->offset + c->length, &len, err) || !write_sparse(fd, s->buf, len, err))
            return FALSE;
        hasher_update(s->hasher, s->buf, len);
    }
    hasher_final(s->hasher, &d);
    if (digest_cmp(&d, &c->digest) != 0)
        return error_set(err, VARVE_ERROR_INVALID, "a file in it has another digest");
    if (ftruncate(fd, (off_t)c->length) < 0)
        return error_set_errno(err, errno, "cannot write a file of it");
    return place_content(s->x, content, fd, name, err);
}

/* Whether the pack ends where it should. */
static gboolean check_pack_end(struct unpack_stream *s, guint64 raw, GError **err)
{
    if (!skip_to(s, raw, err))
        return FALSE;
    gssize n = decompress_read(s->d, s->buf, 1, err);
    return n == 0 ||
           (n > 0 && error_set(err, VARVE_ERROR_INVALID, "it has more than its mount says"));
}

/* The first content that is in this pack or a later one. */
static guint32 pack_start(const struct mount_manifest *m, guint32 pack)
{
    guint lo = 0, hi = m->contents->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (mount_content_at(m, mid)->pack < pack)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Contents [lo, hi) are the pack's. */
static gboolean unpack_contents(struct unpack_stream *s, guint32 lo, guint32 hi, guint64 raw,
                                GError **err)
{
    for (guint32 i = lo; i < hi; i++)
        if (s->x->source[i] == SOURCE_PACK && !unpack_content(s, i, err))
            return FALSE;
    return check_pack_end(s, raw, err);
}

static gboolean unpack_pack(struct unpack_stream *s, guint32 pack, GError **err)
{
    const struct mount_pack *p = mount_pack_at(s->x->m, pack);
    guint32 lo = pack_start(s->x->m, pack), hi = pack_start(s->x->m, pack + 1);
    s->blob = store_blob_open(s->x->dir->store, &p->digest, err);
    s->d = decompress_new(read_pack, &s->blob);
    s->at = 0;
    gboolean ok = s->blob >= 0 && unpack_contents(s, lo, hi, p->raw, err);
    decompress_free(g_steal_pointer(&s->d));
    fd_cleanup(&s->blob);
    if (!ok) {
        g_autofree char *text = digest_text(&p->digest);
        g_prefix_error(err, "the pack %s: ", text);
    }
    return ok;
}

struct unpacking {
    struct importer *x;
    const guint8 *needed; /* by pack */
};

static gboolean unpack_worker(gpointer ctx, gsize k, GError **err)
{
    const struct unpacking *u = ctx;
    struct importer *x = u->x;
    struct unpack_stream s = {.x = x, .blob = -1};
    s.buf = g_malloc(UNPACK_CHUNK);
    s.hasher = hasher_new();
    gboolean ok = TRUE;
    for (guint p; ok && (p = atomic_fetch_add(&x->next, 1)) < x->m->packs->len;)
        ok = !u->needed[p] || unpack_pack(&s, p, err);
    hasher_free(s.hasher);
    g_free(s.buf);
    return ok;
}

static gboolean import_packs(struct importer *x, GError **err)
{
    g_autofree guint8 *needed = needed_packs(x);
    struct unpacking u = {x, needed};
    return pool_for_each(MIN(MOUNT_WORKERS, pool_cpus()), unpack_worker, &u, err);
}

static gboolean import_dirs(struct importer *x, GError **err)
{
    for (guint i = 1; i < x->m->entries->len; i++) {
        const struct mount_entry *e = mount_entry_at(x->m, i);
        gboolean placed;
        if (e->type != ENTRY_DIR || !x->wanted[i])
            continue;
        if (!cancel_check(x->dir->cancel, err) || !mount_place_dir(&x->place, e, &placed, err))
            return FALSE;
        x->wanted[i] = placed ? WANT_IT : WANT_NOTHING;
        atomic_fetch_add(&x->made, placed);
    }
    return TRUE;
}

static gboolean place_empty(struct importer *x, guint i, gboolean *placed, GError **err)
{
    const char *name = "empty";
    fd_auto int fd = mount_place_create(&x->place, name, err);
    return fd >= 0 && mount_place_file(&x->place, fd, name, mount_entry_at(x->m, i), placed, err);
}

/* Makes what needs no content. */
static gboolean place_other(struct importer *x, guint i, gboolean *placed, GError **err)
{
    const struct mount_entry *e = mount_entry_at(x->m, i);
    *placed = FALSE;
    if (x->wanted[i] == WANT_LINK)
        return mount_place_link(&x->place, mount_entry_at(x->m, e->leader), e, placed, err);
    if (x->wanted[i] == WANT_IT && e->type == ENTRY_SYMLINK)
        return mount_place_symlink(&x->place, e, placed, err);
    if (x->wanted[i] == WANT_IT && e->type == ENTRY_FILE && e->content == MOUNT_NONE)
        return place_empty(x, i, placed, err);
    return TRUE;
}

static gboolean import_others(struct importer *x, GError **err)
{
    for (guint i = 0; i < x->m->entries->len; i++) {
        gboolean placed;
        if (!place_other(x, i, &placed, err))
            return FALSE;
        atomic_fetch_add(&x->made, placed);
    }
    return cancel_check(x->dir->cancel, err);
}

/* Directories that were made, or are older here, get all attributes; others keep the time that they
 * had. So does the root, unless it was empty: then it is made, too. */
static gboolean finish_dirs(struct importer *x, GError **err)
{
    gboolean was_empty = entry_list_len(x->scan->walk.entries) == 1;
    for (guint i = x->m->entries->len; i-- > 0;) {
        struct mount_entry e = *mount_entry_at(x->m, i);
        if (e.type != ENTRY_DIR)
            continue;
        const struct entry *there = i == 0 && was_empty ? NULL : local_entry(x, &e);
        if (there ? there->type != ENTRY_DIR : i > 0 && x->wanted[i] != WANT_IT)
            continue;
        gboolean only_time = there && there->mtime_ns >= e.mtime_ns;
        if (only_time)
            e.mtime_ns = there->mtime_ns;
        if (!mount_place_finish_dir(&x->place, &e, only_time, err))
            return FALSE;
    }
    return TRUE;
}

gboolean mount_import(const struct mount_manifest *m, const struct mount_dir *d, guint64 *files,
                      GError **err)
{
    struct importer x;
    gboolean ok = importer_plan(&x, m, d, err) && mount_place_init(&x.place, d, err) &&
                  import_dirs(&x, err) && import_local(&x, err) && import_packs(&x, err) &&
                  import_others(&x, err) && finish_dirs(&x, err);
    if (files)
        *files = atomic_load(&x.made);
    importer_clear(&x);
    if (!ok)
        g_prefix_error(err, "cannot import the cache mount: ");
    return ok;
}
