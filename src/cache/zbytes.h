/* Whole documents compressed by zstd. */
#ifndef VARVE_CACHE_ZBYTES_H
#define VARVE_CACHE_ZBYTES_H

#include <glib.h>

/* The bytes depend on the input and zstd's version only. */
GBytes *zbytes_pack(const void *bytes, gsize len);
/* VARVE_ERROR_INVALID for what is not one, is cut short, or has more than max bytes. */
GBytes *zbytes_unpack(GBytes *packed, gsize max, GError **err);

#endif
