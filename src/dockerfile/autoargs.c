#include "dockerfile/autoargs.h"

static void each_of(const char *prefix, const struct platform *p, autoargs_fn fn, gpointer ctx)
{
    g_autofree char *all = platform_text(p);
    const char *const parts[][2] = {{"PLATFORM", all},
                                    {"OS", p->os},
                                    {"OSVERSION", ""},
                                    {"ARCH", p->arch},
                                    {"VARIANT", p->variant}};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *name = g_strconcat(prefix, parts[i][0], NULL);
        fn(ctx, name, parts[i][1]);
    }
}

void autoargs_each(const struct dockerfile *df, const struct platform *build,
                   const struct platform *wanted, const char *target, autoargs_fn fn, gpointer ctx)
{
    const char *stage = target && *target ? target : df->stages[df->n_stages - 1].name;
    each_of("BUILD", build, fn, ctx);
    each_of("TARGET", wanted, fn, ctx);
    fn(ctx, "TARGETSTAGE", stage ? stage : "default");
}
