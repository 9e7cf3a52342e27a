/* Recognizing archives by their first bytes. */
#ifndef VARVE_BASE_SNIFF_H
#define VARVE_BASE_SNIFF_H

#include <glib.h>

#define ARCHIVE_HEAD 512 /* bytes that are enough to tell */

/* TRUE if the bytes start like a tar (an old one without magic, too, if its header's checksum is
 * right) or like a file compressed with gzip, bzip2, xz or zstd. */
gboolean archive_sniff(const void *head, gsize len);

#endif
