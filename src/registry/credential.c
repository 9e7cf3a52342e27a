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

static void note_problem(struct credential *out, const GError *err)
{
    if (!out->problem)
        out->problem = g_strdup(err->message);
}

/* A login that is looked for. */
struct search {
    const struct login_places *places;
    const char *host, *repository;
    struct cancel *cancel;
    struct credential *out;
};

static gboolean ask_helper(const struct search *s, const struct authfile *f)
{
    struct credential *out = s->out;
    g_autofree char *server = NULL;
    g_autoptr(GError) err = NULL;
    g_auto(helper_login) login = {0};
    const char *helper = authfile_helper(f, s->host, s->repository, &server);
    if (!helper)
        return FALSE;
    if (!helper_get(helper, server, s->places->env, s->cancel, &login, &err)) {
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

static gboolean look_into(const struct search *s, const struct authfile *f)
{
    return authfile_entry(f, s->host, s->repository, s->out) || ask_helper(s, f);
}

static gboolean look_into_text(const struct search *s)
{
    const char *text = s->places->text;
    g_autoptr(GError) err = NULL;
    g_autoptr(authfile) f = authfile_parse(text, strlen(text), "$DOCKER_AUTH_CONFIG", &err);
    if (!f)
        note_problem(s->out, err);
    return f && look_into(s, f);
}

static gboolean look_into_file(const struct search *s, const char *path)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(authfile) f = authfile_open(path, &err);
    if (!f)
        note_problem(s->out, err);
    return f && look_into(s, f);
}

static void look_into_places(const struct search *s)
{
    if (s->places->only) {
        look_into_file(s, s->places->only);
        return;
    }
    if (s->places->text && look_into_text(s))
        return;
    for (char **file = s->places->files; file && *file; file++)
        if (look_into_file(s, *file))
            return;
}

struct credential *credential_find(const struct registry_config *config, const char *host,
                                   const char *repository, struct cancel *c)
{
    struct credential *out = g_new0(struct credential, 1);
    g_autoptr(GError) err = NULL;
    if (!config)
        return out;
    const struct search s = {&config->logins, host, repository, c, out};
    if (!config->login.find)
        look_into_places(&s);
    else if (!config->login.find(config->login.ctx, host, repository, out, &err))
        note_problem(out, err);
    return out;
}

static struct authfile *open_for_change(const struct registry_config *config, GError **err)
{
    const struct login_places *p = config && !config->login.find ? &config->logins : NULL;
    const char *path = !p ? NULL : p->only ? p->only : p->files ? *p->files : NULL;
    if (path)
        return authfile_open(path, err);
    error_set(err, VARVE_ERROR_UNSUPPORTED, "there is no file here to keep logins in");
    return NULL;
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
    return helper_store(helper, server, config->logins.env, &login, c, err);
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
    if (helper && (!helper_get(helper, server, config->logins.env, c, &login, err) ||
                   (login.secret && !helper_erase(helper, server, config->logins.env, c, err))))
        return FALSE;
    gboolean ok = authfile_write_entry(f, host, NULL, NULL, &in_file, err);
    if (found)
        *found = in_file || login.secret;
    return ok;
}
