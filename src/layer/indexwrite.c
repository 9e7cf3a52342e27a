#include "layer/index.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/indexfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (256 * 1024)

/* An index being written: three passes over the same entries give the same offsets. */
struct writer {
    int fd;
    char *buf; /* BUFFER bytes */
    gsize used;
    guint64 at;  /* next free offset in the string area */
    guint xattr; /* next xattr record */
    guint32 crc; /* of the bytes so far */
};

static gboolean flush(struct writer *w, GError **err)
{
    gboolean ok = fs_write_all(w->fd, w->buf, w->used, err);
    w->crc = libdeflate_crc32(w->crc, w->buf, w->used);
    w->used = 0;
    return ok;
}

static gboolean write_index_bytes(struct writer *w, const void *bytes, gsize len, GError **err)
{
    if (w->used + len > BUFFER && !flush(w, err))
        return FALSE;
    if (len > BUFFER) {
        w->crc = libdeflate_crc32(w->crc, bytes, len);
        return fs_write_all(w->fd, bytes, len, err);
    }
    memcpy(w->buf + w->used, bytes, len);
    w->used += len;
    return TRUE;
}

/* Reserves room for a string in the string area; returns its offset. */
static guint32 reserve_string(struct writer *w, gsize len)
{
    guint32 at = w->at;
    w->at += len;
    return GUINT32_TO_LE(at);
}

static guint32 place_string(struct writer *w, const char *s)
{
    return s ? reserve_string(w, strlen(s) + 1) : GUINT32_TO_LE(INDEXFILE_NONE);
}

static gboolean write_index_entry(struct writer *w, const struct entry *e, GError **err)
{
    struct indexfile_entry r = {
        .type = e->type,
        .flags = (e->has_digest ? INDEXFILE_DIGEST : 0) | (e->opaque ? INDEXFILE_OPAQUE : 0) |
                 (e->mtime_set ? INDEXFILE_MTIME_SET : 0) | e->implied * INDEXFILE_IMPLIED,
        .n_xattrs = GUINT16_TO_LE(e->n_xattrs),
        .mode = GUINT32_TO_LE(e->mode),
        .uid = GUINT32_TO_LE(e->uid),
        .gid = GUINT32_TO_LE(e->gid),
        .size = GUINT64_TO_LE(e->size),
        .mtime = GINT64_TO_LE(e->mtime_ns),
        .rdev = GUINT64_TO_LE(e->rdev),
        .xattr = GUINT32_TO_LE(w->xattr),
    };
    r.path = place_string(w, e->path);
    r.target = place_string(w, e->target);
    r.hardlink = place_string(w, e->hardlink);
    w->xattr += e->n_xattrs;
    if (e->has_digest)
        memcpy(r.digest, e->digest.b, sizeof r.digest);
    return write_index_bytes(w, &r, sizeof r, err);
}

static gboolean put_xattrs(struct writer *w, const struct entry *e, GError **err)
{
    for (guint i = 0; i < e->n_xattrs; i++) {
        struct indexfile_xattr r = {.size = GUINT32_TO_LE(e->xattrs[i].size)};
        r.name = place_string(w, e->xattrs[i].name);
        r.value = reserve_string(w, e->xattrs[i].size);
        if (!write_index_bytes(w, &r, sizeof r, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean put_string(struct writer *w, const char *s, GError **err)
{
    return !s || write_index_bytes(w, s, strlen(s) + 1, err);
}

static gboolean put_strings(struct writer *w, const struct entry_list *l, GError **err)
{
    if (!write_index_bytes(w, "", 1, err))
        return FALSE;
    for (guint i = 0; i < entry_list_len(l); i++) {
        const struct entry *e = entry_list_at(l, i);
        if (!put_string(w, e->path, err) || !put_string(w, e->target, err) ||
            !put_string(w, e->hardlink, err))
            return FALSE;
    }
    for (guint i = 0; i < entry_list_len(l); i++) {
        const struct entry *e = entry_list_at(l, i);
        for (guint k = 0; k < e->n_xattrs; k++)
            if (!put_string(w, e->xattrs[k].name, err) ||
                !write_index_bytes(w, e->xattrs[k].value, e->xattrs[k].size, err))
                return FALSE;
    }
    return write_index_bytes(w, "", 1, err); /* a NUL ends the area whatever a value holds */
}

/* Bytes that put_strings() will write, and the number of xattrs. */
static guint64 measure_strings(const struct entry_list *l, guint *n_xattrs)
{
    guint64 sum = 2;
    for (guint i = 0; i < entry_list_len(l); i++) {
        const struct entry *e = entry_list_at(l, i);
        sum += strlen(e->path) + 1 + (e->target ? strlen(e->target) + 1 : 0) +
               (e->hardlink ? strlen(e->hardlink) + 1 : 0);
        for (guint k = 0; k < e->n_xattrs; k++)
            sum += strlen(e->xattrs[k].name) + 1 + e->xattrs[k].size;
        *n_xattrs += e->n_xattrs;
    }
    return sum;
}

/* Known only at the end. */
static gboolean put_checksum(struct writer *w, GError **err)
{
    guint32 crc = GUINT32_TO_LE(w->crc);
    ssize_t n = pwrite(w->fd, &crc, sizeof crc, offsetof(struct indexfile_header, crc));
    return n == sizeof crc ||
           error_set_errno(err, n < 0 ? errno : ENOSPC, "cannot write its checksum");
}

static gboolean write_index_file(int fd, const struct entry_list *l, const struct layer_info *info,
                                 GError **err)
{
    g_autofree char *buf = g_malloc(BUFFER);
    struct writer w = {.fd = fd, .buf = buf, .at = 1};
    guint n = entry_list_len(l), n_xattrs = 0;
    guint64 strings = measure_strings(l, &n_xattrs);
    if (strings >= INDEXFILE_NONE || n > INDEXFILE_MAX_ENTRIES)
        return error_set(err, VARVE_ERROR_UNSUPPORTED, "a layer of %u entries is too large", n);
    struct indexfile_header h = {
        .magic = INDEXFILE_MAGIC,
        .version = GUINT32_TO_LE(INDEXFILE_VERSION),
        .n = GUINT32_TO_LE(n),
        .strings = GUINT64_TO_LE(strings),
        .bytes = GUINT64_TO_LE(info->size),
        .n_xattrs = GUINT32_TO_LE(n_xattrs),
    };
    memcpy(h.content, info->content.b, sizeof h.content);
    if (!write_index_bytes(&w, &h, sizeof h, err) || !flush(&w, err))
        return FALSE;
    w.crc = 0;
    for (guint i = 0; i < n; i++)
        if (!write_index_entry(&w, entry_list_at(l, i), err))
            return FALSE;
    for (guint i = 0; i < n; i++)
        if (!put_xattrs(&w, entry_list_at(l, i), err))
            return FALSE;
    return put_strings(&w, l, err) && flush(&w, err) && put_checksum(&w, err);
}

/* Entries that no layer may have. */
static gboolean check_entry(const struct entry *e, GError **err)
{
    const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
    if (g_str_has_prefix(name, ".wh."))
        return error_set(
            err, VARVE_ERROR_UNSUPPORTED,
            "%s cannot be in an image: names that start with .wh. mark deletions there", e->path);
    if (e->type == ENTRY_FILE && !e->has_digest)
        return error_set(err, VARVE_ERROR_FAILED, "%s was not hashed", e->path);
    if (e->n_xattrs > G_MAXUINT16)
        return error_set(err, VARVE_ERROR_UNSUPPORTED, "%s has too many xattrs", e->path);
    return TRUE;
}

static gboolean summarise(const struct entry_list *l, struct layer_info *info, GError **err)
{
    g_autoptr(hasher) h = hasher_new();
    info->size = 0;
    info->entries = entry_list_len(l);
    for (guint i = 0; i < info->entries; i++) {
        const struct entry *e = entry_list_at(l, i);
        if (!check_entry(e, err))
            return FALSE;
        entry_hash(e, e->path, h);
        info->size += e->type == ENTRY_FILE && !e->hardlink ? e->size : 0;
    }
    hasher_final(h, &info->content);
    info->indexed = TRUE;
    return TRUE;
}

gboolean layer_index_write(int dirfd, struct entry_list *entries, struct layer_info *info,
                           GError **err)
{
    if (!summarise(entries, info, err))
        return FALSE;
    g_autofree char *tmp = g_strdup_printf("index.%d-%08x.tmp", (int)getpid(), g_random_int());
    fd_auto int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot create a layer's index");
    gboolean ok = write_index_file(fd, entries, info, err);
    if (ok && renameat(dirfd, tmp, dirfd, "index") < 0)
        ok = error_set_errno(err, errno, "cannot rename a layer's index");
    if (!ok) {
        unlinkat(dirfd, tmp, 0);
        g_prefix_error(err, "while writing a layer's index: ");
    }
    return ok;
}
