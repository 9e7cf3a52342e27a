#include "build/config.h"

#include "base/error.h"
#include "build/userenv.h"

#include <string.h>

static gboolean bad_key(const char *file, const char *group, const char *key, const char *why,
                        GError **err)
{
    error_set(err, VARVE_ERROR_USAGE, "%s: [%s] %s %s", file, group, key, why);
    error_add_next(err, "man varve lists the keys of varve.conf");
    return FALSE;
}

static gboolean take_number(GKeyFile *kf, const char *file, const char *key, guint *out,
                            GError **err)
{
    GError *local = NULL;
    int n = g_key_file_get_integer(kf, "registry", key, &local);
    if (local || n < 1 || n > 3600) {
        g_clear_error(&local);
        return bad_key(file, "registry", key, "must be a number from 1 to 3600", err);
    }
    *out = n;
    return TRUE;
}

static void take_config_text(GKeyFile *kf, const char *key, char **out)
{
    g_free(*out);
    *out = g_key_file_get_string(kf, "registry", key, NULL);
}

static void take_insecure(GKeyFile *kf, struct registry_config *c)
{
    g_auto(GStrv) hosts = g_key_file_get_string_list(kf, "registry", "insecure", NULL, NULL);
    for (char **h = hosts; h && *h; h++)
        g_hash_table_add(c->insecure, g_strdup(*h));
}

static gboolean take_registry_key(GKeyFile *kf, const char *file, const char *key,
                                  struct registry_config *c, GError **err)
{
    if (g_str_equal(key, "insecure"))
        take_insecure(kf, c);
    else if (g_str_equal(key, "auth-file"))
        take_config_text(kf, key, &c->logins.only);
    else if (g_str_equal(key, "ca-file"))
        take_config_text(kf, key, &c->trust.extra);
    else if (g_str_equal(key, "tries"))
        return take_number(kf, file, key, &c->patience.tries, err);
    else if (g_str_equal(key, "max-wait"))
        return take_number(kf, file, key, &c->patience.max_wait_s, err);
    else if (g_str_equal(key, "stall"))
        return take_number(kf, file, key, &c->stall_s, err);
    else
        return bad_key(file, "registry", key, "is unknown", err);
    return TRUE;
}

static void take_mirror(GKeyFile *kf, const char *host, struct registry_config *c)
{
    g_auto(GStrv) urls = g_key_file_get_string_list(kf, "mirrors", host, NULL, NULL);
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    for (char **u = urls; u && *u; u++)
        g_ptr_array_add(list, g_strdup(*u));
    g_hash_table_insert(c->mirrors, g_strdup(host), list);
}

static gboolean take_run_key(GKeyFile *kf, const char *file, const char *key,
                             struct build_config *c, GError **err)
{
    g_autofree char *value = g_key_file_get_string(kf, "run", key, NULL);
    if (!g_str_equal(key, "network"))
        return bad_key(file, "run", key, "is unknown", err);
    if (!value || (!g_str_equal(value, "private") && !g_str_equal(value, "host")))
        return bad_key(file, "run", key, "must be private or host", err);
    c->network = g_str_equal(value, "host") ? NETPOOL_HOST : NETPOOL_PRIVATE;
    return TRUE;
}

static gboolean take_group(GKeyFile *kf, const char *file, const char *group,
                           struct build_config *c, GError **err)
{
    gboolean run = g_str_equal(group, "run"), mirrors = g_str_equal(group, "mirrors");
    if (!run && !mirrors && !g_str_equal(group, "registry"))
        return bad_key(file, group, "", "is unknown", err);
    g_auto(GStrv) keys = g_key_file_get_keys(kf, group, NULL, NULL);
    for (char **k = keys; k && *k; k++) {
        if (mirrors)
            take_mirror(kf, *k, c->registry);
        else if (run ? !take_run_key(kf, file, *k, c, err)
                     : !take_registry_key(kf, file, *k, c->registry, err))
            return FALSE;
    }
    return TRUE;
}

/* A file that does not exist is no error, unless it was named. */
static gboolean read_config_file(const char *file, gboolean named, struct build_config *c,
                                 GError **err)
{
    g_autoptr(GKeyFile) kf = g_key_file_new();
    GError *local = NULL;
    if (!g_key_file_load_from_file(kf, file, G_KEY_FILE_NONE, &local)) {
        gboolean missing = g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        if (missing && !named) {
            g_error_free(local);
            return TRUE;
        }
        error_set(err, VARVE_ERROR_USAGE, "cannot read the configuration %s: %s", file,
                  local->message);
        g_error_free(local);
        return FALSE;
    }
    g_auto(GStrv) groups = g_key_file_get_groups(kf, NULL);
    for (char **g = groups; *g; g++)
        if (!take_group(kf, file, *g, c, err))
            return FALSE;
    return TRUE;
}

static gboolean read_files(char **env, const char *one, struct build_config *c, GError **err)
{
    if (one && *one)
        return read_config_file(one, TRUE, c, err);
    g_autofree char *own = userenv_config_file(env);
    return read_config_file("/etc/varve/varve.conf", FALSE, c, err) &&
           read_config_file(own, FALSE, c, err);
}

gboolean build_config_load(struct build_config *c, char **env, const char *file,
                           struct event_sink *events, GError **err)
{
    GError *local = NULL;
    g_autofree char *conf = userenv_registries_conf(env);
    *c = (struct build_config){.registry = registry_config_new()};
    userenv_registry(env, c->registry);
    /* Another program's file: what was read stays. */
    if (!registry_config_load_containers(c->registry, conf, &local)) {
        g_autofree char *why = error_text(local);
        event_warn(events, "%s", why);
        g_error_free(local);
    }
    if (userenv_snapshots(env, &c->snapshots, err) && read_files(env, file, c, err))
        return TRUE;
    build_config_clear(c);
    return FALSE;
}

void build_config_clear(struct build_config *c)
{
    registry_config_free(c->registry);
    *c = (struct build_config){0};
}
