/* varve build --debug-on-failure: the terminal and the shell in the failed step. */
#include "cli/build_shown.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/console.h"
#include "cli/report.h"
#include "ui/text.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RESIZE_MS 250 /* how often the window's size is looked at */

/* Moves bytes between the user's terminal and the shell's. */
struct relay {
    struct console console;
    int wake_fd; /* readable once the shell ended */
    GThread *thread;
};

static gboolean relay_turn(struct relay *r)
{
    struct pollfd fds[] = {{.fd = r->console.master, .events = POLLIN},
                           {.fd = r->console.input ? STDIN_FILENO : -1, .events = POLLIN},
                           {.fd = r->wake_fd, .events = POLLIN}};
    if (poll(fds, G_N_ELEMENTS(fds), RESIZE_MS) < 0)
        return TRUE;
    console_resize(&r->console);
    if (fds[0].revents)
        return console_output(&r->console);
    if (fds[1].revents)
        console_input(&r->console);
    return !fds[2].revents;
}

static gpointer relay_main(gpointer data)
{
    while (relay_turn(data))
        ;
    return NULL;
}

static void relay_start(gpointer relay, int master_fd)
{
    struct relay *r = relay;
    console_attach(&r->console, master_fd, TRUE);
    r->thread = g_thread_new("terminal", relay_main, r);
}

static void relay_end(struct relay *r)
{
    guint64 one = 1;
    if (r->thread && write(r->wake_fd, &one, sizeof one) == sizeof one)
        g_thread_join(r->thread);
    console_close(&r->console);
    fd_cleanup(&r->wake_fd);
}

static void open_shell(struct shown_build *b, const struct vertex *v)
{
    struct relay r = {.console = {.master = -1}, .wake_fd = eventfd(0, EFD_CLOEXEC)};
    GError *err = NULL;
    int code = 0;
    g_autofree char *name = text_step(v->meta.name, 60);
    fprintf(stderr, "\na shell where %s failed; exit leaves it and discards your changes\n", name);
    gboolean ok = r.wake_fd >= 0
                      ? build_debug(b->build, relay_start, &r, g_getenv("TERM"), &code, &err)
                      : error_set_errno(&err, errno, "making a terminal for the shell");
    relay_end(&r);
    if (ok && (code == 126 || code == 127))
        report_warning("this image has no working shell; try an image that has one as its base");
    if (!ok && err)
        report_error(err);
    g_clear_error(&err);
}

static void tell_of_debug(const struct shown_build *b)
{
    const char *how = build_debug_note(b) ? "debug" : "build --debug-on-failure";
    if (b->o->progress != PROGRESS_QUIET)
        print_next("varve %s opens a shell where it failed", how);
}

void build_offer_debug(struct shown_build *b)
{
    const struct build_failure *f = b->res->failure;
    const struct vertex *kept = build_kept(b->build);
    if (kept && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        open_shell(b, kept);
    else if (kept)
        print_next("on a terminal --debug-on-failure opens a shell here");
    else if (f && f->step->vertex->op.type == OP_EXEC && f->step->result->exit_code != 0)
        tell_of_debug(b);
}
