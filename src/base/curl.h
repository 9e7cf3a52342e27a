/* libcurl, loaded at its first use. Linking it would cost every start of varve about 5 ms: it
 * brings 26 further libraries, and most builds never touch the network. Thread-safe.
 *
 * Members are libcurl's functions without the "curl_" prefix, to be called as
 *     const struct curl_api *curl = curl_api_load(&err);
 *     curl->easy_perform(easy); */
#ifndef VARVE_BASE_CURL_H
#define VARVE_BASE_CURL_H

#include <curl/curl.h>
#include <glib.h>

struct curl_api {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    CURLcode (*easy_perform)(CURL *easy);
    void (*easy_reset)(CURL *easy);
    void (*easy_cleanup)(CURL *easy);
    const char *(*easy_strerror)(CURLcode code);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_setopt)(CURLM *multi, CURLMoption option, ...);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *extra, unsigned int n_extra,
                            int timeout_ms, int *numfds);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *in_queue);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    const char *(*multi_strerror)(CURLMcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
};

/* Loads the library and runs curl_global_init() at the first call. NULL with VARVE_ERROR_FAILED
 * when it is not installed (every later call says the same). */
const struct curl_api *curl_api_load(GError **err);

#endif
