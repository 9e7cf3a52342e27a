/* JSON text → value: objects, tuples, strings, numbers with all of their digits, bools, null. */
#ifndef VARVE_BAKE_JSONREAD_H
#define VARVE_BAKE_JSONREAD_H

#include "bake/value.h"

/* NULL with VARVE_ERROR_INVALID and the place. Of equal keys the last counts. A \u of half a
 * surrogate pair becomes U+FFFD. */
const struct value *json_read(struct heap *h, struct text json, GError **err);

#endif
