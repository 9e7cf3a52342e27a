/* The parser of Dockerfiles: bytes to syntax tree (ast.h). It takes bytes, knows nothing about
 * files, images or variables, and keeps the position of everything. It reads the whole language of
 * BuildKit's Dockerfile frontend; what depends on substitution (ports, mounts with variables, image
 * names) is checked by lowering.
 *
 * Limits (an error names them): see DOCKERFILE_MAX_*. Time is linear in the size of the text. */
#ifndef VARVE_DOCKERFILE_PARSER_H
#define VARVE_DOCKERFILE_PARSER_H

#include "dockerfile/ast.h"

#define DOCKERFILE_MAX_BYTES (16 * 1024 * 1024)
#define DOCKERFILE_MAX_LINE (1024 * 1024)            /* bytes of one line in the file */
#define DOCKERFILE_MAX_INSTRUCTION (4 * 1024 * 1024) /* bytes with its continuation lines */
#define DOCKERFILE_MAX_INSTRUCTIONS 100000
#define DOCKERFILE_MAX_STAGES 10000
#define DOCKERFILE_MAX_HEREDOCS 1000 /* of one instruction */
#define DOCKERFILE_MAX_WORDS 100000  /* words, pairs or flags of one instruction */

/* Parses a whole file; name is for messages. Returns what could be read and puts errors and
 * warnings into diags (and sets its source, for rendering). NULL only if diags has an error; if it
 * has errors, the result may still be a tree for tools, which must not be lowered. */
struct dockerfile *dockerfile_parse(const void *bytes, gsize len, const char *name,
                                    struct diags *diags);
/* Parses a single instruction (an ONBUILD trigger of a base image). Likewise. */
struct dockerfile *dockerfile_parse_trigger(const char *text, const char *name,
                                            struct diags *diags);
/* The value of a check directive, "skip=A,B;error=true", in arena's memory; what follows "//" is a
 * comment. NULL with VARVE_ERROR_INVALID. */
struct check_directive *check_directive_parse(struct arena *arena, const char *value, GError **err);
/* TRUE for the value of a syntax directive (or BUILDKIT_SYNTAX) that names the built-in language:
 * "docker/dockerfile" in any registry (mirrors), any tag, and its relatives "-upstream" and so on.
 */
gboolean dockerfile_syntax_is_builtin(const char *syntax);
/* Whether a stage has this name, in any case; a number is none. */
gboolean dockerfile_has_stage(const struct dockerfile *df, const char *name);
void dockerfile_free(struct dockerfile *df);

typedef struct dockerfile dockerfile;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(dockerfile, dockerfile_free)

#endif
