#include "net/body.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <unistd.h>

static gssize read_file_source(struct http_source *self, guint64 offset, void *buffer, gsize n,
                               GError **err)
{
    struct http_file_source *s = (struct http_file_source *)self;
    gssize got = pread(s->fd, buffer, n, s->offset + offset);
    if (got < 0)
        error_set_errno(err, errno, "cannot read the data to send");
    return got;
}

void http_file_source_init(struct http_file_source *s, int fd, guint64 offset, guint64 len)
{
    *s = (struct http_file_source){
        .base = {.len = len, .read = read_file_source}, .fd = fd, .offset = offset};
}

static gboolean begin_file_sink(struct http_sink *self, const struct http_response *a, GError **err)
{
    struct http_file_sink *s = (struct http_file_sink *)self;
    struct digest unused;
    hasher_final(s->hasher, &unused);
    s->size = 0;
    if (s->transfer)
        s->transfer->total = a->content_length == HTTP_UNKNOWN ? 0 : a->content_length;
    if (a->status == 206)
        return error_set(err, VARVE_ERROR_INVALID, "it sent a part where the whole was asked for");
    if (ftruncate(s->fd, 0) == 0 && lseek(s->fd, 0, SEEK_SET) == 0)
        return TRUE;
    return error_set_errno(err, errno, "cannot empty a temporary file");
}

static gboolean take_file_data(struct http_sink *self, const void *bytes, gsize len, GError **err)
{
    struct http_file_sink *s = (struct http_file_sink *)self;
    if (len > s->max - MIN(s->max, s->size))
        return error_set(err, VARVE_ERROR_INVALID, "it is larger than %" G_GUINT64_FORMAT " bytes",
                         s->max);
    hasher_update(s->hasher, bytes, len);
    s->size += len;
    if (!fs_write_all(s->fd, bytes, len, err)) {
        g_prefix_error(err, "storing it: ");
        return FALSE;
    }
    if (s->transfer)
        transfer_tell(s->transfer, s->size);
    return TRUE;
}

void http_file_sink_init(struct http_file_sink *s, int fd, guint64 max, struct transfer *transfer)
{
    *s = (struct http_file_sink){.base = {begin_file_sink, take_file_data},
                                 .fd = fd,
                                 .max = max,
                                 .hasher = hasher_new(),
                                 .transfer = transfer};
}

void http_file_sink_clear(struct http_file_sink *s)
{
    g_clear_pointer(&s->hasher, hasher_free);
}
