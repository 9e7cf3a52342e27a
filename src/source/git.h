/* git repositories as sources, through the git program.
 *
 * Nothing of the user's or the machine's git configuration is used, no hook runs, nothing ever asks
 * for a password, and only http, https, git and ssh are spoken. Errors name the repository without
 * any password in it: VARVE_ERROR_OUTSIDE for the network, VARVE_ERROR_NOT_FOUND for what is not
 * there, VARVE_ERROR_DENIED where a login is wanted, VARVE_ERROR_FAILED without a git program. */
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
    guint tries;                   /* of what touches the network; 0: 3 */
    struct cancel *cancel;
};

/* VARVE_ERROR_INVALID for URLs and refs that git could take for something else. ref may be NULL. */
gboolean git_check(const char *url, const char *ref, GError **err);
/* What a ref names. */
struct git_named {
    char *commit; /* its id */
    char *ref;    /* in full, "refs/heads/main"; NULL: it is the commit itself */
    char *tag;    /* id of the annotated tag that names the commit, or NULL */
};
void git_named_clear(struct git_named *n);
/* What ref (a branch, else a tag, else refs/…, or a commit; NULL: the default branch) names now. */
gboolean git_resolve(const struct git_remote *r, const char *ref, struct git_named *out,
                     GError **err);
/* Makes sure that the bare repository in directory cache (made when empty) has commit (or the
 * annotated tag of this id and its commit), without its history. ref helps where a server gives out
 * only what its refs name; may be NULL. One process at a time. */
gboolean git_fetch(const struct git_remote *r, const char *cache, const char *ref,
                   const char *commit, GError **err);
/* Checks commit (or tag) of cache out into dir (made by it), with a .git directory that knows only
 * this, under the name ref unless that is NULL; and the submodules if wanted. Modes are 0644 and
 * 0755. */
gboolean git_checkout(const struct git_remote *r, const char *cache, const char *commit,
                      const char *ref, gboolean submodules, const char *dir, GError **err);
/* The committer's time of a commit that cache has, in seconds since 1970. */
gboolean git_commit_time(const struct git_remote *r, const char *cache, const char *commit,
                         gint64 *seconds, GError **err);

#endif
