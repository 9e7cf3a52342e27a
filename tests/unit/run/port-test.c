#include "base/error.h"
#include "base/fs.h"
#include "run/port.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "address outside inside count tcp", or the error's end. */
static const struct port_case {
    const char *text, *expected;
} cases[] = {
    {"80", "- 0 80 1 tcp"},
    {"8080:80", "- 8080 80 1 tcp"},
    {"8080:80/UDP", "- 8080 80 1 udp"},
    {"0:80", "- 0 80 1 tcp"},
    {"127.0.0.1:8080:80", "127.0.0.1 8080 80 1 tcp"},
    {"127.0.0.1::80", "127.0.0.1 0 80 1 tcp"},
    {"[::1]:8080:80", "::1 8080 80 1 tcp"},
    {"8000-8010:9000-9010", "- 8000 9000 11 tcp"},
    {"9000-9010", "- 0 9000 11 tcp"},
    {"8000-8010:9000-9009", "the two ranges differ in length"},
    {"8000:80/sctp", "only tcp and udp ports can be published"},
    {"localhost:8080:80", "the address is not an IP address (names are not looked up)"},
    {":8080:80", "the address is not an IP address (names are not looked up)"},
    {"8080:", "the program's port is not a number from 1 to 65535"},
    {"", "the program's port is not a number from 1 to 65535"},
    {"0", "the program's port is not a number from 1 to 65535"},
    {"90-80", "the program's port is not a number from 1 to 65535"},
    {"65536", "the program's port is not a number from 1 to 65535"},
    {"1-99999999999999999999999", "the program's port is not a number from 1 to 65535"},
    {"x:80", "this host's port is not a number from 1 to 65535"},
    {"1-65535", "too many ports are published"},
};

static void test_case(gconstpointer data)
{
    const struct port_case *c = data;
    struct run_ports ports;
    g_autoptr(GError) err = NULL;
    run_ports_init(&ports);
    g_autofree char *got = NULL;
    if (run_ports_add(&ports, c->text, &err)) {
        const struct network_port *p = &g_array_index(ports.list, struct network_port, 0);
        got = g_strdup_printf("%s %u %u %u %s", p->address ? p->address : "-", p->outside,
                              p->inside, p->count, p->udp ? "udp" : "tcp");
    } else {
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
        g_autofree char *what = g_strdup_printf("-p %s: ", c->text);
        g_assert_true(g_str_has_prefix(err->message, what));
        got = g_strndup(err->message + strlen(what), strcspn(err->message + strlen(what), "\n"));
    }
    g_assert_cmpstr(got, ==, c->expected);
    run_ports_clear(&ports);
}

static void count_found(gpointer count, const struct network_port *p)
{
    g_assert_cmpuint(p->outside, !=, 0);
    ++*(guint *)count;
}

/* Any ports become as many as there are; a given one stays, in its place. */
static void test_find(void)
{
    struct run_ports ports;
    g_autoptr(GError) err = NULL;
    guint found = 0;
    run_ports_init(&ports);
    g_assert_true(run_ports_add(&ports, "127.0.0.1::80-82", NULL));
    g_assert_true(run_ports_add(&ports, "8080:83", NULL));
    g_assert_true(run_ports_find(&ports, count_found, &found, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(found, ==, 3);
    g_assert_cmpuint(ports.list->len, ==, 4);
    for (guint i = 0; i < 4; i++) {
        const struct network_port *p = &g_array_index(ports.list, struct network_port, i);
        g_assert_cmpuint(p->inside, ==, 80 + i);
        g_assert_cmpuint(p->count, ==, 1);
    }
    g_assert_cmpuint(g_array_index(ports.list, struct network_port, 3).outside, ==, 8080);
    run_ports_clear(&ports);
}

static void test_taken(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    fd_auto int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, len), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&at, &len), ==, 0);
    struct run_ports ports;
    g_autoptr(GError) err = NULL;
    g_autofree char *text = g_strdup_printf("127.0.0.1:%u:80", ntohs(at.sin_port));
    run_ports_init(&ports);
    g_assert_true(run_ports_add(&ports, text, NULL));
    g_assert_false(run_ports_check_free(&ports, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    run_ports_clear(&ports);
}

static void test_text(void)
{
    struct run_ports ports;
    run_ports_init(&ports);
    g_autofree char *none = run_ports_text(&ports);
    g_assert_cmpstr(none, ==, "");
    g_assert_true(run_ports_add(&ports, "8080:80", NULL));
    g_assert_true(run_ports_add(&ports, "[::1]:9000-9001:90-91/udp", NULL));
    g_autofree char *text = run_ports_text(&ports);
    g_assert_cmpstr(text, ==, "0.0.0.0:8080->80/tcp, [::1]:9000-9001->90-91/udp");
    run_ports_clear(&ports);
}

static void test_host(void)
{
    struct run_ports ports;
    g_autoptr(GError) err = NULL;
    run_ports_init(&ports);
    g_assert_true(run_ports_add(&ports, "80:80", NULL));
    g_assert_true(run_ports_check_host(&ports, NULL));
    g_assert_true(run_ports_add(&ports, "8080:80", NULL));
    g_assert_false(run_ports_check_host(&ports, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED);
    run_ports_clear(&ports);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/port/case/%u", i);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/port/find", test_find);
    g_test_add_func("/port/taken", test_taken);
    g_test_add_func("/port/host", test_host);
    g_test_add_func("/port/text", test_text);
    return g_test_run();
}
