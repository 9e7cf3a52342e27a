// Runs a program and reports what the kernel counted:
//
//     peak REPORT PROGRAM [ARG...]
//
// REPORT gets "SECONDS KILOBYTES CODE": the time, the peak resident size of the largest process of
// the program and of the children it waited for, and its exit code (128 + signal). A program
// started by a large process would inherit that one's peak at exec; this one is small.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    if (argc < 3) {
        fprintf(stderr, "usage: peak REPORT PROGRAM [ARG...]\n");
        return 2;
    }
    double start = now();
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
        perror("peak");
        return 1;
    }
    double spent = now() - start;
    FILE *report = fopen(argv[1], "w");
    if (!report) {
        perror(argv[1]);
        return 1;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(report, "%.4f %ld %d\n", spent, usage.ru_maxrss, code);
    return fclose(report) ? 1 : code;
}
