// What a RUN step costs the machine at least: N times { clone with new namespaces, mount an
// overlay, pivot_root, exec, wait }.
//
//     steps ROOT N PROGRAM [ARG...]
//
// ROOT is a root file system that holds PROGRAM. Every step stands on the one before, as layers do:
// its upper directory becomes a lower of the next. Works in a new directory below TMPDIR (default
// /var/tmp). Prints milliseconds per step. Needs root.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "steps: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void must(int result, const char *what)
{
    if (result < 0)
        die(what);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

// The child's part: it is in new namespaces, and nothing it mounts is seen outside.
static void enter_and_exec(const char *options, char **program)
{
    must(mount("overlay", "merged", "overlay", 0, options), "mount overlay");
    must(chdir("merged"), "chdir");
    mkdir("proc", 0555);
    must(mount("proc", "proc", "proc", 0, NULL), "mount proc");
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount old root");
    execv(program[0], program);
    die(program[0]);
}

static void step(const char *root, int number, char **program)
{
    char options[4000], name[64];
    // Lowers newest first, by short relative names: options must fit into a page.
    int used = snprintf(options, sizeof options, "lowerdir=");
    for (int i = number - 1; i >= 0; i--)
        used += snprintf(options + used, sizeof options - used, "%d:", i);
    snprintf(options + used, sizeof options - used, "%s,upperdir=%d,workdir=work", root, number);
    snprintf(name, sizeof name, "%d", number);
    must(mkdir(name, 0755), "mkdir upper");
    struct clone_args_ {
        unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
              .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    must((int)pid, "clone3");
    if (pid == 0) {
        must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make private");
        enter_and_exec(options, program);
    }
    int status;
    must(waitpid((pid_t)pid, &status, 0), "waitpid");
    if (status != 0) {
        fprintf(stderr, "steps: %s ended with %#x\n", program[0], status);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: steps ROOT N PROGRAM [ARG...]\n");
        return 2;
    }
    char *root = realpath(argv[1], NULL), dir[4096];
    int count = atoi(argv[2]);
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/steps-XXXXXX", tmp ? tmp : "/var/tmp");
    if (!root || !mkdtemp(dir) || chdir(dir) < 0 || mkdir("merged", 0755) < 0 ||
        mkdir("work", 0755) < 0)
        die(dir);
    double start = now();
    for (int i = 0; i < count; i++)
        step(root, i, argv + 3);
    double spent = now() - start;
    printf("%.3f\n", spent * 1000 / count);
    fflush(stdout);
    char *rm[] = {"rm", "-rf", dir, NULL};
    execvp("rm", rm);
    die("rm");
}
