#include "cli/run_mounts.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "cli/volume_name.h"
#include "text/bytesize.h"

#include <string.h>

/* One --mount, "type=bind,source=/src,target=/dst,readonly". */
struct wish {
    const char *what;
    char *type, *source, *target;
    gboolean readonly;
    struct sandbox_mount tmpfs; /* its size and mode */
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

static gboolean take_text(char **to, const char *value)
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

static gboolean take_key(struct wish *w, const char *key, const char *value, GError **err)
{
    if (g_str_equal(key, "readonly") || g_str_equal(key, "ro")) {
        w->readonly = TRUE;
        return !value || boolean_parse(value, &w->readonly) || bad_value(w, key, value, err);
    }
    if (!value)
        return error_set(err, VARVE_ERROR_USAGE, "%s: \"%s\" is not KEY=VALUE", w->what, key);
    if (g_str_equal(key, "type"))
        return take_text(&w->type, value);
    if (g_str_equal(key, "source") || g_str_equal(key, "src"))
        return take_text(&w->source, value);
    if (g_str_equal(key, "target") || g_str_equal(key, "dst") || g_str_equal(key, "destination"))
        return take_text(&w->target, value);
    if (g_str_equal(key, "tmpfs-size") || g_str_equal(key, "tmpfs-mode"))
        return take_tmpfs(w, key, value, err);
    if (is_without_meaning(key, value))
        return TRUE;
    return error_set(err, VARVE_ERROR_USAGE,
                     "%s: unknown key %s (known: type, source, target, readonly, tmpfs-size, "
                     "tmpfs-mode)",
                     w->what, key);
}

static gboolean parse(struct wish *w, const char *text, GError **err)
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
        if (!take_key(w, *f, eq ? eq + 1 : NULL, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean bad_source(const struct wish *w, const char *wanted, GError **err)
{
    return error_set(err, VARVE_ERROR_USAGE, "%s: the source is %s", w->what, wanted);
}

static gboolean add(struct run *r, const struct wish *w, GError **err)
{
    const char *type = w->type ? w->type : "volume";
    const char *source = w->source && *w->source ? w->source : NULL;
    gboolean is_path = source && (*source == '/' || *source == '.');
    if (!w->target || *w->target != '/')
        return error_set(err, VARVE_ERROR_USAGE, "%s: target=/PATH is missing", w->what);
    if (g_str_equal(type, "tmpfs"))
        return source ? bad_source(w, "not for a tmpfs", err)
                      : run_mount_tmpfs(r, w->what, w->tmpfs, w->target, err);
    if (g_str_equal(type, "bind"))
        return is_path ? run_mount_at(r, w->what, source, w->target, w->readonly, err)
                       : bad_source(w, "not a path that begins with / or .", err);
    if (g_str_equal(type, "volume"))
        return source && !volume_name_is_valid(source)
                   ? bad_source(w, "not the name of a volume", err)
                   : run_mount_at(r, w->what, source, w->target, w->readonly, err);
    error_set(err, VARVE_ERROR_USAGE, "%s: type=%s is not bind, volume or tmpfs", w->what, type);
    return FALSE;
}

gboolean run_mount_option(struct run *r, const char *text, GError **err)
{
    g_autofree char *what = g_strdup_printf("--mount %s", text);
    struct wish w = {.what = what, .tmpfs = {.fd = -1, .noexec = TRUE}};
    gboolean ok = parse(&w, text, err);
    w.tmpfs.readonly = w.readonly;
    ok = ok && add(r, &w, err);
    if (!ok && err && *err && !strstr((*err)->message, "\nnext: "))
        error_add_next(err, "for example --mount type=bind,source=./src,target=/src,readonly");
    wish_clear(&w);
    return ok;
}
