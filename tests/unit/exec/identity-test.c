#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "exec/identity.h"

#define PASSWD                                                                                     \
    "root:x:0:0:r:/root:/bin/sh\nbroken\napp:x:1000:1001:a:/home/app:/bin/sh\n77:x:1077:1078::/"   \
    "seven:\n"
#define GROUP                                                                                      \
    "root:x:0:\napp:x:1001:\ngrp2:x:2000:app,root\ngrp3:x:3000:apple,app\nhuge:x:99999999999:"     \
    "app\n"

static const struct {
    const char *user;   /* as in USER */
    const char *expect; /* "uid gid home groups…", or NULL for an error that contains */
    const char *error;
} cases[] = {
    {NULL, "0 0 /root 0 2000", NULL},
    {"", "0 0 /root 0 2000", NULL},
    {"root", "0 0 /root 0 2000", NULL},
    {"app", "1000 1001 /home/app 1001 2000 3000", NULL},
    {"1000", "1000 1001 /home/app 1001 2000 3000", NULL},
    {"app:grp3", "1000 3000 /home/app 3000", NULL},
    {"app:0", "1000 0 /home/app 0", NULL},
    {"1000:77", "1000 77 /home/app 77", NULL},
    {"4242", "4242 0 / 0", NULL},
    {"4242:77", "4242 77 / 77", NULL},
    {"4242:grp2", "4242 2000 / 2000", NULL},
    {":grp2", "0 2000 /root 2000", NULL},
    {"app:", "1000 1001 /home/app 1001 2000 3000", NULL},
    {"77", "1077 1078 /seven 1078", NULL}, /* a name made of digits comes first */
    {"nobody", NULL, "unable to find user nobody"},
    {"app:nogrp", NULL, "unable to find group nogrp"},
    {"app:huge", NULL, "unable to find group huge"},
    {"99999999999", NULL, "unable to find user 99999999999"},
    {"-1", NULL, "unable to find user -1"},
};

static void test_cases(struct fixture *f, gconstpointer data)
{
    fixture_write(f, "etc/passwd", PASSWD, 0644);
    fixture_write(f, "etc/group", GROUP, 0644);
    int rootfd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct identity id;
        g_autoptr(GError) err = NULL;
        gboolean ok = identity_resolve(&id, rootfd, cases[i].user, &err);
        g_test_message("user %s", cases[i].user);
        g_assert_cmpint(ok, ==, cases[i].expect != NULL);
        if (ok) {
            g_autoptr(GString) text = g_string_new(NULL);
            g_string_printf(text, "%u %u %s", id.uid, id.gid, id.home);
            for (guint k = 0; k < id.groups->len; k++)
                g_string_append_printf(text, " %u", g_array_index(id.groups, guint32, k));
            g_assert_cmpstr(text->str, ==, cases[i].expect);
        } else {
            g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
            g_assert_nonnull(strstr(err->message, cases[i].error));
        }
        identity_clear(&id);
    }
    close(rootfd);
}

/* An image without databases, and one whose /etc/passwd points out of the root. */
static void test_without_databases(struct fixture *f, gconstpointer data)
{
    int rootfd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct identity id;
    g_assert_true(identity_resolve(&id, rootfd, NULL, NULL));
    g_assert_cmpuint(id.uid, ==, 0);
    g_assert_cmpstr(id.home, ==, "/");
    identity_clear(&id);
    g_autofree char *etc = g_build_filename(f->root, "etc", NULL);
    g_autofree char *passwd = g_build_filename(etc, "passwd", NULL);
    g_assert_cmpint(mkdir(etc, 0755), ==, 0);
    g_assert_cmpint(symlink("/../../../../etc/passwd", passwd), ==, 0);
    g_autoptr(GError) err = NULL;
    g_assert_false(identity_resolve(&id, rootfd, "daemon", &err));
    identity_clear(&id);
    close(rootfd);
}

/* The user as "uid:gid home", or the error. */
static char *who(int rootfd, const char *user)
{
    struct identity id;
    g_autoptr(GError) err = NULL;
    char *text = identity_resolve(&id, rootfd, user, &err)
                     ? g_strdup_printf("%u:%u %s", id.uid, id.gid, id.home)
                     : g_strdup(err->message);
    identity_clear(&id);
    return text;
}

static void check_who(int rootfd, const char *user, const char *want)
{
    g_autofree char *got = who(rootfd, user);
    if (!strstr(got, want))
        g_error("%s: \"%s\" is not in: %s", user, want, got);
}

/* A directory in the place of a database fails only who needs it, a loop counts as absent. */
static void test_broken_databases(struct fixture *f, gconstpointer data)
{
    int rootfd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_autofree char *passwd = g_build_filename(f->root, "etc/passwd", NULL);
    g_assert_cmpint(g_mkdir_with_parents(passwd, 0755), ==, 0);
    check_who(rootfd, NULL, "0:0 /");
    check_who(rootfd, "", "0:0 /");
    check_who(rootfd, "7:8", "7:8 /");
    check_who(rootfd, "7", "/etc/passwd");
    check_who(rootfd, "root", "/etc/passwd");
    g_assert_cmpint(rmdir(passwd), ==, 0);
    g_assert_cmpint(symlink("passwd", passwd), ==, 0);
    check_who(rootfd, NULL, "0:0 /");
    check_who(rootfd, "7", "7:0 /");
    check_who(rootfd, "app", "unable to find user app");
    g_assert_cmpint(unlink(passwd), ==, 0);
    fixture_write(f, "etc/passwd", PASSWD, 0644);
    g_autofree char *group = g_build_filename(f->root, "etc/group", NULL);
    g_assert_cmpint(mkdir(group, 0755), ==, 0);
    check_who(rootfd, NULL, "0:0 /root");
    check_who(rootfd, "app", "/etc/group");
    close(rootfd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/identity/cases", struct fixture, NULL, fixture_set_up, test_cases,
               fixture_tear_down);
    g_test_add("/identity/without-databases", struct fixture, NULL, fixture_set_up,
               test_without_databases, fixture_tear_down);
    g_test_add("/identity/broken-databases", struct fixture, NULL, fixture_set_up,
               test_broken_databases, fixture_tear_down);
    return g_test_run();
}
