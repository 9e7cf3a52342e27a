// What work on a tree of files costs the machine at least, on one thread each:
//
//     tree walk DIR          every entry read and lstat'ed
//     tree hash DIR          walk, and SHA-256 of every file's content
//     tree copy DIR NEW      walk, and every file copied
//     tree link DIR NEW      walk, and every file hard-linked
//
// Prints seconds, entries and bytes. Links with libcrypto.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum verb { WALK, HASH, COPY, LINK };

struct job {
    enum verb verb;
    EVP_MD_CTX *digest;
    unsigned long entries;
    unsigned long long bytes;
};

static char buffer[1 << 18];

static void die(const char *what)
{
    fprintf(stderr, "tree: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void hash_file(struct job *job, int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW);
    unsigned char out[EVP_MAX_MD_SIZE];
    ssize_t got;
    if (fd < 0)
        die(name);
    EVP_DigestInit_ex(job->digest, EVP_sha256(), NULL);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        EVP_DigestUpdate(job->digest, buffer, (size_t)got);
    EVP_DigestFinal_ex(job->digest, out, NULL);
    close(fd);
}

static void copy_file(int from, int to, const char *name, const struct stat *st)
{
    int in = openat(from, name, O_RDONLY | O_NOFOLLOW);
    int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL, st->st_mode & 07777);
    if (in < 0 || out < 0)
        die(name);
    for (ssize_t left = st->st_size; left > 0;) {
        ssize_t moved = copy_file_range(in, NULL, out, NULL, (size_t)left, 0);
        if (moved <= 0)
            die(name);
        left -= moved;
    }
    close(in);
    close(out);
}

static void visit(struct job *job, int from, int to);

static void visit_entry(struct job *job, int from, int to, const char *name)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        die(name);
    job->entries++;
    if (S_ISDIR(st.st_mode)) {
        int sub = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), sub_to = -1;
        if (to >= 0 && (mkdirat(to, name, 0755) < 0 ||
                        (sub_to = openat(to, name, O_RDONLY | O_DIRECTORY)) < 0))
            die(name);
        visit(job, sub, sub_to);
    } else if (S_ISREG(st.st_mode)) {
        job->bytes += (unsigned long long)st.st_size;
        if (job->verb == HASH)
            hash_file(job, from, name);
        else if (job->verb == COPY)
            copy_file(from, to, name, &st);
        else if (job->verb == LINK && linkat(from, name, to, name, 0) < 0)
            die(name);
    }
}

// Takes both descriptors; `to` is -1 when nothing is written.
static void visit(struct job *job, int from, int to)
{
    DIR *dir = from < 0 ? NULL : fdopendir(from);
    if (!dir)
        die("directory");
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            visit_entry(job, from, to, e->d_name);
    closedir(dir);
    if (to >= 0)
        close(to);
}

int main(int argc, char **argv)
{
    static const char *const verbs[] = {"walk", "hash", "copy", "link"};
    struct job job = {.digest = EVP_MD_CTX_new()};
    int verb = 0, to = -1;
    while (verb < 4 && (argc < 3 || strcmp(argv[1], verbs[verb])))
        verb++;
    if (verb == 4 || argc != (verb >= COPY ? 4 : 3)) {
        fprintf(stderr, "usage: tree walk|hash DIR, tree copy|link DIR NEW\n");
        return 2;
    }
    job.verb = (enum verb)verb;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (verb >= COPY &&
        (mkdir(argv[3], 0755) < 0 || (to = open(argv[3], O_RDONLY | O_DIRECTORY)) < 0))
        die(argv[3]);
    visit(&job, open(argv[2], O_RDONLY | O_DIRECTORY), to);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.4f %lu %llu\n", b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9, job.entries,
           job.bytes);
    EVP_MD_CTX_free(job.digest);
    return 0;
}
