/* git repositories as sources, through the git program.
 *
 * The user's and the machine's git configuration is not used, hooks do not run, git never asks for
 * a password, and only http, https, git and ssh are allowed. Errors name the repository without any
 * password in it: VARVE_ERROR_OUTSIDE for the network, VARVE_ERROR_NOT_FOUND for what does not
 * exist, VARVE_ERROR_DENIED if a login is needed, VARVE_ERROR_FAILED without a git program. */
#ifndef VARVE_SOURCE_GIT_H
#define VARVE_SOURCE_GIT_H

#include "base/cancel.h"

/* How to reach a repository. All may be NULL but remote; borrowed. */
struct git_remote {
    const char *url; /* as for git, without fragment and query; may hold user and password */
    const char
        *auth; /* value of an Authorization header for the URL's host; kept off command lines */
    const char *ssh_agent; /* socket */
    char **env; /* "NAME=value": PATH, HOME (for known hosts) and the proxies are taken from it */
    const char *ca_file, *ca_path; /* certificates to trust */
    guint tries;                   /* of network operations; 0: 3 */
    struct cancel *cancel;
};

/* VARVE_ERROR_INVALID for URLs and refs that git could misinterpret. ref may be NULL. */
gboolean git_check(const char *url, const char *ref, GError **err);
/* What a ref names. */
struct git_named {
    char *commit; /* its id */
    char *ref;    /* in full, "refs/heads/main"; NULL: the commit itself was named */
    char *tag;    /* id of the annotated tag that names the commit, or NULL */
};
void git_named_clear(struct git_named *n);
/* What ref (a branch, else a tag, else refs/…, or a commit; NULL: the default branch) names now. */
gboolean git_resolve(const struct git_remote *r, const char *ref, struct git_named *out,
                     GError **err);
/* Ensures that the bare repository in directory cache (initialized if empty) has commit (or the
 * annotated tag of this id and its commit), without history. ref helps with servers that only serve
 * what their refs name; may be NULL. One process at a time. */
gboolean git_fetch(const struct git_remote *r, const char *cache, const char *ref,
                   const char *commit, GError **err);
/* Checks out commit (or tag) from cache into dir (which it creates), with a .git directory that has
 * only this, under the name ref unless that is NULL; optionally with submodules. Modes are 0644 and
 * 0755. */
gboolean git_checkout(const struct git_remote *r, const char *cache, const char *commit,
                      const char *ref, gboolean submodules, const char *dir, GError **err);
/* The committer's time of a commit that cache has, in seconds since 1970. */
gboolean git_commit_time(const struct git_remote *r, const char *cache, const char *commit,
                         gint64 *seconds, GError **err);

#endif
