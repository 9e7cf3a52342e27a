#include "base/libarchive.h"

static struct libarchive api;

const struct libarchive *libarchive_load(GError **err)
{
    static const struct lazylib_symbol symbols[] = {
        LIBARCHIVE_API(LAZYLIB_SYMBOL, struct libarchive)};
    static struct lazylib lib = {.file = "libarchive.so.13",
                                 .needed_for = "reading and writing archives",
                                 .package = "libarchive13, or libarchive13t64",
                                 .symbols = symbols,
                                 .n = G_N_ELEMENTS(symbols),
                                 .api = &api};
    return lazylib_load(&lib, err) ? &api : NULL;
}
