#include "cli/build.h"

#include "base/error.h"
#include "base/fs.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_IGNORE (4 << 20) /* bytes of an ignore file */

/* CONTEXT/Dockerfile, or the one that -f names, relative to where the user is. */
static GBytes *read_dockerfile(struct build *b, GError **err)
{
    const char *file = b->o->file;
    if (g_strcmp0(file, "-") == 0) {
        b->dockerfile_path = g_strdup("Dockerfile");
        return fs_read_fd(STDIN_FILENO, "the Dockerfile on stdin", DOCKERFILE_MAX_BYTES, err);
    }
    b->dockerfile_path = file ? g_strdup(file) : g_build_filename(b->o->context_dir, "Dockerfile", NULL);
    GError *local = NULL;
    GBytes *bytes = fs_read(AT_FDCWD, b->dockerfile_path, DOCKERFILE_MAX_BYTES, &local);
    if (bytes)
        return bytes;
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_clear_error(&local);
        error_set(&local, VARVE_ERROR_USAGE, "there is no Dockerfile at %s", b->dockerfile_path);
        error_add_next(&local, "name it with -f, or run varve in the directory that holds it");
    }
    g_propagate_error(err, local);
    return NULL;
}

/* NULL without error when there is no such file. */
static GBytes *read_optional(const char *path, GError **err)
{
    GError *local = NULL;
    GBytes *bytes = fs_read(AT_FDCWD, path, MAX_IGNORE, &local);
    if (bytes)
        return bytes;
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        g_error_free(local);
    else
        g_propagate_error(err, local);
    return NULL;
}

/* <Dockerfile>.dockerignore first, then the context's own. */
static gboolean read_ignore(struct build *b, GError **err)
{
    if (!b->o->context_dir)
        return TRUE;
    g_autofree char *own = g_strconcat(b->dockerfile_path, ".dockerignore", NULL);
    g_autofree char *general = g_build_filename(b->o->context_dir, ".dockerignore", NULL);
    const char *used = own;
    GError *local = NULL;
    g_autoptr(GBytes) bytes = read_optional(own, &local);
    if (!bytes && !local)
        bytes = read_optional(used = general, &local);
    if (bytes)
        b->ignore = ignore_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &local);
    if (!local)
        return TRUE;
    g_propagate_prefixed_error(err, local, "%s: ", used);
    return FALSE;
}

/* What messages call it: as short as it is still clear. */
static char *shown_name(const struct build *b)
{
    return g_path_get_basename(b->dockerfile_path);
}

gboolean build_read_inputs(struct build *b, GError **err)
{
    g_autoptr(GBytes) bytes = read_dockerfile(b, err);
    if (!bytes || !read_ignore(b, err))
        return FALSE;
    g_autofree char *name = shown_name(b);
    b->diags = diags_new();
    b->df = dockerfile_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), name, b->diags);
    if (b->df && !diags_has_errors(b->diags))
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "%u error%s; nothing was run", b->diags->n_errors,
                     b->diags->n_errors == 1 ? "" : "s");
}
