#include "fixture.h"

#include <string.h>
#include <unistd.h>

static void test_hello(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_assert_cmpstr(fixture_output(f, "echo hello; mount; ls -la /dev; id; env; cat /proc/1/status | grep Cap; grep Cap /proc/self/status"), ==, "hello");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/sandbox/hello", struct fixture, NULL, fixture_set_up, test_hello, fixture_tear_down);
    return g_test_run();
}
