#include "cli/bake_env.h"

#include "bake/dotenv.h"
#include "bake/target.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/suggest.h"

static const char *environment_value(gpointer environment, const char *name)
{
    return g_hash_table_lookup(environment, name);
}

static gboolean read_env_file(GHashTable *vars, GHashTable *environment, const char *path,
                              GError **err)
{
    guint line = 0;
    gsize len;
    g_autoptr(GBytes) bytes = fs_read_stream(path, DOTENV_MAX_BYTES, err);
    if (!bytes) {
        suggest_file(path, err);
        g_prefix_error(err, "--env-file: ");
        return FALSE;
    }
    const void *text = g_bytes_get_data(bytes, &len);
    if (dotenv_parse(vars, text, len, environment_value, environment, &line, err))
        return TRUE;
    g_prefix_error(err, "--env-file %s:%u: ", path, line);
    return FALSE;
}

gboolean bake_read_env_files(GHashTable *environment, char **files, GError **err)
{
    g_autoptr(GHashTable) vars = bake_map_new();
    GHashTableIter it;
    gpointer name, value;
    for (char **f = files; f && *f; f++)
        if (!read_env_file(vars, environment, *f, err))
            return FALSE;
    g_hash_table_iter_init(&it, vars);
    while (g_hash_table_iter_next(&it, &name, &value))
        if (!g_hash_table_contains(environment, name))
            g_hash_table_insert(environment, g_strdup(name), g_strdup(value));
    return TRUE;
}
