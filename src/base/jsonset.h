/* Writing JSON with jansson: text of any bytes (what is not UTF-8 becomes U+FFFD), and members that
 * are left out when empty. */
#ifndef VARVE_BASE_JSONSET_H
#define VARVE_BASE_JSONSET_H

#include <glib.h>
#include <jansson.h>

/* A new reference; null for NULL. */
json_t *jsonset_value(const char *text);
/* Left out when NULL. */
void jsonset_text(json_t *o, const char *key, const char *text);
/* Left out when NULL or empty. */
void jsonset_filled(json_t *o, const char *key, const char *text);
/* Left out when 0. */
void jsonset_int(json_t *o, const char *key, gint64 value);
/* Left out when FALSE. */
void jsonset_true(json_t *o, const char *key, gboolean value);

#endif
