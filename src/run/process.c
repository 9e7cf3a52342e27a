#include "run/process.h"

#include "base/error.h"
#include "exec/hostca.h"
#include "run/env.h"
#include "text/signalname.h"

#include <string.h>
#include <unistd.h>

static void set_all(GPtrArray *env, const char *line)
{
    const char *eq = strchr(line, '=');
    if (eq)
        run_env_set(env, line, eq - line, eq + 1);
}

/* A name without a value in an image's config is ignored: it must not become a variable of the
 * host. */
static gboolean add_image_env(GPtrArray *env, const struct image_conf *conf, GError **err)
{
    for (guint i = 0; i < conf->env->len; i++)
        if (!run_env_add(env, g_ptr_array_index(conf->env, i), NULL, "the image's environment",
                         err))
            return FALSE;
    return TRUE;
}

static gboolean process_env(struct run_process *p, const struct run_request *q,
                            const struct image_conf *conf, GError **err)
{
    g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
    if (q->terminal)
        g_ptr_array_add(env, g_strdup("TERM=xterm"));
    g_ptr_array_add(env, g_strconcat("HOSTNAME=", p->hostname, NULL));
    if (!add_image_env(env, conf, err))
        return FALSE;
    for (char **l = q->proxies; l && *l; l++)
        set_all(env, *l);
    for (guint i = 0; i < q->env->len; i++)
        set_all(env, g_ptr_array_index(q->env, i));
    if (!run_env_has(env, "PATH"))
        g_ptr_array_add(env, g_strdup("PATH=" IMAGE_DEFAULT_PATH));
    g_ptr_array_add(env, NULL);
    p->env =
        q->host_ca ? hostca_env((const char *const *)env->pdata) : g_strdupv((char **)env->pdata);
    return TRUE;
}

/* Docker's rule: a command replaces Cmd; an entrypoint replaces Entrypoint and drops Cmd. */
static gboolean process_args(struct run_process *p, const struct run_request *q,
                             const struct image_conf *conf, GError **err)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    if (q->entrypoint && *q->entrypoint)
        g_strv_builder_add(b, q->entrypoint);
    else if (!q->entrypoint && conf->entrypoint)
        g_strv_builder_addv(b, (const char **)conf->entrypoint);
    if (q->command && q->command[0])
        g_strv_builder_addv(b, (const char **)q->command);
    else if (!q->entrypoint && conf->cmd)
        g_strv_builder_addv(b, (const char **)conf->cmd);
    p->args = g_strv_builder_end(b);
    if (p->args[0])
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "%s has no command to run", q->image);
    error_add_next(err, "give one: varve run %s sh", q->image);
    return FALSE;
}

gboolean run_workdir_check(const char *path, GError **err)
{
    if (!path || !*path || *path == '/')
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "-w %s: the working directory must be absolute", path);
    error_add_next(err, "start it with /: -w /%s", path);
    return FALSE;
}

/* The given one, else the image's. */
static gboolean set_workdir(struct run_process *p, const struct run_request *q,
                            const struct image_conf *conf, GError **err)
{
    gboolean given = q->workdir && *q->workdir;
    const char *cwd = given ? q->workdir : conf->workdir;
    p->cwd = g_strdup(cwd && *cwd ? cwd : "/");
    if (given || *p->cwd == '/')
        return run_workdir_check(p->cwd, err);
    error_set(err, VARVE_ERROR_USAGE, "the working directory of %s, %s, is not absolute", q->image,
              p->cwd);
    error_add_next(err, "give one: -w /%s", p->cwd);
    return FALSE;
}

static void set_names(struct run_process *p, const struct run_request *q,
                      const struct image_conf *conf)
{
    char host[256] = "";
    const char *name = q->hostname ? q->hostname : q->name;
    if (!name && gethostname(host, sizeof host - 1) == 0)
        name = host;
    p->hostname = g_strdup(name && *name ? name : "varve");
    p->user = g_strdup(q->user ? q->user : conf->user);
}

gboolean run_process_init(struct run_process *p, const struct run_request *q,
                          const struct image_conf *conf, GError **err)
{
    *p = (struct run_process){0};
    set_names(p, q, conf);
    return set_workdir(p, q, conf, err) && process_env(p, q, conf, err) &&
           process_args(p, q, conf, err);
}

void run_process_clear(struct run_process *p)
{
    g_strfreev(p->args);
    g_strfreev(p->env);
    g_free(p->cwd);
    g_free(p->user);
    g_free(p->hostname);
    *p = (struct run_process){0};
}

static void override_health(struct healthcheck *h, const struct healthcheck *given)
{
    if (given->test) {
        g_strfreev(h->test);
        h->test = g_strdupv(given->test);
    }
    if (given->retries > 0)
        h->retries = given->retries;
    if (given->interval >= 0)
        h->interval = given->interval;
    if (given->timeout >= 0)
        h->timeout = given->timeout;
    if (given->start_period >= 0)
        h->start_period = given->start_period;
    if (given->start_interval >= 0)
        h->start_interval = given->start_interval;
}

gboolean run_process_health(const struct run_request *q, const struct image_conf *conf,
                            struct healthcheck **out, GError **err)
{
    *out = NULL;
    if (!q->probe)
        return TRUE;
    struct healthcheck *h = conf->health && !q->ignore_image ? healthcheck_copy(conf->health)
                                                             : g_new0(struct healthcheck, 1);
    override_health(h, &q->health);
    if (h->test && h->test[0] && !g_str_equal(h->test[0], "NONE")) {
        *out = h;
        return TRUE;
    }
    healthcheck_free(h);
    error_set(err, VARVE_ERROR_USAGE, "--wait-healthy: %s has no HEALTHCHECK to wait for",
              q->image);
    error_add_next(err, "give one: --health-cmd 'wget -qO- http://127.0.0.1:8080/health'");
    return FALSE;
}

int run_process_stop_signal(const struct run_request *q, const struct image_conf *conf,
                            GError **err)
{
    const char *text = conf->stop_signal && *conf->stop_signal ? conf->stop_signal : "SIGTERM";
    int sig = q->stop_signal ? q->stop_signal : signal_number(text);
    if (sig == 0) {
        error_set(err, VARVE_ERROR_USAGE, "%s names the stop signal %s, which this machine lacks",
                  q->image, text);
        error_add_next(err, "give another: --stop-signal TERM");
    }
    return sig;
}
