#include "base/curl.h"

#include "base/error.h"

#include <dlfcn.h>
#include <stddef.h>

static const struct {
    const char *name;
    gsize offset;
} SYMBOLS[] = {
#define SYMBOL(f)                                                                                  \
    {                                                                                              \
        "curl_" #f, offsetof(struct curl_api, f)                                                   \
    }
    SYMBOL(global_init),    SYMBOL(easy_init),        SYMBOL(easy_setopt),
    SYMBOL(easy_getinfo),   SYMBOL(easy_perform),     SYMBOL(easy_reset),
    SYMBOL(easy_cleanup),   SYMBOL(easy_strerror),    SYMBOL(multi_init),
    SYMBOL(multi_setopt),   SYMBOL(multi_add_handle), SYMBOL(multi_remove_handle),
    SYMBOL(multi_perform),  SYMBOL(multi_poll),       SYMBOL(multi_info_read),
    SYMBOL(multi_cleanup),  SYMBOL(multi_strerror),   SYMBOL(slist_append),
    SYMBOL(slist_free_all),
#undef SYMBOL
};

static struct curl_api api;
static char *problem; /* why it cannot be used */

static char *load(void)
{
    void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return g_strdup(dlerror());
    for (gsize i = 0; i < G_N_ELEMENTS(SYMBOLS); i++) {
        void *symbol = dlsym(lib, SYMBOLS[i].name);
        if (!symbol)
            return g_strdup_printf("it lacks %s (7.66 or later is needed)", SYMBOLS[i].name);
        *(void **)((char *)&api + SYMBOLS[i].offset) = symbol;
    }
    CURLcode code = api.global_init(CURL_GLOBAL_DEFAULT);
    return code ? g_strdup(api.easy_strerror(code)) : NULL;
}

const struct curl_api *curl_api_load(GError **err)
{
    static gsize once;
    if (g_once_init_enter(&once)) {
        problem = load();
        g_once_init_leave(&once, 1);
    }
    if (!problem)
        return &api;
    error_set(err, VARVE_ERROR_FAILED,
              "cannot use libcurl (libcurl.so.4), which all network access needs: %s", problem);
    error_add_next(err, "install it (Debian and Ubuntu: libcurl4, or libcurl4t64)");
    return NULL;
}
