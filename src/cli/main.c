#include "base/container.h"
#include "base/error.h"
#include "cli/docker.h"
#include "cli/report.h"
#include "cli/root.h"
#include "cli/table.h"
#include "snapshot/userns.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int print_and_clear(GError *err)
{
    int code = report_error(err);
    g_error_free(err);
    return code;
}

static gboolean set_root(const char *dir, GError **err)
{
    if (dir && *dir) {
        root_choose(dir);
        return TRUE;
    }
    error_set(err, VARVE_ERROR_USAGE, "--root needs the directory of a store");
    error_add_next(err, "varve --root DIR COMMAND");
    return FALSE;
}

static gboolean is_help(const char *word)
{
    return g_str_equal(word, "--help") || g_str_equal(word, "-h") || g_str_equal(word, "help");
}

static gboolean is_version(const char *word)
{
    return g_str_equal(word, "--version") || g_str_equal(word, "-v");
}

/* An option that belongs behind the command. */
static gboolean misplaced_option(char **argv, GError **err)
{
    const struct command *c = NULL;
    const char *advice = docker_option_advice(NULL, *argv);
    for (char **word = argv + 1; *word && !c; word++)
        c = command_find(commands, *word);
    error_set(err, VARVE_ERROR_USAGE, "unknown option %s before the command", *argv);
    if (advice)
        error_add_next(err, "%s", advice);
    else if (c)
        error_add_next(err, "a command's options follow it: varve %s %s; varve help %s lists them",
                       c->name, *argv, c->name);
    else
        error_add_next(err, "varve --help lists the commands");
    return FALSE;
}

/* Takes "--root DIR" and "--root=DIR" before the command; the index of the command, or
 * -1. */
static int take_globals(int argc, char **argv, GError **err)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (is_help(argv[i]) || is_version(argv[i]))
            return i;
        gboolean ok = g_str_has_prefix(argv[i], "--root=") ? set_root(argv[i] + 7, err)
                      : g_str_equal(argv[i], "--root")     ? set_root(argv[++i], err)
                                                           : misplaced_option(argv + i, err);
        if (!ok)
            return -1;
    }
    return i;
}

static int unknown_command(char **argv)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct command *c = commands; c->name; c++)
        g_ptr_array_add(names, (gpointer)c->name);
    GError *err = NULL;
    const char *advice = docker_advice(argv);
    const char *meant =
        advice ? NULL : command_nearest(*argv, (const char *const *)names->pdata, names->len);
    if (advice && argv[1] && argv[1][0] != '-' && docker_is_noun(*argv))
        error_set(&err, VARVE_ERROR_USAGE, "unknown command %s %s", *argv, argv[1]);
    else
        error_set(&err, VARVE_ERROR_USAGE, "unknown command %s%s%s%s", *argv,
                  meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    error_add_next(&err, "%s", advice ? advice : "varve --help lists the commands");
    return print_and_clear(err);
}

static int run_command(const struct command *c, int argc, char **argv)
{
    GError *err = NULL;
    int code = 0;
    enum userns_state state;
    root_path(); /* a user's, before the user is uid 0 */
    gboolean only_help =
        argc == 2 && (g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h"));
    if (!c->needs_userns || only_help || userns_enter(&state, &err))
        code = c->run(c, argc, argv, &err);
    if (g_error_matches(err, VARVE_ERROR, VARVE_ERROR_USAGE) && !error_next(err))
        error_add_next(&err, "varve %s --help shows how to use it", c->name);
    if (err)
        code = report_error(err);
    g_clear_error(&err);
    return code;
}

static int show_help(char **topic)
{
    const struct command *about = *topic ? command_find(commands, *topic) : NULL;
    if (*topic && !about)
        return unknown_command(topic);
    if (about)
        command_print_help(about);
    else
        commands_print_help(commands);
    return 0;
}

static int run_words(char **words)
{
    const struct command *c = command_find(commands, is_version(*words) ? "version" : *words);
    g_autofree char **translated = c ? NULL : docker_translate(commands, words);
    if (translated) {
        words = translated;
        c = command_find(commands, *words);
    }
    return c ? run_command(c, g_strv_length(words), words) : unknown_command(words);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    if (g_getenv("KUBERNETES_SERVICE_HOST"))
        container_assume(CONTAINER_KUBERNETES);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit of file sizes is an error of the write; programs get it back */
    int at = take_globals(argc, argv, &err);
    if (at < 0)
        return print_and_clear(err);
    if (at >= argc)
        return show_help(argv + argc);
    return is_help(argv[at]) ? show_help(argv + at + 1) : run_words(argv + at);
}
