#include "base/platform.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>
#include <sys/utsname.h>

/* Other names of architectures and what they mean (containerd's platforms/database.go has the same
 * facts). */
static const struct {
    const char *arch, *variant; /* as written; variant "" matches an absent one, NULL any */
    const char *to_arch, *to_variant;
} aliases[] = {
    {"x86_64", NULL, "amd64", ""},   {"x86-64", NULL, "amd64", ""},
    {"amd64", "v1", "amd64", ""},    {"i386", NULL, "386", ""},
    {"i686", NULL, "386", ""},       {"aarch64", "", "arm64", ""},
    {"aarch64", "v8", "arm64", ""},  {"arm64", "v8", "arm64", ""},
    {"arm64", "8", "arm64", ""},     {"armhf", NULL, "arm", "v7"},
    {"armel", NULL, "arm", "v6"},    {"armv7l", NULL, "arm", "v7"},
    {"arm", "", "arm", "v7"},        {"arm", "7", "arm", "v7"},
    {"arm", "6", "arm", "v6"},       {"arm", "5", "arm", "v5"},
    {"arm", "8", "arm", "v8"},       {"armv8l", NULL, "arm", "v8"},
    {"armv6l", NULL, "arm", "v6"},   {"armv5l", NULL, "arm", "v5"},
    {"armv5tel", NULL, "arm", "v5"}, {"armv5tejl", NULL, "arm", "v5"},
};

/* All that Go has names for. */
static const char *const known_arches[] = {
    "amd64",     "386",         "arm64",    "arm",    "ppc64le", "s390x",    "riscv64",
    "loong64",   "mips",        "mipsle",   "mips64", "ppc64",   "mips64le", "wasm",
    "ppc",       "riscv",       "s390",     "sparc",  "sparc64", "armbe",    "arm64be",
    "mips64p32", "mips64p32le", "amd64p32", NULL};
static const char *const known_systems[] = {"linux",     "windows", "darwin",  "freebsd", "netbsd",
                                            "openbsd",   "solaris", "illumos", "aix",     "android",
                                            "ios",       "js",      "plan9",   "zos",     "wasip1",
                                            "dragonfly", "hurd",    "nacl",    NULL};

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

static gboolean check_known(const char *word, const char *const *words, const char *what,
                            GError **err)
{
    if (g_strv_contains(words, word))
        return TRUE;
    const char *near = suggest_nearest(word, words, g_strv_length((char **)words));
    error_set(err, VARVE_ERROR_USAGE, "unknown %s \"%s\"%s%s%s", what, word,
              near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    error_add_next(err, "write it as os/arch, for example linux/arm64");
    return FALSE;
}

gboolean platform_parse_known(struct platform *out, const char *text, GError **err)
{
    return platform_parse(out, text, err) &&
           check_known(out->os, known_systems, "operating system", err) &&
           check_known(out->arch, known_arches, "architecture", err);
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
    return g_strjoin("/", p->os, p->arch[0] ? p->arch : NULL, p->variant[0] ? p->variant : NULL,
                     NULL);
}

char *platform_list_text(const struct platform *all, guint n, const char *separator)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < n; i++) {
        g_autofree char *text = platform_text(&all[i]);
        g_string_append_printf(out, "%s%s", i ? separator : "", text);
    }
    return g_string_free(out, FALSE);
}

gboolean platform_equal(const struct platform *a, const struct platform *b)
{
    return g_str_equal(a->os, b->os) && g_str_equal(a->arch, b->arch) &&
           g_str_equal(a->variant, b->variant);
}

/* The highest level of the x86-64 psABI that this machine has; 0 on machines of other kinds. */
static int amd64_level(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    gboolean v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    gboolean v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
    gboolean v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
    return v4 ? 4 : v3 ? 3 : v2 ? 2 : 1;
#else
    return 0;
#endif
}

/* Images for a lower variant of an architecture with levels also run; if none is wanted, all that
 * this machine supports. */
static int match_levels(const struct platform *want, const struct platform *have)
{
    int level = want->variant[0] == 'v' ? want->variant[1] - '0' : 0;
    int needs = have->variant[0] == 'v' ? have->variant[1] - '0' : 0;
    if (!level && g_str_equal(want->arch, "amd64"))
        level = amd64_level();
    return needs <= level ? 50 + needs : 0;
}

int platform_match(const struct platform *want, const struct platform *have)
{
    struct platform h = *have, w = *want;
    platform_normalise(&h);
    platform_normalise(&w);
    if (platform_equal(&w, &h))
        return 100;
    if (!g_str_equal(w.os, h.os) || !g_str_equal(w.arch, h.arch))
        return 0;
    gboolean levels = g_str_equal(w.arch, "arm") || g_str_equal(w.arch, "amd64");
    return levels ? match_levels(&w, &h) : 50;
}
