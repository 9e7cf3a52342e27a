// Writes COUNT files of together MEGABYTES below DIR, 100 to a directory, half of it text and half
// incompressible: the RUN step of W7, linked statically so that it runs in a base image without a
// shell.
//
//     spew DIR COUNT MEGABYTES
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// Text is made of a few hundred words, so that it compresses as source does.
static void fill(char *pool, size_t size, int text)
{
    static const char letters[] = "etaoinshrdlucmfwypvbgkjqxz";
    for (size_t i = 0; i < size;) {
        uint64_t word = text ? next() % 700 * 2654435761u : next();
        size_t length = text ? 2 + word % 8 : 8;
        for (size_t k = 0; k < length && i < size; k++, word = word / 26 + 7)
            pool[i++] = text ? letters[word % 26] : (char)next();
        if (text && i < size)
            pool[i++] = next() % 9 ? ' ' : '\n';
    }
}

int main(int argc, char **argv)
{
    enum { POOL = 1 << 22 };
    static char pool[2][POOL];
    char name[4096];
    if (argc != 4) {
        fprintf(stderr, "usage: spew DIR COUNT MEGABYTES\n");
        return 2;
    }
    long count = atol(argv[2]);
    size_t mean = (size_t)(atof(argv[3]) * 1e6 / (double)count);
    fill(pool[0], POOL, 1);
    fill(pool[1], POOL, 0);
    mkdir(argv[1], 0755);
    for (long i = 0; i < count; i++) {
        if (i % 100 == 0) {
            snprintf(name, sizeof name, "%s/d%ld", argv[1], i / 100);
            mkdir(name, 0755);
        }
        snprintf(name, sizeof name, "%s/d%ld/f%ld", argv[1], i / 100, i);
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        size_t size = mean / 2 + next() % (mean + 1);
        if (fd < 0 || write(fd, pool[i % 2] + next() % (POOL - size), size) != (ssize_t)size) {
            fprintf(stderr, "spew: %s: %s\n", name, strerror(errno));
            return 1;
        }
        close(fd);
    }
    return 0;
}
