#include "base/platform.h"

#include "base/error.h"

#include <string.h>
#include <sys/utsname.h>

/* Other names of architectures and what they mean (containerd's platforms/database.go has the same
 * facts). */
static const struct {
    const char *arch, *variant; /* as written; variant "" matches an absent one, NULL any */
    const char *to_arch, *to_variant;
} aliases[] = {
    {"x86_64", NULL, "amd64", ""},  {"x86-64", NULL, "amd64", ""}, {"amd64", "v1", "amd64", ""},
    {"i386", NULL, "386", ""},      {"i686", NULL, "386", ""},     {"aarch64", "", "arm64", ""},
    {"aarch64", "v8", "arm64", ""}, {"arm64", "v8", "arm64", ""},  {"arm64", "8", "arm64", ""},
    {"armhf", NULL, "arm", "v7"},   {"armel", NULL, "arm", "v6"},  {"armv7l", NULL, "arm", "v7"},
    {"arm", "", "arm", "v7"},       {"arm", "7", "arm", "v7"},     {"arm", "6", "arm", "v6"},
    {"arm", "5", "arm", "v5"},
};

static const char *const known_arches[] = {"amd64",  "386",     "arm64",    "arm",  "ppc64le",
                                           "s390x",  "riscv64", "loong64",  "mips", "mipsle",
                                           "mips64", "ppc64",   "mips64le", "wasm", NULL};
static const char *const known_systems[] = {"linux",   "windows", "darwin",  "freebsd", "netbsd",
                                            "openbsd", "solaris", "illumos", "aix",     "android",
                                            "ios",     "js",      "plan9",   "zos",     NULL};

static void set_field(char field[16], const char *text)
{
    g_strlcpy(field, text, 16);
}

void platform_normalise(struct platform *p)
{
    for (char *s = p->os; *s; s++)
        *s = g_ascii_tolower(*s);
    for (char *s = p->arch; *s; s++)
        *s = g_ascii_tolower(*s);
    if (g_str_equal(p->os, "macos"))
        set_field(p->os, "darwin");
    for (guint i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (!g_str_equal(p->arch, aliases[i].arch))
            continue;
        if (aliases[i].variant && !g_str_equal(p->variant, aliases[i].variant))
            continue;
        set_field(p->arch, aliases[i].to_arch);
        set_field(p->variant, aliases[i].to_variant);
        return;
    }
}

static gboolean valid_part(const char *s)
{
    gsize len = strlen(s);
    return len > 0 && len < 16 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == len;
}

/* A bare word is an operating system, on the host's architecture, or an architecture. */
static gboolean fill_single(struct platform *p, const char *word)
{
    struct platform as_os = {0}, as_arch = {.os = "linux"};
    platform_host(&as_os);
    set_field(as_os.os, word);
    set_field(as_arch.arch, word);
    platform_normalise(&as_os);
    platform_normalise(&as_arch);
    gboolean is_os = g_strv_contains(known_systems, as_os.os);
    *p = is_os ? as_os : as_arch;
    return is_os || g_strv_contains(known_arches, as_arch.arch);
}

gboolean platform_parse(struct platform *out, const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 4);
    guint n = g_strv_length(parts);
    gboolean ok = n >= 1 && n <= 3;
    for (guint i = 0; ok && i < n; i++)
        ok = valid_part(parts[i]);
    if (!ok) {
        error_set(err, VARVE_ERROR_USAGE, "\"%.64s\" is not a platform", text);
        error_add_next(err, "write it as os/arch or os/arch/variant, for example linux/arm64");
        return FALSE;
    }
    memset(out, 0, sizeof *out);
    if (n == 1) {
        if (!fill_single(out, parts[0])) {
            error_set(err, VARVE_ERROR_USAGE,
                      "\"%s\" is neither an operating system nor an architecture", text);
            error_add_next(err, "write it as os/arch, for example linux/arm64");
            return FALSE;
        }
    } else {
        set_field(out->os, parts[0]);
        set_field(out->arch, parts[1]);
        set_field(out->variant, n == 3 ? parts[2] : "");
    }
    platform_normalise(out);
    return TRUE;
}

void platform_host(struct platform *out)
{
    struct utsname u;
    memset(out, 0, sizeof *out);
    set_field(out->os, "linux");
    set_field(out->arch, uname(&u) == 0 ? u.machine : "amd64");
    platform_normalise(out);
}

char *platform_text(const struct platform *p)
{
    return g_strjoin("/", p->os, p->arch, p->variant[0] ? p->variant : NULL, NULL);
}

gboolean platform_equal(const struct platform *a, const struct platform *b)
{
    return g_str_equal(a->os, b->os) && g_str_equal(a->arch, b->arch) &&
           g_str_equal(a->variant, b->variant);
}

int platform_match(const struct platform *want, const struct platform *have)
{
    struct platform h = *have, w = *want;
    platform_normalise(&h);
    platform_normalise(&w);
    if (platform_equal(&w, &h))
        return 100;
    if (!g_str_equal(w.os, h.os))
        return 0;
    if (g_str_equal(w.arch, h.arch)) {
        int wv = w.variant[0] == 'v' ? w.variant[1] - '0' : 0;
        int hv = h.variant[0] == 'v' ? h.variant[1] - '0' : 0;
        return g_str_equal(w.arch, "arm") || g_str_equal(w.arch, "amd64") ? (hv <= wv ? 50 + hv : 0)
                                                                          : 50;
    }
    return 0;
}
