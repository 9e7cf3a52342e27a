/* JSON text → value: objects, tuples, strings, numbers with all of their digits, bools, null. */
#ifndef VARVE_BAKE_JSONREAD_H
#define VARVE_BAKE_JSONREAD_H

#include "bake/value.h"

/* NULL with VARVE_ERROR_INVALID and the place. Of equal keys the last counts. A \u of half a
 * surrogate pair becomes U+FFFD. */
const struct value *json_read(struct heap *h, struct text json, GError **err);

/* The character that an escape of JSON strings means, *c: p is at its backslash, before end. Its
 * length in bytes; 0: it is none. */
gsize json_escape(const char *p, const char *end, gunichar *c);

#endif
