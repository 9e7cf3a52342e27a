#include "base/error.h"
#include "base/suggest.h"
#include "cli/command.h"
#include "cli/report.h"
#include "snapshot/userns.h"
#include "store/store.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Takes "--root DIR" and "--root=DIR" before the command; they only set VARVE_ROOT. */
static int take_globals(int argc, char **argv)
{
    int i = 1;
    while (i < argc && g_str_has_prefix(argv[i], "--root")) {
        if (argv[i][6] == '=') {
            g_setenv("VARVE_ROOT", argv[i] + 7, TRUE);
        } else if (argv[i][6] == '\0' && i + 1 < argc) {
            g_setenv("VARVE_ROOT", argv[++i], TRUE);
        } else {
            break;
        }
        i++;
    }
    return i;
}

static int unknown_command(const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct command *c = commands; c->name; c++)
        g_ptr_array_add(names, (gpointer)c->name);
    const char *meant = suggest_nearest(name, (const char *const *)names->pdata, names->len);
    GError *err = NULL;
    error_set(&err, VARVE_ERROR_USAGE, "unknown command %s%s%s%s", name,
              meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    error_add_next(&err, "varve --help lists the commands");
    int code = report_error(err);
    g_error_free(err);
    return code;
}

/* In its user namespace a user is uid 0, but the store stays the user's. */
static void keep_user_store(void)
{
    g_autofree char *root = store_default_root();
    if (geteuid() != 0)
        g_setenv("VARVE_ROOT", root, FALSE);
}

static int run_command(const struct command *c, int argc, char **argv)
{
    GError *err = NULL;
    int code = 0;
    enum userns_state state;
    keep_user_store();
    gboolean only_help =
        argc == 2 && (g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h"));
    if (!c->needs_userns || only_help || userns_enter(&state, &err))
        code = c->run(c, argc, argv, &err);
    if (err)
        code = report_error(err);
    g_clear_error(&err);
    return code;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit of file sizes is an error of the write; programs get it back */
    int at = take_globals(argc, argv);
    if (at >= argc) {
        commands_print_help();
        return argc > 1 ? 2 : 0;
    }
    if (g_str_equal(argv[at], "--help") || g_str_equal(argv[at], "-h") ||
        g_str_equal(argv[at], "help")) {
        const struct command *about = at + 1 < argc ? command_find(argv[at + 1]) : NULL;
        if (about)
            command_print_help(about);
        else
            commands_print_help();
        return 0;
    }
    const char *name = g_str_equal(argv[at], "--version") ? "version" : argv[at];
    const struct command *c = command_find(name);
    return c ? run_command(c, argc - at, argv + at) : unknown_command(name);
}
