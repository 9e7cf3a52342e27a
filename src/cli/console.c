#include "cli/console.h"

#include "base/fs.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK 16384

void console_resize(struct console *c)
{
    int master = g_atomic_int_get(&c->master);
    struct winsize ws;
    if (master >= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
        ioctl(master, TIOCSWINSZ, &ws);
}

void console_attach(struct console *c, int master_fd, gboolean interactive)
{
    c->input = interactive;
    if (interactive && tcgetattr(STDIN_FILENO, &c->saved) == 0) {
        struct termios raw = c->saved;
        cfmakeraw(&raw);
        c->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
    g_atomic_int_set(&c->master, master_fd);
    console_resize(c);
}

void console_close(struct console *c)
{
    if (c->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &c->saved);
    c->raw = FALSE;
    fd_cleanup(&c->master);
}

gboolean console_output(struct console *c)
{
    char buf[CHUNK];
    ssize_t n = read(c->master, buf, sizeof buf);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return TRUE;
    return n > 0 && fs_write_all(STDOUT_FILENO, buf, n, NULL);
}

void console_input(struct console *c)
{
    char buf[CHUNK];
    ssize_t n = read(STDIN_FILENO, buf, sizeof buf);
    if (n < 0 && errno == EINTR)
        return;
    c->input = n > 0 && fs_write_all(c->master, buf, n, NULL);
}

static void attach_run(gpointer console, int master_fd)
{
    struct console *c = console;
    console_attach(c, master_fd, c->interactive);
}

static gboolean poll_run(gpointer console, gboolean ended, struct pollfd fds[2])
{
    struct console *c = console;
    int master = g_atomic_int_get(&c->master);
    gboolean input = master >= 0 && c->input && !ended;
    fds[0] = (struct pollfd){.fd = master, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = input ? STDIN_FILENO : -1, .events = POLLIN};
    return master >= 0;
}

static gboolean handle_run(gpointer console, const struct pollfd fds[2])
{
    if (fds[0].revents && !console_output(console))
        return FALSE;
    if (fds[1].revents)
        console_input(console);
    return TRUE;
}

static void resize_run(gpointer console)
{
    console_resize(console);
}

struct run_console console_of_run(struct console *c)
{
    return (struct run_console){c, attach_run, poll_run, handle_run, resize_run};
}

void console_pass_on(GError **lost, int fd, const void *bytes, gsize len)
{
    if (!*lost && !fs_write_all(fd, bytes, len, lost))
        g_prefix_error(lost, "passing on the program's output: ");
}
