#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/path.h"
#include "cli/arguments.h"
#include "cli/proxies.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "exec/hostca.h"
#include "graph/imageconf.h"
#include "text/duration.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_ENV_FILE (1 << 20)

/* Sets or replaces a variable, in place. */
static void set_env(GPtrArray *env, const char *name, gsize len, const char *value)
{
    char *text = g_strdup_printf("%.*s=%s", (int)len, name, value);
    for (guint i = 0; i < env->len; i++) {
        char **at = (char **)&g_ptr_array_index(env, i);
        if (strncmp(*at, text, len + 1) != 0)
            continue;
        g_free(*at);
        *at = text;
        return;
    }
    g_ptr_array_add(env, text);
}

static gboolean has_env(GPtrArray *env, const char *name)
{
    gsize len = strlen(name);
    for (guint i = 0; i < env->len; i++) {
        const char *at = g_ptr_array_index(env, i);
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return TRUE;
    }
    return FALSE;
}

/* "K=V", or "K": the value varve itself has, if any. */
static gboolean add_env(GPtrArray *env, const char *text, const char *where, GError **err)
{
    const char *eq = strchr(text, '=');
    gsize len = eq ? (gsize)(eq - text) : strlen(text);
    if (len == 0 || memchr(text, ' ', len))
        return error_set(err, VARVE_ERROR_USAGE, "%s: \"%s\" is not NAME=VALUE", where, text);
    const char *value = eq ? eq + 1 : g_getenv(text);
    if (value)
        set_env(env, text, len, value);
    return TRUE;
}

static const char bom[] = "\xef\xbb\xbf";

/* Docker's format: a variable per line, "#" begins a comment line, values are taken as they are. */
static gboolean add_env_file(GPtrArray *env, const char *path, GError **err)
{
    g_autoptr(GBytes) bytes = fs_read_stream(path, MAX_ENV_FILE, err);
    if (!bytes) {
        g_prefix_error(err, "--env-file: ");
        return FALSE;
    }
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_auto(GStrv) lines =
        g_strsplit(text + (g_str_has_prefix(text, bom) ? strlen(bom) : 0), "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strchug(lines[i]);
        gsize len = strlen(line);
        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        g_autofree char *where = g_strdup_printf("--env-file %s:%u", path, i + 1);
        if (*line && *line != '#' && !add_env(env, line, where, err))
            return FALSE;
    }
    return TRUE;
}

gboolean run_add_env(const struct run_options *o, GPtrArray *env, GError **err)
{
    for (char **f = o->env_files; f && *f; f++)
        if (!add_env_file(env, *f, err))
            return FALSE;
    for (char **e = o->env; e && *e; e++)
        if (!add_env(env, *e, "-e", err))
            return FALSE;
    return TRUE;
}

/* As of Docker's client: they win over the image's variables and lose against -e. */
static void add_proxies(GPtrArray *env)
{
    g_auto(GStrv) lines = configured_proxies();
    for (char **l = lines; *l; l++)
        set_env(env, *l, strcspn(*l, "="), strchr(*l, '=') + 1);
}

static gboolean make_env(struct run *r, GError **err)
{
    GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
    if (r->o->tty)
        g_ptr_array_add(env, g_strdup("TERM=xterm"));
    g_ptr_array_add(env, g_strconcat("HOSTNAME=", r->hostname, NULL));
    for (guint i = 0; i < r->conf->env->len; i++)
        if (!add_env(env, g_ptr_array_index(r->conf->env, i), "the image's environment", err))
            break;
    add_proxies(env);
    gboolean ok = (!err || !*err) && run_add_env(r->o, env, err);
    if (ok && !has_env(env, "PATH"))
        g_ptr_array_add(env, g_strdup("PATH=" IMAGE_DEFAULT_PATH));
    g_ptr_array_add(env, NULL);
    g_ptr_array_set_free_func(env, NULL);
    r->env = (char **)g_ptr_array_free(env, FALSE);
    if (!ok || !r->o->host_ca)
        return ok;
    char **with_ca = hostca_env((const char *const *)r->env);
    g_strfreev(r->env);
    r->env = with_ca;
    return TRUE;
}

/* Docker's rule: a command replaces Cmd; --entrypoint replaces Entrypoint and drops Cmd. */
static gboolean make_args(struct run *r, GError **err)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    const char *entrypoint = r->o->entrypoint;
    if (entrypoint && *entrypoint)
        g_strv_builder_add(b, entrypoint);
    else if (!entrypoint && r->conf->entrypoint)
        g_strv_builder_addv(b, (const char **)r->conf->entrypoint);
    if (r->command[0])
        g_strv_builder_addv(b, (const char **)r->command);
    else if (!entrypoint && r->conf->cmd)
        g_strv_builder_addv(b, (const char **)r->conf->cmd);
    r->args = g_strv_builder_end(b);
    if (r->args[0])
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "%s names no command to run", r->name);
    error_add_next(err, "give one: varve run %s sh", r->name);
    return FALSE;
}

static gboolean check_names(struct run *r, GError **err)
{
    char host[256] = "";
    const char *name = r->o->hostname ? r->o->hostname : r->o->name;
    if (!name && gethostname(host, sizeof host - 1) == 0)
        name = host;
    r->hostname = g_strdup(name && *name ? name : "varve");
    r->user = r->o->user ? r->o->user : r->conf->user;
    r->cwd = r->o->workdir ? r->o->workdir : r->conf->workdir;
    if (!r->cwd || !*r->cwd)
        r->cwd = "/";
    if (*r->cwd == '/')
        return TRUE;
    return error_set(err, VARVE_ERROR_USAGE, "-w %s: the working directory must be absolute",
                     r->cwd);
}

gboolean run_set_network(struct run *r, GError **err)
{
    const char *n = r->o->network ? r->o->network : "default";
    enum netpool_rule rule;
    if (!g_str_equal(n, "host") && !g_str_equal(n, "none") && !g_str_equal(n, "default")) {
        error_set(err, VARVE_ERROR_USAGE, "--network %s: varve run knows default, host and none",
                  n);
        error_add_next(err, "leave it out: the program then has a network of its own, and reaches "
                            "what this host reaches; -p publishes its ports");
        return FALSE;
    }
    g_autoptr(registry_config) registry = configured_registry(&rule, err);
    if (!registry)
        return FALSE;
    r->nets = netpool_new(rule);
    r->network = g_str_equal(n, "none")                           ? NET_NONE
                 : g_str_equal(n, "host") || rule == NETPOOL_HOST ? NET_HOST
                                                                  : NET_DEFAULT;
    return TRUE;
}

static gboolean set_stop(struct run *r, GError **err)
{
    const char *text = r->o->stop_signal ? r->o->stop_signal : r->conf->stop_signal;
    r->stop_signal = signal_number(text && *text ? text : "SIGTERM");
    if (r->stop_signal == 0)
        return error_set(err, VARVE_ERROR_USAGE, "the stop signal %s is unknown", text);
    if (r->o->stop_timeout < -1)
        return error_set(err, VARVE_ERROR_USAGE, "--stop-timeout %d: not a number of seconds",
                         r->o->stop_timeout);
    return TRUE;
}

static gboolean override_time(const char *flag, const char *text, gint64 *ns, GError **err)
{
    if (!text)
        return TRUE;
    if (!duration_parse(text, ns, err)) {
        g_prefix_error(err, "%s: ", flag);
        error_as_usage(err);
        return FALSE;
    }
    return *ns >= 0 || error_set(err, VARVE_ERROR_USAGE, "%s %s: not a time", flag, text);
}

static gboolean override_health(const struct run_options *o, struct healthcheck *h, GError **err)
{
    if (o->health_cmd) {
        const char *const test[] = {"CMD-SHELL", o->health_cmd, NULL};
        g_strfreev(h->test);
        h->test = g_strdupv((char **)test);
    }
    if (o->health_retries > 0)
        h->retries = o->health_retries;
    return override_time("--health-interval", o->health_interval, &h->interval, err) &&
           override_time("--health-timeout", o->health_timeout, &h->timeout, err) &&
           override_time("--health-start-period", o->health_start_period, &h->start_period, err) &&
           override_time("--health-start-interval", o->health_start_interval, &h->start_interval,
                         err);
}

static gboolean set_health(struct run *r, GError **err)
{
    const struct run_options *o = r->o;
    if (!o->wait_healthy)
        return TRUE;
    r->health = r->conf->health && !o->no_health ? healthcheck_copy(r->conf->health)
                                                 : g_new0(struct healthcheck, 1);
    if (!override_health(o, r->health, err))
        return FALSE;
    if (r->health->test && r->health->test[0] && !g_str_equal(r->health->test[0], "NONE"))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--wait-healthy: %s has no HEALTHCHECK to wait for", r->name);
    error_add_next(err, "give one: --health-cmd 'wget -qO- http://127.0.0.1:8080/health'");
    return FALSE;
}

gboolean run_check_terminal(const struct run_options *o, GError **err)
{
    if (o->tty && o->detach) {
        error_set(err, VARVE_ERROR_USAGE,
                  "-t and -d cannot be used together: there is no terminal in the background");
        error_add_next(err, "leave out -t; varve exec -it NAME sh opens a shell in it later");
        return FALSE;
    }
    if (!o->tty || !o->interactive || isatty(STDIN_FILENO))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "-it: stdin is not a terminal");
    error_add_next(err, "leave out -t in scripts");
    return FALSE;
}

gboolean run_setup(struct run *r, GError **err)
{
    return check_names(r, err) && make_env(r, err) && make_args(r, err) &&
           run_set_exposed(r, err) && set_stop(r, err) && set_health(r, err) &&
           run_set_extras(r, err) && size_option("--shm-size", r->o->shm_size, &r->shm_size, err);
}
