/* varve doctor: what a build needs of its surroundings, each really tried: namespaces and mounts
 * are made, a sandbox is started, an overlay is mounted in the store's folder. Nothing is left
 * behind, and no store is made where there is none. */
#ifndef VARVE_DOCTOR_DOCTOR_H
#define VARVE_DOCTOR_DOCTOR_H

#include <glib.h>

enum finding_state {
    FINDING_OK,
    FINDING_LIMITED, /* builds run, but something is slower, weaker or not possible */
    FINDING_MISSING,
};
/* All strings are the finding's own. */
struct finding {
    const char *name;    /* "overlayfs", static */
    const char *purpose; /* what builds need it for, static */
    enum finding_state state;
    gboolean needed; /* without it no build can run; else something of it only */
    char *found;     /* one line: what is there, or why it is not */
    char *remedy;    /* what to do; NULL when it is OK */
};

/* What a user's environment says, as values. */
struct doctor_options {
    const char *root;    /* path of the store, which need not exist */
    const char *ca_file; /* SSL_CERT_FILE, or NULL */
};
/* Findings (struct finding), in the order in which builds meet them. Single-threaded: it enters the
 * user namespace that a build would. */
GPtrArray *doctor_examine(const struct doctor_options *o);
/* Whether builds can run. */
gboolean doctor_builds_run(const GPtrArray *findings);

#endif
