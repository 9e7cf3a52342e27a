/* archive.h and the checks of git.h on bytes and names. */
#include "base/error.h"
#include "base/sniff.h"
#include "source/git.h"
#include "text/giturl.h"
#include "../tree/fixture.h"

#include <string.h>

static void test_archive(void)
{
    char tar[ARCHIVE_HEAD] = "name";
    static const char *const magic[] = {"\x1f\x8b\x08more", "BZh9",
                                        "\xfd"
                                        "7zXZ",
                                        "\x28\xb5\x2f\xfd"};
    memcpy(tar + 148, "0001241", 7); /* 4 letters and 8 blanks: 417 + 256 */
    g_assert_true(archive_sniff(tar, sizeof tar));
    g_assert_false(archive_sniff(tar, sizeof tar - 1));
    tar[0] = 'm';
    g_assert_false(archive_sniff(tar, sizeof tar));
    memset(tar, 0, sizeof tar);
    g_assert_false(archive_sniff(tar, sizeof tar));
    for (gsize i = 0; i < G_N_ELEMENTS(magic); i++)
        g_assert_cmpint(archive_sniff(magic[i], strlen(magic[i])), ==, i != 2);
    g_assert_true(archive_sniff("\xfd"
                                "7zXZ\0",
                                6));
    g_assert_false(archive_sniff("FROM scratch\n", 13));
    g_assert_false(archive_sniff("", 0));
}

static void test_git_names(void)
{
    static const struct {
        const char *url, *ref;
        gboolean good;
    } cases[] = {
        {"https://host/r.git", NULL, TRUE},
        {"https://host/r.git", "feature/x-1", TRUE},
        {"user@host:r", "v1.0", TRUE},
        {"-oProxyCommand=x@host:r", NULL, FALSE},
        {"ssh://-oProxyCommand=x/r", NULL, FALSE},
        {"ssh://user@-oProxyCommand=x/r", NULL, FALSE},
        {"https://host/r.git\nx", NULL, FALSE},
        {"https://host/r.git", "--upload-pack=x", FALSE},
        {"https://host/r.git", "a..b", FALSE},
        {"https://host/r.git", "a*", FALSE},
        {"https://host/r.git", "a b", FALSE},
        {"https://host/r.git", "a:b", FALSE},
        {"https://host/r.git", "a@{1}", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        g_assert_cmpint(git_check(cases[i].url, cases[i].ref, &err), ==, cases[i].good);
        g_assert_true(cases[i].good || g_error_matches(err, VARVE_ERROR, VARVE_ERROR_INVALID));
    }
    g_assert_true(giturl_is_commit("0123456789abcdef0123456789abcdef01234567"));
    g_assert_false(giturl_is_commit("0123456789abcdef0123456789abcdef0123456"));
    g_assert_false(giturl_is_commit("0123456789ABCDEF0123456789abcdef01234567"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/archive/sniff", test_archive);
    g_test_add_func("/git/names", test_git_names);
    return g_test_run();
}
