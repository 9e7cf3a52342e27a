#include "layer/apply.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/transfer.h"
#include "layer/tarstream.h"
#include "layer/unpacker.h"
#include "store/blob.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean unpack_all(struct unpacker *u, struct tarreader *r, GError **err)
{
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
    struct tarstream t;
    if (!tarstream_start(&t, d, err))
        return FALSE;
    gboolean ok = unpack_all(u, t.reader, err);
    tarstream_stop(&t);
    *diff_id = t.diff_id;
    return ok;
}

/* What the layer is on its own: everything but the index. */
static gboolean apply_into(const struct layer_want *w, int dirfd, struct decompress *d,
                           struct apply_result *out, GError **err)
{
    const struct chain *parents = w->parents;
    if (mkdirat(dirfd, "fs", 0755) < 0)
        return error_set_errno(err, errno, "cannot create the layer's directory");
    fd_auto int fs = fs_open_dir(dirfd, "fs", err);
    /* Regardless of the umask: this is the container's root. */
    if (fs < 0 ||
        (fchmod(fs, 0755) < 0 && !error_set_errno(err, errno, "cannot set a layer's mode")))
        return FALSE;
    g_autoptr(unpacker) u = unpacker_new(w->store, fs, parents, w->cancel);
    if (w->index_only)
        unpacker_skeleton(u);
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

static gboolean apply_tar(const struct layer_want *w, const char *tmp, struct decompress *d,
                          struct apply_result *out, GError **err)
{
    *out = (struct apply_result){0};
    fd_auto int dirfd = fs_open_dir(store_fd(w->store), tmp, err);
    return dirfd >= 0 && apply_into(w, dirfd, d, out, err);
}

gboolean layer_apply(struct store *s, const char *tmp, struct decompress *d,
                     const struct chain *parents, struct cancel *c, struct apply_result *out,
                     GError **err)
{
    struct layer_want w = {.store = s, .parents = parents, .cancel = c};
    return apply_tar(&w, tmp, d, out, err);
}

/* A layer's key for store_layer_by_source: "diff:…", or "chain:…" with parents. Newly allocated. */
static char *layer_source_key(const struct digest *diff_id, const struct chain *parents)
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

/* The key of an absent layer: all that the image says of it. Newly allocated. */
static char *absent_source_key(const struct layer_want *w)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct digest key;
    g_autofree char *chained = layer_source_key(w->diff_id, w->parents);
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, chained);
    hasher_add_digest(h, w->blob);
    hasher_add_u64(h, w->blob_size);
    hasher_add_str(h, w->blob_type);
    hasher_final(h, &key);
    return g_strconcat("absent:", digest_hex(&key, hex), NULL);
}

/* Stores of earlier versions have absent layers under the keys of those that are here. */
static gboolean find_here(const struct layer_want *w, const char *source, struct layer_info *out)
{
    gboolean absent;
    return store_layer_by_source(w->store, source, out) &&
           store_absent_get(w->store, out->id, &absent, NULL, NULL) && !absent;
}

/* The layer of one of the keys that w may have. */
static gboolean find_verified(const struct layer_want *w, struct layer_info *out)
{
    g_autofree char *alone = layer_source_key(w->diff_id, NULL);
    if (!w->repeated && find_here(w, alone, out))
        return TRUE;
    if (!w->parents)
        return FALSE;
    g_autofree char *chained = layer_source_key(w->diff_id, w->parents);
    return find_here(w, chained, out);
}

gboolean layer_find(const struct layer_want *w, gboolean *absent, struct layer_info *out)
{
    *absent = FALSE;
    if (find_verified(w, out))
        return TRUE;
    if (!w->parents || !w->blob)
        return FALSE;
    g_autofree char *described = absent_source_key(w);
    return store_layer_by_source(w->store, described, out) &&
           store_absent_get(w->store, out->id, absent, NULL, NULL);
}

/* The layer, when somebody made of it what is wanted. */
static gboolean find_unpacked(const struct layer_want *w, struct layer_info *out)
{
    gboolean absent;
    if (!w->fill)
        return find_verified(w, out);
    g_autoptr(chain) one = chain_new();
    chain_append(one, w->fill);
    return store_chain_lacks(w->store, one, w->index_only ? NEED_TREE : NEED_FILES, &absent,
                             NULL) &&
           !absent && store_layer_get(w->store, w->fill, out, NULL);
}

gboolean layer_describe(const struct layer_want *w, struct layer_info *out, GError **err)
{
    gboolean absent;
    g_auto(absent_layer) a = {.blob = *w->blob,
                              .size = w->blob_size,
                              .created = w->created,
                              .diff_id = *w->diff_id,
                              .below = chain_copy(w->parents)};
    if (layer_find(w, &absent, out))
        return TRUE;
    g_strlcpy(a.media_type, w->blob_type, sizeof a.media_type);
    g_autofree char *source = absent_source_key(w);
    return store_absent_put(w->store, &a, source, err) && store_layer_get(w->store, a.id, out, err);
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

/* A layer that a build made elsewhere: its source stays, and the index that came with it. */
static gboolean fill_own(const struct layer_want *w, char *tmp, const char *source,
                         struct apply_result *r, struct layer_info *out, GError **err)
{
    fd_auto int dirfd = fs_open_dir(store_fd(w->store), tmp, err);
    g_strlcpy(r->info.id, w->fill, sizeof r->info.id);
    if (r->needs_parents)
        error_set(err, VARVE_ERROR_INVALID, "it has entries whose directories it lacks");
    if (r->needs_parents || dirfd < 0 ||
        !layer_index_keep(w->store, w->fill, dirfd, &r->info, err)) {
        store_tmp_discard(w->store, tmp);
        return FALSE;
    }
    if (!store_absent_fill(w->store, tmp, &r->info, source, err))
        return FALSE;
    *out = r->info;
    return TRUE;
}

static gboolean commit_unpacked(const struct layer_want *w, char *tmp, struct apply_result *r,
                                struct layer_info *out, GError **err)
{
    gboolean chained = r->needs_parents || w->repeated;
    g_autofree char *source = layer_source_key(w->diff_id, chained ? w->parents : NULL);
    g_autofree char *own = w->fill ? store_layer_source(w->store, w->fill) : NULL;
    if (own && g_str_has_prefix(own, STORE_OWN_SOURCE))
        return fill_own(w, tmp, own, r, out, err);
    r->info.has_diff_id = TRUE;
    r->info.diff_id = r->diff_id;
    if (w->fill)
        g_strlcpy(r->info.id, w->fill, sizeof r->info.id);
    if (w->index_only) {
        *out = r->info;
        return store_absent_index(w->store, tmp, out, err);
    }
    if (!(w->fill ? store_absent_fill : store_layer_commit_unpacked)(w->store, tmp, &r->info,
                                                                     source, err))
        return FALSE;
    *out = r->info;
    return TRUE;
}

static gboolean apply_and_commit(const struct layer_want *w, char *tmp, struct decompress *d,
                                 struct layer_info *out, GError **err)
{
    struct apply_result r;
    gboolean ok = apply_tar(w, tmp, d, &r, err);
    gboolean stopped = ok && r.needs_parents && !w->parents;
    if (ok && !stopped && check_diff_id(&r, w->diff_id, err))
        return commit_unpacked(w, tmp, &r, out, err);
    store_tmp_discard(w->store, tmp);
    *out = (struct layer_info){0};
    return stopped;
}

/* The lock is by diff ID alone: with or without parents it is the same work. That of a layer which
 * is filled is its own: while it is held, layers below may be filled too, and their order in chains
 * says who waits for whom; diff IDs are in any order that images like. */
static gboolean unpack_wanted(const struct layer_want *w, decompress_read_fn read, gpointer ctx,
                              struct layer_info *out, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *name =
        g_strconcat("unpack-", w->fill ? w->fill : digest_hex(w->diff_id, hex), NULL);
    g_autoptr(store_lock) lock = store_lock_take(w->store, name, w->cancel, NULL, err);
    if (!lock)
        return FALSE;
    if (find_unpacked(w, out))
        return TRUE;
    g_autofree char *tmp = store_tmp_dir(w->store, err);
    if (!tmp)
        return FALSE;
    g_autoptr(decompress) d = decompress_new(read, ctx);
    return apply_and_commit(w, tmp, d, out, err);
}

/* A blob of the store being unpacked, and how far it was read. */
struct reading {
    int fd;
    guint64 bytes;            /* read so far */
    struct transfer transfer; /* "unpack 0123456789ab" */
};

static gssize read_apply_blob(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct reading *r = ctx;
    ssize_t n = io_read(r->fd, buf, len);
    if (n < 0)
        error_set_errno(err, errno, "cannot read the layer's blob");
    r->bytes += MAX(0, n);
    transfer_tell(&r->transfer, r->bytes);
    return n;
}

gboolean layer_note_blob(struct store *s, const char *layer_id, const struct digest *blob,
                         const char *media_type, const struct digest *diff_id, GError **err)
{
    struct layer_blob b = {.digest = *blob, .diff_id = *diff_id}, old;
    struct layer_info info;
    if (!store_blob_has(s, blob, &b.size))
        return TRUE;
    if (!store_layer_get(s, layer_id, &info, err))
        return FALSE;
    if (!info.unpacked) /* of one that a build made, the blob is known by its encoder */
        return TRUE;
    if (store_layer_blob_find(s, layer_id, "pulled", &old) && store_blob_has(s, &old.digest, NULL))
        return TRUE;
    g_strlcpy(b.media_type, media_type, sizeof b.media_type);
    return store_layer_blob_put(s, layer_id, "pulled", &b, err);
}

static gboolean unpack_blob(const struct layer_want *w, const struct digest *blob,
                            struct layer_info *out, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *name = g_strdup_printf("unpack %.12s", digest_hex(blob, hex));
    fd_auto int fd = store_blob_open(w->store, blob, err);
    struct reading r = {.fd = fd};
    guint64 size = 0;
    store_blob_has(w->store, blob, &size);
    transfer_init(&r.transfer, w->events, name, size);
    gboolean ok = fd >= 0 && unpack_wanted(w, read_apply_blob, &r, out, err);
    if (r.bytes > 0)
        transfer_finish(&r.transfer, r.bytes);
    g_free(r.transfer.name);
    return ok;
}

gboolean layer_from_blob(const struct layer_want *w, const struct digest *blob,
                         const char *media_type, struct layer_info *out, GError **err)
{
    if (!find_unpacked(w, out) && !unpack_blob(w, blob, out, err)) {
        g_autofree char *text = digest_text(blob);
        g_prefix_error(err, "cannot unpack layer %s: ", text);
        return FALSE;
    }
    return !*out->id || layer_note_blob(w->store, out->id, blob, media_type, w->diff_id, err);
}

gboolean layer_from_stream(const struct layer_want *w, decompress_read_fn read, gpointer ctx,
                           struct layer_info *out, GError **err)
{
    return find_unpacked(w, out) || unpack_wanted(w, read, ctx, out, err);
}
