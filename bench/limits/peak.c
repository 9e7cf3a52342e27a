// Runs a program and reports what the kernel counted:
//
//     peak REPORT PROGRAM [ARG...]
//
// REPORT gets "SECONDS OWN ALL CODE": the time; the peak resident kilobytes of the process itself
// (its VmHWM, looked at every few milliseconds) and of the largest process among it and the
// children it waited for (wait4), which for a builder includes what RUN ran; the exit code (128 +
// signal). A program started by a large process would inherit that one's peak at exec; this one is
// small.
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

// The peak so far, in kilobytes; 0 when the process is gone.
static long high_water(pid_t pid)
{
    char name[64], line[256];
    long peak = 0;
    snprintf(name, sizeof name, "/proc/%d/status", (int)pid);
    FILE *file = fopen(name, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (file)
        fclose(file);
    return peak;
}

// Waits for the end of the process while its peak grows; returns the last one seen.
static long watch(pid_t pid)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    long peak = 0;
    for (int waited = 0; poll(&end, 1, waited < 100 ? 2 : 10) == 0; waited += 2) {
        long seen = high_water(pid);
        peak = seen > peak ? seen : peak;
    }
    close(end.fd);
    return peak;
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
    long own = pid < 0 ? 0 : watch(pid);
    double spent = now() - start;
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
        perror("peak");
        return 1;
    }
    FILE *report = fopen(argv[1], "w");
    if (!report) {
        perror(argv[1]);
        return 1;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(report, "%.4f %ld %ld %d\n", spent, own ? own : usage.ru_maxrss, usage.ru_maxrss, code);
    return fclose(report) ? 1 : code;
}
