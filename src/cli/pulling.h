/* Pulling an image with progress, for varve pull and varve run; private to cli/. */
#ifndef VARVE_CLI_PULLING_H
#define VARVE_CLI_PULLING_H

#include "base/cancel.h"
#include "source/sources.h"

struct pulling {
    enum pull_policy policy;
    const char *progress;  /* --progress, NULL: auto */
    char **insecure;       /* hosts, NULL-terminated, or NULL */
    struct cancel *cancel; /* or NULL */
};
/* What the user configured about registries, and these insecure hosts. */
struct registry_config *registry_config_for(char **insecure, GError **err);
/* Afterwards ref is in the store, unpacked. */
gboolean pulling_run(const struct pulling *how, struct store *s, const struct reference *ref,
                     const struct platform *p, GError **err);
/* Afterwards all layers of c have their files: those that were left at their registry are fetched.
 * name is the image's, for the user. */
gboolean pulling_complete(const struct pulling *how, struct store *s, const struct chain *c,
                          const char *name, GError **err);

#endif
