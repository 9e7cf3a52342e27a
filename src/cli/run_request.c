/* Turns the options of varve run into a request. */
#include "cli/run.h"

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/outside.h"
#include "cli/proxies.h"
#include "cli/spec_values.h"
#include "run/env.h"
#include "run/process.h"
#include "run/volumes.h"
#include "store/runs.h"
#include "text/duration.h"

#include <unistd.h>

gboolean run_take_env(const struct run_options *o, GPtrArray *env, GError **err)
{
    for (char **f = o->env_files; f && *f; f++)
        if (!run_env_add_file(env, *f, g_getenv, err))
            return FALSE;
    for (char **e = o->env; e && *e; e++)
        if (!run_env_add(env, *e, g_getenv, "-e", err))
            return FALSE;
    return TRUE;
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

static gboolean take_network(struct run_request *q, const char *text, GError **err)
{
    const char *n = text ? text : "default";
    if (!g_str_equal(n, "host") && !g_str_equal(n, "none") && !g_str_equal(n, "default")) {
        error_set(err, VARVE_ERROR_USAGE, "--network %s: must be default, host or none", n);
        error_add_next(err, "leave it out: the program then has its own network and reaches what "
                            "this host reaches; -p publishes its ports");
        return FALSE;
    }
    struct build_config config;
    if (!configured(&config, err))
        return FALSE;
    q->net_rule = config.network;
    q->snapshots = config.snapshots;
    build_config_clear(&config);
    q->network = g_str_equal(n, "none")                                  ? NET_NONE
                 : g_str_equal(n, "host") || q->net_rule == NETPOOL_HOST ? NET_HOST
                                                                         : NET_DEFAULT;
    return TRUE;
}

static gboolean take_mounts(struct run_request *q, const struct run_options *o, GError **err)
{
    for (char **v = o->volumes; v && *v; v++)
        if (!run_mount_add_volume(q->mounts, *v, err))
            return FALSE;
    for (char **m = o->mounts; m && *m; m++)
        if (!run_mount_add(q->mounts, *m, err))
            return FALSE;
    for (char **t = o->tmpfs; t && *t; t++)
        if (!run_mount_add_tmpfs(q->mounts, *t, err))
            return FALSE;
    return TRUE;
}

static gboolean take_ports(struct run_request *q, const struct run_options *o, GError **err)
{
    q->publish_exposed = o->publish_all;
    for (char **p = o->publish; p && *p; p++)
        if (!run_ports_add(&q->ports, *p, err))
            return FALSE;
    return TRUE;
}

static gboolean take_hosts(struct run_request *q, const struct run_options *o, GError **err)
{
    for (char **h = o->add_hosts; h && *h; h++)
        if (!host_option(*h, q->hosts, q->owned, err))
            return FALSE;
    for (char **u = o->ulimits; u && *u; u++)
        if (!ulimit_option(*u, q->ulimits, q->owned, err))
            return FALSE;
    return TRUE;
}

/* No daemon could restart a program. */
static gboolean check_restart(const char *policy, GError **err)
{
    if (!policy || g_str_equal(policy, "no"))
        return TRUE;
    error_set(err, VARVE_ERROR_UNSUPPORTED,
              "--restart %s: only no is supported; there is no daemon that could restart it",
              policy);
    error_as_usage(err);
    error_add_next(err, "let systemd do it: a unit with ExecStart=varve run … and Restart=always");
    return FALSE;
}

static gboolean take_stop(struct run_request *q, const struct run_options *o, GError **err)
{
    q->stop_timeout = o->stop_timeout;
    if (!signal_option("--stop-signal", o->stop_signal, &q->stop_signal, err))
        return FALSE;
    if (o->stop_timeout >= -1)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--stop-timeout %d: not a number of seconds",
              o->stop_timeout);
    error_add_next(err, "for example --stop-timeout 30; -1 waits without a limit");
    return FALSE;
}

/* What would be found out later, but can be now: before anything is pulled. */
static gboolean check_early(const struct run_request *q, GError **err)
{
    return run_workdir_check(q->workdir, err) && (!q->name || run_name_check(q->name, err)) &&
           run_volumes_check_hosts(q->mounts, err);
}

static gboolean take_time(const char *flag, const char *text, gint64 *ns, GError **err)
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

static gboolean take_health(struct run_request *q, const struct run_options *o, GError **err)
{
    struct healthcheck *h = &q->health;
    q->probe = o->wait_healthy;
    q->ignore_image = o->no_health;
    h->retries = o->health_retries;
    if (o->health_cmd) {
        const char *const test[] = {"CMD-SHELL", o->health_cmd, NULL};
        h->test = g_strdupv((char **)test);
    }
    return take_time("--health-interval", o->health_interval, &h->interval, err) &&
           take_time("--health-timeout", o->health_timeout, &h->timeout, err) &&
           take_time("--health-start-period", o->health_start_period, &h->start_period, err) &&
           take_time("--health-start-interval", o->health_start_interval, &h->start_interval, err);
}

/* What needs no parsing. */
static void take_plain(struct run_request *q, const struct run_options *o, char **words)
{
    q->image = g_strdup(words[0]);
    q->command = g_strdupv(words + 1);
    q->entrypoint = g_strdup(o->entrypoint);
    q->user = g_strdup(o->user);
    q->workdir = g_strdup(o->workdir);
    q->name = g_strdup(o->name);
    q->hostname = g_strdup(o->hostname);
    q->labels = g_strdupv(o->labels);
    q->dns =
        (struct run_dns){g_strdupv(o->dns), g_strdupv(o->dns_search), g_strdupv(o->dns_options)};
    q->readonly = o->read_only;
    q->init = o->init;
    q->host_ca = o->host_ca;
    q->ca_bundle = g_strdup(g_getenv("SSL_CERT_FILE"));
    q->terminal = o->tty;
    q->detached = o->detach;
    q->kept = o->detach && !o->rm;
    q->stdin_fd = o->interactive ? STDIN_FILENO : -1;
}

gboolean run_request_take(struct run_request *q, const struct run_options *o, char **words,
                          GError **err)
{
    run_request_init(q);
    take_plain(q, o, words);
    if (!limit_options(&o->limits, &q->resources, err) || !take_network(q, o->network, err) ||
        !take_ports(q, o, err) || !run_take_env(o, q->env, err) || !take_stop(q, o, err) ||
        !take_health(q, o, err) || !check_restart(o->restart, err) || !take_hosts(q, o, err) ||
        !size_option("--shm-size", o->shm_size, &q->shm_size, err) || !take_mounts(q, o, err) ||
        !check_early(q, err))
        return FALSE;
    q->proxies = configured_proxies();
    return TRUE;
}
