#include "bake/bakefile.h"

#include "bake/hcl.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/suggest.h"

#include <fcntl.h>
#include <string.h>

#define CWD "cwd://"

static const char *const usual[] = {
    "compose.yaml",     "compose.yml",     "docker-compose.yml",        "docker-compose.yaml",
    "docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"};

static void bakefile_free(gpointer p)
{
    struct bakefile *f = p;
    g_free(f->name);
    g_bytes_unref(f->bytes);
    g_free(f);
}

static enum bakefile_kind kind_by_name(const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    return g_str_has_suffix(lower, ".hcl")                                       ? BAKEFILE_HCL
           : g_str_has_suffix(lower, ".json")                                    ? BAKEFILE_JSON
           : g_str_has_suffix(lower, ".yml") || g_str_has_suffix(lower, ".yaml") ? BAKEFILE_COMPOSE
                                                                                 : BAKEFILE_UNKNOWN;
}

static gboolean read_one(GPtrArray *list, const char *name, int in_fd, GError **err)
{
    const char *path = g_str_has_prefix(name, CWD) ? name + strlen(CWD) : name;
    gboolean is_stdin = strcmp(name, "-") == 0;
    GBytes *bytes = is_stdin ? fs_read_fd(in_fd, "stdin", HCL_MAX_BYTES, err)
                             : fs_read_stream(path, HCL_MAX_BYTES, err);
    if (!bytes) {
        suggest_file(path, err);
        return FALSE;
    }
    struct bakefile *f = g_new0(struct bakefile, 1);
    f->name = g_strdup(is_stdin ? "-" : path);
    f->kind = is_stdin ? BAKEFILE_UNKNOWN : kind_by_name(path);
    f->bytes = bytes;
    g_ptr_array_add(list, f);
    return TRUE;
}

static gboolean read_usual(GPtrArray *list, GError **err)
{
    for (guint i = 0; i < G_N_ELEMENTS(usual); i++)
        if (g_file_test(usual[i], G_FILE_TEST_EXISTS) && !read_one(list, usual[i], -1, err))
            return FALSE;
    if (list->len > 0)
        return TRUE;
    g_autofree char *dir = g_get_current_dir();
    error_set(err, VARVE_ERROR_NOT_FOUND, "there is no bake file in %s", dir);
    error_add_next(err, "name one with -f, or write docker-bake.hcl; compose.yaml, "
                        "docker-bake.json and others are read, too");
    return FALSE;
}

/* Names in BUILDX_BAKE_FILE; NULL: none. */
static char **environment_files(GHashTable *environment)
{
    const char *text = g_hash_table_lookup(environment, "BUILDX_BAKE_FILE");
    const char *separator = g_hash_table_lookup(environment, "BUILDX_BAKE_PATH_SEPARATOR");
    if (!text || !*text)
        return NULL;
    char **parts = g_strsplit(text, separator && *separator ? separator : ":", -1);
    guint n = 0;
    for (char **p = parts; *p; p++)
        if (*g_strstrip(*p))
            parts[n++] = *p;
        else
            g_free(*p);
    parts[n] = NULL;
    if (n == 0)
        g_clear_pointer(&parts, g_strfreev);
    return parts;
}

GPtrArray *bakefiles_read(char **files, GHashTable *environment, int in_fd, GError **err)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(bakefile_free);
    g_auto(GStrv) named = files && *files ? g_strdupv(files) : environment_files(environment);
    for (char **f = named; f && *f; f++)
        if (!read_one(list, *f, in_fd, err))
            return NULL;
    if (!named && !read_usual(list, err))
        return NULL;
    return g_steal_pointer(&list);
}
