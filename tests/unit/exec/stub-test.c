/* Mount points made for a step, and their removal. */
#include "exec/stub.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail_with; /* what the next unlinkat fails with; 0: nothing */

/* In place of libc's, for this program alone. */
int unlinkat(int dirfd, const char *name, int flags)
{
    if (fail_with) {
        errno = fail_with;
        return -1;
    }
    return (int)syscall(SYS_unlinkat, dirfd, name, flags);
}

static gboolean removed_with(int errnum)
{
    g_autofree char *root = g_strdup("/tmp/varve-stub-XXXXXX");
    g_assert_nonnull(g_mkdtemp(root));
    fd_auto int fd = fs_open_dir(AT_FDCWD, root, NULL);
    struct stubs *s = stubs_new();
    GError *err = NULL;
    g_assert_true(stubs_make(s, fd, "/c", TRUE, NULL, &err));
    fail_with = errnum;
    gboolean ok = stubs_remove(s, NULL, &err);
    fail_with = 0;
    g_assert_true(ok == (err == NULL));
    g_clear_error(&err);
    stubs_free(s);
    g_assert_true(fs_remove_tree(AT_FDCWD, root, NULL));
    return ok;
}

/* What a program put there stays; what the disk does is no reason to have it in the layer. */
static void test_removal(void)
{
    static const int theirs[] = {0, ENOTEMPTY, EEXIST, ENOENT, EBUSY},
                     errors[] = {EIO, EROFS, ENOSPC};
    for (gsize i = 0; i < G_N_ELEMENTS(theirs); i++)
        g_assert_true(removed_with(theirs[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(errors); i++)
        g_assert_false(removed_with(errors[i]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exec/stub/removal", test_removal);
    return g_test_run();
}
