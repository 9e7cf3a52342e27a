/* Carries one run, from its request and an image to the program's end.
 *
 * Order: run_carrier_new() takes the network and the ports, before the image is looked up;
 * run_carrier_prepare() once the image is there: from then on other processes see the run;
 * run_carrier_run() until the program has ended; run_carrier_end(), which frees. Messages go to the
 * watch; nothing is printed here. */
#ifndef VARVE_RUN_CARRIER_H
#define VARVE_RUN_CARRIER_H

#include "output/image.h"
#include "run/control.h"
#include "run/request.h"

enum run_news_kind {
    RUN_NEWS_NOTE,        /* text */
    RUN_NEWS_WARNING,     /* text */
    RUN_NEWS_STARTED,     /* the program runs */
    RUN_NEWS_HEALTHY,     /* for the first time, took_us after its start */
    RUN_NEWS_RECOVERED,   /* healthy again */
    RUN_NEWS_UNHEALTHY,   /* text: its check; it was healthy before */
    RUN_NEWS_INTERRUPTED, /* Ctrl-C: it was asked to end */
};
struct run_news {
    enum run_news_kind kind;
    const char *text; /* as its kind says, else NULL */
    gint64 took_us;   /* as its kind says, else 0 */
};
/* The starter of the run. Its functions may be called from any of the run's threads. */
struct run_watch {
    gpointer ctx;                                            /* handed to tell */
    void (*tell)(gpointer ctx, const struct run_news *news); /* what happens meanwhile */
    /* The program's output, fd 1 or 2, if it is not detached and has no terminal. */
    void (*output)(gpointer ctx, int fd, const void *bytes, gsize len);
    gboolean keep_pipes; /* the program inherits this process's stdout and stderr if they are pipes
                            (exec/sandbox.h) */
    gboolean signals;    /* this process's signals are for the program (control.h) */
    const struct run_console *console; /* of its terminal; NULL if it has none */
};
struct run_result {
    int exit_code;  /* of the program */
    int exec_errno; /* why the program could not be started; 0: it was */
    /* the kernel killed one of its processes because of the request's limit */
    gboolean out_of_memory;
    gboolean early;  /* it ended by itself before it was healthy, which was requested */
    char *unhealthy; /* why it was stopped: its last check; NULL: it was not */
};
void run_result_clear(struct run_result *res);

struct run_carrier;
/* q and watch are borrowed until run_carrier_end(). */
struct run_carrier *run_carrier_new(const struct run_request *q, const struct run_watch *watch,
                                    GError **err);
/* store and image are borrowed likewise. */
gboolean run_carrier_prepare(struct run_carrier *r, struct store *store,
                             const struct built_image *image, GError **err);
/* FALSE if it could not be started. If it was killed on request: TRUE with exit code 137. */
gboolean run_carrier_run(struct run_carrier *r, struct run_result *res, GError **err);
/* Records this exit code for other processes; keep FALSE: removes everything. NULL is fine. */
void run_carrier_end(struct run_carrier *r, int exit_code, gboolean keep);

/* After run_carrier_prepare(): its id (store/runs.h), its program, and the end of its log, at most
 * max bytes (NULL if there is none). */
const char *run_carrier_id(const struct run_carrier *r);
const char *run_carrier_program(const struct run_carrier *r);
GBytes *run_carrier_tail(const struct run_carrier *r, gsize max);

#endif
