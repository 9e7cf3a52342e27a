#include "base/envlist.h"

#include <string.h>

/* Position of name in env, or -1. */
static int envlist_find(const GPtrArray *env, const char *name)
{
    gsize n = strlen(name);
    for (guint i = 0; i < env->len; i++) {
        const char *e = env->pdata[i];
        if (!strncmp(e, name, n) && e[n] == '=')
            return (int)i;
    }
    return -1;
}

const char *envlist_get(const GPtrArray *env, const char *name)
{
    int i = envlist_find(env, name);
    return i < 0 ? NULL : (const char *)env->pdata[i] + strlen(name) + 1;
}

void envlist_set(GPtrArray *env, const char *name, const char *value)
{
    char *pair = g_strconcat(name, "=", value, NULL);
    int i = envlist_find(env, name);
    if (i < 0) {
        g_ptr_array_add(env, pair);
        return;
    }
    g_free(env->pdata[i]);
    env->pdata[i] = pair;
}
