#include "run/mount.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/path.h"
#include "run/volume_name.h"
#include "text/bytesize.h"

#include <string.h>

static void run_mount_clear(gpointer data)
{
    struct run_mount *m = data;
    g_free(m->what);
    g_free(m->source);
    g_free(m->target);
}

GArray *run_mounts_new(void)
{
    GArray *mounts = g_array_new(FALSE, TRUE, sizeof(struct run_mount));
    g_array_set_clear_func(mounts, run_mount_clear);
    return mounts;
}

gboolean run_mounts_have(const GArray *mounts, const char *target)
{
    for (guint i = 0; i < mounts->len; i++)
        if (g_str_equal(g_array_index(mounts, struct run_mount, i).target, target))
            return TRUE;
    return FALSE;
}

static gboolean is_host_path(const char *source)
{
    return *source == '/' || *source == '.';
}

/* Takes m's strings, or frees them; its target becomes clean. */
static gboolean keep_mount(GArray *mounts, struct run_mount *m, GError **err)
{
    char *clean = path_clean(m->target);
    g_free(m->target);
    m->target = clean;
    if (clean[0] == '/' && clean[1] && !run_mounts_have(mounts, clean)) {
        g_array_append_val(mounts, *m);
        return TRUE;
    }
    if (clean[0] == '/' && clean[1]) {
        error_set(err, VARVE_ERROR_USAGE, "%s: %s is mounted already", m->what, clean);
        error_add_next(err, "leave one of the two out, or mount it elsewhere");
    } else {
        error_set(err, VARVE_ERROR_USAGE, "%s: %s is not an absolute path below /", m->what, clean);
        error_add_next(err, "name the directory inside: /%s", clean[0] != '/' ? clean : "data");
    }
    run_mount_clear(m);
    return FALSE;
}

static gboolean bad_mode(const char *text, const char *mode, GError **err)
{
    error_set(err, VARVE_ERROR_USAGE, "-v %s: unknown mode %s (known: ro, rw)", text, mode);
    error_add_next(err, "for example -v ./src:/src:ro");
    return FALSE;
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
            return bad_mode(text, *m, err);
    *readonly = g_strv_contains(given, "ro");
    return !*readonly || !g_strv_contains(given, "rw") ||
           error_set(err, VARVE_ERROR_USAGE, "-v %s: ro and rw cannot be used together", text);
}

static gboolean bad_volume(const char *text, GError **err)
{
    error_set(err, VARVE_ERROR_USAGE,
              "-v %s: must be NAME:/PATH[:ro], /HOST/DIRECTORY:/PATH[:ro] or /PATH", text);
    error_add_next(err, "for example -v data:/data, -v ./src:/src:ro");
    return FALSE;
}

gboolean run_mount_add_volume(GArray *mounts, const char *text, GError **err)
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
    if (source && !is_host_path(source) && !volume_name_is_valid(source))
        return bad_volume(text, err);
    struct run_mount m = {.type =
                              source && is_host_path(source) ? RUN_MOUNT_BIND : RUN_MOUNT_VOLUME,
                          .what = g_strdup_printf("-v %s", text),
                          .source = g_strdup(source),
                          .target = g_strdup(given),
                          .readonly = readonly};
    return keep_mount(mounts, &m, err);
}

static gboolean take_tmpfs_option(struct run_mount *m, const char *option)
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

gboolean run_mount_add_tmpfs(GArray *mounts, const char *text, GError **err)
{
    const char *colon = strchr(text, ':');
    struct run_mount m = {.type = RUN_MOUNT_TMPFS, .noexec = TRUE};
    g_auto(GStrv) options = g_strsplit(colon ? colon + 1 : "", ",", -1);
    for (char **o = options; *o; o++)
        if (!take_tmpfs_option(&m, *o)) {
            error_set(err, VARVE_ERROR_USAGE,
                      "--tmpfs %s: \"%s\" is not size=BYTES, mode=OCTAL, ro, rw, exec or noexec",
                      text, *o);
            error_add_next(err, "for example --tmpfs /tmp:size=64m,mode=1777");
            return FALSE;
        }
    m.what = g_strdup_printf("--tmpfs %s", text);
    m.target = colon ? g_strndup(text, colon - text) : g_strdup(text);
    return keep_mount(mounts, &m, err);
}

/* One --mount, "type=bind,source=/src,target=/dst,readonly". */
struct wish {
    const char *what;
    char *type, *source, *target;
    gboolean readonly;
    struct run_mount tmpfs; /* its size and mode */
};

static void wish_clear(struct wish *w)
{
    g_free(w->type);
    g_free(w->source);
    g_free(w->target);
}

static gboolean bad_value(const struct wish *w, const char *key, const char *value, GError **err)
{
    return error_set(err, VARVE_ERROR_USAGE, "%s: %s=%s is malformed", w->what, key, value);
}

static gboolean take_wish_text(char **to, const char *value)
{
    g_free(*to);
    *to = g_strdup(value);
    return TRUE;
}

static gboolean take_tmpfs(struct wish *w, const char *key, const char *value, GError **err)
{
    guint64 mode;
    if (g_str_equal(key, "tmpfs-size"))
        return bytesize_parse(value, &w->tmpfs.size, NULL) || bad_value(w, key, value, err);
    if (!g_ascii_string_to_unsigned(value, 8, 1, 07777, &mode, NULL))
        return bad_value(w, key, value, err);
    w->tmpfs.mode = mode;
    return TRUE;
}

/* What says how the kernel or Docker Desktop keep two sides alike has no meaning here. */
static gboolean is_without_meaning(const char *key, const char *value)
{
    return g_str_equal(key, "consistency") ||
           (g_str_equal(key, "bind-propagation") && g_strcmp0(value, "rprivate") == 0);
}

static gboolean set_mount_key(struct wish *w, const char *key, const char *value, GError **err)
{
    if (g_str_equal(key, "readonly") || g_str_equal(key, "ro")) {
        w->readonly = TRUE;
        return !value || boolean_parse(value, &w->readonly) || bad_value(w, key, value, err);
    }
    if (!value)
        return error_set(err, VARVE_ERROR_USAGE, "%s: \"%s\" is not KEY=VALUE", w->what, key);
    if (g_str_equal(key, "type"))
        return take_wish_text(&w->type, value);
    if (g_str_equal(key, "source") || g_str_equal(key, "src"))
        return take_wish_text(&w->source, value);
    if (g_str_equal(key, "target") || g_str_equal(key, "dst") || g_str_equal(key, "destination"))
        return take_wish_text(&w->target, value);
    if (g_str_equal(key, "tmpfs-size") || g_str_equal(key, "tmpfs-mode"))
        return take_tmpfs(w, key, value, err);
    if (is_without_meaning(key, value))
        return TRUE;
    return error_set(err, VARVE_ERROR_USAGE,
                     "%s: unknown key %s (known: type, source, target, readonly, tmpfs-size, "
                     "tmpfs-mode)",
                     w->what, key);
}

static gboolean parse_wish(struct wish *w, const char *text, GError **err)
{
    g_auto(GStrv) fields = csv_split(text, err);
    if (!fields) {
        g_prefix_error(err, "%s: ", w->what);
        error_as_usage(err);
        return FALSE;
    }
    for (char **f = fields; *f; f++) {
        char *eq = strchr(*f, '=');
        if (eq)
            *eq = '\0';
        if (!set_mount_key(w, *f, eq ? eq + 1 : NULL, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean bad_source(const struct wish *w, const char *wanted, GError **err)
{
    return error_set(err, VARVE_ERROR_USAGE, "%s: the source is %s", w->what, wanted);
}

static gboolean check_wish(const struct wish *w, enum run_mount_type *type, GError **err)
{
    const char *text = w->type ? w->type : "volume";
    const char *source = w->source;
    if (!w->target || *w->target != '/')
        return error_set(err, VARVE_ERROR_USAGE, "%s: target=/PATH is missing", w->what);
    if (g_str_equal(text, "tmpfs")) {
        *type = RUN_MOUNT_TMPFS;
        return !source || bad_source(w, "not for a tmpfs", err);
    }
    if (g_str_equal(text, "bind")) {
        *type = RUN_MOUNT_BIND;
        return (source && is_host_path(source)) ||
               bad_source(w, "not a path that starts with / or .", err);
    }
    *type = RUN_MOUNT_VOLUME;
    if (!g_str_equal(text, "volume"))
        return error_set(err, VARVE_ERROR_USAGE, "%s: type=%s is not bind, volume or tmpfs",
                         w->what, text);
    return !source || volume_name_is_valid(source) ||
           bad_source(w, "not the name of a volume", err);
}

static gboolean add_wish(GArray *mounts, struct wish *w, GError **err)
{
    enum run_mount_type type;
    if (w->source && !*w->source)
        g_clear_pointer(&w->source, g_free);
    if (!check_wish(w, &type, err))
        return FALSE;
    struct run_mount m = w->tmpfs;
    m.type = type;
    m.what = g_strdup(w->what);
    m.source = g_steal_pointer(&w->source);
    m.target = g_steal_pointer(&w->target);
    m.readonly = w->readonly;
    return keep_mount(mounts, &m, err);
}

gboolean run_mount_add(GArray *mounts, const char *text, GError **err)
{
    g_autofree char *what = g_strdup_printf("--mount %s", text);
    struct wish w = {.what = what, .tmpfs = {.noexec = TRUE}};
    gboolean ok = parse_wish(&w, text, err) && add_wish(mounts, &w, err);
    if (!ok && err && *err && !error_next(*err))
        error_add_next(err, "for example --mount type=bind,source=./src,target=/src,readonly");
    wish_clear(&w);
    return ok;
}
