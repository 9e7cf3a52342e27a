/* The command table. Help, completion and the manual's synopsis come from it; a command is one row here
 * and one file cmd_<name>.c. Only this room prints errors or exits. */
#ifndef VARVE_CLI_COMMAND_H
#define VARVE_CLI_COMMAND_H

#include <glib.h>

struct command {
    const char *name;      /* "build" */
    const char *synopsis;  /* arguments: "[options] CONTEXT" */
    const char *summary;   /* one line for the list */
    const char *help;      /* paragraphs under the synopsis */
    const char *example;   /* at least one line that works as printed */
    gboolean needs_userns; /* as an ordinary user, enter the user namespace first */
    /* Parses argv (argv[0] is the command's name) and works. Returns the exit code when it succeeded in
     * its own terms; with *err set, main prints the error and maps it to the exit code. */
    int (*run)(int argc, char **argv, GError **err);
    const GOptionEntry *options; /* what it parses, for help; NULL-terminated */
};
extern const struct command commands[]; /* ends with a NULL name */
const struct command *command_find(const char *name);
/* Parses argv with c's options into the variables they point to; leaves positional arguments in
 * (*argv)[1…]. -h/--help prints the help and returns FALSE without error. */
gboolean command_parse(const struct command *c, int *argc, char ***argv, GError **err);

int cmd_build(int argc, char **argv, GError **err);
int cmd_images(int argc, char **argv, GError **err);
int cmd_inspect(int argc, char **argv, GError **err);
int cmd_history(int argc, char **argv, GError **err);
int cmd_tag(int argc, char **argv, GError **err);
int cmd_rmi(int argc, char **argv, GError **err);
int cmd_push(int argc, char **argv, GError **err);
int cmd_pull(int argc, char **argv, GError **err);
int cmd_run(int argc, char **argv, GError **err);
int cmd_logs(int argc, char **argv, GError **err);
int cmd_layers(int argc, char **argv, GError **err);
int cmd_du(int argc, char **argv, GError **err);
int cmd_prune(int argc, char **argv, GError **err);
int cmd_fsck(int argc, char **argv, GError **err);
int cmd_login(int argc, char **argv, GError **err);
int cmd_version(int argc, char **argv, GError **err);

#endif
