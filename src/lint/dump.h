/* The answers of --call as BuildKit's JSON: places are lists of line ranges, sources contain the
 * Dockerfile in base64. New references; bytes that are not UTF-8 are replaced. */
#ifndef VARVE_LINT_DUMP_H
#define VARVE_LINT_DUMP_H

#include "lint/outline.h"

#include <jansson.h>

/* r may be NULL: nothing could be checked. error is why a build would fail, or NULL; df (or NULL)
 * gives the extent of the instruction it is about. */
json_t *lint_report_json(const struct lint_report *r, const struct dockerfile *df,
                         const struct diags *d, const struct diag *error);
json_t *outline_json(const struct outline *x, GBytes *source);
json_t *targets_json(const struct dockerfile *df, GBytes *source);

#endif
