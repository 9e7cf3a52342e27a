/* Compose files, their .env and a file that they may extend or include: parts of the input,
 * separated by lines "---8<---". Targets are complete, and reading them again says the same. */
#include "fuzz.h"

#include "bake/compose.h"
#include "base/error.h"

#include <string.h>

static GBytes *read_part(gpointer self, const char *path, GError **err)
{
    char **parts = self;
    gboolean env = g_str_has_suffix(path, ".env");
    guint n = g_strv_length(parts), want = env ? 1 : 2;
    if (want < n)
        return g_bytes_new(parts[want], strlen(parts[want]));
    error_set(err, VARVE_ERROR_NOT_FOUND, "reading %s: No such file or directory", path);
    return NULL;
}

static void check_targets(const struct bake_defs *defs)
{
    for (guint i = 0; i < defs->targets->len; i++) {
        struct bake_target *t = g_ptr_array_index(defs->targets, i);
        g_assert_true(t->name && *t->name && !strchr(t->name, '.'));
        bake_target_normalise(t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_auto(GStrv) parts = g_strsplit(text, "---8<---\n", 3);
    g_autoptr(GHashTable) env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert(env, g_strdup("A"), g_strdup("value"));
    g_hash_table_insert(env, g_strdup("EMPTY"), g_strdup(""));
    gboolean several = parts[0] != NULL;
    g_autoptr(GBytes) bytes =
        several ? g_bytes_new(parts[0], strlen(parts[0])) : g_bytes_new(data, size);
    struct compose_file file = {"compose.yaml", bytes};
    struct compose_source source = {&file, 1, env, "/root", read_part, parts};
    g_autoptr(compose) c = compose_new();
    g_autoptr(bake_defs) defs = bake_defs_new();
    g_autoptr(GError) err = NULL;
    c->pool->max_values = 5000;
    gboolean ok = compose_load(c, &source, defs, &err);
    g_assert_true(ok == (err == NULL));
    if (ok)
        check_targets(defs);
    if (err && c->pool->at.diags) {
        diags_gerror(c->pool->at.diags, c->pool->at.span, err);
        g_autofree char *shown = diags_render(c->pool->at.diags, 0);
        g_assert_true(g_utf8_validate(shown, -1, NULL));
    }
    return 0;
}
