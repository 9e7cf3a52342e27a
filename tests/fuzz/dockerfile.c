/* A Dockerfile through all that reads it: parser, dumps, checks, outline, lowering. Base images
 * come from nowhere. */
#include "fuzz.h"

#include "base/error.h"
#include "dockerfile/dump.h"
#include "graph/lower.h"
#include "lint/dump.h"

#include <string.h>

static gboolean resolve(struct image_resolver *self, enum context_kind kind, const char *ref,
                        const struct platform *p, struct resolved_image *out, GError **err)
{
    if (strstr(ref, "missing"))
        return error_set(err, VARVE_ERROR_NOT_FOUND, "cannot pull %s", ref);
    struct digest d = {{1}};
    struct image_conf *c = image_conf_new(p);
    image_conf_add_history(c, "base", FALSE);
    g_array_append_val(c->diff_ids, d);
    image_conf_setenv(c, "FROMBASE", "1");
    if (strstr(ref, "onbuild")) {
        g_ptr_array_add(c->onbuild, g_strdup("COPY --from=tools /t /t"));
        g_ptr_array_add(c->onbuild, g_strdup("RUN echo $A"));
    }
    *out = (struct resolved_image){g_strdup(ref), d, c};
    return TRUE;
}

static void check_rest(const struct dockerfile *df, struct diags *d)
{
    struct image_resolver resolver = {.resolve = resolve};
    struct lower_options lo = {.resolver = &resolver, .all_stages = TRUE, .allow_insecure = TRUE};
    platform_parse(&lo.platform, "linux/amd64", NULL);
    lo.build_platform = lo.platform;
    struct lint_options o = {.platform = lo.platform, .build_platform = lo.platform};
    g_autoptr(lowered) l = lower(df, &lo, d, NULL);
    if (l) {
        g_autofree char *json = graph_dump_json(l->graph), *dot = graph_dump_dot(l->graph);
        o.bases = l->bases;
        g_assert_true(l->graph->vertices->len == 0 || l->result || l->conf);
    } else {
        g_assert_true(diags_has_errors(d));
    }
    g_autoptr(lint_report) r = lint_run(df, &o, NULL);
    g_autoptr(outline) x = outline_new(df, &o, NULL);
    g_assert_true(r && x);
    json_decref(lint_report_json(r, df, d, NULL));
    json_decref(outline_json(x, d->source));
    json_decref(targets_json(df, d->source));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(data, size, "Dockerfile", d);
    g_assert_true(df || diags_has_errors(d));
    if (df)
        json_decref(dockerfile_json(df));
    if (df && !diags_has_errors(d))
        check_rest(df, d);
    g_autofree char *text = diags_render(d, DIAG_RENDER_CONTEXT | DIAG_RENDER_COLOR);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    return 0;
}
