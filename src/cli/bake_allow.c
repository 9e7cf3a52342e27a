#include "cli/bake_allow.h"

#include "bake/allow.h"
#include "base/boolean.h"
#include "base/error.h"
#include "base/shellword.h"
#include "cli/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a need means to whoever has to decide. */
static char *need_meaning(const struct bake_need *n)
{
    static const char *const meanings[][2] = {
        {"network.host", "this machine's network"},
        {"security.insecure", "steps that are not confined"},
        {"ssh", "an ssh agent or key"},
        {"device", "devices of this machine"},
    };
    const char *path = strchr(n->flag, '=');
    if (g_str_has_prefix(n->flag, "fs."))
        return g_strconcat(g_str_has_prefix(n->flag, "fs.read") ? "to read " : "to write ",
                           path + 1, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(meanings); i++)
        if (g_str_has_prefix(n->flag, meanings[i][0]))
            return g_strdup(meanings[i][1]);
    return g_strdup(n->flag);
}

/* One line for each: "--allow network.host   target app wants this machine's network". */
static char *needs_text(const GPtrArray *needs)
{
    GString *text = g_string_new(NULL);
    int width = 0;
    for (guint i = 0; i < needs->len; i++)
        width = MAX(width, (int)strlen(((struct bake_need *)needs->pdata[i])->flag));
    for (guint i = 0; i < needs->len; i++) {
        const struct bake_need *n = needs->pdata[i];
        g_autofree char *meaning = need_meaning(n);
        g_string_append_printf(text, "  %-*s  target %s wants %s\n", MIN(width, 40), n->flag,
                               n->target, meaning);
    }
    g_autofree char *raw = g_string_free(text, FALSE);
    return report_safe(raw);
}

/* The same command with an --allow for each need. */
static char *allowing_command(const GPtrArray *needs, char **words)
{
    GString *text = g_string_new("varve bake");
    for (guint i = 0; i < needs->len; i++) {
        g_autofree char *word = shell_word(((struct bake_need *)needs->pdata[i])->flag);
        g_string_append_printf(text, " --allow %s", word);
    }
    for (char **w = words + 1; words[0] && *w; w++) {
        g_autofree char *word = shell_word(*w);
        g_string_append_printf(text, " %s", word);
    }
    return g_string_free(text, FALSE);
}

/* On a terminal the needs are shown, and this is asked. */
static gboolean user_agrees(const GPtrArray *needs)
{
    char answer[16];
    g_autofree char *text = needs_text(needs);
    fprintf(stderr,
            "This definition asks for more than its files may take on their own:\n%s"
            "Allow this? [y/N] ",
            text);
    return fgets(answer, sizeof answer, stdin) && g_ascii_tolower(answer[0]) == 'y';
}

static gboolean refuse_needs(const GPtrArray *needs, char **words, gboolean shown, GError **err)
{
    g_autofree char *text = shown ? NULL : needs_text(needs);
    g_autofree char *command = allowing_command(needs, words);
    if (text)
        error_set(err, VARVE_ERROR_DENIED,
                  "this definition asks for more than its files may take on their own:\n%s",
                  g_strchomp(text));
    else
        error_set(err, VARVE_ERROR_DENIED, "nothing was built: what it asks for was not allowed");
    error_add_next(err, "if you trust it: %s", command);
    return FALSE;
}

static gboolean environment_bool(const struct bake *b, const char *name, gboolean *on, GError **err)
{
    const char *text = g_hash_table_lookup(b->options->environment, name);
    if (!text || !*text || boolean_parse(text, on))
        return TRUE;
    return error_set(err, VARVE_ERROR_USAGE, "%s=%s: must be true or false", name, text);
}

gboolean bake_ask_allowed(const struct bake *b, char **allowed, char **words, GError **err)
{
    gboolean paths = TRUE;
    if (!environment_bool(b, "BUILDX_BAKE_ENTITLEMENTS_FS", &paths, err))
        return FALSE;
    g_autofree char *dir = g_get_current_dir();
    g_autoptr(GPtrArray) needs = bake_needs(b->plan, dir, allowed, paths, err);
    if (!needs)
        return FALSE;
    if (needs->len == 0)
        return TRUE;
    gboolean ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    return (ask && user_agrees(needs)) || refuse_needs(needs, words, ask, err);
}
