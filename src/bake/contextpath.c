#include "bake/contextpath.h"

#include "base/path.h"
#include "text/giturl.h"

#include <string.h>

gboolean bake_context_is_path(const char *context)
{
    static const char *const schemes[] = {"http://",         "https://",      "git://",  "ssh://",
                                          "docker-image://", "oci-layout://", "target:", "cwd://",
                                          "service:",        "github.com/"};
    giturl *git = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(context, schemes[i]))
            return FALSE;
    gboolean path = giturl_parse(context, &git, NULL) == GITURL_NONE;
    giturl_free(git);
    return path && !g_str_equal(context, "-");
}

static char *rebased(const char *path, const char *dir)
{
    if (!*path || g_path_is_absolute(path) || !bake_context_is_path(path))
        return g_strdup(path);
    return g_build_filename(dir, path, NULL);
}

void bake_target_rebase(struct bake_target *t, const char *dir)
{
    g_free(t->dir);
    t->dir = g_strdup(dir);
    if (t->context) {
        char *path = rebased(t->context, dir);
        g_free(t->context);
        t->context = path;
    }
    if (!t->contexts)
        return;
    GHashTableIter it;
    gpointer value;
    g_hash_table_iter_init(&it, t->contexts);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        char *path = rebased(value, dir);
        g_hash_table_iter_replace(&it, path);
    }
}

char *bake_context_clean(const char *context)
{
    giturl *git = NULL;
    if (g_str_has_prefix(context, "cwd://"))
        return path_clean(context + strlen("cwd://"));
    gboolean remote = giturl_is_web(context) || giturl_parse(context, &git, NULL) != GITURL_NONE;
    giturl_free(git);
    return remote ? g_strdup(context) : path_clean(context);
}
