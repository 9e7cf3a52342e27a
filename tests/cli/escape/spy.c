/* Runs in a sandbox while others join it (varve exec, health checks): looks at each process that
 * appears and tells what of the host's it can see there. Ends after /done is there. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int own(const char *target)
{
    return !*target || strncmp(target, "pipe:", 5) == 0 || strncmp(target, "socket:", 7) == 0 ||
           strncmp(target, "/dev/", 5) == 0 || strcmp(target, "/spy") == 0 ||
           strcmp(target, "/n") == 0 || strncmp(target, "/bin/", 5) == 0 ||
           strcmp(target, "/") == 0 || strncmp(target, "anon_inode:", 11) == 0 ||
           strncmp(target, "/proc", 5) == 0 || strstr(target, "varve-init");
}

static void look(const char *path)
{
    char target[4096] = "";
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n > 0 && !own(target)) {
        printf("SAW %s -> %s\n", path, target);
        fflush(stdout);
    }
}

static void look_at(const char *pid)
{
    static const char *const names[] = {"exe", "cwd", "root"};
    char path[300];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/proc/%s/%s", pid, names[i]);
        look(path);
    }
    for (int fd = 0; fd < 40; fd++) {
        snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, fd);
        look(path);
    }
}

int main(void)
{
    while (access("/done", F_OK) != 0) {
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && (e = readdir(d));)
            if (isdigit((unsigned char)e->d_name[0]))
                look_at(e->d_name);
        if (d)
            closedir(d);
    }
    puts("spied");
    return 0;
}
