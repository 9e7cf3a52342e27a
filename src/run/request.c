#include "run/request.h"

#define DEFAULT_STOP_TIMEOUT 10

void run_request_init(struct run_request *q)
{
    *q = (struct run_request){
        .network = NET_DEFAULT,
        .stop_timeout = DEFAULT_STOP_TIMEOUT,
        .health = {.interval = -1, .timeout = -1, .start_period = -1, .start_interval = -1},
        .stdin_fd = -1};
    q->env = g_ptr_array_new_with_free_func(g_free);
    q->mounts = run_mounts_new();
    run_ports_init(&q->ports);
    q->hosts = g_array_new(FALSE, TRUE, sizeof(struct host_ip));
    q->ulimits = g_array_new(FALSE, TRUE, sizeof(struct ulimit));
    q->owned = g_ptr_array_new_with_free_func(g_free);
}

void run_request_clear(struct run_request *q)
{
    char *strings[] = {q->image, q->entrypoint, q->user,     q->workdir,
                       q->name,  q->hostname,   q->ca_bundle};
    for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(strings[i]);
    g_strfreev(q->command);
    g_strfreev(q->labels);
    g_strfreev(q->proxies);
    g_clear_pointer(&q->env, g_ptr_array_unref);
    g_clear_pointer(&q->mounts, g_array_unref);
    run_ports_clear(&q->ports);
    g_clear_pointer(&q->hosts, g_array_unref);
    g_clear_pointer(&q->ulimits, g_array_unref);
    g_clear_pointer(&q->owned, g_ptr_array_unref);
    run_dns_clear(&q->dns);
    resources_clear(&q->resources);
    g_strfreev(q->health.test);
    *q = (struct run_request){.stdin_fd = -1};
}
