/* The ops that get what ADD and named contexts have on the network. */
#include "graph/lowering.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

enum remote_kind lower_remote_kind(const struct instruction *add, const char *text,
                                   struct giturl **git, GError **err)
{
    gboolean repository = instruction_flag(add, "keep-git-dir") != NULL;
    enum giturl_result r =
        repository ? giturl_parse_any(text, git, err) : giturl_parse(text, git, err);
    if (r == GITURL_BAD)
        return REMOTE_BAD;
    if (r == GITURL_OK && !(*git)->local_like)
        return REMOTE_GIT;
    return giturl_is_web(text) ? REMOTE_HTTP : REMOTE_NONE;
}

struct source_op lower_git_source(struct lowering *lw, const struct giturl *git, const char *commit,
                                  gboolean keep_git_dir)
{
    struct graph *g = lw->graph;
    return (struct source_op){.kind = SOURCE_GIT,
                              .identifier = graph_str(g, git->remote),
                              .ref = graph_str(g, git->ref),
                              .commit = graph_str(g, commit ? commit : git->checksum),
                              .subdir = graph_str(g, git->subdir),
                              .keep_git_dir = git->keep_git_dir == GIT_UNSET
                                                  ? keep_git_dir
                                                  : git->keep_git_dir == GIT_YES,
                              .submodules = git->submodules != GIT_NO,
                              .commit_times = git->commit_times == GIT_YES,
                              .by_commit = git->by_commit};
}

/* Name of the file that a URL gives. */
static char *url_filename(const char *url)
{
    const char *path = strstr(url, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    g_autofree char *plain = g_strndup(path ? path : "", path ? strcspn(path, "?#") : 0);
    g_autofree char *raw = path_base(plain);
    g_autofree char *base = g_uri_unescape_string(raw, NULL);
    if (!base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0 || strchr(base, '/'))
        return g_strdup("__unnamed__");
    return g_steal_pointer(&base);
}

struct source_op lower_http_source(struct lowering *lw, const char *url,
                                   const struct digest *checksum)
{
    g_autofree char *name = url_filename(url);
    return (struct source_op){.kind = SOURCE_HTTP,
                              .identifier = graph_str(lw->graph, url),
                              .has_checksum = checksum != NULL,
                              .checksum = checksum ? *checksum : (struct digest){{0}},
                              .filename = graph_str(lw->graph, name),
                              .mode = 0600};
}

gboolean named_context_is_remote(const struct named_context *c)
{
    return c->kind == CONTEXT_GIT || c->kind == CONTEXT_HTTP;
}

gboolean lower_context_source(struct lowering *lw, const struct named_context *c,
                              struct source_op *out, GError **err)
{
    g_autoptr(giturl) git = NULL;
    if (c->kind == CONTEXT_HTTP) {
        *out = lower_http_source(lw, c->value, NULL);
        out->filename = "context";
        return TRUE;
    }
    enum giturl_result r = giturl_parse(c->value, &git, err);
    if (r == GITURL_NONE)
        return error_set(err, VARVE_ERROR_INVALID, "the named context %s is not a git URL",
                         c->name);
    if (r == GITURL_OK)
        *out = lower_git_source(lw, git, NULL, FALSE);
    return r == GITURL_OK;
}
