#include "cli/arguments.h"

#include "base/error.h"
#include "base/shellword.h"
#include "text/bytesize.h"
#include "text/duration.h"
#include "text/reference.h"
#include "text/signalname.h"

#include <string.h>

struct reference *reference_argument(const char *text, GError **err)
{
    struct reference *ref = reference_parse(text, err);
    if (ref)
        return ref;
    error_as_usage(err);
    return NULL;
}

struct reference *name_parse(const char *text, GError **err)
{
    g_autoptr(reference) ref = reference_argument(text, err);
    if (!ref || !ref->digest)
        return g_steal_pointer(&ref);
    error_set(err, VARVE_ERROR_USAGE, "%s: a name cannot contain a digest", text);
    return NULL;
}

gboolean destination_option(const char *flag, const char *path, GError **err)
{
    if (!path || g_str_equal(path, "-"))
        return TRUE;
    g_autofree char *parent = g_path_get_dirname(path);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return error_set(err, VARVE_ERROR_USAGE, "%s %s: is a directory, not a file", flag, path);
    if (*path && g_file_test(parent, G_FILE_TEST_IS_DIR))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "%s %s: there is no directory %s", flag, path, parent);
    g_autofree char *word = shell_path(parent);
    error_add_next(err, "mkdir -p %s", word);
    return FALSE;
}

gboolean platform_option(const char *text, struct platform *store, const struct platform **out,
                         GError **err)
{
    *out = text ? store : NULL;
    if (!text || platform_parse_known(store, text, err))
        return TRUE;
    g_prefix_error(err, "--platform: ");
    return FALSE;
}

gboolean platform_wanted(const char *text, struct platform *store, const struct platform **out,
                         GError **err)
{
    const char *preset = g_getenv("DOCKER_DEFAULT_PLATFORM");
    if (text || !preset || !*preset)
        return platform_option(text, store, out, err);
    *out = store;
    if (platform_parse_known(store, preset, err))
        return TRUE;
    g_prefix_error(err, "DOCKER_DEFAULT_PLATFORM: ");
    return FALSE;
}

gboolean signal_option(const char *flag, const char *text, int *out, GError **err)
{
    gboolean given = text && *text;
    *out = given ? signal_number(text) : 0;
    if (!given || *out)
        return TRUE;
    const char *near = signalname_nearest(text);
    error_set(err, VARVE_ERROR_USAGE, "%s %s: there is no such signal", flag, text);
    error_add_next(err, near ? "did you mean %s %s?" : "for example %s %s", flag,
                   near ? near : "TERM");
    return FALSE;
}

gboolean size_option(const char *flag, const char *text, guint64 *out, GError **err)
{
    if (!text || bytesize_parse(text, out, err))
        return TRUE;
    g_prefix_error(err, "%s: ", flag);
    error_as_usage(err);
    return FALSE;
}

gboolean age_option(const char *flag, const char *text, gint64 *seconds, GError **err)
{
    static const struct {
        char unit;
        gint64 seconds;
    } units[] = {{'d', 86400}, {'w', 7 * 86400}};
    gsize len = text ? strlen(text) : 0;
    for (guint i = 0; len > 1 && i < G_N_ELEMENTS(units); i++) {
        guint64 n;
        g_autofree char *digits = g_strndup(text, len - 1);
        if (text[len - 1] != units[i].unit ||
            !g_ascii_string_to_unsigned(digits, 10, 1, 36500, &n, NULL))
            continue;
        *seconds = (gint64)n * units[i].seconds;
        return TRUE;
    }
    gint64 ns;
    if (text && (!duration_parse(text, &ns, NULL) || ns < 1000000000))
        return error_set(err, VARVE_ERROR_USAGE, "%s %s: write a time like 7d, 2w or 12h", flag,
                         text);
    if (text)
        *seconds = ns / 1000000000;
    return TRUE;
}

gboolean count_option(const char *flag, const char *text, guint max, guint *out, GError **err)
{
    guint64 n;
    if (!text)
        return TRUE;
    if (!g_ascii_string_to_unsigned(text, 10, 1, max, &n, NULL))
        return error_set(err, VARVE_ERROR_USAGE, "%s %s: must be a number from 1 to %u", flag, text,
                         max);
    *out = (guint)n;
    return TRUE;
}

gboolean progress_option(const char *text, enum progress_mode *out, GError **err)
{
    const char *preset = g_getenv("BUILDKIT_PROGRESS");
    return progress_mode_parse(text ? text : preset ? preset : "auto", out, err);
}
