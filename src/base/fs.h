/* File helpers in the openat style. A dirfd may be AT_FDCWD. All functions retry EINTR and set
 * errors that name the path. Nothing here follows a symlink in the last component unless its
 * comment says so. */
#ifndef VARVE_BASE_FS_H
#define VARVE_BASE_FS_H

#include <glib.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A file descriptor that closes itself at the end of its scope: fd_auto int fd = -1; */
#define fd_auto __attribute__((cleanup(fd_cleanup)))
void fd_cleanup(int *fd); /* closes *fd unless it is -1, and sets it to -1 */
/* Returns *fd and sets it to -1. */
int fd_steal(int *fd);

/* Opens a directory (O_DIRECTORY|O_CLOEXEC, following symlinks); -1 on error. */
int fs_open_dir(int dirfd, const char *path, GError **err);
/* mkdir -p; existing directories are fine. New ones get mode. */
gboolean fs_mkdir_p(int dirfd, const char *path, mode_t mode, GError **err);
/* Reads a whole regular file of at most max bytes (VARVE_ERROR_INVALID when larger). A NUL follows
 * the result, beyond its length. */
GBytes *fs_read(int dirfd, const char *path, gsize max, GError **err);
/* The same for a file named by the user: it may be a pipe, which is waited for, or a terminal. */
GBytes *fs_read_stream(const char *path, gsize max, GError **err);
/* Reads fd to its end with the same limit; what names it in errors. */
GBytes *fs_read_fd(int fd, const char *what, gsize max, GError **err);
gboolean fs_write_all(int fd, const void *bytes, gsize len, GError **err);
/* Creates a file next to path, for writing, to be renamed to path: *tmp gets its name, which no
 * other thread or process uses. -1 on error (*tmp NULL). */
int fs_create_beside(int dirfd, const char *path, mode_t mode, char **tmp, GError **err);
/* Writes path through a temporary file and rename: readers see all of the old or all of the new
 * content. */
gboolean fs_replace(int dirfd, const char *path, const void *bytes, gsize len, mode_t mode,
                    GError **err);
/* The file that path, named by the user, leads to after following symlinks. *in_place: it is a
 * device or a pipe, which must be written to instead of being replaced. */
char *fs_destination(const char *path, gboolean *in_place);
/* Writes such a file: by fs_replace() of what path leads to, or in place. */
gboolean fs_write_file(const char *path, const void *bytes, gsize len, mode_t mode, GError **err);
/* rm -rf of name below dirfd, without following symlinks and without crossing into mounts; makes
 * directories searchable as needed. A missing name is success. */
gboolean fs_remove_tree(int dirfd, const char *name, GError **err);
/* Copies the content (only) from in's offset to its end into out: reflink, copy_file_range, then
 * read/write; holes in sparse files are kept. */
gboolean fs_copy_fd(int in, int out, const char *what, GError **err);
/* Names in a directory without "." and "..", sorted bytewise. */
GPtrArray *fs_list(int dirfd, GError **err);
/* Reads a file of dir, out of which links do not lead; place names dir in errors: "the context X".
 */
GBytes *fs_read_inside(const char *dir, const char *path, const char *place, gsize max,
                       GError **err);
/* /proc/self/fd/N path text for a descriptor. */
char *fs_fd_path(int fd);
/* Opens name below rootfd as if rootfd were the root directory: symlinks, absolute ones included,
 * resolve inside it and ".." cannot leave it (openat2 RESOLVE_IN_ROOT). -1 on error with errno. */
int fs_open_in_root(int rootfd, const char *path, int flags, mode_t mode);
/* Seconds and nanoseconds as one number of nanoseconds since the epoch. */
gint64 fs_mtime_ns(const struct stat *st);

#endif
