/* libcurl, loaded at its first use (base/lazylib.h): most builds never use the network.
 *
 * Members are libcurl's functions without the "curl_" prefix, to be called as
 *     const struct curl_api *curl = curl_api_load(&err);
 *     curl->easy_perform(easy); */
#ifndef VARVE_NET_CURL_H
#define VARVE_NET_CURL_H

#include "base/lazylib.h"

#include <curl/curl.h>

#define CURL_API(X, api)                                                                           \
    X(api, curl_global_init, global_init)                                                          \
    X(api, curl_easy_init, easy_init)                                                              \
    X(api, curl_easy_setopt, easy_setopt)                                                          \
    X(api, curl_easy_getinfo, easy_getinfo)                                                        \
    X(api, curl_easy_perform, easy_perform)                                                        \
    X(api, curl_easy_reset, easy_reset)                                                            \
    X(api, curl_easy_cleanup, easy_cleanup)                                                        \
    X(api, curl_easy_strerror, easy_strerror)                                                      \
    X(api, curl_multi_init, multi_init)                                                            \
    X(api, curl_multi_setopt, multi_setopt)                                                        \
    X(api, curl_multi_add_handle, multi_add_handle)                                                \
    X(api, curl_multi_remove_handle, multi_remove_handle)                                          \
    X(api, curl_multi_perform, multi_perform)                                                      \
    X(api, curl_multi_poll, multi_poll)                                                            \
    X(api, curl_multi_info_read, multi_info_read)                                                  \
    X(api, curl_multi_cleanup, multi_cleanup)                                                      \
    X(api, curl_multi_strerror, multi_strerror)                                                    \
    X(api, curl_slist_append, slist_append)                                                        \
    X(api, curl_slist_free_all, slist_free_all)

struct curl_api {
    CURL_API(LAZYLIB_POINTER, )
};

/* Loads the library and runs curl_global_init() at the first call; thread-safe. NULL with
 * VARVE_ERROR_FAILED when it is not installed (every later call says the same). */
const struct curl_api *curl_api_load(GError **err);

#endif
