/* The part of Go's text templates that scripts write behind --format. In "{{…}}": fields (.A.B,
 * $.A), variables ($v := …, $v = …), strings, numbers, true, false and nil; calls of the functions
 * that template_function.c lists, with arguments in brackets where they are calls; pipes (.A |
 * json); if, else, else if, with, range and end; comments; {{- and -}}. No define, template, block,
 * break or continue.
 *
 * Values are JSON. They are printed as Go does: [a b], map[k:v]. A field that an object lacks is an
 * error, but "<no value>" (false in conditions) where the keys are users', as those of Labels. */
#ifndef VARVE_CLI_TEMPLATE_H
#define VARVE_CLI_TEMPLATE_H

#include <glib.h>
#include <jansson.h>

#define TEMPLATE_MAX_TEXT (64 << 10)
#define TEMPLATE_MAX_DEPTH 32 /* of blocks and brackets in each other */
#define TEMPLATE_MAX_OUTPUT (16 << 20)
#define TEMPLATE_MAX_STEPS 1000000 /* of one rendering */

struct template;
/* NULL with VARVE_ERROR_USAGE, which names the place, when text is malformed. */
struct template *template_new(const char *text, GError **err);
void template_free(struct template *t);
/* What it says about value. NULL with VARVE_ERROR_NOT_FOUND for a field or an element that value
 * lacks, with VARVE_ERROR_USAGE for what a function cannot take and beyond the limits. */
char *template_render(const struct template *t, json_t *value, GError **err);
/* The same with a heading in each field's place: {{.CreatedAt}} is "CREATED AT", unless special
 * (pairs of a field's name and its heading, ending with NULL; NULL: none) has another. */
char *template_heads(const struct template *t, const char *const (*special)[2], GError **err);

typedef struct template template;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(template, template_free)

#endif
