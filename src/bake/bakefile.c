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

/* Takes bytes. */
static void add_bytes(GPtrArray *list, const char *name, enum bakefile_kind kind, GBytes *bytes)
{
    struct bakefile *f = g_new0(struct bakefile, 1);
    f->name = g_strdup(name);
    f->kind = kind;
    f->bytes = bytes;
    g_ptr_array_add(list, f);
}

static gboolean read_one(GPtrArray *list, const char *name, int in_fd, GError **err)
{
    const char *path = g_str_has_prefix(name, CWD) ? name + strlen(CWD) : name;
    gboolean is_stdin = strcmp(name, "-") == 0;
    GBytes *bytes = is_stdin ? fs_read_fd(in_fd, "stdin", HCL_MAX_BYTES, err)
                             : fs_read_stream(path, HCL_MAX_BYTES, err);
    if (bytes)
        add_bytes(list, path, is_stdin ? BAKEFILE_UNKNOWN : kind_by_name(path), bytes);
    else
        suggest_file(path, err);
    return bytes != NULL;
}

static gboolean fail_empty(const char *where, const char *next, GError **err)
{
    error_set(err, VARVE_ERROR_NOT_FOUND, "there is no bake file in %s", where);
    error_add_next(
        err, "name one with -f%s; compose.yaml, docker-bake.json and others are read, too", next);
    return FALSE;
}

static gboolean read_usual(GPtrArray *list, GError **err)
{
    for (guint i = 0; i < G_N_ELEMENTS(usual); i++)
        if (g_file_test(usual[i], G_FILE_TEST_EXISTS) && !read_one(list, usual[i], -1, err))
            return FALSE;
    g_autofree char *dir = g_get_current_dir();
    return list->len > 0 || fail_empty(dir, ", or write docker-bake.hcl", err);
}

/* Remote ones. */

static gboolean is_local(const char *name)
{
    return g_str_has_prefix(name, CWD);
}

static guint count_remote(char **named)
{
    guint n = 0;
    for (char **f = named; f && *f; f++)
        n += !is_local(*f);
    return n;
}

static gboolean read_inside(GPtrArray *list, const struct bake_remote *r, const char *name,
                            GError **err)
{
    GBytes *bytes = bake_remote_read(r, name, HCL_MAX_BYTES, err);
    if (bytes)
        add_bytes(list, name, kind_by_name(name), bytes);
    return bytes != NULL;
}

/* The usual names count when -f names no file of the definition; when it names others, there may be
 * none of them. */
static gboolean read_usual_inside(GPtrArray *list, const struct bake_remote *r, gboolean needed,
                                  GError **err)
{
    for (guint i = 0; i < G_N_ELEMENTS(usual); i++)
        if (bake_remote_has(r, usual[i]) && !read_inside(list, r, usual[i], err))
            return FALSE;
    return list->len > 0 || !needed || fail_empty(r->shown, "", err);
}

static gboolean read_remote(GPtrArray *list, const struct bake_remote *r, char **named,
                            GError **err)
{
    guint n = count_remote(named);
    if (r->file) {
        g_autofree char *plain = g_strndup(r->shown, strcspn(r->shown, "?#"));
        add_bytes(list, r->shown, kind_by_name(plain), g_bytes_ref(r->file));
        return TRUE;
    }
    if (n == 0)
        return read_usual_inside(list, r, !named || !*named, err);
    for (char **f = named; *f; f++)
        if (!is_local(*f) && !read_inside(list, r, *f, err))
            return FALSE;
    return TRUE;
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

GPtrArray *bakefiles_read(char **files, GHashTable *environment, int in_fd,
                          const struct bake_remote *remote, GError **err)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(bakefile_free);
    g_auto(GStrv) named = files && *files ? g_strdupv(files) : environment_files(environment);
    if (remote && !read_remote(list, remote, named, err))
        return NULL;
    for (char **f = named; f && *f; f++)
        if ((!remote || is_local(*f)) && !read_one(list, *f, in_fd, err))
            return NULL;
    if (!named && !remote && !read_usual(list, err))
        return NULL;
    return g_steal_pointer(&list);
}
