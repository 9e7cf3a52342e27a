#include "run/carrier.h"

#include "base/error.h"
#include "exec/kernelview.h"
#include "exec/sandbox.h"
#include "run/prober.h"
#include "run/process.h"
#include "run/record.h"
#include "run/volumes.h"
#include "snapshot/snapshot.h"

#include <stdarg.h>
#include <string.h>

#define EXIT_KILLED 137

struct run_carrier {
    const struct run_request *q;
    const struct run_watch *watch;
    struct netpool *nets;
    struct run_ports ports; /* q's, found; their addresses are q's */
    struct store *store;
    const struct built_image *image;
    struct run_process process;
    struct healthcheck *check; /* NULL: none */
    char *resolv;              /* text of the program's own resolv.conf, NULL: the host's */
    struct sandbox_file resolv_file;
    struct run_entry *entry; /* what others see of the run; NULL until it is prepared */
    struct run_control *control;
    struct run_volumes *volumes;
    struct snapshot *root;
    struct run_prober *prober;
    gint64 started_us; /* monotonic: when the program started */
    gint healthy;      /* it was healthy once; atomic */
    char *unhealthy;   /* why it was given up; the prober's until that is freed */
};

static void tell_news(struct run_carrier *r, struct run_news news)
{
    if (r->watch->tell)
        r->watch->tell(r->watch->ctx, &news);
}

static void G_GNUC_PRINTF(3, 4)
    tell_text(struct run_carrier *r, enum run_news_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    tell_news(r, (struct run_news){.kind = kind, .text = text});
}

static void on_port_found(gpointer carrier, const struct network_port *p)
{
    gboolean six = p->address && strchr(p->address, ':');
    tell_text(carrier, RUN_NEWS_NOTE, "port %u/%s is published at %s%s%s:%u", p->inside,
              p->udp ? "udp" : "tcp", six ? "[" : "", p->address ? p->address : "0.0.0.0",
              six ? "]" : "", p->outside);
}

static void on_interrupted(gpointer carrier)
{
    tell_news(carrier, (struct run_news){.kind = RUN_NEWS_INTERRUPTED});
}

static gboolean take_ports(struct run_carrier *r, GError **err)
{
    g_array_append_vals(r->ports.list, r->q->ports.list->data, r->q->ports.list->len);
    return run_ports_find(&r->ports, on_port_found, r, err) &&
           (r->q->network != NET_DEFAULT || run_ports_check_free(&r->ports, err));
}

static gboolean set_resolv(struct run_carrier *r, GError **err)
{
    if (!run_dns_is_set(&r->q->dns))
        return TRUE;
    r->resolv = run_dns_text_here(&r->q->dns, err);
    if (!r->resolv)
        return FALSE;
    r->resolv_file =
        (struct sandbox_file){.bytes = r->resolv, .len = strlen(r->resolv), .mode = 0644};
    return TRUE;
}

struct run_carrier *run_carrier_new(const struct run_request *q, const struct run_watch *watch,
                                    GError **err)
{
    struct run_carrier *r = g_new0(struct run_carrier, 1);
    r->q = q;
    r->watch = watch;
    r->nets = netpool_new(q->net_rule);
    r->control = run_control_new(&(struct run_control_options){.stop_timeout = q->stop_timeout,
                                                               .signals = watch->signals,
                                                               .console = watch->console,
                                                               .interrupted = on_interrupted,
                                                               .ctx = r});
    run_ports_init(&r->ports);
    if (set_resolv(r, err) && take_ports(r, err))
        return r;
    run_carrier_end(r, 0, FALSE);
    return NULL;
}

/* Ports mean something only where the program has a network of its own. */
static gboolean fit_ports(struct run_carrier *r, GError **err)
{
    if (r->q->publish_exposed && (!run_ports_add_exposed(&r->ports, r->image->conf->ports, err) ||
                                  !run_ports_find(&r->ports, on_port_found, r, err)))
        return FALSE;
    if (r->q->network == NET_DEFAULT || !r->ports.list->len)
        return TRUE;
    if (r->q->network == NET_HOST && !run_ports_check_host(&r->ports, err))
        return FALSE;
    tell_text(r, RUN_NEWS_NOTE, "-p has no effect with --network %s",
              r->q->network == NET_HOST ? "host" : "none");
    g_array_set_size(r->ports.list, 0);
    return TRUE;
}

static gboolean set_stop_signal(struct run_carrier *r, GError **err)
{
    int sig = run_process_stop_signal(r->q, r->image->conf, err);
    run_control_set_stop_signal(r->control, sig);
    return sig != 0;
}

gboolean run_carrier_prepare(struct run_carrier *r, struct store *store,
                             const struct built_image *image, GError **err)
{
    r->store = store;
    r->image = image;
    if (!run_process_init(&r->process, r->q, image->conf, err) || !fit_ports(r, err) ||
        !set_stop_signal(r, err) || !run_process_health(r->q, image->conf, &r->check, err))
        return FALSE;
    r->entry = run_record_begin(store, r->q, &r->process, &r->ports, err);
    return r->entry != NULL;
}

static gboolean mount_all(struct run_carrier *r, GError **err)
{
    r->volumes = run_volumes_new(
        &(struct run_volumes_options){r->store, r->image->chain, run_control_kill(r->control)});
    if (r->resolv && !run_mounts_have(r->q->mounts, RESOLV_CONF))
        run_volumes_add(r->volumes, &(struct sandbox_mount){
                                        .dest = RESOLV_CONF, .file = &r->resolv_file, .fd = -1});
    for (guint i = 0; i < r->q->mounts->len; i++)
        if (!run_volumes_mount(r->volumes, &g_array_index(r->q->mounts, struct run_mount, i), err))
            return FALSE;
    return run_volumes_add_paths(r->volumes, r->image->conf->volumes, r->q->mounts, err) &&
           (!r->q->host_ca || run_volumes_add_host_ca(r->volumes, r->q->ca_bundle, err));
}

static gboolean open_root(struct run_carrier *r, GError **err)
{
    r->root = snapshot_open(r->store, r->image->chain, TRUE, r->q->snapshots, err);
    g_autofree char *text = r->root ? snapshot_warning(r->root) : NULL;
    g_autofree char *shared = r->root ? kernelview_warning() : NULL;
    if (shared)
        tell_text(r, RUN_NEWS_WARNING, "%s", shared);
    if (text)
        tell_text(r, RUN_NEWS_WARNING, "%s", text);
    return r->root != NULL;
}

/* FALSE if there is no point in continuing. */
static gboolean on_health(gpointer carrier, enum run_health_state now, const char *why)
{
    struct run_carrier *r = carrier;
    gboolean first = !g_atomic_int_get(&r->healthy);
    if (now == HEALTH_HEALTHY) {
        gint64 took = g_get_monotonic_time() - r->started_us;
        g_atomic_int_set(&r->healthy, 1);
        tell_news(r, (struct run_news){.kind = first ? RUN_NEWS_HEALTHY : RUN_NEWS_RECOVERED,
                                       .took_us = took});
        return TRUE;
    }
    if (!first) {
        tell_text(r, RUN_NEWS_UNHEALTHY, "%s", why);
        return TRUE;
    }
    r->unhealthy = g_strdup(why);
    run_control_stop(r->control);
    return FALSE;
}

static void start_prober(struct run_carrier *r, int pid)
{
    r->prober = run_prober_new(&(struct run_prober_options){.check = r->check,
                                                            .shell = r->image->conf->shell,
                                                            .process = &r->process,
                                                            .pid = pid,
                                                            .started = r->started_us,
                                                            .changed = on_health,
                                                            .ctx = r});
}

static void on_started(gpointer carrier, int pid)
{
    struct run_carrier *r = carrier;
    r->started_us = g_get_monotonic_time();
    run_control_started(r->control, pid);
    run_entry_started(r->entry, pid);
    g_autofree char *note = netpool_note(r->nets);
    if (note)
        tell_text(r, RUN_NEWS_NOTE, "%s", note);
    if (r->check)
        start_prober(r, pid);
    tell_news(r, (struct run_news){.kind = RUN_NEWS_STARTED});
}

static void log_output(gpointer carrier, int fd, const void *bytes, gsize len)
{
    run_entry_log(((struct run_carrier *)carrier)->entry, bytes, len);
}

static void set_network(struct run_carrier *r, struct sandbox_spec *spec)
{
    spec->network = r->q->network;
    spec->net_at_once = TRUE;
    spec->nets = r->nets;
    spec->ports = (const struct network_port *)r->ports.list->data;
    spec->n_ports = r->ports.list->len;
    spec->hosts = (const struct host_ip *)r->q->hosts->data;
    spec->n_hosts = r->q->hosts->len;
}

static void set_streams(struct run_carrier *r, struct sandbox_spec *spec)
{
    spec->stdin_fd = r->q->stdin_fd;
    spec->terminal = r->q->terminal ? run_control_terminal : NULL;
    spec->terminal_ctx = r->control;
    spec->output = r->q->detached ? log_output : r->watch->output;
    spec->output_ctx = r->q->detached ? r : r->watch->ctx;
    spec->keep_pipes = !r->q->detached && r->watch->keep_pipes;
    spec->started = on_started;
    spec->started_ctx = r;
}

static gboolean run_program(struct run_carrier *r, struct sandbox_result *res, GError **err)
{
    struct sandbox_spec spec = {.root_fd = r->root->mount_fd,
                                .root_readonly = r->q->readonly,
                                .args = (const char *const *)r->process.args,
                                .platform = &r->image->conf->platform,
                                .env = (const char *const *)r->process.env,
                                .cwd = r->process.cwd,
                                .user = r->process.user,
                                .hostname = r->process.hostname,
                                .ulimits = (const struct ulimit *)r->q->ulimits->data,
                                .n_ulimits = r->q->ulimits->len,
                                .shm_size = r->q->shm_size,
                                .resources = &r->q->resources,
                                .init = r->q->init};
    spec.mounts = run_volumes_mounts(r->volumes, &spec.n_mounts);
    set_network(r, &spec);
    set_streams(r, &spec);
    if (sandbox_run(&spec, run_control_kill(r->control), res, err))
        return TRUE;
    g_prefix_error(err, "cannot run %s: ", r->q->image);
    return FALSE;
}

/* What came of it, once nothing of it runs. */
static void carrier_outcome(struct run_carrier *r, gboolean ran,
                            const struct sandbox_result *sandbox, struct run_result *res)
{
    int unheard = run_control_unheard(r->control);
    *res = (struct run_result){.exit_code = ran ? sandbox->exit_code : EXIT_KILLED,
                               .exec_errno = sandbox->exec_errno,
                               .out_of_memory = sandbox->out_of_memory,
                               .unhealthy = g_steal_pointer(&r->unhealthy)};
    if (res->exit_code == EXIT_KILLED && unheard)
        res->exit_code = 128 + unheard;
    res->early = r->check && !g_atomic_int_get(&r->healthy) && !run_control_is_stopping(r->control);
}

gboolean run_carrier_run(struct run_carrier *r, struct run_result *res, GError **err)
{
    struct sandbox_result sandbox = {0};
    GError *why = NULL;
    gboolean ran = mount_all(r, &why) && open_root(r, &why) &&
                   run_control_start(r->control, &why) && run_program(r, &sandbox, &why);
    g_clear_pointer(&r->prober, run_prober_free);
    run_control_end(r->control);
    if (!ran && !(g_error_matches(why, VARVE_ERROR, VARVE_ERROR_CANCELLED) &&
                  run_control_is_stopping(r->control))) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_clear_error(&why);
    carrier_outcome(r, ran, &sandbox, res);
    return TRUE;
}

void run_carrier_end(struct run_carrier *r, int exit_code, gboolean keep)
{
    if (!r)
        return;
    run_entry_end(r->entry, exit_code, keep);
    netpool_free(r->nets);
    snapshot_discard(r->root);
    run_volumes_free(r->volumes);
    run_ports_clear(&r->ports);
    run_process_clear(&r->process);
    healthcheck_free(r->check);
    run_control_free(r->control);
    g_free(r->resolv);
    g_free(r->unhealthy);
    g_free(r);
}

void run_result_clear(struct run_result *res)
{
    g_clear_pointer(&res->unhealthy, g_free);
}

const char *run_carrier_id(const struct run_carrier *r)
{
    return run_entry_id(r->entry);
}

const char *run_carrier_program(const struct run_carrier *r)
{
    return r->process.args[0];
}

GBytes *run_carrier_tail(const struct run_carrier *r, gsize max)
{
    return run_entry_tail(r->entry, max);
}
