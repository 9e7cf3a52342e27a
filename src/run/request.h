/* What to run, and how: only values, however they were requested. The caller owns it until the run
 * has ended; it owns all strings and lists in it. */
#ifndef VARVE_RUN_REQUEST_H
#define VARVE_RUN_REQUEST_H

#include "exec/network.h"
#include "exec/resources.h"
#include "graph/imageconf.h"
#include "graph/op.h"
#include "run/mount.h"
#include "run/port.h"
#include "run/resolv.h"
#include "snapshot/snapshot.h"

struct run_request {
    char *image;          /* its name as given, for messages and the run's record */
    char **command;       /* instead of the image's Cmd; NULL or empty: use that */
    char *entrypoint;     /* instead of the image's Entrypoint, without its Cmd; "": none; NULL: use
                             that */
    char *user, *workdir; /* NULL: the image's */
    char *name;           /* for other processes; NULL: none */
    char *hostname;       /* NULL: its name, else this host's */
    char **labels;        /* "KEY=VALUE" each, or NULL */
    char **proxies;       /* "NAME=VALUE": override the image's variables, not those of env */
    GPtrArray *env;       /* char*: "NAME=VALUE", overriding the image's */
    GArray *mounts;       /* struct run_mount */
    struct run_ports ports;
    gboolean publish_exposed; /* also the image's ports, on any free ones */
    GArray *hosts, *ulimits;  /* struct host_ip and struct ulimit; their strings are in owned */
    GPtrArray *owned;         /* char* */
    struct run_dns dns;       /* for the program's own resolv.conf */
    enum net_mode network;
    enum netpool_rule net_rule;     /* what NET_DEFAULT is */
    enum snapshot_driver snapshots; /* how the image's layers are mounted */
    struct resources resources;
    guint64 shm_size; /* bytes, 0: default */
    int stop_signal;  /* 0: the image's, else SIGTERM */
    int stop_timeout; /* seconds until it is killed, -1: never */
    /* Probe until the end; a program that never gets healthy is stopped. Uses the image's check
     * unless ignore_image, changed by health: test NULL, times below 0 and retries 0 change
     * nothing. */
    gboolean probe;
    gboolean ignore_image; /* ignore its HEALTHCHECK */
    struct healthcheck health;
    gboolean readonly; /* the root is */
    gboolean init;     /* process 1 is an init that reaps processes and forwards signals */
    gboolean host_ca;  /* this host's CA certificates are usable inside */
    char *ca_bundle;   /* their file (SSL_CERT_FILE); NULL: where systems have it */
    gboolean terminal; /* the program has one */
    gboolean detached; /* output goes to the run's log, not to the caller */
    gboolean kept;     /* log and exit code are kept at the end */
    int stdin_fd;      /* the program's standard input, borrowed; -1: none */
};
/* Everything from the image, or absent. */
void run_request_init(struct run_request *q);
void run_request_clear(struct run_request *q);

#endif
