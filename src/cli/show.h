/* Values as commands print them: text for people, JSON for programs. */
#ifndef VARVE_CLI_SHOW_H
#define VARVE_CLI_SHOW_H

#include "base/digest.h"

#include <jansson.h>

/* The short form of a canonical reference ("hello:1"); "<none>" for an image without a name. */
char *shown_name(const char *canonical);
/* The first 12 hex digits; newly allocated; "-" for the zero digest. */
char *short_hex(const struct digest *d);
/* RFC 3339 in UTC. */
char *time_text(gint64 seconds);
/* s, cut to columns unless no_trunc. */
char *fit_unless(gboolean no_trunc, const char *s, int columns);
/* created_by of a history entry without the builders' additions: "RUN npm ci".
 */
char *created_by_text(const char *created_by);
/* Prints the document (and frees it): on one line, or indented. */
void print_json(json_t *doc, gboolean indented);
/* A digest as a string member; a zero one is left out. */
void set_digest_text(json_t *o, const char *key, const struct digest *d);

#endif
