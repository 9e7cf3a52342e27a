/* Names of `varve run`'s volumes, and their ids in the store. */
#ifndef VARVE_RUN_VOLUME_NAME_H
#define VARVE_RUN_VOLUME_NAME_H

#include <glib.h>

/* A letter or digit, then letters, digits, _ . and -; at most 255 bytes. */
gboolean volume_name_is_valid(const char *name);
/* For store_volume_take(). */
char *volume_name_id(const char *name);
/* The name in an id (points into it); NULL for the id of a cache mount. */
const char *volume_name_of_id(const char *id);

#endif
