/* read(2) and write(2) that continue after a signal. All return what the system calls return, with
 * errno, so that callers word their own errors; fs_write_all() sets an error itself. */
#ifndef VARVE_BASE_IO_H
#define VARVE_BASE_IO_H

#include <glib.h>
#include <sys/types.h>

/* One read: as many bytes as are available, 0 at the end, -1 on error. */
ssize_t io_read(int fd, void *buf, gsize len);
/* The same from an offset; the file's own offset does not change. */
ssize_t io_pread(int fd, void *buf, gsize len, off_t offset);
/* Up to len bytes, fewer only at the end of the file; -1 on error. */
ssize_t io_read_full(int fd, void *buf, gsize len);
/* The same from an offset. */
ssize_t io_pread_full(int fd, void *buf, gsize len, off_t offset);
/* Writes all len bytes at offset: 0, or -1 on error. */
int io_pwrite_all(int fd, const void *bytes, gsize len, off_t offset);

#endif
