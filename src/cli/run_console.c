/* The terminal of varve run -t. */
#include "cli/run.h"

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
