/* Telling archives from other files by their first bytes. */
#ifndef VARVE_BASE_SNIFF_H
#define VARVE_BASE_SNIFF_H

#include <glib.h>

#define ARCHIVE_HEAD 512 /* bytes that are enough to tell */

/* TRUE for what begins like a tar (also an old one without magic: its header's checksum is right)
 * or like a file compressed with gzip, bzip2, xz or zstd. */
gboolean archive_sniff(const void *head, gsize len);

#endif
