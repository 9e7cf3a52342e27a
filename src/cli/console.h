/* The user's terminal, and a program's output to the user. */
#ifndef VARVE_CLI_CONSOLE_H
#define VARVE_CLI_CONSOLE_H

#include "run/control.h"

#include <termios.h>

/* Connects the program's terminal and the user's. One thread attaches it, another copies bytes. */
struct console {
    gint master;          /* the program's terminal from outside, -1: none yet; atomic, set last */
    gboolean interactive; /* what the user types is for the program, once it is attached */
    gboolean input;       /* it goes there now */
    gboolean raw;         /* the user's terminal is in raw mode: saved holds what it was */
    struct termios saved; /* its settings before raw mode */
    /* the user's terminal before raw mode */ /* the terminal's settings, to be restored */
};
/* Takes over master_fd, passed by the sandbox to spec->terminal. */
void console_attach(struct console *c, int master_fd, gboolean interactive);
/* Gives it the size of the user's terminal. */
void console_resize(struct console *c);
/* Restores the user's terminal and closes. */
void console_close(struct console *c);
/* Copies available bytes: FALSE at the end of the program's output; c->input becomes FALSE at the
 * end of the user's input. */
gboolean console_output(struct console *c);
void console_input(struct console *c);
/* c for the control of a run, which attaches it with c->interactive. */
struct run_console console_of_run(struct console *c);

/* Writes a sandbox's output to this process's descriptor fd. The program must not open the user's
 * file or terminal by name (/dev/stdout), so it gets a pipe, as in Docker. *lost gets the reason
 * when writing fails. */
void console_pass_on(GError **lost, int fd, const void *bytes, gsize len);

#endif
