#include "base/error.h"
#include "run/env.h"
#include "run/process.h"
#include "run/record.h"

#include <signal.h>
#include <string.h>

/* An image, and what is asked of it. */
struct fixture {
    struct image_conf *conf;
    struct run_request q;
    struct run_process p;
};

static char **words(const char *text)
{
    return text ? g_strsplit(text, " ", -1) : NULL;
}

static void setup(struct fixture *f)
{
    struct platform host;
    platform_host(&host);
    *f = (struct fixture){.conf = image_conf_new(&host)};
    run_request_init(&f->q);
    f->q.image = g_strdup("app");
    f->q.hostname = g_strdup("box");
}

static void teardown(struct fixture *f)
{
    run_process_clear(&f->p);
    run_request_clear(&f->q);
    image_conf_free(f->conf);
}

/* Docker's table of ENTRYPOINT, CMD, --entrypoint and a command. */
static const struct args_case {
    const char *entrypoint, *cmd, *given, *command, *expected;
} args_cases[] = {
    {NULL, "sh -l", NULL, NULL, "sh -l"},
    {"tini --", "sh -l", NULL, NULL, "tini -- sh -l"},
    {"tini --", "sh", NULL, "id", "tini -- id"},
    {"tini", "sh", "env", NULL, "env"},
    {"tini", "sh", "env", "-0", "env -0"},
    {"tini", "sh", "", "id", "id"},
    {"tini", "sh", "", NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void test_args(gconstpointer data)
{
    const struct args_case *c = data;
    struct fixture f;
    g_autoptr(GError) err = NULL;
    setup(&f);
    f.conf->entrypoint = words(c->entrypoint);
    f.conf->cmd = words(c->cmd);
    f.q.entrypoint = g_strdup(c->given);
    f.q.command = words(c->command);
    gboolean ok = run_process_init(&f.p, &f.q, f.conf, &err);
    g_assert_cmpint(ok, ==, c->expected != NULL);
    if (ok) {
        g_autofree char *got = g_strjoinv(" ", f.p.args);
        g_assert_cmpstr(got, ==, c->expected);
    } else {
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    }
    teardown(&f);
}

/* A name alone in an image's config must not fetch a variable of this process. */
static void test_env(void)
{
    struct fixture f;
    setup(&f);
    g_setenv("RUN_TEST_HOST", "leaked", TRUE);
    g_ptr_array_add(f.conf->env, g_strdup("A=image"));
    g_ptr_array_add(f.conf->env, g_strdup("RUN_TEST_HOST"));
    g_ptr_array_add(f.conf->env, g_strdup("HTTP_PROXY=image"));
    g_ptr_array_add(f.conf->env, g_strdup("B=image"));
    f.conf->cmd = words("sh");
    f.q.proxies = words("HTTP_PROXY=configured B=configured");
    g_ptr_array_add(f.q.env, g_strdup("B=given=twice"));
    f.q.terminal = TRUE;
    g_assert_true(run_process_init(&f.p, &f.q, f.conf, NULL));
    g_autofree char *got = g_strjoinv(" ", f.p.env);
    g_assert_cmpstr(got, ==,
                    "TERM=xterm HOSTNAME=box A=image HTTP_PROXY=configured B=given=twice "
                    "PATH=" IMAGE_DEFAULT_PATH);
    teardown(&f);
}

static void test_names(void)
{
    struct fixture f;
    g_autoptr(GError) err = NULL;
    setup(&f);
    f.conf->cmd = words("sh");
    f.conf->user = g_strdup("app");
    f.conf->workdir = g_strdup("/srv");
    g_assert_true(run_process_init(&f.p, &f.q, f.conf, NULL));
    g_assert_cmpstr(f.p.cwd, ==, "/srv");
    g_assert_cmpstr(f.p.user, ==, "app");
    g_assert_cmpstr(f.p.hostname, ==, "box");
    run_process_clear(&f.p);
    f.q.user = g_strdup("0");
    f.q.workdir = g_strdup("srv");
    g_assert_false(run_process_init(&f.p, &f.q, f.conf, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    teardown(&f);
}

/* Others read how the program was started as it was. */
static void test_record(void)
{
    struct fixture f;
    struct run_process read = {0};
    setup(&f);
    f.conf->cmd = words("sh");
    g_ptr_array_add(f.q.env, g_strdup("LINES=a\nb"));
    g_ptr_array_add(f.q.env, g_strdup("EMPTY="));
    g_assert_true(run_process_init(&f.p, &f.q, f.conf, NULL));
    g_autoptr(GBytes) bytes = run_record_bytes(&f.p);
    g_assert_true(run_record_parse(bytes, &read, NULL));
    g_assert_cmpstr(read.cwd, ==, f.p.cwd);
    g_assert_cmpstr(read.user, ==, "");
    g_assert_true(g_strv_equal((const char *const *)read.env, (const char *const *)f.p.env));
    run_process_clear(&read);
    static const char *const damaged[] = {"", "/srv", "/srv\0", "/srv\0user"};
    static const gsize sizes[] = {0, 4, 5, 9};
    for (guint i = 0; i < G_N_ELEMENTS(damaged); i++) {
        g_autoptr(GBytes) b = g_bytes_new_static(damaged[i], sizes[i]);
        g_assert_false(run_record_parse(b, &read, NULL));
    }
    teardown(&f);
}

static const char *own_value(const char *name)
{
    return g_str_equal(name, "OWN") ? "mine" : NULL;
}

static void test_env_lines(void)
{
    g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) err = NULL;
    static const char text[] =
        "\xef\xbb\xbf# a comment\r\nA= spaces \"kept\" \r\n\n  B=1\nOWN\nNOT\nA=2";
    g_autoptr(GBytes) lines = g_bytes_new_static(text, strlen(text));
    g_assert_true(run_env_add_lines(env, lines, own_value, "f", &err));
    g_ptr_array_add(env, NULL);
    g_autofree char *got = g_strjoinv("|", (char **)env->pdata);
    g_assert_cmpstr(got, ==, "A=2|B=1|OWN=mine");
    g_autoptr(GBytes) bad = g_bytes_new_static("A=1\n=x\n", 7);
    g_ptr_array_set_size(env, 0);
    g_assert_false(run_env_add_lines(env, bad, NULL, "f", &err));
    g_assert_cmpstr(err->message, ==, "--env-file f:2: \"=x\" is not NAME=VALUE");
}

/* What was given counts over the image's check, part by part. */
static void test_health(void)
{
    struct fixture f;
    struct healthcheck *got;
    g_autoptr(GError) err = NULL;
    setup(&f);
    g_assert_true(run_process_health(&f.q, f.conf, &got, NULL));
    g_assert_null(got);
    f.q.probe = TRUE;
    g_assert_false(run_process_health(&f.q, f.conf, &got, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    f.conf->health = g_new0(struct healthcheck, 1);
    f.conf->health->test = words("CMD true");
    f.conf->health->interval = 5;
    f.conf->health->timeout = 7;
    f.conf->health->retries = 2;
    f.q.health.interval = 0;
    f.q.health.retries = 9;
    g_assert_true(run_process_health(&f.q, f.conf, &got, NULL));
    g_assert_cmpstr(got->test[1], ==, "true");
    g_assert_cmpint(got->interval, ==, 0);
    g_assert_cmpint(got->timeout, ==, 7);
    g_assert_cmpint(got->retries, ==, 9);
    healthcheck_free(got);
    f.q.ignore_image = TRUE;
    g_assert_false(run_process_health(&f.q, f.conf, &got, NULL));
    f.q.health.test = words("CMD-SHELL id");
    g_assert_true(run_process_health(&f.q, f.conf, &got, NULL));
    g_assert_cmpint(got->timeout, ==, 0);
    healthcheck_free(got);
    teardown(&f);
}

static void test_stop_signal(void)
{
    struct fixture f;
    g_autoptr(GError) err = NULL;
    setup(&f);
    g_assert_cmpint(run_process_stop_signal(&f.q, f.conf, NULL), ==, SIGTERM);
    f.conf->stop_signal = g_strdup("SIGQUIT");
    g_assert_cmpint(run_process_stop_signal(&f.q, f.conf, NULL), ==, SIGQUIT);
    f.q.stop_signal = SIGUSR1;
    g_assert_cmpint(run_process_stop_signal(&f.q, f.conf, NULL), ==, SIGUSR1);
    f.q.stop_signal = 0;
    g_free(f.conf->stop_signal);
    f.conf->stop_signal = g_strdup("SIGNOTHING");
    g_assert_cmpint(run_process_stop_signal(&f.q, f.conf, &err), ==, 0);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    teardown(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(args_cases); i++) {
        g_autofree char *path = g_strdup_printf("/process/args/%u", i);
        g_test_add_data_func(path, &args_cases[i], test_args);
    }
    g_test_add_func("/process/env", test_env);
    g_test_add_func("/process/names", test_names);
    g_test_add_func("/process/record", test_record);
    g_test_add_func("/process/env-lines", test_env_lines);
    g_test_add_func("/process/health", test_health);
    g_test_add_func("/process/stop-signal", test_stop_signal);
    return g_test_run();
}
