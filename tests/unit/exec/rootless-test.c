/* The steps again as an ordinary user. Started by root it becomes VARVE_TEST_USER (a name; with a
 * range in /etc/subuid that is the usual case) or else uid 65534, who has no range. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "exec/sandbox.h"
#include "fixture.h"
#include "snapshot/userns.h"
#include "step.h"

static enum userns_state state;

static gboolean become_user(void)
{
    const char *name = g_getenv("VARVE_TEST_USER");
    const struct passwd *pw = name ? getpwnam(name) : NULL;
    uid_t uid = pw ? pw->pw_uid : 65534;
    gid_t gid = pw ? pw->pw_gid : 65534;
    return geteuid() != 0 ||
           (setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
            setresuid(uid, uid, uid) == 0 &&
            prctl(PR_SET_DUMPABLE, 1) == 0); /* as a login would be: /proc/self is its own */
}

static void test_state(void)
{
    g_assert_cmpint(geteuid(), ==, 0);
    g_assert_cmpint(userns_current(), ==, state);
    g_assert_cmpint(state, !=, USERNS_ROOT);
    g_test_message("%s", state == USERNS_RANGE ? "a range of ids" : "a single id");
    enum userns_state again = USERNS_ROOT;
    g_assert_true(userns_enter(&again, NULL)); /* a second time does nothing */
    g_assert_cmpint(again, ==, state);
}

/* With a range other users exist; without, the message says what is missing. */
static void test_other_user(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_autoptr(GError) err = NULL;
    f->spec.user = "1000:1000";
    if (state == USERNS_RANGE) {
        g_assert_cmpstr(fixture_output(f, "id -u"), ==, "1000");
        return;
    }
    g_assert_false(fixture_sh(f, "id -u", &err));
    g_assert_nonnull(strstr(err->message, "running as user 1000:1000"));
    g_assert_nonnull(strstr(error_next(err), "/etc/subuid"));
}

int main(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    gboolean user = become_user();
    gboolean entered = user && userns_enter(&state, &err); /* before any thread */
    g_test_init(&argc, &argv, NULL);
    if (!entered) {
        printf("1..0 # SKIP %s\n",
               err ? g_strdelimit(err->message, "\n", ' ') : "cannot become an ordinary user");
        return 0;
    }
    g_test_add_func("/rootless/state", test_state);
    g_test_add("/rootless/other-user", struct fixture, NULL, fixture_set_up, test_other_user,
               fixture_tear_down);
    step_add_tests();
    return g_test_run();
}
