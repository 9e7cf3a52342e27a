/* A store in a temporary directory, tars written line by line, and layers shown as text. */
#ifndef VARVE_TESTS_LAYER_FIXTURE_H
#define VARVE_TESTS_LAYER_FIXTURE_H

#include "layer/apply.h"
#include "layer/index.h"
#include "store/store.h"

struct fixture {
    char *root;          /* the temporary directory */
    struct store *store; /* in root/store */
};
void fixture_init(struct fixture *f);
void fixture_clear(struct fixture *f);

/* Appends entries to a tar, one a line: a type letter, the name, and what the type needs, separated
 * by '|': f|name|content    d|name|mode    l|name|link text    h|name|first name c|name|major,minor
 *   p|name            F|name|mode of an empty file       r|raw type character, then |name */
void fixture_tar(GByteArray *tar, const char *lines);
void fixture_tar_end(GByteArray *tar);

/* Unpacks bytes (compressed or not) as a layer upon parents (NULL: unknown); NULL with error. The
 * result is the layer's temporary directory. */
char *fixture_apply(struct fixture *f, const void *bytes, gsize len, const struct chain *parents,
                    struct apply_result *r, GError **err);
/* The index in dir (relative to the store), one entry a line:
 *   f|name|content    d|name|mode    D|… opaque    l|name|link text    h|name|first name    w|name
 * ... */
char *fixture_show(struct fixture *f, const char *layer_id);
/* Commits and shows. */
char *fixture_commit(struct fixture *f, const char *tmp, struct apply_result *r);
/* Runs a program, which must succeed; returns its output. */
char *fixture_run(const char *const *argv);

#endif
