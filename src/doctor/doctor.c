#include "doctor/probes.h"

#include "base/error.h"

static void finding_free(gpointer data)
{
    struct finding *f = data;
    g_free(f->found);
    g_free(f->remedy);
    g_free(f);
}

void finding_add(GPtrArray *to, struct finding f)
{
    if (f.state == FINDING_OK)
        g_clear_pointer(&f.remedy, g_free);
    g_ptr_array_add(to, g_memdup2(&f, sizeof f));
}

void finding_add_error(GPtrArray *to, struct finding f, char *remedy, GError **why)
{
    f.found = g_strdup((*why)->message);
    f.remedy = remedy ? remedy : g_strdup(error_next(*why));
    finding_add(to, f);
    g_clear_error(why);
}

GPtrArray *doctor_examine(const struct doctor_options *o)
{
    GPtrArray *findings = g_ptr_array_new_with_free_func(finding_free);
    probe_kernel(findings);
    gboolean inside = probe_user_namespace(findings);
    probe_storage(findings, o->root, inside);
    if (inside)
        probe_sandboxes(findings);
    probe_programs(findings, o->ca_file);
    return findings;
}

gboolean doctor_builds_run(const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++) {
        const struct finding *f = findings->pdata[i];
        if (f->needed && f->state == FINDING_MISSING)
            return FALSE;
    }
    return TRUE;
}
