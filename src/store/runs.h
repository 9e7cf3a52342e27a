/* Programs started by varve run, running ones and the last that ended, so that other processes can
 * list, follow, join and stop them. Each has a folder:
 *
 *   runs/<id>/about    what runs: a key file; strings are escaped as in C, so that it is ASCII
 *   runs/<id>/process  how its process was started, for varve exec: working directory, user and
 *                      variables, a NUL after each; removed at the end (it may hold passwords)
 *   runs/<id>/log      output of a detached run, the latest; what was before it is in log.old
 *   runs/<id>/end      flocked exclusively by the varve that carries the run while that lives; at
 *                      the end it gets "<exit code> <seconds since the epoch>\n"
 *
 * Only the flock tells whether a run is alive: it ends with its process, however that dies, and a
 * reused process id cannot hold it. Folders are created and removed under the store's lock "runs".
 */
#ifndef VARVE_STORE_RUNS_H
#define VARVE_STORE_RUNS_H

#include "store/store.h"

#define RUN_ID_LEN 12    /* hex digits, the first a letter: no id is a number */
#define RUNS_KEPT 20     /* ended runs that stay without being asked for */
#define RUN_NAME_MAX 128 /* bytes of a name */

struct run_row {
    char *id;              /* RUN_ID_LEN digits */
    char *name;            /* --name, or "" */
    char *image;           /* as given */
    char *command;         /* for people */
    char **labels;         /* "key=value" each; NULL: none */
    char *ports;           /* published, "0.0.0.0:8080->80/tcp, …"; or "" */
    int pid;               /* of the varve that carries it */
    int program;           /* pid of the sandbox's process 1; 0: not started yet */
    guint64 program_start; /* when that process started (proc(5), stat), against reused numbers */
    gint64 created;        /* seconds since the epoch */
    gint64 created_us;     /* the same in microseconds: runs of one second have an order */
    gboolean detached;     /* -d: in the background */
    gboolean kept;         /* stays once it has ended */
    /* Below: asked when read, not written. */
    gboolean alive;
    gboolean ended; /* exit_code and at are valid; neither alive nor ended: varve was killed */
    int exit_code;
    gint64 at;   /* when it ended */
    int end_fd;  /* its file "end", which has the exit code even if the folder is gone */
    char *where; /* "runs/<id>", below the store's root */
};
void run_row_free(struct run_row *r);
/* [A-Za-z0-9][A-Za-z0-9_.-]*, at most RUN_NAME_MAX bytes, and not a number. VARVE_ERROR_USAGE. */
gboolean run_name_check(const char *name, GError **err);

/* Used by the varve that runs the program: one entry per run, from before the program starts until
 * it has ended. */
struct run_entry;
/* Makes the folder and removes what is too old. Of about: name, image, command, labels, ports,
 * detached and kept. process as above. VARVE_ERROR_USAGE when another has the name, running or not.
 */
struct run_entry *run_entry_new(struct store *s, const struct run_row *about, GBytes *process,
                                GError **err);
const char *run_entry_id(const struct run_entry *e);
/* The program runs as this process. On failure others do not learn it; that is not reported. */
void run_entry_started(struct run_entry *e, int program);
/* Adds output to the log, of which the last megabytes are kept. */
void run_entry_log(struct run_entry *e, const void *bytes, gsize len);
/* The end of the log, at most max bytes. */
GBytes *run_entry_tail(struct run_entry *e, gsize max);
/* Ends and frees. keep FALSE: removes everything. NULL is fine. */
void run_entry_end(struct run_entry *e, int exit_code, gboolean keep);

/* When a process started, in clock ticks since the kernel booted; 0 if it is gone. */
guint64 run_process_start(int pid);

/* Used by all others. All runs, the latest first; rows are freed with the array. */
GPtrArray *store_run_list(struct store *s);
/* By name, id, unique start of an id, or either pid; running ones first, then the latest.
 * VARVE_ERROR_NOT_FOUND. */
struct run_row *store_run_find(struct store *s, const char *text, GError **err);
/* Updates alive, ended and so on. */
void store_run_refresh(struct store *s, struct run_row *r);
/* Waits until it is no longer alive. FALSE when cancelled. */
gboolean store_run_wait(struct store *s, struct run_row *r, struct cancel *c, GError **err);
/* Opens "log", "log.old" or "process" of it; -1 with VARVE_ERROR_NOT_FOUND if there is none. */
int store_run_open(struct store *s, const struct run_row *r, const char *file, GError **err);
/* A pidfd of r->pid; -1 with VARVE_ERROR_NOT_FOUND if it has ended. */
int store_run_pidfd(struct store *s, const struct run_row *r, GError **err);
/* Removes one that has ended. VARVE_ERROR_USAGE while it runs. */
gboolean store_run_remove(struct store *s, struct run_row *r, GError **err);
/* Removes ended runs, except the latest keep ones and those that ended after since (seconds since
 * the epoch; 0: no such rule). With dry_run it only counts. Adds to *bytes and *things. */
gboolean store_run_trim(struct store *s, guint keep, gint64 since, gboolean dry_run, guint64 *bytes,
                        guint64 *things, GError **err);

typedef struct run_row run_row;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(run_row, run_row_free)

#endif
