/* What is to be run, and how: values alone, however they were asked for. Whoever fills it in owns
 * it until the run has ended; all strings and lists in it are its own. */
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
    char *image;      /* its name as it was given, for messages and the run's record */
    char **command;   /* instead of the image's Cmd; NULL or empty: that */
    char *entrypoint; /* instead of the image's Entrypoint, without its Cmd; "": none; NULL: that */
    char *user, *workdir; /* NULL: the image's */
    char *name;           /* for others that look for the run; NULL: none */
    char *hostname;       /* NULL: its name, else this host's */
    char **labels;        /* "KEY=VALUE" each, or NULL */
    char **proxies;       /* "NAME=VALUE": win over the image's variables, lose against env's */
    GPtrArray *env;       /* char*: "NAME=VALUE", over the image's */
    GArray *mounts;       /* struct run_mount */
    struct run_ports ports;
    gboolean publish_exposed; /* the image's ports as well, at any free ones */
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
    /* Probes until the end; one that is never healthy is stopped. The image's check unless
     * ignore_image, with what is given here: test NULL, times below 0 and retries 0 are not. */
    gboolean probe;
    gboolean ignore_image; /* its HEALTHCHECK does not count */
    struct healthcheck health;
    gboolean readonly; /* the root is */
    gboolean init;     /* process 1 is an init that reaps and passes signals on */
    gboolean host_ca;  /* this host's CA certificates are usable inside */
    char *ca_bundle;   /* the file of them (SSL_CERT_FILE); NULL: where systems have it */
    gboolean terminal; /* the program has one */
    gboolean detached; /* output goes to the run's log, not to who started it */
    gboolean kept;     /* log and exit code stay at the end */
    int stdin_fd;      /* the program's standard input, borrowed; -1: none */
};
/* Everything is the image's, or absent. */
void run_request_init(struct run_request *q);
void run_request_clear(struct run_request *q);

#endif
