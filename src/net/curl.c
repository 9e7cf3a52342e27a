#include "net/curl.h"

static struct curl_api api;

static char *start_curl(void)
{
    CURLcode code = api.global_init(CURL_GLOBAL_DEFAULT);
    return code ? g_strdup(api.easy_strerror(code)) : NULL;
}

const struct curl_api *curl_api_load(GError **err)
{
    static const struct lazylib_symbol symbols[] = {CURL_API(LAZYLIB_SYMBOL, struct curl_api)};
    static struct lazylib lib = {.file = "libcurl.so.4",
                                 .needed_for = "all network access",
                                 .package = "libcurl4, or libcurl4t64; 7.66 or later",
                                 .symbols = symbols,
                                 .n = G_N_ELEMENTS(symbols),
                                 .api = &api,
                                 .start = start_curl};
    return lazylib_load(&lib, err) ? &api : NULL;
}
