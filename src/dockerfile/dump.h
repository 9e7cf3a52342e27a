/* The syntax tree as JSON, for tools (varve parse) and tests. */
#ifndef VARVE_DOCKERFILE_DUMP_H
#define VARVE_DOCKERFILE_DUMP_H

#include "dockerfile/ast.h"

#include <jansson.h>

/* One instruction: kind, line, and the flags, words, pairs, heredocs … that it has; bytes that are
 * not UTF-8 are replaced. A new reference. */
json_t *instruction_json(const struct instruction *ins);
/* The whole tree: directives, arguments before the first FROM, stages with their instructions. */
json_t *dockerfile_json(const struct dockerfile *df);

#endif
