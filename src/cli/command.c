#include "cli/command.h"

#include "base/boolean.h"
#include "base/error.h"
#include "base/suggest.h"
#include "cli/docker.h"
#include "cli/report.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

/* What GOption's callback needs to find a row and its storage. */
struct parse {
    const struct command *command;
    char *opts; /* the options struct */
};

static char **string_at(gpointer opts, const struct option_row *row)
{
    return (char **)((char *)opts + row->offset);
}

/* Options whose value may be absent. */
static gboolean take_optional(const char *name, const char *value, gpointer data, GError **err)
{
    struct parse *p = data;
    for (const struct option_row *row = p->command->options; row->name; row++) {
        gboolean same = g_str_has_prefix(name, "--") ? g_str_equal(name + 2, row->name)
                                                     : row->letter && name[1] == row->letter;
        if (!same)
            continue;
        g_free(*string_at(p->opts, row));
        *string_at(p->opts, row) = g_strdup(value ? value : "");
        if (row->kind == OPTION_NOTED)
            fprintf(stderr, "note: --%s has no effect (accepted for docker compatibility)\n",
                    row->name);
        return TRUE;
    }
    return error_set(err, VARVE_ERROR_USAGE, "unknown option %s", name);
}

static GOptionEntry entry_for(const struct option_row *row, struct parse *p)
{
    static const GOptionArg args[] = {
        [OPTION_FLAG] = G_OPTION_ARG_NONE,         [OPTION_STRING] = G_OPTION_ARG_STRING,
        [OPTION_LIST] = G_OPTION_ARG_STRING_ARRAY, [OPTION_INT] = G_OPTION_ARG_INT,
        [OPTION_OPTIONAL] = G_OPTION_ARG_CALLBACK, [OPTION_NOTED] = G_OPTION_ARG_CALLBACK};
    gboolean optional = row->kind == OPTION_OPTIONAL || row->kind == OPTION_NOTED;
    GOptionEntry e = {row->name,
                      row->letter,
                      (optional ? G_OPTION_FLAG_OPTIONAL_ARG : 0) |
                          (row->help ? 0 : G_OPTION_FLAG_HIDDEN),
                      args[row->kind],
                      optional ? (gpointer)take_optional : (gpointer)string_at(p->opts, row),
                      row->help,
                      row->arg};
    return e;
}

static const struct option_row *row_of_letter(const struct command *c, char letter)
{
    for (const struct option_row *row = c->options; row && row->name; row++)
        if (row->letter == letter)
            return row;
    return NULL;
}

static GOptionContext *make_context(struct parse *p, gboolean *help)
{
    const struct command *c = p->command;
    GOptionContext *ctx = g_option_context_new(NULL);
    g_option_context_set_help_enabled(ctx, FALSE);
    GOptionGroup *group = g_option_group_new(c->name, c->name, c->name, p, NULL);
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    for (const struct option_row *row = c->options; row && row->name; row++) {
        GOptionEntry e = entry_for(row, p);
        g_array_append_val(entries, e);
    }
    char letter = row_of_letter(c, 'h') ? 0 : 'h';
    GOptionEntry h = {"help", letter, 0, G_OPTION_ARG_NONE, help, NULL, NULL};
    g_array_append_val(entries, h);
    g_option_group_add_entries(group, (GOptionEntry *)entries->data);
    g_option_context_set_main_group(ctx, group);
    g_option_context_set_strict_posix(ctx, c->strict);
    return ctx;
}

static gboolean needs_value(const struct option_row *row)
{
    return row->kind == OPTION_STRING || row->kind == OPTION_LIST || row->kind == OPTION_INT ||
           (row->kind == OPTION_NOTED && row->arg);
}

const char *command_nearest(const char *typed, const char *const *words, gsize n)
{
    const char *near = suggest_nearest(typed, words, n);
    guint most = MAX(1, strlen(typed) / 3);
    gboolean close = near && (suggest_distance(typed, near, most) <= most ||
                              g_ascii_strncasecmp(near, typed, strlen(typed)) == 0);
    return close ? near : NULL;
}

static gboolean unknown_option(const struct command *c, const char *word, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct option_row *row = c->options; row && row->name; row++)
        g_ptr_array_add(names, (gpointer)row->name);
    g_ptr_array_add(names, (gpointer) "help");
    g_autofree char *name = g_strndup(word + 2, strcspn(word + 2, "="));
    const char *advice = docker_option_advice(c->name, word);
    const char *near =
        advice ? NULL : command_nearest(name, (const char *const *)names->pdata, names->len);
    error_set(err, VARVE_ERROR_USAGE, "unknown option --%s%s%s%s", name,
              near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
    if (advice)
        error_add_next(err, "%s", advice);
    else
        error_add_next(err, "varve %s --help lists the options", c->name);
    return FALSE;
}

/* "-s" or "-qs", where s is a letter of Docker's alone: the error. */
static gboolean unknown_letter(const struct command *c, const char *word, GError **err)
{
    for (const char *letter = word + 1; *letter; letter++) {
        char alone[] = {'-', *letter, '\0'};
        const struct option_row *row = row_of_letter(c, *letter);
        const char *advice = row ? NULL : docker_option_advice(c->name, alone);
        if (advice) {
            error_set(err, VARVE_ERROR_USAGE, "unknown option %s", alone);
            error_add_next(err, "%s", advice);
            return TRUE;
        }
        if (!row || needs_value(row))
            return FALSE;
    }
    return FALSE;
}

/* The option that word gives, "--name", "--name=value", "-n", "-nvalue" or "-n=value"; NULL when it
 * is none. *value is NULL when there is none in the word. */
static const struct option_row *row_of(const struct command *c, const char *word,
                                       const char **value)
{
    gsize len = strcspn(word, "=");
    *value = word[len] ? word + len + 1 : NULL;
    if (word[0] != '-' || !word[1])
        return NULL;
    if (word[1] != '-') {
        const struct option_row *row = row_of_letter(c, word[1]);
        if (word[2] && word[2] != '=')
            *value = row && needs_value(row) ? word + 2 : NULL;
        return row;
    }
    for (const struct option_row *row = c->options; row && row->name; row++)
        if (strlen(row->name) == len - 2 && strncmp(row->name, word + 2, len - 2) == 0)
            return row;
    return NULL;
}

const struct option_row *command_option(const struct command *c, const char *word)
{
    const char *value;
    return row_of(c, word, &value);
}

gboolean command_value_follows(const struct option_row *row, const char *word)
{
    gboolean in_word = word[1] == '-' ? strchr(word, '=') != NULL : word[2] != '\0';
    return needs_value(row) && !in_word;
}

/* Of "-abc", whether the value of c is the next word. */
static gboolean letters_need_value(const struct command *c, const char *word)
{
    const struct option_row *last = row_of_letter(c, word[strlen(word) - 1]);
    return word[1] != '-' && last && needs_value(last);
}

/* "--push=false" is left out: flags begin as off. */
static gboolean respell_flag(const struct option_row *row, const char *value, int *argc,
                             char **word, int left, GError **err)
{
    gboolean on;
    if (!boolean_parse(value, &on))
        return error_set(err, VARVE_ERROR_USAGE, "--%s=%s is neither true nor false", row->name,
                         value);
    g_autofree char *plain = g_strconcat("--", row->name, NULL);
    *word = (char *)g_intern_string(plain);
    if (!on) {
        memmove(word, word + 1, (gsize)left * sizeof *word);
        (*argc)--;
    }
    return TRUE;
}

/* GOption does not know "-f-", "-t=name" and "--push=false", and would take the word after "--pull"
 * for its value. These become "--file=-", "--tag=name", nothing, and "--pull=". */
static gboolean respell(const struct command *c, int *argc, char **argv, GError **err)
{
    for (int i = 1; i < *argc && !g_str_equal(argv[i], "--"); i++) {
        const char *value, *alias = docker_option_alias(c->name, argv[i]);
        argv[i] = alias ? (char *)alias : argv[i];
        const struct option_row *row = row_of(c, argv[i], &value);
        if (argv[i][0] != '-' && c->strict)
            return TRUE;
        int before = *argc;
        if (g_str_has_prefix(argv[i], "--help=") && !row)
            argv[i] = (char *)"--help";
        if (!row && g_str_has_prefix(argv[i], "--") && !g_str_equal(argv[i], "--help"))
            return unknown_option(c, argv[i], err);
        if (argv[i][0] == '-' && argv[i][1] != '-' && unknown_letter(c, argv[i], err))
            return FALSE;
        if (!row)
            continue;
        if (row->kind == OPTION_FLAG && value) {
            if (!respell_flag(row, value, argc, argv + i, *argc - i, err))
                return FALSE;
        } else if (row->kind == OPTION_FLAG) {
            i += letters_need_value(c, argv[i]);
        } else if (!value && needs_value(row)) {
            i++;
        } else {
            g_autofree char *full = g_strdup_printf("--%s=%s", row->name, value ? value : "");
            argv[i] = (char *)g_intern_string(full);
        }
        i -= before - *argc;
    }
    return TRUE;
}

gboolean command_parse(const struct command *c, gpointer opts, int *argc, char ***argv,
                       GError **err)
{
    struct parse p = {c, opts};
    gboolean help = FALSE;
    if (!respell(c, argc, *argv, err)) {
        g_prefix_error(err, "varve %s: ", c->name);
        return FALSE;
    }
    GOptionContext *ctx = make_context(&p, &help);
    GError *local = NULL;
    gboolean ok = g_option_context_parse(ctx, argc, argv, &local);
    g_option_context_free(ctx);
    if (help) {
        g_clear_error(&local);
        command_print_help(c);
        return FALSE;
    }
    if (!ok) {
        error_set(err, VARVE_ERROR_USAGE, "varve %s: %c%s", c->name,
                  g_ascii_tolower(local->message[0]), local->message + 1);
        error_add_next(err, "varve %s --help lists the options", c->name);
        g_error_free(local);
        return FALSE;
    }
    if (*argc > 1 && g_str_equal((*argv)[1], "--")) {
        memmove(*argv + 1, *argv + 2, (*argc - 1) * sizeof **argv);
        (*argc)--;
    }
    return TRUE;
}

/* "needs two arguments: IMAGE and NAME": the first min words of the synopsis. */
static void missing_arguments(const struct command *c, int min, GError **err)
{
    g_auto(GStrv) words = g_strsplit(c->synopsis, " ", -1);
    char **w = words;
    while (*w && g_str_has_prefix(*w, "[OPTIONS"))
        w++;
    const char *first = *w ? *w : "", *second = *w && w[1] ? w[1] : "";
    if (min == 1)
        error_set(err, VARVE_ERROR_USAGE, "varve %s: needs an argument: %s", c->name, first);
    else
        error_set(err, VARVE_ERROR_USAGE, "varve %s: needs two arguments: %s and %s", c->name,
                  first, second);
}

gboolean command_begin(const struct command *c, gpointer opts, int *argc, char ***argv, int min,
                       int max, GError **err)
{
    if (!command_parse(c, opts, argc, argv, err))
        return FALSE;
    int n = *argc - 1;
    if (n >= min && (max < 0 || n <= max))
        return TRUE;
    if (n < min)
        missing_arguments(c, min, err);
    else
        error_set(err, VARVE_ERROR_USAGE, "varve %s: did not expect \"%s\"", c->name,
                  (*argv)[max + 1]);
    error_add_next(err, "usage: varve %s%s%s", c->name, *c->synopsis ? " " : "", c->synopsis);
    return FALSE;
}

void command_clear(const struct command *c, gpointer opts)
{
    for (const struct option_row *row = c->options; row && row->name; row++) {
        if (row->kind == OPTION_LIST)
            g_strfreev(*(char ***)((char *)opts + row->offset));
        else if (row->kind != OPTION_FLAG && row->kind != OPTION_INT)
            g_free(*string_at(opts, row));
    }
}

#define HELP_COLUMN 34 /* where the help of options begins */
#define NARROW 72      /* columns below which it stands below the option */

static void print_option(const struct option_row *row)
{
    g_autofree char *letter =
        row->letter ? g_strdup_printf("-%c, ", row->letter) : g_strdup("    ");
    gboolean optional = row->kind == OPTION_OPTIONAL;
    g_autofree char *arg = !row->arg  ? g_strdup("")
                           : optional ? g_strdup_printf("[=%s]", row->arg)
                                      : g_strdup_printf(" %s", row->arg);
    g_autofree char *left = g_strdup_printf("  %s--%s%s", letter, row->name, arg);
    int columns = text_columns(stdout);
    int indent = columns > 0 && columns < NARROW ? 8 : HELP_COLUMN;
    if ((int)strlen(left) > indent - 2)
        printf("%s\n%*s", left, indent, "");
    else
        printf("%-*s", indent, left);
    print_wrapped(row->help, indent);
}

void command_print_help(const struct command *c)
{
    g_autofree char *usage =
        g_strdup_printf("usage: varve %s%s%s", c->name, *c->synopsis ? " " : "", c->synopsis);
    print_wrapped(usage, 4);
    printf("\n");
    print_wrapped(c->summary, 0);
    if (c->help) {
        printf("\n");
        print_wrapped(c->help, 0);
    }
    if (c->options && c->options->name)
        printf("\noptions:\n");
    for (const struct option_row *row = c->options; row && row->name; row++)
        if (row->help)
            print_option(row);
    printf("\nexample:\n%s\n\nSee man varve-%s for details.\n", c->example, c->name);
}

void commands_print_help(const struct command *table)
{
    printf("usage: varve [--root DIR] COMMAND [OPTIONS]\n\n");
    print_wrapped("varve builds container images: no daemon, no waiting for what did not change.",
                  0);
    printf("\ncommands:\n");
    for (const struct command *c = table; c->name; c++) {
        printf("  %-10s  ", c->name);
        print_wrapped(c->summary, 14);
    }
    printf("\nexample:\n  varve build -t hello:1 . && varve run hello:1\n\n");
    print_wrapped("varve help COMMAND explains a command; man varve is the manual.", 0);
}

const struct command *command_find(const struct command *table, const char *name)
{
    for (const struct command *c = table; c->name; c++)
        if (g_str_equal(c->name, name))
            return c;
    return NULL;
}
