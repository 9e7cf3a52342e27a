#include <glib.h>
#include <unistd.h>

#include "step.h"

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() == 0) /* users: rootless-test.c */
        step_add_tests();
    return g_test_run();
}
