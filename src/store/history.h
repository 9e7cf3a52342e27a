/* Builds and their steps, recorded for varve history, logs and stats. */
#ifndef VARVE_STORE_HISTORY_H
#define VARVE_STORE_HISTORY_H

#include "store/store.h"

struct build_row {
    gint64 id;                   /* counts from 1 */
    char *name;                  /* first tag, or the context's name */
    char *target;                /* --target or "" */
    char *platform;              /* "linux/amd64" */
    gint64 started_us;           /* wall clock, microseconds since the epoch */
    gint64 duration_us;          /* until it ended */
    int status;                  /* exit code; -1 while running (or its process died) */
    int steps_ran, steps_cached; /* numbers of steps */
    char *image;                 /* config digest text, or NULL */
    char *error;                 /* message and next moves (error_text()), or NULL */
};
struct step_row {
    int number;                     /* among the steps of the build, from 1 */
    char *name;                     /* "RUN npm ci" */
    char *stage;                    /* or NULL */
    char *level;                    /* or NULL */
    int outcome;                    /* enum event_outcome */
    gint64 started_us, duration_us; /* as in build_row */
    guint64 layer_bytes;            /* what it added, uncompressed */
    gint64 cpu_us;                  /* of all processes of a RUN */
    guint64 memory_peak;            /* bytes, of a RUN; 0: unknown */
    char *why;                      /* why it ran or hit */
    char *key;                      /* definition key, hex; another one after every edit */
    char *slot;                     /* its place, the same in all builds of a Dockerfile, or NULL */
    char *platform;                 /* "linux/amd64" that it is for, or NULL */
};
void build_row_free(struct build_row *b);
void step_row_free(struct step_row *r);

/* Begins a build: writes its row and returns its id, 0 on error. */
gint64 store_build_begin(struct store *s, const struct build_row *b, GError **err);
/* Ends it: all steps and the outcome in one transaction. steps: struct step_row*. */
gboolean store_build_end(struct store *s, const struct build_row *b, GPtrArray *steps,
                         GError **err);
GPtrArray *store_build_list(struct store *s, guint max);       /* newest first */
struct build_row *store_build_get(struct store *s, gint64 id); /* 0: the newest; NULL if none */
GPtrArray *store_build_steps(struct store *s, gint64 id);      /* by number */
/* The steps in slot, newest build first, at most max; never NULL. */
GPtrArray *store_slot_steps(struct store *s, const char *slot, guint max);
/* Opens a step's log for appending (creating it if needed), or for reading; -1 on error. */
int store_log_create(struct store *s, gint64 build, int step, GError **err);
int store_log_open(struct store *s, gint64 build, int step, GError **err);
/* Gives the log of a step, if there is one, to another build that has the step, too. */
void store_log_share(struct store *s, gint64 from, gint64 to, int step);
/* The last lines (at most n, and of the last 64 KiB) of a step's log, without the last line's end.
 * "" when there is no log. */
char *store_log_tail(struct store *s, gint64 build, int step, guint n);

#endif
