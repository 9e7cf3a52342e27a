/* Temporary directories and files for the tests of tree/ and layer/. */
#ifndef VARVE_TESTS_FIXTURE_H
#define VARVE_TESTS_FIXTURE_H

#include "base/digest.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh directory below the temporary folder, newly allocated name; fixture_drop() removes it. */
static inline char *fixture_dir(void)
{
    char *dir = g_dir_make_tmp("varve-test-XXXXXX", NULL);
    g_assert_nonnull(dir);
    g_chmod(dir, 0755);
    return dir;
}

static inline void fixture_drop(char *dir)
{
    g_assert_true(fs_remove_tree(AT_FDCWD, dir, NULL));
    g_free(dir);
}

static inline char *fixture_path(const char *dir, const char *path)
{
    return g_build_filename(dir, path, NULL);
}

static inline void fixture_mkdir(const char *dir, const char *path, mode_t mode)
{
    g_autofree char *p = fixture_path(dir, path);
    g_assert_cmpint(g_mkdir_with_parents(p, 0755), ==, 0);
    g_assert_cmpint(g_chmod(p, mode), ==, 0);
}

/* Writes a file, making its directories, and gives it an mtime of at (seconds) when that is not 0.
 */
static inline void fixture_file(const char *dir, const char *path, const char *text, mode_t mode,
                                time_t at)
{
    g_autofree char *p = fixture_path(dir, path);
    g_autofree char *parent = g_path_get_dirname(p);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    g_assert_true(g_file_set_contents(p, text, -1, NULL));
    g_assert_cmpint(g_chmod(p, mode), ==, 0);
    struct timespec times[2] = {{at, 0}, {at, 0}};
    if (at)
        g_assert_cmpint(utimensat(AT_FDCWD, p, times, 0), ==, 0);
}

static inline void fixture_symlink(const char *dir, const char *path, const char *target)
{
    g_autofree char *p = fixture_path(dir, path);
    g_assert_cmpint(symlink(target, p), ==, 0);
}

static inline void fixture_link(const char *dir, const char *from, const char *to)
{
    g_autofree char *a = fixture_path(dir, from);
    g_autofree char *b = fixture_path(dir, to);
    g_assert_cmpint(link(a, b), ==, 0);
}

static inline struct stat fixture_stat(const char *dir, const char *path)
{
    g_autofree char *p = fixture_path(dir, path);
    struct stat st = {0};
    if (lstat(p, &st) < 0)
        g_error("%s: %s", p, g_strerror(errno));
    return st;
}

static inline char *fixture_text(const char *dir, const char *path)
{
    g_autofree char *p = fixture_path(dir, path);
    char *text = NULL;
    g_assert_true(g_file_get_contents(p, &text, NULL, NULL));
    return text;
}

/* The error must have this code and hold this text. Clears it. */
static inline void fixture_error(GError **err, int code, const char *text)
{
    g_assert_error(*err, VARVE_ERROR, code);
    if (!strstr((*err)->message, text))
        g_error("\"%s\" is not in: %s", text, (*err)->message);
    g_clear_error(err);
}

#endif
