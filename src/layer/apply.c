#include "layer/apply.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/ring.h"
#include "layer/tarreader.h"
#include "layer/unpacker.h"
#include "store/blob.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES (4 * 1024 * 1024)
#define MAX_TAR (G_GUINT64_CONSTANT(80) << 30) /* content and headers */

/* The thread that decompresses and hashes, ahead of the one that unpacks. */
struct inflater {
    struct decompress *from;
    struct ring *to;
    struct digest diff_id; /* valid when the stream ended well */
};

static gboolean inflate_all(struct inflater *f, struct hasher *h, GError **err)
{
    guint64 total = 0;
    for (;;) {
        gsize room;
        guint8 *p = ring_reserve(f->to, &room);
        if (!p)
            return TRUE; /* the unpacker has left, with its own reason */
        gssize n = decompress_read(f->from, p, room, err);
        if (n <= 0)
            return n == 0;
        hasher_update(h, p, (gsize)n);
        ring_commit(f->to, (gsize)n);
        total += (guint64)n;
        if (total > MAX_TAR)
            return error_set(err, VARVE_ERROR_INVALID, "the layer unpacks to more than %d GiB",
                             (int)(MAX_TAR >> 30));
    }
}

static gpointer inflater_main(gpointer p)
{
    struct inflater *f = p;
    g_autoptr(hasher) h = hasher_new();
    GError *err = NULL;
    inflate_all(f, h, &err);
    hasher_final(h, &f->diff_id);
    ring_end(f->to, err);
    return NULL;
}

static gboolean unpack_all(struct unpacker *u, struct ring *from, GError **err)
{
    g_autoptr(tarreader) r = tarreader_new(from);
    const struct tar_header *h;
    int rc;
    while ((rc = tarreader_next(r, &h, err)) > 0)
        if (!unpacker_add(u, h, r, err))
            return FALSE;
    return rc == 0 && tarreader_drain(r, err) && unpacker_finish(u, err);
}

static gboolean unpack_stream(struct unpacker *u, struct decompress *d, struct digest *diff_id,
                              GError **err)
{
    g_autoptr(ring) between = ring_new(RING_BYTES);
    struct inflater f = {d, between, {{0}}};
    GThread *t = g_thread_try_new("varve-inflate", inflater_main, &f, err);
    if (!t)
        return FALSE;
    gboolean ok = unpack_all(u, between, err);
    ring_leave(between);
    g_thread_join(t);
    *diff_id = f.diff_id;
    return ok;
}

/* What the layer is on its own: everything but the index. */
static gboolean apply_into(struct store *s, int dirfd, struct decompress *d,
                           const struct chain *parents, struct cancel *c, struct apply_result *out,
                           GError **err)
{
    if (mkdirat(dirfd, "fs", 0755) < 0)
        return error_set_errno(err, errno, "cannot create the layer's directory");
    fd_auto int fs = fs_open_dir(dirfd, "fs", err);
    /* Whatever the umask: this is the container's root. */
    if (fs < 0 ||
        (fchmod(fs, 0755) < 0 && !error_set_errno(err, errno, "cannot set a layer's mode")))
        return FALSE;
    g_autoptr(unpacker) u = unpacker_new(s, fs, parents, c);
    g_autoptr(GError) failed = NULL;
    gboolean ok = unpack_stream(u, d, &out->diff_id, &failed);
    out->needs_parents = unpacker_needs_parents(u);
    out->lost_owners = unpacker_lost_owners(u);
    if (!ok && out->needs_parents && !parents)
        return TRUE;
    if (!ok) {
        g_propagate_error(err, g_steal_pointer(&failed));
        return FALSE;
    }
    g_autoptr(entry_list) entries = unpacker_take(u);
    return layer_index_write(dirfd, entries, &out->info, err);
}

gboolean layer_apply(struct store *s, const char *tmp, struct decompress *d,
                     const struct chain *parents, struct cancel *c, struct apply_result *out,
                     GError **err)
{
    *out = (struct apply_result){0};
    fd_auto int dirfd = fs_open_dir(store_fd(s), tmp, err);
    return dirfd >= 0 && apply_into(s, dirfd, d, parents, c, out, err);
}

char *layer_source_key(const struct digest *diff_id, const struct chain *parents)
{
    char hex[DIGEST_HEX_LEN + 1];
    if (!parents)
        return g_strconcat("diff:", digest_hex(diff_id, hex), NULL);
    struct digest key;
    g_autoptr(hasher) h = hasher_new();
    hasher_add_digest(h, diff_id);
    for (guint i = 0; i < parents->n; i++)
        hasher_add_str(h, parents->ids[i]);
    hasher_final(h, &key);
    return g_strconcat("chain:", digest_hex(&key, hex), NULL);
}

gboolean layer_find_unpacked(struct store *s, const struct digest *diff_id,
                             const struct chain *parents, struct layer_info *out)
{
    g_autofree char *alone = layer_source_key(diff_id, NULL);
    if (store_layer_by_source(s, alone, out))
        return TRUE;
    if (!parents)
        return FALSE;
    g_autofree char *chained = layer_source_key(diff_id, parents);
    return store_layer_by_source(s, chained, out);
}

static gboolean check_diff_id(const struct apply_result *r, const struct digest *wanted,
                              GError **err)
{
    if (digest_cmp(&r->diff_id, wanted) == 0)
        return TRUE;
    g_autofree char *is = digest_text(&r->diff_id);
    g_autofree char *should = digest_text(wanted);
    return error_set(err, VARVE_ERROR_INVALID,
                     "the layer's content is %s, but the image's config says %s: it was damaged or "
                     "tampered with",
                     is, should);
}

static gboolean apply_and_commit(struct store *s, char *tmp, struct decompress *d,
                                 const struct digest *diff_id, const struct chain *parents,
                                 struct cancel *c, struct layer_info *out, GError **err)
{
    struct apply_result r;
    if (!layer_apply(s, tmp, d, parents, c, &r, err) ||
        ((parents || !r.needs_parents) && !check_diff_id(&r, diff_id, err))) {
        store_tmp_discard(s, tmp);
        return FALSE;
    }
    if (r.needs_parents && !parents) {
        store_tmp_discard(s, tmp);
        *out = (struct layer_info){0};
        return TRUE;
    }
    r.info.has_diff_id = TRUE;
    r.info.diff_id = r.diff_id;
    g_autofree char *source = layer_source_key(diff_id, r.needs_parents ? parents : NULL);
    if (!store_layer_commit(s, tmp, &r.info, err) ||
        !store_layer_set_source(s, r.info.id, source, err))
        return FALSE;
    *out = r.info;
    return TRUE;
}

/* The lock is by diff ID alone: with or without parents it is the same work. */
static gboolean unpack(struct store *s, decompress_read_fn read, gpointer ctx,
                       const struct digest *diff_id, const struct chain *parents, struct cancel *c,
                       struct layer_info *out, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *name = g_strconcat("unpack-", digest_hex(diff_id, hex), NULL);
    g_autoptr(store_lock) lock = store_lock_take(s, name, c, NULL, err);
    if (!lock)
        return FALSE;
    if (layer_find_unpacked(s, diff_id, parents, out))
        return TRUE;
    g_autofree char *tmp = store_tmp_dir(s, err);
    if (!tmp)
        return FALSE;
    g_autoptr(decompress) d = decompress_new(read, ctx);
    return apply_and_commit(s, tmp, d, diff_id, parents, c, out, err);
}

static gssize read_fd(gpointer ctx, void *buf, gsize len, GError **err)
{
    ssize_t n;
    do {
        n = read(*(int *)ctx, buf, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        error_set_errno(err, errno, "cannot read the layer's blob");
    return n;
}

gboolean layer_note_blob(struct store *s, const char *layer_id, const struct digest *blob,
                         const char *media_type, const struct digest *diff_id, GError **err)
{
    struct layer_blob b = {.digest = *blob, .diff_id = *diff_id}, old;
    if (!store_blob_has(s, blob, &b.size))
        return TRUE;
    if (store_layer_blob_find(s, layer_id, "pulled", &old) && store_blob_has(s, &old.digest, NULL))
        return TRUE;
    g_strlcpy(b.media_type, media_type, sizeof b.media_type);
    return store_layer_blob_put(s, layer_id, "pulled", &b, err);
}

gboolean layer_from_blob(struct store *s, const struct digest *blob, const char *media_type,
                         const struct digest *diff_id, const struct chain *parents,
                         struct cancel *c, struct layer_info *out, GError **err)
{
    if (!layer_find_unpacked(s, diff_id, parents, out)) {
        fd_auto int fd = store_blob_open(s, blob, err);
        if (fd < 0 || !unpack(s, read_fd, &fd, diff_id, parents, c, out, err)) {
            g_autofree char *text = digest_text(blob);
            g_prefix_error(err, "cannot unpack layer %s: ", text);
            return FALSE;
        }
    }
    return !*out->id || layer_note_blob(s, out->id, blob, media_type, diff_id, err);
}

gboolean layer_from_stream(struct store *s, decompress_read_fn read, gpointer ctx,
                           const struct digest *diff_id, const struct chain *parents,
                           struct cancel *c, struct layer_info *out, GError **err)
{
    return layer_find_unpacked(s, diff_id, parents, out) ||
           unpack(s, read, ctx, diff_id, parents, c, out, err);
}
