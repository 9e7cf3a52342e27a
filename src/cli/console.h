/* The user's terminal, and what a program prints to the user. */
#ifndef VARVE_CLI_CONSOLE_H
#define VARVE_CLI_CONSOLE_H

#include "run/control.h"

#include <termios.h>

/* Between the program's terminal and the user's. One thread attaches it, another moves bytes. */
struct console {
    gint master;          /* the program's terminal from outside, -1: none yet; atomic, set last */
    gboolean interactive; /* what the user types is for the program, once it is attached */
    gboolean input;       /* it goes there now */
    gboolean raw;         /* the user's terminal is in raw mode: saved holds what it was */
    struct termios saved; /* the user's terminal before raw mode */
};
/* Takes master_fd, what the sandbox gives to spec->terminal. */
void console_attach(struct console *c, int master_fd, gboolean interactive);
/* Gives it the size of the user's terminal. */
void console_resize(struct console *c);
/* Restores the user's terminal and closes. */
void console_close(struct console *c);
/* Moves what is there: FALSE at the end of the program's output; c->input ends with the user's
 * input. */
gboolean console_output(struct console *c);
void console_input(struct console *c);
/* c for the control of a run, which attaches it with c->interactive. */
struct run_console console_of_run(struct console *c);

/* A sandbox's output to this process's descriptor fd. A file or terminal of the user's is not the
 * program's to open by name (/dev/stdout): it gets a pipe, as Docker's does. *lost gets why nothing
 * more could be passed on. */
void console_pass_on(GError **lost, int fd, const void *bytes, gsize len);

#endif
