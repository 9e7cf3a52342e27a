/* Limits: a process's own (ulimit) and those of its cgroup. */
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"

/* --resource's texts, and what they become or are refused for. */
static const struct {
    const char *text;
    gint64 memory, swap, shares, period, quota;
    const char *cpus, *mems, *error;
} texts[] = {
    {"memory=2g", 2147483648, 0, 0, 0, 0, NULL, NULL, NULL},
    {"memory=0", 0, 0, 0, 0, 0, NULL, NULL, NULL},
    {"memory-swap=-1", 0, -1, 0, 0, 0, NULL, NULL, NULL},
    {"cpu-shares=512", 0, 0, 512, 0, 0, NULL, NULL, NULL},
    {"cpu-shares=0", 0, 0, 0, 0, 0, NULL, NULL, NULL},
    {"cpu-period=50000", 0, 0, 0, 50000, 0, NULL, NULL, NULL},
    {"cpu-quota=-1", 0, 0, 0, 0, -1, NULL, NULL, NULL},
    {"cpu-quota=1000", 0, 0, 0, 0, 1000, NULL, NULL, NULL},
    {"cpuset-cpus=0-2,4", 0, 0, 0, 0, 0, "0-2,4", NULL, NULL},
    {"cpuset-mems=0", 0, 0, 0, 0, 0, NULL, "0", NULL},
    {"memory", 0, 0, 0, 0, 0, NULL, NULL, "\"memory\" is not KEY=VALUE"},
    {"=1", 0, 0, 0, 0, 0, NULL, NULL, "unknown resource \"\"; known are memory, memory-swap"},
    {"cpu-share=2", 0, 0, 0, 0, 0, NULL, NULL, "did you mean cpu-shares?"},
    {"memory=lots", 0, 0, 0, 0, 0, NULL, NULL, "memory: invalid size \"lots\""},
    {"memory=-1", 0, 0, 0, 0, 0, NULL, NULL, "memory: invalid size \"-1\""},
    {"memory-swap=-2", 0, 0, 0, 0, 0, NULL, NULL, "memory-swap: invalid size \"-2\""},
    {"memory-swap=1g", 0, 0, 0, 0, 0, NULL, NULL, "needs memory as well"},
    {"cpu-shares=1", 0, 0, 0, 0, 0, NULL, NULL, "cpu-shares: 1 is not a number from 2 to 262144"},
    {"cpu-shares=1.5", 0, 0, 0, 0, 0, NULL, NULL, "cpu-shares: 1.5 is not a number"},
    {"cpu-shares=262145", 0, 0, 0, 0, 0, NULL, NULL, "262145 is not a number from 2 to 262144"},
    {"cpu-period=999", 0, 0, 0, 0, 0, NULL, NULL, "999 is not a number from 1000 to 1000000"},
    {"cpu-period=", 0, 0, 0, 0, 0, NULL, NULL, "cpu-period:  is not a number"},
    {"cpu-quota=-2", 0, 0, 0, 0, 0, NULL, NULL, "-2 is not a number from 1000"},
    {"cpuset-cpus=0;1", 0, 0, 0, 0, 0, NULL, NULL, "cpuset-cpus: \"0;1\" is not a list"},
    {"cpuset-cpus=", 0, 0, 0, 0, 0, NULL, NULL, "\"\" is not a list"},
    {"cpuset-mems=0\n", 0, 0, 0, 0, 0, NULL, NULL, "is not a list of numbers and ranges"},
};

static void test_texts(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_test_message("%s", texts[i].text);
        struct resources r = {0};
        g_autoptr(GError) err = NULL;
        gboolean ok = resources_add(&r, texts[i].text, &err) && resources_check(&r, &err);
        g_assert_cmpint(ok, ==, !texts[i].error);
        if (texts[i].error) {
            g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
            g_autofree char *said = error_text(err);
            g_assert_nonnull(strstr(said, texts[i].error));
        } else {
            g_assert_cmpint((gint64)r.memory, ==, texts[i].memory);
            g_assert_cmpint(r.memory_swap, ==, texts[i].swap);
            g_assert_cmpint(r.cpu_shares, ==, texts[i].shares);
            g_assert_cmpint(r.cpu_period, ==, texts[i].period);
            g_assert_cmpint(r.cpu_quota, ==, texts[i].quota);
            g_assert_cmpstr(r.cpuset_cpus, ==, texts[i].cpus);
            g_assert_cmpstr(r.cpuset_mems, ==, texts[i].mems);
            g_assert_cmpint(resources_any(&r), ==,
                            !g_str_has_suffix(texts[i].text, "=0") || texts[i].mems != NULL);
        }
        resources_clear(&r);
    }
}

static void test_texts_together(void)
{
    struct resources r = {0};
    g_autoptr(GError) err = NULL;
    g_assert_true(resources_add(&r, "memory-swap=1g", &err) &&
                  resources_add(&r, "memory=2g", &err));
    g_assert_false(resources_check(&r, &err));
    g_assert_nonnull(strstr(err->message, "smaller than memory"));
    g_clear_error(&err);
    g_assert_true(resources_add(&r, "memory=1g", &err) && resources_check(&r, &err));
    g_assert_true(resources_add(&r, "cpuset-cpus=0", &err) &&
                  resources_add(&r, "cpuset-cpus=1", &err));
    g_assert_cmpstr(r.cpuset_cpus, ==, "1");
    resources_clear(&r);
    g_assert_false(resources_any(&r));
}

static void test_ulimits(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct ulimit nofile = {"nofile", 123, 456}, core = {"core", 0, 0}, bad = {"nofiles", 1, 1};
    struct ulimit both[] = {nofile, core};
    f->spec.ulimits = both;
    f->spec.n_ulimits = 2;
    g_assert_cmpstr(fixture_output(f, "ulimit -Sn; ulimit -Hn; ulimit -c"), ==, "123\n456\n0");
    g_autoptr(GError) err = NULL;
    f->spec.ulimits = &bad;
    f->spec.n_ulimits = 1;
    g_assert_false(fixture_sh(f, "true", &err));
    g_assert_nonnull(strstr(err->message, "\"nofiles\""));
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    struct ulimit more = {"nofile", 10, (gint64)now.rlim_max + 1};
    f->spec.ulimits = &more;
    g_clear_error(&err);
    if (!fixture_sh(f, "true", &err)) /* refused without CAP_SYS_RESOURCE: said clearly */
        g_assert_nonnull(strstr(err->message, "setting the limit nofile"));
}

static void test_cgroup(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_autoptr(GError) err = NULL;
    f->spec.cgroup_parent = "/varve-test";
    if (!fixture_sh(f, "cat /proc/self/cgroup", &err)) {
        g_test_skip(err->message);
        return;
    }
    g_assert_nonnull(strstr(f->out->str, "0::/\n")); /* the cgroup is the root of its own view */
    rmdir("/sys/fs/cgroup/varve-test");
    rmdir("/sys/fs/cgroup/unified/varve-test");
}

/* Files of the cgroup of the sandbox that runs, as they are while it runs. */
static const struct {
    const char *text, *controller;
    const char *v1_file, *v1_value, *v2_file, *v2_value;
} limits[] = {
    {"memory=256m", "memory", "memory.limit_in_bytes", "268435456", "memory.max", "268435456"},
    {"cpu-shares=512", "cpu", "cpu.shares", "512", "cpu.weight", "20"},
    {"cpu-period=50000", "cpu", "cpu.cfs_period_us", "50000", "cpu.max", "25000 50000"},
    {"cpu-quota=25000", "cpu", "cpu.cfs_quota_us", "25000", "cpu.max", "25000 50000"},
    {"cpuset-cpus=0", "cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"},
    {"cpuset-mems=0", "cpuset", "cpuset.mems", "0", "cpuset.mems", "0"},
};

/* The path of the cgroup in the hierarchy of a controller ("" for the unified one), or NULL. */
static char *cgroup_of(int pid, const char *controller)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", pid);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, ":", 3);
        g_auto(GStrv) names = g_strsplit(parts[0] ? parts[1] : "", ",", -1);
        if (parts[0] &&
            (*names ? g_strv_contains((const char *const *)names, controller) : !*controller))
            return g_strdup(parts[2]);
    }
    return NULL;
}

static void check_limit(int pid, guint i)
{
    g_autofree char *v1 = cgroup_of(pid, limits[i].controller);
    g_autofree char *v2 = cgroup_of(pid, "");
    const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    g_autofree char *text = NULL;
    if (v1) {
        g_autofree char *file =
            g_build_filename("/sys/fs/cgroup", limits[i].controller, v1, limits[i].v1_file, NULL);
        g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    }
    for (guint k = 0; !text && k < G_N_ELEMENTS(roots); k++) {
        g_autofree char *file = g_build_filename(roots[k], v2, limits[i].v2_file, NULL);
        g_file_get_contents(file, &text, NULL, NULL);
    }
    g_assert_nonnull(text);
    g_assert_cmpstr(g_strchomp(text), ==, v1 ? limits[i].v1_value : limits[i].v2_value);
}

/* The program waits until its stdin ends. */
static void check_limits(gpointer ctx, int pid)
{
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
        check_limit(pid, i);
    int *end = ctx;
    close(*end);
    *end = -1;
}

static void test_resources(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct resources r = {0};
    g_autoptr(GError) err = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
        g_assert_true(resources_add(&r, limits[i].text, NULL));
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    f->spec.resources = &r;
    f->spec.stdin_fd = ends[0];
    f->spec.started = check_limits;
    f->spec.started_ctx = &ends[1];
    if (fixture_sh(f, "cat; nproc", &err)) {
        g_assert_cmpstr(f->out->str, ==, "1\n");
        g_assert_cmpint(ends[1], ==, -1);
    } else { /* without the right to make cgroups: said clearly */
        g_assert_nonnull(strstr(err->message, "limiting the step: "));
        g_test_skip(err->message);
        close(ends[1]);
    }
    close(ends[0]);
    resources_clear(&r);
}

static void test_too_much_memory(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct resources r = {.memory = 16 << 20};
    g_autoptr(GError) err = NULL;
    f->spec.resources = &r;
    if (fixture_sh(f, "dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?", &err))
        g_assert_cmpstr(f->out->str, ==, "137\n");
    else
        g_test_skip(err->message);
}

/* Nothing is left behind of cgroups that cannot be had. */
static void test_impossible(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct resources r = {.cpuset_cpus = g_strdup("4000")};
    g_autoptr(GError) err = NULL;
    f->spec.resources = &r;
    g_assert_false(fixture_sh(f, "true", &err));
    g_assert_nonnull(strstr(err->message, "limiting the step: "));
    g_assert_nonnull(error_next(err));
    resources_clear(&r);
    g_clear_error(&err);
    f->spec.resources = NULL;
    f->spec.cgroup_parent = "/varve/../..";
    g_assert_false(fixture_sh(f, "true", &err));
    g_assert_nonnull(strstr(err->message, "contains \"..\""));
}

static const struct {
    const char *path;
    void (*test)(struct fixture *, gconstpointer);
} tests[] = {
    {"/limits/ulimits", test_ulimits},       {"/limits/cgroup", test_cgroup},
    {"/limits/resources", test_resources},   {"/limits/too-much-memory", test_too_much_memory},
    {"/limits/impossible", test_impossible},
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/limits/texts", test_texts);
    g_test_add_func("/limits/texts-together", test_texts_together);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, struct fixture, NULL, fixture_set_up, tests[i].test,
                   fixture_tear_down);
    return g_test_run();
}
