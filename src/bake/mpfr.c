#include "bake/mpfr.h"

struct mpfr_api mpfr_api;

gboolean mpfr_api_load(GError **err)
{
    static const struct lazylib_symbol symbols[] = {MPFR_API(LAZYLIB_SYMBOL, struct mpfr_api)};
    static struct lazylib lib = {.file = "libmpfr.so.6",
                                 .needed_for = "reading bake files",
                                 .package = "libmpfr6",
                                 .symbols = symbols,
                                 .n = G_N_ELEMENTS(symbols),
                                 .api = &mpfr_api};
    return lazylib_load(&lib, err);
}
