#include "registry/credential.h"

#include "base/error.h"
#include "registry/authfile.h"
#include "registry/helper.h"

#include <string.h>

void credential_free(struct credential *c)
{
    if (!c)
        return;
    g_free(c->username);
    if (c->secret)
        explicit_bzero(c->secret, strlen(c->secret));
    g_free(c->secret);
    g_free(c->identity_token);
    g_free(c->registry_token);
    g_free(c->source);
    g_free(c->problem);
    g_free(c);
}

static const char *env(const char *name)
{
    const char *value = g_getenv(name);
    return value && *value ? value : NULL;
}

char *credential_docker_file(void)
{
    const char *folder = env("DOCKER_CONFIG");
    return folder ? g_build_filename(folder, "config.json", NULL)
                  : g_build_filename(g_get_home_dir(), ".docker", "config.json", NULL);
}

static const char *override_file(const struct registry_config *config)
{
    return config && config->auth_file ? config->auth_file : env("REGISTRY_AUTH_FILE");
}

/* Paths to look into, in order. */
static GPtrArray *list_files(const struct registry_config *config)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    const char *only = override_file(config);
    if (only) {
        g_ptr_array_add(files, g_strdup(only));
        return files;
    }
    const char *runtime = env("XDG_RUNTIME_DIR"), *user = env("XDG_CONFIG_HOME");
    g_ptr_array_add(files, credential_docker_file());
    if (runtime)
        g_ptr_array_add(files, g_build_filename(runtime, "containers", "auth.json", NULL));
    if (user)
        g_ptr_array_add(files, g_build_filename(user, "containers", "auth.json", NULL));
    else
        g_ptr_array_add(
            files, g_build_filename(g_get_home_dir(), ".config", "containers", "auth.json", NULL));
    return files;
}

static void note_problem(struct credential *out, const GError *err)
{
    if (!out->problem)
        out->problem = g_strdup(err->message);
}

static gboolean ask_helper(const struct authfile *f, const char *host, const char *repository,
                           struct cancel *c, struct credential *out)
{
    g_autofree char *server = NULL;
    g_autoptr(GError) err = NULL;
    g_auto(helper_login) login = {0};
    const char *helper = authfile_helper(f, host, repository, &server);
    if (!helper)
        return FALSE;
    if (!helper_get(helper, server, c, &login, &err)) {
        note_problem(out, err);
        return FALSE;
    }
    if (!login.secret)
        return FALSE;
    if (strcmp(login.username, "<token>") == 0) {
        out->identity_token = g_steal_pointer(&login.secret);
    } else {
        out->username = g_steal_pointer(&login.username);
        out->secret = g_steal_pointer(&login.secret);
    }
    out->source = g_strconcat("docker-credential-", helper, NULL);
    return TRUE;
}

static gboolean look_into(struct authfile *f, const char *host, const char *repository,
                          struct cancel *c, struct credential *out)
{
    return authfile_entry(f, host, repository, out) || ask_helper(f, host, repository, c, out);
}

static gboolean look_into_env(const char *host, const char *repository, struct cancel *c,
                              struct credential *out)
{
    const char *text = env("DOCKER_AUTH_CONFIG");
    if (!text)
        return FALSE;
    g_autoptr(GError) err = NULL;
    g_autoptr(authfile) f = authfile_parse(text, strlen(text), "$DOCKER_AUTH_CONFIG", &err);
    if (!f)
        note_problem(out, err);
    return f && look_into(f, host, repository, c, out);
}

struct credential *credential_find(const struct registry_config *config, const char *host,
                                   const char *repository, struct cancel *c)
{
    struct credential *out = g_new0(struct credential, 1);
    if (!override_file(config) && look_into_env(host, repository, c, out))
        return out;
    g_autoptr(GPtrArray) files = list_files(config);
    for (guint i = 0; i < files->len; i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(authfile) f = authfile_open(g_ptr_array_index(files, i), &err);
        if (!f)
            note_problem(out, err);
        else if (look_into(f, host, repository, c, out))
            break;
    }
    return out;
}

static struct authfile *open_for_change(const struct registry_config *config, GError **err)
{
    const char *only = override_file(config);
    g_autofree char *path = only ? g_strdup(only) : credential_docker_file();
    return authfile_open(path, err);
}

gboolean credential_store(const struct registry_config *config, const char *host,
                          const char *username, const char *secret, struct cancel *c, GError **err)
{
    g_autoptr(authfile) f = open_for_change(config, err);
    g_autofree char *server = NULL;
    const char *helper = f ? authfile_helper(f, host, "", &server) : NULL;
    if (!f)
        return FALSE;
    if (strchr(username, ':'))
        return error_set(err, VARVE_ERROR_USAGE, "a user name must not hold a colon");
    if (!helper)
        return authfile_write_entry(f, host, username, secret, NULL, err);
    struct helper_login login = {(char *)username, (char *)secret};
    return helper_store(helper, server, &login, c, err);
}

gboolean credential_erase(const struct registry_config *config, const char *host, gboolean *found,
                          struct cancel *c, GError **err)
{
    g_autoptr(authfile) f = open_for_change(config, err);
    if (!f)
        return FALSE;
    g_autofree char *server = NULL;
    g_auto(helper_login) login = {0};
    const char *helper = authfile_helper(f, host, "", &server);
    gboolean in_file = FALSE;
    if (helper && (!helper_get(helper, server, c, &login, err) ||
                   (login.secret && !helper_erase(helper, server, c, err))))
        return FALSE;
    gboolean ok = authfile_write_entry(f, host, NULL, NULL, &in_file, err);
    if (found)
        *found = in_file || login.secret;
    return ok;
}
