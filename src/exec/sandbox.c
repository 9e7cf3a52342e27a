#include "exec/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/platform.h"
#include "exec/cgroup.h"
#include "exec/emulator.h"
#include "exec/keeper.h"
#include "exec/plan.h"
#include "exec/pump.h"
#include "exec/spawn.h"

/* A program that this machine does not run in a sandbox for, or not for, its platform. */
static gboolean foreign_program(const char *path, const struct machine *m, gboolean wanted,
                                GError **err)
{
    error_set(err, VARVE_ERROR_UNSUPPORTED, "executing %s: it is a program for linux/%s, %s", path,
              m->arch,
              wanted ? "and no emulator is registered for them" : "which this sandbox is not for");
    if (wanted)
        emulator_add_install(err, m->arch);
    else
        error_add_next(err,
                       "build for its platform (--platform linux/%s, or FROM "
                       "--platform=linux/%s), or choose a base image for this one; varve "
                       "platforms shows what can run here",
                       m->arch, m->arch);
    return FALSE;
}

static void complain(const struct sandbox_spec *spec, const char *text)
{
    if (spec->output)
        spec->output(spec->output_ctx, 2, text, strlen(text));
    else if (write(2, text, strlen(text)) < 0)
        return; /* nobody reads */
}

/* What keeps the kernel from seeing the #! line of a script as it is meant; NULL: nothing. */
static const char *script_fault(int root_fd, const char *path)
{
    static const char bom[] = "\xef\xbb\xbf#!";
    char head[256];
    fd_auto int fd = fs_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head - 1);
    head[MAX(n, 0)] = '\0';
    char *end = g_str_has_prefix(head, "#!") ? strchr(head, '\n') : NULL;
    if (g_str_has_prefix(head, bom))
        return "it begins with a byte order mark, before its #!";
    return end && end[-1] == '\r' ? "its lines end with CR LF" : NULL;
}

/* Whether it failed because it is another machine's. */
static gboolean is_foreign_program(const struct machine *m, int error)
{
    struct platform host;
    platform_host(&host);
    return m && (error == ENOEXEC || error == ENOENT) && !g_str_equal(m->arch, host.arch);
}

static gboolean is_wanted_program(const struct sandbox_spec *spec, const struct machine *m)
{
    return spec->platform && g_str_equal(m->arch, spec->platform->arch);
}

/* The program could not be executed: a failure of the step, reported on its stderr, unless the
 * machine is at fault. */
static gboolean exec_failed(const struct plan *p, const struct sandbox_spec *spec,
                            const struct launch_report *r, struct sandbox_result *out, GError **err)
{
    const char *program = spec->args[0], *tried = p->candidates[r->index];
    g_autofree char *path =
        tried && *tried != '/' ? g_build_filename(p->cwd, tried, NULL) : g_strdup(tried);
    const struct machine *m =
        path && spec->root_fd >= 0 ? machine_of_file(spec->root_fd, path) : NULL;
    if (is_foreign_program(m, r->error))
        return foreign_program(path, m, is_wanted_program(spec, m), err);
    fd_auto int there =
        path && spec->root_fd >= 0 ? fs_open_in_root(spec->root_fd, path, O_PATH, 0) : -1;
    const char *fault = there >= 0 ? script_fault(spec->root_fd, path) : NULL;
    g_autofree char *text = NULL;
    if (r->error != ENOENT)
        text = g_strdup_printf("exec: \"%s\": %s%s%s\n", program, g_strerror(r->error),
                               fault ? ": " : "", fault ? fault : "");
    else if (fault)
        text =
            g_strdup_printf("exec: \"%s\": the interpreter or loader that it needs is not in the "
                            "image: %s\n",
                            program, fault);
    else if (there >= 0 && strchr(program, '/'))
        text = g_strdup_printf(
            "exec: \"%s\": the interpreter or loader that it needs is not in the image\n", program);
    else if (strchr(program, '/'))
        text =
            g_strdup_printf("exec: \"%s\": stat %s: no such file or directory\n", program, program);
    else
        text = g_strdup_printf("exec: \"%s\": executable file not found in $PATH\n", program);
    complain(spec, text);
    out->exit_code = r->error == ENOENT ? 127 : 126;
    out->exec_errno = r->error;
    return TRUE;
}

static gboolean sandbox_outcome(const struct pump *run, struct sandbox_result *out, GError **err)
{
    const struct launch_report *e = &run->exit;
    if (run->cancelled)
        return error_set(err, VARVE_ERROR_CANCELLED, "interrupted while running %s",
                         run->spec->args[0]);
    if (run->timed_out)
        return error_set(err, VARVE_ERROR_FAILED, "%s took too long and was stopped",
                         run->spec->args[0]);
    if (run->failure.kind == REPORT_FAILED && run->failure.stage == STAGE_EXEC)
        return exec_failed(run->plan, run->spec, &run->failure, out, err);
    if (run->failure.kind == REPORT_FAILED) {
        launch_failed(run->plan, &run->failure, err);
        return FALSE;
    }
    out->signalled = WIFSIGNALED(e->status);
    out->exit_code = out->signalled ? 128 + WTERMSIG(e->status) : WEXITSTATUS(e->status);
    return TRUE;
}

/* Parts 2 and 3, and the end. */
static gboolean launch(struct plan *p, const struct sandbox_spec *spec, int (*entry)(void *),
                       int flags, gint64 timeout_us, struct cancel *c, struct sandbox_result *out,
                       GError **err)
{
    struct pump run = {.plan = p, .spec = spec};
    int keeper = p->join_fd < 0 ? keeper_pidfd(err) : -1;
    if (p->join_fd < 0 && keeper < 0)
        return FALSE;
    run.deadline = timeout_us ? g_get_monotonic_time() + timeout_us : 0;
    int cgroup = cgroup_birthplace(p);
    run.pidfd = keeper < 0 ? spawn(entry, p, flags, &cgroup)
                           : spawn_within(keeper, entry, p, flags, &cgroup);
    int error = errno;
    if (cgroup < 0)
        cgroup_refused(p);
    plan_started(p);
    out->emulated = p->emulated;
    if (run.pidfd < 0)
        return spawn_failed(error, err);
    if (spec->meanwhile)
        spec->meanwhile(spec->meanwhile_ctx);
    pump_run(&run, c);
    close(run.pidfd);
    out->cpu_us = run.cpu_us;
    cgroup_end(p, out);
    return sandbox_outcome(&run, out, err);
}

/* Parts 2 and 3. Where sandboxes share a /proc, what one runs could open another's memory and root
 * there, since neither has more rights than the other: then they run one at a time. */
static gboolean launch_alone(struct plan *p, const struct sandbox_spec *spec, int flags,
                             struct cancel *c, struct sandbox_result *out, GError **err)
{
    static GMutex one;
    if (!p->bound_proc)
        return launch(p, spec, setup_main, flags, 0, c, out, err);
    g_mutex_lock(&one);
    gboolean ok = cancel_check(c, err) && launch(p, spec, setup_main, flags, 0, c, out, err);
    g_mutex_unlock(&one);
    return ok;
}

gboolean sandbox_run(const struct sandbox_spec *spec, struct cancel *c, struct sandbox_result *out,
                     GError **err)
{
    struct plan p;
    plan_init(&p);
    *out = (struct sandbox_result){0};
    int flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    gboolean ok =
        cancel_check(c, err) && network_take(spec, c, &p.net, err) && plan_prepare(&p, spec, err) &&
        launch_alone(&p, spec, flags | (p.own_net && !p.net ? CLONE_NEWNET : 0), c, out, err);
    network_release(p.net);
    gboolean removed =
        stubs_remove(p.stubs, spec->touched, ok && !spec->root_readonly ? err : NULL);
    ok = ok && (removed ||
                spec->root_readonly); /* a read-only root keeps them and does not become a layer */
    plan_clear(&p);
    return ok;
}

gboolean sandbox_join(int pid, const struct sandbox_spec *spec, gint64 timeout_us, struct cancel *c,
                      struct sandbox_result *out, GError **err)
{
    struct plan p;
    plan_init(&p);
    *out = (struct sandbox_result){0};
    gboolean ok = cancel_check(c, err) && plan_prepare_join(&p, pid, spec, err) &&
                  launch(&p, spec, setup_join_main, 0, timeout_us, c, out, err);
    plan_clear(&p);
    return ok;
}
