/* A root file system made of busybox, and a sandbox run over it. */
#ifndef VARVE_TESTS_EXEC_FIXTURE_H
#define VARVE_TESTS_EXEC_FIXTURE_H

#include "exec/sandbox.h"

struct fixture {
    char *dir;          /* temporary directory with "root" in it */
    char *root;         /* the root's path */
    int root_fd;        /* a detached bind mount of it, -1 without the privileges to make one */
    GString *out, *err; /* output of the last run */
    struct sandbox_result result; /* of the last run */
    struct sandbox_spec spec;     /* for the next run: args are set by fixture_sh() */
};
void fixture_set_up(struct fixture *f, gconstpointer data);
void fixture_tear_down(struct fixture *f, gconstpointer data);
/* TRUE, after marking the test as skipped, when sandboxes cannot be made here. */
gboolean fixture_skip(const struct fixture *f);
/* Writes a file in the root. */
void fixture_write(const struct fixture *f, const char *path, const char *text, int mode);
/* Whether the root has path (not followed). */
gboolean fixture_has(const struct fixture *f, const char *path);
/* Runs f->spec over a root_fd that is new each time (but another's than the fixture's is kept);
 * FALSE with *err as sandbox_run(). */
gboolean fixture_run(struct fixture *f, struct cancel *c, GError **err);
/* Runs f->spec with "sh -c script"; FALSE with *err as sandbox_run(). */
gboolean fixture_sh(struct fixture *f, const char *script, GError **err);
/* The same, must succeed with exit code 0; returns stdout without the last newline. */
const char *fixture_output(struct fixture *f, const char *script);

#endif
