/* Values of options and arguments of several commands: text → value, with errors that name the
 * option. */
#ifndef VARVE_CLI_ARGUMENTS_H
#define VARVE_CLI_ARGUMENTS_H

#include "base/platform.h"
#include "ui/progress.h"

struct reference;
/* A name on the command line. VARVE_ERROR_USAGE when it is malformed. */
struct reference *reference_argument(const char *text, GError **err);
/* A name to give to an image: a reference without a digest, else VARVE_ERROR_USAGE. */
struct reference *name_parse(const char *text, GError **err);
/* A file to be written at the end (NULL and "-" are fine): checks that its directory exists, before
 * any work is done. VARVE_ERROR_USAGE. */
gboolean destination_option(const char *flag, const char *path, GError **err);
/* --platform: NULL text leaves *out NULL, else it points to store. */
gboolean platform_option(const char *text, struct platform *store, const struct platform **out,
                         GError **err);
/* The same for build, pull and run, which use $DOCKER_DEFAULT_PLATFORM if text is NULL. */
gboolean platform_wanted(const char *text, struct platform *store, const struct platform **out,
                         GError **err);
/* A signal given with flag; NULL or "": 0. VARVE_ERROR_USAGE. */
gboolean signal_option(const char *flag, const char *text, int *out, GError **err);
/* A size given with flag; NULL text leaves *out. VARVE_ERROR_USAGE. */
gboolean size_option(const char *flag, const char *text, guint64 *out, GError **err);
/* A time given with flag, "7d", "2w" and what Go's durations allow, in seconds; NULL text leaves
 * *seconds. VARVE_ERROR_USAGE. */
gboolean age_option(const char *flag, const char *text, gint64 *seconds, GError **err);
/* --progress; NULL: BUILDKIT_PROGRESS, or auto. VARVE_ERROR_USAGE. */
gboolean progress_option(const char *text, enum progress_mode *out, GError **err);
/* A number from 1 to max given with flag; NULL text leaves *out. VARVE_ERROR_USAGE. */
gboolean count_option(const char *flag, const char *text, guint max, guint *out, GError **err);

#endif
