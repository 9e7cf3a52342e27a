/* What several commands need: arguments, names, digests and terminals; private to cli/. */
#ifndef VARVE_CLI_SHARED_H
#define VARVE_CLI_SHARED_H

#include "base/digest.h"
#include "base/event.h"
#include "base/platform.h"
#include "cli/command.h"
#include "exec/network.h"
#include "registry/registry.h"
#include "store/images.h"

#include <jansson.h>
#include <stdio.h>

/* Parses options into opts and checks that there are between min and max (-1: any number of)
 * positional arguments. FALSE without an error after --help. */
gboolean command_begin(const struct command *c, gpointer opts, int *argc, char ***argv, int min,
                       int max, GError **err);
/* The store of the command line (root_path()), as session_open_store() opens it. */
struct store *open_store(GError **err);
/* What the user configured; *network (may be NULL): what programs have by default. The caller frees
 * it. */
struct registry_config *configured_registry(enum netpool_rule *network, GError **err);
/* Whether stdout can take an archive: VARVE_ERROR_USAGE for a terminal. */
gboolean stdout_takes_archive(GError **err);
/* Bytes of file content over the image's layers; 0 while it is not unpacked. */
guint64 image_bytes(struct store *s, const struct image_row *r);
/* As people write a canonical reference ("hello:1"); "<none>" for an image without a name. Newly
 * allocated. */
char *shown_name(const char *canonical);
/* A name on the command line. VARVE_ERROR_USAGE when it is malformed. */
struct reference *reference_argument(const char *text, GError **err);
/* A file to be written at the end (NULL and "-" are fine): whether its directory is there, before
 * any work is done. VARVE_ERROR_USAGE. */
gboolean destination_option(const char *flag, const char *path, GError **err);
/* A name to be given to an image: a reference without a digest, else VARVE_ERROR_USAGE. */
struct reference *name_parse(const char *text, GError **err);
/* The first 12 hex digits; newly allocated; "-" for the zero digest. */
char *short_hex(const struct digest *d);
/* An image that was pulled for a platform that it does not have is stored under the one wanted:
 * sets r's to the one that its config says. */
void set_true_platform(struct store *s, struct image_row *r);
/* Warns when image name, made for have, does not fit want (NULL: this machine). */
void warn_platform(const char *name, const struct platform *have, const struct platform *want);
/* --platform: NULL text leaves *out NULL, else it points to store. */
gboolean platform_option(const char *text, struct platform *store, const struct platform **out,
                         GError **err);
/* The same of build, pull and run, which take $DOCKER_DEFAULT_PLATFORM when text is NULL. */
gboolean platform_wanted(const char *text, struct platform *store, const struct platform **out,
                         GError **err);
/* A size given with flag; NULL text leaves *out. VARVE_ERROR_USAGE. */
gboolean size_option(const char *flag, const char *text, guint64 *out, GError **err);
/* The proxies of Docker's config.json, as proxies_load(); with a note where that cannot be read. */
char **configured_proxies(void);
/* Prints the document (and frees it): on one line, or indented. */
void print_json(json_t *doc, gboolean indented);
/* A digest as a string member; a zero one is left out. */
void set_digest_text(json_t *o, const char *key, const struct digest *d);
/* RFC 3339 in UTC, newly allocated. */
char *time_text(gint64 seconds);
/* "next: …" on stderr, after what is on stdout. */
void print_next(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* The same after a listing: only when somebody looks at it. */
void print_next_after_list(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* s as it is when there is no limit, else cut to columns; newly allocated. */
char *fit_unless(gboolean no_trunc, const char *s, int columns);
/* created_by of a history entry without what builders put around it: "RUN npm ci", newly allocated.
 */
char *created_by_text(const char *created_by);

#endif
