#include "cli/run_mounts.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/shellword.h"
#include "cli/volume_name.h"
#include "exec/hostca.h"
#include "layer/chainview.h"
#include "layer/fill.h"
#include "store/images.h"
#include "text/bytesize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static gboolean has_mount(const struct run *r, const char *dest)
{
    for (guint i = 0; i < r->mounts->len; i++)
        if (g_str_equal(g_array_index(r->mounts, struct sandbox_mount, i).dest, dest))
            return TRUE;
    return FALSE;
}

/* Takes fd. */
static void add_mount(struct run *r, const char *dest, int fd, gboolean readonly)
{
    struct sandbox_mount m = {.dest = g_strdup(dest), .fd = fd, .readonly = readonly};
    g_ptr_array_add(r->owned, (gpointer)m.dest);
    g_array_append_val(r->mounts, m);
}

/* A new volume begins as what the image has at its place, owner and mode included. */
static gboolean fill(struct run *r, const char *dest, int dir, GError **err)
{
    g_autoptr(chainview) view = chainview_new(r->store, r->image->chain, r->kill, err);
    if (!view)
        return FALSE;
    gboolean exists;
    struct entry e;
    g_autofree char *place = chainview_resolve(view, dest, TRUE, &exists, &e, err);
    if (!place)
        return FALSE;
    if (!exists || e.type != ENTRY_DIR)
        return TRUE;
    return fill_from_chain(r->store, r->image->chain, dest, dir, r->kill, err);
}

static gboolean add_anonymous(struct run *r, const char *dest, GError **err)
{
    char *tmp = store_tmp_dir(r->store, err);
    if (!tmp)
        return FALSE;
    g_ptr_array_add(r->tmps, tmp);
    fd_auto int dir = fs_open_dir(store_fd(r->store), tmp, err);
    if (dir < 0 || fchmod(dir, 0755) < 0 || !fill(r, dest, dir, err))
        return FALSE;
    add_mount(r, dest, fd_steal(&dir), FALSE);
    return TRUE;
}

static gboolean add_named(struct run *r, const char *name, const char *dest, gboolean readonly,
                          GError **err)
{
    g_autofree char *id = volume_name_id(name);
    struct volume *v = store_volume_take(r->store, id, VOLUME_SHARED, r->kill, err);
    if (!v)
        return FALSE;
    fd_auto int dir = fs_open_dir(store_fd(r->store), v->dir, err);
    if (dir < 0 || (v->fresh && !fill(r, dest, dir, err))) {
        store_volume_discard(v);
        return FALSE;
    }
    g_ptr_array_add(r->volumes, v);
    if (!store_volume_ready(v, err))
        return FALSE;
    add_mount(r, dest, fd_steal(&dir), readonly);
    return TRUE;
}

static gboolean add_host(struct run *r, const char *what, const char *source, const char *dest,
                         gboolean readonly, GError **err)
{
    fd_auto int fd = open(source, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        gboolean missing = errno == ENOENT;
        error_set_errno(err, errno, "%s: cannot mount %s", what, source);
        g_autofree char *word = shell_path(source);
        if (missing)
            error_add_next(err, "make it first: mkdir -p %s", word);
        return FALSE;
    }
    add_mount(r, dest, fd_steal(&fd), readonly);
    return TRUE;
}

gboolean run_mount_at(struct run *r, const char *what, const char *source, const char *dest,
                      gboolean readonly, GError **err)
{
    g_autofree char *clean = path_clean(dest);
    if (g_str_equal(clean, "/") || has_mount(r, clean))
        return error_set(err, VARVE_ERROR_USAGE, "%s: %s is mounted already", what, clean);
    if (!source)
        return add_anonymous(r, clean, err);
    return *source == '/' || *source == '.' ? add_host(r, what, source, clean, readonly, err)
                                            : add_named(r, source, clean, readonly, err);
}

static gboolean parse_modes(const char *text, const char *modes, gboolean *readonly, GError **err)
{
    /* SELinux labels, and how Docker Desktop keeps two sides alike: nothing to do here. */
    static const char *const without_meaning[] = {"z",         "Z",          "cached",
                                                  "delegated", "consistent", NULL};
    g_auto(GStrv) all = g_strsplit(modes, ",", -1);
    const char *const *given = (const char *const *)all;
    for (char **m = all; *m; m++)
        if (!g_str_equal(*m, "ro") && !g_str_equal(*m, "rw") &&
            !g_strv_contains(without_meaning, *m))
            return error_set(err, VARVE_ERROR_USAGE, "-v %s: unknown mode %s (known: ro, rw)", text,
                             *m);
    *readonly = g_strv_contains(given, "ro");
    return !*readonly || !g_strv_contains(given, "rw") ||
           error_set(err, VARVE_ERROR_USAGE, "-v %s: ro and rw cannot be used together", text);
}

static gboolean bad_volume(const char *text, GError **err)
{
    error_set(err, VARVE_ERROR_USAGE,
              "-v %s: not NAME:/PATH[:ro], /HOST/DIRECTORY:/PATH[:ro] or /PATH", text);
    error_add_next(err, "for example -v data:/data, -v ./src:/src:ro");
    return FALSE;
}

static gboolean add_volume(struct run *r, const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", -1);
    guint n = g_strv_length(parts);
    const char *source = n > 1 ? parts[0] : NULL;
    const char *given = n > 1 ? parts[1] : parts[0];
    gboolean readonly = FALSE;
    if (n < 1 || n > 3 || !given || *given != '/')
        return bad_volume(text, err);
    if (n == 3 && !parse_modes(text, parts[2], &readonly, err))
        return FALSE;
    if (source && *source != '/' && *source != '.' && !volume_name_is_valid(source))
        return bad_volume(text, err);
    g_autofree char *what = g_strdup_printf("-v %s", text);
    return run_mount_at(r, what, source, given, readonly, err);
}

gboolean run_mount_tmpfs(struct run *r, const char *what, struct sandbox_mount m, const char *dest,
                         GError **err)
{
    g_autofree char *clean = path_clean(dest);
    if (*clean != '/' || !clean[1] || has_mount(r, clean))
        return error_set(err, VARVE_ERROR_USAGE, "%s: not an absolute path of its own", what);
    m.dest = g_steal_pointer(&clean);
    g_ptr_array_add(r->owned, (gpointer)m.dest);
    g_array_append_val(r->mounts, m);
    return TRUE;
}

static gboolean take_tmpfs_option(struct sandbox_mount *m, const char *option)
{
    static const char *const always[] = {"nosuid", "nodev", NULL};
    guint64 mode = m->mode;
    if (g_str_has_prefix(option, "size="))
        return bytesize_parse(option + strlen("size="), &m->size, NULL);
    if (g_str_equal(option, "exec") || g_str_equal(option, "noexec"))
        m->noexec = *option == 'n';
    else if (g_str_equal(option, "ro") || g_str_equal(option, "rw"))
        m->readonly = option[1] == 'o';
    else if (!g_strv_contains(always, option) &&
             (!g_str_has_prefix(option, "mode=") ||
              !g_ascii_string_to_unsigned(option + strlen("mode="), 8, 1, 07777, &mode, NULL)))
        return FALSE;
    m->mode = mode;
    return TRUE;
}

/* "/PATH[:size=64m,mode=1777,…]", with Docker's defaults; further options of the kernel's tmpfs are
 * not taken. */
static gboolean add_tmpfs(struct run *r, const char *text, GError **err)
{
    const char *colon = strchr(text, ':');
    g_autofree char *path = colon ? g_strndup(text, colon - text) : g_strdup(text);
    struct sandbox_mount m = {.fd = -1, .noexec = TRUE};
    g_auto(GStrv) options = g_strsplit(colon ? colon + 1 : "", ",", -1);
    for (char **o = options; *o; o++)
        if (!take_tmpfs_option(&m, *o))
            return error_set(err, VARVE_ERROR_USAGE,
                             "--tmpfs %s: \"%s\" is not size=BYTES, mode=OCTAL, ro, rw, exec or "
                             "noexec",
                             text, *o);
    g_autofree char *what = g_strdup_printf("--tmpfs %s", text);
    return run_mount_tmpfs(r, what, m, path, err);
}

static gboolean add_image_volume(gpointer key, gpointer value, gpointer data)
{
    g_ptr_array_add(data, key);
    return FALSE;
}

/* The image's VOLUMEs that nothing is mounted on get fresh ones, thrown away at the end. */
static gboolean add_image_volumes(struct run *r, GError **err)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_tree_foreach(r->conf->volumes, add_image_volume, paths);
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *rooted = g_strconcat("/", (char *)g_ptr_array_index(paths, i), NULL);
        g_autofree char *dest = path_clean(rooted);
        if (dest[1] && !has_mount(r, dest) && !add_anonymous(r, dest, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_host_ca(struct run *r, GError **err)
{
    if (!r->o->host_ca)
        return TRUE;
    g_autofree char *path = hostca_find(g_getenv("SSL_CERT_FILE"), err);
    return path && add_host(r, "--host-ca", path, HOSTCA_DEST, TRUE, err);
}

static int by_dest(gconstpointer a, gconstpointer b)
{
    return strcmp(((const struct sandbox_mount *)a)->dest, ((const struct sandbox_mount *)b)->dest);
}

gboolean run_add_volumes(struct run *r, GError **err)
{
    for (char **v = r->o->volumes; v && *v; v++)
        if (!add_volume(r, *v, err))
            return FALSE;
    for (char **m = r->o->mounts; m && *m; m++)
        if (!run_mount_option(r, *m, err))
            return FALSE;
    for (char **t = r->o->tmpfs; t && *t; t++)
        if (!add_tmpfs(r, *t, err))
            return FALSE;
    if (!add_image_volumes(r, err) || !add_host_ca(r, err))
        return FALSE;
    g_array_sort(r->mounts, by_dest); /* a directory before what is in it */
    return TRUE;
}
