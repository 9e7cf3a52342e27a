#include "run/env.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/suggest.h"

#include <string.h>

#define MAX_ENV_FILE (1 << 20)

void run_env_set(GPtrArray *env, const char *name, gsize len, const char *value)
{
    char *text = g_strdup_printf("%.*s=%s", (int)len, name, value);
    for (guint i = 0; i < env->len; i++) {
        char **at = (char **)&g_ptr_array_index(env, i);
        if (strncmp(*at, text, len + 1) != 0)
            continue;
        g_free(*at);
        *at = text;
        return;
    }
    g_ptr_array_add(env, text);
}

gboolean run_env_has(GPtrArray *env, const char *name)
{
    gsize len = strlen(name);
    for (guint i = 0; i < env->len; i++) {
        const char *at = g_ptr_array_index(env, i);
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return TRUE;
    }
    return FALSE;
}

gboolean run_env_add(GPtrArray *env, const char *text, run_env_lookup lookup, const char *where,
                     GError **err)
{
    const char *eq = strchr(text, '=');
    gsize len = eq ? (gsize)(eq - text) : strlen(text);
    if (len == 0 || memchr(text, ' ', len))
        return error_set(err, VARVE_ERROR_USAGE, "%s: \"%s\" is not NAME=VALUE", where, text);
    const char *value = eq ? eq + 1 : lookup ? lookup(text) : NULL;
    if (value)
        run_env_set(env, text, len, value);
    return TRUE;
}

static const char bom[] = "\xef\xbb\xbf";

gboolean run_env_add_lines(GPtrArray *env, GBytes *bytes, run_env_lookup lookup, const char *path,
                           GError **err)
{
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_auto(GStrv) lines =
        g_strsplit(text + (g_str_has_prefix(text, bom) ? strlen(bom) : 0), "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strchug(lines[i]);
        gsize len = strlen(line);
        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        g_autofree char *where = g_strdup_printf("--env-file %s:%u", path, i + 1);
        if (*line && *line != '#' && !run_env_add(env, line, lookup, where, err))
            return FALSE;
    }
    return TRUE;
}

gboolean run_env_add_file(GPtrArray *env, const char *path, run_env_lookup lookup, GError **err)
{
    g_autoptr(GBytes) bytes = fs_read_stream(path, MAX_ENV_FILE, err);
    if (bytes)
        return run_env_add_lines(env, bytes, lookup, path, err);
    g_prefix_error(err, "--env-file: ");
    suggest_file(path, err);
    return FALSE;
}
