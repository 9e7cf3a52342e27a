/* What a hostile image runs in place of its shell or loader: it tries to change the file that
 * /proc/self/exe leads to, and its open files, and tells what it reached. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void attack(const char *path)
{
    char name[4096] = "", by_fd[64];
    ssize_t n = readlink(path, name, sizeof name - 1);
    int fd = open(path, O_PATH);
    struct stat st;
    if (n < 0 || fd < 0 || fstat(fd, &st) < 0)
        return;
    snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", fd);
    printf("%s is %s: ", path, name);
    int out = open(by_fd, O_WRONLY | O_APPEND);
    if (S_ISREG(st.st_mode) && out >= 0)
        printf("written %zd ", write(out, "evil", 4));
    if (S_ISREG(st.st_mode))
        printf("chmod %d chown %d", chmod(by_fd, 06777), chown(by_fd, 4321, 4321));
    if (S_ISDIR(st.st_mode))
        printf("REACHED a directory");
    puts("");
}

int main(int argc, char **argv)
{
    attack("/proc/self/exe");
    attack("/proc/1/exe");
    for (int i = 0; i < 64; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", i);
        attack(path);
    }
    return argc < 0 ? errno : 0;
}
