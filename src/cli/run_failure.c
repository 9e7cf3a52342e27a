/* A program of varve run or exec that could not be started: what to do. */
#include "cli/run.h"

#include "cli/report.h"
#include "ui/text.h"

#include <errno.h>
#include <string.h>

static void next_of_missing(const char *command, const char *name, const char *program)
{
    if (*program == '-')
        print_next("options go before the %s: varve %s %s … %s",
                   g_str_equal(command, "run") ? "image" : "run's name", command, program, name);
    else if (*program == '[')
        print_next("--entrypoint takes one program; its arguments go after the image");
    else if (strchr(program, ' '))
        print_next("give each argument as a separate word, or let a shell split it: sh -c '%s'",
                   program);
    else if (strchr(program, '/'))
        print_next("check its path; the interpreter in a script's #! line (its lines must not end "
                   "with CR LF) or a program's loader may be missing");
    else
        print_next("check its spelling and the image's PATH; some images have no shell, only their "
                   "own program");
}

void run_print_exec_next(const char *command, const char *name, const char *program, int error)
{
    g_autofree char *shown = text_fit(program, 100);
    if (error == ENOENT)
        next_of_missing(command, name, shown);
    else if (error == EACCES)
        print_next("make it executable for the user it runs as: COPY --chmod=755, or RUN chmod +x");
    else if (error == ENOEXEC)
        print_next("a script needs a first line like #!/bin/sh, without a byte order mark; else a "
                   "shell can read it: sh %s",
                   shown);
}
