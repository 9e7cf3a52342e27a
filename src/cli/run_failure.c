/* A program of varve run or exec that could not be started: what to do. */
#include "cli/run.h"

#include "cli/report.h"
#include "ui/text.h"

#include <errno.h>
#include <string.h>

static void next_of_missing(const char *command, const char *name, const char *program)
{
    if (*program == '-')
        print_next("options stand before the %s: varve %s %s … %s",
                   g_str_equal(command, "run") ? "image" : "run's name", command, program, name);
    else if (*program == '[')
        print_next("--entrypoint takes one program; what it gets as arguments follows the image");
    else if (strchr(program, ' '))
        print_next("give each argument as a word of its own, or have a shell take it apart: sh -c "
                   "'%s'",
                   program);
    else if (strchr(program, '/'))
        print_next("check its path; a script may lack the interpreter of its #! line (its lines "
                   "must not end with CR LF), a program the loader it was built for");
    else
        print_next("check its spelling and the image's PATH; images without a shell have only "
                   "their own program");
}

void run_print_exec_next(const char *command, const char *name, const char *program, int error)
{
    g_autofree char *shown = text_fit(program, 100);
    if (error == ENOENT)
        next_of_missing(command, name, shown);
    else if (error == EACCES)
        print_next("make it executable for the user it runs as: COPY --chmod=755, or RUN chmod +x");
    else if (error == ENOEXEC)
        print_next("a script begins with a line like #!/bin/sh; else a shell can read it: sh %s",
                   shown);
}
