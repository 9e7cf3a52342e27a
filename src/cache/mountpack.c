#include "cache/mountpack.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/pool.h"
#include "store/blob.h"

#include <errno.h>
#include <stdatomic.h>
#include <zstd.h>

#define PACK_LEVEL 3
#define PACK_CHUNK (256 * 1024)

static guint64 pack_size(guint64 bytes)
{
    return MAX(PACK_TARGET, bytes / PACKS_AT_ONCE);
}

/* All packs but the last are of pack_size() or more. */
guint pack_estimate(guint64 bytes)
{
    return bytes ? bytes / pack_size(bytes) + 1 : 0;
}

guint pack_group(GArray *items)
{
    guint64 sum = 0, open_bytes = 0;
    guint n = 0, open = MOUNT_NONE;
    for (guint i = 0; i < items->len; i++)
        sum += g_array_index(items, struct pack_item, i).length;
    guint64 target = pack_size(sum);
    for (guint i = 0; i < items->len; i++) {
        struct pack_item *item = &g_array_index(items, struct pack_item, i);
        if (item->length >= target) {
            item->group = n++;
            continue;
        }
        if (open == MOUNT_NONE) {
            open = n++;
            open_bytes = 0;
        }
        item->group = open;
        open_bytes += item->length;
        if (open_bytes >= target)
            open = MOUNT_NONE;
    }
    return n;
}

/* All packs being made. */
struct packing {
    struct mount_scan *scan;
    GArray *items;      /* struct pack_item */
    GArray *packs;      /* struct mount_pack, by group */
    atomic_uint next;   /* group that no worker has begun */
    GPtrArray *members; /* GArray of guint by group: its items */
};
/* One worker's. */
struct pack_stream {
    struct packing *p;
    ZSTD_CCtx *zstd;
    guint8 *in, *out;           /* PACK_CHUNK bytes each */
    struct blob_writer *writer; /* of the pack */
    struct hasher *hasher;      /* of the file */
    guint64 raw;                /* bytes of the pack so far */
};

static gboolean compress_chunk(struct pack_stream *s, gsize len, ZSTD_EndDirective how,
                               GError **err)
{
    ZSTD_inBuffer in = {s->in, len, 0};
    for (gsize left = 1; in.pos < in.size || (how == ZSTD_e_end && left > 0);) {
        ZSTD_outBuffer out = {s->out, PACK_CHUNK, 0};
        left = ZSTD_compressStream2(s->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return error_set(err, VARVE_ERROR_FAILED, "cannot compress a pack: %s",
                             ZSTD_getErrorName(left));
        if (!blob_writer_write(s->writer, s->out, out.pos, err))
            return FALSE;
    }
    s->raw += len;
    return TRUE;
}

/* Appends what fd has. *same: it is what the item says. */
static gboolean append_content(struct pack_stream *s, int fd, const struct pack_item *item,
                               gboolean *same, GError **err)
{
    guint64 left = item->length;
    *same = FALSE;
    while (left > 0) {
        if (!cancel_check(s->p->scan->dir->cancel, err))
            return FALSE;
        ssize_t n = io_read_full(fd, s->in, MIN(left, PACK_CHUNK));
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s",
                                   mount_scan_at(s->p->scan, item->file)->path);
        if (n == 0)
            return TRUE;
        hasher_update(s->hasher, s->in, n);
        if (!compress_chunk(s, n, ZSTD_e_continue, err))
            return FALSE;
        left -= n;
    }
    struct digest d;
    hasher_final(s->hasher, &d);
    *same = digest_cmp(&d, &item->digest) == 0;
    return TRUE;
}

/* What of a file that changed is in the pack already stays there, and nothing refers to it. */
static gboolean append_item(struct pack_stream *s, struct pack_item *item, GError **err)
{
    struct digest unused;
    hasher_final(s->hasher, &unused);
    fd_auto int fd = mount_scan_open(s->p->scan, item->file);
    if (fd < 0)
        return TRUE;
    item->offset = s->raw;
    if (!append_content(s, fd, item, &item->packed, err))
        return FALSE;
    if (!item->packed)
        s->p->scan->state[item->file] = SCAN_MOVING;
    return TRUE;
}

static gboolean append_group(struct pack_stream *s, guint group, gboolean *any, GError **err)
{
    const GArray *members = g_ptr_array_index(s->p->members, group);
    *any = FALSE;
    for (guint i = 0; i < members->len; i++) {
        struct pack_item *item =
            &g_array_index(s->p->items, struct pack_item, g_array_index(members, guint, i));
        if (!append_item(s, item, err))
            return FALSE;
        *any |= item->packed;
    }
    return TRUE;
}

static gboolean make_pack(struct pack_stream *s, guint group, GError **err)
{
    struct mount_pack *pack = &g_array_index(s->p->packs, struct mount_pack, group);
    gboolean any;
    ZSTD_CCtx_reset(s->zstd, ZSTD_reset_session_only);
    s->raw = 0;
    s->writer = blob_writer_new(s->p->scan->dir->store, err);
    if (!s->writer || !append_group(s, group, &any, err) ||
        (any && !compress_chunk(s, 0, ZSTD_e_end, err)))
        return FALSE;
    if (!any) {
        blob_writer_abort(g_steal_pointer(&s->writer), FALSE);
        return TRUE;
    }
    pack->raw = s->raw;
    pack->size = blob_writer_size(s->writer);
    return blob_writer_commit(g_steal_pointer(&s->writer), NULL, &pack->digest, err);
}

static gboolean pack_worker(gpointer ctx, gsize i, GError **err)
{
    struct packing *p = ctx;
    struct pack_stream s = {.p = p};
    s.zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(s.zstd, ZSTD_c_compressionLevel, PACK_LEVEL);
    s.in = g_malloc(PACK_CHUNK);
    s.out = g_malloc(PACK_CHUNK);
    s.hasher = hasher_new();
    gboolean ok = TRUE;
    for (guint group; ok && (group = atomic_fetch_add(&p->next, 1)) < p->members->len;)
        ok = make_pack(&s, group, err);
    blob_writer_abort(s.writer, FALSE);
    hasher_free(s.hasher);
    ZSTD_freeCCtx(s.zstd);
    g_free(s.in);
    g_free(s.out);
    return ok;
}

static GPtrArray *group_members(const GArray *items, guint n_groups)
{
    GPtrArray *members = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (guint i = 0; i < n_groups; i++)
        g_ptr_array_add(members, g_array_new(FALSE, FALSE, sizeof(guint)));
    for (guint i = 0; i < items->len; i++)
        g_array_append_val(
            (GArray *)g_ptr_array_index(members, g_array_index(items, struct pack_item, i).group),
            i);
    return members;
}

gboolean pack_items(struct mount_scan *s, GArray *items, guint n_groups, GArray *packs,
                    GError **err)
{
    g_autoptr(GPtrArray) members = group_members(items, n_groups);
    struct packing p = {.scan = s, .items = items, .packs = packs, .members = members};
    static const struct mount_pack none;
    for (guint i = 0; i < n_groups; i++)
        g_array_append_val(packs, none);
    return pool_for_each(MIN(MIN(MOUNT_WORKERS, pool_cpus()), n_groups), pack_worker, &p, err);
}
