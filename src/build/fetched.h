/* Contexts and definitions that are elsewhere, fetched into the store outside of a graph. */
#ifndef VARVE_BUILD_FETCHED_H
#define VARVE_BUILD_FETCHED_H

#include "source/remote.h"
#include "text/giturl.h"

/* The path of a directory with op's files: of a layer, so they must not be changed, and last as
 * long as o->store is open. *holds (holds may be NULL): their content as remotes_holds() has it,
 * the caller's. */
char *fetched_dir(const struct remotes_options *o, const struct source_op *op, char **holds,
                  GError **err);
/* The path of a temporary directory of the store, which goes when the store is closed, with what is
 * in the archive dir/name. shown: its name in messages. */
char *fetched_unpack(struct store *s, struct cancel *cancel, const char *dir, const char *name,
                     const char *shown, GError **err);
/* Whether a file is an archive; shown: its name in messages. */
gboolean fetched_is_archive(int fd, const char *shown, gboolean *yes, GError **err);
/* What git names as a context: submodules too, no history, the times of the checkout, unless it
 * says otherwise. Its texts are borrowed. */
struct source_op fetched_git_op(const struct giturl *git);

#endif
