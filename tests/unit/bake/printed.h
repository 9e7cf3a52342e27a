/* Definitions as docker buildx bake --print shows them, to be compared as JSON values. */
#ifndef VARVE_TESTS_PRINTED_H
#define VARVE_TESTS_PRINTED_H

#include "bake/defs.h"

#include <jansson.h>

/* All targets, by name, after normalising and with defaults. */
json_t *printed_targets(const struct bake_defs *defs);
/* The targets of a group, sorted; null: there is none. */
json_t *printed_group(const struct bake_defs *defs, const char *name);

#endif
