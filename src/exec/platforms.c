#include "exec/platforms.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/sandbox.h"
#include "snapshot/mountfd.h"

#define PROGRAM "/program"
#define PROBE_MS 10000

static const char *const usual[] = {
    "linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4", "linux/386",
    "linux/arm64", "linux/arm/v7",   "linux/arm/v6",   "linux/riscv64",  "linux/ppc64le",
    "linux/s390x", "linux/mips64le", "linux/loong64"};

static void state_free(gpointer p)
{
    struct platform_state *s = p;
    emulator_clear(&s->how);
    g_clear_error(&s->fault);
    g_free(s);
}

/* A root with nothing but the program. */
static int make_root(const struct machine *m, GError **err)
{
    const char *const options[] = {"mode", "755", NULL, NULL};
    g_autoptr(GBytes) program = machine_probe(m);
    gsize len;
    const void *bytes = g_bytes_get_data(program, &len);
    fd_auto int root = mountfd_new("tmpfs", MOUNT_ATTR_NOSUID, options, err);
    fd_auto int file =
        root < 0 ? -1 : openat(root, PROGRAM + 1, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (root < 0 || (file < 0 && !error_set_errno(err, errno, "making a program to try")) ||
        !fs_write_all(file, bytes, len, err))
        return -1;
    return fd_steal(&root);
}

/* An emulator that hangs must not hang who tries it. */
struct probe_limit {
    struct cancel *over, *ended; /* set when the time is over; when the program ended */
};

static gpointer end_slow_probe(gpointer data)
{
    struct probe_limit *l = data;
    if (cancel_wait(l->ended, PROBE_MS, NULL))
        cancel_trigger(l->over);
    return NULL;
}

/* sandbox_run() for at most PROBE_MS. */
static gboolean run_limited(const struct sandbox_spec *spec, struct sandbox_result *result,
                            GError **err)
{
    g_autoptr(cancel) over = cancel_new_child(NULL);
    g_autoptr(cancel) ended = cancel_new_child(NULL);
    struct probe_limit l = {over, ended};
    GError *why = NULL;
    GThread *limit = g_thread_new("probe limit", end_slow_probe, &l);
    gboolean ok = sandbox_run(spec, over, result, &why);
    cancel_trigger(ended);
    g_thread_join(limit);
    if (ok || !cancel_is_set(over)) {
        if (why)
            g_propagate_error(err, why);
        return ok;
    }
    g_clear_error(&why);
    error_set(err, VARVE_ERROR_FAILED, "a program that only ends did not end in %d s",
              PROBE_MS / 1000);
    error_add_next(err, "update the emulator, or register another one");
    return FALSE;
}

/* The program says nothing; what its emulator says is not for who asked. */
static void drop_output(gpointer ctx, int fd, const void *bytes, gsize len)
{
}

static gboolean run_in_sandbox(struct platform_state *s, GError **err)
{
    const char *const args[] = {PROGRAM, NULL};
    fd_auto int root = make_root(s->how.machine, err);
    struct sandbox_spec spec = {.root_fd = root,
                                .args = args,
                                .platform = &s->platform,
                                .network = NET_HOST,
                                .output = drop_output,
                                .stdin_fd = -1};
    struct sandbox_result result;
    gint64 begun = g_get_monotonic_time();
    if (root < 0 || !run_limited(&spec, &result, err))
        return FALSE;
    s->took_us = g_get_monotonic_time() - begun;
    if (result.exit_code == MACHINE_PROBE_EXIT)
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "a program that only ends ended with %d%s", result.exit_code,
              result.signalled ? ": the emulator crashed" : "");
    error_add_next(err, "update the emulator, or register another one");
    return FALSE;
}

static gboolean is_variant(const struct platform *host, const struct platform *p)
{
    return g_str_equal(host->arch, p->arch) && *p->variant;
}

/* NULL: a variant of another machine's, which is not shown. */
static struct platform_state *platform_state_new(const struct platform *host, const char *name)
{
    struct platform p;
    platform_parse(&p, name, NULL);
    if (g_str_equal(p.arch, "amd64") && *p.variant && !is_variant(host, &p))
        return NULL;
    struct platform_state *s = g_new0(struct platform_state, 1);
    s->platform = p;
    emulator_choose(&s->how, &p, FALSE);
    if (s->how.kind == EMULATOR_NONE)
        s->fault = g_error_copy(s->how.why);
    else if (!is_variant(host, &p) || platform_match(host, &p) > 0)
        s->runs = s->how.machine && run_in_sandbox(s, &s->fault);
    return s;
}

GPtrArray *platforms_try(void)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(state_free);
    struct platform host;
    platform_host(&host);
    for (guint i = 0; i < G_N_ELEMENTS(usual); i++) {
        struct platform_state *s = platform_state_new(&host, usual[i]);
        if (s)
            g_ptr_array_add(list, s);
    }
    return list;
}
