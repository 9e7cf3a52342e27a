#include "registry/helper.h"

#include "base/error.h"
#include "base/fs.h"
#include "text/fit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT (64 * 1024)
#define PATIENCE_S 60
#define MISS "credentials not found"

void helper_login_clear(struct helper_login *l)
{
    g_clear_pointer(&l->username, g_free);
    g_clear_pointer(&l->secret, g_free);
}

static gboolean valid_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!g_ascii_isalnum(*p) && (p == name || !strchr("-_.", *p)))
            return FALSE;
    return *name != '\0';
}

/* Standard input as a file in memory: writing to it cannot block or raise SIGPIPE. */
static int make_input(const char *text, GError **err)
{
    fd_auto int fd = memfd_create("varve-helper", MFD_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot talk to a credential helper");
        return -1;
    }
    if (!fs_write_all(fd, text, strlen(text), err) || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    return fd_steal(&fd);
}

/* Reads out until its end. FALSE when it takes too long, says too much or the command is cancelled.
 */
static gboolean read_output(int fd, struct cancel *c, GString *out, GError **err)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
    while (cancel_check(c, err)) {
        struct pollfd fds[] = {{fd, POLLIN, 0}, {cancel_fd(c), POLLIN, 0}};
        int left_ms = (deadline - g_get_monotonic_time()) / 1000;
        if (left_ms <= 0)
            return error_set(err, VARVE_ERROR_FAILED, "it did not answer within %d s", PATIENCE_S);
        if (poll(fds, 2, left_ms) <= 0 || !fds[0].revents)
            continue;
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n == 0)
            return TRUE;
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, errno, "cannot read its answer");
        if (n > 0)
            g_string_append_len(out, buffer, n);
        if (out->len > MAX_OUTPUT)
            return error_set(err, VARVE_ERROR_FAILED, "its answer is longer than 64 KiB");
    }
    return FALSE;
}

/* Runs the program; *ok says whether it left with 0. */
static gboolean run_program(char **argv, char **env, int input, struct cancel *c, GString *out,
                            gboolean *ok, GError **err)
{
    GPid pid;
    fd_auto int from = -1;
    g_autoptr(GError) spawn = NULL;
    GSpawnFlags where = env ? G_SPAWN_SEARCH_PATH_FROM_ENVP : G_SPAWN_SEARCH_PATH;
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "cannot make a pipe");
    from = pipe_fds[0];
    fd_auto int to = pipe_fds[1];
    if (!g_spawn_async_with_fds(NULL, argv, env,
                                where | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL,
                                NULL, NULL, &pid, input, to, -1, &spawn))
        return error_set(err, VARVE_ERROR_FAILED, "it cannot be started (%s)", spawn->message);
    int writing = fd_steal(&to);
    fd_cleanup(&writing);
    gboolean done = read_output(from, c, out, err);
    if (!done)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return done;
}

/* *missing: it said that it knows no such login. */
static gboolean run_helper(const char *name, const char *action, const char *input, char **env,
                           struct cancel *c, GString *out, gboolean *missing, GError **err)
{
    gboolean ok = FALSE;
    *missing = FALSE;
    if (!valid_name(name))
        return error_set(err, VARVE_ERROR_FAILED, "a credential helper's name is malformed");
    g_autofree char *program = g_strconcat("docker-credential-", name, NULL);
    char *argv[] = {program, (char *)action, NULL};
    fd_auto int in = make_input(input, err);
    if (in < 0 || !run_program(argv, env, in, c, out, &ok, err)) {
        g_prefix_error(err, "credential helper %s: ", program);
        return FALSE;
    }
    if (ok)
        return TRUE;
    *missing = strstr(out->str, MISS) != NULL;
    if (*missing)
        return TRUE;
    g_autofree char *said = text_one_line(out->str, 200);
    return error_set(err, VARVE_ERROR_FAILED, "credential helper %s failed%s%s", program,
                     *said ? ": " : "", said);
}

gboolean helper_get(const char *name, const char *server, char **env, struct cancel *c,
                    struct helper_login *out, GError **err)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gboolean missing;
    memset(out, 0, sizeof *out);
    if (!run_helper(name, "get", server, env, c, text, &missing, err))
        return FALSE;
    if (missing)
        return TRUE;
    json_t *root = json_loadb(text->str, text->len, 0, NULL);
    out->username = g_strdup(json_string_value(json_object_get(root, "Username")));
    out->secret = g_strdup(json_string_value(json_object_get(root, "Secret")));
    json_decref(root);
    explicit_bzero(text->str, text->len);
    if (out->username && out->secret)
        return TRUE;
    helper_login_clear(out);
    return error_set(
        err, VARVE_ERROR_FAILED,
        "credential helper docker-credential-%s: its answer has no Username and Secret", name);
}

gboolean helper_store(const char *name, const char *server, char **env,
                      const struct helper_login *l, struct cancel *c, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    gboolean missing;
    json_t *root = json_pack("{s:s, s:s, s:s}", "ServerURL", server, "Username", l->username,
                             "Secret", l->secret);
    if (!root)
        return error_set(err, VARVE_ERROR_USAGE, "the user name or password is not valid UTF-8");
    char *text = json_dumps(root, JSON_COMPACT);
    gboolean ok = run_helper(name, "store", text, env, c, out, &missing, err);
    explicit_bzero(text, strlen(text));
    free(text);
    json_decref(root);
    return ok;
}

gboolean helper_erase(const char *name, const char *server, char **env, struct cancel *c,
                      GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    gboolean missing;
    return run_helper(name, "erase", server, env, c, out, &missing, err);
}
