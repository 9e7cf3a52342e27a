/* What the store's tests share: a store in a directory of its own, and things to put into it. */
#ifndef VARVE_TESTS_STORE_FIXTURE_H
#define VARVE_TESTS_STORE_FIXTURE_H

#include "base/error.h"
#include "base/fs.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/history.h"
#include "store/images.h"
#include "store/note.h"
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *fixture_root;

G_GNUC_UNUSED static struct store *fixture_open(void)
{
    GError *err = NULL;
    struct store *s = store_open(fixture_root, &err);
    g_assert_no_error(err);
    g_assert_nonnull(s);
    return s;
}

G_GNUC_UNUSED static void fixture_begin(void)
{
    fixture_root = g_strdup("/tmp/varve-store-XXXXXX");
    g_assert_nonnull(g_mkdtemp(fixture_root));
}

G_GNUC_UNUSED static void fixture_end(void)
{
    g_assert_true(fs_remove_tree(AT_FDCWD, fixture_root, NULL));
    g_clear_pointer(&fixture_root, g_free);
}

static void fixture_write(struct store *s, const char *path, const void *bytes, gsize len)
{
    int fd = openat(store_fd(s), path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(fs_write_all(fd, bytes, len, NULL));
    close(fd);
}

/* A temporary directory with fs/f holding len bytes. */
static char *fixture_layer_tmp(struct store *s, gsize len)
{
    GError *err = NULL;
    char *tmp = store_tmp_dir(s, &err);
    g_assert_no_error(err);
    g_autofree char *fs = g_strconcat(tmp, "/fs", NULL), *file = g_strconcat(tmp, "/fs/f", NULL);
    g_assert_true(fs_mkdir_p(store_fd(s), fs, 0755, NULL));
    g_autofree char *bytes = g_malloc(len + 1);
    memset(bytes, 'x', len);
    fixture_write(s, file, bytes, len);
    return tmp;
}

/* Commits a layer and returns a chain of parent's layers and it. */
G_GNUC_UNUSED static struct chain *fixture_chain(struct store *s, const struct chain *parent,
                                                 gsize len)
{
    GError *err = NULL;
    g_autofree char *tmp = fixture_layer_tmp(s, len);
    struct layer_info info = {.indexed = FALSE};
    store_layer_commit(s, tmp, &info, &err);
    g_assert_no_error(err);
    struct chain *c = chain_copy(parent);
    chain_append(c, info.id);
    return c;
}

G_GNUC_UNUSED static struct digest fixture_digest(const char *text)
{
    struct digest d;
    digest_of_bytes(&d, text, strlen(text));
    return d;
}

G_GNUC_UNUSED static void fixture_record(struct store *s, const char *key, struct chain *c)
{
    GError *err = NULL;
    struct digest d = fixture_digest(key);
    struct record r = {.chain = c, .inputs = (char *)"{}"};
    store_record_put(s, &d, &r, &err);
    g_assert_no_error(err);
}

G_GNUC_UNUSED static gboolean fixture_has_record(struct store *s, const char *key)
{
    struct digest d = fixture_digest(key);
    g_autoptr(record) r = store_record_find(s, &d);
    return r != NULL;
}

G_GNUC_UNUSED static gboolean fixture_exists(struct store *s, const char *path)
{
    return faccessat(store_fd(s), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

G_GNUC_UNUSED static guint fixture_count(struct store *s, const char *dir)
{
    fd_auto int fd = fs_open_dir(store_fd(s), dir, NULL);
    g_autoptr(GPtrArray) names = fs_list(fd, NULL);
    return names->len;
}

static void fixture_print_problem(gpointer ctx, const char *text)
{
    g_test_message("fsck: %s", text);
    if (ctx)
        g_ptr_array_add(ctx, g_strdup(text));
}

/* Number of problems. */
G_GNUC_UNUSED static guint fixture_fsck(struct store *s, gboolean repair, GPtrArray *texts)
{
    GError *err = NULL;
    guint problems = 99;
    struct fsck_options o = {.repair = repair, .report = fixture_print_problem, .ctx = texts};
    g_assert_true(store_fsck(s, &o, &problems, &err));
    g_assert_no_error(err);
    return problems;
}

G_GNUC_UNUSED static guint64 fixture_gc(struct store *s, struct gc_options o, guint64 *removed)
{
    GError *err = NULL;
    guint64 freed = 0;
    store_gc(s, &o, &freed, removed, &err);
    g_assert_no_error(err);
    return freed;
}

/* Runs fn in a child process, which must not use the parent's store. */
G_GNUC_UNUSED static pid_t fixture_fork(void (*fn)(int arg), int arg)
{
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves nobody behind */
        fn(arg);
        _exit(0);
    }
    return pid;
}

G_GNUC_UNUSED static int fixture_wait(pid_t pid)
{
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return status;
}

#endif
