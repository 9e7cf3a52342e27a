#include "exec/cgroupdir.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A cgroup of version 2 below this process's own, or NULL with the test skipped. */
static char *make(void)
{
    g_autofree char *own = cgroupdir_of(0), *name = cgroupdir_name();
    g_autofree char *path = own ? g_build_filename(own, name, NULL) : NULL;
    g_autofree char *killer = path ? g_build_filename(path, "cgroup.kill", NULL) : NULL;
    if (path && mkdir(path, 0755) == 0) {
        if (access(killer, W_OK) == 0)
            return g_steal_pointer(&path);
        rmdir(path);
    }
    g_test_skip("needs the right to make cgroups of version 2, and cgroup.kill");
    return NULL;
}

/* A process in the cgroup that stays until it is killed. */
static pid_t put_process(const char *path)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    g_autofree char *procs = g_build_filename(path, "cgroup.procs", NULL);
    g_autofree char *text = g_strdup_printf("%d", pid);
    FILE *f = fopen(procs, "w");
    g_assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
    return pid;
}

static void test_what_is_left_is_killed(void)
{
    struct cgroupdir d;
    gint64 cpu_us = -1;
    guint64 peak = 0;
    int status;
    char *path = make();
    if (!path)
        return;
    g_autofree char *copy = g_strdup(path);
    g_assert_true(cgroupdir_open(&d, path, NULL));
    pid_t pid = put_process(path);
    g_assert_true(cgroupdir_kill(&d));
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g_assert_true(cgroupdir_kill(&d)); /* empty already */
    cgroupdir_usage(&d, &cpu_us, &peak);
    g_assert_cmpint(cpu_us, >=, 0);
    cgroupdir_remove(&d);
    g_assert_cmpint(access(copy, F_OK), ==, -1);
}

/* Of a process that is no more; one that lives, or holds the lock, keeps its own. */
static void test_leftovers_are_swept(void)
{
    struct cgroupdir held;
    g_autofree char *parent = make();
    if (!parent)
        return;
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    g_autofree char *left = g_strdup_printf("%s/varve-%d-0", parent, gone);
    g_autofree char *locked = g_strdup_printf("%s/varve-%d-1", parent, gone);
    g_autofree char *living = g_strdup_printf("%s/varve-%d-0", parent, getpid());
    g_autofree char *other = g_strdup_printf("%s/other", parent);
    const char *dirs[] = {left, locked, living, other};
    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++)
        g_assert_cmpint(mkdir(dirs[i], 0755), ==, 0);
    g_assert_true(cgroupdir_open(&held, g_strdup(locked), NULL));
    cgroupdir_sweep(parent);
    g_assert_cmpint(rmdir(left), ==, -1);
    g_assert_cmpint(errno, ==, ENOENT);
    cgroupdir_remove(&held);
    g_assert_cmpint(access(locked, F_OK), ==, -1);
    g_assert_cmpint(rmdir(living) | rmdir(other) | rmdir(parent), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cgroupdir/kill", test_what_is_left_is_killed);
    g_test_add_func("/cgroupdir/sweep", test_leftovers_are_swept);
    return g_test_run();
}
