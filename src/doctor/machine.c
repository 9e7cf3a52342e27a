#include "doctor/probes.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/container.h"
#include "base/error.h"
#include "base/platform.h"
#include "exec/hostca.h"
#include "exec/platforms.h"

#define YEAR_OF_RELEASE 2026

static void probe_container(GPtrArray *to)
{
    const char *name = container_name();
    if (name)
        finding_add(to, (struct finding){.name = "container",
                                         .purpose = "what follows names its options",
                                         .found = g_strdup_printf("inside %s", name)});
}

void probe_kernel(GPtrArray *to)
{
    struct utsname system = {0};
    int major = 0, minor = 0;
    uname(&system);
    gboolean known = sscanf(system.release, "%d.%d", &major, &minor) == 2;
    gboolean old = known && (major < 5 || (major == 5 && minor < 13));
    gboolean classic = known && !old && (major < 6 || (major == 6 && minor < 5));
    finding_add(to, (struct finding){
                        .name = "kernel",
                        .purpose = "namespaces, overlayfs and the mount API",
                        .state = old       ? FINDING_MISSING
                                 : classic ? FINDING_LIMITED
                                           : FINDING_OK,
                        .needed = TRUE,
                        .found = g_strdup_printf("Linux %s on %s%s", system.release, system.machine,
                                                 classic ? ": chains are limited to what fits in a "
                                                           "page of mount options"
                                                         : ""),
                        .remedy = g_strdup(old ? "use Linux 5.13 or newer"
                                               : "use Linux 6.5 or newer for images of very many "
                                                 "layers")});
    probe_container(to);
}

/* The platforms of tried (struct platform_state) whose programs an emulator runs, or if runs is
 * FALSE those that cannot be run at all, as a text; NULL: none. */
static char *list_foreign(const GPtrArray *tried, const struct platform *host, gboolean runs)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < tried->len; i++) {
        const struct platform_state *s = g_ptr_array_index(tried, i);
        g_autofree char *name = platform_text(&s->platform);
        if (!g_str_equal(s->platform.arch, host->arch) && s->runs == runs)
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
    }
    return names->len ? g_strdup(names->str) : NULL;
}

static void probe_emulators(GPtrArray *to)
{
    struct platform host;
    platform_host(&host);
    g_autoptr(GPtrArray) tried = platforms_try();
    g_autofree char *own = platform_text(&host);
    g_autofree char *run = list_foreign(tried, &host, TRUE);
    g_autofree char *never = list_foreign(tried, &host, FALSE);
    finding_add(
        to, (struct finding){
                .name = "emulation",
                .purpose = "RUN in images for other processors",
                .state = run ? FINDING_OK : FINDING_LIMITED,
                .found = run ? g_strdup_printf("%s, and %s%s%s", own, run, never ? "; not " : "",
                                               never ? never : "")
                             : g_strdup_printf("%s alone", own),
                .remedy = g_strdup("only for other processors: apt install qemu-user-static "
                                   "binfmt-support, on the host of a container; varve platforms "
                                   "says why each does not run")});
}

static void probe_certificates(GPtrArray *to, const char *ca_file)
{
    g_autoptr(GError) why = NULL;
    struct finding f = {.name = "certificates", .purpose = "registries, caches and URLs of https"};
    f.found = hostca_find(ca_file, &why);
    if (f.found) {
        finding_add(to, f);
        return;
    }
    f.state = FINDING_LIMITED;
    finding_add_error(to, f, g_strdup("install the package ca-certificates, or set SSL_CERT_FILE"),
                      &why);
}

static void probe_git(GPtrArray *to)
{
    g_autofree char *path = g_find_program_in_path("git");
    finding_add(to, (struct finding){.name = "git",
                                     .purpose = "contexts and ADD of git repositories",
                                     .state = path ? FINDING_OK : FINDING_LIMITED,
                                     .found = g_strdup(path ? path : "not in PATH"),
                                     .remedy = g_strdup("install the package git")});
}

static void probe_clock(GPtrArray *to)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *text = g_date_time_format(now, "%Y-%m-%d %H:%M:%S UTC");
    gboolean past = g_date_time_get_year(now) < YEAR_OF_RELEASE;
    finding_add(to, (struct finding){
                        .name = "clock",
                        .purpose = "certificates, and times of files and images",
                        .state = past ? FINDING_LIMITED : FINDING_OK,
                        .found = g_strdup_printf("%s%s", text, past ? ", before this varve" : ""),
                        .remedy = g_strdup("set the clock")});
}

void probe_programs(GPtrArray *to, const char *ca_file)
{
    probe_emulators(to);
    probe_certificates(to, ca_file);
    probe_git(to);
    probe_clock(to);
}
