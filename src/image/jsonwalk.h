/* Reading a large JSON object a value at a time: it never stands in memory as a tree. */
#ifndef VARVE_IMAGE_JSONWALK_H
#define VARVE_IMAGE_JSONWALK_H

#include <glib.h>
#include <jansson.h>

/* A value of a member; both are borrowed. FALSE with *err ends the walk. */
typedef gboolean (*jsonwalk_visit)(gpointer ctx, const char *key, const json_t *value,
                                   GError **err);
/* Calls visit for each member of the object, in order; for one that is a list for each of its
 * items. VARVE_ERROR_INVALID for what is no JSON object, or has a value of more than 1 MiB; what
 * names it in errors. */
gboolean jsonwalk(const void *bytes, gsize len, const char *what, jsonwalk_visit visit,
                  gpointer ctx, GError **err);

#endif
