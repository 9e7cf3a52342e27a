
#include "base/error.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/pulling.h"
#include "cli/report.h"
#include "registry/registry.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MAX_SECRET 65536
#define DEFAULT_HOST "docker.io"

struct login_options {
    char *username, *password;
    gboolean from_stdin;
    char **insecure;
};
#define AT(field) G_STRUCT_OFFSET(struct login_options, field)

const struct option_row login_option_rows[] = {
    {"username", 'u', OPTION_STRING, AT(username), "NAME", "user name"},
    {"password", 'p', OPTION_STRING, AT(password), "TEXT",
     "password or token (others can see it: --password-stdin is safer)"},
    {"password-stdin", 0, OPTION_FLAG, AT(from_stdin), NULL,
     "read the password or token from stdin"},
    {"insecure", 0, OPTION_LIST, AT(insecure), "HOST",
     "use http, or https without verification, for this registry"},
    {0},
};

/* A line from the terminal, without its end; NULL at the end of input. */
static char *ask_user(const char *prompt, gboolean hidden)
{
    struct termios old, quiet;
    char line[1024];
    gboolean hide = hidden && tcgetattr(STDIN_FILENO, &old) == 0;
    fprintf(stderr, "%s: ", prompt);
    if (hide) {
        quiet = old;
        quiet.c_lflag &= ~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    char *got = fgets(line, sizeof line, stdin);
    if (hide) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    char *answer = got ? g_strdup(g_strchomp(line)) : NULL;
    explicit_bzero(line, sizeof line);
    return answer;
}

static char *secret_from_stdin(GError **err)
{
    g_autoptr(GBytes) all = fs_read_fd(STDIN_FILENO, "the password on stdin", MAX_SECRET, err);
    return all ? g_strchomp(g_strndup(g_bytes_get_data(all, NULL), g_bytes_get_size(all))) : NULL;
}

static gboolean take_secret(struct login_options *o, GError **err)
{
    if (o->from_stdin && o->password)
        return error_set(err, VARVE_ERROR_USAGE,
                         "--password and --password-stdin cannot be used together");
    if (o->password)
        report_warning("other users can see a password on the command line; --password-stdin keeps "
                       "it private");
    if (o->from_stdin)
        o->password = secret_from_stdin(err);
    else if (!o->password && isatty(STDIN_FILENO))
        o->password = ask_user("password or token", TRUE);
    if (o->password && *o->password)
        return TRUE;
    if (!err || *err)
        return FALSE;
    error_set(err, VARVE_ERROR_USAGE, "no password was given");
    error_add_next(err, "pipe it: echo $TOKEN | varve login -u NAME --password-stdin HOST");
    return FALSE;
}

static gboolean take_name(struct login_options *o, GError **err)
{
    if (!o->username && isatty(STDIN_FILENO) && !o->from_stdin)
        o->username = ask_user("user name", FALSE);
    if (o->username && *o->username)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "no user name was given");
    error_add_next(err, "add -u NAME");
    return FALSE;
}

static gboolean log_out(struct registry *r, const char *host, GError **err)
{
    gboolean found;
    if (!registry_logout(r, host, &found, err))
        return FALSE;
    if (found)
        fprintf(stderr, "removed the login for %s\n", host);
    else
        fprintf(stderr, "there was no login for %s\n", host);
    return TRUE;
}

static gboolean log_in(struct registry *r, struct login_options *o, const char *host, GError **err)
{
    if (!take_name(o, err) || !take_secret(o, err) ||
        !registry_login(r, host, o->username, o->password, err))
        return FALSE;
    fprintf(stderr, "logged in to %s as %s\n", host, o->username);
    print_next("varve push IMAGE %s/NAME:TAG", host);
    return TRUE;
}

/* Logs in as o says, or with o NULL out. */
static void talk(struct login_options *o, const char *host, GError **err)
{
    g_autoptr(registry_config) config = registry_config_for(o ? o->insecure : NULL, err);
    g_autoptr(store) s = config ? open_store(err) : NULL;
    if (!s)
        return;
    g_autoptr(registry) r = registry_new(s, config, NULL, interrupt_watch());
    if (o)
        log_in(r, o, host, err);
    else
        log_out(r, host, err);
}

int cmd_login(const struct command *c, int argc, char **argv, GError **err)
{
    struct login_options o = {0};
    if (command_begin(c, &o, &argc, &argv, 0, 1, err))
        talk(&o, argc > 1 ? argv[1] : DEFAULT_HOST, err);
    command_clear(c, &o);
    return 0;
}

int cmd_logout(const struct command *c, int argc, char **argv, GError **err)
{
    if (command_begin(c, NULL, &argc, &argv, 0, 1, err))
        talk(NULL, argc > 1 ? argv[1] : DEFAULT_HOST, err);
    return 0;
}
