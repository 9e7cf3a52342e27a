#include "run/health.h"

#define MS 1000LL
#define NS_PER_MS 1000000LL

/* A script of probes: each letter is one that is made when due and takes 10 ms: '+' passes, '-'
 * fails. What the states are afterwards: s(tarting), h(ealthy), u(nhealthy). */
struct script {
    const char *name;
    gint64 interval_ms, start_period_ms, start_interval_ms;
    int retries;
    const char *probes, *states;
    gint64 last_ms; /* when the last probe is due, after the start */
};

static const struct script scripts[] = {
    {"the first success is enough", 10000, 0, 0, 3, "--+", "ssh", 370},
    {"further probes do not count", 10000, 0, 0, 1, "-----", "sssss", 1590},
    {"retries counted failures are needed", 100, 0, 0, 2, "---", "ssu", 210},
    {"one is enough when retries is 1", 100, 0, 0, 1, "--", "su", 100},
    {"the start period excuses", 100, 400, 0, 1, "-----", "ssssu", 430},
    {"a success begins the count anew", 100, 0, 0, 2, "+-+--", "hhhhu", 490},
    {"it comes back", 100, 0, 0, 1, "+-+", "huh", 270},
    {"a start interval bounds the further probes", 10000, 0, 60, 1, "-----", "sssss", 330},
};

static char letter(enum run_health_state s)
{
    return "shu"[s];
}

static void test_script(gconstpointer data)
{
    const struct script *t = data;
    struct healthcheck conf = {.interval = t->interval_ms * NS_PER_MS,
                               .start_period = t->start_period_ms * NS_PER_MS,
                               .start_interval = t->start_interval_ms * NS_PER_MS,
                               .retries = t->retries};
    struct run_health h;
    gint64 start = 1000000;
    run_health_init(&h, &conf, start);
    g_autoptr(GString) states = g_string_new(NULL);
    gint64 due = 0;
    for (const char *p = t->probes; *p; p++) {
        due = run_health_due(&h);
        g_string_append_c(states, letter(run_health_note(&h, due, due + 10 * MS, *p == '+')));
    }
    g_assert_cmpstr(states->str, ==, t->states);
    g_assert_cmpint((due - start) / MS, ==, t->last_ms);
}

static void test_times(void)
{
    struct healthcheck conf = {.interval = 1000 * NS_PER_MS};
    struct run_health h;
    run_health_init(&h, &conf, 0);
    g_assert_cmpint(h.timeout, ==, 30000 * MS);
    g_assert_cmpint(h.retries, ==, 3);
    const gint64 due[] = {50 * MS, 160 * MS, 370 * MS, 780 * MS, 1000 * MS};
    for (guint i = 0; i < G_N_ELEMENTS(due); i++) {
        g_assert_cmpint(run_health_due(&h), ==, due[i]);
        run_health_note(&h, due[i], due[i] + 10 * MS, FALSE);
    }
    g_assert_cmpint(h.failures, ==, 1);
    run_health_note(&h, run_health_due(&h), run_health_due(&h) + 10 * MS, TRUE);
    gint64 next = run_health_due(&h);
    run_health_note(&h, next, next + 10 * MS, TRUE);
    g_assert_cmpint(run_health_due(&h), ==, next + 1010 * MS);
}

/* A probe at the end of the start period counts; one that makes the program healthy within it ends
 * the period. */
static void test_start_period(void)
{
    struct healthcheck conf = {
        .interval = 100 * NS_PER_MS, .start_period = 1000 * NS_PER_MS, .retries = 1};
    struct run_health h;
    run_health_init(&h, &conf, 0);
    g_assert_cmpint(run_health_note(&h, 100 * MS, 110 * MS, FALSE), ==, HEALTH_STARTING);
    g_assert_cmpint(run_health_note(&h, 1000 * MS, 1010 * MS, FALSE), ==, HEALTH_UNHEALTHY);
    run_health_init(&h, &conf, 0);
    g_assert_cmpint(run_health_note(&h, 100 * MS, 110 * MS, TRUE), ==, HEALTH_HEALTHY);
    g_assert_cmpint(run_health_note(&h, 300 * MS, 310 * MS, FALSE), ==, HEALTH_UNHEALTHY);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autofree char *path = g_strdup_printf("/health/%s", scripts[i].name);
        g_test_add_data_func(path, &scripts[i], test_script);
    }
    g_test_add_func("/health/times", test_times);
    g_test_add_func("/health/start-period", test_start_period);
    return g_test_run();
}
