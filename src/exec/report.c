/* Messages for what failed between clone() and the program. */
#include "exec/plan.h"

#include <errno.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"

static const char *const stage_texts[] = {
    [STAGE_CGROUP] = "entering the step's cgroup",
    [STAGE_NAMESPACE] = "entering the sandbox's namespaces",
    [STAGE_ROOT] = "mounting the sandbox's root file system",
    [STAGE_PROC] = "mounting /proc in the sandbox (it must be a directory, not a link)",
    [STAGE_SYS] = "mounting /sys in the sandbox (it must be a directory, not a link)",
    [STAGE_MQUEUE] = "mounting /dev/mqueue in the sandbox",
    [STAGE_PIVOT] = "changing to the sandbox's root file system",
    [STAGE_MASK] = "masking parts of /proc and /sys in the sandbox",
    [STAGE_HOSTNAME] = "setting the sandbox's host name",
    [STAGE_LOOPBACK] = "starting the sandbox's loopback interface",
    [STAGE_STDIO] = "connecting the sandbox's input and output",
    [STAGE_INIT] = "starting the sandbox's process 1",
    [STAGE_FORK] = "starting the sandbox's program",
    [STAGE_TTY] = "taking the terminal as the sandbox's",
    [STAGE_CAPS] = "reducing the sandbox's capabilities",
    [STAGE_SECCOMP] = "setting the sandbox's system call filter",
    [STAGE_GROUPS] = "setting the sandbox's groups",
};

static void set_user_error(const struct plan *p, int error, GError **err)
{
    error_set_errno(err, error, "running as user %u:%u", p->uid, p->gid);
    if (error == EINVAL)
        error_add_next(
            err, "this id is not mapped in varve's user namespace: give the account a range in "
                 "/etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 "
                 "--add-subgids 100000-165535 NAME)");
}

static void set_limit_error(const struct plan *p, const struct launch_report *r, GError **err)
{
    error_set_errno(err, r->error, "setting the limit %s", p->limit_names[r->index]);
    if (r->error == EPERM)
        error_add_next(
            err, "raising a hard limit needs CAP_SYS_RESOURCE: raise it for varve itself (ulimit, "
                 "LimitNOFILE= and the like), or ask for less");
}

/* What a container's options may refuse comes with the option that allows it. */
static void set_stage_error(const struct launch_report *r, GError **err)
{
    const char *text = r->stage < G_N_ELEMENTS(stage_texts) ? stage_texts[r->stage] : NULL;
    enum container_need need = r->stage == STAGE_PROC ? CONTAINER_PROC : CONTAINER_USERNS;
    const char *remedy = r->error == EPERM ? container_remedy(need) : NULL;
    text = text ? text : "starting the sandbox";
    if (!remedy) {
        error_set_errno(err, r->error, "%s", text);
        return;
    }
    error_set(err, VARVE_ERROR_DENIED, "%s: %s: this container may not: %s gives it", text,
              g_strerror(r->error), remedy);
    error_add_next(err, "varve doctor shows what else this container lacks");
}

void launch_failed(const struct plan *p, const struct launch_report *r, GError **err)
{
    switch (r->stage) {
    case STAGE_MOUNT:
        error_set_errno(err, r->error, "mounting %s in the sandbox",
                        g_array_index(p->mounts, struct plan_mount, r->index).dest);
        return;
    case STAGE_IN_PROC:
        error_set(err, VARVE_ERROR_INVALID, "cannot mount %s: it lies in /proc",
                  g_array_index(p->mounts, struct plan_mount, r->index).dest);
        error_add_next(err, "choose a target outside /proc");
        return;
    case STAGE_LIMIT:
        set_limit_error(p, r, err);
        return;
    case STAGE_CWD:
        error_set_errno(err, r->error, "changing to the working directory %s", p->cwd);
        if (r->error == ELOOP)
            error_add_next(err, "choose a directory that is not reached through a link in /proc");
        else if (r->error == ENOENT || r->error == ENOTDIR)
            error_add_next(err, "choose a directory that exists, or create it first: mkdir -p %s",
                           p->cwd);
        return;
    case STAGE_USER:
        set_user_error(p, r->error, err);
        return;
    default:
        set_stage_error(r, err);
    }
}
