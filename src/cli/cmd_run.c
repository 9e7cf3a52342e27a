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
#include "ui/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(field) G_STRUCT_OFFSET(struct run_options, field)
#define DEFAULT_STOP_TIMEOUT 10

const struct option_row run_option_rows[] = {
    {"volume", 'v', OPTION_LIST, AT(volumes), "SRC:PATH[:ro]",
     "mount a named volume or a host directory (repeatable)"},
    {"mount", 0, OPTION_LIST, AT(mounts), "type=TYPE,...",
     "mount with source=, target=, readonly; types bind, volume and tmpfs (repeatable)"},
    {"env", 'e', OPTION_LIST, AT(env), "KEY[=VALUE]",
     "set a variable, or pass it through (repeatable)"},
    {"env-file", 0, OPTION_LIST, AT(env_files), "FILE", "read variables from a file (repeatable)"},
    {"user", 'u', OPTION_STRING, AT(user), "USER[:GROUP]", "run as this user"},
    {"workdir", 'w', OPTION_STRING, AT(workdir), "PATH", "start in this directory"},
    {"entrypoint", 0, OPTION_STRING, AT(entrypoint), "PROGRAM",
     "run this instead of the image's ENTRYPOINT and CMD"},
    {"interactive", 'i', OPTION_FLAG, AT(interactive), NULL, "forward stdin"},
    {"tty", 't', OPTION_FLAG, AT(tty), NULL, "give the program a terminal"},
    {"detach", 'd', OPTION_FLAG, AT(detach), NULL,
     "run in the background and print the process id"},
    {"wait-healthy", 0, OPTION_FLAG, AT(wait_healthy), NULL,
     "report when the HEALTHCHECK passes; fail if it does not"},
    {"health-cmd", 0, OPTION_STRING, AT(health_cmd), "COMMAND",
     "check with this shell command instead"},
    {"health-interval", 0, OPTION_STRING, AT(health_interval), "TIME", "time between checks (30s)"},
    {"health-timeout", 0, OPTION_STRING, AT(health_timeout), "TIME",
     "time limit of one check (30s)"},
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
     "publish the program's PORT as HOST of this host (repeatable)"},
    {"publish-all", 'P', OPTION_FLAG, AT(publish_all), NULL,
     "publish every EXPOSEd port on a free one"},
    {"add-host", 0, OPTION_LIST, AT(add_hosts), "HOST:IP", "add a line to /etc/hosts (repeatable)"},
    {"dns", 0, OPTION_LIST, AT(dns), "ADDRESS",
     "use this name server instead of the host's (repeatable)"},
    {"dns-search", 0, OPTION_LIST, AT(dns_search), "DOMAIN",
     "with --dns: search domain for short names (repeatable)"},
    {"dns-option", 0, OPTION_LIST, AT(dns_options), "OPTION",
     "with --dns: an option of resolv.conf (repeatable)"},
    {"tmpfs", 0, OPTION_LIST, AT(tmpfs), "PATH[:OPTIONS]",
     "mount a tmpfs (size=64m, mode=1777, ro, exec)"},
    {"read-only", 0, OPTION_FLAG, AT(read_only), NULL, "allow writing only to volumes and tmpfs"},
    LIMIT_ROWS(AT(limits)),
    {"ulimit", 0, OPTION_LIST, AT(ulimits), "NAME=SOFT[:HARD]",
     "set a limit for each process (repeatable)"},
    {"shm-size", 0, OPTION_STRING, AT(shm_size), "BYTES", "size of /dev/shm (64m)"},
    {"hostname", 'h', OPTION_STRING, AT(hostname), "NAME",
     "host name inside (default: the host's)"},
    {"name", 0, OPTION_STRING, AT(name), "NAME", "name it for varve ps, logs, exec and stop"},
    {"label", 'l', OPTION_LIST, AT(labels), "KEY=VALUE", "add a label for varve ps (repeatable)"},
    {"host-ca", 0, OPTION_FLAG, AT(host_ca), NULL,
     "make this host's CA certificates usable inside"},
    {"stop-signal", 0, OPTION_STRING, AT(stop_signal), "SIGNAL",
     "signal that stops it (default: the image's STOPSIGNAL)"},
    {"stop-timeout", 0, OPTION_INT, AT(stop_timeout), "SECONDS",
     "seconds to wait before killing it (10)"},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "use the image for this platform"},
    {"pull", 0, OPTION_STRING, AT(pull), "WHEN", "always, missing (default) or never"},
    {"insecure", 0, OPTION_LIST, AT(insecure), "HOST",
     "use http, or https without verification, for this registry"},
    {"rm", 0, OPTION_FLAG, AT(rm), NULL, "with -d: remove its log and exit code when it ends"},
    {"restart", 0, OPTION_STRING, AT(restart), "no",
     "only no, docker's default: varve never restarts a program"},
    {"init", 0, OPTION_FLAG, AT(init), NULL,
     "run an init that forwards signals and reaps processes"},
    {0},
};

static gboolean pull(struct run_call *r, enum pull_policy policy, const struct platform *p,
                     GError **err)
{
    struct platform platform;
    platform_host(&platform);
    g_autoptr(reference) ref = reference_argument(r->name, err);
    struct pulling how = {policy, NULL, r->o->insecure, interrupt_watch()};
    return ref && pulling_run(&how, r->store, ref, p ? p : &platform, err);
}

/* Whether the name is an id of the store, which no registry knows. */
static gboolean is_stored_id(const struct run_call *r)
{
    g_autoptr(image_row) row = stored_image_any(r->store, r->name, NULL, NULL);
    g_autoptr(reference) ref = row ? reference_parse(r->name, NULL) : NULL;
    g_autofree char *canonical = ref ? reference_text(ref) : NULL;
    return row && g_strcmp0(row->name, canonical) != 0;
}

/* From the store, else from its registry. */
static gboolean open_image(struct run_call *r, GError **err)
{
    struct platform wanted;
    const struct platform *p;
    enum pull_policy policy;
    GError *why = NULL;
    if (!platform_wanted(r->o->platform, &wanted, &p, err) ||
        !pull_policy_parse("--pull ", r->o->pull, &policy, err))
        return FALSE;
    r->store = open_store(err);
    if (!r->store || (policy == PULL_ALWAYS && !pull(r, policy, p, err)))
        return FALSE;
    r->image = built_image_open(r->store, r->name, p, &why);
    if (!r->image && policy == PULL_MISSING &&
        g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) && !is_stored_id(r)) {
        g_clear_error(&why);
        r->image = pull(r, policy, p, &why) ? built_image_open(r->store, r->name, p, &why) : NULL;
    }
    if (!r->image) {
        g_propagate_error(err, why);
        return FALSE;
    }
    warn_platform(r->name, &r->image->conf->platform, p);
    struct pulling how = {policy, NULL, r->o->insecure, interrupt_watch()};
    return pulling_complete(&how, r->store, r->image->chain, r->name, err);
}

static void show_healthy(const struct run_call *r, gint64 took_us)
{
    g_autofree char *took = text_duration(took_us);
    fprintf(stderr, "%s is healthy after %s\n", r->name, took);
}

/* Of the run's threads. */
static void on_news(gpointer call, const struct run_news *news)
{
    struct run_call *r = call;
    if (news->kind == RUN_NEWS_NOTE)
        report_note("%s", news->text);
    else if (news->kind == RUN_NEWS_WARNING)
        report_warning("%s", news->text);
    else if (news->kind == RUN_NEWS_HEALTHY)
        show_healthy(r, news->took_us);
    else if (news->kind == RUN_NEWS_RECOVERED)
        report_note("%s is healthy again", r->name);
    else if (news->kind == RUN_NEWS_UNHEALTHY)
        report_warning("%s is unhealthy: %s", r->name, news->text);
    else if (news->kind == RUN_NEWS_INTERRUPTED && isatty(STDERR_FILENO))
        fprintf(stderr, "\nstopping %s (Ctrl-C again kills it)\n", r->name);
    if (news->kind == (r->o->wait_healthy ? RUN_NEWS_HEALTHY : RUN_NEWS_STARTED))
        run_report_ready(r);
}

static void pass_on(gpointer call, int fd, const void *bytes, gsize len)
{
    console_pass_on(&((struct run_call *)call)->output_lost, fd, bytes, len);
}

static void tell_out_of_memory(const struct run_call *r)
{
    const char *limit = r->o->limits.memory;
    report_warning("%s needed more memory than its limit%s%s allows, and the kernel killed one of "
                   "its processes: raise --memory",
                   r->name, limit ? " of " : "", limit ? limit : "");
}

/* The exit code: the program's own, unless the run was given up. */
static int run_exit_code(struct run_call *r, const struct run_result *res, GError **err)
{
    run_print_log_tail(r);
    run_print_exec_next("run", r->name, run_carrier_program(r->carrier), res->exec_errno);
    if (res->out_of_memory)
        tell_out_of_memory(r);
    if (res->unhealthy) {
        error_set(err, VARVE_ERROR_FAILED, "%s is unhealthy and was stopped; its last check: %s",
                  r->name, res->unhealthy);
        error_add_next(err,
                       "try the check by hand; --health-start-period gives it more time to start");
    } else if (r->output_lost) {
        g_propagate_error(err, g_steal_pointer(&r->output_lost));
    } else if (res->early) {
        report_warning("%s ended with exit code %d before it was healthy", r->name, res->exit_code);
        return res->exit_code ? res->exit_code : 1;
    }
    return res->exit_code;
}

static int carry(struct run_call *r, GError **err)
{
    struct run_result res = {0};
    gboolean ran = run_carrier_run(r->carrier, &res, err);
    console_close(&r->console);
    int code = ran ? run_exit_code(r, &res, err) : 0;
    run_result_clear(&res);
    /* A run that did not start has reported why, and leaves nothing. */
    gboolean keep = r->request.kept && r->report_fd < 0;
    run_carrier_end(g_steal_pointer(&r->carrier), *err ? varve_error_exit_code(*err) : code, keep);
    return code;
}

static int run_image(struct run_call *r, char **words, GError **err)
{
    if (!run_check_terminal(r->o, err) || !run_request_take(&r->request, r->o, words, err))
        return 0;
    r->carrier = run_carrier_new(&r->request, &r->watch, err);
    if (!r->carrier || !open_image(r, err) ||
        !run_carrier_prepare(r->carrier, r->store, r->image, err))
        return 0;
    return carry(r, err);
}

static void call_init(struct run_call *r, const struct run_options *o, const char *name)
{
    *r = (struct run_call){.o = o, .name = name, .report_fd = -1};
    r->console = (struct console){.master = -1, .interactive = o->interactive};
    r->port = console_of_run(&r->console);
    r->watch = (struct run_watch){.ctx = r,
                                  .tell = on_news,
                                  .output = pass_on,
                                  .keep_pipes = TRUE,
                                  .signals = TRUE,
                                  .console = o->tty ? &r->port : NULL};
}

static void call_clear(struct run_call *r)
{
    run_carrier_end(r->carrier, 0, FALSE);
    run_request_clear(&r->request);
    g_clear_error(&r->output_lost);
    fd_cleanup(&r->report_fd);
    built_image_free(r->image);
    store_close(r->store);
}

int cmd_run(const struct command *c, int argc, char **argv, GError **err)
{
    struct run_options o = {.stop_timeout = DEFAULT_STOP_TIMEOUT};
    struct run_call r;
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, -1, err)) {
        call_init(&r, &o, argv[1]);
        if (!run_detach(&r, &code, err))
            code = run_image(&r, argv + 1, err);
        call_clear(&r);
    }
    command_clear(c, &o);
    return code;
}
