/* The command table. Help comes from it; a command is one row here and one file cmd_<name>.c with
 * its options. Only this room prints errors or exits. */
#ifndef VARVE_CLI_COMMAND_H
#define VARVE_CLI_COMMAND_H

#include <glib.h>

enum option_kind {
    OPTION_FLAG,     /* gboolean */
    OPTION_STRING,   /* char*, newly allocated */
    OPTION_LIST,     /* char**, one for each time it is given */
    OPTION_INT,      /* int */
    OPTION_OPTIONAL, /* char*: the value, or "" when given without one */
    OPTION_NOTED,    /* char*: as OPTION_OPTIONAL; accepted for docker compatibility, ignored with a
                      * note
                      */
};
struct option_row {
    const char *name; /* "build-arg" */
    char letter;      /* or 0 */
    enum option_kind kind;
    gsize offset;     /* of its field in the command's options struct */
    const char *arg;  /* "KEY=VALUE", NULL for flags */
    const char *help; /* NULL: not shown in help */
};
struct command {
    const char *name;                 /* "build" */
    const char *synopsis;             /* "[OPTIONS] CONTEXT" */
    const char *summary;              /* one line for the list of commands */
    const char *help;                 /* a paragraph, or NULL */
    const char *example;              /* at least one line that works as printed */
    gboolean needs_userns;            /* an ordinary user enters a user namespace first */
    const struct option_row *options; /* ends with a NULL name; NULL: none */
    /* Works. Returns the exit code; with *err set, main prints the error and maps it to the exit
     * code. */
    int (*run)(const struct command *c, int argc, char **argv, GError **err);
};
extern const struct command commands[]; /* ends with a NULL name */
const struct command *command_find(const char *name);
/* The row of a word that gives an option: "--name", "--name=value", "-n", "-nvalue"; NULL: none. */
const struct option_row *command_option(const struct command *c, const char *word);
/* Whether that word leaves the option's value to the next one. */
gboolean command_value_follows(const struct option_row *row, const char *word);
/* Whether what follows the first argument belongs to another program. */
gboolean command_is_strict(const struct command *c);

/* Parses argv (argv[0]: the command's name) with c's options into the struct at opts, which is
 * zeroed or holds defaults. Positional arguments are left in (*argv)[1…]. FALSE without error after
 * --help. */
gboolean command_parse(const struct command *c, gpointer opts, int *argc, char ***argv,
                       GError **err);
/* Frees the strings and lists that parsing stored in opts. */
void command_clear(const struct command *c, gpointer opts);
/* As suggest_nearest(), but only what is right in two letters of three: NULL is better than far
 * off. */
const char *command_nearest(const char *typed, const char *const *words, gsize n);
void command_print_help(const struct command *c);
void commands_print_help(void);

int cmd_build(const struct command *c, int argc, char **argv, GError **err);
int cmd_debug(const struct command *c, int argc, char **argv, GError **err);
int cmd_images(const struct command *c, int argc, char **argv, GError **err);
int cmd_inspect(const struct command *c, int argc, char **argv, GError **err);
int cmd_history(const struct command *c, int argc, char **argv, GError **err);
int cmd_tag(const struct command *c, int argc, char **argv, GError **err);
int cmd_rmi(const struct command *c, int argc, char **argv, GError **err);
int cmd_push(const struct command *c, int argc, char **argv, GError **err);
int cmd_pull(const struct command *c, int argc, char **argv, GError **err);
int cmd_load(const struct command *c, int argc, char **argv, GError **err);
int cmd_save(const struct command *c, int argc, char **argv, GError **err);
int cmd_run(const struct command *c, int argc, char **argv, GError **err);
int cmd_ps(const struct command *c, int argc, char **argv, GError **err);
int cmd_exec(const struct command *c, int argc, char **argv, GError **err);
int cmd_stop(const struct command *c, int argc, char **argv, GError **err);
int cmd_kill(const struct command *c, int argc, char **argv, GError **err);
int cmd_wait(const struct command *c, int argc, char **argv, GError **err);
int cmd_rm(const struct command *c, int argc, char **argv, GError **err);
int cmd_logs(const struct command *c, int argc, char **argv, GError **err);
int cmd_layers(const struct command *c, int argc, char **argv, GError **err);
int cmd_du(const struct command *c, int argc, char **argv, GError **err);
int cmd_prune(const struct command *c, int argc, char **argv, GError **err);
int cmd_fsck(const struct command *c, int argc, char **argv, GError **err);
int cmd_login(const struct command *c, int argc, char **argv, GError **err);
int cmd_parse(const struct command *c, int argc, char **argv, GError **err);
int cmd_completion(const struct command *c, int argc, char **argv, GError **err);
int cmd_version(const struct command *c, int argc, char **argv, GError **err);

/* Option rows of each command live in its own file. */
extern const struct option_row build_options_rows[], run_option_rows[], images_option_rows[],
    inspect_option_rows[], history_option_rows[], logs_option_rows[], push_option_rows[],
    pull_option_rows[], load_option_rows[], save_option_rows[], prune_option_rows[],
    fsck_option_rows[], du_option_rows[], login_option_rows[], rmi_option_rows[],
    layers_option_rows[], parse_option_rows[], ps_option_rows[], exec_option_rows[],
    stop_option_rows[], kill_option_rows[], rm_option_rows[], version_option_rows[];

#endif
