/* The arguments that every Dockerfile has without declaring them before its first FROM (Dockerfile
 * reference, "Automatic platform ARGs in the global scope"): BUILDPLATFORM, TARGETOS …, and
 * TARGETSTAGE. */
#ifndef VARVE_DOCKERFILE_AUTOARGS_H
#define VARVE_DOCKERFILE_AUTOARGS_H

#include "base/platform.h"
#include "dockerfile/parser.h"

/* name and value are valid only during the call. */
typedef void (*autoargs_fn)(gpointer ctx, const char *name, const char *value);

/* Calls fn for each. df has a stage; target is the stage asked for, NULL or "" for the last. */
void autoargs_each(const struct dockerfile *df, const struct platform *build,
                   const struct platform *wanted, const char *target, autoargs_fn fn, gpointer ctx);

#endif
