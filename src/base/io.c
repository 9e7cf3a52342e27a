#include "base/io.h"

#include <errno.h>
#include <unistd.h>

ssize_t io_read(int fd, void *buf, gsize len)
{
    ssize_t n;
    do {
        n = read(fd, buf, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

ssize_t io_pread(int fd, void *buf, gsize len, off_t offset)
{
    ssize_t n;
    do {
        n = pread(fd, buf, len, offset);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* offset -1: the file's own. */
static ssize_t read_full(int fd, char *buf, gsize len, off_t offset)
{
    gsize got = 0;
    while (got < len) {
        ssize_t n = offset < 0 ? io_read(fd, buf + got, len - got)
                               : io_pread(fd, buf + got, len - got, offset + (off_t)got);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (gsize)n;
    }
    return (ssize_t)got;
}

ssize_t io_read_full(int fd, void *buf, gsize len)
{
    return read_full(fd, buf, len, -1);
}

ssize_t io_pread_full(int fd, void *buf, gsize len, off_t offset)
{
    return read_full(fd, buf, len, offset);
}

int io_pwrite_all(int fd, const void *bytes, gsize len, off_t offset)
{
    const char *p = bytes;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        offset += n;
        len -= (gsize)n;
    }
    return 0;
}
