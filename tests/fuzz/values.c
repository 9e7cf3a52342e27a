/* Small texts from Dockerfiles, command lines, registries and configuration: the first byte chooses
 * which. */
#include "fuzz.h"

#include "base/path.h"
#include "base/platform.h"
#include "dockerfile/mount.h"
#include "graph/ports.h"
#include "net/url.h"
#include "registry/toml.h"
#include "text/bytesize.h"
#include "text/chmod.h"
#include "text/duration.h"
#include "text/giturl.h"

#include <string.h>

static void fuzz_git(const char *text)
{
    g_autoptr(giturl) g = NULL;
    g_autoptr(GError) err = NULL;
    enum giturl_result r = giturl_parse(text, &g, &err);
    g_assert_true((r == GITURL_OK) == (g != NULL) && (r == GITURL_BAD) == (err != NULL));
}

static void fuzz_mount(const char *text)
{
    struct mount_spec m = {0};
    struct mount_flag parsed;
    const struct flag flag = {.name = "mount", .value = text};
    g_autoptr(GError) err = NULL;
    g_autoptr(arena) a = arena_new();
    gboolean ok =
        mount_flag_parse(&parsed, a, &flag, &err) && mount_spec_read(&m, &parsed, NULL, NULL, &err);
    g_assert_true(ok == (err == NULL));
    if (ok)
        mount_spec_clear(&m);
}

static void fuzz_url(const char *text)
{
    g_autoptr(url) u = url_parse(text, NULL),
                   base = url_parse("https://h.example:8443/a/b?c=d", NULL);
    g_autoptr(url) moved = url_resolve(base, text, NULL);
    g_autofree char *normal = u ? url_text(u) : NULL;
    g_autoptr(url) again = u ? url_parse(normal, NULL) : NULL;
    g_assert_true(!u || again);
    g_autofree char *same = u ? url_text(again) : NULL;
    g_assert_cmpstr(normal, ==, same);
    g_assert_true(!u || url_same_origin(u, again));
}

static void on_table(struct toml_handler *self, const char *name, gboolean array)
{
}

static void on_value(struct toml_handler *self, const char *key, enum toml_type type,
                     const char *text)
{
}

static void fuzz_toml(const char *text)
{
    struct toml_handler h = {.table = on_table, .value = on_value};
    g_autoptr(GError) err = NULL;
    gboolean ok = toml_read(text, strlen(text), "it", &h, &err);
    g_assert_true(ok == (err == NULL));
}

static void fuzz_ports(const char *text)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) err = NULL;
    gboolean ok = ports_parse(text, list, &err);
    g_assert_true(ok == (err == NULL) && list->len <= 65536);
}

static void fuzz_small(const char *text)
{
    struct platform p;
    guint64 bytes;
    platform_parse(&p, text, NULL);
    bytesize_parse(text, &bytes, NULL);
    gint64 ns;
    if (duration_parse(text, &ns, NULL)) {
        g_autofree char *shown = duration_text(ns);
        gint64 again;
        g_assert_true(duration_parse(shown, &again, NULL) && again == ns);
    }
    struct chmod mode;
    if (chmod_parse(&mode, text, NULL))
        g_assert_cmpuint(chmod_apply(&mode, 0644, FALSE), <=, 07777);
    g_autofree char *clean = path_clean(text), *again = path_clean(clean);
    g_assert_cmpstr(clean, ==, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const char *) = {fuzz_git,  fuzz_mount, fuzz_url,
                                                  fuzz_toml, fuzz_ports, fuzz_small};
    if (size == 0)
        return 0;
    g_autofree char *text = fuzz_text(data + 1, size - 1);
    kinds[*data % G_N_ELEMENTS(kinds)](text);
    return 0;
}
