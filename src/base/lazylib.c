#include "base/lazylib.h"

#include "base/error.h"

#include <dlfcn.h>

static char *load(const struct lazylib *l)
{
    void *lib = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return g_strdup(dlerror());
    for (gsize i = 0; i < l->n; i++) {
        void *symbol = dlsym(lib, l->symbols[i].name);
        if (!symbol)
            return g_strdup_printf("it lacks %s", l->symbols[i].name);
        *(void **)((char *)l->api + l->symbols[i].offset) = symbol;
    }
    return l->start ? l->start() : NULL;
}

gboolean lazylib_load(struct lazylib *l, GError **err)
{
    if (g_once_init_enter(&l->once)) {
        l->problem = load(l);
        g_once_init_leave(&l->once, 1);
    }
    if (!l->problem)
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "cannot use %s, which %s needs: %s", l->file, l->needed_for,
              l->problem);
    error_add_next(err, "install it (Debian and Ubuntu: %s)", l->package);
    return FALSE;
}
