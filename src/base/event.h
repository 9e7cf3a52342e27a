/* Events: what the engine reports to whatever shows or records a build. Types only; ui/ turns them
 * into text, build/ into history. Events are values whose pointers are valid only during the call.
 */
#ifndef VARVE_BASE_EVENT_H
#define VARVE_BASE_EVENT_H

#include "base/digest.h"

enum event_type {
    EVENT_PLAN,     /* all vertices of the build are known: total is set */
    EVENT_VERTEX,   /* a vertex exists (sent once for each, before any other about it) */
    EVENT_START,    /* its work started */
    EVENT_LOG,      /* bytes from the step's stdout or stderr */
    EVENT_TRANSFER, /* progress of a named transfer or other countable work */
    EVENT_DONE,     /* it ended: outcome is set */
    EVENT_WARNING,  /* text is one line for the user */
    EVENT_NOTE,     /* the same for something that is only useful to know */
};

enum event_outcome {
    OUTCOME_RAN,
    OUTCOME_CACHED, /* definition key hit */
    OUTCOME_CUT,    /* content key hit: inputs ran but came out identical */
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
};

struct event {
    enum event_type type;
    gint64 time_us;       /* wall clock, microseconds since the epoch */
    int vertex;           /* index in the build's graph, from 0; -1 when none */
    const char *name;     /* VERTEX: "RUN npm ci"; TRANSFER: what is moved */
    const char *stage;    /* VERTEX: the stage's name or number, or NULL */
    const char *build;    /* VERTEX: the build of a batch that it belongs to; NULL: the only one */
    const char *platform; /* VERTEX: "linux/amd64", "linux/amd64->arm64"; NULL: none or several */
    const char *level;    /* VERTEX: "system", "dependencies", "configuration", "source" or NULL */
    const struct digest *id;    /* VERTEX: definition digest, unique in the build */
    const int *inputs;          /* VERTEX: n_inputs vertex numbers */
    int n_inputs;               /* VERTEX */
    int total;                  /* PLAN: number of vertices that count as steps */
    int fd;                     /* LOG: 1 or 2 */
    const void *bytes;          /* LOG: n_bytes of output, any bytes */
    gsize n_bytes;              /* LOG */
    guint64 current;            /* TRANSFER: bytes so far */
    guint64 target;             /* TRANSFER: total bytes, 0 when unknown */
    gboolean finished;          /* TRANSFER: ended */
    enum event_outcome outcome; /* DONE */
    gint64 duration_us;         /* DONE */
    guint64 layer_bytes;        /* DONE: size of what it added, uncompressed */
    gint64 cpu_us;              /* DONE, of a RUN: CPU time of all its processes */
    guint64 memory_peak;        /* DONE, of a RUN: the most memory in use; 0: unknown */
    const char *text;           /* DONE failed: the error; DONE: why it ran or hit; WARNING, NOTE */
};

/* Receives events from any thread; implementations do their own locking. */
struct event_sink {
    void (*emit)(struct event_sink *self,
                 const struct event *ev); /* ev and all in it are the caller's */
};

/* NULL sink: nothing happens. Sets time_us if it is 0, and vertex if it is -1 and the thread works
 * on one (base/work.h), so that low-level code need not know it. */
void event_emit(struct event_sink *sink, const struct event *ev);
/* A warning or a note about the build as a whole. */
void event_warn(struct event_sink *sink, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void event_note(struct event_sink *sink, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The label of a stage in output: its name, or "stage-1" if it has only a number. NULL for NULL. */
char *event_stage_label(const char *stage);
/* The same after the build and the platform: "dev: linux/arm64 deps". Each may be NULL; NULL when
 * all are. */
char *event_step_label(const char *build, const char *platform, const char *stage);

#endif
