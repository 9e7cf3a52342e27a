#include "source/gitrun.h"

#include "base/error.h"
#include "base/fs.h"
#include "net/url.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT (4 << 20)
#define MAX_COMPLAINT (64 << 10)
#define DEFAULT_SECONDS 3600
#define MAX_SHOWN 400 /* bytes of a complaint in a message */

/* Environment being put together: configuration goes in as GIT_CONFIG_KEY_n and GIT_CONFIG_VALUE_n,
 * where no other user can read it, unlike a command line. */
struct git_env {
    char **env;
    guint n;
};

static void set(struct git_env *e, const char *name, const char *value)
{
    if (value)
        e->env = g_environ_setenv(e->env, name, value, TRUE);
}

static void config(struct git_env *e, const char *key, const char *value)
{
    g_autofree char *k = g_strdup_printf("GIT_CONFIG_KEY_%u", e->n);
    g_autofree char *v = g_strdup_printf("GIT_CONFIG_VALUE_%u", e->n);
    set(e, k, key);
    set(e, v, value);
    e->n++;
}

/* What the outside world needs: where programs and proxies are. */
static void inherit(struct git_env *e, char **env)
{
    static const char *const names[] = {"PATH",     "HTTP_PROXY",      "HTTPS_PROXY", "ALL_PROXY",
                                        "NO_PROXY", "http_proxy",      "https_proxy", "all_proxy",
                                        "no_proxy", "LD_LIBRARY_PATH", NULL};
    for (const char *const *n = names; *n; n++)
        set(e, *n, g_environ_getenv(env, *n));
}

static void set_ssh(struct git_env *e, const struct git_remote *r)
{
    const char *home = g_environ_getenv(r->env, "HOME");
    g_autofree char *known = g_strconcat(home ? home : "/", "/.ssh/known_hosts", NULL);
    g_autofree char *option = g_strconcat("UserKnownHostsFile=", known, NULL);
    g_autofree char *quoted = g_shell_quote(option);
    g_autofree char *command =
        g_strconcat("ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=15 -o ", quoted, NULL);
    set(e, "GIT_SSH_COMMAND", command);
    set(e, "SSH_AUTH_SOCK", r->ssh_agent);
}

/* The header goes to the URL's own host only, and only where nobody listens. */
static void set_auth(struct git_env *e, const struct git_remote *r)
{
    gboolean tls = g_ascii_strncasecmp(r->url, "https://", 8) == 0;
    gboolean plain = g_ascii_strncasecmp(r->url, "http://", 7) == 0;
    g_autofree char *host = url_host_of(r->url);
    gboolean loopback = url_host_is_loopback(host);
    if (!r->auth || !(tls || (plain && loopback)))
        return;
    g_autofree char *key =
        g_strdup_printf("http.%s://%s/.extraHeader", tls ? "https" : "http", host);
    g_autofree char *value = g_strconcat("Authorization: ", r->auth, NULL);
    config(e, key, value);
}

static char **make_environ(const struct gitrun *g)
{
    struct git_env e = {NULL, 0};
    inherit(&e, g->remote->env);
    set(&e, "LC_ALL", "C");
    set(&e, "HOME", "/nonexistent");
    set(&e, "GIT_CONFIG_NOSYSTEM", "1");
    set(&e, "GIT_CONFIG_GLOBAL", "/dev/null");
    set(&e, "GIT_ATTR_NOSYSTEM", "1");
    set(&e, "GIT_TERMINAL_PROMPT", "0");
    set(&e, "GIT_ASKPASS", "/bin/false");
    set(&e, "SSH_ASKPASS", "/bin/false");
    set(&e, "GIT_ALLOW_PROTOCOL", g->local ? "file" : "http:https:git:ssh");
    set(&e, "GIT_HTTP_LOW_SPEED_LIMIT", "1024");
    set(&e, "GIT_HTTP_LOW_SPEED_TIME", "30");
    set(&e, "GIT_SSL_CAINFO", g->remote->ca_file);
    set(&e, "GIT_SSL_CAPATH", g->remote->ca_path);
    set_ssh(&e, g->remote);
    config(&e, "safe.directory", "*"); /* all directories it is run in are ours */
    config(&e, "core.hooksPath", "/dev/null");
    config(&e, "core.fsmonitor", "false");
    config(&e, "init.templateDir", "");
    config(&e, "init.defaultBranch", "master");
    config(&e, "gc.auto", "0");
    config(&e, "maintenance.auto", "false");
    config(&e, "advice.detachedHead", "false");
    config(&e, "remote.varve.url", g->remote->url);
    set_auth(&e, g->remote);
    g_autofree char *count = g_strdup_printf("%u", e.n);
    set(&e, "GIT_CONFIG_COUNT", count);
    return e.env;
}

/* In the child: its own group, so that all of it can be ended; and it does not outlive us. */
static void child_setup(gpointer unused)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(022);
}

/* The pipes of a running git. */
struct pipes {
    int out, err;
    GString *said, *complaint;
};

/* Takes what one pipe has; closes it at its end. */
static gboolean drain(int *fd, GString *into, gsize max, gboolean strict, GError **err)
{
    char buffer[16384];
    ssize_t n = read(*fd, buffer, sizeof buffer);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return error_set_errno(err, errno, "cannot read from git");
    if (n == 0)
        fd_cleanup(fd);
    if (n > 0)
        g_string_append_len(into, buffer, MIN((gsize)n, max - MIN(max, into->len)));
    return !strict || into->len < max ||
           error_set(err, VARVE_ERROR_INVALID, "git printed more than %zu bytes", max);
}

static gboolean read_all(const struct gitrun *g, struct pipes *p, GError **err)
{
    guint seconds = g->seconds ? g->seconds : DEFAULT_SECONDS;
    gint64 deadline = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
    while (p->out >= 0 || p->err >= 0) {
        struct pollfd fds[] = {
            {p->out, POLLIN, 0}, {p->err, POLLIN, 0}, {cancel_fd(g->remote->cancel), POLLIN, 0}};
        gint64 left_ms = (deadline - g_get_monotonic_time()) / 1000;
        if (left_ms <= 0)
            return error_set(err, VARVE_ERROR_OUTSIDE, "it took longer than %u s", seconds);
        poll(fds, 3, MIN(left_ms, 1000));
        if (!cancel_check(g->remote->cancel, err))
            return FALSE;
        if (fds[0].revents && !drain(&p->out, p->said, MAX_OUTPUT, TRUE, err))
            return FALSE;
        if (fds[1].revents && !drain(&p->err, p->complaint, MAX_COMPLAINT, FALSE, err))
            return FALSE;
    }
    return TRUE;
}

/* Phrases of git that show the class of the failure. */
static enum varve_error class_of(const char *text)
{
    static const struct {
        const char *words;
        enum varve_error code;
    } classes[] = {
        {"Authentication failed", VARVE_ERROR_DENIED},
        {"could not read Username", VARVE_ERROR_DENIED},
        {"could not read Password", VARVE_ERROR_DENIED},
        {"Permission denied", VARVE_ERROR_DENIED},
        {"Host key verification failed", VARVE_ERROR_DENIED},
        {"error: 403", VARVE_ERROR_DENIED},
        {"error: 404", VARVE_ERROR_NOT_FOUND},
        {"not found", VARVE_ERROR_NOT_FOUND},
        {"not appear to be a git", VARVE_ERROR_NOT_FOUND},
        {"not exported", VARVE_ERROR_NOT_FOUND},
        {"Could not resolve host", VARVE_ERROR_OUTSIDE},
        {"unable to look up", VARVE_ERROR_OUTSIDE},
        {"ailed to connect", VARVE_ERROR_OUTSIDE},
        {"onnection refused", VARVE_ERROR_OUTSIDE},
        {"onnection timed out", VARVE_ERROR_OUTSIDE},
        {"onnection reset", VARVE_ERROR_OUTSIDE},
        {"unable to connect", VARVE_ERROR_OUTSIDE},
        {"early EOF", VARVE_ERROR_OUTSIDE},
        {"hung up unexpectedly", VARVE_ERROR_OUTSIDE},
        {"RPC failed", VARVE_ERROR_OUTSIDE},
        {"Operation too slow", VARVE_ERROR_OUTSIDE},
        {"error: 5", VARVE_ERROR_OUTSIDE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(classes); i++)
        if (strstr(text, classes[i].words))
            return classes[i].code;
    return VARVE_ERROR_FAILED;
}

/* git's complaint as one line without passwords: its URL is shown as everywhere else. */
static char *clean_complaint(const struct gitrun *g, const char *raw)
{
    g_autofree char *valid = g_utf8_make_valid(raw, -1);
    g_autofree char *shown = url_shown(g->remote->url);
    g_auto(GStrv) parts = g_strsplit(valid, g->remote->url, -1);
    g_autofree char *safe = g_strjoinv(shown, parts);
    for (char *p = safe; *p; p++)
        if ((guchar)*p < ' ' || *p == 0x7f)
            *p = ' ';
    g_strstrip(safe);
    gsize len = strlen(safe);
    const char *from = safe + (len > MAX_SHOWN ? len - MAX_SHOWN : 0);
    return g_utf8_make_valid(from, -1);
}

static gboolean check_status(const struct gitrun *g, int status, const char *complaint,
                             GError **err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TRUE;
    g_autofree char *said = clean_complaint(g, complaint);
    return error_set(err, class_of(said), "%s", *said ? said : "git failed without a message");
}

static gboolean spawn(const struct gitrun *g, char **argv, struct pipes *p, GPid *pid, GError **err)
{
    g_auto(GStrv) env = make_environ(g);
    g_autoptr(GError) local = NULL;
    if (g_spawn_async_with_pipes(g->dir, argv, env,
                                 G_SPAWN_SEARCH_PATH_FROM_ENVP | G_SPAWN_DO_NOT_REAP_CHILD,
                                 child_setup, NULL, pid, NULL, &p->out, &p->err, &local))
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "the git program cannot be started (%s)", local->message);
    error_add_next(err, "install git: sources in git repositories need it");
    return FALSE;
}

char *gitrun(const struct gitrun *g, const char *const *argv, GError **err)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_ptr_array_add(all, (gpointer) "git");
    for (const char *const *a = argv; *a; a++)
        g_ptr_array_add(all, (gpointer)*a);
    g_ptr_array_add(all, NULL);
    g_autoptr(GString) complaint = g_string_new(NULL);
    struct pipes p = {-1, -1, g_string_new(NULL), complaint};
    GPid pid;
    int status = 0;
    gboolean ok = spawn(g, (char **)all->pdata, &p, &pid, err);
    if (ok) {
        ok = read_all(g, &p, err);
        if (!ok)
            kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        fd_cleanup(&p.out);
        fd_cleanup(&p.err);
        ok = ok && check_status(g, status, complaint->str, err);
    }
    char *said = g_string_free(p.said, FALSE);
    if (ok)
        return said;
    g_free(said);
    return NULL;
}
