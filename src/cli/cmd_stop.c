/* varve stop, kill, wait and rm: commands that end runs or wait for their end. */
#include "base/error.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "run/ask.h"
#include "store/runs.h"
#include "cli/arguments.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

struct end_options {
    char *signal;
    int timeout; /* seconds, -1: no limit; OWN_TIME: the run's own */
    gboolean force, volumes;
};
#define AT(field) G_STRUCT_OFFSET(struct end_options, field)
#define OWN_TIME G_MININT

const struct option_row stop_option_rows[] = {
    {"timeout", 't', OPTION_INT, AT(timeout), "SECONDS",
     "seconds to wait before killing it, -1: no limit (default: the run's --stop-timeout)"},
    {"time", 0, OPTION_INT, AT(timeout), "SECONDS", NULL}, /* Docker's older name */
    {"signal", 's', OPTION_STRING, AT(signal), "SIGNAL",
     "send this instead of the run's stop signal"},
    {0},
};
const struct option_row kill_option_rows[] = {
    {"signal", 's', OPTION_STRING, AT(signal), "SIGNAL", "send this (default: KILL)"},
    {0},
};
const struct option_row rm_option_rows[] = {
    {"force", 'f', OPTION_FLAG, AT(force), NULL,
     "kill it first if it is running; ignore missing runs"},
    {"volumes", 'v', OPTION_FLAG, AT(volumes), NULL, NULL}, /* anonymous ones go in any case */
    {0},
};

/* One run after the other; a failure is reported and the others are still done. */
typedef gboolean (*each_fn)(struct store *s, const char *name, struct run_row *r,
                            const struct end_options *o, GError **err);

static int each(char **names, const struct end_options *o, each_fn act, GError **err)
{
    int code = 0;
    g_autoptr(store) s = open_store(err);
    for (; s && *names; names++) {
        GError *why = NULL;
        g_autoptr(run_row) r = store_run_find(s, *names, &why);
        gboolean gone = o->force && g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
        if (gone)
            report_note("no such run: %s", *names);
        else if (!r || !act(s, *names, r, o, &why))
            code = report_error(why);
        g_clear_error(&why);
    }
    return code;
}

/* FALSE without error: it has ended. */
static gboolean ask_run(struct store *s, const struct run_row *r, struct run_ask what, GError **err)
{
    fd_auto int pidfd = store_run_pidfd(s, r, NULL);
    if (pidfd < 0)
        return FALSE;
    if (run_ask_send(pidfd, &what))
        return TRUE;
    return errno == ESRCH ? FALSE : error_set_errno(err, errno, "cannot signal process %d", r->pid);
}

static gboolean stop_one(struct store *s, const char *name, struct run_row *r,
                         const struct end_options *o, GError **err)
{
    struct run_ask what = {
        .stop = TRUE, .seconds = o->timeout == OWN_TIME ? RUN_ASK_OWN_TIME : MAX(o->timeout, -1)};
    GError *why = NULL;
    if (!signal_option("--signal", o->signal, &what.sig, err))
        return FALSE;
    if (ask_run(s, r, what, &why) && !store_run_wait(s, r, interrupt_watch(), &why))
        g_prefix_error(&why, "waiting for %s: ", name);
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    printf("%s\n", name);
    return TRUE;
}

static gboolean kill_one(struct store *s, const char *name, struct run_row *r,
                         const struct end_options *o, GError **err)
{
    struct run_ask what = {0};
    GError *why = NULL;
    if (!signal_option("--signal", o->signal ? o->signal : "KILL", &what.sig, err))
        return FALSE;
    if (ask_run(s, r, what, &why)) {
        if (what.sig == SIGKILL && !store_run_wait(s, r, interrupt_watch(), err))
            return FALSE;
        printf("%s\n", name);
        return TRUE;
    }
    if (!why) {
        error_set(&why, VARVE_ERROR_FAILED, "%s is not running", name);
        error_add_next(&why, "varve ps lists what runs");
    }
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean wait_one(struct store *s, const char *name, struct run_row *r,
                         const struct end_options *o, GError **err)
{
    if (!store_run_wait(s, r, interrupt_watch(), err))
        return FALSE;
    if (!r->ended) {
        error_set(err, VARVE_ERROR_FAILED,
                  "%s was killed together with varve: its exit code is unknown", name);
        error_add_next(err, "varve logs %s shows its output", name);
        return FALSE;
    }
    printf("%d\n", r->exit_code);
    return TRUE;
}

static gboolean rm_one(struct store *s, const char *name, struct run_row *r,
                       const struct end_options *o, GError **err)
{
    GError *why = NULL;
    if (o->force && ask_run(s, r, (struct run_ask){.sig = SIGKILL}, &why))
        store_run_wait(s, r, interrupt_watch(), &why);
    if (why || !store_run_remove(s, r, &why)) {
        g_propagate_error(err, why);
        return FALSE;
    }
    printf("%s\n", name);
    return TRUE;
}

static int end_runs(const struct command *c, int argc, char **argv, each_fn act, GError **err)
{
    struct end_options o = {.timeout = OWN_TIME};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, -1, err))
        code = each(argv + 1, &o, act, err);
    command_clear(c, &o);
    return code;
}

int cmd_stop(const struct command *c, int argc, char **argv, GError **err)
{
    return end_runs(c, argc, argv, stop_one, err);
}

int cmd_kill(const struct command *c, int argc, char **argv, GError **err)
{
    return end_runs(c, argc, argv, kill_one, err);
}

int cmd_wait(const struct command *c, int argc, char **argv, GError **err)
{
    return end_runs(c, argc, argv, wait_one, err);
}

int cmd_rm(const struct command *c, int argc, char **argv, GError **err)
{
    return end_runs(c, argc, argv, rm_one, err);
}
