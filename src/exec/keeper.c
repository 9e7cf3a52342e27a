#include "exec/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/config.h"
#include "exec/spawn.h"

static struct {
    int pidfd;
    int pipe;    /* varve's end */
    pid_t owner; /* a process forked from it needs a keeper of its own */
} keeper = {-1, -1, 0};

struct start {
    int pipe;    /* the keeper's end */
    int init_fd; /* what it executes */
};

UNCHECKED static int keeper_main(void *data)
{
    const struct start *s = data;
    static char name[] = "varve-init", mode[] = "keep";
    char *argv[] = {name, mode, NULL}, *envp[] = {NULL};
    setsid(); /* a Ctrl-C at varve's terminal must not end the keeper */
    if (dup2(s->pipe, 0) == 0 && syscall(SYS_close_range, 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        syscall(SYS_execveat, s->init_fd, "", argv, envp, AT_EMPTY_PATH);
    _exit(1);
}

static void keeper_stop(void)
{
    fd_cleanup(&keeper.pipe); /* in a process forked from the owner nothing else happens */
    spawn_wait(keeper.pidfd, NULL);
}

static gboolean keeper_start(GError **err)
{
    fd_auto int init_fd = config_init_memfd(err);
    struct start s = {.init_fd = init_fd};
    int ends[2];
    if (init_fd < 0)
        return FALSE;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "making a pipe for the keeper of the sandboxes");
    s.pipe = ends[0];
    keeper.pidfd = spawn(keeper_main, &s, CLONE_NEWPID, NULL);
    int error = errno;
    close(ends[0]);
    if (keeper.pidfd < 0) {
        close(ends[1]);
        return spawn_failed(error, err);
    }
    keeper.pipe = ends[1];
    keeper.owner = getpid();
    atexit(keeper_stop);
    return TRUE;
}

int keeper_pidfd(GError **err)
{
    static GMutex lock;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&lock);
    gboolean there = keeper.pidfd >= 0 && keeper.owner == getpid();
    return there || keeper_start(err) ? keeper.pidfd : -1;
}
