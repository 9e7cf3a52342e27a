#include "build/building.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_IGNORE (4 << 20) /* bytes of an ignore file */

/* Reads a file of the context. Links must not lead out of a context that is not the user's own
 * directory. */
static GBytes *read_inside(struct build *b, const char *path, gsize max, GError **err)
{
    g_autofree char *place = g_strconcat("the context ", b->input.context_name, NULL);
    return fs_read_inside(b->input.context_dir, path, place, max, err);
}

/* Where files are: where the user is for a directory, else in the context; an absolute path is the
 * user's own. */
static gboolean is_own(const struct build *b, const char *path)
{
    return b->r->context_kind == BUILD_CONTEXT_DIR || g_path_is_absolute(path);
}

static GBytes *read_input_file(struct build *b, const char *path, gsize max, GError **err)
{
    return is_own(b, path) ? fs_read(AT_FDCWD, path, max, err) : read_inside(b, path, max, err);
}

static gboolean is_directory(const struct build *b, const char *path)
{
    if (is_own(b, path))
        return g_file_test(path, G_FILE_TEST_IS_DIR);
    fd_auto int root = fs_open_dir(AT_FDCWD, b->input.context_dir, NULL);
    fd_auto int fd = root < 0 ? -1 : fs_open_in_root(root, path, O_PATH | O_DIRECTORY, 0);
    return fd >= 0;
}

static char *default_path(const struct build *b)
{
    return b->r->context_dir ? g_build_filename(b->r->context_dir, "Dockerfile", NULL)
                             : g_strdup("Dockerfile");
}

/* The first of names there is beside b->input.dockerfile_path, which becomes its path; NULL when
 * there is none. */
static GBytes *read_other(struct build *b, const char *const *names)
{
    g_autofree char *dir = g_path_get_dirname(b->input.dockerfile_path);
    for (; *names; names++) {
        g_autofree char *path =
            strcmp(dir, ".") == 0 ? g_strdup(*names) : g_build_filename(dir, *names, NULL);
        GBytes *bytes = read_input_file(b, path, DOCKERFILE_MAX_BYTES, NULL);
        if (!bytes)
            continue;
        g_free(b->input.dockerfile_path);
        b->input.dockerfile_path = g_steal_pointer(&path);
        return bytes;
    }
    return NULL;
}

/* Reads b->input.dockerfile_path. Where there is no Dockerfile, a dockerfile is taken, as in
 * BuildKit; and where none was asked for, a Containerfile, as in buildah. */
static GBytes *read_named(struct build *b, GError **err)
{
    static const char *const all[] = {"dockerfile", "Containerfile", NULL};
    static const char *const lower[] = {"dockerfile", NULL};
    GError *local = NULL;
    gboolean may_be_pipe = b->r->file && is_own(b, b->input.dockerfile_path);
    GBytes *bytes =
        may_be_pipe ? fs_read_stream(b->input.dockerfile_path, DOCKERFILE_MAX_BYTES, &local)
                    : read_input_file(b, b->input.dockerfile_path, DOCKERFILE_MAX_BYTES, &local);
    g_autofree char *name = g_path_get_basename(b->input.dockerfile_path);
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) &&
        strcmp(name, "Dockerfile") == 0)
        bytes = read_other(b, b->r->file ? lower : all);
    if (bytes)
        g_clear_error(&local);
    else
        g_propagate_error(err, local);
    return bytes;
}

/* The one on stdin, the one that is the whole context or was fetched, the one that -f names, or
 * CONTEXT/Dockerfile. */
static GBytes *read_dockerfile(struct build *b, GError **err)
{
    const char *file = b->r->file;
    gboolean from_stdin = g_strcmp0(file, "-") == 0;
    if (b->r->dockerfile_inline && !b->input.dockerfile_text)
        b->input.dockerfile_text = g_bytes_ref(b->r->dockerfile_inline);
    b->input.dockerfile_path = from_stdin || b->input.dockerfile_text ? g_strdup("Dockerfile")
                               : file                                 ? g_strdup(file)
                                                                      : default_path(b);
    if (from_stdin && !b->input.dockerfile_text)
        return fs_read_fd(b->r->in_fd, "the Dockerfile on stdin", DOCKERFILE_MAX_BYTES, err);
    if (b->input.dockerfile_text)
        return g_bytes_ref(b->input.dockerfile_text);
    GError *local = NULL;
    GBytes *bytes = read_named(b, &local);
    if (bytes)
        return bytes;
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_clear_error(&local);
        gboolean own = is_own(b, b->input.dockerfile_path);
        error_set(&local, own && file ? VARVE_ERROR_NOT_FOUND : VARVE_ERROR_USAGE,
                  "there is no Dockerfile at %s%s%s", b->input.dockerfile_path,
                  own ? "" : " in the context ", own ? "" : b->input.context_name);
        if (own && file)
            suggest_file(file, &local);
        else
            error_add_next(&local,
                           "name it with -f, or run varve in the directory that contains it");
        error_as_usage(&local);
    }
    g_propagate_error(err, local);
    return NULL;
}

/* NULL without error if there is no such file. A directory of that name does not count, as in
 * Docker.
 */
static GBytes *read_optional(struct build *b, const char *path, GError **err)
{
    GError *local = NULL;
    if (is_directory(b, path)) {
        event_note(b->ports.events, "%s is a directory, not an ignore file: no files are ignored",
                   path);
        return NULL;
    }
    GBytes *bytes = read_input_file(b, path, MAX_IGNORE, &local);
    if (bytes)
        return bytes;
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        g_error_free(local);
    else
        g_propagate_error(err, local);
    return NULL;
}

/* The first ignore file that exists, its name in *used: <Dockerfile>.dockerignore, then the
 * context's own; after each, Podman's name for it. NULL: there is none, or *err is set. */
static GBytes *find_ignore(struct build *b, char **used, GError **err)
{
    gboolean no_file = g_strcmp0(b->r->file, "-") == 0 || b->input.dockerfile_text;
    const char *dir = b->r->context_dir ? b->r->context_dir : "";
    static const char *const suffixes[] = {".dockerignore", ".containerignore"};
    for (guint own = !no_file + 1; own-- > 0;)
        for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
            GError *local = NULL;
            g_free(*used);
            *used = own ? g_strconcat(b->input.dockerfile_path, suffixes[i], NULL)
                        : g_build_filename(dir, suffixes[i], NULL);
            GBytes *bytes = read_optional(b, *used, &local);
            if (local)
                g_propagate_error(err, local);
            if (bytes || local)
                return bytes;
        }
    return NULL;
}

/* Contexts of a batch are the same when the directory and what is ignored of it are. */
static void name_context(struct build *b, GBytes *ignored)
{
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    digest_of_bytes(&d, ignored ? g_bytes_get_data(ignored, NULL) : "",
                    ignored ? g_bytes_get_size(ignored) : 0);
    b->input.context_id = g_strdup_printf("%s\n%s", b->input.context_dir, digest_hex(&d, hex));
}

static gboolean read_ignore(struct build *b, GError **err)
{
    if (!b->input.context_dir)
        return TRUE;
    g_autofree char *used = NULL;
    GError *local = NULL;
    g_autoptr(GBytes) bytes = find_ignore(b, &used, &local);
    name_context(b, bytes);
    if (bytes)
        b->input.ignore =
            ignore_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &local);
    if (b->input.ignore)
        b->input.ignore_name = g_path_get_basename(used);
    if (!local)
        return TRUE;
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_INVALID))
        error_add_next(&local, "close the [, or write \\[ for the character itself");
    g_propagate_prefixed_error(err, local, "%s: ", used);
    return FALSE;
}

/* What messages call it: as short as it is still clear. Of several, -f says which. */
static char *shown_name(const struct build *b)
{
    const char *file = b->r->file;
    gboolean below =
        file && !b->r->dockerfile_inline && !g_path_is_absolute(file) && strchr(file, '/');
    return below ? g_strdup(file) : g_path_get_basename(b->input.dockerfile_path);
}

gboolean build_read(struct build *b, GError **err)
{
    g_autoptr(GBytes) bytes = read_dockerfile(b, err);
    if (!bytes || !read_ignore(b, err))
        return FALSE;
    g_autofree char *name = shown_name(b);
    b->result.diags = diags_new();
    b->result.df = dockerfile_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), name,
                                    b->result.diags);
    b->input.parsed = b->result.df && !diags_has_errors(b->result.diags);
    if (b->input.parsed)
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "%u error%s; nothing was run",
                     b->result.diags->n_errors, b->result.diags->n_errors == 1 ? "" : "s");
}
