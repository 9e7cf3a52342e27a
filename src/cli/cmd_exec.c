/* varve exec: one more program in the sandbox of a run. */
#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/shellword.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "snapshot/userns.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define AT(field) G_STRUCT_OFFSET(struct run_options, field)
#define PROCESS_MAX (16 << 20) /* bytes: more than the kernel takes as variables */

const struct option_row exec_option_rows[] = {
    {"interactive", 'i', OPTION_FLAG, AT(interactive), NULL, "pass stdin on"},
    {"tty", 't', OPTION_FLAG, AT(tty), NULL, "give the program a terminal"},
    {"user", 'u', OPTION_STRING, AT(user), "USER[:GROUP]", "run as this user (the run's)"},
    {"workdir", 'w', OPTION_STRING, AT(workdir), "PATH", "start in this directory (the run's)"},
    {"env", 'e', OPTION_LIST, AT(env), "KEY[=VALUE]", "set a variable, or pass it on (repeatable)"},
    {"env-file", 0, OPTION_LIST, AT(env_files), "FILE", "read variables from a file (repeatable)"},
    {"privileged", 0, OPTION_FLAG, AT(privileged), NULL,
     "all capabilities and no system call filter"},
    {"detach", 'd', OPTION_FLAG, AT(detach), NULL, NULL},
    {0},
};

/* What run_record.c wrote: working directory, user, variables. */
static gboolean take_process(struct run *r, const struct run_row *row, GPtrArray *env, GError **err)
{
    fd_auto int fd = store_run_open(r->store, row, "process", err);
    g_autoptr(GBytes) bytes = fd < 0 ? NULL : fs_read_fd(fd, "process", PROCESS_MAX, err);
    if (!bytes)
        return FALSE;
    gsize len;
    const char *at = g_bytes_get_data(bytes, &len), *end = at + len;
    for (guint i = 0; at < end; i++, at += strlen(at) + 1) {
        if (i > 1)
            g_ptr_array_add(env, g_strdup(at));
        else if (i == 0)
            r->cwd = g_intern_string(r->o->workdir ? r->o->workdir : at);
        else
            r->user = g_intern_string(r->o->user ? r->o->user : at);
    }
    return TRUE;
}

static gboolean set_process(struct run *r, const struct run_row *row, GError **err)
{
    GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
    gboolean ok = take_process(r, row, env, err);
    if (ok && r->o->tty)
        g_ptr_array_add(env, g_strdup("TERM=xterm"));
    ok = ok && run_add_env(r->o, env, err);
    g_ptr_array_add(env, NULL);
    g_ptr_array_set_free_func(env, NULL);
    r->env = (char **)g_ptr_array_free(env, FALSE);
    return ok;
}

/* Of the row, whose numbers may stand for other processes by now. */
static gboolean is_there(const struct run_row *row, GError **err)
{
    const char *name = *row->name ? row->name : row->id;
    if (row->alive && row->program > 0 && run_process_start(row->program) == row->program_start)
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "%s is not running", name);
    error_add_next(err, "varve ps lists what runs; varve logs %s shows its output", name);
    return FALSE;
}

static void on_started(gpointer run, int pid)
{
    g_atomic_int_set(&((struct run *)run)->pid, pid);
}

static void pass_on(gpointer run, int fd, const void *bytes, gsize len)
{
    struct run *r = run;
    if (!r->output_lost && !fs_write_all(fd, bytes, len, &r->output_lost))
        g_prefix_error(&r->output_lost, "passing on the program's output: ");
}

static int join(struct run *r, const struct run_row *row, GError **err)
{
    struct sandbox_result res = {0};
    struct sandbox_spec spec = {.root_fd = -1,
                                .args = (const char *const *)r->command,
                                .env = (const char *const *)r->env,
                                .cwd = r->cwd,
                                .user = r->user,
                                .insecure = r->o->privileged,
                                .stdin_fd = r->o->interactive ? STDIN_FILENO : -1,
                                .terminal = r->o->tty ? run_terminal : NULL,
                                .terminal_ctx = r,
                                .output = pass_on,
                                .output_ctx = r,
                                .keep_pipes = TRUE,
                                .started = on_started,
                                .started_ctx = r};
    if (run_control_start(r, err) && !sandbox_join(row->program, &spec, 0, r->kill, &res, err))
        g_prefix_error(err, "cannot run %s in %s: ", r->command[0], r->name);
    run_control_end(r);
    if (!*err)
        run_print_exec_next(r, r->command[0], res.exec_errno, "exec");
    if (r->output_lost && !*err)
        g_propagate_error(err, g_steal_pointer(&r->output_lost));
    return res.exit_code;
}

static int exec_in(struct run *r, GError **err)
{
    if (r->o->detach) {
        error_set(err, VARVE_ERROR_UNSUPPORTED, "exec -d is not supported");
        g_autofree char *word = shell_word(r->command[0]);
        error_add_next(err, "varve exec %s %s & does the same", r->name, word);
        return 0;
    }
    if (r->o->workdir && *r->o->workdir != '/') {
        error_set(err, VARVE_ERROR_USAGE, "-w %s: the working directory must be absolute",
                  r->o->workdir);
        error_add_next(err, "begin it with /: -w /%s", r->o->workdir);
        return 0;
    }
    if (!run_check_terminal(r->o, err) || !(r->store = open_store(err)))
        return 0;
    g_autoptr(run_row) row = store_run_find(r->store, r->name, err);
    if (!row || !is_there(row, err) || !set_process(r, row, err))
        return 0;
    fd_auto int pidfd = store_run_pidfd(r->store, row, err);
    if (pidfd < 0 || !userns_join(pidfd, row->pid, err))
        return 0;
    return join(r, row, err);
}

int cmd_exec(const struct command *c, int argc, char **argv, GError **err)
{
    struct run_options o = {.stop_timeout = -1};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 2, -1, err)) {
        struct run r = {.o = &o,
                        .name = argv[1],
                        .command = argv + 2,
                        .stop_signal = SIGTERM,
                        .report_fd = -1,
                        .wake_fd = -1,
                        .console = {.master = -1},
                        .kill = cancel_new()};
        code = exec_in(&r, err);
        g_strfreev(r.env);
        g_clear_error(&r.output_lost);
        store_close(r.store);
        cancel_free(r.kill);
    }
    command_clear(c, &o);
    return code;
}
