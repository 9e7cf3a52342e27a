#include "cli/shared.h"

#include "base/error.h"
#include "base/jsonset.h"
#include "base/shellword.h"
#include "cli/report.h"
#include "image/config.h"
#include "registry/proxies.h"
#include "text/bytesize.h"
#include "text/reference.h"
#include "ui/text.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHORT_HEX 12

/* "needs two arguments: IMAGE and NAME": the first min words of the synopsis. */
static void missing_arguments(const struct command *c, int min, GError **err)
{
    g_auto(GStrv) words = g_strsplit(c->synopsis, " ", -1);
    char **w = words;
    while (*w && g_str_has_prefix(*w, "[OPTIONS"))
        w++;
    const char *first = *w ? *w : "", *second = *w && w[1] ? w[1] : "";
    if (min == 1)
        error_set(err, VARVE_ERROR_USAGE, "varve %s: needs an argument: %s", c->name, first);
    else
        error_set(err, VARVE_ERROR_USAGE, "varve %s: needs two arguments: %s and %s", c->name,
                  first, second);
}

gboolean command_begin(const struct command *c, gpointer opts, int *argc, char ***argv, int min,
                       int max, GError **err)
{
    if (!command_parse(c, opts, argc, argv, err))
        return FALSE;
    int n = *argc - 1;
    if (n >= min && (max < 0 || n <= max))
        return TRUE;
    if (n < min)
        missing_arguments(c, min, err);
    else
        error_set(err, VARVE_ERROR_USAGE, "varve %s: did not expect \"%s\"", c->name,
                  (*argv)[max + 1]);
    error_add_next(err, "usage: varve %s%s%s", c->name, *c->synopsis ? " " : "", c->synopsis);
    return FALSE;
}

guint64 image_bytes(struct store *s, const struct image_row *r)
{
    struct layer_info info;
    guint64 sum = 0;
    for (guint i = 0; r->size == 0 && r->chain && i < r->chain->n; i++)
        if (store_layer_get(s, r->chain->ids[i], &info, NULL))
            sum += info.size;
    return sum + r->size;
}

char *shown_name(const char *canonical)
{
    if (!canonical || !*canonical)
        return g_strdup("<none>");
    g_autoptr(reference) ref = reference_parse(canonical, NULL);
    return ref ? reference_familiar(ref) : g_strdup(canonical);
}

char *short_hex(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return digest_is_zero(d) ? g_strdup("-") : g_strndup(digest_hex(d, hex), SHORT_HEX);
}

void set_true_platform(struct store *s, struct image_row *r)
{
    struct platform stored;
    g_autoptr(image_conf) conf = image_conf_load(s, &r->config, NULL);
    if (!conf || !*conf->platform.arch || !platform_parse(&stored, r->platform, NULL) ||
        (g_str_equal(stored.os, conf->platform.os) &&
         g_str_equal(stored.arch, conf->platform.arch)))
        return;
    g_free(r->platform);
    r->platform = platform_text(&conf->platform);
}

void warn_platform(const char *name, const struct platform *have, const struct platform *want)
{
    struct platform host;
    platform_host(&host);
    if (!*have->arch || platform_match(want ? want : &host, have) > 0)
        return;
    g_autofree char *is = platform_text(have), *wanted = platform_text(want ? want : &host);
    report_warning("%s: the image's platform (%s) does not match %s platform (%s)", name, is,
                   want ? "the specified" : "this machine's", wanted);
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

gboolean size_option(const char *flag, const char *text, guint64 *out, GError **err)
{
    if (!text || bytesize_parse(text, out, err))
        return TRUE;
    g_prefix_error(err, "%s: ", flag);
    error_as_usage(err);
    return FALSE;
}

void print_json(json_t *doc, gboolean indented)
{
    json_dumpf(doc, stdout,
               (indented ? JSON_INDENT(4) : JSON_COMPACT) | JSON_ENCODE_ANY |
                   JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(doc);
}

struct reference *reference_argument(const char *text, GError **err)
{
    struct reference *ref = reference_parse(text, err);
    if (ref)
        return ref;
    error_as_usage(err);
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

struct reference *name_parse(const char *text, GError **err)
{
    g_autoptr(reference) ref = reference_argument(text, err);
    if (!ref || !ref->digest)
        return g_steal_pointer(&ref);
    error_set(err, VARVE_ERROR_USAGE, "%s: a name cannot hold a digest", text);
    return NULL;
}

void set_digest_text(json_t *o, const char *key, const struct digest *d)
{
    g_autofree char *text = digest_is_zero(d) ? NULL : digest_text(d);
    jsonset_text(o, key, text);
}

char *time_text(gint64 seconds)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);
    return t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("-");
}

static void print_next_line(const char *fmt, va_list ap)
{
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    fflush(stdout);
    report_next(text);
}

void print_next(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_next_line(fmt, ap);
    va_end(ap);
}

void print_next_after_list(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (isatty(STDOUT_FILENO))
        print_next_line(fmt, ap);
    va_end(ap);
}

char *fit_unless(gboolean no_trunc, const char *s, int columns)
{
    return no_trunc ? g_strdup(s) : text_fit(s, columns);
}

char *created_by_text(const char *created_by)
{
    g_autofree char *s = g_strdup(created_by ? created_by : "");
    if (g_str_has_suffix(s, " # buildkit"))
        s[strlen(s) - strlen(" # buildkit")] = '\0';
    const char *shell = "/bin/sh -c ", *nop = "/bin/sh -c #(nop) ";
    if (g_str_has_prefix(s, nop))
        return g_strstrip(g_strdup(s + strlen(nop)));
    if (g_str_has_prefix(s, shell))
        return g_strconcat("RUN ", s + strlen(shell), NULL);
    if (g_str_has_prefix(s, "RUN /bin/sh -c "))
        return g_strconcat("RUN ", s + strlen("RUN /bin/sh -c "), NULL);
    return g_steal_pointer(&s);
}

char **configured_proxies(void)
{
    g_autoptr(GError) why = NULL;
    char **lines = proxies_load(&why);
    if (lines)
        return lines;
    report_note("no proxies are taken from Docker's configuration: %s", why->message);
    return g_new0(char *, 1);
}
