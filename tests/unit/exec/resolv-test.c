/* What a sandbox with a network of its own reads as /etc/resolv.conf. */
#include "exec/pasta.h"
#include "exec/resolv.h"

#define FORWARD "nameserver " PASTA_RESOLVER "\n"

static const char *const own[] = {"192.168.7.9", "fd00::9", NULL};

static const struct {
    const char *name, *text, *upstream, *want;
    gboolean forward;
} cases[] = {
    {"reachable resolvers and options stay as they are",
     "# by hand\nsearch lab.example\nnameserver 9.9.9.9\nnameserver 2620:fe::fe\noptions ndots:2\n",
     NULL,
     "# by hand\nsearch lab.example\nnameserver 9.9.9.9\nnameserver 2620:fe::fe\noptions ndots:2\n",
     FALSE},
    {"loopback", "nameserver 127.0.0.1\n", NULL, FORWARD, TRUE},
    {"loopback of IPv6", "nameserver ::1\n", NULL, FORWARD, TRUE},
    {"any address", "nameserver 0.0.0.0\nnameserver ::\n", NULL, FORWARD, TRUE},
    {"an address of the host itself", "nameserver 192.168.7.9\n", NULL, FORWARD, TRUE},
    {"link-local", "nameserver 169.254.169.253\n", NULL, FORWARD, TRUE},
    {"link-local of IPv6, with a zone", "nameserver fe80::1%eth0\n", NULL, FORWARD, TRUE},
    {"two are one", "nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch a\n", NULL,
     FORWARD "search a\n", TRUE},
    {"spaces, tabs and a return", " nameserver\t 127.0.0.1\r\n", NULL, FORWARD, TRUE},
    {"no new line at the end", "search a\nnameserver 127.0.0.1", NULL, "search a\n" FORWARD, TRUE},
    {"the stub has resolvers of its own", "nameserver 127.0.0.53\nsearch b\n",
     "nameserver 9.9.9.9\nsearch a\n", "nameserver 9.9.9.9\nsearch a\n", FALSE},
    {"which may be out of reach too", "nameserver 127.0.0.53\n", "nameserver 127.0.0.1\n", FORWARD,
     TRUE},
    {"a stub without them", "nameserver 127.0.0.53\n", NULL, FORWARD, TRUE},
    {"a stub that names itself", "nameserver 127.0.0.53\n", "nameserver 127.0.0.53\n", FORWARD,
     TRUE},
    {"comments are no resolvers", "#nameserver 127.0.0.1\n;nameserver 127.0.0.1\n", NULL,
     "#nameserver 127.0.0.1\n;nameserver 127.0.0.1\n", FALSE},
    {"a resolver without an address", "nameserver\nnameserver \n", NULL,
     "nameserver\nnameserver \n", FALSE},
    {"empty", "", NULL, "", FALSE},
};

static void test_translate(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gboolean forward = !cases[i].forward;
        g_autofree char *got = resolv_translate(cases[i].text, cases[i].upstream, own, &forward);
        if (!g_str_equal(got, cases[i].want) || forward != cases[i].forward) {
            g_test_message("%s: forward %d, text: %s", cases[i].name, forward, got);
            g_test_fail();
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resolv/translate", test_translate);
    return g_test_run();
}
