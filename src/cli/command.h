/* Commands and their options: parsing, and printing their help. Tables of commands are passed in
 * and end with a NULL name; varve's own is in table.h. Only this room prints errors or exits. */
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
    /* Runs the command. Returns the exit code; with *err set, main prints the error and maps it to
     * the exit code. */
    int (*run)(const struct command *c, int argc, char **argv, GError **err);
    gboolean strict; /* what follows the first argument belongs to another program */
};
const struct command *command_find(const struct command *table, const char *name);
/* The row of the option in word: "--name", "--name=value", "-n", "-nvalue"; NULL: none. */
const struct option_row *command_option(const struct command *c, const char *word);
/* Whether the option's value is in the next word. */
gboolean command_value_follows(const struct option_row *row, const char *word);

/* Parses options into opts and checks that there are between min and max (-1: any number of)
 * positional arguments. FALSE without an error after --help. */
gboolean command_begin(const struct command *c, gpointer opts, int *argc, char ***argv, int min,
                       int max, GError **err);
/* Parses argv (argv[0]: the command's name) with c's options into the struct at opts, which is
 * zeroed or has defaults. Positional arguments are left in (*argv)[1…]. FALSE without error after
 * --help. */
gboolean command_parse(const struct command *c, gpointer opts, int *argc, char ***argv,
                       GError **err);
/* Frees the strings and lists that parsing stored in opts. */
void command_clear(const struct command *c, gpointer opts);
/* As suggest_nearest(), but only words with at least two of three letters right: better NULL than a
 * wild guess. */
const char *command_nearest(const char *typed, const char *const *words, gsize n);
void command_print_help(const struct command *c);
void commands_print_help(const struct command *table);

#endif
