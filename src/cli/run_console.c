/* The terminal of varve run -t. */
#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK 16384

void console_resize(struct console *c)
{
    struct winsize ws;
    if (c->master >= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
        ioctl(c->master, TIOCSWINSZ, &ws);
}

gboolean console_open(struct console *c, gboolean interactive, GError **err)
{
    c->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char *name = c->master >= 0 && grantpt(c->master) == 0 && unlockpt(c->master) == 0
                     ? ptsname(c->master)
                     : NULL;
    c->slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    if (c->slave < 0)
        return error_set_errno(err, errno, "making a terminal for -t");
    console_resize(c);
    c->input = interactive;
    if (interactive && tcgetattr(STDIN_FILENO, &c->saved) == 0) {
        struct termios raw = c->saved;
        cfmakeraw(&raw);
        c->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
    return TRUE;
}

void console_close(struct console *c)
{
    if (c->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &c->saved);
    c->raw = FALSE;
    fd_cleanup(&c->slave);
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
