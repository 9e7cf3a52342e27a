/* URLs of git repositories as ADD and build contexts take them, with BuildKit's rules:
 *     https://host/repo.git#ref:subdir   https://host/repo.git?tag=v1&subdir=a
 *     git://host/repo   ssh://user@host/repo   user@host:repo.git#ref   github.com/owner/repo
 * An http(s) URL is one only if its path ends in ".git". Without a ref, the query key commit (or
 * checksum) names the commit if it is a full id; a shorter one must be a prefix of the default
 * branch's commit. */
#ifndef VARVE_TEXT_GITURL_H
#define VARVE_TEXT_GITURL_H

#include <glib.h>

enum git_choice { GIT_UNSET, GIT_YES, GIT_NO };

struct giturl {
    char *remote;                 /* for git, without fragment and query: "https://host/repo.git" */
    char *name;                   /* last element of the path, without ".git" */
    char *ref;                    /* branch, tag, "refs/…" or commit; NULL: the default branch */
    char *checksum;               /* commit (or prefix) that ref must be, or NULL */
    char *subdir;                 /* directory in the repository, or NULL */
    enum git_choice keep_git_dir; /* query keep-git-dir */
    enum git_choice submodules;   /* query submodules */
    enum git_choice commit_times; /* query mtime: commit (YES) or checkout (NO) */
    gboolean by_commit;  /* query fetch-by-commit: checksum is a full commit id and is fetched
                            without checking what ref points to */
    gboolean local_like; /* "github.com/owner/repo": a build context only, ADD takes it as a path */
    gboolean unencrypted; /* http or git protocol */
};

enum giturl_result {
    GITURL_NONE, /* not a git URL: take it as something else */
    GITURL_OK,   /* *out is set */
    GITURL_BAD,  /* a git URL with a wrong query: *err is set (VARVE_ERROR_INVALID) */
};
enum giturl_result giturl_parse(const char *text, struct giturl **out, GError **err);
/* The same if it is already known that text is a repository: accepts any http(s) URL. */
enum giturl_result giturl_parse_any(const char *text, struct giturl **out, GError **err);
void giturl_free(struct giturl *g);
/* TRUE for a full commit id: 40 or 64 lower-case hex digits. */
gboolean giturl_is_commit(const char *text);
/* Whether text is an http or https URL, of a repository or not. */
gboolean giturl_is_web(const char *text);

typedef struct giturl giturl;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(giturl, giturl_free)

#endif
