/* What a progress view knows about a build, and the views; private to ui/. */
#ifndef VARVE_UI_VIEW_H
#define VARVE_UI_VIEW_H

#include "ui/progress.h"

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_DONE };

struct step {
    int vertex;                     /* number in the graph */
    char *name, *stage;             /* stage may be NULL */
    char *build, *platform, *level; /* each may be NULL */
    char *id;                       /* "sha256:…" */
    int *inputs;                    /* vertex numbers */
    int n_inputs;
    enum step_state state;
    enum event_outcome outcome;
    gint64 started_us, duration_us, ended_us; /* wall clock */
    guint64 layer_bytes;                      /* bytes of files it added */
    gint64 cpu_us;                            /* a RUN: CPU time of its processes */
    guint64 memory_peak;                      /* a RUN: bytes of memory at most, 0: unknown */
    char *why;                                /* why it ran or hit; the error when it failed */
    GString *tail;                            /* the end of its log, at most TAIL_BYTES */
    GString *line;                            /* plain view: a line not yet ended */
};

struct transfer {
    char *name;              /* what is moved */
    guint64 current, target; /* bytes; target 0 unknown */
    gint64 started_us;       /* wall clock */
    gint64 told_us;          /* plain view: when it was printed last; begins as started_us */
    gboolean finished;       /* nothing more comes */
    int vertex;              /* that it is for, -1: none */
};

struct progress;
/* How a mode shows things. Called with the progress locked. All but event may be NULL. */
struct view {
    void (*event)(struct progress *p, const struct event *ev,
                  struct step *s);      /* s: the step that it is about, or NULL */
    void (*finish)(struct progress *p); /* once, at the end */
    void (*findings)(struct progress *p, const struct lint_report *r,
                     const struct diags *d); /* of a check */
    gboolean ticks;                          /* wants tty_draw on a timer */
};
extern const struct view view_tty, view_plain, view_quiet, view_rawjson;

struct progress {
    struct event_sink sink;  /* first: the sink is the progress */
    FILE *out;               /* where it is shown, borrowed */
    enum progress_mode mode; /* never AUTO */
    const struct view *view;
    char *title;          /* or NULL */
    GMutex lock;          /* over all that follows */
    GPtrArray *steps;     /* struct step*, in order of appearance */
    GPtrArray *transfers; /* struct transfer* */
    int total;            /* steps planned, 0 unknown */
    int done;             /* steps ended */
    GString *warnings;    /* lines to be written at the end */
    gint64 started_us;    /* wall clock */
    gboolean colours;     /* out takes colours */
    GThread *ticker;      /* tty: redraws */
    GCond wake;           /* ends the ticker */
    gboolean ended;       /* finished: only the first call counts */
    GArray
        *drawn; /* tty: int, the widths of the lines on the screen that the next frame replaces */
};

#define TAIL_BYTES (32 * 1024)

struct step *progress_step(struct progress *p, int vertex); /* NULL when unknown */
/* The one that an EVENT_TRANSFER tells of; NULL when unknown. */
struct transfer *progress_transfer(struct progress *p, const struct event *ev);
/* What people know s by: "3/7", its number among all steps of the build (what varve logs --step
 * takes), and its stage: NULL for an unnamed one where there is no other. Where there are several
 * platforms, its own is before the stage: "linux/arm64 build"; before both, its build where it is
 * one of several: "dev: build". Newly allocated. */
char *progress_number(struct progress *p, const struct step *s);
char *progress_stage(struct progress *p, const struct step *s);
/* Starts redrawing views that tick; no-op if already running. */
void progress_start_ticker(struct progress *p);
/* Prints a warning or a note on a line of its own. */
void progress_put_message(struct progress *p, const struct event *ev);
/* Draws a frame of the live view. */
void tty_draw(struct progress *p);

#endif
