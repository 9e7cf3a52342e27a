#include "source/git.h"

#include "base/error.h"
#include "base/fs.h"
#include "net/url.h"
#include "source/gitrun.h"
#include "text/giturl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TRIES 3
#define FIRST_DELAY_MS 500
#define ASK_SECONDS 120 /* ls-remote may take */
#define MAX_NAME 1024   /* bytes of a ref */
#define KEPT "refs/varve/last"

gboolean git_check(const char *url, const char *ref, GError **err)
{
    g_autofree char *shown = url_shown(url);
    g_autofree char *host = url_host_of(url);
    if (*url == '-' || *host == '-' || strstr(url, "@-"))
        return error_set(err, VARVE_ERROR_INVALID,
                         "the repository %s is refused: its name starts like an option", shown);
    for (const char *p = url; *p; p++)
        if ((guchar)*p <= ' ' || *p == 0x7f)
            return error_set(
                err, VARVE_ERROR_INVALID,
                "the repository %s is refused: its URL contains blanks or control characters",
                shown);
    if (!ref)
        return TRUE;
    gboolean bad = *ref == '-' || *ref == '/' || strlen(ref) > MAX_NAME || strstr(ref, "..") ||
                   strstr(ref, "@{") || strpbrk(ref, " ~^:?*[\\");
    for (const char *p = ref; *p && !bad; p++)
        bad = (guchar)*p < ' ' || *p == 0x7f;
    return !bad ||
           error_set(err, VARVE_ERROR_INVALID, "\"%s\" cannot be the name of a branch or tag", ref);
}

/* gitrun() on the network: tried again while the failure may pass. */
static char *run_network(const struct gitrun *g, const char *const *argv, GError **err)
{
    guint tries = g->remote->tries ? g->remote->tries : DEFAULT_TRIES;
    int delay = FIRST_DELAY_MS;
    for (guint i = 1;; i++, delay *= 2) {
        GError *local = NULL;
        char *out = gitrun(g, argv, &local);
        if (out)
            return out;
        if (i >= tries || !g_error_matches(local, VARVE_ERROR, VARVE_ERROR_OUTSIDE)) {
            g_propagate_error(err, local);
            return NULL;
        }
        g_error_free(local);
        struct pollfd p = {cancel_fd(g->remote->cancel), POLLIN, 0};
        poll(&p, 1, delay);
        if (!cancel_check(g->remote->cancel, err))
            return NULL;
    }
}

/* The id that a line of ls-remote's answer gives for name; NULL when there is none. */
static char *find_ref(char **lines, const char *name)
{
    for (char **l = lines; *l; l++) {
        const char *tab = strchr(*l, '\t');
        g_autofree char *id = tab ? g_strndup(*l, tab - *l) : NULL;
        if (id && g_str_equal(tab + 1, name) && giturl_is_commit(id))
            return g_steal_pointer(&id);
    }
    return NULL;
}

static const char *without(const char *ref, const char *prefix)
{
    return g_str_has_prefix(ref, prefix) ? ref + strlen(prefix) : ref;
}

/* The names that ref may stand for, the likeliest first; a tag object comes behind what it names
 * ("^{}"). */
static GPtrArray *candidates(const char *ref)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    if (!ref) {
        g_ptr_array_add(all, g_strdup("HEAD"));
    } else {
        if (!g_str_has_prefix(ref, "refs/tags/"))
            g_ptr_array_add(all, g_strconcat("refs/heads/", without(ref, "refs/heads/"), NULL));
        if (!g_str_has_prefix(ref, "refs/heads/")) {
            g_ptr_array_add(all,
                            g_strconcat("refs/tags/", without(ref, "refs/tags/"), "^{}", NULL));
            g_ptr_array_add(all, g_strconcat("refs/tags/", without(ref, "refs/tags/"), NULL));
        }
        g_ptr_array_add(all, g_strconcat("refs/", without(ref, "refs/"), "^{}", NULL));
        g_ptr_array_add(all, g_strconcat("refs/", without(ref, "refs/"), NULL));
    }
    g_ptr_array_add(all, NULL);
    return all;
}

/* The branch that HEAD is, from "ref: refs/heads/main<TAB>HEAD"; NULL where servers do not tell. */
static char *find_head(char **lines)
{
    for (char **l = lines; *l; l++)
        if (g_str_has_prefix(*l, "ref: refs/") && g_str_has_suffix(*l, "\tHEAD"))
            return g_strndup(*l + 5, strlen(*l) - 5 - strlen("\tHEAD"));
    return NULL;
}

static gboolean pick(const char *ref, const char *said, GPtrArray *names, struct git_named *out,
                     GError **err)
{
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    for (guint i = 0; i + 1 < names->len && !out->commit; i++) {
        const char *name = g_ptr_array_index(names, i);
        gsize peeled = g_str_has_suffix(name, "^{}") ? strlen("^{}") : 0;
        out->commit = find_ref(lines, name);
        if (!out->commit)
            continue;
        out->ref = ref ? g_strndup(name, strlen(name) - peeled) : find_head(lines);
        out->tag = peeled ? find_ref(lines, out->ref) : NULL;
    }
    if (out->commit)
        return TRUE;
    if (!ref)
        return error_set(err, VARVE_ERROR_NOT_FOUND, "it is empty");
    error_set(err, VARVE_ERROR_NOT_FOUND, "it has no branch or tag \"%s\"", ref);
    error_add_next(err, "a commit can be named too, by all its 40 digits");
    return FALSE;
}

void git_named_clear(struct git_named *n)
{
    g_clear_pointer(&n->commit, g_free);
    g_clear_pointer(&n->ref, g_free);
    g_clear_pointer(&n->tag, g_free);
}

gboolean git_resolve(const struct git_remote *r, const char *ref, struct git_named *out,
                     GError **err)
{
    *out = (struct git_named){NULL, NULL, NULL};
    if (!git_check(r->url, ref, err))
        return FALSE;
    if (ref && giturl_is_commit(ref)) {
        out->commit = g_strdup(ref);
        return TRUE;
    }
    g_autoptr(GPtrArray) names = candidates(ref);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "ls-remote");
    if (!ref)
        g_ptr_array_add(argv, (gpointer) "--symref");
    g_ptr_array_add(argv, (gpointer) "varve");
    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(argv, g_ptr_array_index(names, i));
    struct gitrun g = {.remote = r, .dir = "/", .seconds = ASK_SECONDS};
    g_autofree char *said = run_network(&g, (const char *const *)argv->pdata, err);
    if (said && pick(ref, said, names, out, err))
        return TRUE;
    g_autofree char *shown = url_shown(r->url);
    g_prefix_error(err, "cannot look into the repository %s: ", shown);
    return FALSE;
}

/* gitrun() for its effect. */
static gboolean run_git(const struct gitrun *g, const char *const *argv, GError **err)
{
    g_autofree char *out = gitrun(g, argv, err);
    return out != NULL;
}

static gboolean has_commit(const struct gitrun *g, const char *commit)
{
    g_autofree char *object = g_strconcat(commit, "^{commit}", NULL);
    const char *argv[] = {"cat-file", "-e", object, NULL};
    return run_git(g, argv, NULL);
}

static gboolean init_cache(const struct gitrun *g, const char *commit, GError **err)
{
    g_autofree char *head = g_build_filename(g->dir, "HEAD", NULL);
    const char *format = strlen(commit) == 64 ? "--object-format=sha256" : "--object-format=sha1";
    const char *argv[] = {"init", "-q", "--bare", format, ".", NULL};
    return access(head, F_OK) == 0 || run_git(g, argv, err);
}

/* One way of asking for it. all: everything that there is, for servers that can do no better. */
static gboolean fetch(const struct gitrun *g, const char *what, gboolean all, GError **err)
{
    g_autofree char *spec =
        all ? g_strdup("+refs/*:refs/varve/all/*") : g_strconcat("+", what, ":" KEPT, NULL);
    const char *argv[] = {"fetch",
                          "-q",
                          "--no-tags",
                          "--no-recurse-submodules",
                          "--no-write-fetch-head",
                          all ? "--force" : "--depth=1",
                          "varve",
                          spec,
                          NULL};
    g_autofree char *out = run_network(g, argv, err);
    return out != NULL;
}

/* Whether asking in another way makes no difference. */
static gboolean is_hopeless(const GError *e)
{
    return e && (e->code == VARVE_ERROR_OUTSIDE || e->code == VARVE_ERROR_DENIED ||
                 e->code == VARVE_ERROR_CANCELLED);
}

/* The ref as fetch wants it: a branch or tag of either kind is found by its short name. */
static gboolean fetch_commit(const struct gitrun *g, const char *ref, const char *commit,
                             GError **err)
{
    GError *first = NULL;
    if (fetch(g, commit, FALSE, &first) && has_commit(g, commit))
        return TRUE;
    if (is_hopeless(first)) {
        g_propagate_error(err, first);
        return FALSE;
    }
    g_clear_error(&first);
    gboolean named = !ref || !giturl_is_commit(ref);
    if (named && fetch(g, ref ? ref : "HEAD", FALSE, NULL) && has_commit(g, commit))
        return TRUE;
    if (!fetch(g, NULL, TRUE, err))
        return FALSE;
    return has_commit(g, commit) ||
           error_set(err, VARVE_ERROR_NOT_FOUND, "it has no commit %s", commit);
}

gboolean git_fetch(const struct git_remote *r, const char *cache, const char *ref,
                   const char *commit, GError **err)
{
    struct gitrun g = {.remote = r, .dir = cache};
    if (!git_check(r->url, ref, err) || !init_cache(&g, commit, err))
        return FALSE;
    if (has_commit(&g, commit) || fetch_commit(&g, ref, commit, err))
        return TRUE;
    g_autofree char *shown = url_shown(r->url);
    g_prefix_error(err, "cannot fetch from the repository %s: ", shown);
    return FALSE;
}

static gboolean get_submodules(const struct gitrun *g, gboolean shallow, GError **err)
{
    const char *argv[] = {"submodule",
                          "-q",
                          "update",
                          "--init",
                          "--recursive",
                          "--jobs=4",
                          shallow ? "--depth=1" : NULL,
                          NULL};
    g_autofree char *out = run_network(g, argv, err);
    if (!out)
        g_prefix_error(err, "its submodules: ");
    return out != NULL;
}

/* Forgets what was got of them. */
static gboolean drop_submodules(const struct gitrun *g, GError **err)
{
    const char *argv[] = {"submodule", "-q", "deinit", "-f", "--all", NULL};
    g_autofree char *modules = g_build_filename(g->dir, ".git", "modules", NULL);
    return run_git(g, argv, err) && fs_remove_tree(AT_FDCWD, modules, err);
}

/* Servers of plain files have no shallow clones, others give out no commit but their branches'. */
static gboolean update_submodules(const struct gitrun *g, GError **err)
{
    GError *first = NULL;
    struct gitrun network = *g;
    g_autofree char *list = g_build_filename(g->dir, ".gitmodules", NULL);
    network.local = FALSE;
    if (!g_file_test(list, G_FILE_TEST_IS_REGULAR) || get_submodules(&network, TRUE, &first))
        return TRUE;
    if (is_hopeless(first)) {
        g_propagate_error(err, first);
        return FALSE;
    }
    g_clear_error(&first);
    return drop_submodules(g, err) && get_submodules(&network, FALSE, err);
}

/* What only says how the checkout came about. */
static gboolean tidy_checkout(const struct gitrun *g, GError **err)
{
    const char *expire[] = {"reflog", "expire", "--all", "--expire=now", NULL};
    if (!run_git(g, expire, err))
        return FALSE;
    fd_auto int fd = fs_open_dir(AT_FDCWD, g->dir, err);
    if (fd < 0)
        return FALSE;
    unlinkat(fd, ".git/FETCH_HEAD", 0);
    unlinkat(fd, ".git/ORIG_HEAD", 0);
    return TRUE;
}

static gboolean check_out(const struct gitrun *g, const char *cache, const char *commit,
                          const char *ref, gboolean submodules, GError **err)
{
    g_autofree char *shown = url_shown(g->remote->url);
    const char *format = strlen(commit) == 64 ? "--object-format=sha256" : "--object-format=sha1";
    const char *init[] = {"init", "-q", format, ".", NULL};
    const char *fetch_it[] = {"fetch", "-q", "--depth=1", "--no-tags", cache, commit, NULL};
    const char *origin[] = {"config", "remote.origin.url", shown, NULL};
    const char *refs[] = {"config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*",
                          NULL};
    const char *checkout[] = {"checkout", "-q", "-f", "--detach", "FETCH_HEAD", NULL};
    const char *name_it[] = {"update-ref", ref, commit, NULL};
    return run_git(g, init, err) && run_git(g, fetch_it, err) && run_git(g, origin, err) &&
           run_git(g, refs, err) && run_git(g, checkout, err) &&
           (!ref || run_git(g, name_it, err)) && (!submodules || update_submodules(g, err)) &&
           tidy_checkout(g, err);
}

gboolean git_checkout(const struct git_remote *r, const char *cache, const char *commit,
                      const char *ref, gboolean submodules, const char *dir, GError **err)
{
    struct gitrun g = {.remote = r, .dir = dir, .local = TRUE};
    if (fs_mkdir_p(AT_FDCWD, dir, 0755, err) && check_out(&g, cache, commit, ref, submodules, err))
        return TRUE;
    g_autofree char *shown = url_shown(r->url);
    g_prefix_error(err, "cannot check out the repository %s: ", shown);
    return FALSE;
}

gboolean git_commit_time(const struct git_remote *r, const char *cache, const char *commit,
                         gint64 *seconds, GError **err)
{
    struct gitrun g = {.remote = r, .dir = cache, .local = TRUE};
    g_autofree char *object = g_strconcat(commit, "^{commit}", NULL);
    const char *argv[] = {"log", "-1", "--format=%ct", object, NULL};
    g_autofree char *said = gitrun(&g, argv, err);
    if (said)
        *seconds = g_ascii_strtoll(said, NULL, 10);
    return said != NULL;
}
