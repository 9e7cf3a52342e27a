#include "doctor/doctor.h"
#include "doctor/probes.h"

#include "base/error.h"

static GPtrArray *findings;

static void add(enum finding_state state, gboolean needed)
{
    finding_add(findings, (struct finding){.name = "x",
                                           .state = state,
                                           .needed = needed,
                                           .found = g_strdup("found"),
                                           .remedy = g_strdup("do")});
}

/* Only what is needed and missing keeps builds from running. */
static void test_builds_run(void)
{
    findings = g_ptr_array_new();
    add(FINDING_OK, TRUE);
    add(FINDING_LIMITED, TRUE);
    add(FINDING_MISSING, FALSE);
    g_assert_true(doctor_builds_run(findings));
    add(FINDING_MISSING, TRUE);
    g_assert_false(doctor_builds_run(findings));
    g_ptr_array_unref(findings);
}

static void test_remedies(void)
{
    findings = g_ptr_array_new();
    add(FINDING_OK, FALSE);
    const struct finding *f = findings->pdata[0];
    g_assert_null(f->remedy); /* there is nothing to do */
    GError *why = NULL;
    error_set(&why, VARVE_ERROR_DENIED, "refused");
    error_add_next(&why, "ask again");
    finding_add_error(findings, (struct finding){.name = "y", .state = FINDING_MISSING}, NULL,
                      &why);
    f = findings->pdata[1];
    g_assert_null(why);
    g_assert_cmpstr(f->found, ==, "refused");
    g_assert_cmpstr(f->remedy, ==, "ask again");
    g_ptr_array_unref(findings);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/doctor/builds-run", test_builds_run);
    g_test_add_func("/doctor/remedies", test_remedies);
    return g_test_run();
}
