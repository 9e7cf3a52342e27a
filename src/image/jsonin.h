/* Reading fields of a JSON document with strict types. A missing or null field sets *out to NULL, 0
 * or FALSE; one of the wrong type is VARVE_ERROR_INVALID naming the field. Pointers that are not
 * newly allocated are valid as long as the document. */
#ifndef VARVE_IMAGE_JSONIN_H
#define VARVE_IMAGE_JSONIN_H

#include "base/digest.h"

#include <jansson.h>

/* Parses a document whose top is an object; what names it in errors ("image manifest"). At most max
 * bytes; duplicate keys are refused. Free with json_decref. */
json_t *jsonin_parse(const void *bytes, gsize len, gsize max, const char *what, GError **err);
/* Any value, of at most len bytes. */
json_t *jsonin_value(const void *bytes, gsize len, const char *what, GError **err);
gboolean jsonin_string(const json_t *obj, const char *key, const char **out, GError **err);
gboolean jsonin_int(const json_t *obj, const char *key, gint64 *out, GError **err);
gboolean jsonin_bool(const json_t *obj, const char *key, gboolean *out, GError **err);
gboolean jsonin_object(const json_t *obj, const char *key, const json_t **out, GError **err);
/* At most max items. */
gboolean jsonin_array(const json_t *obj, const char *key, gsize max, const json_t **out,
                      GError **err);
/* A list of strings, newly allocated; an empty list stays an empty list. */
gboolean jsonin_strv(const json_t *obj, const char *key, char ***out, GError **err);
/* Adds an object's string members to tree (char* → char*, owning). */
gboolean jsonin_map(const json_t *obj, const char *key, GTree *tree, GError **err);
/* The same for a set: an object whose values are ignored; they become "". */
gboolean jsonin_set(const json_t *obj, const char *key, GTree *tree, GError **err);
/* "sha256:…"; required. */
gboolean jsonin_digest(const json_t *obj, const char *key, struct digest *out, GError **err);

#endif
