#include "cli/bake_remote.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/report.h"

#include <string.h>

static void bytes_free(gpointer p)
{
    g_bytes_unref(p);
}

static GHashTable *git_secrets(GHashTable *environment)
{
    static const char *const names[][2] = {
        {"BUILDX_BAKE_GIT_AUTH_TOKEN", "GIT_AUTH_TOKEN"},
        {"BUILDX_BAKE_GIT_AUTH_HEADER", "GIT_AUTH_HEADER"},
    };
    GHashTable *secrets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bytes_free);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = g_hash_table_lookup(environment, names[i][0]);
        if (value && *value)
            g_hash_table_insert(secrets, g_strdup(names[i][1]), g_bytes_new(value, strlen(value)));
    }
    return secrets;
}

/* The agent for repositories over ssh: the first socket of BUILDX_BAKE_GIT_SSH, a list with commas;
 * else the user's. *agent: the caller's, or NULL. */
static gboolean find_agent(GHashTable *environment, char **agent, GError **err)
{
    const char *list = g_hash_table_lookup(environment, "BUILDX_BAKE_GIT_SSH");
    struct stat st;
    if (!list || !*list) {
        *agent = g_strdup(g_hash_table_lookup(environment, "SSH_AUTH_SOCK"));
        return TRUE;
    }
    g_auto(GStrv) paths = g_strsplit(list, ",", -1);
    for (char **p = paths; *p; p++)
        if (stat(*p, &st) == 0 && S_ISSOCK(st.st_mode)) {
            *agent = g_strdup(*p);
            return TRUE;
        }
    error_set(err, VARVE_ERROR_USAGE, "BUILDX_BAKE_GIT_SSH=%s: no socket of an ssh agent", list);
    error_add_next(err, "start one (eval $(ssh-agent); ssh-add) and name its SSH_AUTH_SOCK");
    return FALSE;
}

static gboolean fetch_definition(struct bake_place *p, const char *url, GHashTable *environment,
                                 GError **err)
{
    struct build_config config = {0};
    g_autofree char *agent = NULL;
    g_auto(GStrv) env = g_get_environ();
    if (!find_agent(environment, &agent, err) || !configured(&config, err))
        return FALSE;
    p->secrets = git_secrets(environment);
    p->store = open_store(err);
    struct remotes_options o = {.store = p->store,
                                .registry = config.registry,
                                .env = env,
                                .events = report_sink(),
                                .cancel = interrupt_watch(),
                                .secrets = p->secrets,
                                .ssh_agent = agent,
                                .token_option = "BUILDX_BAKE_GIT_AUTH_TOKEN=TOKEN"};
    if (p->store)
        p->remote = bake_remote_fetch(&o, url, err);
    build_config_clear(&config);
    return p->remote != NULL;
}

static void note_unused_files(const struct bake_remote *r, char **files)
{
    for (char **f = files; r->file && f && *f; f++)
        if (!g_str_has_prefix(*f, "cwd://"))
            report_note("%s is one file; -f %s has no effect", r->shown, *f);
}

gboolean bake_place_open(struct bake_place *p, char **words, char **files, GHashTable *environment,
                         GError **err)
{
    *p = (struct bake_place){.targets = words};
    if (!words[0] || !bake_remote_is(words[0]))
        return TRUE;
    p->targets = words + 1;
    if (words[1] && bake_remote_is(words[1])) {
        p->cmd_context = words[1];
        p->targets = words + 2;
    }
    if (!fetch_definition(p, words[0], environment, err))
        return FALSE;
    note_unused_files(p->remote, files);
    return TRUE;
}

void bake_place_close(struct bake_place *p)
{
    bake_remote_free(p->remote);
    store_close(p->store);
    g_clear_pointer(&p->secrets, g_hash_table_unref);
    *p = (struct bake_place){0};
}
