#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/pulling.h"
#include "cli/report.h"
#include "store/images.h"

#include <string.h>
#include <unistd.h>

#define AT(field) G_STRUCT_OFFSET(struct run_options, field)
#define EXIT_KILLED 137
#define DEFAULT_STOP_TIMEOUT 10

const struct option_row run_option_rows[] = {
    {"volume", 'v', OPTION_LIST, AT(volumes), "SRC:PATH[:ro]",
     "mount a named volume or a host directory (repeatable)"},
    {"mount", 0, OPTION_LIST, AT(mounts), "type=TYPE,...",
     "mount with source=, target=, readonly; types bind, volume and tmpfs (repeatable)"},
    {"env", 'e', OPTION_LIST, AT(env), "KEY[=VALUE]", "set a variable, or pass it on (repeatable)"},
    {"env-file", 0, OPTION_LIST, AT(env_files), "FILE", "read variables from a file (repeatable)"},
    {"user", 'u', OPTION_STRING, AT(user), "USER[:GROUP]", "run as this user"},
    {"workdir", 'w', OPTION_STRING, AT(workdir), "PATH", "start in this directory"},
    {"entrypoint", 0, OPTION_STRING, AT(entrypoint), "PROGRAM",
     "run this instead of the image's ENTRYPOINT and CMD"},
    {"interactive", 'i', OPTION_FLAG, AT(interactive), NULL, "pass stdin on"},
    {"tty", 't', OPTION_FLAG, AT(tty), NULL, "give the program a terminal"},
    {"detach", 'd', OPTION_FLAG, AT(detach), NULL,
     "run in the background and print the process id"},
    {"wait-healthy", 0, OPTION_FLAG, AT(wait_healthy), NULL,
     "tell when the HEALTHCHECK passes; fail when it does not"},
    {"health-cmd", 0, OPTION_STRING, AT(health_cmd), "COMMAND",
     "check with this shell command instead"},
    {"health-interval", 0, OPTION_STRING, AT(health_interval), "TIME", "time between checks (30s)"},
    {"health-timeout", 0, OPTION_STRING, AT(health_timeout), "TIME",
     "longest time for one check (30s)"},
    {"health-retries", 0, OPTION_INT, AT(health_retries), "N",
     "failures in a row that mean unhealthy (3)"},
    {"health-start-period", 0, OPTION_STRING, AT(health_start_period), "TIME",
     "failures in this time do not count (0s)"},
    {"health-start-interval", 0, OPTION_STRING, AT(health_start_interval), "TIME",
     "longest time between checks until the first success (1s)"},
    {"no-healthcheck", 0, OPTION_FLAG, AT(no_health), NULL, "ignore the image's HEALTHCHECK"},
    {"network", 0, OPTION_STRING, AT(network), "MODE",
     "default (a network of its own), host or none"},
    {"publish", 'p', OPTION_LIST, AT(publish), "[[ADDRESS:]HOST:]PORT[/udp]",
     "make the program's PORT this host's port HOST (repeatable)"},
    {"publish-all", 'P', OPTION_FLAG, AT(publish_all), NULL,
     "publish every EXPOSEd port at a free one"},
    {"add-host", 0, OPTION_LIST, AT(add_hosts), "HOST:IP", "a line for /etc/hosts (repeatable)"},
    {"dns", 0, OPTION_LIST, AT(dns), "ADDRESS",
     "ask this name server instead of the host's (repeatable)"},
    {"dns-search", 0, OPTION_LIST, AT(dns_search), "DOMAIN",
     "with --dns: where to look for short names (repeatable)"},
    {"dns-option", 0, OPTION_LIST, AT(dns_options), "OPTION",
     "with --dns: an option of resolv.conf (repeatable)"},
    {"tmpfs", 0, OPTION_LIST, AT(tmpfs), "PATH[:OPTIONS]",
     "mount a tmpfs (size=64m, mode=1777, ro, exec)"},
    {"read-only", 0, OPTION_FLAG, AT(read_only), NULL, "no writing but to volumes and tmpfs"},
    LIMIT_ROWS(AT(limits)),
    {"ulimit", 0, OPTION_LIST, AT(ulimits), "NAME=SOFT[:HARD]",
     "limits of each process (repeatable)"},
    {"shm-size", 0, OPTION_STRING, AT(shm_size), "BYTES", "size of /dev/shm (64m)"},
    {"hostname", 'h', OPTION_STRING, AT(hostname), "NAME",
     "host name inside (default: the host's)"},
    {"name", 0, OPTION_STRING, AT(name), "NAME", "name it for varve ps, logs, exec and stop"},
    {"label", 'l', OPTION_LIST, AT(labels), "KEY=VALUE", "note this for varve ps (repeatable)"},
    {"host-ca", 0, OPTION_FLAG, AT(host_ca), NULL,
     "make this host's CA certificates usable inside"},
    {"stop-signal", 0, OPTION_STRING, AT(stop_signal), "SIGNAL",
     "what Ctrl-C sends (default: the image's STOPSIGNAL)"},
    {"stop-timeout", 0, OPTION_INT, AT(stop_timeout), "SECONDS",
     "time to end before it is killed (10)"},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "use the image for this platform"},
    {"pull", 0, OPTION_STRING, AT(pull), "WHEN", "always, missing (default) or never"},
    {"insecure", 0, OPTION_LIST, AT(insecure), "HOST",
     "use http, or https without verification, for this registry"},
    {"rm", 0, OPTION_FLAG, AT(rm), NULL, "with -d: remove its log and exit code once it has ended"},
    {"restart", 0, OPTION_STRING, AT(restart), "no",
     "accepted as docker's default; nothing starts a program again"},
    {"init", 0, OPTION_FLAG, AT(init), NULL,
     "put an init before the program, which reaps and passes signals on"},
    {0},
};

static void close_mount(gpointer m)
{
    fd_cleanup(&((struct sandbox_mount *)m)->fd);
}

static void run_init(struct run *r, const struct run_options *o, char **argv)
{
    *r = (struct run){.o = o, .name = argv[1], .command = argv + 2, .report_fd = -1, .wake_fd = -1};
    r->console.master = -1;
    r->mounts = g_array_new(FALSE, TRUE, sizeof(struct sandbox_mount));
    g_array_set_clear_func(r->mounts, close_mount);
    r->ports = g_array_new(FALSE, TRUE, sizeof(struct network_port));
    r->hosts = g_array_new(FALSE, TRUE, sizeof(struct host_ip));
    r->ulimits = g_array_new(FALSE, TRUE, sizeof(struct ulimit));
    r->owned = g_ptr_array_new_with_free_func(g_free);
    r->volumes = g_ptr_array_new_with_free_func((GDestroyNotify)store_volume_release);
    r->tmps = g_ptr_array_new_with_free_func(g_free);
    r->kill = cancel_new();
}

static void run_clear(struct run *r)
{
    g_array_unref(r->mounts);
    g_array_unref(r->ports);
    netpool_free(r->nets);
    g_array_unref(r->hosts);
    g_array_unref(r->ulimits);
    snapshot_discard(r->root);
    g_ptr_array_unref(r->volumes);
    for (guint i = 0; r->store && i < r->tmps->len; i++)
        store_tmp_discard(r->store, g_ptr_array_index(r->tmps, i));
    g_ptr_array_unref(r->tmps);
    g_ptr_array_unref(r->owned);
    healthcheck_free(r->health);
    resources_clear(&r->resources);
    g_strfreev(r->args);
    g_strfreev(r->env);
    g_free(r->hostname);
    g_free(r->complaint);
    g_clear_error(&r->output_lost);
    fd_cleanup(&r->report_fd);
    built_image_free(r->image);
    store_close(r->store);
    cancel_free(r->kill);
}

static gboolean parse_pull(const char *text, enum pull_policy *out, GError **err)
{
    static const char *const words[] = {
        [PULL_MISSING] = "missing", [PULL_ALWAYS] = "always", [PULL_NEVER] = "never"};
    *out = PULL_MISSING;
    if (!text)
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (!g_str_equal(text, words[i]))
            continue;
        *out = (enum pull_policy)i;
        return TRUE;
    }
    return error_set(err, VARVE_ERROR_USAGE, "--pull %s: not always, missing or never", text);
}

static gboolean pull(struct run *r, enum pull_policy policy, const struct platform *p, GError **err)
{
    struct platform platform;
    platform_host(&platform);
    g_autoptr(reference) ref = reference_argument(r->name, err);
    struct pulling how = {policy, NULL, r->o->insecure, interrupt_watch()};
    return ref && pulling_run(&how, r->store, ref, p ? p : &platform, err);
}

/* From the store, else from its registry. */
static gboolean open_image(struct run *r, GError **err)
{
    struct platform wanted;
    const struct platform *p;
    enum pull_policy policy;
    GError *why = NULL;
    if (!platform_wanted(r->o->platform, &wanted, &p, err) || !parse_pull(r->o->pull, &policy, err))
        return FALSE;
    r->store = open_store(err);
    if (!r->store || (policy == PULL_ALWAYS && !pull(r, policy, p, err)))
        return FALSE;
    r->image = built_image_open(r->store, r->name, p, &why);
    if (!r->image && policy == PULL_MISSING &&
        g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_clear_error(&why);
        r->image = pull(r, policy, p, &why) ? built_image_open(r->store, r->name, p, &why) : NULL;
    }
    if (!r->image) {
        g_propagate_error(err, why);
        return FALSE;
    }
    r->conf = r->image->conf;
    warn_platform(r->name, &r->conf->platform, p);
    return TRUE;
}

static void on_started(gpointer ctx, int pid)
{
    struct run *r = ctx;
    r->started_us = g_get_monotonic_time();
    g_atomic_int_set(&r->pid, pid);
    run_entry_started(r->entry, pid);
    report_network(r->nets);
    if (r->health)
        run_health_start(r);
    else
        run_report_ready(r);
}

/* A file or terminal of the user's is not the program's to open by name (/dev/stdout): it gets a
 * pipe, as Docker's does. */
static void pass_on(gpointer run, int fd, const void *bytes, gsize len)
{
    struct run *r = run;
    if (r->output_lost)
        return;
    if (!fs_write_all(fd, bytes, len, &r->output_lost))
        g_prefix_error(&r->output_lost, "passing on the program's output: ");
}

static gboolean run_program(struct run *r, struct sandbox_result *res, GError **err)
{
    struct sandbox_spec spec = {.root_fd = r->root->mount_fd,
                                .root_readonly = r->o->read_only,
                                .args = (const char *const *)r->args,
                                .env = (const char *const *)r->env,
                                .cwd = r->cwd,
                                .user = r->user,
                                .hostname = r->hostname,
                                .network = r->network,
                                .net_at_once = TRUE,
                                .nets = r->nets,
                                .ports = (const struct network_port *)r->ports->data,
                                .n_ports = r->ports->len,
                                .hosts = (const struct host_ip *)r->hosts->data,
                                .n_hosts = r->hosts->len,
                                .ulimits = (const struct ulimit *)r->ulimits->data,
                                .n_ulimits = r->ulimits->len,
                                .shm_size = r->shm_size,
                                .resources = &r->resources,
                                .mounts = (struct sandbox_mount *)r->mounts->data,
                                .n_mounts = r->mounts->len,
                                .init = r->o->init,
                                .stdin_fd = r->o->interactive ? STDIN_FILENO : -1,
                                .terminal = r->o->tty ? run_terminal : NULL,
                                .terminal_ctx = r,
                                .output = r->o->detach ? run_log_output : pass_on,
                                .output_ctx = r,
                                .keep_pipes = !r->o->detach,
                                .started = on_started,
                                .started_ctx = r};
    gboolean ok = sandbox_run(&spec, r->kill, res, err);
    if (ok)
        return TRUE;
    g_prefix_error(err, "cannot run %s: ", r->name);
    return FALSE;
}

static void tell_out_of_memory(const struct run *r)
{
    const char *limit = r->o->limits.memory;
    report_warning("%s needed more memory than its limit%s%s allows, and the kernel killed a "
                   "process of it: raise --memory",
                   r->name, limit ? " of " : "", limit ? limit : "");
}

/* The exit code: the program's own, unless the run was given up. */
static int conclude(struct run *r, gboolean ran, const struct sandbox_result *res, GError *why,
                    GError **err)
{
    gboolean waiting = r->health && !g_atomic_int_get(&r->healthy);
    if (!ran && !(g_error_matches(why, VARVE_ERROR, VARVE_ERROR_CANCELLED) && r->stopping)) {
        g_propagate_error(err, why);
        return 0;
    }
    g_clear_error(&why);
    int code = ran ? res->exit_code : EXIT_KILLED;
    if (code == EXIT_KILLED && r->unheard)
        code = 128 + r->unheard;
    run_print_log_tail(r);
    run_print_exec_next(r, r->args[0], res->exec_errno, "run");
    if (res->out_of_memory)
        tell_out_of_memory(r);
    if (r->complaint) {
        error_set(err, VARVE_ERROR_FAILED, "%s is unhealthy and was stopped; its last check: %s",
                  r->name, r->complaint);
        error_add_next(err,
                       "try the check by hand; --health-start-period gives it more time to start");
    } else if (r->output_lost) {
        g_propagate_error(err, g_steal_pointer(&r->output_lost));
    } else if (waiting && !r->stopping) {
        report_warning("%s ended with exit code %d before it was healthy", r->name, code);
        code = code ? code : 1;
    }
    return code;
}

static gboolean open_root(struct run *r, GError **err)
{
    r->root = snapshot_open(r->store, r->image->chain, TRUE, err);
    g_autofree char *text = r->root ? snapshot_warning(r->root) : NULL;
    if (text)
        report_warning("%s", text);
    return r->root != NULL;
}

static int run_image(struct run *r, GError **err)
{
    struct sandbox_result res = {0};
    GError *why = NULL;
    if (!run_check_terminal(r->o, err) || !limit_options(&r->o->limits, &r->resources, err) ||
        !run_set_network(r, err) || !run_set_ports(r, err) || !open_image(r, err) ||
        !run_setup(r, err) || !run_record_begin(r, err))
        return 0;
    gboolean ok = run_add_volumes(r, &why) && open_root(r, &why) && run_control_start(r, &why) &&
                  run_program(r, &res, &why);
    run_health_end(r);
    run_control_end(r);
    int code = conclude(r, ok, &res, why, err);
    /* A run that never got going has told why, and leaves nothing. */
    gboolean keep = r->o->detach && !r->o->rm && r->report_fd < 0;
    run_entry_end(g_steal_pointer(&r->entry), *err ? varve_error_exit_code(*err) : code, keep);
    return code;
}

int cmd_run(const struct command *c, int argc, char **argv, GError **err)
{
    struct run_options o = {.stop_timeout = DEFAULT_STOP_TIMEOUT};
    struct run r;
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, -1, err)) {
        run_init(&r, &o, argv);
        if (!run_detach(&r, &code, err))
            code = run_image(&r, err);
        run_clear(&r);
    }
    command_clear(c, &o);
    return code;
}
