/* Instructions that were meant as a JSON array of strings but are not one: ['echo', 'x']. */
#ifndef VARVE_LINT_JSONFORM_H
#define VARVE_LINT_JSONFORM_H

#include "dockerfile/ast.h"

/* The array that was probably meant by a RUN, CMD, ENTRYPOINT, VOLUME, COPY or ADD; NULL: it is
 * JSON, or not meant to be. "[ -f x ]" and "[[ …" are the shell's tests. */
char *jsonform_fix(const struct instruction *ins);
/* What is wrong with it, in two words: "single quotes". */
const char *jsonform_fault(const struct instruction *ins);

#endif
