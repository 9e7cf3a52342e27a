/* Leave for what a bake definition wants of this machine. */
#ifndef VARVE_CLI_BAKE_ALLOW_H
#define VARVE_CLI_BAKE_ALLOW_H

#include "bake/bake.h"

/* Whether b's plan may have all that it wants (bake/allow.h); before anything is built. What
 * allowed (values of --allow, may be NULL) does not cover is shown, and asked for where stdin and
 * stderr are a terminal. words: the command line from "bake" on, for the command that allows it.
 * Paths are not looked at when BUILDX_BAKE_ENTITLEMENTS_FS is false. FALSE with VARVE_ERROR_DENIED,
 * or VARVE_ERROR_USAGE for a wrong value. */
gboolean bake_ask_allowed(const struct bake *b, char **allowed, char **words, GError **err);

#endif
