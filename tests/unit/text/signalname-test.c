#include "text/signalname.h"

#include <glib.h>
#include <signal.h>

static void test_names(void)
{
    static const struct {
        const char *text;
        int sig;
    } cases[] = {{"SIGTERM", SIGTERM},
                 {"term", SIGTERM},
                 {"sigusr1", SIGUSR1},
                 {"15", 15},
                 {"0", 0},
                 {"", 0},
                 {"SIG", 0},
                 {"SIGNOTHING", 0},
                 {"-9", 0},
                 {"9x", 0},
                 {"999", 0},
                 {"RTMIN+x", 0},
                 {"RTMIN+", 0},
                 {"RTMIN-1", 0},
                 {"RTMIN+99", 0}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(signal_number(cases[i].text), ==, cases[i].sig);
    g_assert_cmpint(signal_number("SIGRTMIN"), ==, SIGRTMIN);
    g_assert_cmpint(signal_number("SIGRTMIN+3"), ==, SIGRTMIN + 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/signalname/names", test_names);
    return g_test_run();
}
