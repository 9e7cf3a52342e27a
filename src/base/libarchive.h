/* libarchive, loaded at its first use (base/lazylib.h): it is only needed for ADD of archives and
 * for image archives.
 *
 * Members are its functions without the "archive_" prefix, to be called as
 *     const struct libarchive *lib = libarchive_load(&err);
 *     struct archive *a = lib->read_new(); */
#ifndef VARVE_BASE_LIBARCHIVE_H
#define VARVE_BASE_LIBARCHIVE_H

#include "base/lazylib.h"

#include <archive.h>
#include <archive_entry.h>

#define LIBARCHIVE_API(X, api)                                                                     \
    X(api, archive_errno, error_number)                                                            \
    X(api, archive_error_string, error_string)                                                     \
    X(api, archive_filter_count, filter_count)                                                     \
    X(api, archive_read_new, read_new)                                                             \
    X(api, archive_read_support_filter_bzip2, read_support_filter_bzip2)                           \
    X(api, archive_read_support_filter_gzip, read_support_filter_gzip)                             \
    X(api, archive_read_support_filter_xz, read_support_filter_xz)                                 \
    X(api, archive_read_support_filter_zstd, read_support_filter_zstd)                             \
    X(api, archive_read_support_format_tar, read_support_format_tar)                               \
    X(api, archive_read_open_fd, read_open_fd)                                                     \
    X(api, archive_read_next_header, read_next_header)                                             \
    X(api, archive_read_data_block, read_data_block)                                               \
    X(api, archive_read_free, read_free)                                                           \
    X(api, archive_write_new, write_new)                                                           \
    X(api, archive_write_set_format_ustar, write_set_format_ustar)                                 \
    X(api, archive_write_set_bytes_per_block, write_set_bytes_per_block)                           \
    X(api, archive_write_set_bytes_in_last_block, write_set_bytes_in_last_block)                   \
    X(api, archive_write_open_fd, write_open_fd)                                                   \
    X(api, archive_write_header, write_header)                                                     \
    X(api, archive_write_data, write_data)                                                         \
    X(api, archive_write_close, write_close)                                                       \
    X(api, archive_write_free, write_free)                                                         \
    X(api, archive_entry_new, entry_new)                                                           \
    X(api, archive_entry_free, entry_free)                                                         \
    X(api, archive_entry_pathname, entry_pathname)                                                 \
    X(api, archive_entry_hardlink, entry_hardlink)                                                 \
    X(api, archive_entry_symlink, entry_symlink)                                                   \
    X(api, archive_entry_filetype, entry_filetype)                                                 \
    X(api, archive_entry_stat, entry_stat)                                                         \
    X(api, archive_entry_mtime, entry_mtime)                                                       \
    X(api, archive_entry_mtime_nsec, entry_mtime_nsec)                                             \
    X(api, archive_entry_xattr_reset, entry_xattr_reset)                                           \
    X(api, archive_entry_xattr_next, entry_xattr_next)                                             \
    X(api, archive_entry_set_pathname, entry_set_pathname)                                         \
    X(api, archive_entry_set_filetype, entry_set_filetype)                                         \
    X(api, archive_entry_set_perm, entry_set_perm)                                                 \
    X(api, archive_entry_set_size, entry_set_size)                                                 \
    X(api, archive_entry_set_mtime, entry_set_mtime)

struct libarchive {
    LIBARCHIVE_API(LAZYLIB_POINTER, )
};

/* Loads the library at the first call; thread-safe. NULL with VARVE_ERROR_FAILED when it is not
 * installed (every later call says the same). */
const struct libarchive *libarchive_load(GError **err);

#endif
