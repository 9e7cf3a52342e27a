/* varve exec: another program in the sandbox of a run. */
#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/shellword.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "exec/sandbox.h"
#include "run/process.h"
#include "run/record.h"
#include "snapshot/userns.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define AT(field) G_STRUCT_OFFSET(struct run_options, field)

const struct option_row exec_option_rows[] = {
    {"interactive", 'i', OPTION_FLAG, AT(interactive), NULL, "forward stdin"},
    {"tty", 't', OPTION_FLAG, AT(tty), NULL, "give the program a terminal"},
    {"user", 'u', OPTION_STRING, AT(user), "USER[:GROUP]", "run as this user (default: the run's)"},
    {"workdir", 'w', OPTION_STRING, AT(workdir), "PATH",
     "start in this directory (default: the run's)"},
    {"env", 'e', OPTION_LIST, AT(env), "KEY[=VALUE]",
     "set a variable, or pass it through (repeatable)"},
    {"env-file", 0, OPTION_LIST, AT(env_files), "FILE", "read variables from a file (repeatable)"},
    {"privileged", 0, OPTION_FLAG, AT(privileged), NULL,
     "all capabilities and no system call filter"},
    {"detach", 'd', OPTION_FLAG, AT(detach), NULL, NULL},
    {0},
};

/* One varve exec. */
struct exec_call {
    const struct run_options *o;
    const char *name; /* of the run */
    char **command;
    struct store *store;
    struct run_process process; /* the run's, with what was given here */
    struct run_control *control;
    GError *output_lost; /* why the program's output could not be passed on, or NULL */
};

static void replace(char **at, const char *text)
{
    if (!text || !*text)
        return;
    g_free(*at);
    *at = g_strdup(text);
}

static gboolean set_process(struct exec_call *x, const struct run_row *row, GError **err)
{
    struct run_process *p = &x->process;
    if (!run_record_process(x->store, row, p, err))
        return FALSE;
    g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
    for (char **e = p->env; *e; e++)
        g_ptr_array_add(env, g_strdup(*e));
    replace(&p->cwd, x->o->workdir);
    replace(&p->user, x->o->user);
    if (x->o->tty)
        g_ptr_array_add(env, g_strdup("TERM=xterm"));
    if (!run_take_env(x->o, env, err))
        return FALSE;
    g_ptr_array_add(env, NULL);
    g_strfreev(p->env);
    p->env = g_strdupv((char **)env->pdata);
    return TRUE;
}

/* Of the row, whose numbers may stand for other processes by now. */
static gboolean run_is_there(const struct run_row *row, GError **err)
{
    const char *name = *row->name ? row->name : row->id;
    if (row->alive && row->program > 0 && run_process_start(row->program) == row->program_start)
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "%s is not running", name);
    error_add_next(err, "varve ps lists what runs; varve logs %s shows its output", name);
    return FALSE;
}

static void on_started(gpointer exec, int pid)
{
    run_control_started(((struct exec_call *)exec)->control, pid);
}

static void pass_on(gpointer exec, int fd, const void *bytes, gsize len)
{
    console_pass_on(&((struct exec_call *)exec)->output_lost, fd, bytes, len);
}

static gboolean join_sandbox(struct exec_call *x, const struct run_row *row,
                             struct sandbox_result *res, GError **err)
{
    struct sandbox_spec spec = {.root_fd = -1,
                                .args = (const char *const *)x->command,
                                .env = (const char *const *)x->process.env,
                                .cwd = x->process.cwd,
                                .user = x->process.user,
                                .insecure = x->o->privileged,
                                .stdin_fd = x->o->interactive ? STDIN_FILENO : -1,
                                .terminal = x->o->tty ? run_control_terminal : NULL,
                                .terminal_ctx = x->control,
                                .output = pass_on,
                                .output_ctx = x,
                                .keep_pipes = TRUE,
                                .started = on_started,
                                .started_ctx = x};
    if (sandbox_join(row->program, &spec, 0, run_control_kill(x->control), res, err))
        return TRUE;
    g_prefix_error(err, "cannot run %s in %s: ", x->command[0], x->name);
    return FALSE;
}

static int join_controlled(struct exec_call *x, const struct run_row *row, GError **err)
{
    struct sandbox_result res = {0};
    struct console console = {.master = -1, .interactive = x->o->interactive};
    const struct run_console port = console_of_run(&console);
    x->control = run_control_new(&(struct run_control_options){
        .stop_signal = SIGTERM, .stop_timeout = -1, .signals = TRUE, .console = &port});
    gboolean ok = run_control_start(x->control, err) && join_sandbox(x, row, &res, err);
    run_control_end(x->control);
    console_close(&console);
    run_control_free(g_steal_pointer(&x->control));
    if (ok)
        run_print_exec_next("exec", x->name, x->command[0], res.exec_errno);
    if (ok && x->output_lost)
        g_propagate_error(err, g_steal_pointer(&x->output_lost));
    return res.exit_code;
}

static int exec_in(struct exec_call *x, GError **err)
{
    if (x->o->detach) {
        error_set(err, VARVE_ERROR_UNSUPPORTED, "exec -d is not supported");
        g_autofree char *word = shell_word(x->command[0]);
        error_add_next(err, "varve exec %s %s & does the same", x->name, word);
        return 0;
    }
    if (!run_workdir_check(x->o->workdir, err) || !run_check_terminal(x->o, err) ||
        !(x->store = open_store(err)))
        return 0;
    g_autoptr(run_row) row = store_run_find(x->store, x->name, err);
    if (!row || !run_is_there(row, err) || !set_process(x, row, err))
        return 0;
    fd_auto int pidfd = store_run_pidfd(x->store, row, err);
    if (pidfd < 0 || !userns_join(pidfd, row->pid, err))
        return 0;
    return join_controlled(x, row, err);
}

int cmd_exec(const struct command *c, int argc, char **argv, GError **err)
{
    struct run_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 2, -1, err)) {
        struct exec_call x = {.o = &o, .name = argv[1], .command = argv + 2};
        code = exec_in(&x, err);
        run_process_clear(&x.process);
        g_clear_error(&x.output_lost);
        store_close(x.store);
    }
    command_clear(c, &o);
    return code;
}
