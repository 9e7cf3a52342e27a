/* A definition in HCL: all its blocks are evaluated, and a plan is made of all targets. What the
 * plan prints must be a definition again. */
#include "bake/module.h"
#include "bake/plan.h"
#include "fuzz.h"

/* The plan of all targets as JSON, or NULL. */
static char *print_definition(struct hclfile *f)
{
    g_autoptr(GHashTable) environment = bake_map_new();
    struct module_env env = {
        .environment = environment, .cmd_context = "cwd://", .local_platform = "linux/amd64"};
    g_autoptr(module) m = module_new(&env);
    g_autoptr(bake_defs) defs = bake_defs_new();
    char *all[] = {(char[]){"*"}, NULL};
    struct place at;
    struct bake_where where;
    if (diags_has_errors(f->diags))
        return NULL;
    module_add(m, f, NULL);
    if (!module_load(m, defs, &at, NULL))
        return NULL;
    g_autoptr(overrides) none = overrides_new(NULL, defs, environment, NULL);
    g_autoptr(bake_plan) plan = bake_plan_new(defs, none, all, NULL, &where, NULL);
    return plan ? bake_plan_json(plan) : NULL;
}

/* Whether some text would be a template when it is read again: as with Docker only some attributes
 * are printed with "$${" and "%%{". */
static gboolean has_templates(const char *json)
{
    for (const char *c = json; *c; c++) {
        if ((*c == '$' || *c == '%') && c[1] == c[0] && c[2] == '{')
            c += 2;
        else if ((*c == '$' || *c == '%') && c[1] == '{')
            return TRUE;
    }
    return FALSE;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    if (size > 1 << 16)
        return 0;
    g_autoptr(hclfile) f = hclfile_parse("docker-bake.hcl", data, size);
    g_autofree char *first = print_definition(f);
    if (first && !has_templates(first)) {
        g_autoptr(hclfile) again =
            hcljson_parse("docker-bake.json", first, strlen(first), module_schema);
        g_assert_false(diags_has_errors(again->diags));
        g_free(print_definition(again));
    }
    return 0;
}
